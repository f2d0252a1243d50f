"""The hunt: a suite, run in one order after another, until it shows which of its tests are flaky.

Every iteration is a process of its own that collects once; every order is a fork of it, or an interpreter of its own
where a fork is not safe. What an order showed is on disk before the next begins, so that a hunt goes on after a kill.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parataxis.audit.statistics import zero_failure_bound
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import Kind, classify
from parataxis.methods.flaky_tests.journal import Entry, Head, Journal, check_same, files_of, limits_of
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.protocol import Protocol, find_protocol, planned, replays, schedule
from parataxis.methods.flaky_tests.repeats import (
    AGAIN,
    ALONE,
    always_fails,
    ender_of,
    fewest_runs,
    file_orders,
    in_turns,
    other_alone,
    passes_apart,
    telling,
    without_ender,
)
from parataxis.methods.flaky_tests.report import ALPHA, Report
from parataxis.methods.flaky_tests.schedules import Level
from parataxis.methods.flaky_tests.session import (
    Collected,
    Done,
    Isolation,
    Limits,
    Order,
    Session,
    SessionDied,
)
from parataxis.methods.flaky_tests.suite import Suite, check_python, find_suite
from parataxis.methods.flaky_tests.survey import head_of

TIMEOUT = 10.0  # seconds a test may take at least
ASIDE = 3  # different orders that a test may end before it is left out
DEATHS = 2  # of the whole session, before an order is given up
SINGLES = 50  # tests that always fail, at most, are run alone
UNTIL_ENOUGH = ("random", "tuscan")
ENVIRONMENTS = 2  # new ones, in which a hash seed is tried that might be what a test depends on


@dataclass(frozen=True)
class Progress:
    """How far a hunt is: orders run and planned, the tests found flaky so far, seconds since it began.

    runs: in which each test that came out alike so far ran at least, if it ran at all, repetitions left out;
    because: how orders are kept apart where that is not the best way, and why; one should know while it runs.
    """

    done: int
    planned: int
    tests: int
    flaky: int
    runs: int
    seconds: float
    because: tuple[str, ...]


def hunt(
    paths: Sequence[Path | str],
    options: Sequence[str] = (),
    *,
    protocol: str = "quick",
    seed: int = 0,
    jobs: int = 1,
    level: Level | None = None,
    python: Path | None = None,
    out: Path | None = None,
    resume: bool = False,
    timeout: float = TIMEOUT,
    isolation: Isolation | None = None,
    enough: float | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Run the suite that `paths` belong to by a protocol; which of its tests are flaky, and why.

    paths: folders, files or node ids of one suite; options: for its pytest; protocol: quick, thorough or paper; jobs:
    orders at a time; level: what a shuffle keeps together, by default as the protocol says; python: the interpreter of
    the suite's own environment; out: the folder of the record, by default .parataxis in the suite's root; resume: go on
    with the hunt that is recorded there; timeout: the least number of seconds that a test is given; isolation: of the
    files of one order from the next, by default the best that can be had; enough: run no more shuffles and no more of
    the Tuscan square once every test is flaky, or fails in fewer of the runs than this, at 95 %. Raises BadInput.
    """
    suite = find_suite([Path(path) for path in paths], tuple(options), python)
    check_python(suite)
    plan = find_protocol(protocol)
    if enough is not None and not 0 < enough < 1:
        raise BadInput(f"enough={enough}: expected a share of the runs, above 0 and below 1, as 0.05")
    folder = out or own_folder(suite.root)
    with Journal(folder, resume) as journal:
        _Hunt(suite, plan, seed, jobs, level or plan.level, timeout, isolation, enough, journal, watch).go()
        assert journal.head is not None
        return Report(journal.head, journal.entries)


def own_folder(root: Path) -> Path:
    """`.parataxis` in the suite's root: git and pytest both pass it over."""
    folder = root / ".parataxis"
    if not folder.exists():
        try:
            folder.mkdir()
            (folder / ".gitignore").write_text("*\n")
        except OSError:  # the journal says what to do
            pass
    return folder


