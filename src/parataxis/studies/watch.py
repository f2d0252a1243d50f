"""What a person sees while studies run: bars on a terminal, plain lines in a pipe, read from the store."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parataxis.studies.registry import Method
from parataxis.studies.render import interval
from parataxis.studies.store import Store

POLL = 0.2  # seconds between two looks


@contextmanager
def watch(methods: Sequence[Method], store: Path) -> Iterator[None]:
    """Show on stderr what comes into the store, as long as the block lasts. The workers need know nothing of it."""
    console = Console(stderr=True)
    over = threading.Event()
    with Store(store) as opened:
        last = opened.last()  # what was there before is not shown
    if console.is_terminal:
        thread = threading.Thread(target=_bars, args=(methods, store, over, console))
    else:
        thread = threading.Thread(target=_lines, args=(methods, store, over, console, last))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _looks(over: threading.Event) -> Iterator[None]:
    """Now and then, and once more after the end."""
    while not over.wait(POLL):
        yield
    yield


def _lines(methods: Sequence[Method], store: Path, over: threading.Event, console: Console, last: int) -> None:
    papers = {method.name: method.paper for method in methods}
    with Store(store) as opened:
        for _ in _looks(over):
            for place, name, found in opened.since(last):
                last = place
                if name in papers:
                    standing = papers[name].judge(found).name.lower()
                    console.file.write(f"{name}  {found.id}  {interval(found)}  {standing}  {found.seconds:.1f} s\n")
            console.file.flush()


def _bars(methods: Sequence[Method], store: Path, over: threading.Event, console: Console) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}", style="dim"),
    )
    with Store(store) as opened, Progress(*columns, console=console) as progress:
        bars = {each.name: progress.add_task(each.name, total=len(each.paper.ids), doing="") for each in methods}
        for _ in _looks(over):
            for name, (rows, doing) in opened.state().items():
                if name in bars:
                    progress.update(bars[name], completed=rows, doing=doing)
