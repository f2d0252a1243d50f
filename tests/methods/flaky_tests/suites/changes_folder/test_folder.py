# Planted: test_change leaves another current folder, test_delete a deleted one. test_reads is the victim of both.
# Right: test_reads is order-dependent; test_back is the cleaner.
import os
import shutil
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def test_reads():
    assert os.path.exists("pytest.ini")


def test_change():
    os.chdir(tempfile.mkdtemp())


def test_back():
    os.chdir(HERE)


def test_delete():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    shutil.rmtree(folder)


def test_bystander():
    assert HERE
