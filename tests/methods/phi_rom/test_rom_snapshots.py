"""Snapshots: what is wrong with them is told at once; through files and back nothing changes."""

import warnings

import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.problem import scattered
from parataxis.methods.phi_rom.snapshots import Snapshots, check_training, grid_points

X, Y, T = np.linspace(0, 1, 4), np.linspace(0, 2, 3), np.array([0.0, 0.5, 1.5])
U = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 3))


def gridded(**changes):
    given = {"u": U, "t": T, "grid": (X, Y), "params": np.array([[1.0], [2.0]]), "channels": ("vx", "vy"), **changes}
    return Snapshots.on_grid(given.pop("u"), given.pop("t"), given.pop("grid"), given.pop("params"), **given)


def broken(value):
    u = U.copy()
    u[1, 2, 0, 3, 1] = value
    return u


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"u": broken(np.nan)}, "u[1, 2, 0, 10]=nan: 1 of 144 values are not finite"),
        ({"u": broken(np.inf)}, "u[1, 2, 0, 10]=inf"),
        ({"u": U.astype(complex)}, "u: is of complex128; expected real numbers"),
        ({"u": U[:, :2]}, "t: holds 3 times, u 2; give as many"),
        ({"u": U[:, :, :, :3]}, "u: shape=(2, 3, 2, 3, 3): expected [trajectory, time, channel] and then (4, 3)"),
        ({"u": U.swapaxes(3, 4)}, "as grid; its axes are in another order"),
        ({"u": U[:, :, :0]}, "is empty"),
        ({"t": T[::-1]}, "t[1]=0.5 is not above t[0]=1.5; times must increase"),
        ({"t": np.array([0.0, 1.0, 1.0])}, "t[2]=1 is not above t[1]=1"),
        ({"t": np.array([0.0, np.nan, 1.0])}, "t[1]=nan: 1 of 3 values are not finite"),
        ({"grid": (X[::-1], Y)}, "grid[0]: must increase"),
        ({"params": np.array([[1.0]])}, "params: holds 1 trajectories, u 2; give as many"),
        ({"params": np.array([1.0, 2.0])}, "params: shape=(2,): expected 2 axes"),
        ({"channels": ("v", "v")}, "channels=('v', 'v'): expected 2 different names"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(changes, said):
    with pytest.raises(BadInput) as caught:
        gridded(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_points_must_be_as_many_as_values_and_a_grid_have_their_dimensions():
    points = grid_points((X, Y))
    flat = U.reshape(2, 3, 2, 12)
    with pytest.raises(BadInput, match="coords: holds 11 points, u 12"):
        Snapshots(flat, T, points[1:], (X, Y))
    with pytest.raises(BadInput, match="grid: holds 1 axes, coords 2 dimensions"):
        Snapshots(flat, T, points, (X,))
    with pytest.raises(BadInput, match="are the points of grid in another order"):
        Snapshots(flat, T, points[::-1], (X, Y))
    with pytest.raises(BadInput, match="grid=None: expected the axes"):
        _ = Snapshots(flat, T, points).solver_points


def test_a_constant_parameter_is_refused_in_training_only():
    data = gridded(params=np.array([[2.0], [2.0]]))
    with pytest.raises(BadInput, match="params: beta=2 is the same in all 2 trajectories; leave it out"):
        check_training(data)
    check_training(data.take(slice(0, 1)))  # one trajectory is fine


def test_an_all_zero_field_is_told():
    u = U.copy()
    u[1, 0, 1] = 0
    with pytest.warns(UserWarning, match="1 of 12 fields are all zero .*trajectory=1, time=0, channel='vy'"):
        check_training(gridded(u=u))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_training(gridded())


@pytest.mark.parametrize("sparse", [False, True])
def test_a_file_gives_back_what_it_was_given(tmp_path, sparse):
    data = gridded(names=("nu",))
    data = data.at([7, 2, 5]) if sparse else data
    found = Snapshots.open(data.save(tmp_path / "run.nc"))
    for name in ("u", "t", "coords", "params"):
        assert np.array_equal(getattr(found, name), getattr(data, name)), name
    assert all(map(np.array_equal, found.grid, data.grid))
    assert (found.channels, found.names, found.gridded) == (("vx", "vy"), ("nu",), not sparse)


def test_a_file_of_another_hand_is_read_by_the_names_of_its_dimensions(tmp_path):
    import xarray

    values = U[0, :, 0]  # [time, x, y]
    laid = xarray.Dataset({"p": (("y", "time", "x"), values.transpose(2, 0, 1))}, {"time": T, "x": X, "y": Y})
    laid.to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    found = Snapshots.open(tmp_path / "p.nc")
    assert np.array_equal(found.fields()[0, :, 0], values)
    assert found.channels == ("p",)


def test_a_file_that_is_none_is_told(tmp_path):
    import xarray

    with pytest.raises(BadInput, match=r"absent.nc: no such file"):
        Snapshots.open(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(BadInput, match=r"text.nc: is no NetCDF-4 file"):
        Snapshots.open(tmp_path / "text.nc")
    for name, data, said in (
        ("empty", xarray.Dataset({"p": (("a", "b"), np.ones((2, 2)))}), "no variable over 'time'"),
        ("bare", xarray.Dataset({"p": (("time", "x"), np.ones((2, 2)))}, {"time": [0.0, 1.0]}), "no coordinate 'x'"),
        (
            "unlike",
            xarray.Dataset(
                {"p": (("time", "x"), np.ones((2, 2))), "q": (("time", "y"), np.ones((2, 2)))},
                {"time": [0.0, 1.0], "x": [0.0, 1.0], "y": [0.0, 1.0]},
            ),
            r"q: dimensions \('trajectory', 'time', 'y'\): expected \('trajectory', 'time', 'x'\)",
        ),
    ):
        data.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        with pytest.raises(BadInput, match=said):
            Snapshots.open(tmp_path / f"{name}.nc")


def test_sensors_off_the_grid_see_a_linear_field_as_it_is():
    x, y = np.meshgrid(X, Y, indexing="ij")
    data = Snapshots.on_grid((1 + 2 * x - y)[None, None, None], [0.0], (X, Y))
    seen = scattered(data, 0.5, 16, np.random.default_rng(0))
    assert seen.u.shape[-1] == len(seen.coords) == 6
    assert np.allclose(seen.u[0, 0, 0], 1 + 2 * seen.coords[:, 0] - seen.coords[:, 1])
    assert not seen.gridded
    assert np.array_equal(seen.solver_points, data.coords)


def test_sensors_see_round_the_end_of_a_periodic_field():
    data = Snapshots.on_grid(np.arange(4.0)[None, None, None], [0.0], (np.arange(4.0),))
    seen = scattered(data, 2.0, 8, np.random.default_rng(0), period=4.0)
    assert np.allclose(seen.coords[:, 0], 0.5 * np.arange(8))
    assert np.allclose(seen.u[0, 0, 0], [0, 0.5, 1, 1.5, 2, 2.5, 3, 1.5])
