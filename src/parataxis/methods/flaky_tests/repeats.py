"""What a hunt reads off its runs to decide which orders to run besides."""

from collections.abc import Sequence

from parataxis.methods.flaky_tests.classes import SHUFFLED
from parataxis.methods.flaky_tests.outcomes import ENDING, FAILING, PASSING, Run
from parataxis.methods.flaky_tests.session import Order

RETRIES = 5  # of an order that a crash or a time-out cut short, each without the test that did it
AGAIN = 1000  # is added to the index of an order that is tried again without a test
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


def always(ways: str, runs: Sequence[Run], test: int) -> bool:
    """Whether it ends in one of these ways in every run of the suite."""
    outcomes = {run.outcomes[test] for run in runs if run.kind in ("same", "replay", *SHUFFLED)} - {"-", "s"}
    return bool(outcomes) and outcomes <= set(ways)


def told_by_file(runs: Sequence[Run], n_tests: int) -> set[int]:
    """The files, by index of their order, in which a test fails that passes in every run of the suite."""
    steady = [test for test in range(n_tests) if always(PASSING, runs, test)]
    return {run.index for run in runs if run.kind == "file" and any(run.outcomes[test] in FAILING for test in steady)}


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
