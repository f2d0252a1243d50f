"""Hunts that are as small as a test allows: suites side by side, few orders, a kill at a known place."""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hatchery import hatched

from waiting import alive

SUITES = Path(__file__).parent / "suites"
SIDE_BY_SIDE = """[pytest]
addopts = --import-mode=importlib
pythonpath = import_pollution
markers = order: place in the order
"""
LONGEST = 100.0
# Before the code of a hunt that has a process of its own.
SMALL = """
from parataxis.methods.flaky_tests import protocol
protocol.PROTOCOLS["quick"] = protocol.Protocol("quick", 1, same=1, shuffles=2, tuscan=False, replays=1)
"""
# Of `many_cleaners`: two cleaners before the polluter, two behind it, two victims.
SOME_CLEANERS = [
    f"test_many.py::test_{name}"
    for name in (
        "clean_before[0]",
        "clean_before[1]",
        "pollute",
        "clean_after[0]",
        "clean_after[1]",
        "victim[0]",
        "victim[1]",
    )
]
# A folder made at import, where nothing is put back.
ELSEWHERE = """import os, tempfile

FOLDER = tempfile.mkdtemp(dir={elsewhere!r})


def test_empty():
    assert os.listdir(FOLDER) == []


def test_write():
    open(os.path.join(FOLDER, "left"), "w").close()


def test_innocent():
    pass
"""
LEAN = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
}  # no plugin of our own environment: a suite's pytest starts in half the time


def copy_suites(folder: Path, *names: str) -> Path:
    """The planted suite of that name in the folder, or several side by side as one suite."""
    for name in names:
        to = folder if len(names) == 1 else folder / name
        shutil.copytree(SUITES / name, to, ignore=shutil.ignore_patterns("__pycache__", ".*"), dirs_exist_ok=True)
    if len(names) > 1:
        (folder / "pytest.ini").write_text(SIDE_BY_SIDE)
    return folder


def leaves_elsewhere(folder: Path) -> Path:
    suite, elsewhere = folder / "suite", folder / "elsewhere"
    suite.mkdir()
    elsewhere.mkdir()
    (suite / "pytest.ini").write_text("[pytest]\n")
    (suite / "test_left.py").write_text(ELSEWHERE.format(elsewhere=str(elsewhere)))
    return suite


@contextlib.contextmanager
def smaller(own_start: bool = False, **settings: int) -> Iterator[None]:
    """Hunts by a protocol with only as many orders as a test needs; its name stays quick.

    own_start: each session starts an interpreter of its own, as it does for a user.
    """
    from unittest.mock import patch

    from parataxis.methods.flaky_tests import protocol

    base = protocol.Protocol("quick", iterations=1, same=1, shuffles=1, tuscan=False, replays=1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, LEAN))
        stack.enter_context(patch.dict(protocol.PROTOCOLS, quick=replace(base, **settings)))
        if not own_start:
            stack.enter_context(hatched())
        yield


def open_lab(folder: Path, tests: Sequence[str]) -> Any:
    """A lab on a suite, or some tests of it, in which nothing is left to chance: one collection tells all of it."""
    from unittest.mock import patch

    from parataxis.methods.flaky_tests.lab import ITERATION, Lab
    from parataxis.methods.flaky_tests.session import Limits, Session
    from parataxis.methods.flaky_tests.suite import find_suite
    from parataxis.methods.flaky_tests.survey import head_of

    suite = find_suite([folder / test for test in tests] or [folder])
    with patch.dict(os.environ, LEAN), hatched():
        session = Session(suite, ITERATION, seed=0, jobs=2)
    found = session.collected()
    asked = {"root": str(folder), "arguments": list(suite.arguments), "protocol": "", "level": "", "seed": 0}
    head = head_of(suite, found, found, timeout=LONGEST, **asked)
    return Lab(suite, head, Limits(LONGEST, {}, 0.0), jobs=2, session=session)


def killed_hunt(root: str, settings: dict[str, int], orders: int, how: dict[str, Any]) -> None:
    """A hunt that is killed (SIGKILL) once it has recorded so many orders; prints which processes it has then."""
    from parataxis.methods.flaky_tests.hunting import hunt

    def watch(progress: Any) -> None:
        if progress.done == orders:
            _end_now()

    with smaller(own_start=True, **settings):
        hunt([root], watch=watch, **how)


def killed_session(root: str, busy: str, wanted: int) -> None:
    """A session that is killed (SIGKILL) once a file has so many bytes; prints its processes and its folder then."""
    from parataxis.methods.flaky_tests.session import Limits, Order, Session
    from parataxis.methods.flaky_tests.suite import find_suite

    session = Session(find_suite([Path(root)]), 0, seed=1, jobs=2)
    _end_once(lambda: os.path.exists(busy) and os.path.getsize(busy) >= wanted, str(session._folder))
    session.collected()
    orders = [Order("random", i, (0,), fresh=i > 0) for i in range(2)]
    list(session.run(orders, Limits(LONGEST, {}, LONGEST), seeded=[], isolate=False))


def killed_study(project: Any, out: str, code: str, orders: int) -> None:
    """A study that is killed (SIGKILL) once so many orders are recorded; prints its processes then.

    code: of the hunt, which has a process of its own.
    """
    from parataxis.methods.flaky_tests import stages
    from parataxis.methods.flaky_tests.many import hunt_many

    def recorded() -> bool:
        return any(file.read_bytes().count(b"\n") > orders for file in Path(out).glob("*/hunt/hunt.jsonl"))

    stages.HUNT = code
    _end_once(recorded)
    hunt_many([project], Path(out))


def hunt_read_only(root: str, out: str) -> list[Any]:
    """A hunt whose suite can't write where permissions forbid it, not even as root; how its tests ended."""
    import ctypes

    from parataxis.methods.flaky_tests.hunting import hunt

    ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: of all that is started from here on
    with smaller(own_start=True):
        report = hunt([root], out=Path(out))
    return [report.exit_status, report.head.isolation, sorted({run.outcomes for run in report.runs})]


def _end_once(ready: Callable[[], bool], *more: str) -> None:
    """Look every few milliseconds, whatever this process does or waits for; kill it (SIGKILL) when it is so."""

    def look(*_: Any) -> None:
        if ready():
            _end_now(*more)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)


def _end_now(*more: str) -> None:
    import psutil

    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps([[each.pid for each in psutil.Process().children(recursive=True)], *more]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def gone(pids: Sequence[int], seconds: float = LONGEST) -> bool:
    """Wait until none of these processes runs; whether that is so, in the end."""
    return until(lambda: not any(alive(pid) for pid in pids), seconds)


def until(done: Callable[[], bool], seconds: float = LONGEST) -> bool:
    """Wait until something is so; whether it is, in the end."""
    end = time.monotonic() + seconds
    while not (so := done()) and time.monotonic() < end:
        time.sleep(0.01)
    return so


def taken_over(*arguments: str) -> int | None:
    """What our plugin makes of `pytest *arguments`: an exit status, or nothing."""
    import pytest

    import parataxis_pytest

    return parataxis_pytest.pytest_cmdline_main(pytest.Config.fromdictargs({}, list(arguments)))


def usage_errors(calls: list[list[str]]) -> list[str]:
    """What `pytest` says of each of these command lines, none of which it accepts."""
    import pytest

    said = []
    for arguments in calls:
        with pytest.raises(pytest.UsageError) as caught:
            pytest.Config.fromdictargs({}, arguments)
        said.append(str(caught.value))
    return said
