"""Orders a second: forks of one collected session against a new pytest an order, on the same suite in one run.

    python benchmarks/flaky_hunt.py                                     41 small tests, 100 orders
    python benchmarks/flaky_hunt.py ~/arrow-1.4.0/tests --orders 10 -- -o addopts=

Both run the same shuffles of the same tests with the suite's own interpreter; the relaunched pytest gets the order as
node ids in a file. For the small tests, no plugin of ours is loaded that would slow its start. Rounds alternate; the
table gives the median of each and the ratio.
"""

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from parataxis.methods.flaky_tests.schedules import shuffle
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.suite import Suite, find_suite

SMALL = Path(__file__).parent.parent / "tests" / "methods" / "flaky_tests" / "suites" / "forty_one"


def collected(suite: Suite) -> list[str]:
    with Session(suite, 0, seed=0) as session:
        return session.collected().ids


def forks(suite: Suite, ids: list[str], orders: list[tuple[int, ...]], jobs: int) -> None:
    with Session(suite, 0, seed=0, ids=ids, jobs=jobs) as session:
        found = session.collected()
        todo = [Order("random", index, order) for index, order in enumerate(orders)]
        limits = Limits(test=600.0, tests={}, order=3600.0)
        done = list(session.run(todo, limits, seeded=found.fingerprints, isolate=found.isolation != "none"))
    assert len(done) == len(orders)
    assert all("-" not in each.outcomes for each in done)


def relaunches(suite: Suite, ids: list[str], orders: list[tuple[int, ...]]) -> None:
    options = [str(argument) for argument in suite.options()]
    for order in orders:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(ids[place] for place in order))
            file.flush()
            command = [str(suite.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, f"@{file.name}"]
            done = subprocess.run(command, cwd=suite.root, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds of the processes that it started."""
    gc.collect()
    gc.disable()
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    gc.enable()
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=SMALL)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    arguments, options = parser.parse_known_args()
    if arguments.path == SMALL:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    suite = find_suite([arguments.path], tuple(option for option in options if option != "--"))
    ids = collected(suite)
    orders = [shuffle(ids, 0, index) for index in range(arguments.orders)]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(seconds(lambda: forks(suite, ids, orders, arguments.jobs)))
        theirs.append(seconds(lambda: relaunches(suite, ids, orders)))
    print(
        f"{suite.root.name}: {len(ids)} tests, {len(orders)} orders, median of {arguments.rounds} rounds, {sys.version}"
    )
    print(f"{'':14}{'forks':>10}{'relaunch':>10}{'ratio':>8}")
    for name, which in (("wall, s", 0), ("CPU, s", 1)):
        a, b = (statistics.median(each[which] for each in rows) for rows in (ours, theirs))
        print(f"{name:14}{a:>10.2f}{b:>10.2f}{b / a:>8.1f}")


if __name__ == "__main__":
    main()
