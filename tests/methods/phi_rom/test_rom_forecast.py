"""Latents in time: against closed forms and diffrax; what a time asked for must not change; how steps are chosen."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.forecast import _stepped, integrate, march, spectral_radius, substeps_for

DT = 0.1


def dynamics(params=()):
    return Dynamics(2, (8,), params, (1.0,) * len(params), key=jax.random.key(3))


ALPHAS = np.array([[1.0, 0.5], [-0.3, 0.8]], np.float32)


def go(psi, times, betas=None, substeps=2, alphas=ALPHAS, **options):
    return np.asarray(integrate(psi, jnp.asarray(alphas), np.asarray(times), betas, DT, substeps, **options))


def test_steps_are_bogacki_and_shampines():
    psi = dynamics()
    found = jax.jit(lambda alphas: march(psi, alphas, None, DT, 3, 2))(jnp.asarray(ALPHAS))

    def one(alpha):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: psi(y)),
            diffrax.Bosh3(),
            0.0,
            3 * DT,
            DT / 2,
            alpha,
            saveat=diffrax.SaveAt(ts=jnp.arange(4) * DT),
        ).ys

    np.testing.assert_allclose(found, jax.jit(jax.vmap(one))(jnp.asarray(ALPHAS)), atol=2e-6)


def test_march_and_integrate_agree_at_the_knots():
    psi, betas = dynamics((0.5,)), jnp.array([[0.1], [0.9]])
    marched = jax.jit(lambda alphas: march(psi, alphas, betas, DT, 4, 2))(jnp.asarray(ALPHAS))
    np.testing.assert_allclose(go(psi, DT * np.arange(5), betas), marched, atol=1e-6)


def test_few_programs_do_for_any_number_of_times():
    psi = dynamics()
    _stepped.clear_cache()  # of what other tests compiled
    for count in (5, 6, 7, 8):
        assert go(psi, DT * np.arange(count)).shape == (2, count, 2)
    assert _stepped._cache_size() == 2  # 8 steps and 8 times have room in one, 10 to 14 steps in another


@pytest.mark.parametrize("substeps", [2, None])
def test_another_time_moves_no_other(substeps):
    psi = dynamics()
    few, many = [0.03, 0.17], [0.31, 0.0, 0.17, 0.03, 0.5, 0.17, 0.171]
    a, b = go(psi, few, substeps=substeps), go(psi, many, substeps=substeps)
    np.testing.assert_allclose(b[:, [3, 2, 5]], a[:, [0, 1, 1]], atol=1e-7)
    np.testing.assert_allclose(b[:, 1], ALPHAS, atol=1e-7)


@pytest.mark.parametrize("substeps", [2, None])
def test_two_forecasts_are_one(substeps):
    psi = dynamics()
    whole = go(psi, [0.7], substeps=substeps)[:, 0]
    half = go(psi, [0.3], substeps=substeps)[:, 0]
    np.testing.assert_allclose(go(psi, [0.4], substeps=substeps, alphas=half)[:, 0], whole, atol=2e-6)


@pytest.mark.parametrize("substeps", [4, None])
def test_between_knots_the_path_is_still_right(substeps):
    times = np.linspace(0, 1, 37)
    exact = go(dynamics(), times, substeps=64)
    tolerance = {"rtol": 1e-7, "atol": 1e-9} if substeps is None else {}
    np.testing.assert_allclose(go(dynamics(), times, substeps=substeps, **tolerance), exact, atol=3e-6)


def test_trajectories_and_their_betas_in_any_order():
    psi, betas = dynamics((0.5,)), jnp.array([[0.1], [0.9]])
    back = jnp.array([[0.9], [0.1]])
    one, other = go(psi, [0.2, 0.4], betas), go(psi, [0.2, 0.4], back, alphas=ALPHAS[::-1])
    np.testing.assert_array_equal(one, other[::-1])
    assert not np.allclose(one, go(psi, [0.2, 0.4], back))


def test_components_of_beta_change_places_with_their_weights():
    psi = Dynamics(2, (8,), (0.5, 2.0), (1.0, 3.0), key=jax.random.key(3))
    swapped = eqx.tree_at(lambda d: d.embed.weight, psi, jnp.asarray(np.asarray(psi.embed.weight)[:, ::-1]))
    object.__setattr__(swapped, "beta_mean", (2.0, 0.5))
    object.__setattr__(swapped, "beta_std", (3.0, 1.0))
    beta = jnp.array([0.3, 4.0])
    alpha = jnp.asarray(ALPHAS[0])
    other = eqx.filter_jit(swapped)(alpha, jnp.array([4.0, 0.3]))
    np.testing.assert_allclose(eqx.filter_jit(psi)(alpha, beta), other, rtol=1e-5)


def test_a_swish_by_hand():
    """One hidden unit: x sigmoid(softplus(s) x) / 1.1, times the rate."""
    psi = Dynamics(1, (1,), rate=2.0, key=jax.random.key(0))
    psi = jax.tree.map(lambda leaf: jnp.asarray(np.full_like(leaf, 0.5)), psi)
    x = 0.5 * 3 + 0.5
    swish = x / (1 + np.exp(-x * np.log1p(np.exp(0.5)))) / 1.1
    assert float(eqx.filter_jit(psi)(jnp.array([3.0]))[0]) == pytest.approx(2 * (0.5 * swish + 0.5), rel=1e-6)


def stiff(speed):
    """A network that turns the latents: at zero its slopes are those of a rotation of this speed."""
    psi = dynamics()
    first, last = np.zeros((8, 2), np.float32), np.zeros((2, 8), np.float32)
    first[:4] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    last[:, :4] = 1.1 * speed * np.array([[0, 0, -1, 1], [1, -1, 0, 0]])
    return eqx.tree_at(
        lambda d: (d.layers[0].weight, d.layers[0].bias, d.layers[1].weight, d.layers[1].bias),
        psi,
        [jnp.asarray(each) for each in (first, np.zeros(8, np.float32), last, np.zeros(2, np.float32))],
    )


def test_one_step_an_interval_is_unstable_where_latents_turn_fast():
    """x sigmoid(cx) - (-x) sigmoid(-cx) = x: the network is a rotation. At 50 rad/s 0.1 s is a step of 5."""
    psi = stiff(50.0)
    assert spectral_radius(psi, jnp.asarray(ALPHAS), None) == pytest.approx(50.0, rel=1e-4)
    substeps = substeps_for(psi, jnp.asarray(ALPHAS), None, DT)
    assert substeps == 5
    sizes = [np.abs(go(psi, [2.0], substeps=n)).max() for n in (1, substeps)]
    assert sizes[0] > 1e6
    assert sizes[1] < 1
    exact = ALPHAS @ np.array([[np.cos(50 * 0.2), np.sin(50 * 0.2)], [-np.sin(50 * 0.2), np.cos(50 * 0.2)]])
    phase = 10 * (5 / 64) ** 3 / 24  # what third order leaves of 10 radians in steps of 5 / 64
    np.testing.assert_allclose(go(psi, [0.2], substeps=64)[:, 0], exact, atol=1.2 * phase)


@pytest.mark.parametrize("times", [[-0.1], [np.nan], []])
def test_times_before_the_observation_are_refused(times):
    with pytest.raises(BadInput, match="expected numbers of at least 0, counted from the observation"):
        go(dynamics(), times)


@pytest.mark.parametrize("substeps", [2, None])
def test_a_forecast_that_no_memory_holds_is_refused(substeps):
    with pytest.raises(BadInput, match=r"times: 1e\+12 is \de\+13 steps ahead; expected at most 1e\+06: end before"):
        integrate(dynamics(), jnp.asarray(ALPHAS), np.array([0.3, 1e12]), None, DT, substeps)


def test_latents_are_moved_in_the_precision_of_their_network():
    psi = stiff(1.0)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), psi)
        found = integrate(wide, jnp.asarray(ALPHAS, jnp.float32), np.array([0.3]), None, DT, 2)
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, go(psi, [0.3], substeps=2), atol=1e-5)
