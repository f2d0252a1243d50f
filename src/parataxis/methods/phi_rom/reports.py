"""How good a model is on unseen trajectories: errors inside and beyond the time trained on, with the floors beside."""

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.affine import jacobian
from parataxis.methods.phi_rom.loss import Decoded, latent_slopes
from parataxis.methods.phi_rom.metrics import errors
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS, slope_gap

if TYPE_CHECKING:
    from parataxis.methods.phi_rom.rom import PhiROM

SAME = 1e-6  # of the span: times this near are one
PIECE = 64  # fields at once


@dataclass(frozen=True)
class Evaluation:
    """errors, floor: of the forecast, and of the decoder's own best fit to each snapshot, which needs that snapshot.

    t: since the observation. span: trained on. seconds: of encoding and forecasting all trajectories, compiled before.
    """

    errors: Float[np.ndarray, "trajectory time channel"]
    floor: Float[np.ndarray, "trajectory time channel"]
    t: Float[np.ndarray, " time"]
    span: float
    latents: Float[np.ndarray, "trajectory time k"]
    condition: float
    seconds: float

    @property
    def trained(self) -> Any:
        """Which times are in [0, T_tr]."""
        return self.t <= self.span * (1 + SAME)

    def mean(self, values: Any = None) -> dict[str, float]:
        """RNMSE in [0, T_tr] and in [T_tr, T_te], where there are such times."""
        values = self.errors if values is None else values
        parts = {"in": self.trained, "out": ~self.trained}
        return {name: float(values[:, each].mean()) for name, each in parts.items() if each.any()}

    def to_json(self) -> dict[str, Any]:
        return {
            "rnmse": self.mean(),
            "floor": self.mean(self.floor),
            "trajectories": len(self.errors),
            "times": len(self.t),
            "span": self.span,
            "condition": self.condition,
            "seconds": self.seconds,
        }


def evaluate(rom: "PhiROM", test: Snapshots, first: int, adaptive: bool) -> Evaluation:
    """See `PhiROM.evaluate`."""
    test = _alike(rom, test)
    if not 0 <= first < len(test.t):
        raise BadInput(f"first={first}: expected the number of one of the test's {len(test.t)} times")
    seen = test.window(first)
    t = seen.t - seen.t[0]

    def run() -> tuple[Any, Any, Any]:
        z = rom.encode(seen.u[:, 0], seen.coords)
        path = rom.latents(z, t, seen.params, adaptive)
        return z, path, rom.decode(path, seen.coords)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are said by the run that counts
        run()
    begun = time.perf_counter()
    z, path, fields = run()
    seconds = time.perf_counter() - begun
    each = seen.u.reshape(-1, *seen.u.shape[2:])
    best = rom.encode(each, seen.coords).latents.reshape(*seen.u.shape[:2], -1)
    floor = errors(rom.decode(best, seen.coords), seen.u)
    span = float(rom.about.span - (test.t[first] - test.t[0]))
    return Evaluation(errors(fields, seen.u), floor, t, span, path, z.condition, seconds)


@dataclass(frozen=True)
class Consistency:
    """Relative, each a median over the test's snapshots.

    dynamics: Psi against the latents' best velocity. tangent: what of the solver's slope of the decoded field no latent
    velocity can follow. slope: the solver's slope on the data against the data's own central differences, None where
    the data are not on the solver's grid: a floor of O(dt) that no training removes.
    """

    dynamics: float
    tangent: float
    slope: float | None

    def to_json(self) -> dict[str, Any]:
        return vars(self)


def consistency(rom: "PhiROM", rhs: SolverRHS, test: Snapshots) -> Consistency:
    """See `PhiROM.consistency_report`."""
    test = _alike(rom, test)
    latents = rom.encode(test.u.reshape(-1, *test.u.shape[2:]), test.coords).latents
    betas = None if test.params is None else np.repeat(test.params, len(test.t), axis=0)
    nodes, shape, found = jnp.asarray(rom.about.nodes), tuple(len(axis) for axis in rom.about.grid), rom.fitted

    @jax.jit
    def gaps(alphas: Any, betas: Any) -> Any:
        u = found.decoder.fields(alphas, nodes)
        axes = (0, None if betas is None else 0)
        r = jax.vmap(rhs, axes)(u.reshape(*u.shape[:2], *shape), betas).reshape(u.shape)
        j = jacobian(found.decoder, alphas, nodes)
        wanted = latent_slopes(Decoded(u, u, j), r, None)
        told = jax.vmap(found.dynamics, axes)(alphas, betas)
        left = r - jnp.einsum("bcnk,bk->bcn", j, wanted)
        return _norms(told - wanted) / _norms(wanted), _norms(left) / _norms(r)

    dtype = found.latents.dtype
    pieces = []
    for n in range(0, len(latents), PIECE):
        some = None if betas is None else jnp.asarray(betas[n : n + PIECE], dtype)
        pieces.append(np.stack(gaps(jnp.asarray(latents[n : n + PIECE], dtype), some)))
    dynamics, tangent = np.median(np.concatenate(pieces, axis=1), axis=1)
    slope = slope_gap(rhs, test) if test.gridded and len(test.t) > 2 else None
    return Consistency(float(dynamics), float(tangent), slope)


def _alike(rom: "PhiROM", test: Snapshots) -> Snapshots:
    """The test with channels and parameters in the order of training."""
    about = rom.about
    if test.u.shape[2] != len(about.channels) or test.coords.shape[1] != about.coords.shape[1]:
        raise BadInput(
            f"test: {test.u.shape[2]} channels in {test.coords.shape[1]} dimensions; the model was trained on "
            f"{len(about.channels)} in {about.coords.shape[1]}"
        )
    try:
        return test.in_order(about.channels, about.names)
    except BadInput as error:
        raise BadInput(f"test: {error}") from None


def _norms(x: Any) -> Any:
    """Of each sample."""
    return jnp.linalg.norm(x.reshape(len(x), -1), axis=1)
