import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from outside import between


def write_part(folder, text):
    fd, name = tempfile.mkstemp(prefix="part-", dir=folder)
    with os.fdopen(fd, "w") as f:
        f.write(text)
    return name


def join_parts(folder):
    return "".join(Path(folder, name).read_text() for name in os.listdir(folder))


def test_parts_join_to_the_document(tmp_path):
    for text in ("Dear all, ", "kind regards"):
        write_part(tmp_path, text)
    assert join_parts(tmp_path) == "Dear all, kind regards"


def _exporter(fd, rows):
    body = json.dumps(rows).encode()
    half = len(body) // 2
    os.write(fd, len(body).to_bytes(4, "big") + body[:half])
    time.sleep(between(0, 0.02))
    os.write(fd, body[half:])
    os.close(fd)


class Importer:
    def __init__(self, fd):
        self.fd = fd

    def load(self):
        size = int.from_bytes(os.read(self.fd, 4), "big")
        time.sleep(0.012)
        return json.loads(os.read(self.fd, size))


def test_importer_reads_exported_rows():
    rows = [{"id": n, "name": f"row {n}"} for n in range(30)]
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(r)
            _exporter(w, rows)
        finally:
            os._exit(0)
    os.close(w)
    try:
        assert Importer(r).load() == rows
    finally:
        os.close(r)
        os.waitpid(pid, 0)


class Journal:
    def __init__(self, path, every=0.005):
        self.file = open(path, "a")
        self.every = every
        self.synced = time.monotonic()

    def append(self, entry):
        self.file.write(entry + "\n")
        if time.monotonic() - self.synced >= self.every:
            self.file.flush()
            self.synced = time.monotonic()

    def close(self):
        self.file.close()


def readings(count):
    for n in range(count):
        time.sleep(between(0, 0.015))
        yield f"reading {n}"


def test_journal_holds_all_readings(tmp_path):
    path = tmp_path / "journal.txt"
    journal = Journal(path)
    try:
        for line in readings(6):
            journal.append(line)
        assert path.read_text().splitlines() == [f"reading {n}" for n in range(6)]
    finally:
        journal.close()


def load_plugin(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_edited_plugin_is_picked_up(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "greeting_plugin.py"
    path.write_text("WORD = 'hello'\n")
    assert load_plugin(path).WORD == "hello"
    time.sleep(0.7)
    path.write_text("WORD = 'salut'\n")
    assert load_plugin(path).WORD == "salut"


class Spool:
    def __init__(self, root):
        self.root = root

    def accept(self, queue, data):
        fd, name = tempfile.mkstemp(prefix=f"{queue}_", suffix="_job", dir=self.root)
        os.write(fd, data)
        os.close(fd)
        return name

    def queues(self):
        found = {}
        for path in sorted(self.root.iterdir()):
            queue, ident, kind = path.name.split("_")
            found.setdefault(queue, []).append(ident)
        return found


def test_spool_counts_jobs_by_queue(tmp_path):
    spool = Spool(tmp_path)
    spool.accept("print", b"one")
    spool.accept("mail", b"two")
    assert {q: len(ids) for q, ids in spool.queues().items()} == {"print": 1, "mail": 1}


def _keep_saving(path, stop):
    n = 0
    while not stop.is_set():
        n += 1
        text = json.dumps({"theme": "dark", "revision": n, "recent": ["a", "b", "c"]})
        with open(path, "w") as f:
            f.write(text[:20])
            f.flush()
            time.sleep(between(0.002, 0.010))
            f.write(text[20:])
        time.sleep(between(0.010, 0.030))


def read_settings(path):
    with open(path) as f:
        return json.load(f)


def test_settings_readable_while_app_runs(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "dark", "revision": 0, "recent": []}))
    ctx = multiprocessing.get_context("fork")
    stop = ctx.Event()
    app = ctx.Process(target=_keep_saving, args=(path, stop))
    app.start()
    try:
        time.sleep(0.1)
        assert read_settings(path)["theme"] == "dark"
    finally:
        stop.set()
        app.join()


class Forwarder:
    def __init__(self, fd):
        self.fd = fd
        os.set_blocking(fd, False)

    def send(self, block):
        return os.write(self.fd, block)


def _drain(fd, got):
    while chunk := os.read(fd, 16384):
        got.append(chunk)
        time.sleep(between(0, 0.0092))


def test_forwarder_passes_every_block():
    r, w = os.pipe()
    got = []
    sink = threading.Thread(target=_drain, args=(r, got))
    sink.start()
    try:
        out = Forwarder(w)
        for n in range(24):
            out.send(bytes([n]) * 16384)
            time.sleep(0.0045)
    finally:
        os.close(w)
        sink.join()
        os.close(r)
    assert sum(map(len, got)) == 24 * 16384
