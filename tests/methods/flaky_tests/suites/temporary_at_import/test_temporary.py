# Planted: a folder that is made when the file is imported, once for all orders; test_writes leaves a file in it.
# Right: test_starts_empty is order-dependent. A folder outlives the fork: if it is not put back, it fails by chance.
import os
import tempfile

FOLDER = tempfile.mkdtemp()


def test_starts_empty():
    assert os.listdir(FOLDER) == []


def test_writes():
    open(os.path.join(FOLDER, "left"), "w").close()


def test_bystander():
    assert os.path.isdir(FOLDER)
