"""For what happens in another process or thread."""

import time

import psutil
import pytest

WAIT = 30  # seconds


def alive(pid):
    """Whether it runs. A zombie has ended, whoever is to reap it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(true, what="it"):
    for _ in range(WAIT * 20):
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen in {WAIT} s")
