"""Real suites, real processes: what a session says of an order, and what it leaves behind (nothing)."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from hatchery import hatched
from hunts import LEAN, alive, copy_suites, gone, killed_session, until
from suites.cases import CASES

from nursery import in_child
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.session import Limits, Order, Session, SessionDied
from parataxis.methods.flaky_tests.suite import find_suite

pytestmark = pytest.mark.usefixtures("forks")

LONG = 60.0  # seconds that nothing here takes, on however slow a machine
BRIEF = 0.3  # seconds that a test is given of which we know that it hangs
LIMITS = Limits(LONG, {}, LONG)


def _run(session, *orders, limits=LIMITS, isolate=False, seeded=()):
    return {done.order.name: done for done in session.run(orders, limits, seeded=list(seeded), isolate=isolate)}


def _outcomes(session, *order, **how):
    """The outcomes of one forked order, told by places."""
    return _run(session, Order("random", 0, tuple(order)), **how)["random/0"].outcomes


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
        done = _run(self.session, *made, **how)
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
    done = _run(shared.session, *orders, limits=Limits(LONG, hanging, LONG), isolate=True)
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


def test_a_crash_is_not_a_failure_of_the_tests_that_did_not_run(shared):
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
        assert _outcomes(session, 0) == "F"


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
        (done,) = _run(shared.session, ask, limits=Limits(test, tests or {}, whole)).values()
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
        assert _outcomes(session, 0, 2, 3, limits=limits) == ".T-"
        assert _run(session, fresh, limits=limits)["fresh/0"].outcomes == ".T-"
        limits = Limits(LONG, {}, LONG, start=0.01)
        assert _run(session, begins, limits=limits)["fresh/1"].outcomes == "-"  # it could not begin by then


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
        runs = [_run(session, *orders) for session in (one, one, other)]
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


def test_files_that_an_order_writes_vanish(written):
    """In the project and in HOME; where the system refuses, the reason is told."""
    text = """
        import os, pathlib
        FILES = [pathlib.Path("left"), pathlib.Path(__file__).with_name("sub") / "left", pathlib.Path.home() / "left"]
        def test_none():
            assert not any(file.exists() for file in FILES)
        def test_write():
            for file in FILES:
                file.parent.mkdir(exist_ok=True)
                file.write_text("here")
            pathlib.Path("pytest.ini").unlink()
        """
    suite = written(test_a=text)
    with Session(suite, 0, seed=1) as session:
        found = session.collected()
        if found.isolation == "none":
            pytest.skip(str(found.refused))
        for fresh, told, expected in (
            (False, [(0, 1), (0,), (1, 0)], ["..", ".", ".F"]),
            (True, [(1, 0), (0,)], [".F", "."]),
        ):
            orders = [Order("random", i, order, fresh=fresh) for i, order in enumerate(told)]
            done = _run(session, *orders, isolate=True)
            assert [done[order.name].outcomes for order in orders] == expected
        assert {path.name for path in suite.root.iterdir()} - {"__pycache__"} == {"pytest.ini", "test_a.py"}
        assert _outcomes(session, 1) == "."
        assert _outcomes(session, 0) == "F"  # without isolation, a file outlives the order


def test_probes_see_the_files_of_their_walk_and_none_of_each_others(written):
    """Probes, from the start and after each step of a walk that writes, makes a file, changes, and puts back."""
    text = """
        import os, pathlib
        FILE = pathlib.Path(__file__).with_name("sub") / "file"
        NEW = FILE.with_name("new")
        def test_as_it_was():
            assert FILE.read_text() == "as it was" and not NEW.exists()
        def test_write():
            assert FILE.read_text() == "as it was" and not NEW.exists()
            FILE.write_text("written")
            NEW.write_text("")
        def test_written():
            assert FILE.read_text() == "written" and NEW.exists()
        def test_again():
            FILE.write_text("again")
        def test_put_back():
            FILE.write_text("as it was")
            NEW.unlink()
        def test_nothing():
            pass
        """
    suite = written(test_a=text)
    (suite.root / "sub").mkdir()
    (suite.root / "sub" / "file").write_text("as it was")
    with Session(suite, 0, seed=1) as session:
        found = session.collected()
        if found.isolation != "overlay":
            pytest.skip(str(found.refused))
        walk = Order("walk", 0, (5, 1, 2, 3, 4, 5), probes=((0,), (1,), (0,), (2,)), each=True)
        (done,) = _run(session, walk, isolate=True).values()
        assert done.outcomes == "......"
        assert done.probed == ["...F", "...F", "FFF.", "FFF.", "FFFF", "...F", "...F"]
    assert (suite.root / "sub" / "file").read_text() == "as it was"


def test_what_a_probe_has_started_writes_into_no_other(written):
    """A process in a session of its own, which a probe of the first test leaves; the order's own goes on."""
    text = """
        import pathlib, subprocess, time
        FOLDER = pathlib.Path(__file__).parent
        def start(name):
            command = f"while sleep 0.05; do echo x >> {FOLDER / name}; done"
            subprocess.Popen(["sh", "-c", command], start_new_session=True)
        def test_leave():
            start("left")
        def test_sound():
            time.sleep(0.3)
            assert not (FOLDER / "left").exists()
        def test_serve():
            start("served")
        def test_served():
            size = (FOLDER / "served").stat().st_size
            time.sleep(0.5)
            assert (FOLDER / "served").stat().st_size > size
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        after = Order("after", 0, (2, 1), probes=((0,), (1,), (3,)))
        (done,) = _run(session, after, isolate=True).values()
    assert done.probed == ["..."]


# -- fresh interpreters --------------------------------------------------------------------------------------------


def test_a_fresh_interpreter_is_in_the_state_before_the_import(own_start, suite):
    """Warm alone is not cold alone: the import of another file has changed the environment."""
    with Session(suite("import_pollution"), 0, seed=1) as session:
        ids = session.collected().ids
        colour = (ids.index("test_default.py::test_colour"),)
        alone = Order("alone", 0, colour)
        cold_all, cold = Order("cold", 0, colour, fresh=True), Order("cold", 1, colour, fresh=True, only=True)
        done = _run(session, alone, cold_all, cold)
    assert [done[order.name].outcomes for order in (alone, cold_all, cold)] == ["F", "F", "."]


def test_a_fresh_interpreter_starts_where_the_first_did_and_waits_for_no_thread(own_start, written):
    text = """
        import os, signal, sys, tempfile, threading, time
        HERE, FIRST = os.getcwd(), sys.path[0]
        os.chdir(tempfile.gettempdir())
        os.environ["CHANGED"] = "1"
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        PATH = list(sys.path)
        def test_here():
            assert os.path.dirname(os.path.abspath(__file__)) == HERE
        def test_no_worker_on_the_path():
            assert not [entry for entry in PATH if os.path.exists(os.path.join(entry, "_parataxis_worker.py"))]
            assert HERE in PATH
        def test_stdin_is_empty():
            assert os.read(0, 1) == b""
        def test_thread():
            threading.Thread(target=time.sleep, args=(3600,)).start()
        """
    first = "import os, signal\nstate = os.environ.get('CHANGED'), signal.getsignal(signal.SIGUSR1)\n"
    first += "def test_clean(): assert state == (None, signal.SIG_DFL)\n"
    with Session(written("-s", test_a=first, test_b=text), 0, seed=1) as session:
        assert len(session.collected().ids) == 5
        order = (0, 1, 2, 3, 4)
        done = _run(session, Order("random", 0, order), Order("random", 1, order, fresh=True))
    assert [run.outcomes for run in done.values()] == [".....", "....."]
    assert max(run.seconds for run in done.values()) < LONG


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
        done = _run(other, *orders, Order("cold", 1, tuple(n)[:3], fresh=True, only=True))
    assert done["same/0"].outcomes == done["reverse/0"].outcomes[::-1] == first
    assert done["cold/1"].outcomes == first[:3]


def test_a_test_that_is_not_there_is_not_run(suite):
    with Session(
        suite("victim_and_polluter"), 0, seed=1, ids=["test_prices.py::test_gone", "test_prices.py::test_price"]
    ) as session:
        assert session.collected().missing == [0]
        assert _outcomes(session, 1, 0, 1) == ".-."


# -- plugins and environments --------------------------------------------------------------------------------------


def test_plugins_that_shuffle_are_off_and_their_options_known(written, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    tests = "".join(f"def test_{i}(): pass\n" for i in range(12))
    loaded = "import sys\ndef test_loaded(): assert 'pytest_randomly' in sys.modules\n"
    with Session(written("-p", "randomly", "--randomly-seed=5", test_a=tests, test_b=loaded), 0, seed=1) as session:
        ids = session.collected().ids
        assert ids == [*(f"test_a.py::test_{i}" for i in range(12)), "test_b.py::test_loaded"]
        assert _outcomes(session, *range(13)) == "." * 13


@pytest.fixture
def environment(tmp_path):
    """Another virtual environment, which has pytest and what that needs, and nothing of ours."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in ("pytest", "iniconfig", "packaging", "pluggy", "pygments"):
        distribution = importlib.metadata.distribution(name)
        for top in {path.parts[0] for path in distribution.files if path.parts[0] != ".."}:
            (packages / top).symlink_to(distribution.locate_file(top))
    return folder / "bin" / "python"


