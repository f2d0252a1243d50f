"""What a person sees while a model is fitted: a bar on a terminal, now and then a line in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 10.0  # seconds between two lines
Tell = Callable[[int, int, str], None]


@contextmanager
def watching(label: str) -> Iterator[Tell]:
    """A function to be told how many epochs of how many are done, and a word; shown on stderr while the block lasts."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(label)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[word]}", style="dim"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task("", total=None, word="")
        yield lambda done, total, word: bars.update(task, completed=done, total=total, word=word)


def _lines(label: str) -> Tell:
    said = time.monotonic()

    def tell(done: int, total: int, word: str) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(f"{label} {done}/{total} {word}".rstrip(), file=sys.stderr, flush=True)

    return tell
