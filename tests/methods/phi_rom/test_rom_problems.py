"""The problems of the study are the published ones, by numbers worked out by hand; sensors see what they should."""

import numpy as np
import pytest

from parataxis.methods.phi_rom import burgers, diffusion
from parataxis.methods.phi_rom.problem import euler, scattered
from parataxis.methods.phi_rom.snapshots import Snapshots


def test_a_step_of_euler():
    found = euler(lambda u: -u, np.array([[2.0, 4.0]]), 0.5, 3)
    np.testing.assert_allclose(found, [[[2, 4], [1, 2], [0.5, 1]]])


def test_burgers_slope_by_hand():
    """u = 1, 2, 4 at x = 0, 1, 2: -(4 - 1) / 2 and -(16 - 4) / 2, and 0.02 e^x of the source; the inflow is fixed."""
    found = burgers.slope(np.array([1.0, 2.0, 4.0]), np.arange(3.0), 1.0)
    np.testing.assert_allclose(found, [0, -1.5 + 0.02 * np.e, -6 + 0.02 * np.e**2])


def test_burgers_betas_and_times(tmp_path):
    x = np.linspace(0, 100, 256)
    path = tmp_path / "profile.csv"
    np.savetxt(path, np.stack([x, np.ones(256)], 1), delimiter=",", header="x,q", comments="")
    found = burgers.burgers(path)
    assert found.train.u.shape == (8, 25, 1, 64)
    assert found.test.u.shape == (7, 50, 1, 64)
    assert found.horizon == 25
    assert found.train.t[1] == pytest.approx(0.28)
    trained, tested, outside = (each.params[:, 0] for each in (found.train, found.test, found.outside))
    np.testing.assert_allclose(tested, (trained[1:] + trained[:-1]) / 2)
    np.testing.assert_allclose(outside, [0.015 - 0.015 / 7, 0.03 + 0.015 / 7])
    np.testing.assert_allclose(found.test.u[..., 0], 1)


def test_diffusion_by_hand():
    """Inside, x^2 + y^2 has the Laplacian 4; at a corner two of the neighbours are zeros outside."""
    x = diffusion.AXIS
    field = np.add.outer(x**2, x**2)
    found = diffusion.slope(field[None, None])[0, 0]
    np.testing.assert_allclose(found[1:-1, 1:-1], 2 * 4)
    assert found[0, 0] == pytest.approx(2 * (2 * (19.5**2 + 18.5**2) - 4 * 2 * 19.5**2))


def test_the_published_gaussians():
    """The first draw of NumPy's legacy generator with seed 0 is 0.5488135: a spread of 3 + 7 x 0.5488135."""
    first = diffusion.gaussians(1)[0]
    at = np.unravel_index(first.argmax(), first.shape)
    assert diffusion.AXIS[at[0]] == pytest.approx(round(diffusion.AXIS[at[0]] * 2) / 2)
    row = np.log(first[:, at[1]])
    spread = np.sqrt(-1 / np.diff(row, 2))
    np.testing.assert_allclose(spread, 3 + 7 * 0.5488135, rtol=1e-6)


def line(function, nodes=8):
    x = np.arange(nodes) / nodes
    u = np.stack([function(x + shift) for shift in (0.0, 0.1, 0.2)])[None, :, None]
    return Snapshots.on_grid(u, np.arange(3.0), (x,))


def test_sensors_are_drawn_once_for_all_snapshots_and_keep_the_solvers_grid():
    data = line(lambda x: 3 * x - 1)
    seen = scattered(data, 0.5, 71, np.random.default_rng(0))
    assert seen.u.shape == (1, 3, 1, 4)
    assert not seen.gridded
    np.testing.assert_array_equal(seen.grid[0], data.grid[0])
    for n, shift in enumerate((0.0, 0.1, 0.2)):  # a straight line is what linear interpolation has no error on
        np.testing.assert_allclose(seen.u[0, n, 0], 3 * (seen.coords[:, 0] + shift) - 1, atol=1e-12)
    other = scattered(data, 0.5, 71, np.random.default_rng(1))
    assert not np.array_equal(seen.coords, other.coords)


def test_sensors_on_a_ring_see_behind_the_last_node():
    data = line(lambda x: np.cos(2 * np.pi * x))
    seen = scattered(data, 2.0, 16, np.random.default_rng(0), period=1.0)
    np.testing.assert_allclose(seen.coords[:, 0], np.arange(16) / 16)
    last, first = data.u[0, :, 0, -1], data.u[0, :, 0, 0]
    np.testing.assert_allclose(seen.u[0, :, 0, 15], (last + first) / 2, atol=1e-12)