def test_a_suite_of_another_environment(written, environment, tmp_path, monkeypatch):
    """It has what the user's PYTHONPATH leads to, as under pytest itself, and nothing else of our own environment."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "theirs.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    text = """
        import os, shutil, sys
        import theirs
        def test_environment():
            assert sys.prefix.endswith("environment") and os.environ["VIRTUAL_ENV"] == sys.prefix
            assert shutil.which("python") == sys.executable
        def test_nothing_of_ours():
            for name in ("parataxis", "numpy", "psutil"):
                try:
                    __import__(name)
                except ImportError:
                    continue
                raise AssertionError(name)
        """
    suite = find_suite([written(test_a=text).root], python=environment)
    with Session(suite, 0, seed=1) as session:
        assert session.collected().pytest == pytest.__version__
        done = _run(session, Order("random", 0, (0, 1)), Order("random", 1, (1, 0), fresh=True))
    assert [run.outcomes for run in done.values()] == ["..", ".."]


def test_each_iteration_has_its_own_hash_seed_and_home(own_start, written):
    text = """
        import os
        def test_tell(): raise ValueError(f"{hash('a text')} {os.environ['HOME']}")
        """
    suite, told = written(test_a=text), []
    for iteration, how in [(0, {}), (1, {}), (1, {"hash_of": 0, "keep_home": True})]:
        with Session(suite, iteration, seed=1, **how) as session:
            session.collected()
            orders = [Order("random", 0, (0,)), *([Order("random", 1, (0,), fresh=True)] if how else [])]
            said = [run.messages[0].partition("ValueError: ")[2].split() for run in _run(session, *orders).values()]
            assert said[0] == said[-1]
            told.append(said[0])
    hashes, homes = zip(*told, strict=True)
    assert hashes[0] == hashes[2] != hashes[1]
    assert len(set(homes)) == 3
    assert homes[2] == os.environ["HOME"]


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"test_a": ""}, (), "pytest collected no tests; name the folder"),
        (
            {"test_a": "import no_such_module"},
            (),
            r"no tests \(test_a.py: ModuleNotFoundError: No module named 'no_such",
        ),
        ({"conftest": "1 +"}, (), "pytest ended with status 4 before it had collected: .*SyntaxError"),
        (
            {"test_a": ""},
            ("--no-such-option",),
            "pytest ended with status 4 .*unrecognized arguments: --no-such-option",
        ),
        ({"test_a": "import os; os._exit(3)"}, (), "pytest ended while it collected"),
    ],
)
def test_what_cant_be_collected_is_refused_with_the_reason(written, files, options, message):
    with Session(written(*options, **files), 0, seed=1) as session, pytest.raises(BadInput, match=message):
        session.collected()


def test_an_environment_without_pytest_is_refused(written, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    suite = written(test_a="def test(): pass")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = find_suite([suite.root], python=tmp_path / "bare" / "bin" / "python")
    with Session(bare, 0, seed=1) as session, pytest.raises(BadInput, match=r"has no pytest; install pytest>=7\.4"):
        session.collected()


def test_an_interpreter_that_does_not_start_is_refused(own_start, written, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(BadInput, match="it does not start"):
        Session(find_suite([written().root], python=broken), 0, seed=1)


# -- nothing is left behind ----------------------------------------------------------------------------------------


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    with open("{file}.part", "w") as stream:
        stream.write(str(os.getpid()))
    os.rename("{file}.part", "{file}")
    time.sleep(3600)
"""
SERVED = """
import os, subprocess, sys, time

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def test_served():
    subprocess.run([sys.executable, "-S", "-c", {code!r}], check=True)
    wait_for("{go_on}")
    os.kill(int(open("{file}").read()), 0)

def test_brief():
    wait_for("{file}")
"""


