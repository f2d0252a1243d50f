"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.methods.therapy_sequence import (
    study_calibration,
    study_corrections,
    study_curves,
    study_curves_orders,
    study_golden,
    study_orders,
    study_uncertainty,
)
from parataxis.methods.therapy_sequence.study_inputs import Inputs, load, toy

__all__ = ["study", "systems", "toy"]
PARTS = (study_golden, study_corrections, study_calibration, study_uncertainty)


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """The model, what comes before it (from curves to incidences), then the symmetries."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    for part in PARTS:
        if not all(map(ctx.done, part.CLAIMS)):
            yield from part.measure(inputs, ctx.done)
    yield from study_curves.study(ctx)
    for symmetry, system in systems(inputs).items():
        if not ctx.done(symmetry):
            yield replace(ctx.audit(symmetry, system, system.items), real=False)


def systems(inputs: Inputs) -> dict[str, System]:
    before = study_curves_orders.systems(np.random.default_rng([inputs.seed, 0]))
    return study_orders.systems(lambda name: np.random.default_rng([inputs.seed, len(name)])) | before
