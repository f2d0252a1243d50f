"""Korteweg-de Vries waves on a periodic box, through exponax: a few long waves that break into solitons."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom import adapters
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.snapshots import Snapshots


@dataclass(frozen=True)
class KdV:
    """d dimensions of `nodes` on a box of length `extent`; waves of at most `cutoff` in the first state.

    dt: of the solver; every: steps from one kept state to the next; times: kept, of which the first `trained` are
    trained on. skip: states dropped at the start. residual_order: of the stepper whose slope is trained on.
    """

    d: int = 1
    nodes: int = 64
    extent: float = 20.0
    dt: float = 0.005
    every: int = 10
    times: int = 41
    trained: int = 21
    cutoff: int = 3
    skip: int = 0
    residual_order: int = 2
    hyper: float = 0.01


LINE = KdV()
PLANE = KdV(2, 64, 15.0, 0.04, 1, 100, 40, 2, skip=1, residual_order=1, hyper=0.03)  # the published problem


def stepper(spec: KdV, order: int) -> Any:
    """exponax's own, with one channel in any dimension."""
    import exponax

    options = {"hyper_diffusivity": spec.hyper, "order": order}
    if spec.d > 1:
        options |= {"single_channel": True, "diffusivity": 0.0}
    return exponax.stepper.KortewegDeVries(spec.d, spec.extent, spec.nodes, spec.dt, **options)


def trajectories(spec: KdV, count: int, seed: int) -> Float[np.ndarray, "trajectory time channel *grid"]:
    """From random truncated Fourier series of maximum 1."""
    import exponax
    import jax

    make = exponax.ic.RandomTruncatedFourierSeries(spec.d, cutoff=spec.cutoff, max_one=True)
    keys = jax.random.split(jax.random.key(seed), count)
    start = jax.vmap(lambda key: make(spec.nodes, key=key))(keys)
    kept = exponax.RepeatedStepper(stepper(spec, 2), spec.every)
    run = exponax.rollout(kept, spec.times - 1 + spec.skip, include_init=True)
    return np.asarray(jax.jit(jax.vmap(run))(start))[:, spec.skip :]


def kdv(train: int = 64, test: int = 16, seed: int = 0, spec: KdV = LINE) -> Problem:
    """Trajectories to train on and unseen ones; those to train on are the same first ones for every `train`."""
    axes = [adapters.nodes(spec.nodes, spec.extent)] * spec.d
    t = spec.dt * spec.every * np.arange(spec.times)
    found = [
        Snapshots.on_grid(trajectories(spec, count, 2 * seed + part), t, axes)
        for part, count in enumerate((train, test))
    ]
    rhs = adapters.exponax(stepper(spec, spec.residual_order))
    return Problem(f"KdV {spec.d}-D", found[0].window(0, spec.trained), found[1], rhs)
