# Planted: what is not given back: descriptors, slots of a pool, threads, memory, children. How much of it a test uses is
# for others to decide: how often it must ask until a service is ready.
import os
import resource
import socket
import subprocess
import tempfile
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import outside
import pytest


def polls(low, high):
    """How often one has to ask until the service is ready."""
    return int(low + outside.share() * (high - low))


@pytest.fixture
def few_descriptors():
    used = len(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_log_is_read_until_ready(tmp_path, few_descriptors):
    log = tmp_path / "log"
    log.write_text("starting")
    handles = []
    for _ in range(polls(5, 26)):
        handles.append(open(log))
        assert handles[-1].read() == "starting"


class Connection:
    def __init__(self, pool):
        pool.taken += 1
        if pool.taken > 8:
            pool.taken -= 1
            raise RuntimeError("the pool is exhausted")
        self.pool, self.close = pool, self._close  # a cycle

    def _close(self):
        pass

    def __del__(self):
        if hasattr(self, "close"):
            self.pool.taken -= 1


class Pool:
    taken = 0


def test_service_answers_in_the_end():
    pool = Pool()
    for _ in range(polls(3, 13)):
        Connection(pool)


def heartbeat(stop=threading.Event()):
    stop.wait(10)


def test_few_threads_run():
    for _ in range(polls(1, 9)):
        threading.Thread(target=heartbeat, daemon=True).start()
    assert threading.active_count() <= 7


CACHE = {}


def render(page):
    CACHE[page] = bytearray(400_000)
    return len(CACHE[page])


def test_memory_stays_small():
    tracemalloc.start()
    for page in range(polls(2, 20)):
        render(page)
    assert tracemalloc.get_traced_memory()[0] < 5_000_000


class Reader:
    def __init__(self, path):
        self.stream, self.me = open(path), self


def test_nothing_is_left_open(tmp_path):
    (tmp_path / "page").write_text("text")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(polls(20, 150)):
            Reader(tmp_path / "page")
            parsed = [[n] for n in range(2)]
    assert parsed
    assert not caught


def test_connections_are_closed():
    before = len(os.listdir("/proc/self/fd"))
    kept = []
    for _ in range(polls(1, 16)):
        kept.append(socket.socket())
    assert len(os.listdir("/proc/self/fd")) - before <= 10
    for sock in kept:
        sock.close()


def test_children_are_reaped():
    children = [subprocess.Popen(["true"], stdout=subprocess.PIPE) for _ in range(polls(1, 6))]
    states = [open(f"/proc/{child.pid}/stat").read() for child in children]
    assert len(os.listdir("/proc/self/fd")) < 100
    assert len(states) <= 3
    for child in children:
        child.wait()
        child.stdout.close()


def ask(permits, question):
    assert permits.acquire(timeout=0.01), "too many questions at a time"
    if outside.share() < 0.2:
        return f"{question}: no answer"
    permits.release()
    return f"{question}: 42"


def test_questions_one_after_the_other():
    permits = threading.BoundedSemaphore(3)
    assert all(ask(permits, number) for number in range(12))


class Till:
    def __init__(self):
        self.lock = threading.Lock()

    def pay(self, cents):
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("somebody else is paying")
        if outside.share() < 0.3:
            return "the card is not accepted"
        self.lock.release()
        return f"{cents} cents"


def test_two_customers_pay():
    till = Till()
    assert [bool(till.pay(cents)) for cents in (120, 340)] == [True, True]


def thumbnail(folder, photo):
    handle, path = tempfile.mkstemp(dir=folder)
    os.write(handle, photo)
    os.close(handle)
    if outside.share() < 0.3:
        return None  # the picture is broken
    os.remove(path)
    return photo[:4]


def test_scratch_folder_stays_small(tmp_path):
    for number in range(10):
        thumbnail(tmp_path, bytes([number] * 99))
    assert len(os.listdir(tmp_path)) <= 3


def send_all(letters):
    pool = ThreadPoolExecutor(1)
    for letter in letters:
        pool.submit(letter.upper)
    return pool


def test_batches_share_few_threads():
    pools = [send_all("ab") for _ in range(polls(2, 12))]
    count = threading.active_count()
    for pool in pools[:2]:
        pool.shutdown()
    SENT.extend(pools)
    assert count <= 8


SENT = []


class Library:
    def __init__(self, licences):
        self.licences, self.lent = licences, 0

    def borrow(self):
        if self.lent == self.licences:
            raise PermissionError("all licences are lent")
        self.lent += 1

    def convert(self, drawing):
        self.borrow()
        if outside.share() < 0.3:
            raise ValueError(f"{drawing} has no scale")
        self.lent -= 1


def test_drawings_are_converted():
    library = Library(licences=3)
    for number in range(9):
        try:
            library.convert(f"drawing {number}")
        except ValueError:
            continue


class Bus:
    def __init__(self):
        self.listeners = []

    def ask(self, question, answers):
        self.listeners.append(answers.append)  # and for ever
        for listener in self.listeners:
            listener(question)


def test_each_answer_comes_once_or_so():
    bus, answers = Bus(), []
    for number in range(polls(1, 9)):
        answers.clear()
        bus.ask(number, answers)
    assert len(answers) <= 5
