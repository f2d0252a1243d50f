"""Causes of failures by chance: real runs and real interventions, over suites/watched and the made suites."""

import ast
import json
from collections import Counter
from math import comb

import pytest
from hatchery import hatched
from hunts import LEAN, copy_suites

from parataxis.methods.flaky_tests import chance
from parataxis.methods.flaky_tests.chance import explain_chance, score
from parataxis.methods.flaky_tests.chance_held import failing_lines, held_where_it_fails
from parataxis.methods.flaky_tests.chance_seen import KINDS, Runs, counted, seen_along
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.study_inputs import MADE
from parataxis.methods.flaky_tests.suite import find_suite

MADE_SUITES = MADE / "chance"
LIMITS = Limits(60.0, {}, 60.0)


class Watched:
    """The suite, in one session for all: each run is a fork."""

    def __init__(self, session):
        self.session, self.folder = session, session.suite.root
        self.names = [nodeid.partition("::")[2].removeprefix("test_") for nodeid in session.collected().ids]

    def runs(self, *asked, name="chance/1"):
        """What came of a run of each test under each plan."""
        orders = [Order(name, 0, (self.names.index(test),), watch=plan) for test, plan in asked]
        return list(self.session.run(orders, LIMITS, seeded=[], isolate=False))

    def seen(self, test, plan):
        return self.runs((test, plan))[0].seen

    def lab(self, failing, passing):
        """The test as if it had been run 24 times and failed in 20: real runs of one that fails and one that passes."""
        lab = chance._Lab(self.session, self.names.index(failing), LIMITS, [], False, 3)
        lab.base = Runs([True] * 20 + [False] * 4, [self.seen(failing, {})] * 20 + [self.seen(passing, {})] * 4)
        return lab


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = copy_suites(tmp_path_factory.mktemp("watched"), "watched")
    with pytest.MonkeyPatch.context() as patch, hatched():
        for name, value in LEAN.items():
            patch.setenv(name, value)
        session = Session(find_suite([folder]), 0, seed=1)
    with session:
        yield Watched(session)


def test_every_made_test_has_a_kind():
    counts = Counter()
    for suite, kinds in json.loads((MADE_SUITES / "truth.json").read_text()).items():
        trees = [ast.parse(file.read_text()) for file in (MADE_SUITES / suite).glob("test_*.py")]
        tests = [f.name for tree in trees for f in tree.body if isinstance(f, ast.FunctionDef) and "test_" in f.name]
        counts.update(kinds.get(test) or kinds["*"] for test in tests)
        assert set(kinds) <= {"*", *tests}
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 5


# -- from a test to its cause --------------------------------------------------------------------------------------

# By experiment: a test that fails, one that passes in its place, what is said.
EXPERIMENTS = {
    "limits": ("slot[True]", "slot[False]", "resource leak", "never given back", "assert slots.acquire"),
    "network": ("port[True]", "port[False]", "network", "taken", "server.bind"),
    "files": ("listing", "listing", "I/O", "by name", "os.listdir"),
    "time": ("rush_hour", "rush_hour", "time", "starts at", "time.time()"),
    "waits": ("wait", "wait", "async wait", "the wait here", "time.sleep(0.01)"),
    "waits_aside": ("wait_aside", "wait_aside", "async wait", "the wait here", "time.sleep(0.03)"),
    "threads": ("race", "race", "concurrency", "one after", "thread.start()"),
    "randomness": ("draw", "draw", "randomness", "one draw", "random.random()"),
    "garbage": ("cycle", "cycle", "resource leak", "collected at once", "gone() is None"),
    "still_clock": ("one_moment", "one_moment", "time", "stands still", "time.time_ns()"),
}


