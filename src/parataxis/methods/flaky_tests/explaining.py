"""From a hunt to explanations: which of its flaky tests are diagnosed, kept one by one, and shown."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.files import JsonLines, read_json_lines
from parataxis.methods.flaky_tests.by_chance import by_chance
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnose import diagnose
from parataxis.methods.flaky_tests.diagnosis import Diagnosis
from parataxis.methods.flaky_tests.journal import DIAGNOSES, Head, files_of, limits_of
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.repeating import repeating
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.suite import Suite

REPEATED = "tests run twice"  # of the line that says so, in the file of diagnoses


def suite_of(head: Head) -> Suite:
    return Suite(Path(head.root), tuple(head.arguments), Path(head.interpreter), head.parallel)


def explain(
    report: Report,
    folder: Path,
    nodeids: Sequence[str] | None = None,
    *,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> Report:
    """The report with a diagnosis for each test that fails by order, by chance or when repeated, or for `nodeids`.

    Diagnoses are kept in `folder`; what is there already is not done again. Raises BadInput.
    """
    known = read_diagnoses(folder)
    kinds = {each.nodeid: each.kind for each in report.findings}
    wanted = [nodeid for nodeid, kind in kinds.items() if kind in (Kind.OD, Kind.NOD)]
    wanted = wanted if nodeids is None else list(nodeids)
    places = {nodeid: place for place, nodeid in enumerate(report.head.ids)}
    for nodeid in wanted:
        if nodeid not in places:
            raise BadInput(f"NODEID={nodeid!r}: is not among the {len(places)} tests of the hunt")
    todo = [places[nodeid] for nodeid in wanted if nodeid not in known]
    again = nodeids is None and not _is_repeated(folder)
    steady = [places[each.nodeid] for each in report.findings if again and each.rate_below]
    if todo or steady:
        limits = limits_of(report.entries, report.head.timeout)
        with (
            Lab(suite_of(report.head), report.head, limits, jobs, files_of(folder)) as lab,
            JsonLines(folder / DIAGNOSES) as lines,
        ):
            chance = [test for test in todo if kinds[report.head.ids[test]] is Kind.NOD]
            order = [test for test in todo if test not in chance]
            earlier = [] if nodeids else list(known.values())  # a test asked for by name is tried after every other
            who = diagnose(lab, order, report.runs, tell, earlier)
            for found in chain(who, by_chance(lab, chance, report.runs, tell), repeating(lab, steady, tell)):
                lines.append(found.to_row())
                known[found.nodeid] = found
            if steady:
                lines.append({REPEATED: len(steady)})
    return Report(report.head, report.entries, known)


def read_diagnoses(folder: Path) -> dict[str, Diagnosis]:
    """What was found by then, by node id."""
    return {row["nodeid"]: Diagnosis.from_row(row) for row in _rows(folder) if REPEATED not in row}


def _is_repeated(folder: Path) -> bool:
    """Whether every test that passes was run twice by then."""
    return any(REPEATED in row for row in _rows(folder))


def _rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / DIAGNOSES
    return list(read_json_lines(path)) if path.exists() else []
