"""What the commands read: a solver by its name, observations, parameters and times."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.snapshots import AXES, Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

MOST = 100_000  # times of a forecast


def read_solver(target: str, dt: float | None = None) -> SolverRHS:
    """The SolverRHS, or the function f(u, beta), that MODULE:NAME is; the current folder is searched first.

    dt: the function is a stepper, u after that time. Raises BadInput.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise BadInput(f"--solver {target}: expected MODULE:NAME, as in solver:rhs")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        missing = "here or installed" if error.name == module else f"to be found: it needs {error.name!r}"
        raise BadInput(f"--solver {target}: no module {module!r} {missing}") from None
    except (Exception, SystemExit) as error:
        raise BadInput(f"--solver {target}: importing it raises {type(error).__name__}: {error}") from None
    if not hasattr(found, name):
        there = ", ".join(each for each in dir(found) if not each.startswith("_")) or "nothing"
        raise BadInput(f"--solver {target}: {module} has no {name!r}; it has {there}")
    solver = getattr(found, name)
    if isinstance(solver, SolverRHS):
        if dt is not None:
            raise BadInput(f"--stepper {dt:g}: {target} is a SolverRHS, which knows its step; leave it out")
        return solver
    if not callable(solver):
        raise BadInput(
            f"--solver {target}: is of {type(solver).__name__}; expected a SolverRHS or a function f(u, beta)"
        )
    return SolverRHS.from_rhs(solver) if dt is None else SolverRHS.from_stepper(solver, dt)


def read_observations(path: Path, channels: tuple[str, ...], names: tuple[str, ...], dims: int) -> tuple[Any, Any, Any]:
    """values [observation, channel, point], coords, params or None: the first time of each trajectory of a NetCDF file,
    or a table of one observation, with a row a sensor. By name, in the order given.
    """
    if path.suffix != ".csv":
        data = Snapshots.open(path)
        if data.u.shape[2] != len(channels):
            raise BadInput(
                f"{path}: holds {data.u.shape[2]} channels; the model {len(channels)}: {', '.join(channels)}"
            )
        try:
            data = data.in_order(channels, names if names and data.names else data.names)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None
        return data.u[:, 0], data.coords, data.params
    table = read_table(path)
    values = np.array([column(table, name, path) for name in channels])
    return values[None], coords_of(table, dims, path), None


def read_points(path: Path, dims: int) -> Float[np.ndarray, "point d"]:
    """A table with the columns x, y, z, as many as there are dimensions."""
    return coords_of(read_table(path), dims, path)


def read_table(path: Path) -> Any:
    import pandas as pd

    try:
        found = pd.read_csv(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise BadInput(f"{path}: can't be read as a table: {str(error).splitlines()[0]}") from None
    if found.empty:
        raise BadInput(f"{path}: holds no rows; give one a sensor or point")
    return found


def coords_of(table: Any, dims: int, path: Path) -> Float[np.ndarray, "point d"]:
    return np.stack([column(table, name, path) for name in AXES[:dims]], axis=1)


def column(table: Any, name: str, path: Path) -> Float[np.ndarray, " row"]:
    if name not in table:
        raise BadInput(f"{path}: no column {name!r}; there: {', '.join(map(repr, table.columns))}")
    found = np.asarray(table[name])
    if found.dtype.kind not in "iuf":
        raise BadInput(f"{path}: column {name!r} is not of numbers")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        raise BadInput(f"{path}:{row + 2}: {name}={found[row]} must be finite; drop that row")
    return found.astype(np.float64)


def read_times(text: str) -> Float[np.ndarray, " time"]:
    """FIRST:LAST:STEP, with the last, or numbers with commas."""
    parts = text.split(":")
    try:
        if len(parts) == 1:
            found = np.array([float(each) for each in text.split(",")])
        else:
            first, last, step = map(float, parts)
            count = int(np.floor((last - first) / step + 1e-9)) + 1
            if count > MOST:
                raise BadInput(f"--times {text}: are {count:.3g} times; expected at most {MOST}: give a larger STEP")
            found = first + step * np.arange(count)
    except BadInput:
        raise
    except (ValueError, ZeroDivisionError, OverflowError):
        raise BadInput(f"--times {text}: expected FIRST:LAST:STEP or numbers with commas, as in 0:10:0.5") from None
    if not len(found) or not np.isfinite(found).all() or (np.diff(found) <= 0).any() or found[0] < 0:
        raise BadInput(f"--times {text}: expected increasing times, of at least 0: they count from the observation")
    return found


def read_params(text: str, names: tuple[str, ...]) -> Float[np.ndarray, " p"]:
    """name=value with commas, one for each parameter that the model was trained with."""
    given: dict[str, float] = {}
    for each in text.split(","):
        name, _, value = (part.strip() for part in each.partition("="))
        try:
            number = float(value)
        except ValueError:
            raise BadInput(f"--params {text}: expected name=value with commas, as in beta=0.02") from None
        if name in given:
            raise BadInput(f"--params {text}: gives {name} twice; give one value")
        if not np.isfinite(number):
            raise BadInput(f"--params {text}: {name}={value} must be finite")
        given[name] = number
    if set(given) != set(names):
        raise BadInput(f"--params {text}: expected {', '.join(f'{name}=...' for name in names) or 'none'}")
    return np.array([given[name] for name in names])
