"""`parataxis audit`: any callable of the user's own."""

import csv
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, nullcontext, redirect_stdout
from difflib import get_close_matches
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.backends import Refused, connected, forget
from parataxis.errors import BadInput
from parataxis.files import write_atomic

if TYPE_CHECKING:
    from parataxis.audit import Audit

EXIT = {"invariant": 0, "order-dependent": 1, "noisy": 2, "undecided": 2}
PICTURES = (".png", ".svg", ".pdf")


class Cluster(StrEnum):
    """Whose workers call the function."""

    ray = "ray"
    dask = "dask"


def audit_command(
    target: Annotated[str, typer.Argument(metavar="MODULE:FUNCTION", help="Takes a list of the items, in any order.")],
    items: Annotated[
        Path,
        typer.Option(help="A JSON list (.json), JSON lines (.jsonl), CSV rows as mappings (.csv), or lines of text."),
    ],
    per_item: Annotated[bool, typer.Option("--per-item", help="FUNCTION gives a list of one outcome an item.")] = False,
    tolerance: Annotated[float | None, typer.Option(help="Numbers so near are the same, relative above 1.")] = None,
    design: Annotated[
        str, typer.Option(help="auto, exhaustive, random, reverse, williams, tuscan or covering.")
    ] = "auto",
    budget: Annotated[int, typer.Option(help="The most calls of FUNCTION.")] = 1000,
    alpha: Annotated[float, typer.Option(help="The chance of a false `order-dependent`.")] = 0.05,
    seed: Annotated[int, typer.Option(help="What all randomness is drawn from.")] = 0,
    journal: Annotated[
        Path | None, typer.Option("--resume", "--journal", help="Keep calls in this file, and go on from those in it.")
    ] = None,
    backend: Annotated[
        Cluster | None,
        typer.Option(help="Call FUNCTION on the cluster of RAY_ADDRESS or DASK_SCHEDULER_ADDRESS.", show_default=False),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="With --backend: calls at a time.")] = 1,
    replay: Annotated[
        str, typer.Option(metavar="PLACES", help="Only call these items in this order and as given.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a figure to this file: .png, .svg or .pdf.")] = None,
) -> None:
    """Tell whether the outcome of MODULE:FUNCTION depends on the order of its items.

    Exit status 0 if it does not, 1 if it does, 2 for bad input, or if noise or too small a budget left it open.

    Example: parataxis audit builtins:sum --items numbers.json
    """
    if plot and plot.suffix not in PICTURES:
        raise BadInput(f"--plot {plot}: expected a name that ends with one of {', '.join(PICTURES)}")
    if jobs > 1 and not backend:
        raise BadInput(f"--jobs={jobs}: goes with --backend ray or dask; here, calls are made one after the other")
    given = read_items(items)
    system = find_function(target)
    again = ["parataxis", "audit", target, "--items", str(items)] + ["--per-item"] * per_item
    again += [] if tolerance is None else ["--tolerance", f"{tolerance:g}"]
    if replay:
        raise typer.Exit(_replay(system, given, read_places(replay, len(given)), per_item, tolerance, as_json))

    from parataxis.audit import audit

    there = _there(backend, jobs, target) if backend else nullcontext()
    with _progress(budget) as progress, redirect_stdout(sys.stderr), there as submit:
        found = audit(
            system,
            given,
            design=design,
            compare=tolerance,
            per_item=per_item,
            budget=budget,
            alpha=alpha,
            seed=seed,
            journal=journal,
            progress=progress,
            submit=submit,
            jobs=jobs,
        )
    line = None
    if found.witness:
        line = shlex.join([*again, "--replay", ",".join(map(str, found.witness.other_places))])
    _write(found, line, html, plot)
    _print(found, line, as_json)
    raise typer.Exit(EXIT[found.verdict.value])


@contextmanager
def _there(backend: Cluster, jobs: int, target: str) -> Iterator[Callable[..., Any]]:
    """What calls the function on the workers of a cluster; they must have this folder, too."""
    try:
        with connected(backend.value) as cluster:
            yield cluster.pool(jobs, _caller, target, Path.cwd())
    except Refused as error:
        raise BadInput(f"{target}: {error}") from None


def _caller(target: str, folder: Path) -> Callable[[list[Any]], Any]:
    """On a worker: the function as it is now, called in the folder."""
    from parataxis.audit.outcomes import Raised

    with chdir(folder):
        forget(folder)
        system = find_function(target)

    def call(ordered: list[Any]) -> Any:
        try:
            with chdir(folder):
                return system(ordered)
        except Exception as error:  # the outcome, no trouble of the cluster's
            return Raised.by(error)

    return call


def _print(found: "Audit", line: str | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**found.to_dict(), "reproduce": line}, indent=1, allow_nan=False))
        return
    from parataxis.audit.render import text

    print(text(found, line))


