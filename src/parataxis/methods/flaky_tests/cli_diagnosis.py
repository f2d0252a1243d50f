"""The commands that look into single tests: explain, polluters, replay, bisect."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.errors import BadInput

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.diagnosis import Diagnosis
    from parataxis.methods.flaky_tests.journal import Head
    from parataxis.methods.flaky_tests.lab import Lab

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Python = Annotated[
    Path | None,
    typer.Option(help="The suite's own interpreter; by default that of its .venv or venv.", show_default=False),
]
Timeout = Annotated[float, typer.Option(min=0.01, help="Seconds that a test is given.")]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH...] [-- PYTEST OPTIONS]", help="The suite; by default the current folder."),
]


def explain_command(
    nodeids: Annotated[
        list[str] | None, typer.Argument(metavar="[NODEID...]", help="Tests; by default all that depend on the order.")
    ] = None,
    hunt: Annotated[Path, typer.Option(help="The folder of the hunt.")] = Path(".parataxis"),
    jobs: Annotated[int, typer.Option(min=1, help="Orders at a time.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Say why tests of a recorded hunt are flaky: polluters, cleaners, what they leave, and a command that proves it.

    Example: parataxis tests explain
    """
    from parataxis.methods.flaky_tests.explaining import explain
    from parataxis.methods.flaky_tests.report import Report
    from parataxis.methods.flaky_tests.text import paragraph

    with telling() as tell:
        report = explain(Report.read(hunt), hunt, nodeids or None, jobs=jobs, tell=tell)
    report.write(hunt)
    wanted = nodeids or [each.nodeid for each in report.flaky]
    if as_json:
        found = [report.diagnoses[nodeid].to_row() for nodeid in wanted if nodeid in report.diagnoses]
        print(json.dumps(found, indent=1))
    else:
        print("\n\n".join(paragraph(report.explain(each), report.diagnoses.get(each)) for each in wanted))


