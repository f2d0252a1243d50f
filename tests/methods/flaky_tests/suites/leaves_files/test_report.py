# Planted: test_write_here leaves a file in the current folder, test_write_tmp one in the folder for temporary files;
# test_none_here and test_none_tmp are their victims.
# Right: both victims are order-dependent. A file outlives the fork: without isolation they fail in every later order.
import os
import tempfile


def _marker():
    return os.path.join(tempfile.gettempdir(), "left-by-a-test")


def test_none_here():
    assert not os.path.exists("report.txt")


def test_none_tmp():
    assert not os.path.exists(_marker())


def test_write_here():
    with open("report.txt", "w") as stream:
        stream.write("done")


def test_write_tmp():
    with open(_marker(), "w") as stream:
        stream.write("done")


def test_bystander():
    assert os.path.exists("pytest.ini")
