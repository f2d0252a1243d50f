"""Sensitivity analysis of the corrected model: which order is best, how surely, what knowing better is worth."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.therapy_sequence import plots
from parataxis.methods.therapy_sequence.behaviour import CORRECTED
from parataxis.methods.therapy_sequence.calibrate import calibrate, deaths
from parataxis.methods.therapy_sequence.economics import Draws
from parataxis.methods.therapy_sequence.model import Model, settings_of
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.study_inputs import Inputs

CLAIMS = ("best-first", "best-refitted")


def measure(inputs: Inputs, done: Any) -> Iterator[Measurement | Figure | Table]:
    if all(map(done, CLAIMS)):
        return
    model = calibrated(inputs)
    threshold = model.parts.thresholds[1] if len(model.parts.thresholds) > 1 else model.parts.thresholds[0]
    fixed = psa(model, inputs.draws, inputs.seed).draws
    if not done(CLAIMS[0]):
        yield _share(inputs, CLAIMS[0], fixed, threshold)
    grid = np.linspace(0, 3 * threshold, 41).tolist()
    if inputs.real:
        yield Figure(
            "acceptability",
            plots.acceptability(fixed.acceptability(grid), fixed.names, model.parts.currency).encode(),
            "Corrected and calibrated: the share of draws in which an order is best.",
        )
        yield Figure(
            "plane",
            plots.plane(fixed, inputs.names[1], inputs.names[0], model.parts.thresholds, model.parts.currency).encode(),
            "The plane: a point a draw.",
        )
    if not done(CLAIMS[1]):
        log = inputs.work / "refitted.jsonl" if inputs.work else None
        refitted = psa(model, inputs.refitted, inputs.seed, trials=inputs.trials, log=log).draws
        yield _share(inputs, CLAIMS[1], refitted, threshold)


def calibrated(inputs: Inputs) -> Model:
    """The corrected model with the dependence fitted to each trial."""
    model = inputs.model.with_behaviour(CORRECTED)
    fits = {
        name: calibrate(model, name, trial=deaths(*inputs.trials[name]), ridge=False).dependence
        for name in inputs.names
    }
    return model.with_parts(settings={"calibrated": settings_of(fits)}, setting="calibrated")


def _share(inputs: Inputs, claim: str, draws: Draws, threshold: float) -> Measurement:
    """Of the draws in which the second strategy is best, with Clopper and Pearson's interval."""
    benefit = draws.net_benefit(threshold)
    difference = benefit[:, 1] - benefit[:, 0]
    wins, n = int((difference > 0).sum()), len(difference)
    low, high = map(float, clopper_pearson(wins, n))
    least, most = np.quantile(difference, (0.025, 0.975))
    note = f"at {threshold:,.0f} a QALY; difference in net benefit {difference.mean():,.0f} [{least:,.0f}, {most:,.0f}]"
    return Measurement(claim, wins / n, low, high, n, real=inputs.real, data=inputs.data, note=note)
