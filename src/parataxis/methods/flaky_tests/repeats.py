"""What a hunt reads off its runs to decide which orders to run besides."""

from collections.abc import Sequence
from dataclasses import replace

from parataxis.methods.flaky_tests.outcomes import ENDING, FAILING, PASSING, Run
from parataxis.methods.flaky_tests.session import Order

RETRIES = 5  # of an order that a crash or a time-out cut short, each without the test that did it
AGAIN = 1000  # is added to the index of an order that is tried again without a test
FILE = "file"  # the kind of an order that collects one file alone
APART = ("alone", "hash", FILE)  # orders that are no runs of the suite
HASH_SEEDS = 4  # at most, that are tried in new environments: is it the seed or the environment that decides?


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


def failing_alone(runs: Sequence[Run], orders: Sequence[Order]) -> list[Order]:
    """Once more, the files in which a test failed that passes in every run of the suite."""
    shown = {run.index: run for run in runs if run.kind == FILE}
    found = []
    for order in orders:
        outcomes = shown[order.index].outcomes if order.index in shown else ""
        if any(outcomes[test] in FAILING and _always(runs, test, PASSING) for test in order.order if outcomes):
            found.append(replace(order, index=order.index + len(orders)))
    return found


def needs_others(runs: Sequence[Run], test: int) -> bool:
    """Whether it passes in every run of the suite, and failed each time that its file was collected alone."""
    outcomes = [run.outcomes[test] for run in runs if run.kind == FILE and run.outcomes[test] != "-"]
    return len(outcomes) > 1 and set(outcomes) <= set(FAILING) and _always(runs, test, PASSING)


def telling(runs: Sequence[Run], suspects: list[int]) -> list[int]:
    """Iterations that between them show each suspect both ways, in file order."""
    chosen: list[int] = []
    for test in suspects:
        shown = {}
        for run in runs:
            if run.kind == "same" and run.outcomes[test] not in "-s":
                shown[run.iteration] = run.outcomes[test] in FAILING
        for way in (True, False):
            if not any(shown.get(iteration) is way for iteration in chosen):
                chosen += [iteration for iteration, failed in shown.items() if failed is way][:1]
    return sorted(chosen[:HASH_SEEDS])
