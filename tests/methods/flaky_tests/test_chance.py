"""Causes of failures by chance: real runs, real interventions, over the made suites of made/chance/."""

import ast
import json
import shutil
from collections import Counter

import pytest

from parataxis.methods.flaky_tests.chance import Scored, explain_chance, score, tally
from parataxis.methods.flaky_tests.chance_held import failing_lines, held_where_it_fails
from parataxis.methods.flaky_tests.chance_seen import (
    KINDS,
    Hint,
    Runs,
    counted,
    left_for_good,
    refused_what_is_held,
    seen_along,
)
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.study_inputs import MADE

pytestmark = pytest.mark.usefixtures("lean")

SUITES = MADE / "chance"
TRUTH = json.loads((SUITES / "truth.json").read_text())
LIMITS = Limits(10.0, {}, 60.0)
QUICK = {  # one of each kind, and a decoy
    "network": ["test_port_is_free"],
    "randomness": ["test_jury_has_no_duplicates"],
    "io": ["test_parts_are_joined_in_order"],
    "time": ["test_rounding_keeps_the_second"],
    "async_wait": ["test_engine_starts_in_time"],
    "concurrency": ["test_one_instance_is_made"],
    "leak": ["test_log_is_read_until_ready"],
    "decoys": ["test_listing_with_threads"],
}
SAYS = {
    "network": "taken",
    "io": "by name",
    "time": "starts at",
    "async_wait": "here",
    "concurrency": "one after",
    "leak": "open",
}
ALL = """
    import datetime, os, pathlib, random, secrets, socket, tempfile, threading, time, uuid
    import numpy as np
    import numpy.random

    def touch(tmp_path):
        began, now = time.monotonic(), datetime.datetime.now()
        (tmp_path / "log").write_text(f"{now} {time.time()} {random.random()} {np.random.random()}")
        assert os.listdir(tmp_path) == ["log"]
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
        thread = threading.Thread(target=time.sleep, args=(0.001,))
        thread.start()
        thread.join(5)
        assert time.monotonic() - began < 5
"""


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(SUITES, tmp_path / "suites", ignore=shutil.ignore_patterns("__pycache__", ".*"))


def runs(suite, test, *plans, isolate=False):
    """What came of a run of the test under each plan, one after the other."""
    with Session(suite, 0, seed=1) as session:
        place = [nodeid.partition("::")[2] for nodeid in session.collected().ids].index(test)
        orders = [Order(f"chance/{i}", 0, (place,), watch=plan) for i, plan in enumerate(plans)]
        return list(session.run(orders, LIMITS, seeded=[], isolate=isolate))


# -- the made tests ------------------------------------------------------------------------------------------------


def test_every_made_test_has_a_kind():
    counts = Counter()
    for suite, kinds in TRUTH.items():
        trees = [ast.parse(file.read_text()) for file in (SUITES / suite).glob("test_*.py")]
        tests = [f.name for tree in trees for f in tree.body if isinstance(f, ast.FunctionDef) and "test_" in f.name]
        counts.update(kinds.get(test) or kinds["*"] for test in tests)
        assert set(kinds) <= {"*", *tests}
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 5


@pytest.mark.parametrize("suite", QUICK)
def test_cause_is_found_and_shown(copied, suite):
    scored = list(score(copied, seed=3, suites=[suite], tests=QUICK[suite]))
    assert [each.test for each in scored] == QUICK[suite]
    for each in scored:
        assert each.right, (each.test, list(map(str, each.hints)))
        assert each.hints[0].shown
        assert SAYS.get(suite, "") in each.hints[0].says
        assert each.hints[0].where.partition(":")[0] in {path.name for path in (copied / suite).iterdir()}


def test_what_is_only_touched_or_cut_short_is_no_cause(written):
    """Chance from outside, which no intervention holds: nothing is said, rather than something wrong."""
    suite = written(
        test_all=ALL
        + """
    class Journal:
        pages, closed = 0, 0

    def test_all(tmp_path):
        touch(tmp_path)
        journal = Journal()
        with open("/dev/urandom", "rb", buffering=0) as stream:
            journal.pages += stream.read(1)[0] % 9
        log, lock, stop = open(tmp_path / "log"), threading.Lock(), threading.Event()
        lock.acquire()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        with open("/dev/urandom", "rb", buffering=0) as stream:
            assert stream.read(1)[0] > 127
        stop.set()
        thread.join()
        lock.release()
        log.close()
        journal.closed += 1
    """
    )
    with Session(suite, 0, seed=1) as session:
        session.collected()
        assert explain_chance(session, 0, limits=LIMITS) == []


