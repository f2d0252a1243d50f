"""A Gaussian that spreads over a square and is absorbed at its edge."""

from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom.problem import Problem, euler
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

NODES, NU, DT, TIMES = 40, 2.0, 0.1, 50
AXIS = np.arange(NODES) - (NODES - 1) / 2  # -19.5 to 19.5; the field is zero one node further


def slope(u: Any) -> Any:
    """nu times the Laplacian by five points, zero outside; u [..., x, y], nodes one apart."""
    xp = u.__array_namespace__()
    wide = xp.pad(u, [(0, 0)] * (u.ndim - 2) + [(1, 1), (1, 1)])
    around = wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1] + wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2]
    return NU * (around - 4 * u)


def equation(fields: Any, x: Any, _: Any) -> Any:
    """The same in the continuum, for PINN-ROM; nothing tells it of the edge."""
    from parataxis.methods.phi_rom.pinn import along

    return NU * (along(along(fields, 0), 0)(x) + along(along(fields, 1), 1)(x))


def gaussians(count: int) -> Float[np.ndarray, "sample x y"]:
    """The published initial fields: NumPy's legacy generator with seed 0, drawn one sample after another."""
    rng = np.random.RandomState(0)
    x, y = np.meshgrid(AXIS, AXIS, indexing="ij")
    found = []
    for _ in range(count):
        sigma, center, amplitude = rng.uniform(3, 10), rng.randint(-12, 12, 2), rng.uniform(0.5, 2)
        found.append(amplitude * np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * sigma**2)))
    return np.stack(found)


def diffusion(trained: int = 100, tested: int = 100) -> Problem:
    """The published problem: of 200 samples the first hundred to train on, over the first half of the time."""
    fields = gaussians(100 + tested)
    u = euler(slope, fields[[*range(trained), *range(100, 100 + tested)]], DT, TIMES)
    data = Snapshots.on_grid(u[:, :, None], DT * np.arange(TIMES), (AXIS, AXIS))
    train = data.take(slice(0, trained)).window(0, TIMES // 2)
    return Problem("diffusion", train, data.take(slice(trained, None)), SolverRHS.from_rhs(lambda u, _: slope(u)))
