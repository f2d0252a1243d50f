"""What a person sees while a hunt runs: its orders, how many tests are flaky, and how sure it is of the others."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from parataxis.audit.statistics import zero_failure_bound
from parataxis.methods.flaky_tests.hunting import Progress
from parataxis.progress import watching as showing


@contextmanager
def watching() -> Iterator[Callable[[Progress], None]]:
    """A function to be told of progress; what it shows goes to stderr and ends with the block."""
    noted = False
    with showing("orders") as show:

        def tell(progress: Progress) -> None:
            nonlocal noted
            if not noted:
                for reason in progress.because:
                    print(f"note: {reason}", file=sys.stderr, flush=True)
                noted = True
            show(progress.done, progress.planned, _words(progress))

        yield tell


def _words(progress: Progress) -> str:
    bound = 100 * float(zero_failure_bound(progress.runs, 0.05))
    return f"{progress.flaky} of {progress.tests} flaky, the others below {bound:.2g}%"