def test_a_sound_test_is_given_no_cause(written, monkeypatch):
    monkeypatch.setattr("parataxis.methods.flaky_tests.chance.GIVE_UP", 18)
    with Session(
        written(test_all=ALL + "\n    def test_all(tmp_path):\n        touch(tmp_path)\n"), 0, seed=1
    ) as session:
        session.collected()
        assert explain_chance(session, 0, limits=LIMITS) == []


# -- interventions -------------------------------------------------------------------------------------------------

PLANS = [
    *({}, {"clock": ["start", 10**18]}, {"clock": ["frozen", 10**18]}, {"clock": ["step", 10**18]}, {"random": "1"}),
    *({"wait": "test_all.py:14"}, {"serial": True}, {"switch": 100.0}, {"connect": True}, {"port": True}),
    *({"receive": True}, {"patience": True}, {"listing": "name"}, {"listing": "creation backward"}, {"stamp": True}),
    *({"flush": True}, {"read": True}, {"limits": True}, {"garbage": "eager"}, {"garbage": "never"}, {"trace": True}),
    *({"serial": "backward"}, {"whole": True}, {"steady": True}),
]


def test_no_intervention_breaks_a_sound_test(written):
    suite = written(test_all=ALL + "\n    def test_all(tmp_path):\n        touch(tmp_path)\n")
    done = runs(suite, "test_all", *PLANS)
    assert [(plan, each.messages) for plan, each in zip(PLANS, done, strict=True) if each.outcomes != "."] == []
    assert all(each.seen for each in done)


def test_what_was_seen_is_told_with_its_place(written):
    suite = written(test_all=ALL + "\n    def test_all(tmp_path):\n        touch(tmp_path)\n")
    seen = runs(suite, "test_all", {})[0].seen
    lines = dict(enumerate((suite.root / "test_all.py").read_text().splitlines(), 1))
    for kind, text in {
        "clock": "time.time()",
        "stopwatch": "monotonic",
        "write": "write_text",
        "listing": "listdir",
        "network": "socket.create",
        "thread": "thread.start()",
        "wait": "thread.join(5)",
    }.items():
        told = [lines[int(site.partition(":")[2])].strip() for site in seen["sites"][kind]]
        assert all(text in line for line in told), (kind, told)
    assert seen["drawn"] == ["numpy", "random"]
    assert seen["failure"] is None
    assert not seen["unjoined"]


DRAWS = """
    import os, random, secrets, tempfile, uuid
    import numpy as np

    def test_draws():
        own, system = random.Random(), random.SystemRandom()
        drawn = [random.random(), own.random(), system.random(), uuid.uuid4().hex, secrets.token_hex(4)]
        drawn += [os.urandom(4).hex(), np.random.random(), np.random.default_rng().random(), tempfile.mktemp()[-8:]]
        raise ValueError(" ".join(str(each)[:8] for each in drawn))
"""


def test_all_that_is_drawn_is_held(written):
    with Session(written(test_draws=DRAWS), 0, seed=1) as session:
        session.collected()
        names = ("1", "1", "2", "")
        orders = [Order(f"pinned-{n}", 0, (0,), watch={"random": n} if n else {}) for n in names]
        orders.append(Order("pinned-1", 0, (0,), watch={}))
        done = session.run(orders, LIMITS, seeded=[], isolate=False)
        one, same, other, free, half = [each.messages[0].partition("Error: ")[2].split() for each in done]
    assert len(one) == 9
    assert one == same
    assert not set(one) & set(other)
    assert not set(one) & set(free)
    assert one[0] == half[0]  # the generators that were alive go by the order's name
    assert one[1] != half[1]


