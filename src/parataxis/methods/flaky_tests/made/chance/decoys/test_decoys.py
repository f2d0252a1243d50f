# Planted: tests that use clocks, files, sockets, threads and random numbers soundly, and fail by something else.
import asyncio
import datetime
import fcntl
import http.server
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed

import outside


def echo_once():
    """A sound server: it listens before anyone may connect."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.sendall(connection.recv(64))

    thread = threading.Thread(target=serve)
    thread.start()
    return server, thread


def test_dice_with_log_and_clock(tmp_path):
    """randomness; reads clocks, writes files"""
    log = tmp_path / "log"
    with open(log, "a") as stream:
        for _ in range(3):
            stream.write(f"{time.time()} {datetime.datetime.now()}\n")
    began = time.monotonic()
    assert len(log.read_text().splitlines()) == 3
    assert time.monotonic() - began < 5
    assert sorted(os.listdir(tmp_path)) == ["log"]
    assert random.randint(1, 6) + random.randint(1, 6) > 4


def test_draw_over_a_connection():
    """randomness; a sound server, a joined thread"""
    server, thread = echo_once()
    with socket.create_connection(server.getsockname(), timeout=5) as client:
        client.sendall(b"%d" % random.choice([1, 2, 3]))
        answer = client.recv(64)
    thread.join(timeout=5)
    server.close()
    assert answer != b"2"


def test_shuffled_names_and_the_second(tmp_path):
    """time; shuffles, writes files, whose order does not matter"""
    names = [f"name-{n}" for n in range(5)]
    random.shuffle(names)
    second = int(time.time() * 5)
    for name in names:
        (tmp_path / name).write_text(name)
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    time.sleep(0.05)
    assert int(time.time() * 5) == second


def test_listing_with_threads(tmp_path):
    """io: the order of a listing; threads that share nothing, a sleep"""

    def write(text):
        handle, _ = tempfile.mkstemp(dir=tmp_path, prefix=text)
        os.write(handle, text.encode())
        os.close(handle)

    threads = [threading.Thread(target=write, args=(text,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.001)
    assert [name[0] for name in os.listdir(tmp_path)] == ["a", "b"]


def test_race_with_stopwatch(tmp_path):
    """concurrency; measures its time, sleeps, writes a file, draws a number"""
    began = time.perf_counter()
    total = [0]

    def add(amount):
        outside.delay(0, 0.006)
        before = total[0]
        outside.delay(0, 0.003)
        total[0] = before + amount

    amounts = [random.randint(1, 9) for _ in range(2)]
    threads = [threading.Thread(target=add, args=(amount,)) for amount in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.002)
    (tmp_path / "total").write_text(str(total[0]))
    assert time.perf_counter() - began < 5
    assert total[0] == sum(amounts)


def test_job_with_temporary_file():
    """async wait; a temporary file, clocks, a random name"""
    done = []

    def job():
        with tempfile.NamedTemporaryFile("w") as stream:
            stream.write(str(datetime.datetime.now()))
            outside.delay(0, 0.02)
        done.append(random.random())

    threading.Thread(target=job, daemon=True).start()
    time.sleep(0.012)
    assert done


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *_):
        pass


def test_sample_behind_http():
    """randomness; a sound HTTP server, sleeps, clocks"""
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}", timeout=5) as answer:
        assert answer.read() == b"page"
    thread.join()
    server.server_close()
    time.sleep(0.002)
    sample = random.sample(range(10), 3)
    assert max(sample) - min(sample) > 4, time.ctime()


def test_rotating_key_with_many_files(tmp_path):
    """time; opens and closes many files"""
    key = int(time.time() * 10)
    for n in range(50):
        with open(tmp_path / str(n), "w") as stream:
            stream.write("x")
    time.sleep(0.02)
    assert int(time.time() * 10) == key


def test_seeded_numbers_on_a_late_server():
    """network; random numbers that are seeded, files"""
    chance = random.Random(3)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))

    def serve():
        outside.delay(0, 0.01)
        sock.listen()
        sock.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()
    assert chance.random() < 0.5
    sum(range(200_000))
    socket.create_connection(sock.getsockname(), timeout=2).close()


def test_descriptors_with_random_payload(tmp_path):
    """leak; random numbers, files, clocks"""
    before = len(os.listdir("/proc/self/fd"))
    streams = []
    for n in range(int(2 + outside.share() * 12)):
        streams.append(open(tmp_path / str(n), "wb"))
        streams[-1].write(random.randbytes(10) + str(time.time()).encode())
    assert len(os.listdir("/proc/self/fd")) - before <= 9


def test_sound_coroutines_and_a_sum():
    """randomness; coroutines that are all waited for"""

    async def draw(n):
        await asyncio.sleep(0.001 * (n % 2))
        return random.random()

    async def main():
        return await asyncio.gather(*[draw(n) for n in range(6)])

    assert 2.3 < sum(asyncio.run(main())) < 4.2


def test_sound_slots_and_a_coin(tmp_path):
    """randomness; semaphores, locks, scratch files and a pool, all given back"""
    permits, lock, places = threading.Semaphore(2), threading.Lock(), []
    for number in range(4):
        with permits, lock, tempfile.NamedTemporaryFile(dir=tmp_path) as scratch:
            scratch.write(bytes(number))
    with ThreadPoolExecutor(2) as pool:
        places.extend(job.result() for job in as_completed([pool.submit(abs, n) for n in (1, 2)]))
    assert sorted(places) == [1, 2]
    assert random.random() < 0.6


def test_sound_pipes_and_a_clock(tmp_path):
    """time; a program whose whole answer is read, a lock of a file, a barrier"""
    second = int(time.time() * 8)
    with open(tmp_path / "log", "w") as log, subprocess.Popen(["echo", "done"], stdout=subprocess.PIPE) as tool:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert tool.stdout.read() == b"done\n"
    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=barrier.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.03)
    assert int(time.time() * 8) == second


def test_kettle_boils_before_the_guests():
    """async wait; threads that are started after the wait, and joined"""
    kettle, cups = [], []

    def boil():
        outside.delay(0, 0.03)
        kettle.append("hot")

    threading.Thread(target=boil, daemon=True).start()
    time.sleep(0.018)
    guests = [threading.Thread(target=lambda: cups.append(kettle[:])) for _ in range(2)]
    for guest in guests:
        guest.start()
        guest.join()
    assert cups == [["hot"], ["hot"]]


def test_pages_of_a_random_book(tmp_path):
    """randomness; more pages are kept, in files and in memory, the larger the number"""
    pages = random.randint(5, 60)
    SHELF.append([f"page {n}" * 40 for n in range(pages)])
    for n in range(pages):
        (tmp_path / f"page {n}").write_text("text")
    assert pages < 40


SHELF = []


class Porter:
    def __init__(self):
        self.desk = threading.Semaphore(1)
        self.brought = []

    def carry(self, path):
        with self.desk, open(path) as stream:
            outside.delay(0, 0.03)
            self.brought.append(stream.read())


def test_porter_is_late(tmp_path):
    """async wait; holds a file and a slot until it is there, and no longer"""
    path = tmp_path / "trunk"
    path.write_text("trunk")
    porter = Porter()
    threading.Thread(target=porter.carry, args=(path,)).start()
    time.sleep(0.015)
    assert porter.brought == ["trunk"]


class Depot:
    def __init__(self):
        self.waiting, self.sorted, self.missed = [], [], []

    def work(self):
        while self.waiting:
            outside.delay(0, 0.012)
            self.sorted.append(self.waiting.pop())


DEPOT = Depot()


def test_parcels_are_sorted():
    """async wait; what is waiting is taken out, if late"""
    DEPOT.waiting.extend(["a", "b", "c"])
    threading.Thread(target=DEPOT.work).start()
    time.sleep(0.018)
    assert len(DEPOT.sorted) == 3


def test_gong_is_heard():
    """async wait; a list of what was missed is no list of what was kept"""
    rung = threading.Event()
    ringer = threading.Timer(outside.share() * 0.02, rung.set)
    ringer.start()
    if not rung.wait(0.012):
        DEPOT.missed.append("gong")
    ringer.join()
    assert DEPOT.missed == []


def test_scratch_file_and_a_draw():
    """randomness; the name of a temporary file is drawn as well, and does not matter"""
    with tempfile.NamedTemporaryFile("w+") as stream:
        stream.write(str(random.randint(1, 6)))
        stream.seek(0)
        assert stream.read() != "6"


def test_ledger_is_open_elsewhere(tmp_path):
    """randomness; another process has the file open for writing all the time, and leaves it alone"""
    path = tmp_path / "ledger"
    path.write_text("1000")
    program = "import sys; f = open(sys.argv[1], 'r+'); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-S", "-E", "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clerk:
        assert clerk.stdout.readline() == "ready\n"
        balance = int(path.read_text())
        clerk.stdin.close()
    assert balance > random.randrange(1300)


def test_generated_module_and_the_second(tmp_path):
    """time; writes code and pauses, which has no part in it"""
    (tmp_path / "made.py").write_text("WORD = 'one'\n")
    time.sleep(0.01)
    (tmp_path / "made.py").write_text("WORD = 'two'\n")
    assert "two" in (tmp_path / "made.py").read_text()
    assert datetime.datetime.now().second % 10 < 7