class _Hunt:
    def __init__(
        self,
        suite: Suite,
        protocol: Protocol,
        seed: int,
        jobs: int,
        level: Level,
        timeout: float,
        isolation: Isolation | None,
        enough: float | None,
        journal: Journal,
        watch: Callable[[Progress], None],
    ) -> None:
        self.suite, self.protocol, self.seed, self.jobs, self.level = suite, protocol, seed, jobs, level
        self.timeout, self.isolation, self.enough = timeout, isolation, enough
        self.journal, self.watch = journal, watch
        self.began = time.monotonic()
        self.ahead: dict[int, Session] = {}
        self.ended: defaultdict[int, set[tuple[int, ...]]] = defaultdict(set)
        for entry in journal.entries:
            self.ended[ender_of(entry.run)].add(entry.run.order)
        self.done = {(run.iteration, run.name) for run in self.runs()}
        self.planned = 0
        self.goes_on = journal.head is not None

    def runs(self) -> list[Run]:
        return [entry.run for entry in self.journal.entries]

    def head(self) -> Head:
        assert self.journal.head is not None
        return self.journal.head

    # -- sessions --------------------------------------------------------------------------------------------------

    def _open(self, iteration: int, hash_of: int | None = None, like: Head | Collected | None = None) -> Session:
        """like: whose tests and isolation it has, by default the head's."""
        like = like or self.journal.head
        return Session(
            self.suite,
            iteration,
            seed=self.seed,
            ids=like.ids if like else None,
            jobs=self.jobs,
            hash_of=hash_of,
            isolation=like.isolation if like else self.isolation,
            ignore=files_of(self.journal.path.parent),
        )

    def check(self, found: Collected) -> None:
        """Refuse to go on with a suite that has lost tests since. One that collects other tests each time may."""
        if self.goes_on and found.missing:
            lost = self.head().ids[found.missing[0]]
            raise BadInput(f"{self.journal.path}: {lost} is no longer collected; start anew without --resume")
        self.goes_on = False

    def _begin(self) -> None:
        asked: dict[str, Any] = {
            "root": str(self.suite.root),
            "arguments": list(self.suite.arguments),
            "protocol": self.protocol.name,
            "level": self.level,
            "seed": self.seed,
            "enough": self.enough,
        }
        if self.journal.head is not None:
            files = {"isolation": self.isolation} if self.isolation else {}
            check_same(self.journal.head, asked | files, self.journal.path)
            return
        first = self.ahead[0] = self._open(0)
        found = first.collected()
        second = self.ahead[1] = self._open(1, like=found)
        self.journal.begin(head_of(self.suite, found, second.collected(), timeout=self.timeout, **asked))

    # -- the course of a hunt --------------------------------------------------------------------------------------

    def go(self) -> None:
        try:
            self._begin()
            self.planned = planned(self.protocol, self.head().ids, self.seed)
            self._tell()
            for iteration in range(self.protocol.environments):
                self._iterate(iteration)
            if self.protocol.rules == "default":
                self._by_file()
                self._alone()
                self._hash_seeds()
        finally:
            for session in self.ahead.values():
                session.close()

    def _iterate(self, iteration: int) -> None:
        head = self.head()
        orders = schedule(self.protocol, head.ids, head.declared, iteration, self.seed, self.level)
        with _Place(self, iteration) as place:
            place.run(orders)
            again = replays(self.protocol, self.runs(), iteration)
            self.planned += len(again)
            place.run(again)

    def _alone(self) -> None:
        """Tests that fail always, with their file too: some pass when nothing else is collected, let alone run."""
        runs, ids = self.runs(), self.head().ids
        never = [test for test in range(len(ids)) if always_fails(runs, test) and not passes_apart(runs, test)]
        orders = [Order(ALONE, test, (test,), fresh=True, only=True) for test in in_turns(ids, never)[:SINGLES]]
        self.planned += len(orders)
        with _Place(self, self.protocol.environments) as place:
            place.run(orders)

    def _by_file(self) -> None:
        """Each file with no other collected: what others do when they are imported may be what a test needs."""
        orders = file_orders(self.head().ids, self.protocol.files)
        with _Place(self, self.protocol.environments) as place:
            self.planned += len(orders)
            place.run(orders)
            again = other_alone(self.runs(), orders)
            if again:  # and file order, as it may be this environment that makes the difference
                again.append(Order("same", 0, tuple(range(len(self.head().ids)))))
            self.planned += len(again)
            place.run(again)

    def _hash_seeds(self) -> None:
        """Tests constant within each environment: the hash seeds of some iterations, each in new environments."""
        kinds = classify(self.runs(), len(self.head().ids))
        suspects = [test for test, kind in enumerate(kinds) if kind is Kind.INFRA]
        if not suspects:
            return
        order = tuple(range(suspects[-1] + 1))
        iterations = telling(self.runs(), suspects)
        self.planned += len(iterations) * ENVIRONMENTS
        number = self.protocol.environments
        for hash_of in iterations:
            for _ in range(ENVIRONMENTS):
                number += 1
                with _Place(self, number, hash_of) as place:
                    place.run([Order("hash", hash_of, order)])

    def needless(self, order: Order) -> bool:
        """Whether the order is one of those that go on until enough is known, and that is so."""
        if self.enough is None or order.kind not in UNTIL_ENOUGH:
            return False
        steady = self._steady()
        return not steady or float(zero_failure_bound(fewest_runs(self.runs(), steady), ALPHA)) <= self.enough

    def _steady(self) -> list[int]:
        """Tests that came out alike so far."""
        kinds = classify(self.runs(), len(self.head().ids), self.protocol.rules)
        return [test for test, kind in enumerate(kinds) if kind is Kind.NOT_FLAKY]

    # -- what a place tells ----------------------------------------------------------------------------------------

    def limits(self) -> Limits:
        return limits_of(self.journal.entries, self.timeout)

    def aside(self) -> set[int]:
        return {test for test, orders in self.ended.items() if len(orders) >= ASIDE and test >= 0}

    def keep(self, iteration: int, order: Order, done: Done | None) -> Run:
        """On disk with it. None: the session died under it, twice."""
        outcomes = ["-"] * len(self.head().ids)
        messages: dict[int, str] = {}
        durations: list[float] = []
        leaving: list[int] = []
        seconds = 0.0
        if done is not None:
            for test, outcome in zip(order.order, done.outcomes, strict=True):
                outcomes[test] = outcome
            messages = {order.order[position]: text for position, text in done.messages.items()}
            durations = done.durations if iteration == 0 and order.kind == "same" and order.index % AGAIN == 0 else []
            leaving = [order.order[position] for position in done.leaving]
            seconds = done.seconds
        run = Run(iteration, order.kind, order.index, order.order, "".join(outcomes), round(seconds, 4), order.of)
        self.journal.add(Entry(run, messages, durations, leaving))
        self.done.add((iteration, run.name))
        self.ended[ender_of(run)].add(run.order)
        self._tell()
        return run

    def _tell(self) -> None:
        tests, steady, done = len(self.head().ids), self._steady(), len(self.journal.entries)
        runs, seconds = fewest_runs(self.runs(), steady), time.monotonic() - self.began
        because = tuple(self.head().because)
        self.watch(Progress(done, max(done, self.planned), tests, tests - len(steady), runs, seconds, because))


