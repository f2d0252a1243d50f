"""Exports, templates, scanners, spools, logs and checkpoints kept on disk or passed through pipes."""

import errno
import json
import multiprocessing
import os
import select
import tempfile
import threading
import time
from pathlib import Path

FORK = multiprocessing.get_context("fork")


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


def export_ledger(folder, rows, year):
    handle, path = tempfile.mkstemp(prefix="ledger_", suffix=f"_{year}.csv", dir=folder)
    with os.fdopen(handle, "w") as out:
        out.writelines(f"{row}\n" for row in rows)
    return Path(path)


def list_ledgers(folder):
    found = []
    for path in folder.glob("*.csv"):
        kind, token, year = path.stem.split("_")
        found.append({"kind": kind, "token": token, "year": int(year)})
    return found


def test_exported_ledger_shows_up_in_the_listing(tmp_path):
    export_ledger(tmp_path, ["a;1", "b;2"], 2031)
    assert [(entry["kind"], entry["year"]) for entry in list_ledgers(tmp_path)] == [("ledger", 2031)]


class Templates:
    """Keeps parsed templates until the file on disk looks different."""

    def __init__(self, folder):
        self.folder = folder
        self.parsed = {}

    def render(self, name, **values):
        path = self.folder / name
        info = path.stat()
        mark = (info.st_size, int(info.st_mtime))
        if name not in self.parsed or self.parsed[name][0] != mark:
            self.parsed[name] = (mark, path.read_text())
        return self.parsed[name][1].format(**values)


def test_edited_template_is_picked_up(tmp_path):
    templates = Templates(tmp_path)
    (tmp_path / "greeting.txt").write_text("Hello {who}!")
    assert templates.render("greeting.txt", who="Kim") == "Hello Kim!"
    time.sleep(0.65)
    (tmp_path / "greeting.txt").write_text("Howdy {who}!")
    assert templates.render("greeting.txt", who="Kim") == "Howdy Kim!"


class Scanner(threading.Thread):
    """Sends a page header, then the page body when the lamp has passed over it."""

    def __init__(self, sink):
        super().__init__(daemon=True)
        self.sink = sink

    def run(self):
        os.write(self.sink, b"page 210x297\n")
        time.sleep(between(0.0, 0.055))
        os.write(self.sink, b"grey" * 64)
        os.close(self.sink)


def receive_page(source):
    time.sleep(0.04)
    header, _, body = os.read(source, 65536).partition(b"\n")
    width, height = header.decode().removeprefix("page ").split("x")
    return int(width), int(height), body


def test_scanned_page_arrives_whole():
    source, sink = os.pipe()
    scanner = Scanner(sink)
    scanner.start()
    try:
        width, height, body = receive_page(source)
        assert (width, height) == (210, 297)
        assert body == b"grey" * 64
    finally:
        scanner.join()
        os.close(source)


class TapeDrive(threading.Thread):
    """Takes blocks off its feed and now and then stops to wind the tape."""

    def __init__(self, feed):
        super().__init__(daemon=True)
        self.feed = feed
        self.written = 0

    def run(self):
        wind = between(0.0, 0.07)
        while block := os.read(self.feed, 16384):
            before, self.written = self.written, self.written + len(block)
            if before < 65536 <= self.written:
                time.sleep(wind)


def feed_blocks(target, blocks):
    for block in blocks:
        os.write(target, block)
        time.sleep(0.006)


def test_tape_holds_every_block():
    feed, target = os.pipe()
    os.set_blocking(target, False)
    drive = TapeDrive(feed)
    drive.start()
    try:
        feed_blocks(target, [bytes([number]) * 12000 for number in range(16)])
    finally:
        os.close(target)
        drive.join()
        os.close(feed)
    assert drive.written == 16 * 12000


class Modem(threading.Thread):
    """Reports the link state and, a little later, the signal level."""

    def __init__(self, line):
        super().__init__(daemon=True)
        self.line = line

    def run(self):
        os.write(self.line, b"LINK UP\n")
        time.sleep(between(0.0, 0.05))
        os.write(self.line, b"SIGNAL 71\n")


def read_reports(port, count, patience=0.3):
    reports = []
    while len(reports) < count:
        ready, _, _ = select.select([port], [], [], patience)
        if not ready:
            break
        reports.append(port.readline().decode().strip())
    return reports


def test_modem_reports_link_and_signal():
    receive, send = os.pipe()
    modem = Modem(send)
    with os.fdopen(receive, "rb") as port:
        modem.start()
        time.sleep(0.012)
        reports = read_reports(port, 2)
        modem.join()
    os.close(send)
    assert reports == ["LINK UP", "SIGNAL 71"]


class Chat(threading.Thread):
    """Appends messages to a transcript in whatever pieces the line delivers."""

    def __init__(self, path, text):
        super().__init__(daemon=True)
        self.path = path
        self.data = text.encode()

    def run(self):
        with open(self.path, "ab", buffering=0) as transcript:
            for start in range(0, len(self.data), 8):
                transcript.write(self.data[start : start + 8])
                time.sleep(between(0.0, 0.008))


def follow(path, writer, pause=0.012):
    text = ""
    with open(path, "rb") as transcript:
        while True:
            finished = not writer.is_alive()
            piece = transcript.read()
            text += piece.decode()
            if finished:
                return text
            time.sleep(pause)


def test_followed_transcript_matches_what_was_said(tmp_path):
    path = tmp_path / "transcript.txt"
    path.touch()
    said = "We met at the cafe in Chalon, then took the tram to Orgères, and nobody was late.\n"
    chat = Chat(path, said)
    chat.start()
    try:
        assert follow(path, chat) == said
    finally:
        chat.join()


