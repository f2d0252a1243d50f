# Planted: work that is begun and not waited for, or not long enough.
import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import outside


def test_all_downloads_are_done():
    async def main():
        loads = [asyncio.create_task(asyncio.to_thread(outside.delay, 0, 0.03)) for _ in range(2)]
        _, pending = await asyncio.wait(loads, timeout=0.022)
        for load in loads:
            await load
        return pending

    assert not asyncio.run(main())


def test_autosave():
    saved = []
    timer = threading.Timer(outside.share() * 0.03, saved.append, ["draft"])
    timer.start()
    time.sleep(0.018)
    assert saved == ["draft"]


def test_converter_ends_in_time(tmp_path):
    script = "import random, time; time.sleep(random.uniform(0, .08))"
    subprocess.run([sys.executable, "-S", "-c", script], timeout=0.07, check=True)


class Door:
    def __init__(self):
        self.open, self.changed = False, threading.Condition()

    def swing(self):
        outside.delay(0, 0.03)
        with self.changed:
            self.open = True
            self.changed.notify_all()


def test_door_opens():
    door = Door()
    threading.Thread(target=door.swing).start()
    with door.changed:
        assert door.changed.wait_for(lambda: door.open, timeout=0.017)


def test_thumbnail_is_made(tmp_path):
    thumbnail = tmp_path / "thumbnail.png"

    def make():
        outside.delay(0, 0.02)
        thumbnail.write_bytes(b"png")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(make)
        time.sleep(0.013)
        assert thumbnail.exists()
