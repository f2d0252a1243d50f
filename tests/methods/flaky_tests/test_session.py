"""Real suites, real processes: what a session says of an order, and what it leaves behind (nothing)."""

import os
import signal
import tempfile
import textwrap
import time

import pytest
from hatchery import hatched
from hunts import LEAN, copy_suites, until
from sessions import BRIEF, LIMITS, LONG, outcomes_of, ran
from suites.cases import CASES

from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.suite import find_suite

pytestmark = pytest.mark.usefixtures("forks")

# -- one session for many ------------------------------------------------------------------------------------------

APART = ("warnings_are_errors", "parallel_by_default")  # their options are for all tests of a session
CHAINS = [name for name, case in CASES.items() if case.failing and name not in ("closes_descriptors", "breaks_runner")]
CONSTANT = [
    *("clean", "teardown_errors", "expected_failures", "warnings_are_errors", "parallel_by_default"),
    *("unstable_ids", "collection_error"),
]
OTHERS = ["closes_descriptors", "breaks_runner", "kills_group", "not_idempotent", "random_by_clock"]
TEXTS: dict[str, str] = {}  # of the other files there; each stands before the test that is about it


class Shared:
    """Orders of planted suites that lie side by side in one session: each is a fork, and leaves it as it was."""

    def __init__(self, session):
        self.session, self.found = session, session.collected()

    def places(self, name, *tests):
        """Of some tests of a folder; of all, in file order, if none is named."""
        ids = self.found.ids
        if tests:
            return tuple(ids.index(f"{name}{test}") for test in tests)
        return tuple(place for place, nodeid in enumerate(ids) if nodeid.startswith(name))

    def run(self, name, *orders, **how):
        """What came of orders that are told by the places of a suite's tests in their file."""
        places = self.places(name)
        made = [Order("random", k, tuple(places[test] for test in order)) for k, order in enumerate(orders)]
        done = ran(self.session, *made, **how)
        return [done[order.name] for order in made]

    def outcomes(self, name, *orders, **how):
        return [done.outcomes for done in self.run(name, *orders, **how)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    names = [name for name in (*CHAINS, *CONSTANT, *OTHERS) if name not in APART]
    folder = copy_suites(tmp_path_factory.mktemp("shared"), *names)
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    with pytest.MonkeyPatch.context() as patch, hatched():
        for name, value in LEAN.items():
            patch.setenv(name, value)
        session = Session(find_suite([folder]), 0, seed=1, jobs=2)
    with session:
        yield Shared(session)


# -- what comes of an order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAINS)
def test_planted_chains_end_as_they_should(shared, name):
    case, folder = CASES[name], f"{name}/"
    assert len(shared.places(folder)) == case.tests
    failing, passing = (
        [shared.places(folder, *chain) for chain in chains[:3]] for chains in (case.failing, case.passing)
    )
    hanging = dict.fromkeys(shared.places(folder, "test_lock.py::test_wait"), BRIEF) if "hangs" in name else {}
    orders = [Order("chain", i, chain) for i, chain in enumerate([*failing, *passing])]
    done = ran(shared.session, *orders, limits=Limits(LONG, hanging, LONG), isolate=True)
    last = [done[order.name].outcomes[-1] for order in orders]
    assert set(last[: len(failing)]) <= set("FECT")
    assert set(last[len(failing) :]) == {"."}


@pytest.mark.parametrize("name", CONSTANT)
def test_what_is_not_flaky_is_the_same_in_every_order(shared, suite, name):
    if name not in APART:
        _is_constant(shared, name, f"{name}/")
        return
    with Session(suite(name), 0, seed=1) as session:
        _is_constant(Shared(session), name, "")


def _is_constant(shared, name, folder):
    places = shared.places(folder)
    assert len(places) == CASES[name].tests
    errors = [error[0] for error in shared.found.errors if error[0].startswith(folder)]
    assert errors == [f"{folder}{file}" for file in CASES[name].errors]
    n = range(len(places))
    orders = [tuple(n), tuple(reversed(n)), (*n[2:], *n[:2]), (*n[1::2], *n[::2])]
    outcomes = shared.outcomes(folder, *orders, seeded=shared.found.fingerprints)
    by_test = [
        "".join(o for _, o in sorted(zip(order, ends, strict=True)))
        for order, ends in zip(orders, outcomes, strict=True)
    ]
    assert len(set(by_test)) == 1
    assert "-" not in by_test[0]
    letters = {"p": ".", "F": "F", "s": "s", "E": "E"}
    if name == "expected_failures":
        tests = [shared.found.ids[place].partition("::test_")[2] for place in places]
        assert by_test[0] == "".join(letters[test[0]] for test in tests)


def test_a_crash_is_not_a_failure_of_the_tests_that_did_notran(shared):
    tests = [f"test_native.py::{test}" for test in ("test_read", "test_before", "test_free", "test_after")]
    assert shared.places("crashes_in_order/") == shared.places("crashes_in_order/", *tests)
    assert shared.outcomes("crashes_in_order/", (1, 2, 0, 3), (0, 1, 2, 3)) == ["..C-", "...."]  # the next is not hit


def test_a_killed_group_is_the_orders_own(shared):
    assert shared.outcomes("kills_group/", (0, 2, 1), (0, 1), (1, 0)) == [".C-", "..", ".."]


def test_closed_descriptors_lose_no_record(shared):
    assert shared.outcomes("closes_descriptors/", (0, 2, 1), (0, 1)) == [".FE", ".."]


def test_when_pytest_itself_ends_the_message_says_so(shared):
    (done,) = shared.run("breaks_runner/", (0, 1, 2))
    assert done.outcomes == "..C"
    assert done.messages == {2: "pytest itself ended: TypeError: 'NoneType' object is not callable"}


def test_failed_teardown_of_shared_fixtures_is_told_apart(shared):
    own = [shared.found.ids[place].endswith("::test_own_fixture") for place in shared.places("teardown_errors/")]
    (done,) = shared.run("teardown_errors/", range(6))
    assert done.outcomes == "".join("E" if is_own else "." for is_own in own)
    assert done.leaving == [1, 3, 5]  # after the two classes and, at the end, the module
    assert [done.messages[i].partition(": ")[2] for i in done.leaving] == [
        "RuntimeError: table is locked",
        "Failed: index is locked",
        "OSError: server did not stop",
    ]


def test_a_fork_has_stopped_no_clock(shared):
    """By chance, one of eight million such runs passes or fails each time."""
    assert {*shared.outcomes("random_by_clock/", *[(0,)] * 24)} == {".", "F"}


TEXTS["fixtures/conftest.py"] = """
    import pathlib
    import pytest

    def say(text):
        with pathlib.Path(__file__).with_name("said").open("a") as stream:
            stream.write(text + " ")

    @pytest.fixture(scope="session")
    def session():
        say("(S"); yield; say("S)")

    @pytest.fixture(scope="module")
    def module(request):
        say("(" + request.module.__name__[-1]); yield; say(request.module.__name__[-1] + ")")

    @pytest.fixture(scope="class")
    def klass(module, session):
        say("(K"); yield; say("K)")

    @pytest.fixture
    def own(request):
        say(request.node.name)
    """
TEXTS["fixtures/test_a.py"] = TEXTS["fixtures/test_b.py"] = """
    def test_0(module, own): pass
    class TestK:
        def test_1(self, klass, own): pass
        def test_2(self, own): pass
    """


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((0, 1, 2), "(a test_0 (S (K test_1 test_2 K) a) S)"),
        ((1, 3, 2), "(S (a (K test_1 K) a) (b test_0 b) test_2 S)"),
        ((1, 0, 4), "(S (a (K test_1 K) test_0 a) (b (K test_1 K) b) S)"),
    ],
)
def test_fixtures_live_as_long_as_their_tests_are_together(shared, order, expected):
    said = shared.session.suite.root / "fixtures" / "said"
    said.unlink(missing_ok=True)
    assert len(shared.places("fixtures/")) == 6
    assert shared.outcomes("fixtures/", order) == ["..."]
    assert said.read_text().strip() == expected


