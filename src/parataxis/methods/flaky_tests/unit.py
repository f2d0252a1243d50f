"""The unit of a study of many projects: one project, measured once for all, whatever may happen on the way.

What is found lies in a folder that is named by what was asked. What is needed on the way lies below the system's folder
for temporary files, where no configuration of somebody else's pytest is above it, and is removed in the end. Either
survives a kill, and the same call goes on there.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.flaky_tests import flapy
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Dependence
from parataxis.methods.flaky_tests.projects import Project, Unit
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.stages import Failed, Stages, one_line

TRIES = 2
RESULT = "result.json"


@dataclass(frozen=True)
class Found:
    """What came of a unit. reason: why it could not be measured, or not to the end, in one line, else "".

    limited: it was stopped by its limit; what it had found until then counts. seconds: that it took, with all.
    explained: it was looked into why its tests are flaky, to the end; victims, brittles: that were found by then.
    """

    project: str
    folder: str
    tests: int = 0
    order_dependent: int = 0
    non_order_dependent: int = 0
    infrastructure: int = 0
    victims: int = 0
    brittles: int = 0
    explained: bool = False
    orders: int = 0
    seconds: float = 0.0
    limit: float = 0.0
    limited: bool = False
    reason: str = ""

    @property
    def flaky(self) -> int:
        return self.order_dependent + self.non_order_dependent + self.infrastructure


def run_unit(unit: Unit) -> Found:
    """Measure one project, or take what is known of it. Whatever goes wrong with it is told in the result."""
    began = time.monotonic()
    try:
        folder = unit.folder()
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of a study that was killed, a worker may still be at it
            known = _known(folder)
            if known and _settled(known, unit):
                return known
            found = _tried(unit, folder, began + unit.limit)
            found = replace(found, seconds=round(time.monotonic() - began, 1), limit=unit.limit)
            write_atomic(folder / RESULT, json.dumps(asdict(found), indent=1) + "\n")
            shutil.rmtree(_workplace(folder), ignore_errors=True)
    except Exception as error:  # a full disk, a file that can't be read: its own trouble, which stops no other
        return Found(unit.project.name, "", seconds=round(time.monotonic() - began, 1), reason=one_line(error))
    return found


def _known(folder: Path) -> Found | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Found(**json.loads((folder / RESULT).read_text()))
    return None


def _settled(known: Found, unit: Unit) -> bool:
    if known.limited:
        return unit.limit <= known.limit
    return not known.reason and (known.explained or not unit.explain)


def _tried(unit: Unit, folder: Path, until: float) -> Found:
    found = Found(unit.project.name, folder.name)
    for attempt in range(TRIES):
        try:
            stages = Stages(unit, folder, _workplace(folder), until)
            ended = replace(found, **_ended(stages, resume=attempt == 0))
            return _counted(ended, Report.read(folder / "hunt"), unit.project, folder)
        except (Failed, BadInput, OSError) as error:
            limited = isinstance(error, Failed) and error.limited
            found = replace(found, reason=one_line(error), limited=limited)
            if limited:
                break
    return found


def _ended(stages: Stages, resume: bool) -> dict[str, Any]:
    """Whether the hunt and its explanation came to their end, else why not. What was found until then stands."""
    if reason := stages.run(resume):
        return {"reason": reason, "limited": True}
    try:
        if stages.unit.explain:
            stages.explain()
    except Failed as error:
        return {"reason": str(error), "limited": error.limited}
    return {"reason": "", "limited": False, "explained": stages.unit.explain}


def _workplace(folder: Path) -> Path:
    own = Path(tempfile.gettempdir()) / f"parataxis-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.stat().st_uid != os.getuid():
        raise BadInput(f"{own}: is not ours; set TMPDIR to another folder")
    return own / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}-{folder.name}"


def _counted(found: Found, report: Report, project: Project, folder: Path) -> Found:
    counts, why = report.counts(), Counter(each.kind for each in report.diagnoses.values())
    if not found.limited and counts["never ran"] == len(report.head.ids):
        raise Failed(f"hunt: none of its {len(report.head.ids)} tests ran")
    report.write(folder / "hunt")
    commit = project.sha or project.version
    rows = flapy.passed_failed(report.runs, report.head.ids, name=project.name, url=project.url, commit=commit)
    flapy.write_passed_failed(rows, folder / "passed_failed.csv")
    flapy.write_tests_overview(rows, folder / "tests_overview.csv")
    return replace(
        found,
        tests=len(report.head.ids),
        order_dependent=counts[Kind.OD.value],
        non_order_dependent=counts[Kind.NOD.value],
        infrastructure=counts[Kind.INFRA.value],
        victims=why[Dependence.VICTIM],
        brittles=why[Dependence.BRITTLE],
        orders=report.orders,
    )
