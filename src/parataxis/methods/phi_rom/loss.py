"""The two losses of a batch of single snapshots: how the field is decoded, and whether the latents move as it does.

The fast path decodes a batch as one product and shares Jacobian and QR; `generic` is the reference's way, each sample
by itself, kept as the oracle. They differ in how a `Decoded` is made, in nothing else.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from parataxis.methods.phi_rom.affine import column_norm, jacobian, normalised, qr, stacked, sweep
from parataxis.methods.phi_rom.decoders import MFN, Decoder
from parataxis.methods.phi_rom.dynamics import Dynamics

TINY = 1e-30  # a squared norm below it has no gradient
FLOOR = 1e-3  # of the batch's root mean square slope: a latent that moves slower is judged as if it moved that fast


class Points(NamedTuple):
    """Where data and solver live. train: None where the data are on the solver's grid."""

    solver: Float[Array, "node d"]
    train: Float[Array, "point d"] | None = None


class Sample(NamedTuple):
    """Snapshots, each by itself: no trajectory and no time. floor: of the norm of a channel, see `metrics.floors`."""

    u: Float[Array, "batch channel point"]
    beta: Float[Array, "batch p"] | None
    floor: Float[Array, " channel"]


class Decoded(NamedTuple):
    """jacobian: at the drawn nodes; [channel node k] if all samples share it. norm: of its columns, if orthogonal."""

    train: Float[Array, "batch channel point"]
    solver: Float[Array, "batch channel node"]
    jacobian: Float[Array, "*batch channel drawn k"]
    norm: float | None = None


Decode = Callable[[Decoder, Array, Points, Any, bool], Decoded]


def fast(
    decoder: Decoder,
    alphas: Float[Array, "batch k"],
    points: Points,
    nodes: Int[Array, " drawn"] | None,
    normalize: bool,
) -> Decoded:
    """nodes: at which the Jacobian is taken, None for all. normalize: the basis, of a filter network."""
    if not isinstance(decoder, MFN):
        solver = decoder.fields(alphas, points.solver)
        train = solver if points.train is None else decoder.fields(alphas, points.train)
        seen = points.solver if nodes is None else points.solver[nodes]
        return Decoded(train, solver, jacobian(decoder, alphas, seen))
    offset, basis = sweep(decoder, points.solver)
    turn, norm = None, None
    if normalize:
        q, r = qr(stacked(basis))
        norm = column_norm(decoder, basis)
        turn, basis = r / norm, (norm * q).reshape(basis.shape)
    solver = offset + jnp.einsum("cnk,bk->bcn", basis, alphas)
    train = solver
    if points.train is not None:
        there = sweep(decoder, points.train)
        raw = alphas if turn is None else jax.scipy.linalg.solve_triangular(turn, alphas.T).T
        train = there.offset + jnp.einsum("cnk,bk->bcn", there.basis, raw)
    return Decoded(train, solver, basis, norm) if nodes is None else Decoded(train, solver, basis[:, nodes])


def generic(
    decoder: Decoder,
    alphas: Float[Array, "batch k"],
    points: Points,
    nodes: Int[Array, " drawn"] | None,
    normalize: bool,
) -> Decoded:
    """Point by point and sample by sample, as the network is written."""
    if normalize and isinstance(decoder, MFN):
        decoder = normalised(decoder, points.solver)

    def over(function: Callable[..., Any], x: Array) -> Array:
        each = jax.vmap(jax.vmap(function, (None, 0)), (0, None))(alphas, x)
        return jnp.moveaxis(each, 1, 2)  # channels first

    train = points.solver if points.train is None else points.train
    seen = points.solver if nodes is None else points.solver[nodes]
    return Decoded(over(decoder, train), over(decoder, points.solver), over(jax.jacfwd(decoder), seen))


def latent_slopes(
    decoded: Decoded, slope: Float[Array, "batch channel node"], nodes: Int[Array, " drawn"] | None
) -> Float[Array, "batch k"]:
    """argmin_a ||J a - r||: what the latents' velocity must be for the field to move as the solver says."""
    r = slope if nodes is None else slope[..., nodes]
    r = r.reshape(len(r), -1)
    if decoded.norm is not None:
        return r @ stacked(decoded.jacobian) / decoded.norm**2
    if decoded.jacobian.ndim == 3:
        q, triangle = qr(stacked(decoded.jacobian))
        return jax.scipy.linalg.solve_triangular(triangle, (r @ q).T).T
    q, triangle = qr(decoded.jacobian.reshape(len(r), -1, decoded.jacobian.shape[-1]))
    return jax.vmap(jax.scipy.linalg.solve_triangular)(triangle, jnp.einsum("brk,br->bk", q, r))


def size(x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Euclidean norm, without a gradient where it is zero."""
    return jnp.sqrt(jnp.maximum(jnp.square(x).sum(-1), TINY))


def reconstruction(found: Float[Array, "batch channel point"], sample: Sample) -> Float[Array, ""]:
    """Mean of ||D - u|| / ||u||, not squared, as the authors' option "nmse" has it."""
    return (size(found - sample.u) / jnp.maximum(size(sample.u), sample.floor)).mean()


def mismatch(found: Float[Array, "batch k"], wanted: Float[Array, "batch k"]) -> Float[Array, ""]:
    """Mean of ||Psi - a*|| / ||a*||; only the denominator is detached."""
    norms = jax.lax.stop_gradient(size(wanted))
    floor = FLOOR * jnp.sqrt(jnp.square(norms).mean())
    return (size(found - wanted) / jnp.maximum(norms, jnp.maximum(floor, TINY**0.5))).mean()


class Losses(eqx.Module):
    """lam reconstruction + (1 - lam) mismatch of the latent slopes, with a solver on a grid.

    slope(u [channel *grid], beta): the solver's. warm: the mismatch teaches the dynamics only; if it taught decoder and
    latents from the start, the reconstruction would collapse.
    """

    slope: Callable[..., Any] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    lam: float = eqx.field(static=True)
    normalize: bool = eqx.field(static=True)
    decode: Decode = eqx.field(static=True, default=fast)

    def parts(
        self,
        decoder: Decoder,
        dynamics: Dynamics,
        alphas: Float[Array, "batch k"],
        sample: Sample,
        points: Points,
        nodes: Int[Array, " drawn"] | None,
        *,
        warm: bool = False,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Reconstruction and mismatch."""
        decoded = self.decode(decoder, alphas, points, nodes, self.normalize)
        rec = reconstruction(decoded.train, sample)
        if warm:
            still = jax.lax.stop_gradient
            decoded = decoded._replace(solver=still(decoded.solver), jacobian=still(decoded.jacobian))
            alphas = still(alphas)
        wanted = latent_slopes(decoded, self.slopes(decoded.solver, sample.beta), nodes)
        found = jax.vmap(dynamics, (0, None if sample.beta is None else 0))(alphas, sample.beta)
        return rec, mismatch(found, wanted)

    def slopes(
        self, u: Float[Array, "batch channel node"], beta: Float[Array, "batch p"] | None
    ) -> Float[Array, "batch channel node"]:
        """The solver's, of each field."""
        fields = u.reshape(*u.shape[:2], *self.shape)
        found = jax.vmap(self.slope, (0, None if beta is None else 0))(fields, beta)
        return found.reshape(u.shape)

    def __call__(self, *given: Any, warm: bool = False) -> tuple[Float[Array, ""], dict[str, Array]]:
        """The loss, and what it is made of; takes what `parts` takes."""
        rec, dyn = self.parts(*given, warm=warm)
        return self.lam * rec + (1 - self.lam) * dyn, {"reconstruction": rec, "dynamics": dyn}
