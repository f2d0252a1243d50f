# Planted: after test_arm, test_exit ends the process at once, with status 0.
# Right: test_exit is order-dependent (crash).
import os

ARMED = []


def test_exit():
    if ARMED:
        os._exit(0)


def test_arm():
    ARMED.append(True)


def test_bystander():
    assert isinstance(ARMED, list)
