"""One pytest process of the suite's own environment that collects once and then runs order after order."""

import contextlib
import hashlib
import json
import os
import re
import selectors
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.suite import Suite

WORKER = Path(__file__).parent / "worker"
# Numerical libraries start threads when imported, and a process with threads can't be forked safely.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# What a run of pytest, xdist or coverage around the hunt has set, and would have the suite's own pytest join.
OF_OUR_OWN_RUN = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST", "COV_CORE_", "COVERAGE_", "PYTHONHOME")
COLLECTION_LIMIT = 1800.0
DAY = 86_400.0  # seconds: for an order that nobody knows the length of
RAISED = re.compile(r"(E +)?[\w.]*(Error|Exception): ")  # what a traceback ends with
PUT_BACK = Path(".parataxis", "put-back")  # in the suite's root: what was put back, as it had become
# How the files of one order are kept from the next: a view of its own for each; put back after each; not at all.
Isolation = Literal["overlay", "snapshot", "none"]


class SessionDied(RuntimeError):
    """The suite's process is gone: a test or a plugin killed it."""


@dataclass(frozen=True)
class Limits:
    """Seconds after which a test or an order is ended: one test, single slow tests by place, all tests together."""

    test: float
    tests: dict[int, float]
    order: float
    start: float = 600.0

    def of(self, tests: Sequence[int]) -> float:
        """Of these tests, one after the other."""
        return sum(self.tests.get(test, self.test) for test in tests)

    def for_order(self, order: "Order") -> dict[str, Any]:
        slow = {str(position): self.tests[i] for position, i in enumerate(order.order) if i in self.tests}
        probes = [self.of(sequence) for sequence in order.probes]
        return {"test": self.test, "tests": slow, "order": self.order, "start": self.start, "probes": probes}


@dataclass(frozen=True)
class Order:
    """What is to be run: `kind` and `index` name it, `order` lists places in the hunt's list of tests.

    fresh: in an interpreter of its own, not in a fork; only: that interpreter collects nothing but these tests;
    of: for a repetition, the name of the order that it repeats; probes: sequences of tests, each of which is run in a
    fork from the end of the order, or, with each, from its start and after each of its tests; look: and from its end,
    once for each change that the order left, with that change undone; collect: files that a fresh interpreter collects;
    watch: run it under watch, with that intervention (see `chance`), {} being none; trace: holders of changes that the
    order leaves, for the lines that leave them.
    """

    kind: str
    index: int
    order: tuple[int, ...]
    fresh: bool = False
    only: bool = False
    of: str | None = None
    probes: tuple[tuple[int, ...], ...] = ()
    each: bool = False
    look: bool = False
    collect: tuple[str, ...] = ()
    watch: dict[str, Any] | None = None
    trace: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.index}"


@dataclass(frozen=True)
class Done:
    """What came of an order; `outcomes` and `durations` by position in the order.

    probed: how the last test of each sequence of probes ended, a line for each time that they were run: once; or at the
    start and after each test; or once and then with each of the `changes` undone, which an order that is traced has
    too; seen: by the watch, None if the test ended the process.
    """

    order: Order
    outcomes: str
    durations: list[float]
    messages: dict[int, str]
    leaving: list[int]
    seconds: float
    probed: list[str]
    changes: list[dict[str, Any]]
    seen: dict[str, Any] | None = None


@dataclass(frozen=True)
class Collected:
    """What the session found; see the worker for each field. refused: better isolations, with the reason."""

    ids: list[str]
    missing: list[int]
    declared: list[int]
    errors: list[list[str]]
    threads: int
    fork: bool
    isolation: Isolation
    refused: dict[str, str]
    fingerprints: list[str]
    root: str
    python: str
    pytest: str
    parallel: bool = False


