"""What a hunt reads off its runs to decide which orders to run besides."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np

from parataxis.methods.flaky_tests.classes import SHUFFLED
from parataxis.methods.flaky_tests.outcomes import ENDING, FAILING, PASSING, SKIP, Run, outcome_bits
from parataxis.methods.flaky_tests.schedules import module_of
from parataxis.methods.flaky_tests.session import Order

RETRIES = 5  # of an order that a crash or a time-out cut short, each without the test that did it
AGAIN = 1000  # is added to the index of an order that is tried again without a test
ALONE, FILE = "alone", "file"  # the kinds of an order that collects one test alone, and one file
APART = (ALONE, "hash", FILE)  # orders that are no runs of the suite


def ender_of(run: Run) -> int:
    """The test that ended its order by a crash or a time-out; -1 if none did."""
    return next((test for test, outcome in enumerate(run.outcomes) if outcome in ENDING), -1)


def without_ender(run: Run) -> Order | None:
    """The order once more without the test that cut it short, so that those behind it are run as well."""
    ender = ender_of(run)
    if ender < 0 or ender == run.order[-1] or run.index >= RETRIES * AGAIN:
        return None
    return Order(run.kind, run.index + AGAIN, tuple(test for test in run.order if test != ender), of=run.of)


def always_fails(runs: Sequence[Run], test: int) -> bool:
    return _always(runs, test, FAILING)


def in_turns(ids: Sequence[str], tests: Sequence[int]) -> list[int]:
    """The first of each file, then the second of each, and so on: what breaks a file breaks most of its tests."""
    seen: Counter[str] = Counter()
    turns = {}
    for test in tests:
        file = module_of(ids[test])
        turns[test] = seen[file]
        seen[file] += 1
    return sorted(tests, key=turns.__getitem__)


def fewest_runs(runs: Sequence[Run], tests: Sequence[int]) -> int:
    """Of those of the tests that ran, the one that did least often: how often. 0 if none ran.

    Counted as a report does: runs of the suite, without repetitions, which end before many tests.
    """
    table = [outcome_bits(run.outcomes)[list(tests)] for run in runs if run.kind in ("same", *SHUFFLED)]
    ran = np.count_nonzero(np.array(table, dtype=np.uint8).reshape(len(table), len(tests)) & ~np.uint8(SKIP), axis=0)
    return int(min(ran[ran > 0], default=0))


def _always(runs: Sequence[Run], test: int, ends: str) -> bool:
    """Whether it ended so in all runs in which the whole suite was collected."""
    outcomes = {run.outcomes[test] for run in runs if run.kind not in APART} - {"-", "s"}
    return bool(outcomes) and outcomes <= set(ends)


def file_orders(ids: Sequence[str], most: int) -> list[Order]:
    """Each file of the suite by itself, in an interpreter that collects no other; none of a suite with more files."""
    files: dict[str, list[int]] = {}
    for place, nodeid in enumerate(ids):
        files.setdefault(nodeid.partition("::")[0], []).append(place)
    if not 1 < len(files) <= most:
        return []
    return [
        Order(FILE, number, tuple(places), fresh=True, collect=(file,))
        for number, (file, places) in enumerate(files.items())
    ]


def other_alone(runs: Sequence[Run], orders: Sequence[Order]) -> list[Order]:
    """Once more, the files in which a test came out otherwise than in every run of the suite."""
    shown = {run.index: run.outcomes for run in runs if run.kind == FILE}
    return [
        replace(order, index=order.index + len(orders))
        for order in orders
        if order.index in shown and any(_is_other(runs, test, shown[order.index][test]) for test in order.order)
    ]


def _is_other(runs: Sequence[Run], test: int, outcome: str) -> bool:
    return (outcome in FAILING and _always(runs, test, PASSING)) or (outcome in PASSING and always_fails(runs, test))


def needs_others(runs: Sequence[Run], test: int) -> bool:
    """Whether it passes in every run of the suite, and failed each time that its file was collected alone."""
    return _with_its_file(runs, test, FAILING) and _always(runs, test, PASSING)


def passes_apart(runs: Sequence[Run], test: int) -> str:
    """ALONE if it fails in every run of the suite and passed by itself, FILE if each time that its file was; or ""."""
    if not always_fails(runs, test):
        return ""
    if any(run.kind == ALONE and run.outcomes[test] in PASSING for run in runs):
        return ALONE
    return FILE if _with_its_file(runs, test, PASSING) else ""


def _with_its_file(runs: Sequence[Run], test: int, ends: str) -> bool:
    """Whether it ended so each time that its file was collected alone. Once is not enough to tell."""
    outcomes = [run.outcomes[test] for run in runs if run.kind == FILE and run.outcomes[test] != "-"]
    return len(outcomes) > 1 and set(outcomes) <= set(ends)


def telling(runs: Sequence[Run], suspects: Sequence[int]) -> list[int]:
    """The fewest iterations that between them show each suspect both ways, in file order."""
    needs = set()
    for test in suspects:
        shown = {}
        for run in runs:
            if run.kind == "same" and run.outcomes[test] not in "-s":
                shown[run.iteration] = run.outcomes[test] in FAILING
        needs |= {frozenset(i for i, failed in shown.items() if failed is way) for way in (True, False)} - {frozenset()}
    iterations = sorted(frozenset().union(*needs))
    choices = chain.from_iterable(combinations(iterations, size) for size in range(len(iterations) + 1))
    return next(list(chosen) for chosen in choices if not any(need.isdisjoint(chosen) for need in needs))
