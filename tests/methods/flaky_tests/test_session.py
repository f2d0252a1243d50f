"""Real suites, real processes: what a session says of an order, and what it leaves behind (nothing)."""

import importlib.metadata
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from suites.cases import CASES

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.session import Limits, Order, Session, SessionDied
from parataxis.methods.flaky_tests.suite import find_suite

pytestmark = pytest.mark.usefixtures("lean")

LIMITS = Limits(10.0, {}, 30.0)
BRIEF = Limits(0.3, {}, 30.0)


def _run(session, *orders, limits=LIMITS, isolate=False, seeded=()):
    return {done.order.name: done for done in session.run(orders, limits, seeded=list(seeded), isolate=isolate)}


def _outcomes(session, *order, **how):
    """The outcomes of one forked order, told by places."""
    return _run(session, Order("random", 0, tuple(order)), **how)["random/0"].outcomes


def _alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _gone(pids, seconds=10.0):
    until = time.monotonic() + seconds
    while any(_alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# -- what comes of an order ----------------------------------------------------------------------------------------

ELSEWHERE = ("closes_descriptors", "breaks_runner", "leaves_daemon", "not_idempotent", "random_seeded", "forty_one")
CHAINS = [name for name, case in CASES.items() if case.failing and name not in ELSEWHERE]
CONSTANT = [
    name
    for name, case in CASES.items()
    if not (case.kinds or case.refused or case.declared or case.threads or case.breakers or case.import_time)
    and name not in ELSEWHERE
]


@pytest.mark.parametrize("name", CHAINS)
def test_planted_chains_end_as_they_should(suite, name):
    case = CASES[name]
    with Session(suite(name), 0, seed=1) as session:
        ids = session.collected().ids
        assert len(ids) == case.tests
        chains = [*case.failing[:3], *case.passing[:3]]
        orders = [Order("chain", i, tuple(ids.index(test) for test in chain)) for i, chain in enumerate(chains)]
        done = _run(session, *orders, limits=BRIEF, isolate=True)
    last = [done[order.name].outcomes[-1] for order in orders]
    failing = len(case.failing[:3])
    assert set(last[:failing]) <= set("FECT")
    assert set(last[failing:]) == {"."}


@pytest.mark.parametrize("name", CONSTANT)
def test_what_is_not_flaky_is_the_same_in_every_order(suite, name):
    with Session(suite(name), 0, seed=1, jobs=2) as session:
        found = session.collected()
        assert len(found.ids) == CASES[name].tests
        assert [error[0] for error in found.errors] == list(CASES[name].errors)
        places = range(len(found.ids))
        orders = [tuple(places), tuple(reversed(places)), (*places[2:], *places[:2]), (*places[1::2], *places[::2])]
        done = _run(session, *(Order("random", i, order) for i, order in enumerate(orders)), seeded=found.fingerprints)
    by_test = [
        "".join(o for _, o in sorted(zip(order, done[f"random/{i}"].outcomes, strict=True)))
        for i, order in enumerate(orders)
    ]
    assert len(set(by_test)) == 1
    assert "-" not in by_test[0]
    letters = {"p": ".", "F": "F", "s": "s", "E": "E"}
    if name == "expected_failures":
        assert by_test[0] == "".join(letters[nodeid.partition("::test_")[2][0]] for nodeid in found.ids)


def test_a_crash_is_not_a_failure_of_the_tests_that_did_not_run(suite):
    with Session(suite("crashes_in_order"), 0, seed=1) as session:
        assert [i.partition("::")[2] for i in session.collected().ids] == [
            "test_read",
            "test_before",
            "test_free",
            "test_after",
        ]
        assert _outcomes(session, 1, 2, 0, 3) == "..C-"
        assert _outcomes(session, 0, 1, 2, 3) == "...."  # the next order is not hit


def test_a_killed_group_is_the_orders_own(suite):
    with Session(suite("kills_group"), 0, seed=1, jobs=2) as session:
        session.collected()
        orders = [Order("random", i, order) for i, order in enumerate([(0, 2, 1), (0, 1), (1, 0)])]
        assert [done.outcomes for _, done in sorted(_run(session, *orders).items())] == [".C-", "..", ".."]


def test_closed_descriptors_lose_no_record(suite):
    with Session(suite("closes_descriptors"), 0, seed=1) as session:
        session.collected()
        assert _outcomes(session, 0, 2, 1) == ".FE"
        assert _outcomes(session, 0, 1) == ".."


def test_when_pytest_itself_ends_the_message_says_so(suite):
    with Session(suite("breaks_runner"), 0, seed=1) as session:
        session.collected()
        done = _run(session, Order("random", 0, (0, 1, 2)))["random/0"]
    assert done.outcomes == "..C"
    assert done.messages == {2: "pytest itself ended: TypeError: 'NoneType' object is not callable"}


def test_failed_teardown_of_shared_fixtures_is_told_apart(suite):
    with Session(suite("teardown_errors"), 0, seed=1) as session:
        ids = session.collected().ids
        own = ids.index("test_teardown.py::test_own_fixture")
        done = _run(session, Order("same", 0, tuple(range(6))))["same/0"]
    assert done.outcomes == "".join("E" if i == own else "." for i in range(6))
    assert done.leaving == [1, 3, 5]  # after the two classes and, at the end, the module
    assert [done.messages[i].partition(": ")[2] for i in done.leaving] == [
        "RuntimeError: table is locked",
        "Failed: index is locked",
        "OSError: server did not stop",
    ]


def test_fixtures_live_as_long_as_their_tests_are_together(written, tmp_path):
    log = tmp_path / "log"
    conftest = f"""
        import pytest

        def say(text):
            with open({str(log)!r}, "a") as stream:
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
    tests = """
        def test_0(module, own): pass
        class TestK:
            def test_1(self, klass, own): pass
            def test_2(self, own): pass
        """
    with Session(written(conftest=conftest, test_a=tests, test_b=tests), 0, seed=1) as session:
        assert len(session.collected().ids) == 6
        for order, expected in [
            ((0, 1, 2), "(a test_0 (S (K test_1 test_2 K) a) S)"),
            ((1, 3, 2), "(S (a (K test_1 K) a) (b test_0 b) test_2 S)"),
            ((1, 0, 4), "(S (a (K test_1 K) test_0 a) (b (K test_1 K) b) S)"),
        ]:
            log.write_text("")
            assert _outcomes(session, *order) == "..."
            assert log.read_text().strip() == expected


def test_one_test_may_be_run_again_in_one_process(suite):
    with Session(suite("not_idempotent"), 0, seed=1) as session:
        session.collected()
        fresh = Order("fresh", 0, (1, 0, 1, 0), fresh=True, only=True)
        done = _run(session, Order("random", 0, (0, 0, 1, 1)), fresh)
    assert done["random/0"].outcomes == ".F.."
    assert done["fresh/0"].outcomes == "...F"


def test_a_test_may_ask_for_the_terminal_reporter(written):
    text = """
        def test_reporter(request):
            reporter = request.config.pluginmanager.get_plugin("terminalreporter")
            reporter.write_line("here")
            assert reporter.verbosity == 0
        """
    suite = written(test_a=text)
    for options in ((), ("-p", "no:terminal")):
        with Session(find_suite([suite.root], options), 0, seed=1) as session:
            session.collected()
            assert _outcomes(session, 0) == ("F" if options else ".")


# -- deadlines -----------------------------------------------------------------------------------------------------


def test_deadlines(written):
    text = """
        import time
        def test_brief(): pass
        def test_slow(): time.sleep(0.6)
        def test_never():
            while True: time.sleep(60)
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        began = time.monotonic()
        assert _outcomes(session, 0, 2, 0, limits=BRIEF) == ".T-"
        assert time.monotonic() - began < 3
        assert _outcomes(session, 1, limits=BRIEF) == "T"
        assert _outcomes(session, 0, 1, 0, limits=Limits(0.3, {1: 5.0}, 30.0)) == "..."  # a slow test has its own limit
        assert _outcomes(session, 1, 1, 0, limits=Limits(5.0, {}, 1.0)) == ".T-"
        fresh = Order("fresh", 0, (0, 2, 0), fresh=True)
        assert _run(session, fresh, limits=BRIEF)["fresh/0"].outcomes == ".T-"
        never = Order("fresh", 1, (0,), fresh=True)
        assert (
            _run(session, never, limits=Limits(5.0, {}, 30.0, start=0.01))["fresh/1"].outcomes == "-"
        )  # did not begin


def test_a_stopped_clock_stops_neither_durations_nor_deadlines(written, suite):
    with Session(suite("freezes_clock"), 0, seed=1) as session:
        session.collected()
        done = _run(session, Order("random", 0, (1, 2, 3)))["random/0"]
        assert done.outcomes == "..."
        assert 0.05 <= done.durations[1] < 1
    text = """
        import time
        sleep, real = time.sleep, time.monotonic()
        time.monotonic = time.time = time.perf_counter = lambda: real  # stopped when it is imported
        def test_never():
            while True: sleep(60)
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        assert _outcomes(session, 0, limits=BRIEF) == "T"


# -- what a fork shares --------------------------------------------------------------------------------------------


def test_seeded_generators_are_as_in_a_fresh_interpreter(suite):
    with Session(suite("random_seeded"), 0, seed=1) as one, Session(suite("random_seeded"), 1, seed=1) as other:
        seeded = set(one.collected().fingerprints) & set(other.collected().fingerprints)
        assert len(seeded) == 4
        orders = [Order("random", i, order) for i, order in enumerate([(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)])]
        for session in (one, other):
            assert {done.outcomes for done in _run(session, *orders, seeded=seeded).values()} == {"....."}


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


def test_each_order_has_a_folder_for_temporary_files_of_its_own(written):
    text = """
        import os, tempfile
        def test_first(tmp_path):
            open(os.path.join(tempfile.gettempdir(), "left"), "w").close()
            raise ValueError(f"{tmp_path} {tempfile.gettempdir()} {os.environ['TMPDIR']}")
        def test_second(tmp_path):
            assert not os.path.exists(os.path.join(tempfile.gettempdir(), "left"))
        """
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        one, other, clean = _run(
            session, *(Order("random", i, order) for i, order in enumerate([(0,), (0,), (1,)]))
        ).values()
        assert clean.outcomes == "."
        folders = [done.messages[0].partition("ValueError: ")[2].split() for done in (one, other)]
        for tmp_path, *tmp in folders:
            assert tmp[0] == tmp[1] == os.path.dirname(os.path.dirname(tmp_path))
            assert not os.path.exists(tmp[0])
        assert not set(folders[0]) & set(folders[1])


def test_captured_output_is_the_orders_own(written):
    text = """
        import os
        def test_crash():
            print("from the crash", flush=True); os.write(1, b"from the crash")
            os._exit(1)
        def test_output(capfd):
            print("mine"); os.write(2, b"mine too")
            assert capfd.readouterr() == ("mine\\n", "mine too")
        """
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        orders = [Order("random", i, (0,) if i % 3 == 0 else (1, 1)) for i in range(9)]
        done = _run(session, *orders)
    assert [done[order.name].outcomes for order in orders] == ["C", "..", ".."] * 3


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
        for fresh in (False, True):
            orders = [Order("random", i, order, fresh=fresh) for i, order in enumerate([(0, 1), (0,), (1, 0)])]
            done = _run(session, *orders, isolate=True)
            assert [done[order.name].outcomes for order in orders] == ["..", ".", ".F"]
        assert {path.name for path in suite.root.iterdir()} - {"__pycache__"} == {"pytest.ini", "test_a.py"}
        assert _outcomes(session, 1) == "."
        assert _outcomes(session, 0) == "F"  # without isolation, a file outlives the order


# -- fresh interpreters --------------------------------------------------------------------------------------------


def test_a_fresh_interpreter_is_in_the_state_before_the_import(suite):
    """Warm alone is not cold alone: the import of another file has changed the environment."""
    with Session(suite("import_pollution"), 0, seed=1) as session:
        ids = session.collected().ids
        colour = (ids.index("test_default.py::test_colour"),)
        alone = Order("alone", 0, colour)
        cold_all, cold = Order("cold", 0, colour, fresh=True), Order("cold", 1, colour, fresh=True, only=True)
        done = _run(session, alone, cold_all, cold)
    assert [done[order.name].outcomes for order in (alone, cold_all, cold)] == ["F", "F", "."]


def test_a_fresh_interpreter_starts_where_the_first_did(written):
    text = """
        import os, signal, sys, tempfile
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
        """
    first = "import os, signal\nstate = os.environ.get('CHANGED'), signal.getsignal(signal.SIGUSR1)\n"
    first += "def test_clean(): assert state == (None, signal.SIG_DFL)\n"
    with Session(written("-s", test_a=first, test_b=text), 0, seed=1) as session:
        assert len(session.collected().ids) == 4
        done = _run(session, Order("random", 0, (0, 1, 2, 3)), Order("random", 1, (0, 1, 2, 3), fresh=True))
    assert [run.outcomes for run in done.values()] == ["....", "...."]


def test_a_fresh_interpreter_waits_for_no_thread(written):
    text = """
        import threading, time
        def test_thread(): threading.Thread(target=time.sleep, args=(60,)).start()
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        for fresh in (False, True):
            done = _run(session, Order("random", 0, (0,), fresh=fresh))["random/0"]
            assert done.outcomes == "."
            assert done.seconds < 5


def test_threads_at_import_are_reported(suite):
    with Session(suite("thread_at_import"), 0, seed=1) as session:
        found = session.collected()
        assert found.threads == 2
        assert found.fork
        assert _run(session, Order("same", 0, (0, 1), fresh=True))["same/0"].outcomes == ".."


def test_unstable_ids_name_the_same_tests_in_every_process(suite):
    with Session(suite("unstable_ids"), 0, seed=1) as one:
        ids = one.collected().ids
        order = tuple(range(len(ids)))
        first = _run(one, Order("same", 0, order))["same/0"].outcomes
    assert first.count("s") == 3
    with Session(suite("unstable_ids"), 1, seed=1, ids=ids) as other:
        found = other.collected()
        assert found.ids != ids
        assert found.missing == []
        done = _run(
            other,
            Order("same", 0, order),
            Order("reverse", 0, order[::-1]),
            Order("cold", 0, order, fresh=True),
            Order("cold", 1, order[:3], fresh=True, only=True),
        )
    assert done["same/0"].outcomes == done["reverse/0"].outcomes[::-1] == done["cold/0"].outcomes == first
    assert done["cold/1"].outcomes == first[:3]


def test_a_test_that_is_not_there_is_not_run(suite):
    with Session(
        suite("victim_and_polluter"), 0, seed=1, ids=["test_prices.py::test_gone", "test_prices.py::test_price"]
    ) as session:
        assert session.collected().missing == [0]
        assert _outcomes(session, 1, 0, 1) == ".-."


# -- plugins and environments --------------------------------------------------------------------------------------


def test_declared_orders_are_reported(suite):
    with Session(suite("order_markers"), 0, seed=1) as session:
        found = session.collected()
        assert tuple(found.ids[place] for place in found.declared) == CASES["order_markers"].declared
        assert _outcomes(session, *range(5)) == "....."


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


def test_a_suite_of_another_environment(written, environment):
    text = """
        import os, shutil, sys
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


def test_each_iteration_has_its_own_hash_seed_and_home(written):
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


def test_an_environment_without_pytest_is_refused(written, tmp_path):
    suite = written(test_a="def test(): pass")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = find_suite([suite.root], python=tmp_path / "bare" / "bin" / "python")
    with Session(bare, 0, seed=1) as session, pytest.raises(BadInput, match=r"has no pytest; install pytest>=7\.4"):
        session.collected()


def test_an_interpreter_that_does_not_start_is_refused(written, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(BadInput, match="it does not start"):
        Session(find_suite([written().root], python=broken), 0, seed=1)


# -- nothing is left behind ----------------------------------------------------------------------------------------


def test_a_daemon_ends_with_its_order_and_no_sooner(written, tmp_path, suite):
    daemon = (Path(__file__).parent / "suites" / "leaves_daemon" / "test_daemon.py").read_text()
    text = daemon + "\nimport time\ndef test_lasts():\n    time.sleep(1)\n"
    text = text.replace('os.environ.get("DAEMON_FILE")', "True").replace(
        'os.environ["DAEMON_FILE"]', repr(str(tmp_path / "pids"))
    )
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        start, bystander, lasts = range(len(session.collected().ids))
        # The first order starts a daemon and goes on; the second is done meanwhile, and must not take it down.
        orders = [
            Order("random", 0, (start, lasts)),
            Order("random", 1, (bystander,)),
            Order("random", 2, (bystander,)),
        ]
        names = []
        for done in session.run(orders, LIMITS, seeded=[], isolate=False):
            names.append(done.order.name)
            if len(names) == 2:
                until = time.monotonic() + 5
                while not (pids := (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []):
                    assert time.monotonic() < until
                    time.sleep(0.02)
        assert names[-1] == "random/0"
        assert _gone([int(pids[0])], 0)


def test_a_daemon_outlives_other_orders(written, tmp_path):
    file = tmp_path / "pid"
    code = f"import os, time\nif os.fork() == 0:\n os.setsid()\n open({str(file)!r}, 'w').write(str(os.getpid()))\n"
    text = f"""
        import os, subprocess, sys, time
        def daemon():
            return int(open({str(file)!r}).read() or 0) if os.path.exists({str(file)!r}) else 0
        def test_served():
            subprocess.run([sys.executable, "-S", "-c", {code + " time.sleep(3600)"!r}], check=True)
            while not daemon():
                time.sleep(0.01)
            time.sleep(0.8)
            os.kill(daemon(), 0)
        def test_brief():
            while not daemon():
                time.sleep(0.01)
        """
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        done = _run(session, Order("random", 0, (0,)), Order("random", 1, (1,)), Order("random", 2, (1,)))
        assert list(done) == ["random/1", "random/2", "random/0"]
        assert {run.outcomes for run in done.values()} == {"."}
        assert _gone([int(file.read_text())], 0)


def test_stopping_early_drops_what_is_under_way(written):
    text = "import time\ndef test_brief(): pass\ndef test_long(): time.sleep(60)\n"
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
    while len(_below(session._process.pid)) > 2:
        time.sleep(0.01)
    running.close()


def test_orders_are_taken_one_by_one(suite):
    """So that the next may depend on what came of the last."""
    with Session(suite("victim_and_polluter"), 0, seed=1) as session:
        session.collected()
        seen = []

        def orders():
            for i in range(3):
                assert len(seen) == i
                yield Order("random", i, (i,))

        seen.extend(session.run(orders(), LIMITS, seeded=[], isolate=False))
        assert len(seen) == 3


def _below(pid):
    return [pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))]


def test_closing_ends_every_process_and_removes_the_folder(written):
    text = "import time, subprocess\ndef test_long():\n    subprocess.Popen(['sleep', '3600'])\n    time.sleep(60)\n"
    with Session(written(test_a=text), 0, seed=1, jobs=2) as session:
        session.collected()
        running = session.run(
            [Order("random", i, (0,), fresh=i > 0) for i in range(2)], Limits(1.0, {}, 30.0), seeded=[], isolate=False
        )
        next(running)
        pids, folder = _below(session._process.pid), session._folder
        assert len(pids) >= 4
        assert os.getsid(session._process.pid) == session._process.pid  # Ctrl-C reaches the hunt alone
        assert folder.exists()
    assert _gone(pids, 0)
    assert not folder.exists()


HUNT = """
import sys
from pathlib import Path
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.suite import find_suite

session = Session(find_suite([Path(sys.argv[1])]), 0, seed=1, jobs=2)
print(session._process.pid, session._folder, flush=True)
session.collected()
orders = [Order("random", i, (0,), fresh=i > 0) for i in range(2)]
print(list(session.run(orders, Limits(100.0, {}, 100.0), seeded=[], isolate=False)))
"""


@pytest.mark.parametrize("when", ["while it collects", "while orders run"])
def test_a_killed_hunt_leaves_nothing(written, tmp_path, when):
    busy = f"""
        import subprocess, time
        def work():
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
            open({str(tmp_path)!r} + "/busy", "a").write("x")
            time.sleep(3600)
        """
    text = textwrap.dedent(busy) + ("work()" if when == "while it collects" else "def test_long(): work()")
    script = tmp_path / "hunt.py"
    script.write_text(HUNT)
    hunt = subprocess.Popen([sys.executable, script, written(test_a=text).root], stdout=subprocess.PIPE, text=True)
    pid, folder = hunt.stdout.readline().split()
    wanted, until = 1 if when == "while it collects" else 2, time.monotonic() + 20
    while not (tmp_path / "busy").exists() or len((tmp_path / "busy").read_text()) < wanted:
        assert time.monotonic() < until
        time.sleep(0.02)
    pids = _below(int(pid))
    assert len(pids) >= 2 + wanted
    os.kill(hunt.pid, signal.SIGKILL)
    hunt.wait()
    hunt.stdout.close()
    assert _gone(pids)
    until = time.monotonic() + 5
    while os.path.exists(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert not os.path.exists(folder)


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
        assert _gone(pids[1:])
        deadline = time.monotonic() + 10  # the guardian hears of it when we do
        while (left := psutil.Process(session._process.pid).children(recursive=True)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left == []
        with pytest.raises(SessionDied):
            _outcomes(session, 0)


def test_a_suite_without_the_cache_provider_may_have_warnings_as_errors(suite):
    with Session(suite("clean", "-p", "no:cacheprovider", "-W", "error"), 0, seed=1) as session:
        assert len(session.collected().ids) == 31
