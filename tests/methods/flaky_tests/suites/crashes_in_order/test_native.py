# Planted: after test_free, test_read reads through a null pointer and the process dies of a segmentation fault.
# Right: test_read is order-dependent (crash); the tests after it did not run, so they are not flaky.
import ctypes

FREED = []


def test_read():
    if FREED:
        ctypes.string_at(0)


def test_before():
    assert 1 < 2


def test_free():
    FREED.append(True)


def test_after():
    assert 2 < 3
