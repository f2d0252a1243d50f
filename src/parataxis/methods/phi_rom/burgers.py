"""Viscosity-free Burgers flow with a source that grows along x at a rate beta: a front that steepens and travels."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom.problem import Problem, euler
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

SOURCE = 0.02
LOW, HIGH, TRAINED = 0.015, 0.03, 8  # of beta
DT, TIMES = 0.07, 200  # on the profile's own 256 nodes; a coarser grid takes as many times longer steps
PROFILE = "burgers_ic.csv"


def slope(u: Any, x: Any, beta: Any) -> Any:
    """du_i/dt = -(u_i^2 - u_{i-1}^2) / (2 dx) + 0.02 exp(beta x_i), the first node fixed; u [..., node]."""
    xp = u.__array_namespace__()
    flux = (u[..., 1:] ** 2 - u[..., :-1] ** 2) / (2 * (x[1] - x[0]))
    moved = -flux + SOURCE * xp.exp(beta * x[1:])
    return xp.concatenate([xp.zeros_like(u[..., :1]), moved], axis=-1)


def equation(fields: Any, x: Any, beta: Any) -> Any:
    """The same in the continuum, for PINN-ROM: du/dt = -u du/dx + 0.02 exp(beta x); the inflow at x = 0 is fixed."""
    import jax.numpy as jnp

    from parataxis.methods.phi_rom.pinn import along

    moved = -fields(x) * along(fields, 0)(x) + SOURCE * jnp.exp(beta[:, :, None] * x[:, 0])
    return jnp.where(x[:, 0] > 0, moved, 0.0)


def profile(path: Path) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Places and velocities of the published initial profile."""
    x, q = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
    return x, q


def burgers(path: Path, every: int = 4) -> Problem:
    """The published problem on every `every`-th node of the profile at `path`; 1 is the published one.

    8 values of beta to train on, over the first half of the time; 7 between them and 2 beyond to test.
    """
    x, q = (each[::every] for each in profile(path))
    dt, times = DT * every, TIMES // every
    step = (HIGH - LOW) / (TRAINED - 1)
    trained = np.linspace(LOW, HIGH, TRAINED)
    betas = {"train": trained, "test": trained[:-1] + step / 2, "outside": np.array([LOW - step, HIGH + step])}
    found = {}
    for name, beta in betas.items():
        start = np.tile(q, (len(beta), 1))
        u = euler(partial(slope, x=x, beta=beta[:, None]), start, dt, times)
        data = Snapshots.on_grid(u[:, :, None], dt * np.arange(times), (x,), beta[:, None])
        found[name] = data.window(0, times // 2) if name == "train" else data
    nodes = x.astype(np.float32)
    rhs = SolverRHS.from_rhs(lambda u, beta: slope(u, nodes, beta[0]))
    return Problem("Burgers", rhs=rhs, **found)
