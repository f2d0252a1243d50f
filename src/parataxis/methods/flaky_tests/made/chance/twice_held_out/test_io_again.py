# Planted: tools, recorders and exports.
import errno
import json
import os
import select
import subprocess
import sys

import outside

IMPORT = """
import os, random, sys, time
os.write(1, b"read 40 rows\\n")
time.sleep(random.uniform(0, 0.006))
os.write(1, b"read 80 rows\\n")
sys.stdin.read()
"""


def run(script, *arguments, **options):
    command = [sys.executable, "-S", "-c", script, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def test_progress_of_an_import():
    progress = []
    with run(IMPORT) as tool:
        while select.select([tool.stdout], [], [], 0.5)[0]:
            outside.delay(0, 0.005)  # draws the bar
            progress.append(tool.stdout.readline())
        tool.stdin.close()
    assert progress == [b"read 40 rows\n", b"read 80 rows\n"]


RECORDER = """
import json, random, sys
block = b""
with open(sys.argv[1], "wb", buffering=0) as log:
    for second in range(random.randrange(60, 180)):
        block += json.dumps({"second": 1000 + second, "knots": 9.5}).encode() + b"\\n"
        if len(block) >= 4096:  # as the card has them
            log.write(block[:4096])
            block = block[4096:]
    print("recording", flush=True)
    sys.stdin.read()
"""


def test_wind_is_recorded(tmp_path):
    with run(RECORDER, tmp_path / "wind.jsonl") as recorder:
        recorder.stdout.readline()
        recorder.kill()
    with open(tmp_path / "wind.jsonl") as log:
        assert all(json.loads(line)["knots"] == 9.5 for line in log)


PAGER = """
import os, random, time
os.write(1, b"> ")
first = os.read(0, 9)
os.write(1, first)
time.sleep(random.uniform(0, 0.014))
os._exit(0)
"""


def test_pager_shows_the_first_order():
    with run(PAGER, bufsize=0) as pager:
        assert pager.stdout.read(2) == b"> "
        for number in range(5):
            pager.stdin.write(b"order %02d\n" % number)
            outside.delay(0, 0.002)
        assert pager.stdout.read() == b"order 00\n"


EXPORT = """
import os, random, sys, time
text = os.fsencode(sys.argv[1])
block = random.randrange(1, len(text))
os.write(1, text[:block])
time.sleep(0.02)
os.write(1, text[block:])
"""


def test_cities_are_exported():
    cities, text = "Москва 21, Казань 19, Омск 17\n" * 5, ""
    with run(EXPORT, cities) as tool:
        while block := os.read(tool.stdout.fileno(), 4096):
            text += block.decode()
    assert text == cities


class Volume:
    """A disk on which other teams keep their files, too."""

    def __init__(self, folder, size):
        self.folder, self.free = folder, int(size * outside.share())

    def save(self, name, data):
        if len(data) > self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self.free -= len(data)
        (self.folder / name).write_bytes(data)


def test_months_are_archived(tmp_path):
    volume = Volume(tmp_path, size=80_000)
    for month in ("january", "february", "march"):
        volume.save(f"{month}.bin", bytes(10_000))
    assert len(os.listdir(tmp_path)) == 3
