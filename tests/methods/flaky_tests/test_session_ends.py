"""Sessions from start to end: interpreters and environments, what is refused, and what is left behind (nothing)."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from hunts import gone, killed_session, until
from sessions import LIMITS, LONG, outcomes_of, ran

from nursery import in_child
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.session import Order, Session, SessionDied
from parataxis.methods.flaky_tests.suite import find_suite
from waiting import alive

pytestmark = pytest.mark.usefixtures("forks")

# -- fresh interpreters --------------------------------------------------------------------------------------------


def test_a_fresh_interpreter_is_in_the_state_before_the_import(own_start, suite):
    """Warm alone is not cold alone: the import of another file has changed the environment."""
    with Session(suite("import_pollution"), 0, seed=1) as session:
        ids = session.collected().ids
        colour = (ids.index("test_default.py::test_colour"),)
        alone = Order("alone", 0, colour)
        cold_all, cold = Order("cold", 0, colour, fresh=True), Order("cold", 1, colour, fresh=True, only=True)
        done = ran(session, alone, cold_all, cold)
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
        done = ran(session, Order("random", 0, order), Order("random", 1, order, fresh=True))
    assert [run.outcomes for run in done.values()] == [".....", "....."]
    assert max(run.seconds for run in done.values()) < LONG


def test_a_test_that_is_not_there_is_notran(suite):
    with Session(
        suite("victim_and_polluter"), 0, seed=1, ids=["test_prices.py::test_gone", "test_prices.py::test_price"]
    ) as session:
        assert session.collected().missing == [0]
        assert outcomes_of(session, 1, 0, 1) == ".-."


# -- plugins and environments --------------------------------------------------------------------------------------


def test_plugins_that_shuffle_are_off_and_their_options_known(written, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    tests = "".join(f"def test_{i}(): pass\n" for i in range(12))
    loaded = "import sys\ndef test_loaded(): assert 'pytest_randomly' in sys.modules\n"
    with Session(written("-p", "randomly", "--randomly-seed=5", test_a=tests, test_b=loaded), 0, seed=1) as session:
        ids = session.collected().ids
        assert ids == [*(f"test_a.py::test_{i}" for i in range(12)), "test_b.py::test_loaded"]
        assert outcomes_of(session, *range(13)) == "." * 13


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
        done = ran(session, Order("random", 0, (0, 1)), Order("random", 1, (1, 0), fresh=True))
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
            said = [run.messages[0].partition("ValueError: ")[2].split() for run in ran(session, *orders).values()]
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
            assert outcomes_of(session, 0, 0) == ".."
            assert len(_below(session._process.pid)) == 2  # the guardian and the supervisor


def _stop_late(session, orders):
    running = session.run(orders, LIMITS, seeded=[], isolate=False)
    next(running)
    assert until(lambda: len(_below(session._process.pid)) == 2)
    running.close()


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
            outcomes_of(session, 0)
        assert gone(pids[1:])
        assert until(lambda: len(_below(session._process.pid)) == 1)  # the guardian hears of it when we do
        with pytest.raises(SessionDied):
            outcomes_of(session, 0)


def test_a_suite_without_the_cache_provider_may_have_warnings_as_errors(written):
    suite = written("-p", "no:cacheprovider", "-W", "error", test_a="def test(): pass")
    with Session(suite, 0, seed=1) as session:
        assert len(session.collected().ids) == 1