def test_a_daemon_ends_with_its_order_and_no_sooner(written, tmp_path):
    """Of two orders at a time one has a daemon; it outlives the end of others, and not that of its own."""
    daemon, go_on = tmp_path / "daemon", tmp_path / "go-on"
    text = SERVED.format(code=DAEMON.format(file=daemon), file=daemon, go_on=go_on)
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        orders = [Order("random", 0, (0,)), Order("random", 1, (1,)), Order("random", 2, (1,))]
        names = []
        for done in session.run(orders, LIMITS, seeded=[], isolate=False):
            assert done.outcomes == "."
            names.append(done.order.name)
            if len(names) == 2:
                assert alive(int(daemon.read_text()))
                go_on.touch()
        assert names == ["random/1", "random/2", "random/0"]
        assert gone([int(daemon.read_text())], 0)


def test_stopping_early_drops_what_is_under_way(written):
    text = "import time\ndef test_brief(): pass\ndef test_long(): time.sleep(3600)\n"
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        for other in (1, 0):  # one that runs still, one whose answer has come before it could be dropped
            orders = [Order("random", 0, (0,)), Order("random", 1, (other,))]
            next(session.run(orders, LIMITS, seeded=[], isolate=False)) if other else _stop_late(session, orders)
            assert _outcomes(session, 0, 0) == ".."
            assert len(_below(session._process.pid)) == 2  # the guardian and the supervisor


