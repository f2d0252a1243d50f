# Planted: folders, time stamps, buffers and pipes, and other programs that work on the same files.
import os
import subprocess
import sys
import tempfile
import time

import outside
import pytest


def test_first_page_opens_the_book(tmp_path):
    for chapter in ("beginning", "middle", "end"):
        with tempfile.NamedTemporaryFile("w", dir=tmp_path, suffix=".page", delete=False) as page:
            page.write(chapter)
    with os.scandir(tmp_path) as pages:
        first = next(pages).path
    with open(first) as page:
        assert page.read() == "beginning"


def outdated(target, source):
    """As a build tool does whose record holds tenths of a second."""
    return int(source.stat().st_mtime * 10) > int(target.stat().st_mtime * 10)


def test_edit_leads_to_a_build(tmp_path):
    source, target = tmp_path / "main.c", tmp_path / "main.o"
    target.write_text("object")
    time.sleep(0.05)
    source.write_text("edited")
    assert outdated(target, source)


def test_rows_are_seen_by_the_importer(tmp_path):
    table = open(tmp_path / "table.csv", "w")
    for row in range(int(400 + outside.share() * 1600)):
        table.write(f"{row},{row * row}\n")
    with open(tmp_path / "table.csv") as importer:
        first = importer.readline()
    table.close()
    assert first == "0,0\n"


ROTATE = """
import os, random, sys, time
log = sys.argv[1]
open(log, "w").close()
print(flush=True)
while True:
    time.sleep(random.uniform(0.001, 0.008))
    os.replace(log, log + ".1")
    time.sleep(random.uniform(0, 0.006))
    open(log, "w").close()
"""


@pytest.fixture
def rotated(tmp_path):
    """A log that another program rotates."""
    log = tmp_path / "service.log"
    with subprocess.Popen([sys.executable, "-S", "-c", ROTATE, log], stdout=subprocess.PIPE) as rotation:
        rotation.stdout.readline()
        time.sleep(outside.share() * 0.03)
        yield log
        rotation.kill()


def test_log_can_be_read(rotated):
    assert rotated.exists() or rotated.with_name("service.log.1").exists()
    assert "ERROR" not in rotated.read_text()


def test_version_of_a_tool():
    tool = "import os, random, time; os.write(1, b'tool '); time.sleep(random.uniform(0, .004)); os.write(1, b'1.2')"
    with subprocess.Popen([sys.executable, "-S", "-c", tool], stdout=subprocess.PIPE, bufsize=0) as process:
        head = process.stdout.read(1)
        outside.delay(0, 0.006)
        assert (head + process.stdout.read(100)).split() == [b"tool", b"1.2"]