CLOCK = """
    import pickle, time
    from datetime import date, datetime, timedelta, timezone

    BORN = datetime(2020, 2, 29)

    class Log:
        def __init__(self, clock=time.time):
            self.clock = clock

    def test_clock():
        assert time.time() == Log().clock() == 1e9
        assert datetime.now(timezone.utc) == datetime(2001, 9, 9, 1, 46, 40, tzinfo=timezone.utc)
        assert datetime.utcnow().date() == date(2001, 9, 9)
        assert time.gmtime()[:3] == (2001, 9, 9)
        assert isinstance(BORN, datetime) and isinstance(date.today(), date) and isinstance(datetime.now(), date)
        assert pickle.loads(pickle.dumps([BORN, datetime.now(), timedelta(1)]))[0] == BORN
        assert datetime.fromisoformat("2020-02-29") == BORN
        time.sleep(0.001)
        assert time.monotonic() == time.monotonic()
"""


def test_clock_stands_still_wherever_it_is_held(written):
    (done,) = runs(written(test_clock=CLOCK), "test_clock", {"clock": ["frozen", 10**18]})
    assert done.messages == {}
    assert done.outcomes == "."


def test_what_a_test_left_is_counted_and_a_crash_tells_nothing(written):
    suite = written(
        test_leave="""
        import os
        KEPT = []

        def test_leave():
            KEPT.extend(open(os.devnull) for _ in range(7))

        def test_crash():
            os._exit(3)
        """
    )
    assert runs(suite, "test_leave", {})[0].seen["left"]["descriptors"] == 7
    (crash,) = runs(suite, "test_crash", {})
    assert (crash.outcomes, crash.seen) == ("C", None)


OTHERWISE = """
    import asyncio, contextlib, logging, os, tempfile, threading, time
    import pytest

    @pytest.fixture
    def pipe():
        reader, writer = os.pipe()
        yield reader, writer
        for handle in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(handle)

    def test_slot_that_is_lost():
        lock = threading.Lock()
        lock.acquire()
        assert lock.acquire(timeout=0.01)

    def test_slot_that_is_in_use():
        lock = threading.Lock()
        threading.Thread(target=lambda: lock.acquire() and time.sleep(0.2)).start()
        assert lock.acquire(timeout=0.05)

    def test_part_in_a_pipe(pipe):
        os.write(pipe[1], b"a")
        threading.Timer(0.03, os.write, [pipe[1], b"b"]).start()
        assert os.read(pipe[0], 9) == b"ab"

    def test_full_pipe(pipe):
        os.set_blocking(pipe[1], False)
        reading = threading.Thread(target=lambda: time.sleep(0.02) or os.read(pipe[0], 1 << 17))
        reading.start()
        taken = os.write(pipe[1], bytes(80_000))
        reading.join()
        assert taken == 80_000

    def write_slowly(path, begun):
        with open(path, "w") as stream:
            begun.set()
            time.sleep(0.03)
            stream.write("whole")

    def test_half_written(tmp_path):
        begun = threading.Event()
        writing = threading.Thread(target=write_slowly, args=(tmp_path / "page", begun))
        writing.start()
        begun.wait()
        text = (tmp_path / "page").read_text()
        writing.join()
        assert text == "whole"

    def test_name_is_drawn():
        with tempfile.NamedTemporaryFile() as stream:
            assert stream.name

    def hold(begun):
        with open(os.devnull):
            begun.set()
            time.sleep(0.1)

    def test_late_thread():
        begun = threading.Event()
        thread = threading.Thread(target=hold, args=(begun,))
        thread.start()
        begun.wait()
        assert not thread.is_alive()

    def test_handler():
        logging.getLogger("shop").addHandler(logging.NullHandler())

    def test_last_one_first():
        order = []
        threads = [threading.Thread(target=order.append, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert order == [2, 1, 0]

    def test_nobody_reads(pipe):
        os.close(pipe[0])
        os.write(pipe[1], b"text")

    class Pool:
        def __init__(self):
            self.taken, self.names = 4, ["a", "b"]

        def pass_on(self):
            self.names.append("c")
            return self.look()

        def look(self):
            return len(self.names)

    def test_counts():
        pools = [Pool()]
        pools[0].taken += 1
        assert pools[0].pass_on() == 3
        pools[0].names.pop()

    def test_left_in_the_loop():
        async def main():
            asyncio.create_task(asyncio.sleep(9))

        asyncio.run(main())
        open(os.devnull)

    def test_cut_short_in_the_loop():
        async def main():
            task = asyncio.create_task(asyncio.sleep(9))
            assert task.done()
            await task

        stream = open(os.devnull)
        asyncio.run(main())
        stream.close()
"""


