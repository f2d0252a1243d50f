"""Read and write the tables of FlaPy, the tool of the paper's authors (github.com/se2p/FlaPy).

`passed_failed.csv` has one row a test and an iteration, with the numbers of the runs that came out each way printed as
Python sets; `tests_overview.csv` has one row a test, with its class. A test must have an id of its own.
"""

import ast
import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.flaky_tests.classes import SHUFFLED, Kind, paper_class
from parataxis.methods.flaky_tests.outcomes import BITS, VERDICTS, Run, verdict

PROJECT = ("Project_Name", "Project_URL", "Project_Hash")
TEST = ("Test_filename", "Test_classname", "Test_name", "Test_parametrization")
OUTCOMES = {"Passed": ".", "Failed": "F", "Error": "E", "Skipped": "s"}
ORDERS = ("sameOrder", "randomOrder")
WORDS = {kind: kind.value for kind in Kind} | {Kind.INFRA: "infrastructure flaky"}

_NUMBERS = [f"{word}_{order}" for order in ORDERS for word in OUTCOMES]
PASSED_FAILED = [
    *("Iteration", "Iteration_status", *PROJECT, *TEST),
    *(
        f"{word}_{order}"
        for order in ORDERS
        for word in ("Passed", "Failed", "Error", "Skipped", "Verdict", "Verdicts", "numRuns")
    ),
]
OVERVIEW = [
    *(*PROJECT, *TEST, "flaky?"),
    *(f"{word}_{order}" for order in ORDERS for word in ("Verdicts", *OUTCOMES, "numRuns")),
    *("Flaky_sameOrder_withinIteration", "Flaky_randomOrder_withinIteration"),
    *("Verdict_sameOrder", "Verdict_randomOrder", "Order-dependent", "Flaky_Infrastructure"),
    *("Test_nodeid", "Test_nodeid_inclPara"),
]


