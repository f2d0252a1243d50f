# One test for each experiment; where a pair is needed, the second is the same without the cause.
import gc, os, random, socket, tempfile, threading, time, weakref

import pytest


@pytest.mark.parametrize("taken", [True, False])
def test_port(taken):
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as server:
        port = other.getsockname()[1] if taken else 0
        server.bind(("127.0.0.1", port))
        server.listen()


def test_listing(tmp_path):
    """Threads and a wait are there, and have no part in it."""

    def write(text):
        handle, _ = tempfile.mkstemp(dir=tmp_path, prefix=text)
        os.close(handle)

    threads = [threading.Thread(target=write, args=(text,)) for text in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.001)
    assert "".join(name[0] for name in os.listdir(tmp_path)) == "abcd"


def test_rush_hour():
    assert time.time() % 50 < 25


def test_wait():
    done = threading.Event()
    threading.Timer(0.04, done.set).start()
    time.sleep(0.01)
    assert done.is_set()


def test_wait_aside():
    spool = ["job"]

    def sweep():
        time.sleep(0.03)
        spool.clear()

    threading.Thread(target=sweep).start()
    threading.Event().wait(0.06)
    assert spool


def test_race():
    total = [0]

    def add():
        before = total[0]
        time.sleep(0.01)
        total[0] = before + 1

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == [2]


def test_draw():
    assert random.random() < 0.5


@pytest.mark.parametrize("kept", [True, False])
def test_slot(kept):
    slots = threading.Semaphore(1)
    if kept:
        slots.acquire()
    assert slots.acquire(timeout=0.01)


class Node:
    pass


def test_cycle():
    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    del node
    kept = [[] for _ in range(300)]  # the collector's turn comes when something is made
    assert gone() is None, kept


def test_one_moment():
    assert time.time_ns() == time.time_ns()
