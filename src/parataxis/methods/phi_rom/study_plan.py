"""What the study trains: problems, arms, seeds, and the steps that give every arm of a problem the same CPU time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.methods.phi_rom.problem import Problem, scattered
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.snapshots import Snapshots

KDV_SIZES = (16, 32, 64)
SPARSE = {"sparse 40 %": 0.4, "sparse 10 %": 0.1}  # of the solver's nodes as sensors off the grid
FINE = 128  # nodes of the grid that the sensors are drawn from
MORE = 2  # times as many trajectories as the full grid has: published, 512 to 256, over as many steps
EARLIER = (30 / 12_000) / (400 / 24_000)  # its warm-up, a share of the steps, over that of the full grid: published
LEARNED = ("phi", "dino")
MODES = {"burgers": 4, "diffusion": 16, "kdv": 24, "flow": 24}


@dataclass(frozen=True)
class Unit:
    """One training, or ("pod") what needs none."""

    task: str
    arm: str
    seed: int


@dataclass(frozen=True)
class Sizes:
    """seeds: of what a rule is for. share: of the full steps. sizes: trajectories of KdV. sparse: names of SPARSE.

    Without diffusion nothing of it is trained, without sizes nothing of KdV, without flow_seeds no flow: to compile
    their programs takes longer than a quick run has.
    more: seeds of arms beside Φ-ROM and DINo. flow_seeds, flow_train: seeds and trajectories of Navier-Stokes.
    diffusion: of its hundred samples to train on, and to test.
    """

    seeds: int
    share: float
    sizes: tuple[int, ...]
    sparse: tuple[str, ...]
    more: int
    flow_seeds: int
    flow_train: int
    diffusion: int = 100


SIZES = {
    "toy": Sizes(1, 0.0, (16, 64), ("sparse 40 %",), 0, 1, 2, 2),
    "quick": Sizes(1, 0.4, (), (), 0, 0, 0, 0),
    "full": Sizes(3, 1.0, KDV_SIZES, tuple(SPARSE), 3, 3, 32),
    "paper": Sizes(3, 20.0, KDV_SIZES, tuple(SPARSE), 3, 3, 256),
}

# The recipe of each problem; where the specification of the published runs differs, only in what a short run needs.
RECIPES = {
    "burgers": Recipe(4, "sine", 32, 4, dynamics=(64,) * 4, lam=0.5, gamma=0.5, batch=50),
    "diffusion": Recipe(16, "mfn", 64, 3, dynamics=(64,) * 3, lam=0.8, gamma=0.1, batch=128),
    # gamma: all nodes. A tenth of the published 4,096 is 4 values a latent; half of KdV's 64 were 1.3
    "kdv": Recipe(24, "mfn", 48, 3, omega=4.0, dynamics=(128,) * 4, lam=0.5, batch=128, warmup=0.3),
    "flow": Recipe(24, "mfn", 48, 3, dynamics=(128,) * 4, lam=0.5, gamma=1.0, batch=64),
}
# Every arm of a problem has the same CPU seconds at "full", and as many steps as they buy: by the CPU milliseconds that
# a step took, compiling apart, in an earlier run; table "cost" has what they were in the kept one. The seconds are what
# two cores can give to all seeds in 20 minutes, not what a model would want.
BUDGET: dict[str, float] = {"burgers": 25, "diffusion": 25, "kdv": 21, "flow": 60}
COST: dict[str, dict[str, float]] = {
    "burgers": {"phi": 4.3, "dino": 15.5, "pinn": 6.9, "crom": 1.7},
    "diffusion": {"phi": 7.9, "dino": 19.7, "pinn": 18.8, "crom": 7.3},
    "kdv": {"phi": 1.6, "dino": 16.2},
    "flow": {"phi": 41.4, "dino": 34.9},
}
ROUND = 10  # steps
DINO_BATCH = {"burgers": 8, "diffusion": 32, "kdv": 32, "flow": 8}  # trajectories
SHUFFLED = ("phi shuffled", "dino shuffled")  # time labels, on diffusion


def kind(task: str) -> str:
    """The problem that a task is of."""
    return "kdv" if task.startswith(("kdv", "sparse")) else task


def units(sizes: Sizes) -> list[Unit]:
    """All of them, seed by seed, so that a run that is cut off has some of each."""
    steady = ["burgers", *(["diffusion"] if sizes.diffusion else [])]
    gridded = [*steady, *(f"kdv {n}" for n in sizes.sizes)]
    tasks = [*gridded, *sizes.sparse]
    found = [Unit(task, "pod", 0) for task in [*gridded, *(["flow"] if sizes.flow_seeds else [])]]
    for seed in range(sizes.seeds):
        found += [Unit(task, "pod", seed) for task in sizes.sparse]
        found += [Unit(task, arm, seed) for task in tasks for arm in LEARNED]
        found += [Unit("diffusion", arm, seed) for arm in SHUFFLED if sizes.diffusion]
        if seed < sizes.flow_seeds:
            found += [Unit("flow", arm, seed) for arm in LEARNED]
        if seed < sizes.more:
            found += [Unit(task, arm, seed) for task in steady for arm in ("pinn", "crom")]
    return found


def recipe(unit: Unit, sizes: Sizes, seed: int) -> Recipe:
    """Of this unit's arm."""
    task, arm = kind(unit.task), unit.arm.split()[0]
    found = replace(RECIPES[task], steps=max(ROUND, round(sizes.share * steps(task, arm))), seed=seed)
    if unit.task in SPARSE:
        found = replace(found, warmup=EARLIER * found.warmup)
    return replace(found, batch=DINO_BATCH[task]) if arm == "dino" else found


