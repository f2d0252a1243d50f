"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.files import JsonLines, read_json_lines
from parataxis.methods.phi_rom import study_claims, study_figures, study_orders, study_published
from parataxis.methods.phi_rom.burgers import PROFILE
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS
from parataxis.methods.phi_rom.study_plan import (
    MODES,
    SIZES,
    SPARSE,
    Sizes,
    Unit,
    kind,
    problem,
    recipe,
    sensors,
    units,
)
from parataxis.methods.phi_rom.study_units import SHOWN, Numbers, measure, seen_by_sensors, toy_recipe
from parataxis.workers import spread

Rng = Callable[..., np.random.Generator]


@dataclass(frozen=True)
class Inputs:
    """made: the toy's one problem, which stands for all; None for the real ones. profile: of Burgers."""

    sizes: Sizes
    made: Problem | None
    profile: Path
    key: int
    rng: Rng


def toy(rng: np.random.Generator) -> Inputs:
    """A wave that is carried along a ring of eight nodes at a speed beta, and some noise."""
    x, t, phase = np.arange(8.0), 0.1 * np.arange(4), rng.uniform(0, 6, 6)
    speeds = {"train": np.array([0.5, 1.0, 1.5]), "test": np.array([0.8, 1.2]), "outside": np.array([2.0])}
    parts, at = {}, 0
    for name, beta in speeds.items():
        moved = x - beta[:, None, None, None] * t[:, None, None]
        waves = np.sin(np.pi / 4 * moved + phase[at : at + len(beta), None, None, None])
        noise = 0.05 * rng.normal(size=waves.shape)
        parts[name] = Snapshots.on_grid(0.3 + waves + noise, t, (x,), beta[:, None])
        at += len(beta)
    rhs = SolverRHS.from_rhs(_carried)
    parts["train"] = parts["train"].window(0, 3)
    key = int(rng.integers(2**31))
    return Inputs(SIZES["toy"], Problem("made", rhs=rhs, **parts), Path(), key, _named(key))


def _carried(u: Any, beta: Any) -> Any:
    xp = u.__array_namespace__()
    return beta[0] * (xp.roll(u, 1, -1) - xp.roll(u, -1, -1)) / 2


def _named(key: int) -> Rng:
    return lambda *names: np.random.default_rng([key, *(int.from_bytes(str(each).encode()) % 2**32 for each in names)])


def load(ctx: Any) -> Inputs:
    return Inputs(SIZES[ctx.scale], None, ctx.data(PROFILE), int(ctx.rng("data").integers(2**31)), ctx.rng)


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries. What a unit gave is on disk before the next, so that a resume trains nothing twice."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    if not all(map(ctx.done, study_claims.CLAIMS)):
        found = trained(inputs, ctx)
        seen = study_claims.Found(found, inputs.made is None)
        yield from study_claims.measure(seen)
        if inputs.made is None:
            shown = [task for task in SHOWN if seen.seeds(task, "phi")]
            yield from study_figures.figures(seen, {task: _problem(task, inputs, ctx.work) for task in shown})
            yield from study_published.tables(ctx.data(study_published.FILE))
    for symmetry, system in systems(inputs).items():
        if not ctx.done(symmetry):
            yield replace(ctx.audit(symmetry, system, system.items), real=False)


def trained(inputs: Inputs, ctx: Any) -> study_claims.Units:
    """Every unit, by `ctx.jobs` processes; the numbers of earlier parts of this run are kept."""
    path = ctx.work / "units.jsonl"
    rows = read_json_lines(path) if path.exists() else []
    done: dict[Unit, Numbers] = {Unit(*row["unit"]): row["numbers"] for row in rows}
    wanted = units(inputs.sizes)
    left = [each for each in wanted if each not in done]
    with JsonLines(path) as log:
        for unit, numbers in _toys(inputs, left) if inputs.made else _spread(inputs, left, ctx):
            log.append({"unit": [unit.task, unit.arm, unit.seed], "numbers": numbers})
            done[unit] = numbers
            ctx.tell(f"trained {len(done)}/{len(wanted)}")
    return {unit: done[unit] for unit in wanted}


def _toys(inputs: Inputs, left: list[Unit]) -> Iterator[tuple[Unit, Numbers]]:
    """One training of each arm stands for those of all tasks."""
    assert inputs.made is not None
    found: dict[str, Numbers] = {}
    for unit in left:
        arm = unit.arm.split()[0]
        if arm not in found:
            seed = int(inputs.rng("unit", arm).integers(2**31))
            found[arm] = measure("burgers", arm, inputs.made, None if arm == "pod" else toy_recipe(seed))
            for each in ("cpu", "ms"):
                found[arm].pop(each, None)
        yield unit, found[arm]


def _spread(inputs: Inputs, left: list[Unit], ctx: Any) -> Iterator[tuple[Unit, Numbers]]:
    """As they are finished. A unit's numbers depend on its task, arm and seed alone."""
    from joblib import delayed

    def call(unit: Unit) -> Any:
        seed = int(inputs.rng("unit", unit.task, unit.seed).integers(2**31))
        return delayed(_unit)(unit, inputs.sizes, inputs.profile, inputs.key, seed, ctx.work)

    if left:
        yield from spread(map(call, left), ctx.jobs, _one_thread)


def _unit(unit: Unit, sizes: Sizes, profile: Path, key: int, seed: int, work: Path) -> tuple[Unit, Numbers]:
    with _compiled(work / "compiled"):
        made = problem(unit, sizes, profile, key, seed, work)
        if unit.arm == "pod" and unit.task in SPARSE:
            return unit, seen_by_sensors(made, sensors(made.test, unit.task, seed), MODES["kdv"])
        how = None if unit.arm == "pod" else recipe(unit, sizes, seed)
        return unit, measure(kind(unit.task), unit.arm, made, how)


def _one_thread() -> None:
    """Of a worker, before jax looks at its machine: two workers with two threads each wait for one another."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"


@contextmanager
def _compiled(folder: Path) -> Iterator[None]:
    """In this block programs are kept there: what one seed has had compiled the next has too, in whatever process."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    ours = {"jax_compilation_cache_dir": str(folder), "jax_persistent_cache_min_compile_time_secs": 0}
    before = {name: getattr(jax.config, name) for name in ours}
    try:
        _set(jax.config, compilation_cache, ours)
        yield
    finally:
        _set(jax.config, compilation_cache, before)


def _set(config: Any, cache: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        config.update(name, value)
    cache.reset_cache()  # it is opened where it was first asked for


def _problem(task: str, inputs: Inputs, work: Path) -> Problem:
    return problem(Unit(task, "pod", 0), inputs.sizes, inputs.profile, inputs.key, 0, work)


def systems(inputs: Inputs) -> dict[str, System]:
    return study_orders.systems(inputs.rng)
