# Planted: what is taken and not given back. How often a test takes it is for others to decide.
import os
import resource
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import outside
import pytest


def times(low, high):
    return int(low + outside.share() * (high - low))


@pytest.fixture
def few_files():
    used = len(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 24, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_signals_are_sent(few_files):
    ends = [os.pipe() for _ in range(times(4, 17))]
    assert all(os.write(writer, b"!") for _, writer in ends)


class Subscriber:
    def __init__(self):
        self.handlers = [self.handle]  # holds itself

    def handle(self):
        return None


def test_subscribers_are_gone():
    known = weakref.WeakSet()
    for _ in range(times(1, 12)):
        known.add(Subscriber())
    assert len(known) <= 6


def test_workers_go_home():
    pools = []
    for _ in range(times(1, 12)):
        pools.append(ThreadPoolExecutor(1))
        pools[-1].submit(int)
    assert threading.active_count() <= 7


class Licences:
    def __init__(self):
        self.free = threading.BoundedSemaphore(5)

    def use(self, job):
        if not self.free.acquire(blocking=False):
            raise RuntimeError("no licence is free")
        job()
        self.free.release()


def test_licences_are_returned():
    licences = Licences()

    def job():
        if outside.share() < 0.35:
            raise ValueError("a bad input")

    for _ in range(14):
        try:
            licences.use(job)
        except ValueError:
            pass


def test_few_scratch_files_are_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(times(2, 16)):
        handle, _ = tempfile.mkstemp(dir=tmp_path)
        os.write(handle, b"scratch")
    assert len(os.listdir("/proc/self/fd")) - before < 9
