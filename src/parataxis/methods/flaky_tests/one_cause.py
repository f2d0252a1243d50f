"""Parameter sets of one test function that have one cause: a report tells the first of them, and names the others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from parataxis.methods.flaky_tests.diagnosis import Diagnosis

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Finding, Report


@runtime_checkable
class Named(Protocol):
    """A finding, or a diagnosis."""

    @property
    def nodeid(self) -> str: ...


Told = TypeVar("Told", bound=Named)


def by_cause(report: "Report", tests: Sequence[Told]) -> list[tuple[Told, list[str]]]:
    """Each test that is to be told, with the node ids of those that need no telling of their own."""
    findings = {each.nodeid: each for each in report.findings}
    groups: dict[object, list[Told]] = {}
    for place, each in enumerate(tests):
        known = _known(findings[each.nodeid], report.diagnoses.get(each.nodeid))
        groups.setdefault(known or place, []).append(each)
    return [(first, [other.nodeid for other in others]) for first, *others in groups.values()]


def _known(each: "Finding", found: Diagnosis | None) -> tuple[object, ...]:
    """Function, class, culprits and cause; nothing of a test without parameters, or of which no cause is known."""
    function, bracket, _ = each.nodeid.partition("[")
    causes: set[object] = set()
    if found is not None:
        for chain in found.chains:  # other parameter sets of the same function are one culprit
            culprits = tuple(function if name.startswith(f"{function}[") else name for name in chain.tests)
            causes.add((culprits, chain.cause and (chain.cause.kind, chain.cause.name)))
        causes |= {*found.modules, *((hint.kind, hint.where) for hint in found.hints)}
    if not bracket or not (causes or each.cause):
        return ()
    return function, each.kind, each.cause, found and found.kind, frozenset(causes)


def more(others: Sequence[str]) -> str:
    """The others in a few words; "" if there are none."""
    if not others:
        return ""
    function = others[0].partition("[")[0].rpartition("::")[2]
    return f"and {len(others)} more parameter set{'s' * (len(others) > 1)} of {function}"