def test_one_test_may_be_run_again_in_one_process(shared):
    assert shared.outcomes("not_idempotent/", (0, 0, 1, 1)) == [".F.."]


TEXTS["terminal/test_terminal.py"] = """
    def test_reporter(request):
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("here")
        assert reporter.verbosity == 0
    """


def test_a_test_may_ask_for_the_terminal_reporter(shared, written):
    assert shared.outcomes("terminal/", (0,)) == ["."]
    with Session(written("-p", "no:terminal", test_a=TEXTS["terminal/test_terminal.py"]), 0, seed=1) as session:
        session.collected()
        assert outcomes_of(session, 0) == "F"


# -- deadlines -----------------------------------------------------------------------------------------------------


TEXTS["deadlines/test_deadlines.py"] = """
    import time
    def test_brief(): pass
    def test_slow(): time.sleep(0.4)
    def test_never():
        while True: time.sleep(60)
    """


def test_deadlines(shared):
    """Only who must be too slow has a tight limit: on a slow machine, any other may be."""
    brief, slow, never = shared.places("deadlines/")

    def outcomes(*order, test=LONG, tests=None, whole=LONG, **how):
        ask = Order("deadline", 0, order, **how)
        (done,) = ran(shared.session, ask, limits=Limits(test, tests or {}, whole)).values()
        return done.outcomes

    began = time.monotonic()
    assert outcomes(brief, never, brief, tests={never: 0.1}) == ".T-"
    assert outcomes(slow, test=0.1) == "T"
    assert outcomes(slow, test=0.1, tests={slow: LONG}) == "."  # a slow test has its own limit
    assert outcomes(never, brief, whole=0.3) in ("T-", "--")  # if it could not even begin by then
    assert time.monotonic() - began < LONG / 2


