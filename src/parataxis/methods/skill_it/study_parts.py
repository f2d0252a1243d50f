"""One part of the study by itself, for the command: nothing is kept."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from parataxis import data
from parataxis.claims import Figure, Measurement, Paper, Table
from parataxis.errors import BadInput
from parataxis.methods.skill_it import study_claims, study_table
from parataxis.methods.skill_it.regmix import SETS, read_runs
from parataxis.methods.skill_it.study import TEXTS, Inputs, trained
from parataxis.methods.skill_it.study_plan import SIZES, units
from parataxis.nn.fit import Rng
from parataxis.paper_file import read_paper
from parataxis.progress import watching

TASKS = {
    "lego": ("lego", "lego tuned", "prerequisites"),
    "addition": ("addition",),
    "languages": ("languages", "languages tuned", "helped"),
}


@dataclass(frozen=True)
class Here:
    """What of a study's context the units ask for."""

    work: Path
    jobs: int
    tell: Callable[[str], None]


def measure_part(part: str, scale: str, seeds: int | None, seed: int, jobs: int) -> dict[str, Any]:
    """Claims and tables, as JSON holds them. Raises BadInput."""
    if scale not in SIZES or scale == "toy":
        raise BadInput(f"--scale={scale}: expected one of quick, full, paper")
    paper = read_paper(Path(__file__).with_name("paper.toml"))
    found = list(_regmix(paper, seed) if part == "regmix" else _trained(part, paper, scale, seeds, seed, jobs))
    claims = {each.id: _row(each, paper) for each in found if isinstance(each, Measurement)}
    tables = [asdict(each) for each in found if isinstance(each, Table)]
    return {"part": part, "scale": scale, "seed": seed, "claims": claims, "tables": tables}


def _row(found: Measurement, paper: Paper) -> dict[str, Any]:
    stated = paper.find(found.id)
    row = {name: getattr(found, name) for name in ("value", "low", "high", "n", "note")}
    return {**row, "unit": getattr(stated, "unit", ""), "standing": paper.judge(found).name.lower()}


def _regmix(paper: Paper, seed: int) -> Iterator[Measurement | Figure | Table]:
    def find(file: str) -> Path:
        return data.find(paper, file)

    runs = {"train": read_runs(find, "train", "1m"), **{size: read_runs(find, "test", size) for size in SETS}}
    yield from study_table.measure(runs, True, _rng(paper, seed)("runs drawn"))


def _trained(
    part: str, paper: Paper, scale: str, seeds: int | None, seed: int, jobs: int
) -> Iterator[Measurement | Figure | Table]:
    sizes = SIZES[scale]
    if seeds is not None:
        sizes = replace(sizes, seeds=seeds, paired=seeds, tunings=seeds, reported=min(seeds, sizes.reported))
    texts = data.find(paper, TEXTS) if part == "languages" else None
    inputs = Inputs(sizes, texts, {}, True, _rng(paper, seed))
    wanted = [unit for unit in units(sizes, texts is not None) if unit.task in TASKS[part]]
    with watching("trainings") as tell, tempfile.TemporaryDirectory() as work:

        def told(text: str) -> None:
            done, total = text.split()[1].split("/")
            tell(int(done), int(total))

        found = trained(inputs, Here(Path(work), jobs, told), wanted)
    yield from study_claims.PARTS[part](found, True)


def _rng(paper: Paper, seed: int) -> Rng:
    """The streams that `parataxis run` has under this seed: so both measure the same."""

    def rng(*names: str | int) -> np.random.Generator:
        digest = hashlib.sha256(repr((seed, paper.name, names)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest))

    return rng
