# Planted: after test_take, test_wait never ends.
# Right: test_wait is order-dependent (time-out).
import time

TAKEN = []


def test_wait():
    while TAKEN:
        time.sleep(60)


def test_take():
    TAKEN.append(True)


def test_bystander():
    assert isinstance(TAKEN, list)
