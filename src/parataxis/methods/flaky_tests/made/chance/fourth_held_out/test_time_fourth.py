"""Release archives, allowances, journals, drafts and leases."""

import io
import os
import time
import zipfile
from datetime import datetime, timedelta, timezone


def pack_release(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def catalogue(rows, start):
    return "\n".join(f"{start + row};{(start + row) * 7919 % 10007};article-{row % 97}" for row in range(rows))


def test_packing_the_same_files_twice_gives_identical_archives():
    files = {f"data/catalogue-{part}.csv": catalogue(4000, part * 1000) for part in range(4)}
    files["VERSION"] = "4.2.0\n"
    first = pack_release(files)
    second = pack_release(files)
    assert zipfile.ZipFile(io.BytesIO(first)).testzip() is None
    assert first == second


class Allowance:
    """Three calls at once, then one more for every 95 milliseconds that have gone by."""

    def __init__(self, burst=3, refill=0.095):
        self.burst = burst
        self.refill = refill
        self.left = burst
        self.counted = time.monotonic()

    def take(self):
        earned = int((time.monotonic() - self.counted) / self.refill)
        if earned:
            self.left = min(self.burst, self.left + earned)
            self.counted += earned * self.refill
        if self.left == 0:
            return False
        self.left -= 1
        return True


def render_page():
    """Pages are anything from short to long."""
    time.sleep((18 + os.urandom(1)[0] // 12) / 1000)


def handle_request(allowance):
    if not allowance.take():
        return 429
    render_page()
    return 200


def test_fourth_request_in_a_row_is_refused():
    allowance = Allowance()
    assert [handle_request(allowance) for _ in range(4)] == [200, 200, 200, 429]


class Journal:
    def __init__(self):
        self.lines = []

    @staticmethod
    def stamp():
        text = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00").rstrip("0") + "Z"

    def note(self, event):
        self.lines.append(f"{self.stamp()} {event}")


def settle(cycles):
    total = 0
    for cycle in range(cycles):
        total += cycle * cycle % 7
    return total


def test_sorted_journal_keeps_the_order_of_events():
    journal = Journal()
    events = ["open", "load", "check", "merge", "save", "close"]
    for event in events:
        journal.note(event)
        settle(15000)
    assert [line.split(" ")[1] for line in sorted(journal.lines)] == events


class Drafts:
    def __init__(self):
        self.rows = []

    def save(self, text):
        self.rows.append({"text": text, "saved_at": int(time.time())})

    def latest(self):
        return max(self.rows, key=lambda row: row["saved_at"])["text"]


def test_latest_draft_is_the_one_saved_last():
    drafts = Drafts()
    drafts.save("Dear all,")
    time.sleep(0.7)
    drafts.save("Dear all, the office is closed on Friday.")
    assert drafts.latest() == "Dear all, the office is closed on Friday."


class Lease:
    def __init__(self, holder, starts, ends):
        self.holder = holder
        self.starts = starts
        self.ends = ends

    @classmethod
    def grant(cls, holder, milliseconds):
        starts = datetime.now(timezone.utc)
        return cls(holder, starts, starts.replace(microsecond=starts.microsecond + milliseconds * 1000))


def test_lease_lasts_as_long_as_granted():
    lease = Lease.grant("press 2", milliseconds=280)
    assert lease.ends - lease.starts == timedelta(milliseconds=280)
    assert lease.starts.tzinfo is timezone.utc