def polluters_command(
    nodeid: Annotated[str, typer.Argument(help="The test.")],
    arguments: Arguments = None,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first one, nearest to the test.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Pairs at a time.")] = 1,
    python: Python = None,
    timeout: Timeout = 10.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Run one test after every other, each pair in a fork, without a hunt: its polluters or state-setters.

    If none does it by itself, the fewest that do it together: file order and its reverse are walked, and the test is
    forked at each step.
    With --first, after whole classes of tests, and then the fewest of the class that did it: in seconds. Exit status 0
    if it has none, 1 if it has some.

    Example: parataxis tests polluters test_prices.py::test_price
    """
    from parataxis.methods.flaky_tests.diagnose import diagnose
    from parataxis.methods.flaky_tests.nearest import nearest_culprit

    with _lab(arguments, python, timeout, seed, jobs) as lab, telling() as tell:
        place = _place(lab.head, nodeid)
        found = nearest_culprit(lab, place, tell) if first else next(diagnose(lab, [place], [], tell))
    _show(found, as_json)
    raise typer.Exit(1 if found.chains or found.modules else 0)


def bisect_command(
    nodeid: Annotated[str, typer.Argument(help="The test that fails, or passes, only in that order.")],
    failing_order: Annotated[
        Path, typer.Option("--failing-order", help="A file with the node ids in the order that shows it, one a line.")
    ],
    arguments: Arguments = None,
    python: Python = None,
    timeout: Timeout = 10.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Find the fewest tests of a failing order, in their order, after which a test still fails.

    Exit status 1 if they were found, 0 if the order does not show it.

    Example: parataxis tests bisect test_prices.py::test_price --failing-order order.txt
    """
    from parataxis.methods.flaky_tests.diagnose import bisect

    lines = _lines(failing_order)
    with _lab(arguments, python, timeout, seed) as lab, telling() as tell:
        order = [_place(lab.head, line, f"{failing_order}:{number}") for number, line in lines]
        found = bisect(lab, _place(lab.head, nodeid), order, tell)
    _show(found, as_json)
    raise typer.Exit(1 if found.chains else 0)


def replay_command(
    order: Annotated[Path, typer.Argument(help="A file with node ids, one a line.")],
    arguments: Arguments = None,
    times: Annotated[int, typer.Option(min=1, help="Fresh interpreters to run it in.")] = 1,
    python: Python = None,
    timeout: Timeout = 10.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Run tests in the order of a file, in a fresh interpreter that collects the whole suite.

    Exit status 1 if one of them fails, 0 if none does.

    Example: parataxis tests replay order.txt
    """
    from parataxis.methods.flaky_tests.outcomes import FAILING
    from parataxis.methods.flaky_tests.session import Order

    lines = _lines(order)
    ids = [line for _, line in lines]
    with _lab(arguments, python, timeout, seed) as lab:
        places = tuple(_place(lab.head, line, f"{order}:{number}") for number, line in lines)
        done = lab.run(Order("lab", 0, places, fresh=True) for _ in range(times))
    outcomes = [each.outcomes if each else "C" * len(ids) for each in done]
    if as_json:
        print(json.dumps([dict(zip(ids, each, strict=True)) for each in outcomes], indent=1))
    else:
        for place, nodeid in enumerate(ids):
            print(f"{''.join(each[place] for each in outcomes)}  {nodeid}")
    raise typer.Exit(1 if any(mark in FAILING for each in outcomes for mark in each) else 0)


# -- what they share ---------------------------------------------------------------------------------------------------


@contextmanager
def _lab(arguments: list[str] | None, python: Path | None, timeout: float, seed: int, jobs: int = 1) -> Iterator["Lab"]:
    from parataxis.methods.flaky_tests.cli import split
    from parataxis.methods.flaky_tests.survey import laboratory

    paths, options = split(arguments)
    with laboratory(paths, options, python=python, seed=seed, timeout=timeout, jobs=jobs) as lab:
        for reason in lab.head.because:
            print(f"note: {reason}", file=sys.stderr, flush=True)
        yield lab


def _place(head: "Head", nodeid: str, where: str = "") -> int:
    if nodeid not in head.ids:
        function = nodeid.partition("[")[0]
        if len(known := [place for place in head.unsteady if head.ids[place].partition("[")[0] == function]) == 1:
            return known[0]
        near = [each for each in head.ids if each.endswith(nodeid.rpartition("/")[2])]
        near += [head.ids[place] for place in known]
        meant = f"; did you mean {near[0]}?" if near else ""
        named = f"{where}: {nodeid!r}" if where else f"NODEID={nodeid!r}:"
        raise BadInput(f"{named} is not among the {len(head.ids)} tests that pytest collects{meant}")
    return head.ids.index(nodeid)


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: can't be read ({error}); give a file with a node id a line") from None
    found = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadInput(f"{path}: holds no node id; give one a line")
    return found


def _show(found: "Diagnosis", as_json: bool) -> None:
    from parataxis.methods.flaky_tests.explanation import explanation

    print(json.dumps(found.to_row(), indent=1) if as_json else "\n    ".join([found.nodeid, *explanation(found)]))


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """A function to be told what is being done: shown in one line on a terminal, now and then a line in a pipe."""
    from rich.console import Console

    from parataxis.progress import now_and_then

    console = Console(stderr=True)
    if not console.is_terminal:
        yield now_and_then()
        return
    with console.status("collecting") as status:

        def tell(text: str) -> None:
            status.update(text if len(text) < console.width - 4 else "..." + text[8 - console.width :])

        yield tell
    sys.stderr.flush()


def register(app: Any) -> None:
    """Add these commands to the method's."""
    for name, command in (
        ("explain", explain_command),
        ("polluters", polluters_command),
        ("bisect", bisect_command),
        ("replay", replay_command),
    ):
        app.command(name)(command)