def test_a_stopped_clock_stops_neither_durations_nor_deadlines(shared, written):
    (done,) = shared.run("freezes_clock/", (1, 2, 3))
    assert done.outcomes == "..."
    assert 0.05 <= done.durations[1] < LONG
    stopped = "import time\nreal = time.monotonic()\ntime.monotonic = time.time = time.perf_counter = lambda: real\n"
    suite = written(test_a=TEXTS["deadlines/test_deadlines.py"], test_b=stopped + "def test_none(): pass\n")
    with Session(suite, 0, seed=1) as session:
        session.collected()
        limits = Limits(LONG, {2: BRIEF}, LONG)
        fresh, begins = (Order("fresh", k, (0, 2, 3)[: 3 - 2 * k], fresh=True) for k in range(2))
        assert outcomes_of(session, 0, 2, 3, limits=limits) == ".T-"
        assert ran(session, fresh, limits=limits)["fresh/0"].outcomes == ".T-"
        limits = Limits(LONG, {}, LONG, start=0.01)
        assert ran(session, begins, limits=limits)["fresh/1"].outcomes == "-"  # it could not begin by then


def test_signals_ignored_by_whoever_starts_a_hunt_are_heard_in_it(written):
    suite = written(
        test_a="""
        import os, signal, subprocess, sys
        def test_asked():
            for name in ("SIGINT", "SIGTERM"):
                child = "import os, signal; os.kill(os.getpid(), signal.%s)" % name
                ended = subprocess.run([sys.executable, "-c", child], stderr=subprocess.DEVNULL)
                assert ended.returncode == -getattr(signal, name)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    )
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        session = Session(suite, 0, seed=1)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    with session:
        session.collected()
        assert outcomes_of(session, 0) == "."
        assert ran(session, Order("fresh", 0, (0,), fresh=True))["fresh/0"].outcomes == "."


# -- what a fork shares --------------------------------------------------------------------------------------------


DRAWS = """
    import random
    import numpy as np
    OWN, GENERATOR = random.Random(), np.random.default_rng()
    def test_draw():
        drawn = [random.random(), OWN.random(), np.random.random(), GENERATOR.random()]
        drawn.append(np.random.default_rng().random())
        raise ValueError(" ".join(f"{value:.12f}" for value in drawn))
    """


def test_unseeded_generators_differ_between_orders_and_repeat_for_the_same_order(written):
    suite = written(test_a=DRAWS)
    with Session(suite, 0, seed=1) as one, Session(suite, 1, seed=1) as other:
        assert not set(one.collected().fingerprints) & set(other.collected().fingerprints)
        orders = [Order("random", 0, (0,)), Order("random", 1, (0,))]
        runs = [ran(session, *orders) for session in (one, one, other)]
    drawn = [[done.messages[0].partition("ValueError: ")[2].split() for done in run.values()] for run in runs]
    first, second = drawn[0]
    assert len(first) == 5
    assert not set(first) & set(second)
    assert drawn[1][0][:4] == first[:4]  # the same order again; what is drawn anew from the system differs
    assert drawn[1][0][4] != first[4]
    assert not set(drawn[2][0]) & set(first)  # another iteration


TEXTS["temporary/test_temporary.py"] = """
    import os, tempfile
    def test_first(tmp_path):
        open(os.path.join(tempfile.gettempdir(), "left"), "w").close()
        raise ValueError(f"{tmp_path} {tempfile.gettempdir()} {os.environ['TMPDIR']}")
    def test_second(tmp_path):
        assert not os.path.exists(os.path.join(tempfile.gettempdir(), "left"))
    """


def test_each_order_has_a_folder_for_temporary_files_of_its_own(shared):
    one, other, clean = shared.run("temporary/", (0,), (0,), (1,))
    assert clean.outcomes == "."
    folders = [done.messages[0].partition("ValueError: ")[2].split() for done in (one, other)]
    for tmp_path, *tmp in folders:
        assert tmp[0] == tmp[1] == os.path.dirname(os.path.dirname(tmp_path))
        assert until(lambda folder=tmp[0]: not os.path.exists(folder))
        assert len(tmp[0]) <= len(tempfile.gettempdir()) + 25, "a socket's path has 107 bytes, of which Ray takes 77"
    assert not set(folders[0]) & set(folders[1])


TEXTS["captured/test_captured.py"] = """
    import os
    def test_crash():
        print("from the crash", flush=True); os.write(1, b"from the crash")
        os._exit(1)
    def test_output(capfd):
        print("mine"); os.write(2, b"mine too")
        assert capfd.readouterr() == ("mine\\n", "mine too")
    """


def test_captured_output_is_the_orders_own(shared):
    orders = [(0,) if i % 3 == 0 else (1, 1) for i in range(9)]
    assert shared.outcomes("captured/", *orders) == ["C", "..", ".."] * 3


# -- the same tests, one order after the other ---------------------------------------------------------------------


def test_unstable_ids_name_the_same_tests_in_every_process(own_start, shared, suite):
    """The shared session's tests of that suite, told by other names in this one."""
    folder, n = "unstable_ids/", range(11)
    ids = [shared.found.ids[place].removeprefix(folder) for place in shared.places(folder)]
    (first,) = shared.outcomes(folder, n)
    assert first.count("s") == 3
    with Session(suite("unstable_ids"), 1, seed=1, ids=ids) as other:
        found = other.collected()
        assert found.ids != ids
        assert found.missing == []
        orders = Order("same", 0, tuple(n)), Order("reverse", 0, tuple(n)[::-1])
        done = ran(other, *orders, Order("cold", 1, tuple(n)[:3], fresh=True, only=True))
    assert done["same/0"].outcomes == done["reverse/0"].outcomes[::-1] == first
    assert done["cold/1"].outcomes == first[:3]


def test_orders_are_taken_one_by_one(shared, monkeypatch):
    """So that the next may depend on what came of the last."""
    monkeypatch.setattr(shared.session, "jobs", 1)
    seen = []

    def orders():
        for i, place in enumerate(shared.places("victim_and_polluter/")[:3]):
            assert len(seen) == i
            yield Order("random", i, (place,))

    seen.extend(shared.session.run(orders(), LIMITS, seeded=[], isolate=False))
    assert len(seen) == 3
