"""Decaying two-dimensional turbulence on a periodic box, through jax-cfd."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom import adapters
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.snapshots import Snapshots

EXTENT, VISCOSITY, DENSITY = np.pi, 0.01, 1.0
DT, EVERY = 0.0245, 5  # the solver's step; steps from one kept state to the next


@dataclass(frozen=True)
class Flow:
    """nodes: a side; times: kept, of which the first `trained` are trained on. Published: 64, 200, 50."""

    nodes: int = 32
    times: int = 100
    trained: int = 50


def solver(nodes: int) -> tuple[Any, Any]:
    """jax-cfd's grid, and its semi-implicit step of DT."""
    from jax_cfd.base import equations, grids

    grid = grids.Grid((nodes, nodes), domain=((0, EXTENT), (0, EXTENT)))
    return grid, equations.semi_implicit_navier_stokes(density=DENSITY, viscosity=VISCOSITY, dt=DT, grid=grid)


def trajectories(flow: Flow, count: int, seed: int) -> Float[np.ndarray, "trajectory time channel x y"]:
    """From filtered random velocities of maximum 1, the first state kept."""
    import jax
    from jax_cfd.base import initial_conditions

    grid, step = solver(flow.nodes)
    rhs = adapters.jax_cfd(step, grid, DT, EVERY)

    def run(key: Any) -> Any:
        start = initial_conditions.filtered_velocity_field(key, grid, maximum_velocity=1)
        u = jax.numpy.stack([each.data for each in start])
        _, states = jax.lax.scan(lambda u, _: (rhs.step(u, None, rhs.dt), u), u, None, flow.times)
        return states

    return np.asarray(jax.jit(lambda keys: jax.lax.map(run, keys))(jax.random.split(jax.random.key(seed), count)))


def navier_stokes(train: int = 64, test: int = 8, seed: int = 0, flow: Flow = Flow()) -> Problem:
    """Velocities at the cells' faces, both taken as if at one point; unseen first states to test."""
    grid, step = solver(flow.nodes)
    axis = (np.arange(flow.nodes) + 0.5) * EXTENT / flow.nodes
    t = DT * EVERY * np.arange(flow.times)
    found = [
        Snapshots.on_grid(trajectories(flow, count, 2 * seed + part), t, (axis, axis), channels=("vx", "vy"))
        for part, count in enumerate((train, test))
    ]
    return Problem("Navier-Stokes", found[0].window(0, flow.trained), found[1], adapters.jax_cfd(step, grid, DT))
