# Each is mended by one plan, or by none, whatever it looks like.
import asyncio, contextlib, logging, os, socket, sys, tempfile, threading, time
import pytest

@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for handle in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(handle)

def test_slot_that_is_lost():
    lock = threading.Lock()
    lock.acquire()
    assert lock.acquire(timeout=0.01)

def test_slot_that_is_in_use():
    lock = threading.Lock()
    threading.Thread(target=lambda: lock.acquire() and time.sleep(0.2)).start()
    assert lock.acquire(timeout=0.05)

def test_part_in_a_pipe(pipe):
    os.write(pipe[1], b"a")
    threading.Timer(0.03, os.write, [pipe[1], b"b"]).start()
    assert os.read(pipe[0], 9) == b"ab"

def test_full_pipe(pipe):
    os.set_blocking(pipe[1], False)
    reading = threading.Thread(target=lambda: time.sleep(0.02) or os.read(pipe[0], 1 << 17))
    reading.start()
    taken = os.write(pipe[1], bytes(80_000))
    reading.join()
    assert taken == 80_000

def write_slowly(path, begun):
    with open(path, "w") as stream:
        begun.set()
        time.sleep(0.03)
        stream.write("whole")

def test_half_written(tmp_path):
    begun = threading.Event()
    writing = threading.Thread(target=write_slowly, args=(tmp_path / "page", begun))
    writing.start()
    begun.wait()
    text = (tmp_path / "page").read_text()
    writing.join()
    assert text == "whole"

def test_name_is_drawn():
    with tempfile.NamedTemporaryFile() as stream:
        assert stream.name

def hold(begun):
    with open(os.devnull):
        begun.set()
        time.sleep(0.1)

def test_late_thread():
    begun = threading.Event()
    thread = threading.Thread(target=hold, args=(begun,))
    thread.start()
    begun.wait()
    assert not thread.is_alive()

def test_handler():
    logging.getLogger("shop").addHandler(logging.NullHandler())

def test_last_one_first():
    order = []
    threads = [threading.Thread(target=order.append, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order == [2, 1, 0]

def test_nobody_reads(pipe):
    os.close(pipe[0])
    os.write(pipe[1], b"text")

class Pool:
    def __init__(self):
        self.taken, self.names = 4, ["a", "b"]

    def pass_on(self):
        self.names.append("c")
        return self.look()

    def look(self):
        return len(self.names)

def test_counts():
    pools = [Pool()]
    pools[0].taken += 1
    assert pools[0].pass_on() == 3
    pools[0].names.pop()

def test_left_in_the_loop():
    async def main():
        asyncio.create_task(asyncio.sleep(9))

    asyncio.run(main())
    open(os.devnull)

def test_cut_short_in_the_loop():
    async def main():
        task = asyncio.create_task(asyncio.sleep(9))
        assert task.done()
        await task

    stream = open(os.devnull)
    asyncio.run(main())
    stream.close()


class Late(threading.Thread):
    """A server that listens, or answers, some time after it was asked to."""

    def __init__(self, before_listening=0.0, before_answering=0.0, answer=(b"42",)):
        super().__init__(daemon=True)
        self.waits, self.answer = (before_listening, before_answering), answer
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def run(self):
        time.sleep(self.waits[0])
        self.server.listen()
        connection, _ = self.server.accept()
        time.sleep(self.waits[1])
        for part in self.answer:
            connection.sendall(part)
            time.sleep(0.03)


def asked(server, timeout=5):
    server.start()
    with socket.socket() as client:
        client.settimeout(timeout)
        client.connect(("127.0.0.1", server.port))
        return client.recv(9)


def test_server_that_does_not_listen_yet():
    assert asked(Late(before_listening=0.05)) == b"42"


def test_server_that_is_slow():
    server = Late(before_answering=0.05)
    server.server.listen()
    assert asked(server, timeout=0.01) == b"42"


def test_answer_in_two_parts():
    server = Late(answer=(b"4", b"2"))
    server.server.listen()
    assert asked(server) == b"42"


def test_taking_turns():
    log = []

    def count(name):
        for _ in range(3):
            log.append(name)
            sum(range(200_000))

    switch = sys.getswitchinterval()
    if switch < 1:
        sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=count, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "".join(log) == "aaabbb"


def test_buffered(tmp_path):
    stream = open(tmp_path / "log", "w")
    stream.write("text")
    assert (tmp_path / "log").read_text() == "text"


def test_time_stamps(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")
    assert os.stat(tmp_path / "a").st_mtime_ns // 10**9 != os.stat(tmp_path / "b").st_mtime_ns // 10**9
