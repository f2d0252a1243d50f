"""Plate queries, scans, subscriptions, camera frames, previews, orders and other long-lived services."""

import asyncio
import os
import queue
import shutil
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


class PlateReader:
    """One line to the plate archive; some plates take the archive longer."""

    def __init__(self):
        self.requests = queue.Queue()
        self.answers = queue.Queue()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        for plate in iter(self.requests.get, None):
            time.sleep(between(0.0, 0.024))
            self.answers.put((plate, "blue estate"))

    def read(self, plate, patience):
        self.requests.put(plate)
        try:
            return self.answers.get(timeout=patience)[1]
        except queue.Empty:
            raise TimeoutError(plate) from None

    def close(self):
        self.requests.put(None)
        self.thread.join()


class PlateDesk:
    def __init__(self, lines):
        self.lines = [PlateReader() for _ in range(lines)]
        self.idle = queue.LifoQueue()
        for line in self.lines:
            self.idle.put(line)

    def look_up(self, plate):
        line = self.idle.get(timeout=0.05)
        vehicle = line.read(plate, patience=0.02)
        self.idle.put(line)
        return vehicle

    def close(self):
        for line in self.lines:
            line.close()


def test_plate_desk_serves_a_whole_shift():
    desk = PlateDesk(lines=3)
    unanswered = []
    try:
        for number in range(9):
            try:
                assert desk.look_up(f"KX-{number:03}") == "blue estate"
            except TimeoutError:
                unanswered.append(number)
        assert desk.idle.qsize() > 0
    finally:
        desk.close()


def scan_batch(folder, pages):
    """A sheet feeder: short sheets come out as short pages."""
    for page in range(pages):
        length = 4 + os.urandom(1)[0]
        (folder / f"page{page}.raw").write_bytes(b"P5" + bytes(length))


def page_area(path):
    handle = os.open(path, os.O_RDONLY)
    head = os.read(handle, 18)
    if len(head) < 18:
        return 0
    area = os.fstat(handle).st_size - 18
    os.close(handle)
    return area


def handles_below(folder):
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith(str(folder)):
            links.append(int(name))
    return links


def test_scanned_pages_are_measured_and_put_down(tmp_path):
    scan_batch(tmp_path, 7)
    try:
        areas = [page_area(path) for path in sorted(tmp_path.glob("*.raw"))]
        assert len(areas) == 7
        assert handles_below(tmp_path) == []
    finally:
        for handle in handles_below(tmp_path):
            os.close(handle)


class Feed:
    """Keeps a heartbeat per subscriber until the subscriber says good-bye."""

    def __init__(self):
        self.beats = {}
        self.shutdown = threading.Event()

    def _beat(self, stop):
        while not (stop.is_set() or self.shutdown.is_set()):
            stop.wait(0.01)

    def subscribe(self, subscriber):
        stop = threading.Event()
        beat = threading.Thread(target=self._beat, args=(stop,), name="heartbeat")
        beat.start()
        if not subscriber.greeted.wait(0.05):
            return None
        self.beats[subscriber.name] = (stop, beat)
        return subscriber.name

    def unsubscribe(self, token):
        stop, beat = self.beats.pop(token)
        stop.set()
        beat.join()


class Subscriber(threading.Thread):
    def __init__(self, name):
        super().__init__(name=name)
        self.greeted = threading.Event()

    def run(self):
        time.sleep(between(0.0, 0.056))
        self.greeted.set()


def test_feed_is_quiet_after_everyone_left():
    feed = Feed()
    subscribers = [Subscriber(name) for name in ("kitchen", "hall", "porch")]
    for subscriber in subscribers:
        subscriber.start()
        token = feed.subscribe(subscriber)
        if token is not None:
            feed.unsubscribe(token)
    for subscriber in subscribers:
        subscriber.join()
    beating = [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    feed.shutdown.set()
    for thread in beating:
        thread.join()
    assert len(beating) == 0


class Developer:
    """Turns raw frames into pictures with one tone table per frame width."""

    def __init__(self):
        self.tables = {}

    def develop(self, width, frame):
        if width not in self.tables:
            self.tables[width] = [float(step) ** 0.45 for step in range(4000)]
        table = self.tables[width]
        return bytes(int(table[value]) for value in frame)


def camera(frames):
    """A camera with an automatic crop: the width follows the subject."""
    for _ in range(frames):
        yield 640 - 16 * (os.urandom(1)[0] % 14), bytes(range(0, 250, 10))


def test_developing_a_roll_stays_within_its_budget():
    developer = Developer()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        pictures = sum(1 for width, frame in camera(12) if developer.develop(width, frame))
        used = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert pictures == 12
    assert used < 1_100_000


class Previews:
    """Renders previews in a staging folder unless a sibling has published the same one meanwhile."""

    def __init__(self, root):
        self.root = root
        self.published = {}

    def render(self, document, text):
        staging = Path(tempfile.mkdtemp(prefix="staging-", dir=self.root))
        draft = staging / "page.txt"
        for line in text:
            with draft.open("a") as out:
                out.write(line.center(40) + "\n")
            time.sleep(0.002)
        if document in self.published:
            return self.published[document]
        self.published[document] = draft.read_text()
        shutil.rmtree(staging)
        return self.published[document]


def sibling(previews, document):
    time.sleep(between(0.0, 0.05))
    previews.published.setdefault(document, "cover\n")


def test_preview_cleans_its_desk(tmp_path):
    previews = Previews(tmp_path)
    other = threading.Thread(target=sibling, args=(previews, "annual"))
    other.start()
    page = previews.render("annual", ["Annual report", "2031", "All rights reserved", "Print run 300"])
    other.join()
    assert page
    assert list(tmp_path.iterdir()) == []


class Hedge:
    """Asks the primary first and the mirror as well when the primary is not there soon."""

    def __init__(self, primary, mirror):
        self.primary = primary
        self.mirror = mirror

    async def get(self, key):
        first = asyncio.ensure_future(self.primary(key))
        done, _ = await asyncio.wait({first}, timeout=0.02)
        if done:
            return first.result()
        second = asyncio.ensure_future(self.mirror(key))
        done, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()


def test_hedged_reads_finish_with_nothing_running():
    async def primary(key):
        await asyncio.sleep(between(0.001, 0.023))
        return f"{key}@primary"

    async def mirror(key):
        await asyncio.Event().wait()
        return f"{key}@mirror"

    async def scenario():
        hedge = Hedge(primary, mirror)
        answers = [await hedge.get(key) for key in ("a", "b", "c")]
        assert answers == ["a@primary", "b@primary", "c@primary"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
