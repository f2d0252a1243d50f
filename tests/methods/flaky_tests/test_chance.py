"""Causes of failures by chance: real runs, real interventions, over the made suites of made/chance/."""

import ast
import json
import shutil
from collections import Counter

import pytest

from parataxis.methods.flaky_tests.chance import Scored, explain_chance, score, tally
from parataxis.methods.flaky_tests.chance_seen import KINDS, Hint, Runs, seen_along
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.study_inputs import MADE

pytestmark = pytest.mark.usefixtures("lean")

SUITES = MADE / "chance"
TRUTH = json.loads((SUITES / "truth.json").read_text())
LIMITS = Limits(10.0, {}, 60.0)
QUICK = {  # one of each kind, and decoys
    "network": ["test_port_is_free"],
    "randomness": ["test_jury_has_no_duplicates"],
    "io": ["test_parts_are_joined_in_order"],
    "time": ["test_rounding_keeps_the_second"],
    "async_wait": ["test_engine_starts_in_time"],
    "concurrency": ["test_one_instance_is_made"],
    "leak": ["test_log_is_read_until_ready"],
    "decoys": ["test_draw_over_a_connection", "test_listing_with_threads"],
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


def test_what_is_only_touched_is_no_cause(written):
    """Chance from outside, which no intervention holds: nothing is said, rather than something wrong."""
    suite = written(
        test_all=ALL
        + """
    def test_all(tmp_path):
        touch(tmp_path)
        with open("/dev/urandom", "rb", buffering=0) as stream:
            assert stream.read(1)[0] > 90
    """
    )
    with Session(suite, 0, seed=1) as session:
        session.collected()
        assert explain_chance(session, 0, limits=LIMITS) == []


def test_a_sound_test_is_given_no_cause(written):
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


# -- what goes along with failures ---------------------------------------------------------------------------------


def seen(failed, left=0, troubles=()):
    failure = {"chain": [["AssertionError", ""]], "site": "test_a.py:3"} if failed else None
    return {"sites": {}, "troubles": list(troubles), "failure": failure, "left": {"descriptors": left}, "drawn": []}


def test_trouble_is_a_cause_only_where_failures_are():
    refused = [["network", "ECONNREFUSED", "test_a.py:2"]]
    with_failures = Runs([True] * 8 + [False] * 8, [seen(True, 0, refused)] * 8 + [seen(False)] * 8)
    (hint,) = seen_along(with_failures)
    assert (hint.kind, hint.shown, hint.where) == ("network", False, "test_a.py:2")
    assert hint.p == pytest.approx(1 / 12870)  # by hand: 8 of 16 marked, all 8 on the failures
    always = Runs([True] * 8 + [False] * 8, [seen(True, 0, refused)] * 8 + [seen(False, 0, refused)] * 8)
    assert seen_along(always) == []


def test_more_left_behind_is_a_leak_unless_it_is_a_little():
    assert [h.kind for h in seen_along(Runs([True] * 8 + [False] * 8, [seen(True, 9)] * 8 + [seen(False, 1)] * 8))] == [
        "resource leak"
    ]
    assert seen_along(Runs([True] * 8 + [False] * 8, [seen(True, 2)] * 8 + [seen(False, 1)] * 8)) == []


def test_tally_counts_first_hints():
    hint = Hint("time", True, 0.001, "", "", "")
    scored = [Scored("a", "x", "time", [hint]), Scored("a", "y", "time", []), Scored("a", "z", "I/O", [hint])]
    assert {kind: counts for kind, counts in tally(scored).items() if counts[1]} == {"time": (1, 2), "I/O": (0, 1)}
