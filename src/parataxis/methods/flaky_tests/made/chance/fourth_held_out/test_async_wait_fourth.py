"""An indexer, a profile store, a helper process, a report writer and a mail queue."""

import asyncio
import os
import queue
import subprocess
import threading
import time


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


class Indexer:
    """Indexes documents on its own thread; long documents take longer."""

    def __init__(self):
        self.words = {}
        self.inbox = queue.Queue()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        for name, text in iter(self.inbox.get, None):
            time.sleep(between(0.005, 0.045))
            for word in text.lower().split():
                self.words.setdefault(word, set()).add(name)

    def submit(self, name, text):
        self.inbox.put((name, text))

    def close(self):
        self.inbox.put(None)
        self.thread.join()


def test_indexed_documents_can_be_searched():
    indexer = Indexer()
    try:
        indexer.submit("a.txt", "Blue kettle")
        indexer.submit("b.txt", "Green kettle")
        indexer.submit("c.txt", "Green lamp")
        time.sleep(0.1)
        assert indexer.words.get("kettle") == {"a.txt", "b.txt"}
        assert indexer.words.get("green") == {"b.txt", "c.txt"}
    finally:
        indexer.close()


class ProfileStore:
    def __init__(self):
        self.pending = {}
        self.stored = {}

    def _commit(self, batch):
        time.sleep(between(0.002, 0.032))
        self.stored.update(batch)

    def _probe(self):
        time.sleep(between(0.018, 0.027))
        return "ok"

    def put(self, key, value):
        self.pending[key] = value

    def flush(self):
        batch, self.pending = self.pending, {}
        return asyncio.get_running_loop().run_in_executor(None, self._commit, batch)

    async def health(self):
        return await asyncio.to_thread(self._probe)


def test_flushed_profiles_are_stored():
    async def scenario():
        store = ProfileStore()
        store.put("ada", {"lang": "fr"})
        store.put("lin", {"lang": "sv"})
        store.flush()
        assert await store.health() == "ok"
        assert set(store.stored) == {"ada", "lin"}

    asyncio.run(scenario())


class Helper:
    """A side process that drops a marker once it has warmed up."""

    def __init__(self, marker):
        self.marker = marker
        warmup = f"{between(0.05, 0.35):.3f}"
        self.process = subprocess.Popen(["sh", "-c", 'sleep "$1"; echo 1 > "$2"', "helper", warmup, str(marker)])

    def ready(self):
        return self.marker.exists()

    def close(self):
        self.process.wait()


def test_helper_marks_itself_ready(tmp_path):
    helper = Helper(tmp_path / "ready")
    try:
        for _ in range(28):
            if helper.ready():
                break
            time.sleep(0.01)
        assert helper.ready()
    finally:
        helper.close()


class ReportWriter(threading.Thread):
    def __init__(self, sections):
        super().__init__(daemon=True)
        self.sections = sections
        self.pages = []

    def run(self):
        for section in self.sections:
            time.sleep(between(0.0, 0.04))
            self.pages.append(f"# {section}")
        self.pages.append("-- end --")


def test_report_ends_with_its_closing_line():
    writer = ReportWriter(["Summary", "Sales", "Stock", "Outlook"])
    writer.start()
    writer.join(timeout=0.1)
    pages = list(writer.pages)
    writer.join()
    assert len(pages) == 5
    assert pages[-1] == "-- end --"


class MailQueue:
    def __init__(self, letters):
        self.todo = queue.Queue()
        for letter in letters:
            self.todo.put(letter)
        self.sent = []
        self.thread = threading.Thread(target=self._deliver, daemon=True)
        self.thread.start()

    def _deliver(self):
        while True:
            letter = self.todo.get()
            if letter is None:
                return
            time.sleep(between(0.0, 0.010))
            self.sent.append(letter.upper())

    def close(self):
        self.todo.put(None)
        self.thread.join()


def test_mail_queue_delivers_every_letter():
    mail = MailQueue(["invoice", "reminder", "receipt", "survey", "coupon", "notice"])
    try:
        while not mail.todo.empty():
            time.sleep(0.02)
        assert mail.sent == ["INVOICE", "REMINDER", "RECEIPT", "SURVEY", "COUPON", "NOTICE"]
    finally:
        mail.close()
