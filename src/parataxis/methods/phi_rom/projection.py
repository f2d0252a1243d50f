"""A trained decoder with the solver itself in the place of the latent dynamics: ProjectionROM, and CROM.

What they reach is a floor under models with that decoder; what they cost is a call of the solver a step.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.methods.phi_rom.affine import jacobian, qr, stacked, sweep
from parataxis.methods.phi_rom.decoders import MFN, Decoder
from parataxis.methods.phi_rom.forecast import integrate
from parataxis.methods.phi_rom.pod import SUBSTEPS, Galerkin
from parataxis.methods.phi_rom.rom import PhiROM
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

REFINED = 4  # Gauss-Newton steps from one latent to that of the next field


def solved(matrix: Float[Array, "row k"], right: Float[Array, " row"]) -> Float[Array, " k"]:
    """argmin_a ||matrix a - right||."""
    q, r = qr(matrix)
    return jax.scipy.linalg.solve_triangular(r, q.T @ right)


class Tangent(eqx.Module):
    """d alpha/dt = J(alpha)^+ N(D(alpha)), for a decoder that is not affine."""

    decoder: Any
    nodes: Float[Array, "node d"]
    rhs: SolverRHS
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, alpha: Float[Array, " k"], beta: Float[Array, " p"] | None = None) -> Float[Array, " k"]:
        u = self.decoder.fields(alpha[None], self.nodes)[0]
        return solved(
            stacked(jacobian(self.decoder, alpha[None], self.nodes)[0]), self.rhs.flat(u, self.shape, beta).ravel()
        )


def velocity(decoder: Decoder, rhs: SolverRHS, data: Snapshots) -> Tangent | Galerkin:
    """Of ProjectionROM, on the solver's grid."""
    dtype = decoder.leave.dtype
    nodes = jnp.asarray(data.solver_points, dtype)
    if not isinstance(decoder, MFN):
        return Tangent(decoder, nodes, rhs, data.shape)
    offset, basis = (np.asarray(each, np.float64) for each in sweep(decoder, nodes))
    rows = basis.reshape(-1, basis.shape[-1])
    given, modes, inverse = (jnp.asarray(each, dtype) for each in (offset.ravel(), rows, np.linalg.pinv(rows)))
    return Galerkin(given, modes, inverse, rhs, data.shape)


def _begin(rom: PhiROM, test: Snapshots) -> tuple[Float[Array, "trajectory k"], Float[Array, "trajectory p"] | None]:
    """The latents of the first states, and beta, in the decoder's precision."""
    dtype = rom.fitted.decoder.leave.dtype
    first = jnp.asarray(rom.encode(test.u[:, 0], test.coords).latents, dtype)
    return first, None if test.params is None else jnp.asarray(test.params, dtype)


def project(rom: PhiROM, rhs: SolverRHS, test: Snapshots) -> Float[np.ndarray, "trajectory time channel point"]:
    """ProjectionROM's forecast of the test from its first states."""
    first, betas = _begin(rom, test)
    moved = velocity(rom.fitted.decoder, rhs, test)
    return rom.decode(integrate(moved, first, test.t - test.t[0], betas, rom.fitted.interval, SUBSTEPS), test.coords)


def crom(rom: PhiROM, rhs: SolverRHS, test: Snapshots) -> Float[np.ndarray, "trajectory time channel point"]:
    """CROM's: decode, let the solver take its step, find the latent of what it gave, and so on."""
    decoder = rom.fitted.decoder
    nodes = jnp.asarray(test.solver_points, decoder.leave.dtype)
    dt = rom.fitted.interval
    n = max(1, round(dt / rhs.dt)) if rhs.dt else 1

    def inverted(alpha: Any, u: Any) -> Any:
        for _ in range(1 if isinstance(decoder, MFN) else REFINED):
            missed = (u - decoder.fields(alpha[None], nodes)[0]).ravel()
            alpha = alpha + solved(stacked(jacobian(decoder, alpha[None], nodes)[0]), missed)
        return alpha

    def step(alpha: Any, beta: Any) -> Any:
        u = decoder.fields(alpha[None], nodes)[0].reshape(-1, *test.shape)
        return inverted(alpha, rhs.step(u, beta, dt / n).reshape(len(u), -1))

    @jax.jit
    def run(alpha: Any, beta: Any) -> Any:
        def interval(alpha: Any, _: None) -> Any:
            return jax.lax.fori_loop(0, n, lambda _, each: step(each, beta), alpha), alpha

        return jax.lax.scan(interval, alpha, None, len(test.t))[1]

    first, betas = _begin(rom, test)
    return rom.decode(jax.vmap(run, (0, None if betas is None else 0))(first, betas), test.coords)
