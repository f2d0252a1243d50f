"""Latents from values: exact where they can be, the same for any order of the sensors, refused where they can't."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.decoders import MFN, SineMLP
from parataxis.methods.phi_rom.invert import Prior, check_observation, invert

LATENT = 3


def decoder(kind):
    return kind(LATENT, 1, 2, width=12, layers=2, key=jax.random.key(4))


@jax.jit
def fields(net, alphas, x):
    return net.fields(alphas, x)


def seen(kind, n=20, batch=4):
    net = decoder(kind)
    x = np.linspace(-1, 1, n, dtype=np.float32)[:, None]
    alphas = np.random.default_rng(0).normal(size=(batch, LATENT)).astype(np.float32)
    return net, x, alphas, np.asarray(fields(net, jnp.asarray(alphas), jnp.asarray(x)))


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_a_decoded_field_gives_its_latent_back(kind):
    net, x, alphas, u = seen(kind)
    starts = np.concatenate([np.zeros((1, LATENT)), alphas + 0.3]).astype(np.float32)
    found = invert(net, u, x, starts)
    np.testing.assert_allclose(found.latents, alphas, atol=2e-3)
    assert found.residual.max() < 1e-4
    assert found.condition >= 1


def test_the_closed_form_is_least_squares():
    net, x, _, u = seen(MFN)
    noisy = u + np.random.default_rng(1).normal(size=u.shape).astype(np.float32)
    found = invert(net, noisy, x, np.zeros((1, LATENT)))
    none = jnp.asarray(np.zeros((1, LATENT), np.float32))
    matrix = jax.jit(jax.jacfwd(lambda a: net.fields(a, jnp.asarray(x)).reshape(-1)))(none)[:, 0]
    offset = np.asarray(fields(net, none, jnp.asarray(x))).reshape(-1)
    expected = np.linalg.lstsq(matrix, (noisy.reshape(len(u), -1) - offset).T, rcond=None)[0].T
    np.testing.assert_allclose(found.latents, expected, rtol=2e-3, atol=2e-3)


def test_gauss_newton_is_where_the_slope_of_the_misfit_vanishes():
    net, x, alphas, u = seen(SineMLP)
    noisy = u + 0.05 * np.random.default_rng(1).normal(size=u.shape).astype(np.float32)
    found = invert(net, noisy, x, alphas)

    def misfit(a, each):
        return jnp.square(net.fields(a[None], jnp.asarray(x))[0] - each).sum()

    slopes = jax.jit(jax.vmap(jax.grad(misfit)))(jnp.asarray(found.latents), jnp.asarray(noisy))
    assert np.abs(np.asarray(slopes)).max() < 1e-2


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_sensors_in_any_order(kind):
    net, x, alphas, u = seen(kind)
    order = np.random.default_rng(2).permutation(len(x))
    one, other = invert(net, u, x, alphas), invert(net, u[..., order], x[order], alphas)
    np.testing.assert_allclose(one.latents, other.latents, atol=1e-4)
    swapped = invert(net, u[::-1].copy(), x, alphas)
    np.testing.assert_allclose(swapped.latents, one.latents[::-1], atol=1e-4)


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_with_a_prior_one_sensor_will_do(kind):
    """No value: the prior's mean. Exact values and a wide prior: the latent itself."""
    net, x, alphas, u = seen(kind)
    prior = Prior.of(np.random.default_rng(3).normal(size=(50, LATENT)), 1e-3)
    found = invert(net, u[..., :1], x[:1], alphas, prior)
    assert np.isfinite(found.latents).all()
    assert found.residual.max() < 0.1
    wide = Prior(prior.mean, prior.covariance, 1e-10)
    np.testing.assert_allclose(invert(net, u, x, alphas, wide).latents, alphas, atol=5e-3)
    dull = Prior(prior.mean, prior.covariance, 1e12)
    np.testing.assert_allclose(invert(net, u, x, alphas, dull).latents, np.tile(prior.mean, (4, 1)), atol=2e-2)


def test_the_prior_by_hand():
    """Of latents 0 and 2: mean 1, variance 2; noise is the squared residual."""
    prior = Prior.of(np.array([[0.0], [2.0]]), 0.5)
    assert (prior.mean[0], prior.noise) == (1.0, 0.25)
    assert prior.covariance[0, 0] == pytest.approx(2.0)
    assert prior.whitening[0, 0] == pytest.approx(0.5 / np.sqrt(2))


@pytest.mark.parametrize(
    ("values", "coords", "said"),
    [
        (
            np.zeros((1, 1, 5)),
            np.zeros((5, 1)),
            r"values: shape=\(1, 1, 5\): expected \[observation, 2 channels,",
        ),
        (np.zeros((1, 2, 5)), np.zeros((5, 2)), r"coords: shape=\(5, 2\): expected \[point, 1\]"),
        (np.zeros((1, 2, 5)), np.zeros((4, 1)), "coords: holds 4 points, values 5; give as many"),
        (np.full((1, 2, 5), np.nan), np.zeros((5, 1)), r"values\[0, 0, 0\]=nan: must be finite; drop that point"),
        (
            np.zeros((1, 2, 1)),
            np.zeros((1, 1)),
            "coords: 2 x 1 values can't fix latent_dim=3 numbers; give more",
        ),
    ],
)
def test_what_cannot_be_inverted_is_refused(values, coords, said):
    with pytest.raises(BadInput, match=said):
        check_observation(values, coords, LATENT, 2, 1, prior=False)


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_the_same_point_again_and_again_leaves_latents_open(kind):
    net, x, alphas, u = seen(kind)
    with pytest.raises(BadInput, match="leave some of latent_dim=3 numbers open"):
        invert(net, np.repeat(u[..., :1], 9, axis=2), np.repeat(x[:1], 9, axis=0), alphas)


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_a_network_of_one_precision_takes_sensors_of_another(kind):
    """Once PhiFlow is imported, jax computes in float64, and a network made then is of that."""
    net, x, alphas, u = seen(kind)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), net)
        for model, precision in ((net, np.float64), (wide, np.float32)):
            found = invert(model, u.astype(precision), x.astype(precision), alphas.astype(precision))
            np.testing.assert_allclose(found.latents, alphas, atol=2e-3)
        x, wanted = x.astype(np.float64), alphas.astype(np.float64)
        exact = np.asarray(fields(wide, jnp.asarray(wanted), jnp.asarray(x)))
        assert invert(wide, exact, x, wanted + 0.1).residual.max() < 1e-12
