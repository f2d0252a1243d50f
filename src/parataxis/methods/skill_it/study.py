"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.files import JsonLines, read_json_lines
from parataxis.methods.skill_it import study_claims, study_orders, study_table
from parataxis.methods.skill_it.languages import Line
from parataxis.methods.skill_it.regmix import SETS, read_runs
from parataxis.methods.skill_it.study_plan import SIZES, Sizes, Texts, Unit, units
from parataxis.methods.skill_it.study_units import Numbers, measure
from parataxis.nn.fit import Rng, named
from parataxis.workers import spread

TEXTS = "manpages6.jsonl.gz"
Runs = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Inputs:
    """runs: mixtures and losses, of the runs that a graph is fitted to, and of those it foretells. real: false for the
    toy."""

    sizes: Sizes
    texts: Texts
    runs: Mapping[str, Runs]
    real: bool
    rng: Rng


def toy(rng: np.random.Generator) -> Inputs:
    """Some steps of each training; three made languages that differ in a letter or two, of which Portuguese has next to
    nothing to train on; runs of a known graph."""
    lines = [
        Line(name, part, "p" * 30 if (name, part) == ("pt-br", "train") else "".join(rng.choice(letters, 30)))
        for name in ("de", "es", "pt-br")
        for letters in [list(name + 4 * "aein ")]
        for part in ("train", "train", "train", "train", "validation", "test")
    ]
    graph = rng.random((4, 3))
    runs = {}
    for name in ("train", *SETS):
        shares = rng.dirichlet(np.ones(4), 30)
        reached = 3 - shares @ graph + 0.01 * rng.normal(size=(30, 3))
        runs[name] = (pd.DataFrame(shares, columns=list("abcd")), pd.DataFrame(reached, columns=list("abc")))
    return Inputs(SIZES["toy"], tuple(lines), runs, False, named(int(rng.integers(2**31))))


def load(ctx: Any) -> Inputs:
    runs = {"train": read_runs(ctx.data, "train", "1m"), **{size: read_runs(ctx.data, "test", size) for size in SETS}}
    texts = None if ctx.lacks(TEXTS) else ctx.data(TEXTS)
    return Inputs(SIZES[ctx.scale], texts, runs, True, ctx.rng)


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries. What a unit gave is on disk before the next, so that a resume trains nothing twice."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    if not all(map(ctx.done, study_table.CLAIMS)):
        yield from study_table.measure(inputs.runs, inputs.real, ctx.rng("runs drawn"))
    if not all(map(ctx.done, (*study_claims.LEGO, *study_claims.LANGUAGES))):
        found = trained(inputs, ctx, units(inputs.sizes, inputs.texts is not None))
        for part in ("lego", "addition", *(["languages"] if inputs.texts is not None else [])):
            yield from study_claims.PARTS[part](found, inputs.real)
    for symmetry, system in systems(inputs).items():
        if not ctx.done(symmetry):
            yield replace(ctx.audit(symmetry, system, system.items), real=False)


def trained(inputs: Inputs, ctx: Any, wanted: Sequence[Unit]) -> study_claims.Units:
    """These units, by `ctx.jobs` processes; the numbers of earlier parts of this run are kept."""
    path = ctx.work / "units.jsonl"
    rows = read_json_lines(path) if path.exists() else []
    done: dict[Unit, Numbers] = {Unit(*row["unit"]): row["numbers"] for row in rows}
    left = [each for each in wanted if each not in done]
    with JsonLines(path) as log:
        for unit, numbers in _spread(inputs, left, ctx):
            log.append({"unit": [unit.task, unit.arm, unit.seed], "numbers": numbers})
            done[unit] = numbers
            ctx.tell(f"trained {len(done)}/{len(wanted)}")
    return {unit: done[unit] for unit in wanted}


def _spread(inputs: Inputs, left: list[Unit], ctx: Any) -> Iterator[tuple[Unit, Numbers]]:
    """As they are finished. A unit's numbers depend on its task, arm and seed alone."""
    from joblib import delayed

    def call(unit: Unit) -> Any:
        key = int(inputs.rng("unit", unit.task.split()[0], unit.seed).integers(2**63))
        return delayed(_named_unit)(unit, inputs.sizes, key, inputs.texts)

    jobs = ctx.jobs if inputs.real else 1  # the toy is done before a process has started
    if left:
        yield from spread(map(call, left), jobs)


def _named_unit(unit: Unit, sizes: Sizes, key: int, texts: Any) -> tuple[Unit, Numbers]:
    return unit, measure(unit, sizes, key, texts)


def systems(inputs: Inputs) -> dict[str, System]:
    return study_orders.systems(inputs.rng)