def _write(found: "Audit", line: str | None, html: Path | None, plot: Path | None) -> None:
    if html:
        from parataxis.audit.page import html as page

        write_atomic(html, page(found, line))
    if plot:
        try:
            found.plot().figure.savefig(plot)
        except OSError as error:
            raise BadInput(f"{plot}: can't be written ({error.strerror}); name another place") from None


def _replay(
    system: Callable[..., Any],
    given: list[Any],
    places: tuple[int, ...],
    per_item: bool,
    tolerance: float | None,
    as_json: bool,
) -> int:
    """Call the items as given and in the order of `places`; 1 if the outcomes differ."""
    from parataxis.audit.calls import Calls
    from parataxis.audit.outcomes import comparison, shown
    from parataxis.audit.render import brief

    calls = Calls(system, given, per_item, 2, None, None)
    orders = (tuple(sorted(places)), places)
    with redirect_stdout(sys.stderr):
        outcomes = [calls(order) for order in orders]
    same = comparison(tolerance)
    differ = not all(same(a, b) for a, b in zip(*outcomes, strict=True))
    named = [cells if per_item else cells[0] for cells in outcomes]
    if as_json:
        keys = ("given", "other")
        told = {
            key: {"places": order, "outcome": shown(each)} for key, order, each in zip(keys, orders, named, strict=True)
        }
        print(json.dumps({"differ": differ, **told}, indent=1, allow_nan=False))
    else:
        for order, outcome in zip(orders, named, strict=True):
            print(f"{','.join(map(str, order))} gives {brief(outcome, 2000)}")
        by_item = ", outcomes sorted by place" if per_item else ""
        print(f"the outcomes {'differ' if differ else 'are the same'}{by_item}")
    return int(differ)


def read_places(text: str, n: int) -> tuple[int, ...]:
    """Places such as 7,3: each below n, none twice."""
    try:
        places = tuple(map(int, text.split(",")))
    except ValueError:
        places = ()
    if not places or len(set(places)) < len(places) or not all(0 <= place < n for place in places):
        raise BadInput(f"--replay {text}: expected different places from 0 to {n - 1} with commas, as in 1,0")
    return places


def find_function(target: str) -> Callable[..., Any]:
    """The callable that MODULE:FUNCTION names; the current folder is searched first."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise BadInput(f"{target}: expected MODULE:FUNCTION, as in builtins:sum")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise BadInput(f"{target}: no module {module!r} here or installed") from None
        raise BadInput(f"{target}: importing it needs the module {error.name!r}, which is not installed") from None
    except Exception as error:
        raise BadInput(f"{target}: importing it raises {type(error).__name__}: {error}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            there = [each for each in dir(found) if not each.startswith("_")]
            near = get_close_matches(part, there) or there[:10]
            raise BadInput(f"{target}: {module} has no {name!r}; it has {', '.join(near) or 'nothing'}")
        found = getattr(found, part)
    if not callable(found):
        raise BadInput(f"{target}: is {type(found).__name__}, expected a function")
    return found


def read_items(path: Path) -> list[Any]:
    """The items of a file; its name says of which kind it is."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not text in UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    if path.suffix == ".json":
        found = _json(text, path, 0)
        if not isinstance(found, list):
            raise BadInput(f"{path}: holds {type(found).__name__}, expected a list of items")
    elif path.suffix == ".jsonl":
        lines = enumerate(text.split("\n"), 1)
        found = [_json(line, path, number) for number, line in lines if line.strip()]
    elif path.suffix == ".csv":
        found = _rows(text, path)
    else:
        found = [line for line in text.splitlines() if line.strip()]
    if len(found) < 2:
        raise BadInput(f"{path}: holds {len(found)} items; there is an order from two on")
    return found


def _json(text: str, path: Path, before: int) -> Any:
    """before: the number of the line, if `text` is a line; 0 if it is the file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{before or error.lineno}: is not JSON: {error.msg} (column {error.colno})") from None


def _rows(text: str, path: Path) -> list[dict[str, str]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(f"{path}:{reader.line_num}: expected {len(reader.fieldnames or ())} cells, as in line 1")
            rows.append(row)
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: is not CSV: {error}") from None
    return rows


@contextmanager
def _progress(budget: int) -> Iterator[Callable[[str, int, int], None]]:
    """On stderr: a bar on a terminal, else a line whenever something else is begun."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        last = ""

        def line(doing: str, count: int, most: int) -> None:
            nonlocal last
            if doing != last:
                console.file.write(f"{doing}: after {count} calls\n")
                console.file.flush()
            last = doing

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("calls at most"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=budget)
        yield lambda doing, count, most: bar.update(task, description=doing, completed=count)
