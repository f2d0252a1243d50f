"""Snapshots of a field over time, as solvers write them: the array, its axes, and every check on them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.files import write_atomic

AXES = ("x", "y", "z")
FAR = 1e3  # times their extent, coordinates may be from the origin: float32 then resolves a ten thousandth of it
SOLVER = "solver_"  # before the name of an axis of the solver's grid, in a file whose points are scattered
SAME_PLACE = 1e-6  # of a grid's extent: two points nearer than this are one


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Trajectories of one or more fields, each at the same times and points.

    u: values. t: increasing times. coords: where the points are, scattered or on the solver's grid, of which they may
    be a part or none. grid: the axes of the solver's grid, in the order of the solver's own array axes; a point's
    number there is row-major (the last axis runs fastest). None if the solver is not called. params: of each
    trajectory, what the solver calls beta. channels, names: of the fields and the parameters.

    Raises BadInput for whatever is not so, also for values that are not finite.
    """

    u: Any  # [trajectory, time, channel, point]; once made, these are arrays
    t: Any  # [time]
    coords: Any  # [point, d]
    grid: Any = None  # (axis, ...)
    params: Any = None  # [trajectory, p]
    channels: Any = ()
    names: Any = ()

    def __post_init__(self) -> None:
        found: dict[str, Any] = {
            "u": numbers("u", self.u, 4, "[trajectory, time, channel, point]"),
            "t": numbers("t", self.t, 1, "[time]"),
            "coords": numbers("coords", self.coords, 2, "[point, dimension]"),
        }
        if self.grid is not None:
            found["grid"] = _axes_of(self.grid)
        if self.params is not None:
            found["params"] = numbers("params", self.params, 2, "[trajectory, parameter]")
        found["channels"] = _named(self.channels, found["u"].shape[2], "channels", "u")
        found["names"] = _named(self.names, found["params"].shape[1] if "params" in found else 0, "names", "beta")
        for name, value in found.items():
            object.__setattr__(self, name, value)
        _check(self)

    @classmethod
    def on_grid(cls, u: Any, t: Any, grid: Sequence[Any], params: Any = None, **names: Sequence[str]) -> "Snapshots":
        """From values on the whole grid, u [trajectory, time, channel, *grid]."""
        axes = _axes_of(grid)
        values, shape = np.asarray(u), tuple(len(axis) for axis in axes)
        if values.shape[3:] != shape:
            said = "; its axes are in another order" if sorted(values.shape[3:]) == sorted(shape) else ""
            raise BadInput(
                f"u: shape={values.shape}: expected [trajectory, time, channel] and then {shape}, as grid{said}"
            )
        nodes = int(np.prod(shape))
        return cls(values.reshape(*values.shape[:3], nodes), t, grid_points(axes), axes, params, **names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the solver's grid."""
        return tuple(len(axis) for axis in self._grid)

    @property
    def solver_points(self) -> Float[np.ndarray, "node d"]:
        return grid_points(self._grid)

    @property
    def gridded(self) -> bool:
        """Whether the points are those of the solver's grid, in its order."""
        return self.grid is not None and _same_points(self.coords, self.solver_points, _extent(self._grid))

    @property
    def _grid(self) -> tuple[np.ndarray, ...]:
        if self.grid is None:
            raise BadInput("grid=None: expected the axes of the solver's grid; give them as grid=(x, y)")
        return self.grid

    def fields(self) -> Float[np.ndarray, "trajectory time channel *grid"]:
        """The values as the solver holds them; BadInput where the points are not its grid's."""
        if not self.gridded:
            raise BadInput("coords: are not the points of grid; give the values on the whole grid")
        return self.u.reshape(*self.u.shape[:3], *self.shape)

    def beta(self, trajectory: int) -> Float[np.ndarray, " p"] | None:
        return None if self.params is None else self.params[trajectory]

    def window(self, begin: int, end: int | None = None) -> "Snapshots":
        """These times only (a slice of places)."""
        return replace(self, u=self.u[:, begin:end], t=self.t[begin:end])

    def take(self, trajectories: Any) -> "Snapshots":
        """These trajectories only, in this order."""
        params = None if self.params is None else self.params[trajectories]
        return replace(self, u=self.u[trajectories], params=params)

    def at(self, points: Any) -> "Snapshots":
        """These points only; the solver's grid stays."""
        return replace(self, u=self.u[..., points], coords=self.coords[points])

    def in_order(self, channels: tuple[str, ...], names: tuple[str, ...]) -> "Snapshots":
        """The same with channels and parameters in this order. Raises BadInput where there are others."""
        wanted = (("channels", self.channels, channels), ("parameters", self.names, names))
        for what, mine, theirs in wanted:
            if sorted(mine) != sorted(theirs):
                raise BadInput(f"{what} {mine}; the model was trained with {theirs}")
        seen, known = ([mine.index(each) for each in theirs] for _, mine, theirs in wanted)
        params = None if self.params is None else self.params[:, known]
        return replace(self, u=self.u[:, :, seen], params=params, channels=channels, names=names)

    # -- files ---------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path | str) -> "Snapshots":
        """From a NetCDF file, whatever dimensions its variables stand in; see `from_dataset`."""
        import xarray

        path = Path(path)
        if not path.exists():
            raise BadInput(f"{path}: no such file")
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; name a NetCDF file")
        try:
            with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
                data.load()
        except OSError as error:
            said = str(error).splitlines()[0]
            raise BadInput(f"{path}: is no NetCDF-4 file ({said})") from None
        try:
            return cls.from_dataset(data)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None

    def save(self, path: Path | str) -> Path:
        """To a NetCDF file (HDF5), whole or not at all."""
        return write_atomic(path, bytes(self.to_dataset().to_netcdf(engine="h5netcdf")))

    @classmethod
    def from_dataset(cls, data: Any) -> "Snapshots":
        """From an xarray Dataset, opened from NetCDF, Zarr or else.

        Each variable over `time` and `x`, `y`, `z` (or `point`, where these three are coordinates of the points) is a
        channel, each over `trajectory` alone a parameter. `trajectory` may be absent: it is then one.
        """
        fields = [name for name, each in data.data_vars.items() if "time" in each.dims and len(each.dims) > 1]
        if not fields:
            there = ", ".join(f"{name} {each.dims}" for name, each in data.data_vars.items()) or "none"
            raise BadInput(f"no variable over 'time' and 'x', 'y', 'z' or 'point'; there: {there}")
        space = ("point",) if "point" in data[fields[0]].dims else tuple(n for n in AXES if n in data[fields[0]].dims)
        dims = ("trajectory", "time", *space)
        values = []
        for name in fields:
            each = data[name] if "trajectory" in data[name].dims else data[name].expand_dims("trajectory")
            if set(each.dims) != set(dims):
                raise BadInput(f"{name}: dimensions {each.dims}: expected {dims}, as {fields[0]!r}, in any order")
            values.append(each.transpose(*dims).values)
        for name in (*(n for n in dims[1:] if n != "point"), *([] if space != ("point",) else [_located(data)[0]])):
            if name not in data.coords:
                raise BadInput(f"no coordinate {name!r}; give one, as dimension {name!r} has no values")
        betas = [
            str(name) for name, each in data.variables.items() if each.dims == ("trajectory",) and name not in dims
        ]
        params = np.stack([data[name].values for name in betas], axis=1) if betas else None
        u, t, kept = np.stack(values, axis=2), data["time"].values, {"channels": tuple(fields), "names": tuple(betas)}
        if space != ("point",):
            return cls.on_grid(u, t, [data[name].values for name in space], params, **kept)
        coords = np.stack([data[name].values for name in _located(data)], axis=1)
        axes = [data[SOLVER + name].values for name in AXES if SOLVER + name in data.coords]
        return cls(u, t, coords, axes or None, params, **kept)

    def to_dataset(self) -> Any:
        """As `from_dataset` reads it: by axis where the points are the solver's grid, else by point."""
        import xarray

        axes = AXES[: self.coords.shape[1]]
        coordinates: dict[str, Any] = {"time": self.t}
        if self.gridded:
            dims, values = ("trajectory", "time", *axes), np.moveaxis(self.fields(), 2, 0)
            coordinates |= dict(zip(axes, self._grid, strict=True))
        else:
            dims, values = ("trajectory", "time", "point"), np.moveaxis(self.u, 2, 0)
            coordinates |= {name: ("point", self.coords[:, n]) for n, name in enumerate(axes)}
            coordinates |= {SOLVER + name: axis for name, axis in zip(axes, self.grid or (), strict=False)}
        found = {name: (dims, each) for name, each in zip(self.channels, values, strict=True)}
        for n, name in enumerate(self.names):
            assert self.params is not None
            found[name] = (("trajectory",), self.params[:, n])
        return xarray.Dataset(found, coordinates)


def grid_points(axes: Sequence[Float[np.ndarray, " _"]]) -> Float[np.ndarray, "point d"]:
    """All points of a grid, row-major."""
    return np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)


