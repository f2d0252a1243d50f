"""Read the results of runs that somebody else made: JUnit XML as pytest, Surefire, Gradle and Jest write it.

What a dialect does of its own: pytest-rerunfailures writes a testcase an attempt and keeps the failures of the earlier
ones to itself; Gradle's test-retry writes a testcase an attempt, with them; Surefire puts `rerunFailure` (all attempts
failed) or `flakyFailure` (the last passed) into one testcase. Surefire and Gradle write a file a class, `TEST-*.xml`.
"""

import glob
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, parse

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.flapy import node_id
from parataxis.methods.flaky_tests.outcomes import FAILING

ATTEMPTS = {"flakyFailure": "F", "flakyError": "E", "rerunFailure": "F", "rerunError": "E"}
LONGEST = 300  # characters of a message
SLACK = 1.05, 0.05  # rounded times may add up to so much more than their session's: relative, seconds


@dataclass(frozen=True)
class TestCase:
    """One test in one run; attempts: an outcome a character, the first attempt first; message: of its first failure."""

    nodeid: str
    attempts: str
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class Results:
    """One run of a suite.

    source: its file, or the folder of its `TEST-*.xml`; environment: the folder that this is in; cases: in the order of
    the file; parallel: its tests took longer than the whole, so that this is no order in which they ran; by_name: so it
    is for the classes, which have no time stamp and stand by name.
    """

    source: Path
    environment: Path
    cases: list[TestCase]
    parallel: bool = False
    by_name: bool = False


def read_results(paths: Sequence[Path | str]) -> tuple[list[Results], list[list[str]]]:
    """The runs that files, folders (with all below them) or globs hold, and what can't be read with the reason.

    Raises BadInput if a path leads to no file, or if no file holds a run.
    """
    parts: dict[Path, list[tuple[Path, list[Element]]]] = defaultdict(list)
    wrong: list[list[str]] = []
    files = sorted({file for path in paths for file in _files(str(path))})
    for file in files:
        suites, reason = _suites(file)
        if reason:
            wrong.append([str(file), reason])
        else:
            parts[file.parent if _is_part(file) else file].append((file, suites))
    runs = [run for source, held in parts.items() for run in _runs(source, held)]
    for file, name in _not_collected(parts):
        wrong.append([str(file), f"{name} could not be collected there"])
    if not runs:
        raise BadInput(f"{wrong[0][0]}: {wrong[0][1]}; none of {len(files)} files holds results, name JUnit XML")
    return runs, wrong


def _files(path: str) -> list[Path]:
    found = [Path(path)] if Path(path).exists() else sorted(map(Path, glob.glob(path, recursive=True)))
    files = [file for each in found for file in (each.rglob("*.xml") if each.is_dir() else [each])]
    if not files:
        raise BadInput(f"RESULTS={path}: there is no such file, and no folder with *.xml in it")
    return files


def _is_part(file: Path) -> bool:
    return file.name.startswith("TEST-")


def _suites(file: Path) -> tuple[list[Element], str]:
    """The testsuites that hold testcases, or why there are none."""
    try:
        root = parse(file).getroot()
    except ParseError as error:
        return [], f"is no XML: {error}"
    except OSError as error:
        return [], f"can't be read: {error.strerror}"
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag not in ("testsuites", "testsuite"):
        return [], f"holds <{root.tag}>, which is no JUnit XML"
    suites = [element for element in root.iter() if element.find("testcase") is not None]
    return suites, "" if suites else "holds no testcase"


def _of_pytest(suite: Element) -> bool:
    files = (case.get("file") or "" for case in suite.iterfind("testcase"))
    return suite.get("name") == "pytest" or any(file.endswith(".py") for file in files)


def _not_collected(parts: dict[Path, list[tuple[Path, list[Element]]]]) -> Iterable[tuple[Path, str]]:
    """Modules that pytest lists as testcases without a class."""
    for held in parts.values():
        for file, suites in held:
            for suite in filter(_of_pytest, suites):
                yield from ((file, case.get("name", "")) for case in suite.iterfind("testcase") if _is_module(case))


def _is_module(case: Element) -> bool:
    return not case.get("classname") and not case.get("file")


