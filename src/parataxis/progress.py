"""What a person sees of long work: a bar on a terminal, now and then a line in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 10.0  # seconds between two lines
KEPT = 0.02  # seconds; what takes less was not done but is there already


Tell = Callable[..., None]  # (done, total, a word on it that may be left out)


def untold(done: int, total: int, word: str = "", /) -> None:
    """Where nobody looks on."""


@contextmanager
def watching(what: str) -> Iterator[Tell]:
    """What the function that it gives is told goes to stderr; a bar ends with the block."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(what)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), *times, TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total, word="", /: bars.update(task, completed=done, total=total, description=word)


def now_and_then() -> Callable[[str], None]:
    """A function that writes what it is told to stderr, if it wrote nothing in the last seconds."""
    said = time.monotonic()

    def tell(text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return tell


def _lines(what: str) -> Tell:
    write = now_and_then()
    begun = time.monotonic()
    before = 0  # done when it began, or by a run before this one, which takes no time

    def tell(done: int, total: int, word: str = "", /) -> None:
        nonlocal begun, before
        now = time.monotonic()
        if now - begun < KEPT * (done - before):
            begun, before = now, done
        left = (total - done) * (now - begun) / (done - before) if done > before else 0.0
        parts = [f"{done}/{total} {what}", word, f"about {_duration(left)} left" if left else ""]
        write(", ".join(filter(None, parts)))

    return tell


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
