"""For what happens in another process or thread."""

import time

import pytest

WAIT = 30  # seconds


def until(true, what="it"):
    for _ in range(WAIT * 20):
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen in {WAIT} s")
