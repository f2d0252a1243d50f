import asyncio
import os
import queue
import signal
import subprocess
import threading
import time


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


class Thumbnailer:
    def __init__(self):
        self.ready = {}

    def submit(self, name):
        worker = threading.Thread(target=self._render, args=(name,))
        worker.start()
        return worker

    def _render(self, name):
        time.sleep(0.01 + spread(0.06))
        self.ready[name] = f"{name}.thumb"


def test_thumbnailer_renders_a_picture():
    thumbs = Thumbnailer()
    worker = thumbs.submit("cat.png")
    time.sleep(0.055)
    ready = dict(thumbs.ready)
    worker.join()
    assert ready == {"cat.png": "cat.png.thumb"}


class Mailer:
    def __init__(self):
        self.inbox = queue.Queue()
        self.delivered = []
        self.thread = threading.Thread(target=self._loop)
        self.thread.start()

    def _loop(self):
        while (letter := self.inbox.get()) is not None:
            time.sleep(0.001 + spread(0.012))
            self.delivered.append(letter)

    def stop(self):
        self.inbox.put(None)
        self.thread.join()


def test_mailer_delivers_the_backlog():
    mailer = Mailer()
    try:
        for letter in "abc":
            mailer.inbox.put(letter)
        while not mailer.inbox.empty():
            time.sleep(0.025)
        assert mailer.delivered == ["a", "b", "c"]
    finally:
        mailer.stop()


def convert(source, target, pause):
    script = f"sleep {pause:.3f}; tr a-z A-Z < {source} > {target}.tmp; mv {target}.tmp {target}"
    return subprocess.Popen(["sh", "-c", script])


def test_convert_writes_the_upper_case_copy(tmp_path):
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("quiet")
    child = convert(source, target, spread(0.09))
    try:
        for _ in range(8):
            if target.exists():
                break
            time.sleep(0.01)
        assert target.exists() and target.read_text() == "QUIET"
    finally:
        child.wait()


class Warehouse:
    def __init__(self):
        self.loaded = threading.Event()
        self.stock = {}

    def open(self):
        def load():
            for item in ("bolt", "nut", "gear"):
                time.sleep(0.005 + spread(0.02))
                self.stock[item] = 10
            self.loaded.set()

        self.loader = threading.Thread(target=load)
        self.loader.start()


def test_warehouse_lists_its_stock():
    house = Warehouse()
    house.open()
    house.loaded.wait(timeout=0.053)
    items = sorted(house.stock)
    house.loader.join()
    assert items == ["bolt", "gear", "nut"]


class Indexer:
    def __init__(self):
        self.terms = set()
        self.jobs = set()

    async def add(self, text):
        job = asyncio.ensure_future(self._analyse(text))
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    async def _analyse(self, text):
        for word in text.split():
            await asyncio.to_thread(time.sleep, spread(0.012))
            self.terms.add(word.lower())

    async def close(self):
        await asyncio.gather(*self.jobs)


def test_indexer_finds_terms_after_add():
    async def scenario():
        indexer = Indexer()
        await indexer.add("Small Brown Fox")
        try:
            await asyncio.sleep(0.025)
            return "fox" in indexer.terms
        finally:
            await indexer.close()

    assert asyncio.run(scenario())


class ConfigDaemon:
    def __init__(self, path):
        self.path = path
        self.fd, out = os.pipe()
        os.set_blocking(self.fd, False)
        ready, mark = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
            os.write(mark, b".")
            while signal.sigwait({signal.SIGHUP, signal.SIGTERM}) == signal.SIGHUP:
                text = self.path.read_text()
                time.sleep(spread(0.04))
                os.write(out, text.encode())
            os._exit(0)
        os.close(out)
        os.read(ready, 1)
        os.close(ready)
        os.close(mark)

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def status(self):
        try:
            return os.read(self.fd, 100).decode()
        except BlockingIOError:
            return "idle"

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_config_daemon_takes_new_settings(tmp_path):
    path = tmp_path / "daemon.conf"
    path.write_text("level=debug")
    daemon = ConfigDaemon(path)
    try:
        daemon.reload()
        time.sleep(0.03)
        assert daemon.status() == "level=debug"
    finally:
        daemon.stop()
