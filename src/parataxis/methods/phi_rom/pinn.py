"""PINN-ROM: the same training, with a slope from the equation and the decoder's own derivatives, not from a solver."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from parataxis.methods.phi_rom.affine import normalised
from parataxis.methods.phi_rom.decoders import MFN, Decoder
from parataxis.methods.phi_rom.dino import NO_SOLVER
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.fitting import Fitted, carried_out, prepare
from parataxis.methods.phi_rom.loss import Points, Sample, fast, latent_slopes, mismatch, reconstruction
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.progress import Tell, untold

Fields = Callable[[Any], Any]  # points [point, d] -> values [batch, channel, point]
Equation = Callable[[Fields, Any, Any], Any]  # (fields, points, beta [batch, p]) -> du/dt [batch, channel, point]


def along(fields: Fields, axis: int) -> Fields:
    """The partial derivative along an axis; of all samples and points in one pass forward."""

    def derivative(x: Any) -> Any:
        direction = jnp.zeros_like(x).at[:, axis].set(1.0)
        return jax.jvp(fields, (x,), (direction,))[1]

    return derivative


class StrongLosses(eqx.Module):
    """As `loss.Losses`, with an equation in the solver's place."""

    equation: Equation = eqx.field(static=True)
    lam: float = eqx.field(static=True)
    normalize: bool = eqx.field(static=True)

    def __call__(
        self,
        decoder: Decoder,
        dynamics: Dynamics,
        alphas: Float[Array, "batch k"],
        sample: Sample,
        points: Points,
        nodes: Int[Array, " drawn"] | None,
        warm: bool = False,
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        decoded = fast(decoder, alphas, points, nodes, self.normalize)
        rec = reconstruction(decoded.train, sample)
        if warm:
            still = jax.lax.stop_gradient
            decoder, alphas = (jax.tree.map(still, each) for each in (decoder, alphas))
            decoded = decoded._replace(jacobian=still(decoded.jacobian))
        if self.normalize and isinstance(decoder, MFN):
            decoder = normalised(decoder, points.solver)
        x = points.solver if nodes is None else points.solver[nodes]
        r = self.equation(lambda at: decoder.fields(alphas, at), x, sample.beta)
        found = jax.vmap(dynamics, (0, None if sample.beta is None else 0))(alphas, sample.beta)
        dyn = mismatch(found, latent_slopes(decoded, r, None))
        return self.lam * rec + (1 - self.lam) * dyn, {"reconstruction": rec, "dynamics": dyn}


class Reconstruction(eqx.Module):
    """The first loss alone: decoder and latents, for CROM, whose dynamics are the solver itself."""

    normalize: bool = eqx.field(static=True)

    def __call__(
        self,
        decoder: Decoder,
        dynamics: Any,
        alphas: Any,
        sample: Sample,
        points: Points,
        nodes: Any,
        warm: bool = False,
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        rec = reconstruction(fast(decoder, alphas, points, None, self.normalize).train, sample)
        return rec, {"reconstruction": rec}


def fit(recipe: Recipe, data: Snapshots, equation: Equation, tell: Tell = untold) -> Fitted:
    """Train with the equation's slope, of Φ-ROM's recipe."""
    losses = StrongLosses(equation, recipe.lam, recipe.normalized)
    return carried_out(replace(prepare(recipe, data, NO_SOLVER), losses=losses), data, tell=tell)


def reconstruct(recipe: Recipe, data: Snapshots, tell: Tell = untold) -> Fitted:
    """Train decoder and latents only."""
    job = prepare(replace(recipe, warmup=0.0), data, NO_SOLVER)
    return carried_out(replace(job, losses=Reconstruction(recipe.normalized)), data, tell=tell)
