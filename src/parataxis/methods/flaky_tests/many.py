"""A study of many projects: each is a unit of its own, so that a broken one stops no other and a kill costs little."""

import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from parataxis.backends import ADDRESSES, Refused, connected
from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.flaky_tests.projects import Project, Unit
from parataxis.methods.flaky_tests.protocol import find_protocol
from parataxis.methods.flaky_tests.unit import Found, run_unit

FLAPY = ("passed_failed.csv", "tests_overview.csv")
COLUMNS = ("project", "tests", "OD", "NOD", "infra", "seconds", "reason")
REASON = 100  # characters of a reason in the table; all of it is in the CSV and JSON


@dataclass(frozen=True)
class Tally:
    """What came of each project, in the order of the list. Printing it gives a table."""

    found: list[Found]

    @property
    def measured(self) -> list[Found]:
        return [each for each in self.found if each.tests]

    @property
    def exit_status(self) -> int:
        return 1 if any(each.flaky for each in self.found) else 0

    def __str__(self) -> str:
        rows = [COLUMNS, *(_cells(each) for each in self.found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = []
        for row in rows:
            name, *numbers, reason = (
                cell.ljust(width) if column in (0, len(COLUMNS) - 1) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join([name, *numbers, reason]).rstrip())
        return "\n".join([self.headline(), "", *lines])

    def headline(self) -> str:
        tests, flaky = (sum(getattr(each, name) for each in self.found) for name in ("tests", "flaky"))
        by_kind = ", ".join(
            f"{sum(getattr(each, name) for each in self.found)} {short}"
            for name, short in (("order_dependent", "OD"), ("non_order_dependent", "NOD"), ("infrastructure", "infra"))
        )
        left = len(self.found) - len(self.measured)
        end = f"; {left} could not be measured" if left else ""
        projects = f"{len(self.found)} project{'s' * (len(self.found) != 1)}"
        return f"{projects}: {flaky} of {tests:,} tests {'is' if flaky == 1 else 'are'} flaky ({by_kind}){end}"

    def to_json(self) -> dict[str, object]:
        return {"projects": [{**asdict(each), "flaky": each.flaky} for each in self.found]}

    def write(self, out: Path) -> None:
        """study.csv, and FlaPy's two tables over all projects."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*asdict(self.found[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, self.found))
        write_atomic(out / "study.csv", text.getvalue())
        for name in FLAPY:
            _joined(out / name, [out / each.folder / name for each in self.found if each.tests])


def _cells(each: Found) -> tuple[str, ...]:
    kinds = (each.order_dependent, each.non_order_dependent, each.infrastructure)
    counts = (f"{each.tests:,}", *map(str, kinds)) if each.tests else ("-",) * 4
    reason = each.reason if len(each.reason) <= REASON else each.reason[: REASON - 3] + "..."
    return each.project, *counts, f"{each.seconds:.0f}", reason


def _joined(path: Path, parts: Sequence[Path]) -> None:
    """One table from those of the units, which may be more than memory holds."""
    beside = path.with_name(f".{path.name}")
    with open(beside, "wb") as joined:
        for number, part in enumerate(part for part in parts if part.exists()):
            with open(part, "rb") as lines:
                head = lines.readline()
                joined.writelines([head] * (number == 0))
                joined.writelines(lines)
    os.replace(beside, path)


def hunt_many(
    projects: Sequence[Project],
    out: Path,
    *,
    jobs: int = 1,
    backend: str = "loky",
    protocol: str = "quick",
    seed: int = 0,
    limit: float = 3600.0,
    rebuild: bool = False,
    explain: bool = True,
    watch: Callable[[Found], None] = lambda found: None,
) -> Tally:
    """Hunt in each project, `jobs` of them at a time; what `out` already holds is not done again, what failed is.

    limit: seconds that a project may take in all; rebuild: a new environment for each iteration, not one a project;
    explain: say, within its limit, why a project's flaky tests are so; watch: told of each project when it is done.
    Raises BadInput.
    """
    find_protocol(protocol)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out}: can't be written ({error.strerror}); name another folder") from None
    units = [Unit(project, out.resolve(), protocol, seed, limit, rebuild, explain) for project in projects]
    found: dict[int, Found] = {}
    for place, each in (_spread_afar if backend in ADDRESSES else _spread)(units, jobs, backend):
        found[place] = each
        watch(each)
    whole = Tally([found[place] for place in range(len(units))])
    whole.write(out)
    return whole


def _numbered(place: int, unit: Unit) -> tuple[int, Found]:
    return place, run_unit(unit)


def _spread(units: Sequence[Unit], jobs: int, backend: str) -> Iterator[tuple[int, Found]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    done: set[int] = set()
    parallel = Parallel(n_jobs=jobs, backend=backend, batch_size=1, return_as="generator_unordered")
    try:
        for place, found in parallel(delayed(_numbered)(place, unit) for place, unit in enumerate(units)):
            done.add(place)
            yield place, found
    except TerminatedWorkerError:  # out of memory, as a rule; here the work is in processes of its own
        for place, unit in enumerate(units):
            if place not in done:
                yield _numbered(place, unit)


def _spread_afar(units: Sequence[Unit], jobs: int, backend: str) -> Iterator[tuple[int, Found]]:
    with connected(backend) as cluster:
        submit = cluster.pool(jobs, _runner)
        places = {submit(unit): place for place, unit in enumerate(units)}
        for future in as_completed(places):
            place = places[future]
            try:
                yield place, future.result()
            except Refused as error:
                yield place, Found(units[place].project.name, "", reason=str(error))


def _runner() -> Callable[[Unit], Found]:
    return run_unit


@contextlib.contextmanager
def watching(total: int) -> Iterator[Callable[[Found], None]]:
    """A function to be told of each project: it shows a bar on a terminal, a line in a pipe, both on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda found: print(_line(found), file=sys.stderr, flush=True)
        return
    columns = (TextColumn("projects"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda found: bar.update(task, advance=1, description=_line(found))


def _line(found: Found) -> str:
    tests = f"{found.flaky} of {found.tests:,} tests {'is' if found.flaky == 1 else 'are'} flaky"
    said = tests if found.tests else found.reason
    return f"{found.project}: {said} ({found.seconds:.0f} s)"
