import asyncio
import os
import queue
import resource
import select
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as SlowSource


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


class SegmentedLog:
    def __init__(self, folder, limit):
        self.folder = folder
        self.limit = limit
        self.count = 0
        self.roll()

    def roll(self):
        self.count += 1
        self.fd = os.open(self.folder / f"{self.count:03}.seg", os.O_CREAT | os.O_WRONLY)
        self.size = 0

    def append(self, record):
        if self.size + len(record) > self.limit:
            self.roll()
        self.size += os.write(self.fd, record)


def test_segmented_log_takes_a_day_of_records(tmp_path):
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    records = [os.urandom(40 + os.urandom(1)[0]) for _ in range(40)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 18, hard))
    try:
        log = SegmentedLog(tmp_path, 512)
        for record in records:
            log.append(record)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) == sum(map(len, records))


def children_left():
    found = 0
    try:
        while os.waitpid(-1, 0):
            found += 1
    except ChildProcessError:
        return found


class Helper:
    def __init__(self, patience):
        self.patience = patience

    def square(self, number):
        near, far = os.pipe()
        pid = os.fork()
        if pid == 0:
            time.sleep(spread(0.05))
            os.write(far, str(number * number).encode())
            os._exit(0)
        os.close(far)
        ready, _, _ = select.select([near], [], [], self.patience)
        result = int(os.read(near, 20)) if ready else None
        if result is not None:
            os.waitpid(pid, 0)
        os.close(near)
        return result


def test_helper_squares_leave_no_children():
    helper = Helper(patience=0.045)
    results = [helper.square(n) for n in (3, 4)]
    time.sleep(0.06)
    assert all(r in (None, n * n) for r, n in zip(results, (3, 4)))
    assert children_left() == 0


class Catalogue:
    def __init__(self):
        self.pools = []

    def load(self, sources):
        pool = ThreadPoolExecutor(2, thread_name_prefix="catalogue")
        self.pools.append(pool)
        jobs = [pool.submit(self._read, source) for source in sources]
        rows = [job.result(timeout=0.05) for job in jobs]
        self.pools.remove(pool)
        pool.shutdown()
        return rows

    def _read(self, source):
        time.sleep(spread(0.056))
        return source.title()


def test_catalogue_load_stands_its_crew_down():
    catalogue = Catalogue()
    for _ in range(2):
        try:
            catalogue.load(["tools", "paint"])
        except SlowSource:
            pass
    crew = [t for t in threading.enumerate() if t.name.startswith("catalogue")]
    for pool in catalogue.pools:
        pool.shutdown()
    assert crew == []


class Console:
    def __init__(self, path):
        self.path = str(path)
        self.attached = 0

    def start(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen()

    def serve_one(self):
        peer, _ = self.sock.accept()
        self.attached += 1
        with peer:
            while peer.recv(64):
                peer.sendall(b"ok\n")
        self.attached -= 1

    def stop(self):
        self.sock.close()
        if self.attached:
            return
        os.unlink(self.path)


def operator(path, stay):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"status\n")
        sock.recv(16)
        time.sleep(stay)


def test_console_restarts_after_a_visit():
    with tempfile.TemporaryDirectory() as folder:
        console = Console(os.path.join(folder, "console"))
        console.start()
        server = threading.Thread(target=console.serve_one)
        visitor = threading.Thread(target=operator, args=(console.path, spread(0.06)))
        server.start()
        visitor.start()
        time.sleep(0.045)
        console.stop()
        visitor.join()
        server.join()
        console.start()
        console.stop()


class Rebuild:
    def __init__(self, root):
        self.lease = root / "rebuild.lease"

    def run(self, cost, limit):
        pid = os.fork()
        if pid == 0:
            try:
                self.lease.mkdir()
            except FileExistsError:
                os._exit(3)
            time.sleep(cost)
            self.lease.rmdir()
            os._exit(0)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None


def test_rebuild_runs_again_by_night(tmp_path):
    rebuild = Rebuild(tmp_path)
    by_day = rebuild.run(cost=spread(0.08), limit=0.065)
    by_night = rebuild.run(cost=0, limit=1)
    assert by_day in (0, None)
    assert by_night == 0


