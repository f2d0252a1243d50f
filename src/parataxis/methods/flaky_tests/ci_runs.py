"""Flaky tests in the results of old CI runs: the report of a hunt, without running anything.

The order of a run is that of its file. The order that most runs of a suite have stands for file order; a run that keeps
to it, though tests have come and gone since, is `same`, any other `random`. An order of the second sort that is met
again in one environment, and a further attempt at a test that had failed, are repetitions (`replay`).
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parataxis import __version__
from parataxis.methods.flaky_tests.journal import Entry, Head
from parataxis.methods.flaky_tests.order_tests import order_test
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING, Run
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.reruns import RunsNeeded, runs_needed
from parataxis.methods.flaky_tests.results import Results, read_results

ENOUGH = 0.5  # of the usual tests a run must hold to be in file order: one that repeats a few is something else
CANDIDATES = 20  # orders that are tried as file order, the most frequent first
UNKNOWN = "unknown"  # to JUnit XML


def from_junit(paths: Sequence[Path | str], *, one_environment: bool = False) -> Report:
    """The report on the runs whose JUnit XML is in these files, folders or globs.

    one_environment: all runs had the same; by default each folder that holds files of runs is an environment, and for
    folders of `TEST-*.xml`, each of which is a run, the folder that holds them. Raises BadInput if nothing can be read.
    """
    runs, wrong = read_results(paths)
    environments = sorted({run.environment for run in runs})
    iterations = [0 if one_environment else environments.index(run.environment) for run in runs]
    ids: list[str] = []
    in_order: set[int] = set()
    for family in _families(runs):
        order, keeping = _file_order([runs[i] for i in family])
        ids += order
        in_order |= {family[i] for i in keeping}
    entries = list(_entries(runs, iterations, in_order, {nodeid: i for i, nodeid in enumerate(ids)}))
    head = Head(
        root=os.path.commonpath([run.source.absolute() for run in runs]),
        arguments=[],
        protocol="",  # nothing was run by one
        level="",
        seed=0,
        timeout=0.0,
        ids=ids,
        declared=[],
        seeded=[],
        forks=False,
        isolation="none",
        because=list(_notes(runs, entries)),
        errors=wrong,
        interpreter="",
        python=UNKNOWN,
        pytest=UNKNOWN,
        parataxis=__version__,
    )
    return Report(head, entries)


def _names(run: Results) -> tuple[str, ...]:
    return tuple(case.nodeid for case in run.cases)


def _families(runs: Sequence[Results]) -> list[list[int]]:
    """Runs that share tests, directly or through others; apart are the suites of several jobs or modules."""
    families: list[tuple[set[str], list[int]]] = []
    for i, run in enumerate(runs):
        names, members = set(_names(run)), [i]
        apart = []
        for known, others in families:
            if known.isdisjoint(names):
                apart.append((known, others))
            else:
                names |= known
                members = others + members
        families = [*apart, (names, members)]
    return [members for _, members in families]


def _file_order(runs: Sequence[Results]) -> tuple[list[str], list[int]]:
    """All tests of a family of runs in file order, and which of the runs keep to it."""
    counts = Counter(_names(run) for run in runs if not run.parallel)

    def support(names: tuple[str, ...]) -> tuple[int, int, int]:
        place = {name: i for i, name in enumerate(names)}
        keeping = sum(count for other, count in counts.items() if _keeps(other, place, ENOUGH * len(names)))
        return counts[names], keeping, len(names)

    candidates = sorted((names for names, _ in counts.most_common(CANDIDATES)), key=support)
    order = [name for names in candidates[-1:] for name in names]
    fewest = ENOUGH * len(order)
    keeping, others = [], []
    for i, run in enumerate(runs):
        if not run.parallel and _keeps(_names(run), {name: i for i, name in enumerate(order)}, fewest):
            keeping.append(i)
            order = _merged(order, _names(run))
        else:
            others.append(i)
    return list(dict.fromkeys([*order, *(name for i in others for name in _names(runs[i]))])), keeping


def _keeps(names: Sequence[str], place: dict[str, int], fewest: float) -> bool:
    places = [place[name] for name in names if name in place]
    return len(places) >= fewest and places == sorted(places)


def _merged(order: list[str], names: Sequence[str]) -> list[str]:
    """What is new comes directly behind what it came behind."""
    known = set(order)
    behind: dict[str | None, list[str]] = defaultdict(list)
    last: str | None = None
    for name in names:
        if name in known:
            last = name
        else:
            behind[last].append(name)
    return behind[None] + [each for name in order for each in (name, *behind[name])]


def _entries(
    runs: Sequence[Results], iterations: Sequence[int], in_order: set[int], place: dict[str, int]
) -> Iterator[Entry]:
    orders: dict[tuple[str, ...], int] = {}
    met: Counter[tuple[int, str]] = Counter()

    def number(iteration: int, name: str) -> int:
        met[iteration, name] += 1
        return met[iteration, name] - 1

    for i, (run, iteration) in enumerate(zip(runs, iterations, strict=True)):
        kind, index, of = "same", 0, None
        if i in in_order:
            name, index = "same", number(iteration, "same")
        else:
            index = orders.setdefault(_names(run), len(orders))
            name = f"random/{index}"
            kind = "random"
            if number(iteration, name):
                kind, index, of = "replay", number(iteration, "replay"), name
        yield _entry(run, place, 0, (iteration, kind, index), of)
        for attempt in range(1, max(len(case.attempts) for case in run.cases)):
            yield _entry(run, place, attempt, (iteration, "replay", number(iteration, "replay")), name)


def _entry(
    run: Results, place: dict[str, int], attempt: int, name: tuple[int, str, int], of: str | None = None
) -> Entry:
    """One attempt at the tests of a run, or at those of them that had so many."""
    cases = [case for case in run.cases if len(case.attempts) > attempt]
    outcomes = ["-"] * len(place)
    for case in cases:
        outcomes[place[case.nodeid]] = case.attempts[attempt]
    failed = [case for case in cases if case.attempts[attempt] in FAILING and case.message]
    seconds = 0.0 if attempt else round(sum(case.seconds for case in cases), 4)
    order = tuple(place[case.nodeid] for case in cases)
    return Entry(
        Run(*name, order, "".join(outcomes), seconds, of), {place[case.nodeid]: case.message for case in failed}
    )


def _whole(runs: Sequence[Run]) -> list[Run]:
    """Without further attempts at single tests, which follow a failure."""
    own = {run.order for run in runs if run.kind == "random"}
    return [run for run in runs if run.kind != "replay" or (run.of != "same" and run.order in own)]


def _notes(runs: Sequence[Results], entries: Sequence[Entry]) -> Iterator[str]:
    """What keeps these runs from telling the classes apart."""
    if parallel := sum(run.parallel for run in runs):
        yield (
            f"{parallel} of {len(runs)} runs had tests at the same time, so that the order in which they began is not "
            "known: they count as shuffled, and chance and order can't be told apart in them"
        )
    if any(run.by_name for run in runs):
        yield "the classes of some runs have no time stamp: they are taken to have run in the order of their names"
    single = _whole([entry.run for entry in entries])
    per_environment = Counter(run.iteration for run in single)
    if len(single) > 1 and max(per_environment.values()) == 1:
        yield (
            "each environment has but one run, so that chance and environment can't be told apart; pass "
            "--one-environment if it was the same in all"
        )
    elif len(single) > 1 and max(Counter((run.iteration, run.order) for run in single).values()) == 1:
        yield (
            "no order was run twice in one environment: where no test was tried again, chance and order can't be told "
            "apart"
        )


# -- how sure it is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderEffect:
    """Whether the order decides how often a flaky test fails.

    orders, runs: in which it passed or failed; p, q: of "it fails as often in every order", see `order_test`.
    """

    nodeid: str
    orders: int
    runs: int
    p: float
    q: float
    how: str

    def __str__(self) -> str:
        return f"{self.nodeid}: p = {self.p:.2g}, q = {self.q:.2g} ({self.orders} orders, {self.runs} runs)"


def order_effects(report: Report) -> list[OrderEffect]:
    """For each flaky test that was run in two orders or more. Further attempts are left out: they follow a failure."""
    place = {nodeid: i for i, nodeid in enumerate(report.head.ids)}
    flaky = [each.nodeid for each in report.flaky]
    columns: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for run in _whole(report.runs):
        columns[() if run.kind == "same" else run.order].append(run.outcomes)
    table = np.zeros((2, len(flaky), len(columns)), dtype=int)
    for row, nodeid in enumerate(flaky):
        for column, several in enumerate(columns.values()):
            seen = [outcomes[place[nodeid]] for outcomes in several]
            fails = sum(outcome in FAILING for outcome in seen)
            table[:, row, column] = fails, fails + sum(outcome in PASSING for outcome in seen)
    orders = np.count_nonzero(table[1], axis=1)
    kept = np.flatnonzero(orders > 1)
    if not len(kept):
        return []
    found = order_test(table[0, kept], table[1, kept])
    return [
        OrderEffect(
            flaky[row], int(orders[row]), int(table[1, row].sum()), float(found.p[i]), float(found.q[i]), found.how[i]
        )
        for i, row in enumerate(kept.tolist())
    ]


def still_needed(report: Report) -> RunsNeeded | None:
    """Clean runs before the tests that always passed may be called sound, if they fail as often as the flaky ones."""
    rates = [
        (each.same.failures + each.shuffled.failures) / (each.same.runs + each.shuffled.runs)
        for each in report.flaky
        if each.same.failures + each.shuffled.failures
    ]
    passes = [each.same.runs + each.shuffled.runs for each in report.findings if each.rate_below]
    return runs_needed(rates=np.array(rates), after_passes=min(passes)) if rates and passes else None


def text(report: Report) -> str:
    """The report with what these two say."""
    parts = [str(report)]
    if effects := order_effects(report):
        parts.append("does it fail as often in every order?\n" + "\n".join(f"    {each}" for each in effects))
    if needed := still_needed(report):
        parts.append(f"for tests that passed every run, if they fail as often as the flaky ones:\n{needed}")
    return "\n\n".join(parts)
