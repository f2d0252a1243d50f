"""Ours against the published tools on the same suites in one run: what each finds, and in how long.

    python benchmarks/flaky_peers.py                                    all, more than an hour
    python benchmarks/flaky_peers.py --folder peers --suite base10      the environments are kept in `peers`

pairs: does a test fail after another: a fork of a collected session against a new pytest. search: who makes a known
test fail (or, if it fails alone, pass): `parataxis tests polluters`, the whole command, against detect-test-pollution,
ipflakies and pytest-find-dependencies. hunt: which tests are flaky: `parataxis tests hunt` against as many orders of
pytest-random-order, and ipflakies given as many.

All run in the suite's own environment, with the same options; ipflakies, which pins pytest 6.2.5, in one of its own, on
a terminal, which it needs, and in a copy of the suite, in which it leaves files. Each has written its bytecode before.
Rounds alternate; the tables give the median of each, and how many times ours that is. What takes more than half a
minute is run once; a peer is ended after --limit seconds.
"""

import argparse
import contextlib
import json
import os
import platform
import pty
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import IO, Any

from flaky_hunt import seconds
from flaky_peers_setup import PEERS, Place, alike_for_all, listed, set_up
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.suite import Suite, find_suite

OURS = str(Path(sys.executable).with_name("parataxis"))
LONG = 30.0  # seconds; what takes longer is run once
BARE = "the same, bytecode of the tests not cached"
OWN = "the same, with the options of the suite's own addopts"
BESIDE = os.cpu_count() or 1  # pairs at a time
PAIRS = 200  # at most, over which the price of a pair is averaged


@dataclass(frozen=True)
class Ran:
    """A command, or several in a row; status is the last one's, None if it was ended at the limit."""

    wall: float
    cpu: float
    status: int | None = 0
    output: str = ""


@dataclass(frozen=True)
class Answer:
    """What a tool named, and if that is nothing, its last word on it."""

    ran: Ran
    named: frozenset[str]
    says: str


def run(command: Sequence[str], cwd: Path, limit: float = 3600.0, terminal: bool = False) -> Ran:
    told: list[tuple[int | None, str]] = []

    def work() -> None:
        with tempfile.TemporaryFile() as file:
            status = _run(command, cwd, limit, file, terminal)
            file.seek(0)
            told.append((status, file.read().decode(errors="replace")))

    wall, cpu = seconds(work)
    return Ran(wall, cpu, *told[0])


def _run(command: Sequence[str], cwd: Path, limit: float, file: IO[bytes], terminal: bool) -> int | None:
    master, slave = pty.openpty() if terminal else (-1, file.fileno())
    process = subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, start_new_session=True
    )
    if terminal:
        os.close(slave)
        reader = threading.Thread(target=_copy, args=(master, file))
        reader.start()
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if terminal:
            reader.join()