class Session:
    """Use as a context manager: leaving it ends every process that it started.

    iteration: gives the session its hash seed, HOME and TMPDIR; ids: the node ids that orders refer to, none for the
    first session of a hunt; hash_of: the iteration whose hash seed to take instead of its own; isolation: by default
    the best that can be had; ignore: files and folders that are not put back.
    """

    def __init__(
        self,
        suite: Suite,
        iteration: int,
        *,
        seed: int,
        ids: list[str] | None = None,
        jobs: int = 1,
        hash_of: int | None = None,
        keep_home: bool = False,
        isolation: Isolation | None = None,
        ignore: Sequence[Path] = (),
    ) -> None:
        self.suite, self.iteration, self.jobs, self.isolation = suite, iteration, jobs, isolation
        self._folder = Path(tempfile.mkdtemp(prefix="parataxis-"))
        self._log = self._folder / "pytest.log"
        self._rest = b""
        self._next = 0
        own = {name: self._folder / name for name in ("home", "tmp", "o")}
        for folder in own.values():
            folder.mkdir()
        settings = {
            "arguments": [*suite.arguments, "-o", f"cache_dir={self._folder / 'cache'}"],
            "jobs": jobs,
            "seed": f"{seed}/{iteration}",
            "ids": ids or [],
            # TMPDIR is each order's own, but a suite may have taken a path in the session's when it was collected
            "private": [str(suite.root), str(own["tmp"]), *([] if keep_home else [str(own["home"])])],
            "isolation": isolation,
            "aside": str(suite.root / PUT_BACK),
            "ignore": [str(self._folder), *map(os.path.abspath, ignore)],
            "ours": _own_output(),
        }
        (self._folder / "settings.json").write_text(json.dumps(settings))
        environment = {
            **self._environment(),
            "PYTHONHASHSEED": str(hash_seed_of(seed, iteration if hash_of is None else hash_of)),
            "TMPDIR": str(own["tmp"]),
        }
        if not keep_home:
            environment["HOME"] = str(own["home"])
        with open(self._log, "wb") as log:
            self._process = self._start(environment, log)

    def _start(self, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self.suite.python, WORKER, self._folder],
                cwd=self.suite.root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the hunt alone, which then ends this
            )
        except OSError as error:
            shutil.rmtree(self._folder)
            raise BadInput(f"--python {self.suite.python}: it does not start ({error})") from None

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_OUR_OWN_RUN)}
        for name in ONE_THREAD:
            environment.setdefault(name, "1")
        binaries = self.suite.python.parent
        environment["PATH"] = f"{binaries}{os.pathsep}{environment.get('PATH', '')}"
        if (binaries.parent / "pyvenv.cfg").exists():
            environment["VIRTUAL_ENV"] = str(binaries.parent)
        return environment

    # -- talking to the process ------------------------------------------------------------------------------------

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SessionDied(self._last_words()) from None

    def _receive(self, limit: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        until = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise SessionDied(f"no answer within {limit:.0f} s")
                data = os.read(self._process.stdout.fileno(), 1 << 20)
                if not data:
                    raise SessionDied(self._last_words())
                self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)

    def _last_words(self) -> str:
        """The line of pytest's own output that says most about why it ended."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        lines = [line.removeprefix("INTERNALERROR>").strip() for line in lines]
        errors = [line for line in lines if "error" in line.lower()]
        raised = [line for line in errors if RAISED.match(line)]
        return (raised or errors or lines or ["it said nothing"])[-1]

    # -- what a hunt uses ------------------------------------------------------------------------------------------

    def collected(self) -> Collected:
        """Wait for the collection. Raises BadInput, naming the reason, if there is nothing to run."""
        try:
            answer = self._receive(COLLECTION_LIMIT)
        except SessionDied as error:
            raise BadInput(f"{self.suite.root}: pytest ended while it collected: {error}") from None
        if answer.pop("event") == "failed":
            reason = answer["reason"]
            said = f": {self._last_words()}" if reason.startswith("pytest ended") else ""
            remedy = "; install pytest>=7.4 there or pass --python" if " pytest" in reason and not said else ""
            raise BadInput(f"{self.suite.root}: {reason}{said}{remedy}")
        found = Collected(**answer)
        if not found.ids:
            because = f" ({found.errors[0][0]}: {found.errors[0][1]})" if found.errors else ""
            raise BadInput(f"{self.suite.root}: pytest collected no tests{because}; name the folder that holds them")
        if self.isolation not in (None, found.isolation):
            why = found.refused[self.isolation]
            raise BadInput(f"{self.suite.root}: --files {self.isolation}: can't be had ({why}); try another or none")
        if found.isolation == "snapshot":
            self.jobs = 1
        return found

    def run(self, orders: Iterable[Order], limits: Limits, *, seeded: list[str], isolate: bool) -> Iterator[Done]:
        """Run the orders, up to `jobs` at once; each is yielded when it is done. Raises SessionDied, and BadInput if
        files can't be put back.

        An order is taken from `orders` only when it can start, so that it may depend on what came of those before it.
        Who stops early has the orders under way dropped.
        """
        under_way: dict[int, Order] = {}
        waiting = iter(orders)
        try:
            while True:
                while len(under_way) < self.jobs and (order := next(waiting, None)) is not None:
                    fields = _fields(order, limits)
                    self._send({"command": "run", "id": self._next, "seeded": seeded, "isolate": isolate, **fields})
                    under_way[self._next] = order
                    self._next += 1
                if not under_way:
                    return
                answer = self._receive(limits.start + limits.order + 60)
                if answer["event"] == "failed":
                    raise BadInput(f"{self.suite.root}: {answer['reason']}")
                if answer["id"] in under_way:  # else it was done just before it would have been dropped
                    yield _done(under_way.pop(answer["id"]), answer)
        finally:
            if under_way:
                with contextlib.suppress(SessionDied, ValueError):  # it may be gone, or closed, by now
                    self._send({"command": "cancel"})

    def close(self) -> None:
        """End the process and all that runs below it, and remove what was temporary."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self._process.wait(timeout=60)  # it may have files to put back
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _own_output() -> list[tuple[int, int]]:
    """Device and inode of files that our own output goes to: one may lie in the project, and grow while orders run."""
    found = []
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_dev, status.st_ino))
    return found


def _fields(order: Order, limits: Limits) -> dict[str, Any]:
    return {
        "name": order.name,
        "order": order.order,
        "fresh": order.fresh,
        "only": order.only,
        "probes": order.probes,
        "each": order.each,
        "look": order.look,
        "collect": order.collect,
        "watch": order.watch,
        "trace": order.trace,
        "limits": limits.for_order(order),
    }


def _done(order: Order, answer: dict[str, Any]) -> Done:
    messages = {int(position): text for position, text in answer["messages"].items()}
    changes = [] if order.watch is not None else answer["answer"] or []
    probed = answer["probed"][: 1 + (len(order.order) if order.each else len(changes))]
    return Done(
        order,
        answer["outcomes"],
        answer["durations"],
        messages,
        answer["leaving"],
        answer["seconds"],
        probed,
        changes,
        None if order.watch is None else answer["answer"],
    )


def hash_seed_of(seed: int, iteration: int) -> int:
    """PYTHONHASHSEED of an iteration: another one in each, the same in each repetition of the hunt."""
    return int.from_bytes(hashlib.sha256(f"{seed}/hash/{iteration}".encode()).digest()[:4], "big")
