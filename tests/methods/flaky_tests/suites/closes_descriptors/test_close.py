# Planted: test_close closes every descriptor but the standard three, those of pytest's capture included.
# Right: test_close fails in every order; the tests after it end in errors, so they are order-dependent and test_close is
# their polluter. The record of the order is not lost.
import os


def test_before():
    assert True


def test_bystander():
    assert True


def test_close():
    os.closerange(3, 1024)