def _copy(master: int, file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while data := os.read(master, 1 << 16):
            file.write(data)
    os.close(master)


def pytest(place: Place, *words: str) -> list[str]:
    return [str(place.python), "-m", "pytest", "-q", *words]


# -- a pair ------------------------------------------------------------------------------------------------------------


def pairs(place: Place, rounds: int) -> Iterator[list[str]]:
    suite = find_suite([place.root / place.tests])
    test, culprits = next(iter(place.known.items()))
    culprit = min(culprits)
    with Session(suite, 0, seed=0) as session:
        ids = session.collected().ids
    others = [culprit, *(nodeid for nodeid in ids[:: -(-len(ids) // PAIRS)] if nodeid not in (culprit, test))]
    orders = [Order("pair", k, (ids.index(other), ids.index(test))) for k, other in enumerate(others)]
    empty, full, beside = list[Ran](), list[Ran](), list[Ran]()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(f"{culprit}\n{test}\n")
        file.flush()
        words = ("-p", "detect_test_pollution", place.tests, f"--dtp-testids-input-file={file.name}")
        theirs: dict[str, tuple[list[str], list[Ran]]] = {
            "pytest, two node ids": (pytest(place, culprit, test), []),
            "pytest as detect-test-pollution starts it": (pytest(place, *words), []),
        }
        theirs |= {name: (pytest(place, *words), []) for name in (OWN, BARE) if name == BARE or place.options}
        for _ in range(rounds):
            empty.append(_forks(suite, ids, []))
            full.append(_forks(suite, ids, orders))
            beside.append(_forks(suite, ids, orders, jobs=BESIDE))
            for name, (command, rans) in theirs.items():
                with _set_for(name, place):
                    rans.append(run(command, place.root))
            run(command, place.root)  # for its bytecode
        if place.options:
            with _own_options():
                own = _each(_forks(suite, ids, orders), _forks(suite, ids, []), len(orders))
    start, end = median(empty), full[0].output
    fork, one_of_two = (_each(median(whole), start, len(orders)) for whole in (full, beside))
    first = Ran(start.wall + fork.wall, start.cpu + fork.cpu)
    yield [place.name, f"a fork, mean of {len(orders)} pairs", end, *_times(fork, None, 4)]
    yield [place.name, f"the same, {BESIDE} at a time", end, *_times(one_of_two, fork, 4)]
    yield [place.name, "a session's start and one fork", end, *_times(first, fork, 4)]
    if place.options:
        yield [place.name, "a fork, with the options of the suite's own addopts", end, *_times(own, fork, 4)]
    for name, (_, rans) in theirs.items():
        ours = own if name == OWN else fork
        yield [place.name, name, {0: ".", 1: "F"}[rans[0].status or 0], *_times(median(rans), ours, 4)]


def _each(whole: Ran, start: Ran, pairs: int) -> Ran:
    return Ran((whole.wall - start.wall) / pairs, (whole.cpu - start.cpu) / pairs)


def _set_for(name: str, place: Place) -> contextlib.AbstractContextManager[None]:
    ways = {BARE: lambda: _without_bytecode(place), OWN: _own_options}
    return ways.get(name, contextlib.nullcontext)()


@contextlib.contextmanager
def _own_options() -> Iterator[None]:
    """As the project itself runs its tests, here under coverage; a hunt measures none."""
    before = os.environ.pop("PYTEST_ADDOPTS")
    try:
        yield
    finally:
        os.environ["PYTEST_ADDOPTS"] = before


@contextlib.contextmanager
def _without_bytecode(place: Place) -> Iterator[None]:
    """As in a container that sets PYTHONDONTWRITEBYTECODE: each pytest compiles the tests and their assertions anew."""
    for folder in (place.root / place.tests.partition("::")[0]).parent.rglob("__pycache__"):
        if ".venv" not in folder.parts:
            shutil.rmtree(folder)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONDONTWRITEBYTECODE"]


def _forks(suite: Suite, ids: list[str], orders: list[Order], jobs: int = 1) -> Ran:
    """A session in which these pairs are run, `jobs` at a time; its output is how the one that ended first ended."""
    ends: list[str] = []

    def work() -> None:
        with Session(suite, 0, seed=0, ids=ids, jobs=jobs) as session:
            found = session.collected()
            limits = Limits(test=600.0, tests={}, order=3600.0)
            ran = session.run(orders, limits, seeded=found.fingerprints, isolate=found.isolation != "none")
            ends.extend(done.outcomes[-1] for done in ran)

    wall, cpu = seconds(work)
    assert len(ends) == len(orders)
    return Ran(wall, cpu, output="".join(ends[:1]))


# -- the search for a polluter -----------------------------------------------------------------------------------------


def search(place: Place, rounds: int, limit: float) -> Iterator[list[str]]:
    known = place.known
    for test in list(known)[: 1 if place.name == "made" else None]:  # its victims are all alike
        tools: dict[str, Callable[[], Answer]] = {
            "parataxis tests polluters --first": partial(_polluters, place, test, "--first"),
            "parataxis tests polluters": partial(_polluters, place, test),
            "detect-test-pollution": partial(_detect_test_pollution, place, test, limit),
            "pytest-find-dependencies": partial(_find_dependencies, place, test, limit),
            "ipflakies": partial(_ipflakies_search, place, test, limit),
        }
        first = [place.name, test.rpartition("::")[2]]
        for row in _rows(tools, rounds, set(known[test])):
            yield [*first, *row]


def _rows(tools: dict[str, Callable[[], Answer]], rounds: int, right: set[str]) -> Iterator[list[str]]:
    """A row for each, ours being the first. What takes long is run once; what finds nothing is not compared."""
    answers: dict[str, list[Answer]] = {name: [] for name in tools}
    for _ in range(rounds):
        for name, tool in tools.items():
            if not answers[name] or answers[name][0].ran.wall < LONG:
                answers[name].append(tool())
    ours = None
    for name, given in answers.items():
        ran = median([answer.ran for answer in given])
        said = " / ".join(dict.fromkeys(_judged(answer, right) for answer in given))
        worth = any(answer.named & right for answer in given)
        yield [name, said, str(len(given)), *_times(ran, ours if worth else None)]
        ours = ours or ran


def _judged(answer: Answer, right: set[str]) -> str:
    """What was named, against what is known."""
    if not answer.named:
        return answer.says
    wrong = len(answer.named - right)
    return f"{len(answer.named & right)} of {len(right)}" + (f", {wrong} wrong" if wrong else "")


def _polluters(place: Place, test: str, *options: str) -> Answer:
    ran = run([OURS, "tests", "polluters", test, *options, place.tests, "--json"], place.root)
    chains = _json(ran)["chains"]
    return Answer(ran, frozenset(nodeid for chain in chains for nodeid in chain["tests"]), "none")


def _detect_test_pollution(place: Place, test: str, limit: float) -> Answer:
    command = [str(place.python.with_name("detect-test-pollution")), "--failing-test", test, "--tests", place.tests]
    return _answer(run(command, place.root, limit), r"the polluting test is: (.+)")


def _find_dependencies(place: Place, test: str, limit: float) -> Answer:
    ran = run(pytest(place, "--find-dependencies", place.tests), place.root, limit)
    answer = _answer(ran, rf"^  {re.escape(test)} depends on (.+)")
    if re.search(rf"permanently after all tests have run:\n(  .+\n)*  {re.escape(test)}\n", ran.output):
        return replace(answer, says="“failing permanently”")
    return answer if ran.status is None or "INTERNALERROR" in ran.output else replace(answer, says="none")


def _ipflakies_search(place: Place, test: str, limit: float) -> Answer:
    ran = _ipflakies(place, ["-t", test], limit)
    section = re.search(r"\(s\) for \S+ found:\n((\[\d+\] .+\n)+)", ran.output)
    named = re.findall(r"^\[\d+\] +(.+)$", section[1] if section else "", re.MULTILINE)
    none = re.search(r"No \S+ for .+ found", ran.output)
    return Answer(ran, frozenset(named), "none" if none else _last_word(ran))


def _ipflakies(place: Place, words: list[str], limit: float) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "suite"
        shutil.copytree(place.root, root, ignore=shutil.ignore_patterns(".venv", ".pytest_cache"))
        run([str(place.old), "-m", "pytest", "-q"], root)  # its bytecode
        path = f"{place.old.parent}{os.pathsep}{os.environ['PATH']}"  # it starts `python3 -m pytest`
        ran = run(["env", f"PATH={path}", "python3", "-m", "ipflakies", *words], root, limit, terminal=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", ran.output).replace("\r\n", "\n").replace("\r", "\n")
    return Ran(ran.wall, ran.cpu, ran.status, plain)


def _answer(ran: Ran, pattern: str) -> Answer:
    return Answer(ran, frozenset(re.findall(pattern, ran.output, re.MULTILINE)), _last_word(ran))


def _last_word(ran: Ran) -> str:
    lines = [line.removeprefix("INTERNALERROR>").strip() for line in ran.output.splitlines()]
    last = next((line for line in reversed(lines) if line), "nothing")
    if ran.status is None:
        bar = re.search(r"\d+/\d+ \( *\d+%\)", last)
        return f"ended at the limit, at {bar[0] if bar else shorten(last, 60)}"
    return f"“{shorten(last, 80)}”"


def _json(ran: Ran) -> dict[str, Any]:
    return json.loads(ran.output[ran.output.index("{") : ran.output.rindex("}") + 1])


# -- the hunt ----------------------------------------------------------------------------------------------------------


def hunt(place: Place, rounds: int, limit: float) -> Iterator[list[str]]:
    orders = 0

    def ours() -> Answer:
        nonlocal orders
        with tempfile.TemporaryDirectory() as folder:
            words = [place.tests, "--no-explain", "--json", "--out", folder]
            ran = run([OURS, "tests", "hunt", *words], place.root)
        report = _json(ran)
        orders = report["orders"]
        flaky = [test["nodeid"] for test in report["tests"] if test["class"] != "not flaky"]
        return Answer(ran, frozenset(flaky), "none")

    tools: dict[str, Callable[[], Answer]] = {
        "parataxis tests hunt": ours,
        "pytest-random-order": lambda: _random_order(place, orders),
        "ipflakies": lambda: _ipflakies_hunt(place, orders, limit),
    }
    for row in _rows(tools, rounds, set(place.known)):
        yield [place.name, str(orders), *row]


def _random_order(place: Place, orders: int) -> Answer:
    """File order once, then its default shuffles: the tests that fail in some of these runs and not in others."""
    failed, rans = [], []
    for seed in range(orders):
        shuffled = ["--random-order", f"--random-order-seed={seed}"] if seed else []
        rans.append(run(pytest(place, "--tb=no", "-rfE", *shuffled, place.tests), place.root))
        failed.append(set(re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", rans[-1].output, re.MULTILINE)))
    flaky = set.union(*failed) - set.intersection(*failed)
    return Answer(Ran(sum(ran.wall for ran in rans), sum(ran.cpu for ran in rans)), frozenset(flaky), "none")


def _ipflakies_hunt(place: Place, orders: int, limit: float) -> Answer:
    ran = _ipflakies(place, ["-i", str(orders)], limit)
    _, _, summary = ran.output.partition("found in this project:")
    named = re.findall(r"^\[\d+\] (?:victim|brittle|NOD) +(.+)$", summary, re.MULTILINE)
    return Answer(ran, frozenset(named), "none" if summary else _last_word(ran))


# -- tables ------------------------------------------------------------------------------------------------------------


def median(rans: Sequence[Ran]) -> Ran:
    return Ran(statistics.median(ran.wall for ran in rans), statistics.median(ran.cpu for ran in rans))


def _times(ran: Ran, ours: Ran | None, digits: int = 2) -> list[str]:
    ratios = [f"{ran.wall / ours.wall:.2g}", f"{ran.cpu / ours.cpu:.2g}"] if ours else ["", ""]
    return [f"{ran.wall:.{digits}f}", f"{ran.cpu:.{digits}f}", *ratios]


TIMES = ["wall, s", "CPU, s", "times ours: wall", "CPU"]
PARTS = {
    "pairs": ["suite", "pair", "ends", *TIMES],
    "search": ["suite", "test", "tool", "culprits", "rounds", *TIMES],
    "hunt": ["suite", "orders", "tool", "flaky tests", "rounds", *TIMES],
}


def _line(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="of suites and environments; by default a temporary one")
    parser.add_argument("--suite", nargs="+", choices=[each.project.name for each in listed()], help="by default all")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that a peer is given")
    arguments = parser.parse_args()
    alike_for_all()
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wanted = [each for each in listed() if each.project.name in (arguments.suite or [each.project.name])]
        places = [set_up(each, folder.resolve()) for each in wanted]
        print(f"{os.cpu_count()} CPUs, {platform.platform()}, Python {platform.python_version()}, {', '.join(PEERS)}")
        for part in arguments.part:
            print(f"\n{part}\n")
            _line(PARTS[part])
            _line(["---"] * len(PARTS[part]))
            for place in places:
                measure = {
                    "pairs": lambda place=place: pairs(place, arguments.rounds),
                    "search": lambda place=place: search(place, arguments.rounds, arguments.limit),
                    "hunt": lambda place=place: hunt(place, arguments.rounds, arguments.limit),
                }
                for row in measure[part]():
                    _line(row)


if __name__ == "__main__":
    main()