class Proxy:
    def __init__(self):
        self.bodies = {}
        self.served = 0

    def handle(self, body):
        self.bodies[self.served] = body
        self.served += 1
        return sum(body[:16]) % 7


def traffic(count):
    for _ in range(count):
        yield os.urandom(int.from_bytes(os.urandom(2), "big") % 8192)


def test_proxy_stays_small_under_traffic():
    proxy = Proxy()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for body in traffic(40):
            assert 0 <= proxy.handle(body) < 7
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 180_000


class Archive:
    def __init__(self, root):
        self.root = root
        self.cursors = []

    def _rows(self, path):
        with open(path) as rows:
            yield from rows

    def find(self, code):
        hits = []
        for path in sorted(self.root.glob("*.txt")):
            rows = self._rows(path)
            self.cursors.append(rows)
            for row in rows:
                if row.startswith(code):
                    hits.append(row.strip())
                    break
        return hits


def test_archive_search_lets_go_of_its_volumes(tmp_path):
    for volume in range(3):
        (tmp_path / f"{volume}.txt").write_text("".join(os.urandom(8).hex() + "\n" for _ in range(2)))
    archive = Archive(tmp_path)
    hits = archive.find("7")
    assert all(hit.startswith("7") for hit in hits)
    held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and exists(fd)]
    assert [name for name in held if name.startswith(str(tmp_path))] == []


def exists(fd):
    return os.path.lexists(f"/proc/self/fd/{fd}")


class Resolver:
    def __init__(self, limit):
        self.limit = limit
        self.cache = {"localhost": "127.0.0.1"}

    def _give_up(self, signum, frame):
        raise TimeoutError("resolver gave up")

    def resolve(self, name):
        signal.signal(signal.SIGALRM, self._give_up)
        signal.setitimer(signal.ITIMER_REAL, self.limit)
        if name in self.cache:
            return self.cache[name]
        self.cache[name] = socket.gethostbyname(name)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self.cache[name]


def checksum(folder):
    return subprocess.run(
        ["sh", "-c", f"echo 42; exec sleep {spread(0.08):.3f}"], capture_output=True, check=True
    ).stdout


def test_checksum_follows_a_lookup(tmp_path):
    previous = signal.getsignal(signal.SIGALRM)
    try:
        assert Resolver(limit=0.065).resolve("localhost") == "127.0.0.1"
        assert checksum(tmp_path) == b"42\n"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class Crawler:
    def __init__(self, width):
        self.gate = asyncio.Semaphore(width)

    async def visit(self, page):
        await self.gate.acquire()
        await asyncio.sleep(spread(0.022))
        self.gate.release()
        return page

    async def pause(self, width):
        for _ in range(width):
            await asyncio.wait_for(self.gate.acquire(), 0.2)
        return "paused"


def test_crawler_pauses_after_its_round():
    async def scenario():
        crawler = Crawler(2)
        visits = [asyncio.wait_for(crawler.visit(page), 0.02) for page in "ab"]
        await asyncio.gather(*visits, return_exceptions=True)
        return await crawler.pause(2)

    assert asyncio.run(scenario()) == "paused"


class Intake:
    def __init__(self, path):
        self.path = path
        self.links = {}

    def store(self, batch, rows):
        link = self.links[batch] = sqlite3.connect(self.path, timeout=0.05, isolation_level=None)
        link.execute("begin immediate")
        link.execute("create table if not exists readings (batch text, value int)")
        while (value := rows.get(timeout=0.03)) is not None:
            link.execute("insert into readings values (?, ?)", (batch, value))
        link.execute("commit")
        self.links.pop(batch).close()


def meter(rows, values):
    for value in values:
        time.sleep(spread(0.038))
        rows.put(value)
    rows.put(None)


def test_intake_takes_the_second_batch(tmp_path):
    intake = Intake(tmp_path / "intake.db")
    early, late = queue.Queue(), queue.Queue()
    source = threading.Thread(target=meter, args=(early, [1, 2]))
    source.start()
    try:
        intake.store("early", early)
    except queue.Empty:
        pass
    source.join()
    late.put(5)
    late.put(None)
    intake.store("late", late)
    assert "late" not in intake.links
