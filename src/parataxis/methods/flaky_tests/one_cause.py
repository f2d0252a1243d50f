"""Tests that have one cause, parameter sets above all: a report tells the first of them, and names the others."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis

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

    def key(of: Callable[["Finding", Diagnosis | None], Hashable]) -> Callable[[Told], Hashable]:
        return lambda each: of(findings[each.nodeid], report.diagnoses.get(each.nodeid))

    sets = _merged([[each] for each in tests], key(_known))
    groups = _merged(sets, key(_shown))
    return [(first, [other.nodeid for other in others]) for first, *others in groups]


def _merged(groups: Sequence[list[Told]], key: Callable[[Told], Hashable]) -> list[list[Told]]:
    """Groups whose first tests have one key are one; a key that is empty is nobody else's."""
    merged: dict[Hashable, list[Told]] = {}
    for place, group in enumerate(groups):
        merged.setdefault(key(group[0]) or place, []).extend(group)
    return list(merged.values())


def _known(each: "Finding", found: Diagnosis | None) -> Hashable:
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


def _shown(each: "Finding", found: Diagnosis | None) -> Hashable:
    """Class, culprits, what undoes them, and what they leave, of a test of which one change alone was shown to decide.

    Without that, tests of two functions may have the same polluters and yet two causes.
    """
    if found is None or found.kind is Dependence.REPEAT or not any(chain.cause for chain in found.chains):
        return ()
    causes = {
        (chain.tests, frozenset(chain.undone_by), chain.cause and (chain.cause.kind, chain.cause.name))
        for chain in found.chains
    }
    return each.kind, each.cause, found.kind, frozenset(causes)


def more(nodeid: str, others: Sequence[str]) -> str:
    """The others in a few words; "" if there are none."""
    tests = len(apart(nodeid, others))
    sets = len(others) - tests
    function = nodeid.partition("[")[0].rpartition("::")[2]
    words = [f"{sets} more parameter set{'s' * (sets > 1)} of {function}"] * bool(sets)
    words += [f"{tests} more test{'s' * (tests > 1)} with the same culprits and the same cause"] * bool(tests)
    return f"and {' and '.join(words)}" if words else ""


def apart(nodeid: str, others: Sequence[str]) -> list[str]:
    """Those of the others that are no parameter sets of the same function."""
    function = nodeid.partition("[")[0]
    return [other for other in others if not other.startswith(f"{function}[")]
