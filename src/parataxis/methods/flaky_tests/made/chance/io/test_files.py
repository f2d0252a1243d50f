# Planted: what file systems leave open: the order of a listing, the resolution of time stamps, when a write arrives,
# what others do to files meanwhile.
import fcntl
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

import outside
import pytest


def test_last_written_is_listed_last(tmp_path):
    names = []
    for n in range(2):
        handle, name = tempfile.mkstemp(dir=tmp_path, suffix=".part")
        os.write(handle, b"%d" % n)
        os.close(handle)
        names.append(os.path.basename(name))
    assert os.listdir(tmp_path)[-1] == names[-1]


def test_parts_are_joined_in_order(tmp_path):
    for text in ("head\n", "tail\n"):
        with tempfile.NamedTemporaryFile("w", dir=tmp_path, prefix=text[0], delete=False) as part:
            part.write(text)
    assert "".join(part.read_text() for part in tmp_path.glob("*")) == "head\ntail\n"


def manifest(folder):
    return {file.name: round(file.stat().st_mtime, 1) for file in sorted(folder.iterdir())}


def test_change_is_noticed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("one")
    before = json.dumps(manifest(tmp_path))
    time.sleep(0.06)
    page.write_text("two")
    assert json.dumps(manifest(tmp_path)) != before


def test_newest_backup_is_restored(tmp_path):
    for n in range(2):
        (tmp_path / f"backup-{n}").write_text(str(n))
        sum(range(60_000))  # packs the next
    newest = max(sorted(tmp_path.iterdir()), key=lambda file: round(os.path.getmtime(file), 2))
    assert newest.read_text() == "1"


def test_header_is_written(tmp_path):
    log = open(tmp_path / "log", "w")
    log.write("header\n")
    log.write("x" * int(1000 + outside.share() * 14_000))  # as much as the machine reports
    written = (tmp_path / "log").read_text()
    log.close()
    assert written.startswith("header")


JANITOR = """
import os, random, sys, time
path = os.path.join(sys.argv[1], "session.lock")
print(flush=True)
while True:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    time.sleep(random.uniform(0, 0.010))
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
    time.sleep(random.uniform(0, 0.015))
"""


@pytest.fixture
def shared(tmp_path):
    """A folder in which another program works."""
    with subprocess.Popen([sys.executable, "-S", "-c", JANITOR, tmp_path], stdout=subprocess.PIPE) as janitor:
        janitor.stdout.readline()
        time.sleep(outside.share() * 0.02)
        yield tmp_path
        janitor.kill()


def test_lock_file_is_free(shared):
    handle = os.open(shared / "session.lock", os.O_CREAT | os.O_EXCL)
    os.close(handle)


def test_sizes_of_listed_files(shared):
    for n in range(4):
        (shared / f"page-{n}").write_text("x" * n)
    sizes = {}
    for name in os.listdir(shared):
        sum(range(60_000))
        sizes[name] = os.path.getsize(shared / name)
    sizes.pop("session.lock", None)
    assert sum(sizes.values()) == 6


def test_whole_report_comes_through_the_pipe():
    reader, writer = os.pipe()
    source = (
        "import os,sys,time,random; os.write(1, b'head '); time.sleep(random.uniform(0,.003)); os.write(1, b'tail')"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", source], stdout=writer):
        os.close(writer)
        pathlib.Path(os.devnull).read_bytes()
        first = os.read(reader, 1)
        outside.delay(0, 0.005)
        assert first + os.read(reader, 1024) == b"head tail"


UPPER = """
import sys
for line in sys.stdin:
    print(line.upper(), end="", flush=True)
"""


def test_filter_answers_each_line():
    with subprocess.Popen(
        [sys.executable, "-S", "-c", UPPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tool:
        tool.stdin.write("x" * int(500 + outside.share() * 15_000) + "\n")  # as long as they come
        answered = select.select([tool.stdout], [], [], 0.3)[0]
        tool.stdin.close()
        tool.stdout.read()
    assert answered


METER = """
import os, random, sys, time
handle = os.open(sys.argv[1], os.O_WRONLY)
os.write(handle, b"21 degrees, ")
time.sleep(random.uniform(0, 0.006))
os.write(handle, b"40 percent")
"""


def test_weather_comes_by_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "weather")
    with subprocess.Popen([sys.executable, "-S", "-c", METER, tmp_path / "weather"]):
        reader = os.open(tmp_path / "weather", os.O_RDONLY)
        select.select([reader], [], [])
        outside.delay(0, 0.006)
        weather = os.read(reader, 100)
        os.close(reader)
    assert weather == b"21 degrees, 40 percent"


ARCHIVIST = """
import fcntl, random, sys, time
with open(sys.argv[1], "a") as archive:
    print(flush=True)
    while True:
        fcntl.flock(archive, fcntl.LOCK_EX)
        time.sleep(random.uniform(0, 0.02))
        fcntl.flock(archive, fcntl.LOCK_UN)
        time.sleep(random.uniform(0, 0.02))
"""


def test_archive_takes_an_entry(tmp_path):
    command = [sys.executable, "-S", "-c", ARCHIVIST, tmp_path / "archive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as archivist, open(tmp_path / "archive", "a") as archive:
        archivist.stdout.readline()
        outside.delay(0, 0.03)
        try:
            fcntl.flock(archive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            archive.write("entry")
            archived = True
        except BlockingIOError:
            archived = False
        archivist.kill()
    assert archived


def test_first_words_of_a_letter():
    with tempfile.NamedTemporaryFile("w+") as letter:
        letter.write("Dear all,\n" + "x" * int(outside.share() * 15_000))
        words = subprocess.run(["head", "-c", "8", letter.name], stdout=subprocess.PIPE).stdout
    assert words == b"Dear all"


GUEST = """
import os, random, sys, time
path = os.path.join(sys.argv[1], "guest.tmp")
while True:
    open(path, "w").close()
    print(flush=True)
    time.sleep(random.uniform(0, 0.02))
    os.remove(path)
    time.sleep(random.uniform(0, 0.02))
"""


def test_folder_holds_two_notes(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).write_text("note")
    with subprocess.Popen([sys.executable, "-S", "-c", GUEST, tmp_path], stdout=subprocess.PIPE) as guest:
        guest.stdout.readline()
        outside.delay(0, 0.04)
        names = set(os.listdir(tmp_path))
        guest.kill()
    assert names == {"first", "second"}


CLERK = """
import json, random, sys, time
while True:
    with open(sys.argv[1], "w") as table:
        time.sleep(random.uniform(0, 0.02))
        json.dump({"lunch": 12}, table)
    print(flush=True)
    time.sleep(random.uniform(0, 0.03))
"""


def test_table_is_whole(tmp_path):
    with subprocess.Popen([sys.executable, "-S", "-c", CLERK, tmp_path / "t"], stdout=subprocess.PIPE) as clerk:
        clerk.stdout.readline()
        outside.delay(0, 0.05)
        text = (tmp_path / "t").read_text()
        clerk.kill()
    assert json.loads(text or "{}").get("lunch") == 12