def _runs(source: Path, held: list[tuple[Path, list[Element]]]) -> list[Results]:
    """The runs in one file, or in the parts of one.

    A testsuite whose tests have all been there already begins another run: files of several runs are merged like that.
    """
    stamped = all(suite.get("timestamp") for _, suites in held for suite in suites)
    held = sorted(held, key=lambda part: (part[1][0].get("timestamp", "") if stamped else "", part[0]))
    suites = [suite for _, each in held for suite in each]
    runs: list[list[TestCase]] = [[]]
    seen: set[str] = set()
    for suite in suites:
        cases = _cases(suite)
        if cases and seen.issuperset(case.nodeid for case in cases):
            runs.append([])
            seen = set()
        runs[-1] += _numbered(cases, seen)
    environment = source.parent if source.parent != Path() else Path.cwd()
    parallel = any(map(_in_parallel, suites))
    by_name = len(held) > 1 and not stamped
    return [Results(source, environment, cases, parallel, by_name) for cases in runs if cases]


def _in_parallel(suite: Element) -> bool:
    """Whether its tests took longer together than it did. One that does not say how long it took tells nothing."""
    whole, relative, seconds = _seconds(suite), *SLACK
    each = [_seconds(case) for case in suite.iterfind("testcase")]
    return whole > 0 and len(each) > 1 and whole * relative + seconds < sum(each)


def _seconds(element: Element) -> float:
    try:
        return float(element.get("time", "0").replace(",", ""))  # Surefire writes 1,234.5
    except ValueError:
        return 0.0


def _cases(suite: Element) -> list[TestCase]:
    """One TestCase a test, in the order of their first attempts."""
    of_pytest = _of_pytest(suite)
    attempts: dict[str, list[TestCase]] = {}
    for element in suite.iterfind("testcase"):
        if not (of_pytest and _is_module(element)):
            case = _case(element, suite, of_pytest)
            attempts.setdefault(case.nodeid, []).append(case)
    return [case for several in attempts.values() for case in _joined(several, of_pytest)]


def _case(element: Element, suite: Element, of_pytest: bool) -> TestCase:
    name, classname = element.get("name", ""), element.get("classname") or suite.get("name") or ""
    if of_pytest:
        nodeid = node_id(element.get("file") or "", classname, name)
    else:
        nodeid = name if classname in ("", name) else f"{classname}::{name}"
    failures = [child for child in element if child.tag in ("failure", "error", *ATTEMPTS)]
    last = next((child for child in element if child.tag in ("failure", "error", "skipped")), None)
    outcome = {None: ".", "failure": "F", "error": "E", "skipped": "s"}[None if last is None else last.tag]
    if last is not None and last.get("type") == "pytest.xfail":
        outcome = "."
    others = "".join(ATTEMPTS[child.tag] for child in failures if child.tag in ATTEMPTS)
    attempts = others + outcome if outcome == "." else outcome + others
    return TestCase(nodeid, attempts, _seconds(element), _message(failures[0]) if failures else "")


def _message(failure: Element) -> str:
    lines = (failure.get("message") or failure.text or failure.get("type") or "").strip().splitlines()
    return lines[0].strip()[:LONGEST] if lines else ""


def _joined(several: list[TestCase], of_pytest: bool) -> list[TestCase]:
    """Testcases of one name in one testsuite: attempts if each but the last failed, else tests of one name."""
    if of_pytest and len(several) > 1:
        if several[-2].attempts == "F" and several[-1].message.startswith("failed on teardown"):
            several = several[:-1]  # call and teardown of one attempt
        several = [
            replace(case, attempts="F", message="failed and was run again") if case.attempts == "." else case
            for case in several[:-1]
        ] + several[-1:]
    if not all(case.attempts[-1] in FAILING for case in several[:-1]):
        return several
    message = next((case.message for case in several if case.message), "")
    attempts = "".join(case.attempts for case in several)
    return [TestCase(several[0].nodeid, attempts, sum(case.seconds for case in several), message)]


def _numbered(cases: list[TestCase], seen: set[str]) -> list[TestCase]:
    """Names that were there already get a number, so that each test keeps its own from run to run."""
    numbered = []
    for case in cases:
        name, count = case.nodeid, 1
        while name in seen:
            count += 1
            name = f"{case.nodeid} #{count}"
        seen.add(name)
        numbered.append(replace(case, nodeid=name))
    return numbered