def _stop_late(session, orders):
    running = session.run(orders, LIMITS, seeded=[], isolate=False)
    next(running)
    assert until(lambda: len(_below(session._process.pid)) == 2)
    running.close()


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


def _below(pid):
    return [pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))]


def test_closing_ends_every_process_and_removes_the_folder(own_start, written, tmp_path):
    text = f"""
        import os, subprocess, time
        BUSY = {str(tmp_path / "busy")!r}
        def test_brief():
            while not os.path.exists(BUSY): time.sleep(0.01)
        def test_long():
            subprocess.Popen(["sleep", "3600"])
            open(BUSY, "w").close()
            time.sleep(3600)
        """
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        orders = [Order("random", 0, (0,)), Order("random", 1, (1,), fresh=True)]
        running = session.run(orders, LIMITS, seeded=[], isolate=False)  # once let go, it drops the second
        assert next(running).outcomes == "."
        pids, folder = _below(session._process.pid), session._folder
        assert len(pids) == 4
        assert os.getsid(session._process.pid) == session._process.pid  # Ctrl-C reaches the hunt alone
        assert folder.exists()
    assert gone(pids, 0)
    assert not folder.exists()


@pytest.mark.parametrize("when", ["while it collects", "while orders run"])
def test_a_killed_hunt_leaves_nothing(written, tmp_path, when):
    busy = tmp_path / "busy"
    text = f"""
        import subprocess, time
        def work():
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
            open({str(busy)!r}, "a").write("x")
            time.sleep(3600)
        """
    text = textwrap.dedent(text) + ("work()" if when == "while it collects" else "def test_long(): work()")
    wanted = 1 if when == "while it collects" else 2
    status, out, _ = in_child(killed_session, str(written(test_a=text).root), str(busy), wanted, cwd=tmp_path)
    assert status == -signal.SIGKILL
    pids, folder = json.loads(out)
    assert len(pids) >= 2 + 2 * wanted - 1
    assert gone(pids)
    assert until(lambda: not os.path.exists(folder))


def test_a_test_that_kills_its_parent_ends_the_session_and_no_more(written):
    text = """
        import os, signal, subprocess, time
        def test_kill():
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        pids = _below(session._process.pid)
        with pytest.raises(SessionDied):
            _outcomes(session, 0)
        assert gone(pids[1:])
        assert until(lambda: len(_below(session._process.pid)) == 1)  # the guardian hears of it when we do
        with pytest.raises(SessionDied):
            _outcomes(session, 0)


def test_a_suite_without_the_cache_provider_may_have_warnings_as_errors(written):
    suite = written("-p", "no:cacheprovider", "-W", "error", test_a="def test(): pass")
    with Session(suite, 0, seed=1) as session:
        assert len(session.collected().ids) == 1