MENDED = {  # by test: each plan, and how the test ends under it
    "slot_that_is_lost": [({}, "F"), ({"limits": True}, ".")],
    "slot_that_is_in_use": [({"limits": True}, "F"), ({}, "F")],
    "part_in_a_pipe": [({}, "F"), ({"read": True}, ".")],
    "full_pipe": [({"read": True}, "F"), ({"whole": True}, ".")],
    "half_written": [({}, "F"), ({"steady": True}, ".")],
    "last_one_first": [({"serial": True}, "F"), ({"serial": "backward"}, ".")],
    "counts": [({"counts": True}, ".")],
    "nobody_reads": [({}, "F")],
    "left_in_the_loop": [({}, ".")],
    "cut_short_in_the_loop": [({}, "F")],
    "name_is_drawn": [({}, ".")],
    "late_thread": [({}, "F")],
    "handler": [({}, ".")],
}


def test_what_is_given_back_whole_or_in_another_order(written):
    """Each plan mends what it is for, and not what only looks like it."""
    asked = [(test, plan) for test, each in MENDED.items() for plan, _ in each]
    with Session(written(test_otherwise=OTHERWISE), 0, seed=1) as session:
        ids = [nodeid.partition("::test_")[2] for nodeid in session.collected().ids]
        orders = [Order("chance/1", 0, (ids.index(test),), watch=plan) for test, plan in asked]
        done = list(session.run(orders, LIMITS, seeded=[], isolate=False))
    assert [(*each, end.outcomes) for each, end in zip(asked, done, strict=True)] == [
        (test, plan, end) for test, each in MENDED.items() for plan, end in each
    ]
    seen = {test: each.seen for (test, _), each in reversed(list(zip(asked, done, strict=True)))}  # the first of each
    troubles = {test: [trouble[:2] for trouble in each["troubles"]] for test, each in seen.items()}
    assert troubles["slot_that_is_lost"] == [["leak", "no slot is free"]]
    assert troubles["slot_that_is_in_use"] == []
    assert ["file", "a file that another is writing"] in troubles["half_written"]
    assert set(seen["name_is_drawn"]["sites"]) & {"name", "draw"} == {"name"}
    assert seen["counts"]["counts"] == {"Pool.taken": 5, "Pool.names": 2}
    assert seen["nobody_reads"]["failure"]["chain"] == [["BrokenPipeError", "file"]]
    left = {test: each["left"] for test, each in seen.items()}
    assert (left["left_in_the_loop"]["tasks"], left["left_in_the_loop"]["unclosed"]) == (1, 1)
    assert {name: left["cut_short_in_the_loop"][name] for name in ("tasks", "unclosed", "descriptors")} == {
        "tasks": 0,
        "unclosed": 0,
        "descriptors": 0,
    }
    assert (left["late_thread"]["threads"], left["late_thread"]["descriptors"]) == (0, 0)
    assert left["handler"]["handlers"] == 1


# -- what goes along with failures ---------------------------------------------------------------------------------


def seen(failed, troubles=(), last=False, **left):
    failure = {"chain": [["AssertionError", ""]], "site": "test_a.py:3", "last": last} if failed else None
    return {"sites": {}, "troubles": list(troubles), "failure": failure, "left": left, "drawn": []}


def kept(bad, good, last=False):
    """The kinds that are said of runs that left so much, eight or more of each."""
    runs = [seen(True, last=last, **left) for left in bad] + [seen(False, **left) for left in good]
    return [hint.kind for hint in seen_along(Runs([True] * len(bad) + [False] * len(good), runs))]


def test_trouble_is_a_cause_only_where_failures_are():
    refused = [["network", "ECONNREFUSED", "test_a.py:2"]]
    with_failures = Runs([True] * 8 + [False] * 8, [seen(True, refused)] * 8 + [seen(False)] * 8)
    (hint,) = seen_along(with_failures)
    assert (hint.kind, hint.shown, hint.where) == ("network", False, "test_a.py:2")
    assert hint.p == pytest.approx(1 / 12870)  # by hand: 8 of 16 marked, all 8 on the failures
    always = Runs([True] * 8 + [False] * 8, [seen(True, refused)] * 8 + [seen(False, refused)] * 8)
    assert seen_along(always) == []


