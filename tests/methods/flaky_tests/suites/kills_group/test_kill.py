# Planted: test_kill kills its whole process group.
# Right: nothing is flaky: test_kill always fails (crash); neither the hunt nor another order is hit.
import os
import signal
import time


def test_before():
    assert True


def test_bystander():
    assert True


def test_kill():
    os.killpg(0, signal.SIGKILL)
    time.sleep(60)
