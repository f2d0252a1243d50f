"""A problem to measure models on: trajectories to train on, unseen ones, and the solver that made both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom.snapshots import Snapshots, grid_points
from parataxis.methods.phi_rom.solvers import SolverRHS


@dataclass(frozen=True, eq=False)
class Problem:
    """train: over [0, T_tr]. test: unseen trajectories over [0, T_te], of which the first times are those of train.

    outside: unseen ones whose parameters lie beyond those trained on, where there are such.
    """

    name: str
    train: Snapshots
    test: Snapshots
    rhs: SolverRHS
    outside: Snapshots | None = None

    @property
    def horizon(self) -> int:
        """How many of the test's times are in [0, T_tr]."""
        return len(self.train.t)


def euler(
    slope: Callable[[Any], Any], u: Float[np.ndarray, "trajectory *field"], dt: float, times: int
) -> Float[np.ndarray, "trajectory time *field"]:
    """States at 0, dt, 2 dt, ... by explicit Euler steps."""
    states = [u]
    for _ in range(times - 1):
        states.append(states[-1] + dt * slope(states[-1]))
    return np.stack(states, axis=1)


def scattered(data: Snapshots, share: float, fine: int, rng: np.random.Generator, period: float = 0.0) -> Snapshots:
    """What sparse sensors off the grid see: a share of as many points as the grid has, drawn once for all snapshots.

    The points are nodes of an equidistant grid of `fine` nodes an axis over the same box; values are interpolated
    linearly along each axis. period: of a field that is periodic along every axis; 0 for one that is not. The solver's
    grid stays.
    """
    fields, axes = data.fields(), data.grid or ()
    shape = fields.shape[3:]
    count = max(1, round(share * int(np.prod(shape))))
    ends = [axis[0] + period if period else axis[-1] for axis in axes]
    nodes = grid_points(
        [np.linspace(axis[0], end, fine, endpoint=not period) for axis, end in zip(axes, ends, strict=True)]
    )
    points = nodes[np.sort(rng.choice(len(nodes), count, replace=False))]
    return Snapshots(
        _linear(fields, axes, points, period), data.t, points, axes, data.params, data.channels, data.names
    )


def _linear(fields: np.ndarray, axes: tuple[np.ndarray, ...], points: np.ndarray, period: float) -> np.ndarray:
    from scipy.interpolate import RegularGridInterpolator

    if period:  # the first nodes again behind the last
        fields = np.pad(fields, [(0, 0)] * 3 + [(0, 1)] * len(axes), mode="wrap")
        axes = tuple(np.append(axis, axis[0] + period) for axis in axes)
    last = np.moveaxis(fields, (0, 1, 2), (-3, -2, -1))
    found = RegularGridInterpolator(axes, last, method="linear")(points)
    return np.moveaxis(found, 0, -1)