def test_every_experiment_is_tried():
    assert {f"_{name}" for name in EXPERIMENTS} == {each.__name__ for each in chance.EXPERIMENTS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_shows_its_cause(watched, name):
    failing, passing, kind, says, line = EXPERIMENTS[name]
    hint = getattr(chance, f"_{name}")(watched.lab(failing, passing))
    assert (hint.kind, hint.shown) == (kind, True)
    assert says in hint.says
    file, _, number = hint.where.partition(":")
    assert line in (watched.folder / file).read_text().splitlines()[int(number) - 1]
    if name not in ("time", "randomness"):  # of 24 runs 20 failed, and none of 5 more: the first number below 0.002
        assert hint.p == pytest.approx(comb(24, 20) / comb(29, 20))


def test_an_experiment_that_changes_nothing_shows_nothing(watched, monkeypatch):
    monkeypatch.setattr(chance, "FIRST", 1)
    monkeypatch.setattr(chance, "SCAN", 1)
    lab = watched.lab("cut_short[False-1]", "cut_short[True-1]")
    assert [experiment(lab) for experiment in chance.EXPERIMENTS] == [None] * len(chance.EXPERIMENTS)


def test_a_leak_behind_a_draw_is_named_though_the_test_tidies_up(forks, tmp_path, monkeypatch):
    """As for a user, with real chance, but for the other experiments: one in 500 shows what is not there."""
    monkeypatch.setattr(chance, "EXPERIMENTS", (chance._limits, chance._randomness, chance._garbage))
    copy_suites(tmp_path / "port", "watched")
    (tmp_path / "truth.json").write_text('{"port": {"test_harbour": "resource leak"}}')
    (scored,) = score(tmp_path, suites=["port"], tests=["test_harbour"])
    assert [hint.kind for hint in scored.hints[:2]] == ["resource leak", "randomness"], scored.hints
    assert "threads" in scored.hints[0].says
    assert scored.kind == "resource leak"


def test_what_is_cut_short_is_no_cause(watched):
    """Real runs as often as they would be made: nothing is said, rather than something wrong."""
    tests = [f"cut_short[{sound}-{pages}]" for sound in (False, True) for pages in (1, 7)]

    def under(plan):
        done = watched.runs(*((test, plan) for test in tests))
        assert [each.outcomes for each in done] == ["F", "F", ".", "."]
        return Runs([each.outcomes == "F" for each in done] * 4, [each.seen for each in done] * 4)

    base = under({})
    assert seen_along(base) == []
    lines = failing_lines(base)
    for plan in ({"held": lines}, {"held": lines, "counts": True}):
        assert held_where_it_fails(under(plan), "") == []
    assert counted(under({"counts": True})) == []


def test_a_sound_test_is_given_no_cause(watched, monkeypatch):
    monkeypatch.setattr(chance, "GIVE_UP", 6)
    assert explain_chance(watched.session, watched.names.index("all"), limits=LIMITS) == []


# -- interventions -------------------------------------------------------------------------------------------------

PLANS = [
    *({}, {"clock": ["start", 10**18]}, {"clock": ["frozen", 10**18]}, {"clock": ["step", 10**18]}, {"random": "1"}),
    *({"wait": "touching.py:13"}, {"serial": True}, {"switch": 100.0}, {"connect": True}, {"port": True}),
    *({"receive": True}, {"patience": True}, {"listing": "name"}, {"listing": "creation backward"}, {"stamp": True}),
    *({"flush": True}, {"read": True}, {"limits": True}, {"garbage": "eager"}, {"garbage": "never"}, {"trace": True}),
    *({"serial": "backward"}, {"whole": True}, {"steady": True}),
]


@pytest.fixture(scope="module")
def sound(watched):
    """A run of a sound test under each plan."""
    return watched.runs(*(("all", plan) for plan in PLANS))


def test_no_intervention_breaks_a_sound_test(sound):
    assert [(plan, each.messages) for plan, each in zip(PLANS, sound, strict=True) if each.outcomes != "."] == []
    assert all(each.seen for each in sound)


def test_what_was_seen_is_told_with_its_place(watched, sound):
    seen = sound[0].seen
    lines = dict(enumerate((watched.folder / "touching.py").read_text().splitlines(), 1))
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


def test_all_that_is_drawn_is_held(watched):
    def drawn(name, plan):
        (done,) = watched.runs(("draws", plan), name=name)
        return done.messages[0].partition("Error: ")[2].split()

    pinned = {"random": "1"}
    one, same, other = drawn("pinned-1", pinned), drawn("pinned-1", pinned), drawn("pinned-2", {"random": "2"})
    free, half = drawn("pinned-", {}), drawn("pinned-1", {})
    assert len(one) == 10
    assert one[:9] == same[:9]
    assert one[9] != same[9]  # read from the system
    assert not set(one) & set(other)
    assert not set(one) & set(free)
    assert one[0] == half[0]  # the generators that were alive go by the order's name
    assert one[1] != half[1]


def test_clock_stands_still_wherever_it_is_held(watched):
    (done,) = watched.runs(("clock", {"clock": ["frozen", 10**18]}))
    assert done.messages == {}
    assert done.outcomes == "."


MENDED = {  # by test: each plan, and how the test ends under it
    "slot_that_is_lost": [({}, "F"), ({"limits": True}, ".")],
    "slot_that_is_in_use": [({"limits": True}, "F"), ({}, "F")],
    "part_in_a_pipe": [({}, "F"), ({"read": True}, ".")],
    "full_pipe": [({"read": True}, "F"), ({"whole": True}, ".")],
    "half_written": [({}, "F"), ({"steady": True}, ".")],
    "last_one_first": [({"serial": True}, "F"), ({"serial": "backward"}, ".")],
    "taking_turns": [({"switch": 100.0}, ".")],
    "server_that_does_not_listen_yet": [({"patience": True}, "F"), ({"connect": True}, ".")],
    "server_that_is_slow": [({"connect": True}, "F"), ({"patience": True}, ".")],
    "answer_in_two_parts": [({"patience": True}, "F"), ({"receive": True}, ".")],
    "buffered": [({"stamp": True}, "F"), ({"flush": True}, ".")],
    "time_stamps": [({"stamp": True}, ".")],
    "counts": [({"counts": True}, ".")],
    "nobody_reads": [({}, "F")],
    "left_in_the_loop": [({}, ".")],
    "cut_short_in_the_loop": [({}, "F")],
    "name_is_drawn": [({}, ".")],
    "late_thread": [({}, "F")],
    "handler": [({}, ".")],
    "leave": [({}, ".")],
    "crash": [({}, "C")],
}


@pytest.fixture(scope="module")
def mended(watched):
    asked = [(test, plan) for test, each in MENDED.items() for plan, _ in each]
    return list(zip(asked, watched.runs(*asked), strict=True))


def test_each_plan_mends_what_it_is_for_and_not_what_only_looks_like_it(mended):
    ends = [(test, plan, done.outcomes) for (test, plan), done in mended]
    assert ends == [(test, plan, end) for test, each in MENDED.items() for plan, end in each]


def test_what_is_given_back_whole_or_in_another_order_is_told(mended):
    seen = {test: done.seen for (test, _), done in reversed(mended)}  # the first of each
    assert seen.pop("crash") is None
    troubles = {test: [trouble[:2] for trouble in each["troubles"]] for test, each in seen.items()}
    assert troubles["slot_that_is_lost"] == [["leak", "no slot is free"]]
    assert troubles["slot_that_is_in_use"] == []
    assert ["file", "a file that another is writing"] in troubles["half_written"]
    assert ["network", "ECONNREFUSED"] in troubles["server_that_does_not_listen_yet"]
    assert set(seen["name_is_drawn"]["sites"]) & {"name", "draw"} == {"name"}
    assert seen["counts"]["counts"] == {"Pool.taken": 5, "Pool.names": 2}
    assert seen["nobody_reads"]["failure"]["chain"] == [["BrokenPipeError", "file"]]
    left = {test: each["left"] for test, each in seen.items()}
    assert left["leave"]["descriptors"] == 7
    assert (left["left_in_the_loop"]["tasks"], left["left_in_the_loop"]["unclosed"]) == (1, 1)
    assert {name: left["cut_short_in_the_loop"][name] for name in ("tasks", "unclosed", "descriptors")} == {
        "tasks": 0,
        "unclosed": 0,
        "descriptors": 0,
    }
    assert (left["late_thread"]["threads"], left["late_thread"]["descriptors"]) == (0, 0)
    assert left["handler"]["handlers"] == 1
