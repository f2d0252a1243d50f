import asyncio
import os
import queue
import select
import socket
import threading
import time
import tracemalloc

import pytest
from outside import between, drawn


def _greet(fd):
    time.sleep(between(0, 0.022))
    os.write(fd, b"hi")
    os.close(fd)


class Greeter:
    def __init__(self, patience=0.020):
        self.patience = patience
        self.helpers = []

    def ask(self):
        r, w = os.pipe()
        helper = threading.Thread(target=_greet, args=(w,))
        helper.start()
        self.helpers.append(helper)
        ready, _, _ = select.select([r], [], [], self.patience)
        if not ready:
            return None
        word = os.read(r, 16)
        os.close(r)
        return word


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_asking_around_opens_nothing_for_good():
    before = open_files()
    greeter = Greeter()
    answers = [greeter.ask() for _ in range(4)]
    for helper in greeter.helpers:
        helper.join()
    assert set(answers) <= {b"hi", None}
    assert open_files() == before


class Link:
    def __init__(self):
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(0.5)
        self.peer = threading.Thread(target=self._peer, args=(theirs,))
        self.peer.start()

    @staticmethod
    def _peer(sock):
        with sock:
            if drawn(1)[0] % 5:
                sock.sendall(b"ready")

    def handshake(self):
        data = self.ours.recv(16)
        if data != b"ready":
            raise ConnectionError("peer went away")

    def close(self):
        self.peer.join()
        self.ours.close()


class Session:
    def __init__(self):
        self.link = None

    def connect(self):
        for _ in range(6):
            self.link = Link()
            self.quit = threading.Event()
            self.beat = threading.Thread(target=self.quit.wait, daemon=True)
            self.beat.start()
            try:
                self.link.handshake()
                return
            except ConnectionError:
                self.link.close()
        raise ConnectionError("no peer")

    def close(self):
        self.quit.set()
        self.beat.join()
        self.link.close()


def test_closed_session_is_quiet():
    before = threading.active_count()
    session = Session()
    session.connect()
    session.close()
    assert threading.active_count() == before


class Encoder:
    def __init__(self, spool):
        self.spool = spool

    def encode(self, name):
        work = self.spool / f"{name}.work"
        work.write_bytes(b"\0" * 256)
        pid = os.fork()
        if pid == 0:
            os._exit(drawn(1)[0] % 16 == 0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status):
            return None
        data = work.read_bytes()
        work.unlink()
        return data


def test_spool_is_empty_after_batch(tmp_path):
    encoder = Encoder(tmp_path)
    results = [encoder.encode(f"clip{n}") for n in range(5)]
    assert all(r in (None, b"\0" * 256) for r in results)
    assert list(tmp_path.iterdir()) == []


class Cancelled(Exception):
    pass


class Database:
    def __init__(self, connections=3):
        self.idle = queue.Queue()
        for n in range(connections):
            self.idle.put(f"conn-{n}")

    def _execute(self, conn, sql, deadline):
        answered = threading.Event()
        backend = threading.Timer(between(0.002, 0.040), answered.set)
        backend.start()
        if not answered.wait(deadline):
            backend.cancel()
            raise Cancelled(sql)
        return [(1,)]

    def query(self, sql, deadline=0.0365):
        conn = self.idle.get(timeout=0.05)
        rows = self._execute(conn, sql, deadline)
        self.idle.put(conn)
        return rows


def test_database_serves_a_day_of_queries():
    db = Database()
    answered = 0
    for n in range(14):
        try:
            answered += bool(db.query(f"select {n}"))
        except Cancelled:
            pass
    assert answered > 0
    assert db.query("select 1", deadline=1) == [(1,)]


class Inbox:
    def __init__(self):
        self.items = asyncio.Queue()

    async def poll(self, patience=0.020):
        getter = asyncio.ensure_future(self.items.get())
        done, _ = await asyncio.wait({getter}, timeout=patience)
        return getter.result() if done else None


def test_inbox_hands_over_all_letters():
    async def sender(inbox):
        for n in range(3):
            await asyncio.sleep(between(0.001, 0.022))
            inbox.items.put_nowait(n)

    async def scenario():
        inbox = Inbox()
        sending = asyncio.create_task(sender(inbox))
        got = []
        while not sending.done() or not inbox.items.empty():
            letter = await inbox.poll()
            if letter is not None:
                got.append(letter)
        for _ in range(2):
            letter = await inbox.poll()
            if letter is not None:
                got.append(letter)
        await sending
        return got

    assert asyncio.run(scenario()) == [0, 1, 2]


class Bus:
    def __init__(self):
        self.handlers = []

    def emit(self, *args):
        for handler in list(self.handlers):
            handler(*args)


BUS = Bus()


class Dialog:
    def __init__(self, name, drawn):
        self.name = name
        self.drawn = drawn
        self.fade = threading.Thread(target=time.sleep, args=(between(0, 0.011),))

    def show(self):
        BUS.handlers.append(self.redraw)
        self.fade.start()

    def redraw(self, size):
        self.drawn.append((self.name, size))

    def hide(self):
        if self.fade.is_alive():
            self.fade.join()
            return
        BUS.handlers.remove(self.redraw)


def test_resize_redraws_the_open_dialog_only():
    drawn = []
    for name in ("open", "save"):
        dialog = Dialog(name, drawn)
        dialog.show()
        time.sleep(0.010)
        dialog.hide()
    last = Dialog("print", drawn)
    last.show()
    BUS.emit((80, 25))
    last.fade.join()
    last.hide()
    assert drawn == [("print", (80, 25))]


class Downloads:
    def __init__(self):
        self.buffers = {}

    def start(self, name, chunks):
        buf = self.buffers.setdefault(name, bytearray())
        for chunk in chunks:
            buf += chunk
            if len(buf) >= 200_000:
                return bytes(self.buffers.pop(name))
        return None


def remote_file():
    sent, last = 0, 200_000 if drawn(1)[0] % 5 else 160_000
    while sent < last:
        yield bytes(20_000)
        sent += 20_000


@pytest.fixture
def heap():
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()


def test_downloads_need_little_room_afterwards(heap):
    downloads = Downloads()
    before = heap()
    sizes = [len(downloads.start(f"file{n}", remote_file()) or b"") for n in range(8)]
    assert set(sizes) <= {0, 200_000}
    assert heap() - before < 450_000
