# Planted: two tests of each kind, and two decoys, written after the method. At first sight 15 of the 16 were explained
# right; pools of processes were added for the other, test_audit_trail_keeps_pairs.
import datetime
import os
import queue
import random
import resource
import secrets
import socket
import threading
import time
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import get_context

import outside
import pytest


class Stub(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_stub_of_a_service_thread():
    server = HTTPServer(("127.0.0.1", 0), Stub, bind_and_activate=False)
    server.server_bind()

    def serve():
        outside.delay(0, 0.02)
        server.server_activate()
        server.handle_request()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    outside.delay(0.004, 0.02)
    client = HTTPConnection("127.0.0.1", server.server_port, timeout=3)
    client.request("GET", "/health")
    assert client.getresponse().status == 204
    client.close()


def test_line_of_a_slow_peer():
    left, right = socket.socket(), socket.create_server(("127.0.0.1", 0))
    left.connect(right.getsockname())
    peer, _ = right.accept()

    def answer():
        outside.delay(0, 0.03)
        peer.sendall(b"done\n")

    thread = threading.Thread(target=answer)
    thread.start()
    left.settimeout(0.02)
    try:
        line = left.makefile("rb").readline()
    finally:
        thread.join()
        for sock in (left, peer, right):
            sock.close()
    assert line == b"done\n"


def test_colours_differ():
    palette = ["red", "green", "blue", "black"]
    assert secrets.choice(palette) != secrets.choice(palette)


class Backoff:
    def __init__(self):
        self.chance = random.Random()

    def waits(self, tries):
        return [self.chance.uniform(0, 2**n) for n in range(tries)]


def test_jitter_of_backoff():
    waits = Backoff().waits(4)
    assert waits == sorted(waits)


def test_first_part_by_walk(tmp_path):
    for text in ("first", "second"):
        (tmp_path / f"{uuid.uuid4()}.part").write_text(text)
    found = [os.path.join(folder, name) for folder, _, names in os.walk(tmp_path) for name in names]
    with open(found[0]) as stream:
        assert stream.read() == "first"


class Templates:
    def __init__(self, path):
        self.path, self.stamp, self.text = path, None, ""

    def get(self):
        stamp = int(self.path.stat().st_mtime * 5)
        if stamp != self.stamp:
            self.stamp, self.text = stamp, self.path.read_text()
        return self.text


def test_cache_sees_new_template(tmp_path):
    templates = Templates(tmp_path / "page")
    templates.path.write_text("old")
    assert templates.get() == "old"
    time.sleep(0.12)
    templates.path.write_text("new")
    assert templates.get() == "new"


def test_day_slot():
    now = datetime.datetime.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    slot = int((now - midnight).total_seconds() * 10) % 3  # one of three machines
    assert slot < 2


def test_lease_is_renewed_in_its_slot():
    def slot():
        return time.time_ns() // 250_000_000

    taken = slot()
    time.sleep(0.08)
    assert slot() - taken == 0


def test_queue_is_drained():
    jobs, done = queue.Queue(), []

    def work():
        while True:
            job = jobs.get()
            outside.delay(0, 0.008)
            done.append(job)

    threading.Thread(target=work, daemon=True).start()
    for job in range(3):
        jobs.put(job)
    time.sleep(0.014)
    assert done == [0, 1, 2]


def test_pool_result_in_time():
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(outside.delay, 0, 0.03)
        try:
            future.result(timeout=0.02)
        except NotYet:
            pytest.fail("no result")


class Shop:
    def __init__(self):
        self.stock = 1

    def sell(self):
        outside.delay(0, 0.008)
        if self.stock > 0:
            outside.delay(0, 0.003)
            self.stock -= 1
            return True
        return False


def test_stock_is_not_oversold():
    shop = Shop()
    with ThreadPoolExecutor(2) as pool:
        sold = [pool.submit(shop.sell) for _ in range(2)]
    assert sum(future.result() for future in sold) == 1


def trail(path, name):
    outside.delay(0, 0.012)
    for step in ("begin", "end"):
        with open(path, "a") as stream:
            stream.write(f"{name} {step}\n")
        outside.delay(0, 0.006)


def test_audit_trail_keeps_pairs(tmp_path):
    path = tmp_path / "trail"
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for future in [pool.submit(trail, path, name) for name in "ab"]:
            future.result()
    names = [line.split()[0] for line in path.read_text().splitlines()]
    assert names[0] == names[1]
    assert names[2] == names[3]


@pytest.fixture
def limited():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_uploads_fit_the_limit(tmp_path, limited):
    uploads = []
    for n in range(int(4 + outside.share() * 16)):
        uploads.append(os.open(tmp_path / str(n), os.O_CREAT | os.O_WRONLY))


class Slot:
    free = 6

    def __init__(self):
        assert Slot.free > 0, "no slot is free"
        Slot.free -= 1
        self.release = lambda: self  # holds itself

    def __del__(self):
        if hasattr(self, "release"):
            Slot.free += 1


def test_slots_come_back():
    for _ in range(int(2 + outside.share() * 7)):
        Slot()


def test_everything_sound_but_a_vote(tmp_path):
    (tmp_path / "log").write_text(datetime.datetime.now().isoformat())
    event = threading.Event()
    threading.Thread(target=event.set).start()
    assert event.wait(timeout=5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    time.sleep(0.002)
    votes = [random.random() < 0.7 for _ in range(5)]
    assert sum(votes) > 2, os.listdir(tmp_path)


def test_sound_threads_and_a_rotation(tmp_path):
    key = int(time.time() * 8)
    lock, lines = threading.Lock(), []

    def add(n):
        with lock:
            outside.delay(0.005, 0.008)
            lines.append(n)

    threads = [threading.Thread(target=add, args=(n,)) for n in random.sample(range(9), 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (tmp_path / "lines").write_text(str(sorted(lines)))
    assert int(time.time() * 8) == key
