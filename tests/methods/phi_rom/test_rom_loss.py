"""The losses: fast against generic, in value and gradient; by hand; what they must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parataxis.methods.phi_rom.decoders import MFN, Scaling, SineMLP
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.loss import (
    Decoded,
    Losses,
    Points,
    Sample,
    fast,
    generic,
    latent_slopes,
    mismatch,
    reconstruction,
)

GRID, LATENT, BATCH = (5, 4), 3, 4


def heat(u, beta):
    """Periodic Laplacian, scaled by beta; the second channel feels the first."""
    lap = sum(jnp.roll(u, s, axis) for axis in (1, 2) for s in (1, -1)) - 4 * u
    return beta[0] * lap + jnp.stack([0 * u[0], u[0]])


def case(kind=MFN, sparse=False):
    """Two channels of different size, two parameters, points that may be off the grid."""
    keys, rng = jax.random.split(jax.random.key(0)), np.random.default_rng(0)
    scaling = Scaling((0.0, 0.0), (1.0, 1.0), (0.1, 2.0), (1.0, 0.2))
    decoder = kind(LATENT, 2, 2, 8, 3, scaling=scaling, key=keys[0])
    dynamics = Dynamics(LATENT, (6, 5), (1.0,), (0.5,), key=keys[1])
    axes = [np.linspace(0, 1, n) for n in GRID]
    nodes = np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], 1)
    train = jnp.asarray(rng.uniform(size=(7, 2))) if sparse else None
    alphas = jnp.asarray(rng.normal(size=(BATCH, LATENT)))
    u = rng.normal(1, 1, (BATCH, 2, 7 if sparse else len(nodes)))
    sample = Sample(*map(jnp.asarray, (u, rng.uniform(1, 2, (BATCH, 1)), np.full(2, 1e-3))))
    return decoder, dynamics, alphas, sample, Points(jnp.asarray(nodes), train)


def value_and_gradient(how, normalize, given, nodes, warm):
    losses = Losses(heat, GRID, 0.5, normalize, how)
    decoder, dynamics, alphas, sample, points = given

    def loss(trained):
        return losses(*trained, sample, points, nodes, warm=warm)[0]

    return jax.jit(jax.value_and_grad(loss))((decoder, dynamics, alphas))


@pytest.mark.parametrize(
    ("kind", "normalize", "sparse", "some", "warm"),
    [
        (MFN, False, False, True, False),
        (MFN, True, False, False, True),
        (MFN, True, True, True, False),
        (SineMLP, False, True, True, False),
    ],
)
def test_fast_is_generic(kind, normalize, sparse, some, warm):
    with jax.enable_x64(True):
        given = case(kind, sparse)
        nodes = jnp.array([3, 17, 8, 0, 11]) if some else None
        one = value_and_gradient(fast, normalize, given, nodes, warm)
        other = value_and_gradient(generic, normalize, given, nodes, warm)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_warm_up_teaches_the_dynamics_only():
    given = case()
    losses = Losses(heat, GRID, 0.5, True)

    @jax.jit
    def slopes(trained):
        def part(parts, warm):
            return losses.parts(*parts, *given[3:], None, warm=warm)[1]

        return [jax.grad(part)(trained, warm) for warm in (True, False)]

    for warm, (decoder, dynamics, alphas) in zip((True, False), slopes(given[:3]), strict=True):
        moved = [bool(np.asarray(leaf).any()) for leaf in (decoder.inner, decoder.frequencies, alphas)]
        assert moved == [not warm] * 3
        assert np.asarray(dynamics.layers[0].weight).any()


def test_only_the_denominator_is_detached():
    """d/ds of |psi - s w| / |w| at s = 1 is that with |w| held."""
    w, psi = jnp.array([[3.0, 4.0]]), jnp.array([[1.0, 0.0]])
    found = jax.jit(jax.grad(lambda s: mismatch(psi, s * w)))(1.0)
    gap = np.array([1 - 3, 0 - 4])
    assert float(found) == pytest.approx(-(gap @ np.array([3, 4])) / np.linalg.norm(gap) / 5, rel=1e-5)


def test_reconstruction_by_hand():
    """Channel 1: 5 / 10. Channel 2, all zero: 3 over its floor of 6."""
    u = jnp.array([[[6.0, 8.0], [0.0, 0.0]]])
    found = jnp.array([[[9.0, 12.0], [3.0, 0.0]]])
    value = jax.jit(reconstruction)(found, Sample(u, None, jnp.array([1.0, 6.0])))
    assert float(value) == pytest.approx((0.5 + 0.5) / 2)
    slope = jax.jit(jax.grad(lambda f: reconstruction(f, Sample(u, None, jnp.array([1.0, 1.0])))))(u)
    assert np.isfinite(np.asarray(slope)).all()


@pytest.mark.parametrize("shared", [True, False])
def test_every_subset_of_nodes_finds_a_slope_that_is_in_reach(shared):
    """If r = J a, each subset gives a, with two channels: J and r are flattened alike."""
    rng = np.random.default_rng(0)
    j, a = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 9, 3), (4, 3)))
    r = jnp.asarray(np.einsum("cnk,bk->bcn", j, a))
    for nodes in (None, np.array([1, 4]), np.array([8, 2, 5, 0])):
        seen = j if nodes is None else j[:, nodes]
        seen = seen if shared else np.broadcast_to(seen, (4, *seen.shape))
        given = Decoded(r, r, jnp.asarray(seen)), r, None if nodes is None else jnp.asarray(nodes)
        found = jax.jit(latent_slopes)(*given)
        np.testing.assert_allclose(found, a, rtol=1e-4, atol=1e-4)


def test_snapshots_in_any_order_give_the_same_loss_and_gradient():
    """The headline: a full batch, shuffled over trajectories and times, each keeping its beta."""
    decoder, dynamics, alphas, sample, points = case()
    order = np.array([2, 0, 3, 1])
    rows = [jnp.asarray(np.asarray(each)[order]) for each in (alphas, sample.u, sample.beta)]
    shuffled = (decoder, dynamics, rows[0], Sample(*rows[1:], sample.floor))
    losses = Losses(heat, GRID, 0.5, True)
    step = jax.jit(jax.value_and_grad(lambda trained, sample: losses(*trained, sample, points, None)[0]))
    value, (d, p, latents) = step((decoder, dynamics, alphas), sample)
    other, (d2, p2, latents2) = step(shuffled[:3], shuffled[3])
    np.testing.assert_allclose(value, other, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(latents)[order], latents2, rtol=1e-4, atol=1e-6)
    for a, b in zip(jax.tree.leaves((d, p)), jax.tree.leaves((d2, p2)), strict=True):
        assert np.linalg.norm(np.asarray(a) - np.asarray(b)) <= 1e-5 * np.linalg.norm(a) + 1e-7


def test_a_batch_of_one_works():
    decoder, dynamics, alphas, sample, points = case()
    first, u, beta = (jnp.asarray(np.asarray(each)[:1]) for each in (alphas, sample.u, sample.beta))
    one = Sample(u, beta, sample.floor)
    value, _ = value_and_gradient(fast, True, (decoder, dynamics, first, one, points), jnp.array([1, 2, 3]), False)
    assert np.isfinite(float(value))
