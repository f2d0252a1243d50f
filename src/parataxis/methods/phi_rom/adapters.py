"""Other people's differentiable solvers as a SolverRHS: exponax, jax-cfd, PhiFlow. None is imported before it is used.

XLB and whatever else runs in jax goes through `SolverRHS.from_stepper`, the rest through `SolverRHS.from_callback`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.solvers import SolverRHS


def exponax(stepper: Any, n: int = 1) -> SolverRHS:
    """The slope of an exponax stepper over n of its steps; fields [channel, *grid], as it takes them."""
    if not callable(stepper) or not hasattr(stepper, "dt"):
        raise BadInput(f"stepper={stepper!r}: expected an exponax stepper, which has a dt")
    return SolverRHS.from_stepper(lambda u, _: stepper(u), float(stepper.dt), n)


def jax_cfd(step: Callable[[Any], Any], grid: Any, dt: float, n: int = 1) -> SolverRHS:
    """The slope of a jax-cfd step of velocities over n steps: one channel a component, periodic on every side.

    grid: a jax_cfd.base.grids.Grid; step: as jax_cfd.base.equations makes them, for a time dt.
    """
    from jax_cfd.base import boundaries, initial_conditions

    if not hasattr(grid, "cell_faces"):
        raise BadInput(f"grid={grid!r}: expected a jax_cfd.base.grids.Grid")
    conditions = [boundaries.periodic_boundary_conditions(grid.ndim)] * grid.ndim

    def plain(u: Any, _: Any) -> Any:
        xp = u.__array_namespace__()
        if u.shape != (grid.ndim, *grid.shape):
            raise BadInput(f"u: shape={tuple(u.shape)}: expected {(grid.ndim, *grid.shape)}, a velocity on the grid")
        moved = step(initial_conditions.wrap_variables(list(u), grid, conditions))
        return xp.stack([each.data for each in moved])

    return SolverRHS.from_stepper(plain, dt, n)


def phiflow(step: Callable[[Any], Any], like: Any, dt: float, n: int = 1) -> SolverRHS:
    """The slope of a PhiFlow step over n steps, for one centred grid.

    like: a CenteredGrid on the jax backend, whose geometry and boundary the fields have; step(grid) is it after dt.
    """
    from phi import math

    if not getattr(like, "is_grid", False) or not like.is_centered:
        raise BadInput("like: expected a CenteredGrid; a staggered grid's components are of several shapes")
    names = like.resolution.names
    vector = like.values.shape.channel

    def plain(u: Any, _: Any) -> Any:
        # PhiFlow keeps a scalar without a channel dimension
        dims = math.spatial(",".join(names))
        values = math.wrap(u, vector & dims) if vector else math.wrap(u[0], dims)
        moved = step(like.with_values(values)).values
        return moved.native([*vector.names, *names]) if vector else moved.native(list(names))[None]

    return SolverRHS.from_stepper(plain, dt, n)


def nodes(count: int, extent: float) -> np.ndarray:
    """The axis of a periodic grid, its right end left out."""
    return np.linspace(0, extent, count, endpoint=False)
