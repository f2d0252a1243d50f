"""The fast affine path against the network as it is written; the decoders' own formulas."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.methods.phi_rom.affine import column_norm, jacobian, normaliser, qr, stacked, sweep, turned
from parataxis.methods.phi_rom.decoders import MFN, Scaling, SineMLP

SCALING = Scaling((0.0, -1.0), (2.0, 3.0), (0.5, -2.0), (2.0, 0.1))


def decoder(kind=MFN, latent=3, **options):
    return kind(latent, 2, 2, **{"width": 8, "layers": 3, **options}, scaling=SCALING, key=jax.random.key(1))


def points(n=7):
    return jnp.asarray(np.random.default_rng(2).uniform(-1, 3, (n, 2)), jnp.float32)


def latents(batch):
    return jnp.asarray(np.random.default_rng(3).normal(size=(batch, 3)), jnp.float32)


@jax.jit
def fields(net, alphas, x):
    return net.fields(alphas, x)


@jax.jit
def each_field(net, alphas, x):
    """Point by point and sample by sample, as the network is written."""
    return jnp.moveaxis(jax.vmap(jax.vmap(net, (None, 0)), (0, None))(alphas, x), 1, 2)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_fields_are_the_network_at_each_point(kind, layers):
    net, x, alphas = decoder(kind, layers=layers), points(), latents(5)
    np.testing.assert_allclose(fields(net, alphas, x), each_field(net, alphas, x), rtol=2e-5, atol=2e-5)


@settings(max_examples=10)
@given(st.integers(0, 100), st.integers(1, 4))
def test_the_filter_network_is_affine(seed, layers):
    net, x = decoder(layers=layers, omega=3.0), points()
    alpha = np.random.default_rng(seed).normal(size=3).astype(np.float32)
    offset, basis = map(np.asarray, jax.jit(sweep)(net, x))
    each = each_field(net, jnp.asarray(alpha[None]), x)[0]
    np.testing.assert_allclose(offset + basis @ alpha, each, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [MFN, SineMLP])
def test_jacobian_is_forward_differentiation_of_the_network(kind):
    net, x, alphas = decoder(kind), points(), latents(2)
    each = jax.jit(jax.vmap(jax.vmap(jax.jacfwd(net), (None, 0)), (0, None)))(alphas, x)
    found = np.asarray(jax.jit(jacobian)(net, alphas, x))
    np.testing.assert_allclose(found, np.moveaxis(each, 1, 2), rtol=1e-4, atol=1e-5)
    if kind is MFN:
        np.testing.assert_allclose(found[0], jax.jit(sweep)(net, x).basis, rtol=1e-4, atol=1e-5)


def test_by_hand():
    """One filter of one pair, one layer: D = w . ((A a + b) * [sin xF, cos xF]) + b_o."""
    net = MFN(1, 1, 1, width=2, layers=1, key=jax.random.key(0))
    net = jax.tree.map(lambda leaf: jnp.asarray(np.full_like(leaf, 0.5)), net)
    filters = np.array([np.sin(0.4 * 0.5), np.cos(0.4 * 0.5)])
    expected = 0.5 * ((0.5 * 3 + 0.5) * filters).sum() + 0.5
    assert float(eqx.filter_jit(net)(jnp.array([3.0]), jnp.array([0.4]))[0]) == pytest.approx(expected, rel=1e-6)


def test_a_normalised_basis_is_orthogonal_and_means_the_same_fields():
    net, x = decoder(), points(20)
    basis = jax.jit(sweep)(net, x).basis
    turn = jax.jit(normaliser)(net, basis)
    made = jax.jit(turned)(net, turn)
    new = np.asarray(stacked(jax.jit(sweep)(made, x).basis))
    np.testing.assert_allclose(new.T @ new / column_norm(net, basis) ** 2, np.eye(3), atol=2e-4)
    alpha = np.array([1.0, -2.0, 0.5], np.float32)
    other = jnp.asarray((np.asarray(turn) @ alpha)[None])
    np.testing.assert_allclose(fields(made, jnp.asarray(alpha[None]), x), fields(net, other, x), rtol=1e-4, atol=1e-4)


def test_qr_does_not_jump_where_a_first_entry_passes_zero():
    """LAPACK's own signs do: the basis, and all latents with it, would be mirrored from one step to the next."""
    matrix = np.array([[1e-3, 1.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    other = matrix.copy()
    other[0, 0] = -1e-3
    for place in (0, 1):
        found = [jax.jit(qr)(jnp.asarray(each))[place] for each in (matrix, other)]
        np.testing.assert_allclose(*found, atol=5e-3)
    q, r = map(np.asarray, jax.jit(qr)(jnp.asarray(matrix)))
    assert (np.diagonal(r) > 0).all()
    np.testing.assert_allclose(q @ r, matrix, atol=1e-6)


def test_initial_sizes_are_the_authors():
    """Uniform in +-omega sqrt(6 / d), +-sqrt(6 / w), +-1 / sqrt(fan-in)."""
    net = MFN(5, 2, 3, width=64, layers=3, omega=4.0, key=jax.random.key(0))
    for leaf, bound in (
        (net.frequencies, 4 * np.sqrt(3)),
        (net.inner, np.sqrt(6 / 64)),
        (np.asarray(net.bias)[0], 1 / np.sqrt(2)),
        (np.asarray(net.bias)[1:], 1 / 8),
        (net.enter, 1 / np.sqrt(5)),
        (net.leave, 1 / 8),
    ):
        assert 0.9 * bound < float(np.abs(np.asarray(leaf)).max()) <= bound


def test_channels_and_their_scales_change_places_together():
    net, x, alphas = decoder(), points(), jnp.asarray(np.ones((1, 3), np.float32))
    swapped = Scaling(SCALING.low, SCALING.high, SCALING.mean[::-1], SCALING.std[::-1])
    other = eqx.tree_at(
        lambda d: (d.leave, d.leave_bias),
        net,
        [jnp.asarray(np.asarray(each)[::-1]) for each in (net.leave, net.leave_bias)],
    )
    object.__setattr__(other, "scaling", swapped)
    np.testing.assert_allclose(fields(other, alphas, x), np.asarray(fields(net, alphas, x))[:, ::-1], rtol=1e-6)


def test_shapes_are_checked():
    with pytest.raises(Exception, match="batch k"):
        decoder().fields(latents(1)[0], points())
