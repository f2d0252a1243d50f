"""A hunt's report as text: a table by class, then a paragraph a flaky test."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from parataxis.audit.statistics import zero_failure_bound
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Diagnosis
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.one_cause import Named, apart, by_cause, more
from parataxis.methods.flaky_tests.protocol import PROTOCOLS
from parataxis.methods.flaky_tests.reruns import runs_for_rate
from parataxis.methods.flaky_tests.schedules import module_of

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Finding, Report

AGAIN = "of those that pass: they fail when they are run again in the same process"
NAMED = 10  # tests that fail every run
SHOWN = 50  # flaky tests in full; the others are in the files


def text(report: "Report") -> str:
    parts = [f"{headline(report)}\n{summary(report)}", _table(report)]
    flaky = by_cause(report, report.flaky)
    parts += [paragraph(each, report.diagnoses.get(each.nodeid), others) for each, others in flaky[:SHOWN]]
    if left := _tests(flaky[SHOWN:]):
        parts.append(f"and {left} more: see the HTML report or --json")
    latent = by_cause(report, report.repeating)
    parts += ["\n".join([*_names(each, others), *_indented(explanation(each))]) for each, others in latent[:SHOWN]]
    if left := _tests(latent[SHOWN:]):
        parts.append(f"and {left} more that fail when repeated: see the HTML report or --json")
    parts += ["\n".join(notes(report))] if notes(report) else []
    return "\n\n".join(parts)


def headline(report: "Report") -> str:
    flaky = len(report.flaky)
    tests = f"{len(report.head.ids):,} tests {'is' if flaky < 2 else 'are'} flaky"
    return f"{Path(report.head.root).name}: {flaky or 'none'} of {tests}"


def summary(report: "Report") -> str:
    """How it was measured."""
    head = report.head
    environments = len({run.iteration for run in report.runs})
    said = f"{report.orders} orders in {environments} environment{'s' * (environments > 1)}, "
    said += f"{report.seconds:.1f} s of test time"
    if not head.protocol:  # results of runs that others made
        return said
    if head.enough is not None:
        said += f"; no more once a failure rate of {head.enough:g} was excluded for each test"
    return f"{said}; protocol {head.protocol}, seed {head.seed}, Python {head.python}, pytest {head.pytest}"


def _table(report: "Report") -> str:
    counts = report.counts()
    names = [Kind.OD.value, Kind.NOD.value, Kind.INFRA.value, "passes every run"]
    names += [name for name in ("non-idempotent", "fails every run", "never ran") if counts[name]]
    remarks = {"non-idempotent": AGAIN, "fails every run": "not flaky", "never ran": "skipped, or not reached"}
    if steady := [each for each in report.findings if each.rate_below]:
        runs = min(each.same.runs + each.shuffled.runs for each in steady)
        environments = min(each.environments.runs for each in steady)
        remarks["passes every run"] = (
            f"{runs} runs or more each: a failure rate above {_bound(runs)} (of environments: {_bound(environments)}) "
            "is excluded at 95%"
        )
    return "\n".join(f"{name:<20}{counts[name]:>8,}   {remarks.get(name, '')}".rstrip() for name in names)


def _bound(runs: int) -> str:
    return f"{100 * float(zero_failure_bound(runs, 0.05)):.2g}%"


def _tests(groups: Sequence[tuple[Named, list[str]]]) -> int:
    return sum(1 + len(others) for _, others in groups)


def _names(each: Named, others: Sequence[str]) -> list[str]:
    said, names = more(each.nodeid, others), apart(each.nodeid, others)
    lines = [said] * bool(said) + [f"    {name}" for name in names[:SHOWN]]
    if left := len(names[SHOWN:]):
        lines.append(f"    and {left} more: see the HTML report or --json")
    return [each.nodeid, *_indented(lines)]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def paragraph(each: "Finding", found: Diagnosis | None = None, others: Sequence[str] = ()) -> str:
    lines = [*_names(each, others), f"    {each.kind.value}: fails {each.same} in file order, {each.shuffled} shuffled"]
    chance = f" (by chance: {each.by_chance})" if each.by_chance else ""
    lines += [f"    {each.sure}{chance}"] * bool(each.sure)
    lines += [f"    cause: {each.cause}"] * bool(each.cause)
    lines += [f"    {each.message}"] * bool(each.message)
    lines += _indented(explanation(found) if found else ())
    lines += _indented(filter(None, [gone(each)]))
    return "\n".join(lines)


def gone(each: "Finding") -> str:
    """How many clean runs say that a test is flaky no more: at the lowest rate that its failures allow.

    Of what is constant in an environment, any number of runs in it tells no more than one.
    """
    rate = each.environments if each.by_environment else each.shuffled
    if not 0 < rate.failures < rate.runs:
        return ""
    runs = "runs, each in a new environment," if each.by_environment else "shuffles in a row"
    return f"after a fix, {runs_for_rate(rate.low)} clean {runs} say with 95% that it is gone"


def notes(report: "Report") -> list[str]:
    """What a reader must know to trust the rest."""
    told = [f"note: {reason}" for reason in report.head.because]
    protocol, apart = PROTOCOLS.get(report.head.protocol), len(set(map(module_of, report.head.ids)))
    if protocol and 0 < protocol.files < apart:
        told.append(
            f"note: {apart} files are too many to run each by itself: what needs another's import stays unknown"
        )
    if len(held := report.head.declared) > 1:
        told.append(f"note: {len(held)} tests keep the order that the suite declares by markers")
    if names := report.failing:
        rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        told.append(f"note: fails every run: {'; '.join(names[:NAMED])}{rest}")
    if protocol and protocol.rules == "default" and (left := report.untried):
        were = "1 of these was" if left == 1 else f"{left} of these were"
        told.append(f"note: {were} not run alone: whether other tests or files make them fail stays unknown")
    if changed := report.changed:
        files = "1 file had" if changed == 1 else f"{changed} files had"
        told.append(f"note: {files} other contents after an order, which are kept in {report.put_back / 'changed'}")
    told += [f"note: not collected: {nodeid}: {reason}" for nodeid, reason in report.head.errors]
    blamed = {report.head.ids[place] for entry in report.entries for place in entry.leaving}
    return told + [f"note: a shared fixture's teardown failed after {nodeid}" for nodeid in sorted(blamed)]