def steps(task: str, arm: str) -> int:
    """At "full": what the problem's budget buys."""
    return ROUND * round(1000 * BUDGET[task] / COST[task][arm] / ROUND)


def problem(unit: Unit, sizes: Sizes, profile: Path, data_seed: int, seed: int, work: Path) -> Problem:
    """Of this unit's task; what a solver of others makes is kept in the work folder, to be made once.

    seed: of the unit. Sensors are drawn once for all snapshots of a training, and anew for each seed: a draw that
    leaves a third of the box unseen, as happens, is then one of three. What needs no training has the whole grid.
    """
    task, arm = unit.task, unit.arm
    from parataxis.methods.phi_rom import burgers, diffusion, kdv, navier_stokes

    if task == "burgers":
        return burgers.burgers(profile)
    if task == "diffusion":
        return diffusion.diffusion(sizes.diffusion, sizes.diffusion)
    if task == "flow":
        return _kept(work / "flow", lambda: navier_stokes.navier_stokes(sizes.flow_train, 8, data_seed))
    count = max(sizes.sizes)
    found = _kept(work / "kdv", lambda: kdv.kdv(MORE * count, 16, data_seed))
    if task.startswith("kdv"):
        return replace(found, train=found.train.take(slice(0, int(task.split()[1]))))
    return found if arm == "pod" else replace(found, train=sensors(found.train, task, seed))


def sensors(data: Snapshots, task: str, seed: int) -> Snapshots:
    """What the sensors of this seed see of KdV."""
    from parataxis.methods.phi_rom import kdv

    return scattered(data, SPARSE[task], FINE, np.random.default_rng([seed, 7]), kdv.LINE.extent)


def _kept(path: Path, make: Callable[[], Problem]) -> Problem:
    """The trajectories from two files, where they are there; the solver anew."""
    files = {part: path.with_name(f"{path.name}-{part}.nc") for part in ("train", "test")}
    if not all(each.exists() for each in files.values()):
        made = make()
        for part, file in files.items():
            getattr(made, part).save(file)
        return made
    name, rhs = _solver(path.name)
    return Problem(name, rhs=rhs, **{part: Snapshots.open(file) for part, file in files.items()})


def _solver(name: str) -> tuple[str, Any]:
    from parataxis.methods.phi_rom import adapters, kdv, navier_stokes

    if name == "kdv":
        return "KdV 1-D", adapters.exponax(kdv.stepper(kdv.LINE, kdv.LINE.residual_order))
    grid, step = navier_stokes.solver(navier_stokes.Flow().nodes)
    return "Navier-Stokes", adapters.jax_cfd(step, grid, navier_stokes.DT)


def shuffled(data: Snapshots, rng: np.random.Generator) -> Snapshots:
    """The same snapshots with their labels of trajectory and time dealt out anew; data without parameters."""
    assert data.params is None
    flat = data.u.reshape(-1, *data.u.shape[2:])
    return replace(data, u=flat[rng.permutation(len(flat))].reshape(data.u.shape))
