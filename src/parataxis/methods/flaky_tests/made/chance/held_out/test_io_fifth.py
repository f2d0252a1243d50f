import base64
import json
import os
import tempfile
import threading
import time
from pathlib import Path


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


class Exporter:
    """Child that streams a report through a pipe the way the billing exporter does."""

    def __init__(self, sections):
        self.fd, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for section in sections:
                os.write(out, section)
                time.sleep(spread(0.004))
            os._exit(0)
        os.close(out)

    def collect(self):
        time.sleep(0.004)
        data = os.read(self.fd, 1 << 16)
        os.close(self.fd)
        os.waitpid(self.pid, 0)
        return json.loads(data)


def test_exporter_report_is_complete():
    report = Exporter([b'{"total": 7, ', b'"lines": [3, 4]}']).collect()
    assert report == {"total": 7, "lines": [3, 4]}


class TemplateStore:
    def __init__(self, root):
        self.root = root
        self.seen = {}

    def render(self, name, **values):
        path = self.root / name
        version = int(path.stat().st_mtime)
        if self.seen.get(name, (None,))[0] != version:
            self.seen[name] = (version, path.read_text())
        return self.seen[name][1].format(**values)


def test_template_store_picks_up_an_edit(tmp_path):
    store = TemplateStore(tmp_path)
    (tmp_path / "mail.txt").write_text("Dear {who},")
    assert store.render("mail.txt", who="Ida") == "Dear Ida,"
    time.sleep(0.65)
    (tmp_path / "mail.txt").write_text("Hello {who}!")
    assert store.render("mail.txt", who="Ida") == "Hello Ida!"


class UploadArea:
    def __init__(self, root):
        self.root = root

    def stage(self, owner, data):
        fd, name = tempfile.mkstemp(prefix="up_", suffix=f"_{owner}", dir=self.root)
        with open(fd, "wb") as out:
            out.write(data)
        return Path(name)

    def owners(self):
        found = {}
        for path in self.root.iterdir():
            _, _, owner = path.name.split("_", 2)
            found[owner] = found.get(owner, 0) + path.stat().st_size
        return found


def test_upload_area_sums_bytes_by_owner(tmp_path):
    area = UploadArea(tmp_path)
    area.stage("kim", b"12345")
    area.stage("lee", b"123")
    assert area.owners() == {"kim": 5, "lee": 3}


class SampleLog:
    def __init__(self, path):
        self.path = path
        self.out = open(path, "w", encoding="ascii")

    def add(self, sample):
        self.out.write(base64.b64encode(sample).decode() + "\n")

    def on_disk(self):
        with open(self.path, encoding="ascii") as lines:
            return sum(1 for _ in lines)


def test_sample_log_can_be_followed(tmp_path):
    log = SampleLog(tmp_path / "samples.log")
    try:
        for _ in range(64):
            log.add(os.urandom(64 + os.urandom(1)[0] % 65))
        assert log.on_disk() > 0
    finally:
        log.out.close()


class FrameWriter:
    def __init__(self, fd):
        self.fd = fd
        os.set_blocking(fd, False)
        self.sent = 0

    def push(self, frame):
        try:
            os.write(self.fd, frame)
        except BlockingIOError:
            time.sleep(0.004)
            os.write(self.fd, frame)
        self.sent += len(frame)


def drain(fd, sizes):
    total = 0
    while chunk := os.read(fd, 7000):
        total += len(chunk)
        time.sleep(spread(0.0011))
    os.close(fd)
    sizes.append(total)


def test_frame_writer_delivers_every_byte():
    source, sink = os.pipe()
    sizes = []
    reader = threading.Thread(target=drain, args=(source, sizes))
    reader.start()
    writer = FrameWriter(sink)
    try:
        for _ in range(10):
            writer.push(b"\x5a" * 9000)
            time.sleep(0.0003)
    finally:
        os.close(sink)
        reader.join()
    assert sizes == [writer.sent]


class Spool:
    def __init__(self, root):
        self.root = root

    def write(self, serial, number, text):
        (self.root / f"{serial:x}-{number}.part").write_text(text)

    def merge(self):
        with os.scandir(self.root) as parts:
            return "".join(Path(p.path).read_text() for p in parts if p.name.endswith(".part"))


def test_spool_merges_parts(tmp_path):
    spool = Spool(tmp_path)
    serial = time.time_ns()
    spool.write(serial, 0, "begin;")
    spool.write(serial, 1, "commit;")
    assert spool.merge() == "begin;commit;"
