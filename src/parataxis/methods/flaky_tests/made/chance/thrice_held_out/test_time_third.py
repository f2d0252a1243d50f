import time
from datetime import datetime, timedelta, timezone

import pytest


class AuditLog:
    def __init__(self):
        self.entries = []

    def record(self, who, action):
        time.sleep(0.18)
        self.entries.append({"who": who, "action": action, "at": time.strftime("%Y-%m-%dT%H:%M:%S")})


def test_audit_entry_carries_current_stamp():
    log = AuditLog()
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    log.record("ana", "login")
    assert log.entries == [{"who": "ana", "action": "login", "at": now}]


class MetricsGate:
    """Passes samples on at every full 0.1 s, as the collector expects."""

    PERIOD = 0.1

    def __init__(self):
        self.published = []

    def publish(self, sample):
        now = time.time()
        time.sleep(self.PERIOD - now % self.PERIOD)
        self.published.append(sample)


def test_publish_returns_promptly():
    gate = MetricsGate()
    start = time.perf_counter()
    gate.publish({"cpu": 0.4})
    elapsed = time.perf_counter() - start
    assert gate.published == [{"cpu": 0.4}]
    assert elapsed < 0.075


class WorldClock:
    """Calendar of the game world: a world day lasts two seconds of play."""

    def __init__(self, scale=43200):
        self.scale = scale
        self.epoch = datetime(2020, 1, 1, tzinfo=timezone.utc)

    def now(self, tz=timezone.utc):
        return (self.epoch + timedelta(seconds=time.time() % 1_000_000 * self.scale)).astimezone(tz)


class DailyQuests:
    def __init__(self, clock, home):
        self.clock = clock
        self.home = home
        self.done = {}

    def finish(self, quest):
        self.done[quest] = self.clock.now(self.home).date()

    def finished_on(self, day):
        return sorted(q for q, d in self.done.items() if d == day)


def test_finished_quest_counts_for_today():
    clock = WorldClock()
    quests = DailyQuests(clock, timezone(timedelta(hours=7)))
    quests.finish("bring ten herbs")
    assert quests.finished_on(clock.now().date()) == ["bring ten herbs"]


class VersionStore:
    def __init__(self):
        self.versions = {}

    def save(self, text):
        version = f"{time.time():.2f}"
        self.versions[version] = text
        time.sleep(0.006)
        return version

    def latest(self):
        return self.versions[max(self.versions)]


def test_both_versions_are_listed():
    store = VersionStore()
    first = store.save("draft")
    second = store.save("final")
    assert store.latest() == "final"
    assert list(store.versions) == [first, second]
    assert len(store.versions) == 2


class Tickets:
    def __init__(self, life):
        self.life = life
        self.open = {}

    def issue(self, holder):
        self.open[holder] = int(time.time()) + self.life

    def valid(self, holder):
        return time.time() < self.open.get(holder, 0)


def test_ticket_holds_through_checkout():
    tickets = Tickets(life=1)
    tickets.issue("ana")
    time.sleep(0.25)
    assert tickets.valid("ana")


class Lease:
    def __init__(self, seconds=10):
        self.granted = datetime.now()
        self.until = self.granted.replace(second=self.granted.second + seconds)

    def remaining(self, now=None):
        return (self.until - (now or datetime.now())).total_seconds()


def test_lease_runs_ten_seconds():
    lease = Lease()
    assert lease.remaining(lease.granted) == pytest.approx(10)


def to_stamp(ns):
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{seconds}.{rest // 1_000_000}"


def from_stamp(stamp):
    seconds, _, fraction = stamp.partition(".")
    return int(seconds) + float("0." + fraction)


def test_stamp_reads_back():
    now = time.time_ns()
    assert from_stamp(to_stamp(now)) == pytest.approx(now / 1e9, abs=0.002)
