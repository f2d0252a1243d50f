"""Projects whose order-dependent tests are known: hunted in and explained, then compared with the list.

The four real ones are built in environments of their own, which needs the package index; a made one stands in for them
where that can't be reached, and at the smaller scales. It is too small for the claims to be decided by it.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis
from parataxis.methods.flaky_tests.projects import Unit
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.stages import Failed, Stages, one_line
from parataxis.methods.flaky_tests.study_inputs import Inputs, Listed, Tests, made_projects
from parataxis.methods.flaky_tests.study_published import between_projects, ratio

CLAIMS = ("known-dependences-found", "victims-to-brittles-in-four", "known-dependences-only")
LIMIT = 1800.0  # seconds a project
WORDS = {Dependence.VICTIM: "victim", Dependence.BRITTLE: "brittle"}


@dataclass(frozen=True)
class Hunted:
    """A project, all its tests in file order, and what was said of those that were called order-dependent."""

    listed: Listed
    ids: list[str]
    said: Tests

    def moved(self) -> Tests:
        """The list with every name moved on by one in file order."""
        following = dict(zip(self.ids, self.ids[1:] + self.ids[:1], strict=True))
        return {
            following[test]: (kind, frozenset(map(following.__getitem__, culprits)))
            for test, (kind, culprits) in self.listed.tests.items()
        }

    def found(self, known: Tests) -> int:
        """How many of the tests, and of their culprits, that are known were named: tests of the right kind only."""
        return len(_facts(known) & _facts(self.said))

    def others(self, known: Tests) -> list[str]:
        return sorted({*self.said} - {*known})


def _facts(tests: Tests) -> set[tuple[str, str]]:
    return {(test, fact) for test, (kind, culprits) in tests.items() for fact in (kind, *culprits)}


def measure(inputs: Inputs, ctx: Any) -> Iterator[Measurement | Table]:
    whole = ctx.scale not in ("toy", "quick")
    begun, hunted, reasons = time.perf_counter(), list[Hunted](), list[str]()
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
    note = "; ".join(reasons)
    rows = [_row(each) for each in hunted]
    columns = ("project", "tests", "known dependences", "found", "other tests called order-dependent")
    yield Table("projects", columns, rows, "A known dependence is a victim, a brittle, or a culprit of one of them.")
    known, found = (sum(row[place] for row in rows) for place in (2, 3))
    moved = sum(each.found(each.moved()) for each in hunted)
    share, seconds = found / known, time.perf_counter() - begun
    yield Measurement(CLAIMS[0], share, share, share, known, null=moved / known, real=real, note=note, seconds=seconds)
    listed = [(each.listed.project.name, kind) for each in hunted for kind, _ in each.listed.tests.values()]
    victim = np.array([kind == "victim" for _, kind in listed])
    value, low, high = between_projects([name for name, _ in listed], ratio(victim), ctx.rng("listed"))
    yield Measurement(CLAIMS[1], value, low, high, len(listed), real=real, note=note)
    others = float(sum(row[4] for row in rows))
    null = float(sum(len(each.others(each.moved())) for each in hunted))
    yield Measurement(CLAIMS[2], others, others, others, sum(row[1] for row in rows), null=null, real=real, note=note)


def _row(each: Hunted) -> list[Any]:
    known = each.listed.tests
    name = f"{each.listed.project.name} {each.listed.project.version}".strip()
    return [name, len(each.ids), len(_facts(known)), each.found(known), len(each.others(known))]


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
    ordered = [each.nodeid for each in report.findings if each.kind is Kind.OD]
    return Hunted(listed, report.head.ids, {nodeid: said_of(report.diagnoses[nodeid]) for nodeid in ordered})


def said_of(diagnosis: Diagnosis) -> tuple[str, frozenset[str]]:
    """The kind of an order-dependent test, and the single tests that were named as culprits."""
    culprits = frozenset(chain.tests[0] for chain in diagnosis.chains if len(chain.tests) == 1)
    return WORDS.get(diagnosis.kind, diagnosis.kind.name), culprits


def recorded(listed: Listed) -> Hunted:
    """For the toy: as if the list had been found, and one test beside it that does not matter."""
    ids = sorted({name for test, (_, culprits) in listed.tests.items() for name in (test, *culprits)})
    return Hunted(listed, [*ids, "test_stock.py::test_bystander"], listed.tests)