def check_training(data: Snapshots) -> None:
    """What only training needs: parameters that vary, and fields that are not all zero (a warning).

    Raises BadInput for a parameter that is the same in all of two or more trajectories: it can't be standardised; and
    for coordinates so far from the origin that float32 has no room for their differences.
    """
    far, extent = np.abs(data.coords).max(0), np.ptp(data.coords, axis=0)
    for axis in np.flatnonzero((extent > 0) & (far > FAR * extent)):
        raise BadInput(
            f"coords: {AXES[axis] if axis < len(AXES) else axis} is up to {far[axis]:g} from the origin and only "
            f"{extent[axis]:g} wide, which float32 can't resolve; subtract an origin, in grid too"
        )
    if data.params is not None and len(data.params) > 1:
        spread = np.ptp(data.params, axis=0)
        for name, low, width in zip(data.names, data.params[0], spread, strict=True):
            if width <= 1e-12 * max(1.0, abs(low)):
                raise BadInput(
                    f"params: {name}={low:g} is the same in all {len(data.params)} trajectories; leave it out"
                )
    norms = np.linalg.norm(data.u, axis=-1)
    if (zero := norms == 0).any():
        trajectory, time, channel = (int(each[0]) for each in np.nonzero(zero))
        warnings.warn(
            f"u: {int(zero.sum())} of {zero.size} fields are all zero (the first: trajectory={trajectory}, "
            f"time={time}, channel={data.channels[channel]!r}); their relative errors are taken over a floor",
            stacklevel=2,
        )


