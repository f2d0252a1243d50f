"""What a person sees while a hunt runs: a bar on a terminal, now and then a line in a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from parataxis.audit.statistics import zero_failure_bound
from parataxis.methods.flaky_tests.hunt import Progress

if TYPE_CHECKING:
    from rich.console import Console

EVERY = 10.0  # seconds between two lines


@contextmanager
def watching() -> Iterator[Callable[[Progress], None]]:
    """A function to be told of progress; what it shows goes to stderr and ends with the block."""
    from rich.console import Console

    console = Console(stderr=True)
    noted = False

    def tell(progress: Progress) -> None:
        nonlocal noted
        if not noted:
            for reason in progress.because:
                console.print(f"note: {reason}", markup=False, highlight=False, soft_wrap=True)
            noted = True
        show(progress)

    with _bar(console) if console.is_terminal else nullcontext(_lines()) as show:
        yield tell


def _words(progress: Progress) -> str:
    bound = 100 * float(zero_failure_bound(max(progress.done, 1), 0.05))
    return f"{progress.flaky} of {progress.tests} flaky, the others below {bound:.2g}%"


@contextmanager
def _bar(console: "Console") -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("orders"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("collecting", total=None)

        def tell(progress: Progress) -> None:
            bars.update(task, completed=progress.done, total=progress.planned, description=_words(progress))

        yield tell


def _lines() -> Callable[[Progress], None]:
    import sys

    said = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(f"{progress.done}/{progress.planned} orders, {_words(progress)}", file=sys.stderr, flush=True)

    return tell