def test_one_sort_of_trouble_is_told_from_another():
    empty, cut = [["file", "an empty file", "test_a.py:2"]], [["file", "a file that ends within a line", "test_a.py:2"]]
    (hint,) = seen_along(Runs([True] * 8 + [False] * 8, [seen(True, cut)] * 8 + [seen(False, empty)] * 8))
    assert (hint.kind, hint.says) == ("I/O", "a file that ends within a line in failing runs")


def test_more_left_behind_is_a_leak_unless_it_is_a_little():
    assert kept([{"held": 9}] * 8, [{"held": 1}] * 8) == ["resource leak"]
    assert kept([{"held": 2}] * 8, [{"held": 1}] * 8) == []
    assert kept([{"tasks": 1}] * 8, [{}] * 8) == ["resource leak"]


def test_a_little_more_is_a_leak_where_nothing_was_cut_short():
    bad, good = [{"slots": 1}] * 8, [{"slots": 0}] * 8
    assert kept(bad, good, last=True) == ["resource leak"]
    assert kept(bad, good, last=False) == []
    assert kept([{"threads": 1}] * 8, [{}] * 8, last=True) == ["resource leak"]


def test_an_amount_that_varies_decides_and_one_that_is_constant_does_not():
    good = [{"blocks": 100 + 40 * n} for n in range(10)]
    assert kept([{"blocks": 480 + 30 * n} for n in range(10)], good) == ["resource leak"]
    assert kept([{"blocks": 400}] * 10, [{"blocks": 100}] * 10) == []  # what telling of a failure takes
    assert kept([{"blocks": 120 + 40 * n} for n in range(10)], good) == []


@pytest.mark.parametrize(("bad", "good", "says"), [
    (range(9, 20), range(11), ["failing runs leave Pool.taken at 14, passing runs at 5"]),
    (range(9), range(8, 19), ["failing runs leave Pool.taken at 4, passing runs at 13"]),
    ([0] * 9, [1] * 9, []),  # the test was cut short
    (range(5, 15), range(3, 13), []),
])  # fmt: skip
def test_a_count_decides_if_it_varies_without_a_failure_too(bad, good, says):
    runs = [{"counts": {"Pool.taken": n, "Pool.size": 9}, "failure": None} for n in (*bad, *good)]
    hints = counted(Runs([True] * len(bad) + [False] * len(good), runs))
    assert [hint.says for hint in hints] == says


def at_the_line(bad, good, asked=False):
    """Runs that held this at the line that fails: of the system, or, by a dot in the name, of the suite's own."""
    runs = []
    for failed, each in [*((True, each) for each in bad), *((False, each) for each in good)]:
        things = {name: n for name, n in each.items() if "." not in name}
        moved = {name: n for name, n in each.items() if "." in name}
        runs.append(seen(failed) | {"held": {"at": {"fails": things}, "asked": asked, "moved": moved}})
    return Runs([True] * len(bad) + [False] * len(good), runs)


def leaks(bad, good, way="randomness", asked=False):
    return [hint.says for hint in held_where_it_fails(at_the_line([bad] * 8, [good] * 8, asked), way)]


def test_what_only_failing_runs_hold_where_they_fail_is_a_leak_whatever_the_way_to_it():
    for name in ("descriptors", "threads", "processes", "handlers", "slots", "tasks", "transactions"):
        assert len(leaks({name: 3}, {name: 1})) == 1
        assert leaks({name: 1}, {name: 1}) == []
        assert leaks({name: 2}, {name: 1}, "concurrency") == []  # two that race left two of what should be one
        assert len(leaks({name: 2}, {name: 0}, "concurrency")) == 1
    overlap = at_the_line([{"threads": 2}] * 7 + [{"threads": 1}], [{"threads": 1}] * 8)
    assert held_where_it_fails(overlap, "randomness") == []
    assert held_where_it_fails(at_the_line([{"threads": 2}] * 4, [{"threads": 1}] * 8), "randomness") == []


def test_files_that_are_left_are_a_leak_if_passing_runs_take_theirs_away():
    assert len(leaks({"files": 1, "made": 3}, {"files": 0, "made": 3})) == 1
    assert leaks({"files": 3, "made": 3}, {"files": 2, "made": 2}) == []  # as many as were drawn
    assert leaks({"files": 1, "made": 3}, {"files": 0, "made": 3}, "I/O") == []


def test_memory_is_held_only_where_the_test_asks_for_it():
    for name in ("objects", "blocks", "kilobytes"):
        assert leaks({name: 3}, {name: 1}) == []
        assert len(leaks({name: 3}, {name: 1}, asked=True)) == 1


