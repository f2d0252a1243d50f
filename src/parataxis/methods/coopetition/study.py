"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.methods.coopetition import study_form, study_models, study_orders, study_published, study_theory
from parataxis.methods.coopetition.cases import CASES
from parataxis.methods.coopetition.study_inputs import Inputs, load, toy

__all__ = ["study", "systems", "toy"]


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """Nothing of a part that is done is computed again."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    if not all(map(ctx.done, study_published.PARTS)):
        yield study_published.score_table(inputs)
        yield study_published.noise_table(inputs)
        if ctx.scale != "toy":
            yield _reactions()
            yield from study_models.shown(inputs.models)
    parts = study_published.PARTS | study_form.PARTS | study_theory.PARTS
    for identity, measure in ctx.progress(parts.items(), "claims"):
        if not ctx.done(identity):
            yield measure(inputs)
    for symmetry, system in systems(inputs).items():
        if not ctx.done(symmetry):
            yield replace(ctx.audit(symmetry, system, system.items), real=False)


def _reactions() -> Figure:
    from parataxis.methods.coopetition.plots import reactions

    caption = "S-LCD, log: the best answer of each to the other, and where neither wants to move."
    return Figure("reactions", reactions(CASES["slcd"].game("log")).encode(), caption)


def systems(inputs: Inputs) -> dict[str, System]:
    return study_orders.systems(inputs.rng)