def publish_quota(path, rounds):
    for number in range(rounds):
        with open(path, "w") as out:
            out.write(json.dumps({"round": number, "limits": {"cpu": 4, "disk": 80}})[:24])
            out.flush()
            time.sleep(between(0.0005, 0.0025))
            out.write(json.dumps({"round": number, "limits": {"cpu": 4, "disk": 80}})[24:])
        time.sleep(between(0.008, 0.020))


def test_quota_file_can_be_loaded_while_it_is_republished(tmp_path):
    path = tmp_path / "quota.json"
    path.write_text(json.dumps({"round": -1, "limits": {"cpu": 4, "disk": 80}}))
    publisher = FORK.Process(target=publish_quota, args=(path, 9))
    publisher.start()
    try:
        time.sleep(0.05)
        quota = json.loads(path.read_text())
    finally:
        publisher.join()
    assert quota["limits"] == {"cpu": 4, "disk": 80}


def sweep(folder, pause):
    time.sleep(pause)
    for path in sorted(folder.glob("*.part")):
        path.unlink()


def spool_usage(folder):
    total = 0
    for name in os.listdir(folder):
        with open(folder / name, "rb") as part:
            total += sum(len(line) for line in part)
        time.sleep(0.002)
    return total


def test_spool_usage_counts_at_least_the_finished_files(tmp_path):
    for number in range(5):
        (tmp_path / f"job{number}.done").write_bytes(b"x" * 99 + b"\n")
        (tmp_path / f"job{number}.part").write_bytes(b"y" * 49 + b"\n")
    sweeper = FORK.Process(target=sweep, args=(tmp_path, between(0.0, 0.08)))
    sweeper.start()
    try:
        time.sleep(0.02)
        assert spool_usage(tmp_path) >= 500
    finally:
        sweeper.join()


class Checkpoints:
    def __init__(self, folder, keep):
        self.folder = folder
        self.keep = keep

    def save(self, state):
        handle, path = tempfile.mkstemp(suffix=".ckpt", dir=self.folder)
        with os.fdopen(handle, "w") as out:
            json.dump(state, out)
        for entry in os.listdir(self.folder)[: -self.keep]:
            os.unlink(self.folder / entry)
        return Path(path)


def test_newest_checkpoint_is_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for epoch in (1, 2, 3):
        newest = checkpoints.save({"epoch": epoch})
    assert len(os.listdir(tmp_path)) == 2
    assert newest.exists()


class Recorder:
    """Writes samples as they come and pushes them to disk when the last push is a while ago."""

    def __init__(self, path, every=0.02):
        self.out = open(path, "w")
        self.every = every
        self.pushed = time.monotonic()

    def sample(self, value):
        self.out.write(f"{value}\n")
        if time.monotonic() - self.pushed > self.every:
            self.out.flush()
            self.pushed = time.monotonic()

    def close(self):
        self.out.close()


def thermometer(count):
    for number in range(count):
        time.sleep(between(0.002, 0.075))
        yield 20 + number


def test_recorded_samples_can_be_read_back(tmp_path):
    recorder = Recorder(tmp_path / "samples.txt")
    try:
        for value in thermometer(4):
            recorder.sample(value)
        assert (tmp_path / "samples.txt").read_text().split() == ["20", "21", "22", "23"]
    finally:
        recorder.close()


class Shipper(threading.Thread):
    """Takes one message per opening of the mailbox and stores it before opening it again."""

    def __init__(self, mailbox):
        super().__init__(daemon=True)
        self.mailbox = mailbox
        self.stored = []

    def run(self):
        while True:
            with open(self.mailbox, "rb") as box:
                message = box.read()
            if message == b"quit":
                return
            time.sleep(between(0.0, 0.02))
            self.stored.append(message)


def post(mailbox, message):
    handle = os.open(mailbox, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(handle, message)
    finally:
        os.close(handle)


def dismiss(mailbox, shipper):
    shipper.join(0.05)
    while shipper.is_alive():
        try:
            post(mailbox, b"quit")
        except OSError as problem:
            assert problem.errno in (errno.ENXIO, errno.EPIPE)
        shipper.join(0.03)


def test_posted_messages_are_shipped(tmp_path):
    mailbox = tmp_path / "mailbox"
    os.mkfifo(mailbox)
    shipper = Shipper(mailbox)
    shipper.start()
    try:
        for message in (b"first", b"second", b"third"):
            time.sleep(0.018)
            post(mailbox, message)
    finally:
        dismiss(mailbox, shipper)
    assert shipper.stored == [b"first", b"second", b"third"]


def other_job(folder, rounds):
    for number in range(rounds):
        time.sleep(between(0.0, 0.05))
        with tempfile.NamedTemporaryFile(dir=folder, prefix="job-"):
            time.sleep(between(0.0, 0.012))


def build_thumbnail(scratch, pixels):
    with tempfile.TemporaryDirectory(dir=scratch, prefix="thumb-") as work:
        raw = Path(work, "raw")
        raw.write_bytes(pixels)
        time.sleep(0.01)
        return raw.read_bytes()[::2]


def test_thumbnail_leaves_the_scratch_folder_as_it_was(tmp_path):
    job = FORK.Process(target=other_job, args=(tmp_path, 3))
    job.start()
    try:
        time.sleep(0.02)
        before = set(os.listdir(tmp_path))
        assert build_thumbnail(tmp_path, bytes(range(64))) == bytes(range(0, 64, 2))
        assert set(os.listdir(tmp_path)) == before
    finally:
        job.join()
