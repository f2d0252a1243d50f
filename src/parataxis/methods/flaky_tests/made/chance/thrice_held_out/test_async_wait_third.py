import asyncio
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from outside import between


class Thumbnailer:
    def __init__(self):
        self.ready = {}
        self.threads = []

    def request(self, name):
        t = threading.Thread(target=self._render, args=(name,))
        self.threads.append(t)
        t.start()

    def _render(self, name):
        time.sleep(between(0.005, 0.060))
        self.ready[name] = b"\x89PNG"


def test_thumbnail_is_rendered():
    thumbs = Thumbnailer()
    thumbs.request("cat.jpg")
    time.sleep(0.045)
    assert thumbs.ready.get("cat.jpg") == b"\x89PNG"


REPORT = """
import os, sys, time
time.sleep(open('/dev/urandom', 'rb', 0).read(1)[0] / 255 * 0.2)
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write("total: 3\\n")
os.replace(sys.argv[1] + ".tmp", sys.argv[1])
"""


def start_report(path):
    return subprocess.Popen([sys.executable, "-S", "-E", "-c", REPORT, str(path)])


def test_report_file_is_written(tmp_path):
    path = tmp_path / "report.txt"
    job = start_report(path)
    try:
        for _ in range(18):
            if path.exists():
                break
            time.sleep(0.01)
        assert path.exists()
        assert path.read_text() == "total: 3\n"
    finally:
        job.wait()


class ChatRoom:
    def __init__(self):
        self.inboxes = {}
        self.tasks = set()

    def join(self, who):
        self.inboxes[who] = []

    def say(self, text):
        for who in self.inboxes:
            task = asyncio.create_task(self._deliver(who, text))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _deliver(self, who, text):
        for _ in range(3):
            await asyncio.sleep(between(0, 0.016))
        self.inboxes[who].append(text)


def test_message_reaches_everyone_in_room():
    async def scenario():
        room = ChatRoom()
        for who in ("ana", "bo"):
            room.join(who)
        room.say("hi")
        await asyncio.sleep(0.034)
        return {who: list(box) for who, box in room.inboxes.items()}

    assert asyncio.run(scenario()) == {"ana": ["hi"], "bo": ["hi"]}


class UploadDesk:
    def __init__(self, log):
        self.pool = ThreadPoolExecutor(max_workers=2)
        self.log = log

    def upload(self, name):
        future = self.pool.submit(self._send, name)
        future.add_done_callback(lambda f: self._note(f.result()))
        return future

    def _send(self, name):
        time.sleep(0.003)
        return name

    def _note(self, name):
        time.sleep(between(0, 0.012))
        self.log.append(name)

    def close(self):
        self.pool.shutdown()


def test_upload_shows_in_log():
    log = []
    desk = UploadDesk(log)
    try:
        assert desk.upload("a.zip").result() == "a.zip"
        time.sleep(0.009)
        assert log == ["a.zip"]
    finally:
        desk.close()


class Indexer(threading.Thread):
    def __init__(self, documents):
        super().__init__()
        self.documents = documents
        self.index = {}

    def run(self):
        for name, text in self.documents.items():
            time.sleep(between(0.002, 0.012))
            for word in text.split():
                self.index.setdefault(word, set()).add(name)


def test_index_covers_all_documents():
    docs = {f"d{n}": f"common word{n}" for n in range(8)}
    indexer = Indexer(docs)
    indexer.start()
    indexer.join(timeout=0.064)
    assert indexer.index["common"] == set(docs)
    assert indexer.index["word7"] == {"d7"}


class Mirror:
    def __init__(self, hosts):
        self.hosts = hosts

    def probe(self, host):
        time.sleep(between(0.002, 0.030))
        return f"{host} ok"


def test_probe_reports_each_host():
    mirror = Mirror(["eu", "us"])
    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = {pool.submit(mirror.probe, host) for host in mirror.hosts}
        report = []
        while len(report) < 1:
            done, _ = wait(futures, timeout=1, return_when=FIRST_COMPLETED)
            time.sleep(0.014)
            report = sorted(f.result() for f in futures if f.done())
    assert report == ["eu ok", "us ok"]


class FolderWatch:
    def __init__(self, folder, interval=0.04):
        self.folder = folder
        self.interval = interval
        self.seen = set()
        self._quit = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self):
        while not self._quit.wait(self.interval * between(0.5, 1.5)):
            self.seen.update(os.listdir(self.folder))

    def stop(self):
        self._quit.set()
        self._thread.join()


def test_watch_notices_new_file(tmp_path):
    watch = FolderWatch(tmp_path)
    try:
        (tmp_path / "invoice.pdf").write_bytes(b"%PDF")
        time.sleep(0.05)
        assert watch.seen == {"invoice.pdf"}
    finally:
        watch.stop()
