"""Waiting for other processes: until they have ended, or have done something."""

import time
from collections.abc import Callable, Sequence

import psutil

LONGEST = 100.0


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: Sequence[int], seconds: float = LONGEST) -> bool:
    """Wait until none of these processes runs; whether that is so, in the end."""
    return until(lambda: not any(alive(pid) for pid in pids), seconds)


def until(done: Callable[[], bool], seconds: float = LONGEST) -> bool:
    """Wait until something is so; whether it is, in the end."""
    end = time.monotonic() + seconds
    while not (so := done()) and time.monotonic() < end:
        time.sleep(0.01)
    return so