def read_passed_failed(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a `passed_failed.csv`, with sets of run numbers as sets. Iterations without tests are left out."""
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = {*PROJECT, *TEST, *_NUMBERS} - set(reader.fieldnames or ())
        if missing:
            raise BadInput(f"{path}: no column {sorted(missing)[0]!r}; expected FlaPy's passed_failed.csv")
        rows = []
        for row in reader:
            if not row["Test_name"]:
                continue
            parsed = {name: _numbers(row[name] or "", f"{path}:{reader.line_num}: {name}") for name in _NUMBERS}
            rows.append({**row, **parsed})
    return rows


def _numbers(text: str, where: str) -> set[Any]:
    if text in ("", "nan", "set()"):
        return set()
    try:
        numbers = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        numbers = None
    if not isinstance(numbers, set):
        raise BadInput(f"{where}={text!r}: expected a set of run numbers such as {{0, 1}} or set()")
    return numbers


def read_tests_overview(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a `tests_overview.csv` as `tests_overview` gives them: sets, counts and truth values as such."""
    with open(path, newline="", encoding="utf-8") as stream:
        return [{name: _parsed(name, text or "") for name, text in row.items()} for row in csv.DictReader(stream)]


def _parsed(column: str, text: str) -> Any:
    if column.startswith("Verdicts_"):
        return _numbers(text, column)
    if column.startswith(("numRuns_", *OUTCOMES)):
        return int(float(text or 0))
    return {"True": True, "False": False}.get(text, text)


def _outcomes(row: dict[str, Any], order: str) -> str:
    return "".join(mark * len(row[f"{word}_{order}"]) for word, mark in OUTCOMES.items())


def tests_overview(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a test, sorted, with FlaPy's columns `OVERVIEW`: its class by the paper's rules, and its counts."""
    of_test: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        key = tuple(row[name] for name in (*PROJECT, *TEST))
        of_test[key].append((_outcomes(row, "sameOrder"), _outcomes(row, "randomOrder")))
    return [_overview(key, iterations) for key, iterations in sorted(of_test.items())]


def _overview(key: tuple[str, ...], iterations: list[tuple[str, str]]) -> dict[str, Any]:
    kind = paper_class(iterations)
    row: dict[str, Any] = dict(zip((*PROJECT, *TEST), key, strict=True))
    row["flaky?"] = WORDS[kind]
    for order, outcomes in zip(ORDERS, zip(*iterations, strict=True), strict=True):
        together = "".join(outcomes)
        row |= {f"{word}_{order}": together.count(mark) for word, mark in OUTCOMES.items()}
        row[f"Verdicts_{order}"] = {word for word, mark in OUTCOMES.items() if mark in together}
        row[f"numRuns_{order}"] = len(together)
        row[f"Flaky_{order}_withinIteration"] = any(verdict(single) == "Flaky" for single in outcomes)
        row[f"Verdict_{order}"] = verdict(together)
    row["Order-dependent"] = kind is Kind.OD
    row["Flaky_Infrastructure"] = kind is Kind.INFRA
    filename, classname, name, parameters = key[len(PROJECT) :]
    row["Test_nodeid"] = node_id(filename, classname, name)
    row["Test_nodeid_inclPara"] = row["Test_nodeid"] + parameters
    return {name: row[name] for name in OVERVIEW}


def node_id(filename: str, classname: str, name: str) -> str:
    """pytest's id, from what JUnit XML keeps of it.

    Without the name of the file, a last part that begins with a capital is taken for a class, as FlaPy does.
    """
    if filename or not classname:
        inside = classname.removeprefix(_dotted(filename)).split(".")
        return "::".join([filename, *filter(None, inside), name])
    parts = classname.split(".")
    has_class = parts[-1][:1].isupper() and len(parts) > 1
    file = "/".join(parts[: len(parts) - has_class]) + ".py"
    return "::".join([file, *parts[len(parts) - has_class :], name])


def _dotted(filename: str) -> str:
    return filename.removesuffix(".py").replace("/", ".")


def write_tests_overview(rows: Iterable[dict[str, Any]], path: Path | str) -> Path:
    """`tests_overview.csv` from the rows of a `passed_failed.csv`."""
    return _write(tests_overview(rows), OVERVIEW, path)


def passed_failed(
    runs: Sequence[Run], tests: Sequence[str], *, name: str = "", url: str = "", commit: str = ""
) -> list[dict[str, Any]]:
    """A hunt's runs as rows of a `passed_failed.csv`, one a test and iteration in which it ran.

    tests: node ids, by the places that the runs use; name, url, commit: of the project. A crash or a time-out is a
    failure; replays and runs for diagnosis are left out, as the paper has none.
    """
    counted = sorted((run for run in runs if run.kind in ("same", *SHUFFLED)), key=lambda r: (r.kind, r.index))
    seen: dict[tuple[int, int], dict[str, set[int]]] = defaultdict(lambda: {column: set() for column in _NUMBERS})
    number: dict[tuple[int, str], int] = defaultdict(int)
    for run in counted:
        order = "sameOrder" if run.kind == "same" else "randomOrder"
        for test, outcome in enumerate(run.outcomes):
            if outcome != "-":
                word = VERDICTS[BITS[outcome]]
                seen[run.iteration, test][f"{word}_{order}"].add(number[run.iteration, order])
        number[run.iteration, order] += 1
    project = dict(zip(PROJECT, (name, url, commit), strict=True))
    rows = []
    for (iteration, test), numbers in sorted(seen.items()):
        start = {"Iteration": f"{name}/{iteration}", "Iteration_status": "ok"}
        rows.append({**start, **project, **_names(tests[test]), **numbers, **_verdicts(numbers)})
    return rows


def _names(nodeid: str) -> dict[str, str]:
    bare, bracket, parameters = nodeid.partition("[")
    filename, *classes, name = bare.split("::")
    dotted = ".".join([_dotted(filename), *classes])
    return dict(zip(TEST, (filename, dotted, name, bracket + parameters), strict=True))


def _verdicts(numbers: dict[str, set[int]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for order in ORDERS:
        outcomes = _outcomes(numbers, order)
        columns[f"Verdict_{order}"] = verdict(outcomes)
        columns[f"Verdicts_{order}"] = {word for word in OUTCOMES if numbers[f"{word}_{order}"]}
        columns[f"numRuns_{order}"] = len(outcomes)
    return columns


def write_passed_failed(rows: Iterable[dict[str, Any]], path: Path | str) -> Path:
    """`passed_failed.csv`; FlaPy and `read_passed_failed` read it back."""
    return _write(rows, PASSED_FAILED, path)


def _write(rows: Iterable[dict[str, Any]], columns: list[str], path: Path | str) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _printed(row[name]) for name in columns})
    return write_atomic(path, text.getvalue())


def _printed(value: Any) -> Any:
    """A set as Python prints it, but always in the same order."""
    if not isinstance(value, set):
        return value
    return "{" + ", ".join(repr(member) for member in sorted(value)) + "}" if value else "set()"
