"""A solver is checked before anything is trained with it: every way in which one can be wrong, and every adapter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.phi_rom import adapters
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS, check_solver, slope_gap

U = np.random.default_rng(0).uniform(0.5, 1.5, (2, 8, 6)).astype(np.float32)


def laplacian(u, beta=None):
    return jnp.roll(u, 1, -1) + jnp.roll(u, -1, -1) - 2 * u


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (
            lambda u, b: jax.lax.stop_gradient(laplacian(u)),
            "its gradient is zero everywhere, though jax raised no error",
        ),
        (lambda u, b: jnp.round(u), "its gradient is zero everywhere"),
        (lambda u, b: jax.lax.stop_gradient(u) * u, "off finite differences; expected at most 0.02"),
        (lambda u, b: jnp.round(u).astype(int), "returns int32; expected float32"),
        (lambda u, b: u[0], "returns shape (8, 6) for a field of shape (2, 8, 6)"),
        (lambda u, b: [1.0], "returns list; expected an array"),
        (lambda u, b: jnp.sqrt(u - U.min() + 1e-3), "not finite on the field with 10% noise, as a decoder makes them"),
        (lambda u, b: jnp.log(u - 1), "not finite on the given field"),
        (lambda u, b: u if u.sum() > 0 else -u, "fails under jax.jit"),
        (lambda u, b: np.roll(np.asarray(u), 1), "fails under jax.jit"),
        (lambda u, b: u.velocity, "raised AttributeError on a field of shape (2, 8, 6)"),
    ],
)
def test_a_solver_that_can_not_be_trained_with_is_refused(f, said):
    with pytest.raises(BadInput) as caught:
        check_solver(SolverRHS.from_rhs(f), U)
    assert said in str(caught.value)


def test_a_sound_solver_passes_and_is_told():
    report = check_solver(SolverRHS.from_rhs(laplacian), U)
    assert report.gradient < 1e-3
    assert "solver on (2, 8, 6) in float32" in str(report)


def test_a_stepper_gives_its_mean_slope():
    """u' = -u by exact steps: the slope over n steps is (exp(-n dt) - 1) / (n dt) u."""
    rhs = SolverRHS.from_stepper(lambda u, b: u * np.exp(-0.1), 0.1, np.int64(3))
    assert np.allclose(rhs(jnp.asarray(U)), (np.exp(-0.3) - 1) / 0.3 * U, rtol=1e-5)
    assert np.allclose(rhs.step(jnp.asarray(U), None, rhs.dt), U * np.exp(-0.3), rtol=1e-5)
    assert np.allclose(rhs.step(jnp.asarray(U), None, 0.1), U + 0.1 * np.asarray(rhs(jnp.asarray(U))), rtol=1e-5)


@pytest.mark.parametrize(("dt", "n"), [(0.0, 1), (-1.0, 1), (np.nan, 1), (0.1, 0), (0.1, 1.5)])
def test_a_step_has_a_length_and_a_count(dt, n):
    with pytest.raises(BadInput):
        SolverRHS.from_stepper(lambda u, b: u, dt, n)


def test_a_solver_outside_jax_has_the_gradient_that_it_gives():
    def apply(u, beta):
        return beta[0] * (np.roll(u, 1, -1) - u**3)

    def vjp(u, beta, w):
        return beta[0] * (np.roll(w, -1, -1) - 3 * u**2 * w)

    outside, beta = SolverRHS.from_callback(apply, vjp), jnp.array([0.7])
    inside = SolverRHS.from_rhs(lambda u, beta: beta[0] * (jnp.roll(u, 1, -1) - u**3))
    check_solver(outside, U, beta)
    gradients = [jax.grad(lambda u, rhs=rhs: jnp.sum(rhs(u, beta) ** 2))(jnp.asarray(U)) for rhs in (outside, inside)]
    assert np.allclose(*gradients, rtol=1e-5)
    with pytest.raises(BadInput, match="off finite differences"):
        check_solver(SolverRHS.from_callback(apply, lambda u, beta, w: 0.95 * vjp(u, beta, w)), U, beta)


def test_nodes_are_row_major():
    f = SolverRHS.from_rhs(lambda u, b: u * jnp.arange(8)[:, None])
    found = f.flat(jnp.ones((2, 48)), (8, 6))
    assert np.allclose(found[0].reshape(8, 6)[:, 2], np.arange(8))