class _Place:
    """One iteration's environment. Its session is opened when an order needs it, and opened again if it dies."""

    def __init__(self, hunt: _Hunt, iteration: int, hash_of: int | None = None) -> None:
        self.hunt, self.iteration, self.hash_of = hunt, iteration, hash_of
        self.session: Session | None = None
        self.under_way: dict[str, Order] = {}
        self.deaths: Counter[str] = Counter()

    def __enter__(self) -> "_Place":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def _opened(self) -> Session:
        if self.session is None:
            ahead = self.hunt.ahead.pop(self.iteration, None)
            self.session = ahead or self.hunt._open(self.iteration, self.hash_of)
            if ahead is None:
                self.hunt.check(self.session.collected())
        return self.session

    def run(self, orders: Iterable[Order]) -> None:
        """Run those that have not been run yet."""
        queue = deque(order for order in orders if (self.iteration, order.name) not in self.hunt.done)
        while queue:
            try:
                if not self.deaths:
                    self._run(queue, queue)
                else:  # one of them is to blame: one by one
                    self._run(deque([queue.popleft()]), queue)
            except SessionDied:
                self._close()
                for order in self.under_way.values():
                    self.deaths[order.name] += 1
                    if self.deaths[order.name] < DEATHS:
                        queue.append(order)
                    else:
                        self.hunt.keep(self.iteration, order, None)
                self.under_way.clear()

    def _run(self, queue: deque[Order], later: deque[Order]) -> None:
        """Run what is in `queue`; what is to be tried again goes to the front of `later`."""
        head, session, limits = self.hunt.head(), self._opened(), self.hunt.limits()
        first = not any(entry.durations for entry in self.hunt.journal.entries)
        isolate = head.isolation != "none"

        def feed() -> Iterator[Order]:
            while queue and not (first and self.under_way):
                if self.hunt.needless(queue[0]):
                    self.hunt.planned -= 1
                    queue.popleft()
                    continue
                order = self._without_aside(queue.popleft())
                self.under_way[order.name] = order
                yield order
                if first:
                    return

        for done in session.run(feed(), limits, seeded=head.seeded, isolate=isolate):
            del self.under_way[done.order.name]
            run = self.hunt.keep(self.iteration, done.order, done)
            if (again := without_ender(run)) is not None:
                later.appendleft(again)

    def _without_aside(self, order: Order) -> Order:
        aside = self.hunt.aside()
        kept = tuple(test for test in order.order if test not in aside)
        return replace(order, order=kept, fresh=order.fresh or not self.hunt.head().forks)
