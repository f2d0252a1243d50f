"""Projects whose order-dependent tests are known: hunted in and explained, then compared with the list.

The four real ones are built in environments of their own, which needs the package index; a made one stands in for them
where that can't be reached, and at the smaller scales. It is too small for the claims to be decided by it.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Measurement, Table
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING
from parataxis.methods.flaky_tests.projects import Unit
from parataxis.methods.flaky_tests.report import FLAKY, Report
from parataxis.methods.flaky_tests.stages import Failed, Stages, one_line
from parataxis.methods.flaky_tests.study_inputs import Culprit, Dependent, Inputs, Listed, Tests, made_projects
from parataxis.methods.flaky_tests.study_published import between_projects, ratio

CLAIMS = (
    "known-dependences-found",
    "no-false-culprits",
    "victims-to-brittles-in-four",
    "order-dependence-share-in-four",
    "known-dependences-only",
)
LIMIT = 1800.0  # seconds a project
WORDS = {Dependence.VICTIM: "victim", Dependence.BRITTLE: "brittle"}
PROJECTS = ("project", "tests", "flaky", "order-dependent", "of these not in the list")
CULPRITS = (
    *("project", "known dependences", "found", "culprits named", "of these proved"),
    *("names not in the list", "of these not proved", "cleaners not judged"),
)
LEGEND = (
    "A known dependence is a victim or a brittle, a culprit of one of them, or the cleaners of a culprit, or that it "
    "has none, where the list says which. Proved: shown in a fresh interpreter as well. Names: of culprits and of "
    "cleaners; cleaners and unsetters are not judged where the list does not say which there are."
)


@dataclass(frozen=True)
class Hunted:
    """A project, all its tests in file order with their classes, and what was said of the order-dependent ones."""

    listed: Listed
    ids: list[str]
    kinds: list[Kind]
    said: Tests

    def moved(self, tests: Tests) -> Tests:
        """The same of other tests, every name being moved on by one in file order; nothing of it is proved."""
        following = dict(zip(self.ids, self.ids[1:] + self.ids[:1], strict=True))

        def moved(culprit: Culprit) -> Culprit:
            return tuple(following[name] for name in culprit)

        return {
            following[test]: Dependent(
                each.kind,
                frozenset(map(moved, each.culprits)),
                {moved(culprit): frozenset(moved((*names,))) for culprit, names in each.cleaners.items()},
            )
            for test, each in tests.items()
        }

    def found(self, known: Tests) -> int:
        """How many facts that are known were named: of a test its kind, its culprits, their cleaners."""
        return len(_facts(known) & _facts(self.said))

    def others(self, known: Tests) -> list[str]:
        return sorted({*self.said} - {*known})


def _facts(tests: Tests) -> set[tuple[str, object]]:
    return {(test, fact) for test, each in tests.items() for fact in each.facts()}


def beside(said: Tests, known: Tests) -> list[bool]:
    """Of each culprit that is named and not known, whether it is proved; and of each cleaner, for which nothing is."""
    found = list[bool]()
    for test, each in said.items():
        listed = known.get(test, Dependent("", frozenset()))
        found += [culprit in each.proved for culprit in each.culprits - listed.culprits]
        for culprit in each.cleaners.keys() & listed.cleaners.keys():
            found += [False] * len(each.cleaners[culprit] - listed.cleaners[culprit])
    return found


def measure(inputs: Inputs, ctx: Any) -> Iterator[Measurement | Table]:
    begun = time.perf_counter()
    hunted, note, real = _all_hunted(inputs, ctx)
    classes, culprits = [_classes(each) for each in hunted], [_culprits(each) for each in hunted]
    yield Table("projects", PROJECTS, classes, "The flaky tests of each project, by one hunt.")
    yield Table("culprits", CULPRITS, culprits, LEGEND)
    _, tests, flaky, ordered, others = map(_total, zip(*classes, strict=True))
    _, known, found, named, _, _, false, _ = map(_total, zip(*culprits, strict=True))
    moved = sum(each.found(each.moved(each.listed.tests)) for each in hunted)
    share, seconds = found / known, time.perf_counter() - begun
    yield Measurement(CLAIMS[0], share, share, share, known, null=moved / known, real=real, note=note, seconds=seconds)
    null = sum(len(beside(each.moved(each.said), each.listed.tests)) for each in hunted)
    yield _count(CLAIMS[1], false, max(1, named), null, real=real, note=note)
    listed = [(each.listed.project.name, test.kind) for each in hunted for test in each.listed.tests.values()]
    victim = np.array([kind == "victim" for _, kind in listed])
    value, low, high = between_projects([name for name, _ in listed], ratio(victim), ctx.rng("listed"))
    yield Measurement(CLAIMS[2], value, low, high, len(listed), real=real, note=note)
    n = max(1, flaky)  # a hunt that found none says nothing: 0, with an interval that is all but the whole
    low, high = map(float, clopper_pearson(ordered, n))
    yield Measurement(CLAIMS[3], ordered / n, low, high, n, real=real, note=note)
    null = sum(len(each.others(each.moved(each.listed.tests))) for each in hunted)
    yield _count(CLAIMS[4], others, tests, null, real=real, note=note)


def _count(claim: str, value: int, n: int, null: int, **more: Any) -> Measurement:
    return Measurement(claim, float(value), float(value), float(value), n, null=float(null), **more)


def _total(column: tuple[Any, ...]) -> int:
    return sum(cell for cell in column if isinstance(cell, int))


def _name(each: Hunted) -> str:
    return f"{each.listed.project.name} {each.listed.project.version}".strip()


def _classes(each: Hunted) -> list[Any]:
    """A row of PROJECTS."""
    flaky = sum(kind in FLAKY for kind in each.kinds)
    return [_name(each), len(each.ids), flaky, len(each.said), len(each.others(each.listed.tests))]


def _culprits(each: Hunted) -> list[Any]:
    """A row of CULPRITS."""
    known, said = each.listed.tests, each.said
    named, proved = (sum(len(getattr(test, held)) for test in said.values()) for held in ("culprits", "proved"))
    extra = beside(said, known)
    unjudged = sum(
        len(names)
        for test, one in said.items()
        for culprit, names in one.cleaners.items()
        if test not in known or culprit not in known[test].cleaners
    )
    facts = [len(_facts(known)), each.found(known)]
    return [_name(each), *facts, named, proved, len(extra), extra.count(False), unjudged]


def _all_hunted(inputs: Inputs, ctx: Any) -> tuple[list[Hunted], str, bool]:
    """What was hunted in; what could not be, and why; and whether it is real."""
    whole = ctx.scale not in ("toy", "quick")
    hunted, reasons = list[Hunted](), list[str]()
    if whole and not inputs.projects:
        reasons.append("real-projects.json is not in the data folder")
    for each in ctx.progress(inputs.projects if whole else (), "projects"):
        try:
            hunted.append(_hunted(each, ctx))
        except (Failed, BadInput, OSError) as error:
            reasons.append(f"{each.project.name}: {one_line(error)}")
    real = bool(hunted)
    if not real:
        hunted = [recorded(each) if ctx.scale == "toy" else _hunted(each, ctx) for each in made_projects()]
        reasons.append("a made project in place of the four real ones")
    return hunted, "; ".join(reasons), real


def _hunted(listed: Listed, ctx: Any) -> Hunted:
    """What a hunt and its explanations say; what an earlier part of this run has found is read again.

    The project lies below the system's folder for temporary files, where no configuration of somebody else's pytest is
    above it.
    """
    from parataxis.methods.flaky_tests.explaining import explain  # scipy.stats takes longer to load than the toy takes

    folder = ctx.work / "projects" / listed.project.name
    if not (folder / "whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        unit = Unit(listed.project, folder, limit=LIMIT)
        with tempfile.TemporaryDirectory(prefix="parataxis-") as work:
            stages = Stages(unit, folder, Path(work), time.monotonic() + LIMIT)
            if reason := stages.run(resume=False):
                raise Failed(reason)
            explain(Report.read(folder / "hunt"), folder / "hunt", jobs=ctx.jobs)
        (folder / "whole").touch()
    report = Report.read(folder / "hunt")
    said = {each.nodeid: said_of(report.diagnoses[each.nodeid]) for each in report.findings if each.kind is Kind.OD}
    return Hunted(listed, report.head.ids, [each.kind for each in report.findings], said)


def said_of(diagnosis: Diagnosis) -> Dependent:
    """Of an order-dependent test."""
    chains = diagnosis.chains
    return Dependent(
        WORDS.get(diagnosis.kind, diagnosis.kind.name),
        frozenset(chain.tests for chain in chains),
        {chain.tests: frozenset(chain.undone_by) for chain in chains if chain.tried},
        frozenset(chain.tests for chain in chains if _opposite(chain.cold, diagnosis.cold)),
    )


def _opposite(one: str, other: str) -> bool:
    """Whether one of two ends is a pass and the other a failure; "" is that of a test that was not run."""
    return any(a in {*PASSING} and b in {*FAILING} for a, b in ((one, other), (other, one)))


def recorded(listed: Listed) -> Hunted:
    """For the toy: as if the list had been found and proved, and one test beside it that does not matter."""
    said = {test: replace(each, proved=each.culprits) for test, each in listed.tests.items()}
    names = {*said}
    for each in said.values():
        names.update(*each.culprits, *each.cleaners.values())
    ids = [*sorted(names), "test_stock.py::test_bystander"]
    return Hunted(listed, ids, [Kind.OD if name in said else Kind.NOT_FLAKY for name in ids], said)