def test_the_slope_of_other_data_is_far_off():
    """u = exp(-t) cos x: the solver -u is right, to dt^2 / 6; +u is off by 2."""
    t, x = 0.1 * np.arange(5), np.linspace(0, 6, 12)
    data = Snapshots.on_grid((np.exp(-t)[:, None] * np.cos(x))[None, :, None], t, (x,))
    assert slope_gap(SolverRHS.from_rhs(lambda u, b: -u), data) == pytest.approx(0.1**2 / 6, rel=0.05)
    assert slope_gap(SolverRHS.from_rhs(lambda u, b: u), data) == pytest.approx(2, rel=0.01)
    with pytest.raises(BadInput, match="at least 3"):
        slope_gap(SolverRHS.from_rhs(lambda u, b: u), data.window(0, 2))


def test_exponax_diffuses_a_wave_as_it_should():
    exponax = pytest.importorskip("exponax")
    rhs = adapters.exponax(exponax.stepper.Diffusion(1, 2 * np.pi, 32, 0.01, diffusivity=0.5))
    x = adapters.nodes(32, 2 * np.pi)
    u = jnp.asarray(np.cos(2 * x), jnp.float32)[None]
    assert np.allclose(rhs(u), (np.exp(-0.5 * 4 * 0.01) - 1) / 0.01 * np.asarray(u), atol=1e-3)
    check_solver(rhs, u)


def test_jax_cfd_lets_a_vortex_decay_as_it_should():
    """Taylor and Green: velocities decay as exp(-2 nu t) on a box of 2 pi.

    Differences of second order have (2 - 2 cos h) / h^2 in the place of 1: 0.3 % less at 32 nodes. Of what the flow
    carries of itself the pressure takes all but an error that goes with the velocity's square: at 1 it is 3 % of the
    decay, at 0.01 nothing.
    """
    pytest.importorskip("jax_cfd")
    from jax_cfd.base import equations, grids

    n, dt, nu = 32, 0.01, 0.1
    grid = grids.Grid((n, n), domain=((0, 2 * np.pi), (0, 2 * np.pi)))
    step = equations.semi_implicit_navier_stokes(density=1.0, viscosity=nu, dt=dt, grid=grid)
    rhs = adapters.jax_cfd(step, grid, dt)
    face, centre = (np.arange(n) + 1) * 2 * np.pi / n, (np.arange(n) + 0.5) * 2 * np.pi / n
    u = np.stack([np.outer(np.sin(face), np.cos(centre)), -np.outer(np.cos(centre), np.sin(face))])
    u = (0.01 * u).astype(np.float32)
    found = np.asarray(rhs(jnp.asarray(u)))
    h = 2 * np.pi / n
    decay = 2 * nu * (2 - 2 * np.cos(h)) / h**2
    first_order = decay * dt / 2  # by which a step of first order misses exp(-decay dt), relative
    wanted = (np.exp(-decay * dt) - 1) / dt * u
    assert np.linalg.norm(found - wanted) < 1.2 * first_order * np.linalg.norm(wanted)
    with pytest.raises(BadInput, match="expected \\(2, 32, 32\\)"):
        rhs(jnp.zeros((1, 32, 32)))
    with pytest.raises(BadInput, match=r"jax_cfd.base.grids.Grid"):
        adapters.jax_cfd(step, (n, n), dt)


@pytest.fixture
def single():
    """PhiFlow, when it is imported, has jax compute in float64 for good."""
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.mark.filterwarnings("ignore:symmetric-gradient extrapolation:DeprecationWarning")
def test_phiflow_diffuses_by_its_stencil(single):
    pytest.importorskip("phi")
    from phi.jax import flow

    like = flow.CenteredGrid(0.0, "periodic", x=6, y=5, bounds=flow.Box(x=6, y=5))
    rhs = adapters.phiflow(lambda field: flow.diffuse.explicit(field, 0.5, 0.1), like, 0.1)
    u = U[:1, :6, :5]
    around = sum(np.roll(u, by, axis) for by in (1, -1) for axis in (1, 2))
    assert np.allclose(rhs(jnp.asarray(u)), 0.5 * (around - 4 * u), atol=1e-4)
    with pytest.raises(BadInput, match="CenteredGrid"):
        adapters.phiflow(lambda field: field, None, 0.1)


def test_what_is_no_exponax_stepper_is_refused():
    with pytest.raises(BadInput, match="which has a dt"):
        adapters.exponax(lambda u: u)


def test_channels_of_different_units_are_tried_each_by_its_own_spread():
    """Density and pressure: noise of the pressure's spread would make a density below zero."""
    x = 2 * np.pi * np.arange(16) / 16
    u = np.stack([1.2 + 0.1 * np.sin(x), 1e5 + 1e3 * np.cos(x)]).astype(np.float32)

    def slope(u, beta=None):
        speed = jnp.sqrt(1.4 * u[1] / u[0]) / 340
        return -speed * (jnp.roll(u, -1, -1) - jnp.roll(u, 1, -1)) / (2 * x[1])

    assert check_solver(SolverRHS.from_rhs(slope), u).gradient < 1e-2
