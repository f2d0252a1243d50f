"""The filter network as what it is, affine in the latent: D(a, x) = c(x) + Phi(x) a, found in one backward sweep.

From it follow decoding of a batch as one product, a Jacobian that all samples share, a well-conditioned basis, and
inversion in closed form. `decoders.MFN.__call__` and forward differentiation are the slow way, kept as the oracle.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.methods.phi_rom.decoders import MFN, Decoder, SineMLP


class Affine(NamedTuple):
    """A field is offset + basis a."""

    offset: Float[Array, "channel point"]
    basis: Float[Array, "channel point k"]


def sweep(decoder: MFN, x: Float[Array, "point d"]) -> Affine:
    """r_{L-1} = W_o * g_{L-1}; r_{l-1} = (r_l W_l) * g_{l-1}; Phi = sum r_l A_l; c = b_o + sum r_l b_l.

    One pass of matrices of [channel point, width], whatever the latent and the batch.
    """
    g = decoder.filters(x)
    last = len(g) - 1
    r = decoder.leave[:, None] * g[last]
    offset = decoder.leave_bias[:, None] + r @ decoder.bias[last]
    basis = r @ decoder.enter[last]
    for layer in range(last - 1, -1, -1):
        r = (r @ decoder.inner[layer]) * g[layer]
        offset = offset + r @ decoder.bias[layer]
        basis = basis + r @ decoder.enter[layer]
    return Affine(decoder.scaling.outward(offset), basis * decoder.scaling.spread(basis.dtype)[:, None, None])


@jax.jit(inline=True)
def qr(matrix: Float[Array, "*batch row k"]) -> tuple[Float[Array, "*batch row k"], Float[Array, "*batch k k"]]:
    """Reduced QR with a positive diagonal of R.

    LAPACK's signs jump where an entry passes through zero; with ours the factors are smooth, and training may follow
    them.
    """
    q, r = jnp.linalg.qr(matrix)
    signs = jnp.where(jnp.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0).astype(r.dtype)
    return q * signs[..., None, :], r * signs[..., :, None]


def stacked(basis: Float[Array, "channel point k"]) -> Float[Array, "row k"]:
    """Channels one after the other, as fields are flattened too."""
    return basis.reshape(-1, basis.shape[-1])


def normaliser(decoder: MFN, basis: Float[Array, "channel point k"]) -> Float[Array, "k k"]:
    """T = sqrt(rows) s R^-1 with basis = QR: the columns of basis T are orthogonal, of norm sqrt(rows) s.

    s is the root mean square of the channels' std: a latent of 1 moves the field by about its own spread. The authors
    train the raw basis, where a few directions decide the relative loss of the latents and rollouts blow up.
    """
    _, r = qr(stacked(basis))
    eye = jnp.eye(r.shape[0], dtype=r.dtype)
    return column_norm(decoder, basis) * jax.scipy.linalg.solve_triangular(r, eye)


@jax.jit
def normalised(decoder: MFN, nodes: Float[Array, "node d"]) -> MFN:
    """The decoder whose basis at these nodes is orthogonal."""
    return turned(decoder, normaliser(decoder, sweep(decoder, nodes).basis))


def column_norm(decoder: MFN, basis: Float[Array, "channel point k"]) -> float:
    """Of a normalised basis."""
    return math.sqrt(basis.shape[0] * basis.shape[1] * np.mean(np.square(decoder.scaling.std)))


def turned(decoder: MFN, by: Float[Array, "k k"]) -> MFN:
    """The decoder whose basis is Phi T; a latent a of it stands for T a."""
    return eqx.tree_at(lambda d: d.enter, decoder, decoder.enter @ by)


def jacobian(
    decoder: Decoder, alphas: Float[Array, "batch k"], x: Float[Array, "point d"]
) -> Float[Array, "batch channel point k"]:
    """dD/da. Of sines by their backward sweep; else by forward differentiation, one tangent a latent, the fields
    themselves computed once."""
    if isinstance(decoder, SineMLP):
        return decoder.linearised(alphas, x)[1]
    eye = jnp.eye(alphas.shape[1], dtype=alphas.dtype)

    def along(direction: Float[Array, " k"]) -> Array:
        tangent = jnp.broadcast_to(direction, alphas.shape)
        return jax.jvp(lambda each: decoder.fields(each, x), (alphas,), (tangent,))[1]

    return jax.vmap(along, out_axes=-1)(eye)
