"""What the claims are measured on: the published case, or a made one of the same shape."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.methods.therapy_sequence.behaviour import RELEASED
from parataxis.methods.therapy_sequence.calibrate import read_target, target_of
from parataxis.methods.therapy_sequence.dependence import HazardRatio
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.example import EXAMPLE, PAPER
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.psa import Trial
from parataxis.methods.therapy_sequence.simulate import Simulated, simulate

CURVES = "transition_probs_prog_death.csv"
TRIALS = ("DCT_OS_inferred.csv", "AB_OS_inferred.csv")
GOLDEN = "golden.json"
SETTINGS = ("none", "dct", "aa", "own")
SIMULATED = {"quick": 100_000, "full": 1_000_000, "paper": 1_000_000}
DRAWS = {"quick": 500, "full": 2000, "paper": 10_000}
REFITTED = {"quick": 20, "full": 200, "paper": 1000}
TOY = 8  # cycles


@dataclass(frozen=True)
class Inputs:
    """model: as released. strategies: of two, the paper's first and second. trials: by strategy. golden: kept results,
    or None. patients: of the published run. simulated: of our own. years: the cycles of 3 and 5 years. work: a
    folder for long work that may be cut off.
    """

    model: Model
    trials: dict[str, Trial]
    golden: dict[str, Any] | None
    patients: int
    simulated: int
    draws: int
    refitted: int
    years: tuple[int, int]
    seed: int
    real: bool
    work: Path | None = None
    walked: dict[Any, list[Simulated]] = field(default_factory=dict)

    def expected(self, setting: str, model: Model | None = None) -> list[Expected]:
        """Of both strategies."""
        model = model or self.model
        return [Expected.of(model.plan(each, model.dependence(each.name, setting))) for each in model.strategies]

    def run(self, setting: str, seed: int = 1) -> list[Simulated]:
        """The published run: R's stream, both strategies. Walked once."""
        key = (setting, seed)
        if key not in self.walked:
            plans = [self.model.plan(each, self.model.dependence(each.name, setting)) for each in self.model.strategies]
            self.walked[key] = [simulate(each, self.patients, seed, "R") for each in plans]
        return self.walked[key]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.model.strategies]

    @property
    def data(self) -> str:
        return "published case" if self.real else "made"


def toy(rng: np.random.Generator) -> Inputs:
    """The example over a few cycles, with the paper's settings, and a trial walked with a known dependence."""
    model = Model.from_file(EXAMPLE, RELEASED).with_parts(cycles=TOY, targets=())
    every = {
        name: {"every": {"hazard_ratio": ratio, "until": 6}} for name, ratio in zip(SETTINGS, (1, 2, 3, 3), strict=True)
    }
    model = model.with_parts(settings=every, setting="own")
    seed = int(rng.integers(2**31))
    trials: dict[str, Trial] = {}
    for place, strategy in enumerate(model.strategies):
        died = simulate(model.plan(strategy, HazardRatio(3.0, 6.0)), 60, seed + place).died
        trials[strategy.name] = (np.minimum(died, TOY).astype(float), (died <= TOY).astype(float), TOY)
    return Inputs(model, trials, None, 30, 20_000, 4, 2, (5, TOY), seed, False)


def load(ctx: Any) -> Inputs:
    folder = Path(ctx.data(CURVES)).parent
    for each in TRIALS:
        ctx.data(each)
    model = Model.from_file(PAPER, RELEASED, folder)
    trials = {}
    for strategy in model.strategies:
        target = target_of(model, strategy.name)
        trials[strategy.name] = (*read_target(model, target), target.cycles)
    golden = None if ctx.lacks(GOLDEN) else json.loads(ctx.data(GOLDEN).read_text())
    seed = int(ctx.rng("simulation").integers(2**31))
    sizes = (SIMULATED[ctx.scale], DRAWS[ctx.scale], REFITTED[ctx.scale])
    return Inputs(model, trials, golden, 100_000, *sizes, (52, 87), seed, True, ctx.work)
