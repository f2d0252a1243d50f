"""The linear bases that stand beside every figure: exact where the data are of so many modes, and the solver linear."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rom_cases import spin, untrained, waves

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.metrics import errors
from parataxis.methods.phi_rom.pod import POD
from parataxis.methods.phi_rom.projection import crom, project
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

MODES = 4  # two sines that travel


@pytest.fixture(scope="module")
def trained():
    return waves(trajectories=5, seed=3)


@pytest.fixture(scope="module")
def test():
    return waves(trajectories=2, times=9, seed=7)


def test_as_many_modes_as_the_data_have_leave_nothing(trained, test):
    pod = POD.of(trained, MODES)
    assert errors(pod.projected(test.u), test.u).max() < 1e-5
    assert errors(POD.of(trained, MODES - 1).projected(test.u), test.u).mean() > 0.01
    np.testing.assert_allclose(pod.modes.T @ pod.modes, np.eye(MODES), atol=1e-12)


@pytest.mark.parametrize("snapshots", [10, 40])
def test_modes_are_those_of_the_singular_values(snapshots):
    """Fewer snapshots than rows, and more: both ways to them find the best basis, which no other one betters."""
    u = np.random.default_rng(0).normal(size=(1, snapshots, 2, 12))
    data = Snapshots.on_grid(u, np.arange(snapshots), (np.arange(12.0),))
    rows = u.reshape(snapshots, 24)
    left = np.square(rows - POD.of(data, 3).projected(u).reshape(rows.shape)).sum()
    sizes = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    assert left == pytest.approx(np.square(sizes[3:]).sum(), rel=1e-9)


@pytest.mark.parametrize("k", [0, 31])
def test_a_basis_has_as_many_modes_as_there_may_be(trained, k):
    with pytest.raises(BadInput, match=f"k={k}: expected 1 to 24, as there are 30 snapshots of 24"):
        POD.of(trained, k)


def test_linear_models_of_a_linear_solver_follow_it(trained, test):
    """Galerkin's has the solver; DMD and operator inference have the paths, the last with an error of their spacing."""
    pod = POD.of(trained, MODES)
    found = {
        "galerkin": pod.galerkin(SolverRHS.from_rhs(spin), test),
        "dmd": pod.dmd(trained, test),
        "opinf": pod.opinf(trained, test),
    }
    off = {name: errors(fields, test.u).mean() for name, fields in found.items()}
    assert off["galerkin"] < 1e-4
    assert off["dmd"] < 1e-4
    assert off["opinf"] < 0.1
    still = np.broadcast_to(test.u[:, :1], test.u.shape)
    assert errors(still, test.u).mean() > 0.3, "the waves must move, or nothing was shown"


def test_dmd_learns_from_the_order_of_the_snapshots(trained, test):
    back = Snapshots(trained.u[:, ::-1], trained.t, trained.coords, trained.grid)
    assert errors(POD.of(back, MODES).dmd(back, test), test.u)[:, -1].min() > 0.5


def test_the_solver_in_the_latents_place_is_of_the_models_precision():
    """Once PhiFlow is imported, jax computes in float64, and a network made then is of that. The first state tells."""
    with jax.enable_x64(True):
        rom, data, rhs = untrained(), waves(trajectories=1, times=2), SolverRHS.from_rhs(spin)
        for part in ("decoder", "dynamics"):
            wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), getattr(rom.fitted, part))
            setattr(rom.fitted, part, wide)
        first = rom.decode(rom.encode(data.u[:, 0]).latents[:, None], data.coords)
        for how in (project, crom):
            np.testing.assert_allclose(how(rom, rhs, data)[:, :1], first, rtol=0, atol=1e-10)
        pod = POD.of(data, 2)
        np.testing.assert_allclose(pod.galerkin(rhs, data)[:, :1], pod.projected(data.u[:, :1]), rtol=0, atol=1e-10)
