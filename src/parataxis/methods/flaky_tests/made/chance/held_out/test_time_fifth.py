import base64
import hashlib
import hmac
import json
import os
import re
import time
import zlib
from datetime import datetime, timezone


class LedgerExport:
    def __init__(self, rows):
        self.rows = rows

    def render(self):
        body = "\n".join(f"{name};{amount:.2f}" for name, amount in self.rows)
        seal = hashlib.pbkdf2_hmac("sha256", body.encode(), b"ledger", 330_000).hex()
        made = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"# exported {made}\n{body}\n# seal {seal[:16]}\n"


def test_ledger_export_carries_its_header():
    expected = datetime.now(timezone.utc).strftime("# exported %Y-%m-%dT%H:%M:%SZ")
    text = LedgerExport([("rent", 900), ("tea", 3.5)]).render()
    lines = text.splitlines()
    assert lines[1:3] == ["rent;900.00", "tea;3.50"]
    assert lines[0] == expected


class Quota:
    def __init__(self, per_window, window=0.4):
        self.per_window = per_window
        self.window = window
        self.slot = None
        self.used = 0

    def allow(self):
        slot = int(time.time() / self.window)
        if slot != self.slot:
            self.slot, self.used = slot, 0
        self.used += 1
        return self.used <= self.per_window


def test_quota_refuses_the_fourth_call():
    quota = Quota(per_window=3)
    answers = []
    for call in range(4):
        answers.append(quota.allow())
        hashlib.pbkdf2_hmac("sha1", b"call", bytes([call]), 60_000)
    assert answers == [True, True, True, False]


class StageTimer:
    def __init__(self):
        self.spent = {}

    def measure(self, name, func, *args):
        begin = os.times().elapsed
        try:
            return func(*args)
        finally:
            end = os.times().elapsed
            self.spent[name] = self.spent.get(name, 0) + end - begin

    def shares(self):
        total = sum(self.spent.values())
        return {name: ns / total for name, ns in self.spent.items()}


def test_stage_timer_splits_the_total():
    timer = StageTimer()
    document = json.dumps([{"id": i, "tags": ["a", "b"] * 3} for i in range(4500)])
    rows = timer.measure("parse", json.loads, document)
    packed = timer.measure("pack", zlib.compress, document.encode(), 3)
    assert len(rows) == 4500 and len(packed) < len(document)
    shares = timer.shares()
    assert sum(shares.values()) == 1.0


SECRET = b"rotate-me"


def sign(user):
    claims = json.dumps({"sub": user, "iat": int(time.time())}).encode()
    mac = hmac.new(SECRET, claims, "sha256").hexdigest()
    return base64.urlsafe_b64encode(claims).decode() + "." + mac


def verify(ticket, max_age):
    body, mac = ticket.split(".")
    claims = base64.urlsafe_b64decode(body)
    if not hmac.compare_digest(hmac.new(SECRET, claims, "sha256").hexdigest(), mac):
        raise PermissionError("bad signature")
    data = json.loads(claims)
    if time.time() - data["iat"] > max_age:
        raise PermissionError("expired")
    return data["sub"]


def test_signed_ticket_verifies_at_once():
    assert verify(sign("ana"), max_age=0.7) == "ana"


def stamp(moment):
    whole, rest = divmod(moment, 1_000_000_000)
    return f"{whole}.{rest // 1_000_000}"


def parse_stamp(text):
    whole, _, rest = text.partition(".")
    return float(f"{whole}.{rest}")


class Journal:
    def __init__(self):
        self.lines = []

    def note(self, message):
        self.lines.append(f"{stamp(time.time_ns())} {message}")

    def gap_to(self, moment):
        return moment - parse_stamp(self.lines[-1].split()[0])


def test_journal_line_lies_close_to_present():
    journal = Journal()
    journal.note("worker up")
    assert journal.lines[-1].endswith("worker up")
    assert abs(journal.gap_to(time.time())) < 0.06


def redact_plain(lines):
    return [re.sub(r"\b\d{4}-\d{4}\b", "####", line) for line in lines]


class Redactor:
    def __init__(self, pattern=r"\b\d{4}-\d{4}\b"):
        self.pattern = re.compile(pattern)

    def redact(self, lines):
        return [self.pattern.sub("####", line) for line in lines]


def clocked(func, *args):
    begin = time.perf_counter()
    result = func(*args)
    return result, time.perf_counter() - begin


def test_redactor_beats_the_plain_function():
    lines = [f"card {i:04}-{i + 1:04} " + "paid in full " * 60 for i in range(60)]
    redactor = Redactor()
    assert redact_plain(lines[:1]) == redactor.redact(lines[:1])
    first, plain = clocked(redact_plain, lines)
    second, compiled = clocked(redactor.redact, lines)
    assert first == second
    assert compiled < plain