def test_what_goes_out_and_comes_back_in_passing_runs_alone_is_a_leak():
    taken, back, never = [5, 2, 5, 4, 0], [5, 2, 5, 5, 0], [5, 5, 5, 5, 0]  # start, lowest, highest, end, no container
    assert leaks({"Pool.free": taken}, {"Pool.free": back}) == [
        "where they fail, failing runs hold 1 fewer in Pool.free than at first, passing runs 0"
    ]
    assert leaks({"Pool.free": taken}, {"Pool.free": never}) == []  # nothing says that it ever comes back
    assert leaks({"Pool.free": taken}, {"Pool.free": back}, "concurrency") == []  # two counted down at once
    listeners = {"Bus.listeners": [0, 0, 2, 1, 1]}, {"Bus.listeners": [0, 0, 2, 0, 1]}
    assert len(leaks(*listeners)) == len(leaks(*listeners, "concurrency")) == 1


def test_passing_runs_are_looked_at_in_all_lines_that_failing_runs_were_in():
    runs = at_the_line([{}], [{}])
    runs.seen[0]["failure"]["sites"] = ["test_a.py:9", "test_a.py:3"]
    assert failing_lines(runs) == ["test_a.py:3", "test_a.py:9"]


def test_an_error_that_says_that_something_is_held_names_a_leak():
    runs = Runs([True] * 8 + [False] * 8, [seen(True) for _ in range(8)] + [seen(False) for _ in range(8)])
    assert refused_what_is_held(runs) == []
    for each in runs.seen[:8]:
        each["failure"]["chain"] = [["BufferError", "leak"]]
    (hint,) = refused_what_is_held(runs)
    assert hint.kind == "resource leak"


BEHIND = """
    import os, threading

    class Port:
        def __init__(self):
            self.alarms = []

        def ship(self, sound):
            self.alarms.append(sound)
            stop = threading.Event()
            watch = threading.Thread(target=stop.wait, args=(30,), daemon=True)
            watch.start()
            if sound < 128:
                return stop
            stop.set()
            watch.join()
            self.alarms.remove(sound)

    def test_harbour():
        port = Port()
        stop = port.ship(os.urandom(1)[0])
        try:
            assert threading.active_count() == 1
        finally:
            if stop is not None:
                stop.set()
"""


def test_a_leak_behind_a_draw_is_named_though_the_test_tidies_up(written):
    with Session(written(test_port=BEHIND), 0, seed=0) as session:
        session.collected()
        hints = explain_chance(session, 0, limits=LIMITS)
    assert [hint.kind for hint in hints[:2]] == ["resource leak", "randomness"], hints
    assert "threads" in hints[0].says


def test_what_every_failing_run_leaves_for_good_is_a_leak_behind_a_wait():
    def behind(bad, good, files=False):
        runs = [seen(True, last=True, **left) for left in bad] + [seen(False, **left) for left in good]
        return [hint.kind for hint in left_for_good(Runs([True] * len(bad) + [False] * len(good), runs), files)]

    for name in ("descriptors", "threads", "processes", "slots", "handlers"):
        assert behind([{name: 2}] * 8, [{name: 1}] * 8) == ["resource leak"]
    assert behind([{"files": 1}] * 8, [{}] * 8, files=True) == ["resource leak"]
    assert behind([{"files": 1}] * 8, [{}] * 8) == []
    assert behind([{"threads": 1}] * 8 + [{}], [{}] * 8) == []
    assert behind([{"threads": 1, "tasks": 1}] * 8, [{}] * 8) == []


def test_only_who_fails_by_an_assertion_at_the_end_did_all_it_does():
    runs = Runs([True], [seen(True, last=True)])
    assert runs.only_asserted()
    runs.seen[0]["failure"]["chain"] = [["ConnectionRefusedError", "network"]]
    assert not runs.only_asserted()
    assert not Runs([True], [seen(True, last=False)]).only_asserted()


def test_tally_counts_first_hints():
    hint = Hint("time", True, 0.001, "", "", "")
    scored = [Scored("a", "x", "time", [hint]), Scored("a", "y", "time", []), Scored("a", "z", "I/O", [hint])]
    assert {kind: counts for kind, counts in tally(scored).items() if counts[1]} == {"time": (1, 2), "I/O": (0, 1)}
