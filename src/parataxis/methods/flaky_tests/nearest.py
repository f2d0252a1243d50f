"""One culprit, soon: whole classes of tests before the victim, the nearest first, and then the fewest of them.

A pair for each of thousands of tests is thousands of forks; their classes are a hundred, and most culprits stand in
the victim's own. The pairs come last: cleaners on both sides of a culprit hide it in its class.
"""

from collections.abc import Callable, Iterator

from parataxis.methods.flaky_tests.diagnose import CHAINS, REPLAYS, Case
from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis
from parataxis.methods.flaky_tests.lab import Lab, Places
from parataxis.methods.flaky_tests.outcomes import FAILING

AT_ONCE = 64  # pairs between two looks


def nearest_culprit(lab: Lab, test: int, tell: Callable[[str], None] = lambda text: None) -> Diagnosis:
    """A diagnosis with one chain, the first that was found: one culprit, or the fewest that must come together.

    The first that a fresh interpreter confirms, if one of the first few does. test: its place in the suite's list.
    """
    *alone, again = lab.last([(test,)] * REPLAYS + [(test, test)])
    (cold,) = lab.last([(test,)], fresh=True)
    case = Case(lab, test, "".join(alone), cold, again, [])
    if said := case.settled_alone():
        return said
    modules = case.modules()
    if modules and case.fails_alone:
        return case.said(Dependence.IMPORT, modules=modules)
    classes = _classes(lab.head.ids, test)
    others = sum(map(len, classes))
    tried = set[Places]()
    for culprits in _culprits(case, classes, tell):
        if culprits in tried:
            continue
        tried.add(culprits)
        (chain,) = case.confirmed(culprits)
        if chain not in case.refuted:
            return case.said(case.kind, chains=(chain,))
        if len(case.refuted) == CHAINS:
            break
    if case.refuted:
        return case.said(case.kind, chains=(case.refuted[0],))
    if modules:
        return case.said(Dependence.IMPORT, modules=modules, searched=others)
    if again in FAILING and not case.fails_alone:
        return case.repeats(others)
    return case.said(Dependence.UNKNOWN, searched=others)


def _culprits(case: Case, classes: list[Places], tell: Callable[[str], None]) -> Iterator[Places]:
    """After which it ends otherwise than alone: the fewest of a group, then single tests."""
    lab, test = case.lab, case.test
    for group in _groups(classes):
        tell(f"after {len(group)} tests of {lab.head.ids[group[0]].rpartition('::')[0]}")
        if case.differs(lab.last([(*group, test)])[0]) and (found := case.fewest([group])):
            yield found
    others = [other for each in classes for other in each]
    for start in range(0, len(others), AT_ONCE):
        tell(f"after each of {len(others)} other tests: {start}")
        some = others[start : start + AT_ONCE]
        ends = lab.last([(other, test) for other in some])
        yield from ((other,) for other, end in zip(some, ends, strict=True) if case.differs(end))


def _classes(ids: list[str], test: int) -> list[Places]:
    """The other tests by class: its own first, then those of its file."""
    found: dict[str, list[int]] = {}
    for other in range(len(ids)):
        if other != test:
            found.setdefault(ids[other].rpartition("::")[0], []).append(other)
    own_class, own_file = ids[test].rpartition("::")[0], ids[test].partition("::")[0]
    names = sorted(found, key=lambda name: (name != own_class, name.partition("::")[0] != own_file))
    return [tuple(found[name]) for name in names]


def _groups(classes: list[Places]) -> Iterator[Places]:
    """Each class, all of them in file order, and the same backwards: there a culprit stands behind its cleaner."""
    everyone = tuple(sorted(other for each in classes for other in each))
    yield from classes
    yield everyone
    yield from (each[::-1] for each in classes if len(each) > 1)
    yield everyone[::-1]