def _check(data: Snapshots) -> None:
    trajectories, times, _, points = data.u.shape
    for name, have, want, of in (
        ("t", len(data.t), times, "times"),
        ("coords", len(data.coords), points, "points"),
        ("params", trajectories if data.params is None else len(data.params), trajectories, "trajectories"),
    ):
        if have != want:
            raise BadInput(f"{name}: holds {have} {of}, u {want}; give as many")
    if len(down := np.nonzero(np.diff(data.t) <= 0)[0]):
        at = int(down[0])
        raise BadInput(f"t[{at + 1}]={data.t[at + 1]:g} is not above t[{at}]={data.t[at]:g}; times must increase")
    if data.grid is not None:
        _check_grid(data, data.grid)


def _check_grid(data: Snapshots, grid: tuple[np.ndarray, ...]) -> None:
    d = data.coords.shape[1]
    if len(grid) != d:
        raise BadInput(f"grid: holds {len(grid)} axes, coords {d} dimensions; give an axis a dimension")
    for n, axis in enumerate(grid):
        if (np.diff(axis) <= 0).any():
            raise BadInput(f"grid[{n}]: must increase; sort it, and the field along it")
    if len(data.coords) != np.prod([len(axis) for axis in grid]) or data.gridded:
        return
    extent, nodes = _extent(grid), grid_points(grid)
    if _same_points(_sorted(data.coords), _sorted(nodes), extent):
        raise BadInput(
            "coords: are the points of grid in another order than grid's own, where the last axis runs fastest; "
            "put points and values in that order"
        )


def numbers(name: str, values: Any, ndim: int | None, of: str) -> np.ndarray:
    """Floats, finite, of so many axes (None: of any); whole numbers become floats. Raises BadInput."""
    try:
        found = np.asarray(values)
        found = found if found.dtype in (np.float32, np.float64) else found.astype(np.float64, casting="same_kind")
    except (TypeError, ValueError):
        kind = getattr(values, "dtype", type(values).__name__)
        raise BadInput(f"{name}: is of {kind}; expected real numbers {of}") from None
    if ndim is not None and found.ndim != ndim:
        raise BadInput(f"{name}: shape={found.shape}: expected {ndim} axes {of}")
    if 0 in found.shape:
        raise BadInput(f"{name}: shape={found.shape}: is empty; expected {of}")
    if not np.isfinite(found).all():
        place = tuple(int(each[0]) for each in np.nonzero(~np.isfinite(found)))
        count = int((~np.isfinite(found)).sum())
        raise BadInput(
            f"{name}[{', '.join(map(str, place))}]={found[place]}: {count} of {found.size} values are not finite; "
            "drop or fill them"
        )
    return found


def _axes_of(grid: Sequence[Any]) -> tuple[Float[np.ndarray, " _"], ...]:
    return tuple(numbers(f"grid[{n}]", axis, 1, "[node]") for n, axis in enumerate(grid))


def _named(given: Sequence[str], count: int, what: str, stem: str) -> tuple[str, ...]:
    if not given:
        return (stem,) if count == 1 else tuple(f"{stem}{n}" for n in range(count))
    if len(given) != count or len(set(given)) != count:
        raise BadInput(f"{what}={tuple(given)}: expected {count} different names")
    return tuple(map(str, given))


def _located(data: Any) -> list[str]:
    return [name for name in AXES if name in data.coords and data[name].dims == ("point",)] or ["x"]


def _extent(grid: Sequence[np.ndarray]) -> float:
    return max(max(float(np.ptp(axis)) for axis in grid), 1e-300)


def _same_points(a: np.ndarray, b: np.ndarray, extent: float) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max() <= SAME_PLACE * extent)


def _sorted(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points.T, 9))]
