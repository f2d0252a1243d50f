"""The model a user holds: fit, encode, forecast, evaluate, save."""

import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom import keeping
from parataxis.methods.phi_rom.decoders import Decoder, box
from parataxis.methods.phi_rom.fitting import Fitted, as_rhs, fit
from parataxis.methods.phi_rom.forecast import integrate
from parataxis.methods.phi_rom.invert import Encoded, Prior, check_observation, invert
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.reports import Consistency, Evaluation, consistency, evaluate
from parataxis.methods.phi_rom.snapshots import Snapshots, numbers
from parataxis.progress import Tell, untold

STARTS = 64  # latents of training from which Gauss-Newton may begin
PIECE = 2**24  # values decoded at once
EDGE = 1e-6  # of the box: a point that lies out by less is in it


class PhiROM:
    """A reduced model. Settings: see `recipe.Recipe`; `PhiROM(latent_dim=4, decoder="sine", lam=0.5, seed=0)`."""

    def __init__(self, latent_dim: int = 16, decoder: str = "mfn", **settings: Any) -> None:
        self.recipe = Recipe.of({"latent_dim": latent_dim, "decoder": decoder, **settings})
        self._fitted: Fitted | None = None
        self._about: keeping.About | None = None

    # -- what a fit leaves -------------------------------------------------------------------------------------------

    @property
    def fitted(self) -> Fitted:
        """decoder, dynamics, latents of training, history; BadInput before `fit`."""
        if self._fitted is None:
            raise BadInput("PhiROM: is not fitted; call fit(snapshots, rhs), or PhiROM.load(folder)")
        return self._fitted

    @property
    def about(self) -> keeping.About:
        """What the training data were: grid, horizon, channels, parameters and their range."""
        assert self.fitted is not None
        assert self._about is not None
        return self._about

    def fit(self, data: Snapshots, rhs: Any, checkpoint: Path | str | None = None, tell: Tell = untold) -> "PhiROM":
        """Train on snapshots whose order is not used.

        rhs: a SolverRHS on `data.grid`, or a function f(u[channel, *grid], beta) -> du/dt. checkpoint: a file in which
        the training is kept, and from which the same training goes on bit by bit after it was cut off. tell: as in
        `parataxis.progress`. Warns of a training that went wrong. Raises BadInput.
        """
        self._fitted = fit(self.recipe, data, as_rhs(rhs), None if checkpoint is None else Path(checkpoint), tell)
        self._about = keeping.About.of(data)
        return self

    @classmethod
    def of(cls, recipe: Recipe, fitted: Fitted, data: Snapshots) -> "PhiROM":
        """Around networks that were trained elsewhere on these data, as the baselines are."""
        made = cls()
        made.recipe, made._fitted, made._about = recipe, fitted, keeping.About.of(data)
        return made

    # -- in and out --------------------------------------------------------------------------------------------------

    def encode(self, values: Any, coords: Any = None, prior: str | None = None) -> Encoded:
        """The latents of observed fields.

        values [channel, point], or [observation, channel, point]: at coords [point, d], None for those of training.
        prior: "gaussian" takes the latents of training as what is known before; so fewer values than latents will do.
        Raises BadInput for fewer without one, for what is not finite, and for points that leave a latent open.
        """
        found, about = self.fitted, self.about
        values = numbers("values", values, None, "[observation, channel, point]")
        values = values[None] if values.ndim == 2 else values
        coords = about.coords if coords is None else numbers("coords", coords, 2, "[point, dimension]")
        if prior not in (None, "gaussian"):
            raise BadInput(f"prior={prior!r}: expected None or 'gaussian'")
        check_observation(
            values, coords, self.recipe.latent_dim, found.decoder.channels, found.decoder.dims, prior is not None
        )
        self._warn_outside(coords)
        known = found.latents.reshape(-1, found.latents.shape[-1])
        return invert(
            found.decoder, values, coords, self._starts(known), Prior.of(known, found.residual) if prior else None
        )

    def _starts(self, known: Float[np.ndarray, "snapshot k"]) -> Float[np.ndarray, "start k"]:
        """The mean latent, zero as the authors', and some of training."""
        some = known[np.random.default_rng(self.recipe.seed).permutation(len(known))[:STARTS]]
        return np.concatenate([known.mean(0)[None], np.zeros((1, known.shape[1]), known.dtype), some])

    def forecast(self, z: Any, times: Any, params: Any = None, coords: Any = None, adaptive: bool = False) -> Any:
        """Fields [trajectory, time, channel, point], numpy.

        z: what `encode` gave, or latents [k] or [trajectory, k]. times: from z's own time on, in any order. params:
        beta [p] of all, or [trajectory, p]. coords: any points, None for the solver's grid. adaptive: steps chosen by
        their error (rtol 1e-3, atol 1e-6), not fixed ones that are stable near the latents of training. Warns of points
        outside the box and of parameters outside the range of training.
        """
        coords = self.about.nodes if coords is None else self._points(coords)
        self._warn_outside(coords)
        return self.decode(self.latents(z, times, params, adaptive), coords)

    def latents(
        self, z: Any, times: Any, params: Any = None, adaptive: bool = False
    ) -> Float[np.ndarray, "trajectory time k"]:
        """The forecast before it is decoded."""
        found = self.fitted
        given = z.latents if isinstance(z, Encoded) else z
        given = np.atleast_2d(numbers("z", given, None, f"[trajectory, {self.recipe.latent_dim}]"))
        times = numbers("times", np.atleast_1d(times), 1, "[time]")
        if given.ndim != 2 or given.shape[1] != self.recipe.latent_dim:
            raise BadInput(f"z: shape={given.shape}: expected latents [trajectory, {self.recipe.latent_dim}]")
        dtype = self._dtype
        betas = self._betas(params, len(given))
        path = integrate(
            found.dynamics,
            jnp.asarray(given, dtype),
            times,
            None if betas is None else jnp.asarray(betas, dtype),
            found.interval,
            None if adaptive else found.substeps,
        )
        latents = np.asarray(path)
        if not np.isfinite(latents).all():
            first = times[~np.isfinite(latents).all((0, 2))].min()
            warnings.warn(
                f"the forecast is not finite from t={first:g} on: try adaptive=True, or a shorter one", stacklevel=3
            )
        return latents

    def decode(self, latents: Any, coords: Any) -> Float[np.ndarray, "trajectory time channel point"]:
        """Fields of latents [trajectory, time, k] at points, some at a time. What is not finite decodes to the like."""
        if np.ndim(latents) != 3 or np.shape(latents)[2] != self.recipe.latent_dim:
            raise BadInput(f"latents: shape={np.shape(latents)}: expected [trajectory, time, {self.recipe.latent_dim}]")
        flat = np.asarray(latents, self._dtype).reshape(-1, self.recipe.latent_dim)
        x = jnp.asarray(self._points(coords), self._dtype)
        each = max(1, PIECE // (self.fitted.decoder.channels * len(x)))
        found = [self._decode_some(flat[n : n + each], x) for n in range(0, len(flat), each)]
        return np.concatenate(found).reshape(*latents.shape[:2], self.fitted.decoder.channels, len(x))

    def _decode_some(self, latents: Any, x: Any) -> Any:
        """Filled up to a power of two: a few programs then do for any number."""
        count = len(latents)
        filled = np.pad(latents, [(0, (1 << (count - 1).bit_length()) - count), (0, 0)])
        return np.asarray(_decoded(self.fitted.decoder, filled, x))[:count]

    # -- how good it is ----------------------------------------------------------------------------------------------

    def evaluate(self, test: Snapshots, first: int = 0, adaptive: bool = False) -> Evaluation:
        """Errors of forecasts from the test's own snapshot `first`, found by inversion, with the decoder's floor."""
        return evaluate(self, test, first, adaptive)

    def consistency_report(self, rhs: Any, test: Snapshots) -> Consistency:
        """How well the latents' dynamics follow the solver on unseen fields, and what no dynamics could do better."""
        return consistency(self, as_rhs(rhs), test)

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self, folder: Path | str) -> Path:
        """config.json, arrays.npz and training.npz (the optimiser's state)."""
        return keeping.save(Path(folder), self.recipe, self.fitted, self.about)

    @classmethod
    def load(cls, folder: Path | str) -> "PhiROM":
        """What `save` wrote."""
        recipe, fitted, about = keeping.load(Path(folder))
        made = cls()
        made.recipe, made._fitted, made._about = recipe, fitted, about
        return made

    # -- checks ------------------------------------------------------------------------------------------------------

    @property
    def _dtype(self) -> Any:
        return jax.tree.leaves(self.fitted.dynamics)[0].dtype

    def _betas(self, params: Any, trajectories: int) -> Any:
        names, low, high = self.about.names, self.about.low, self.about.high
        if not names:
            if params is not None:
                raise BadInput("params: the model was trained without parameters; leave them out")
            return None
        if params is None:
            raise BadInput(f"params=None: expected {', '.join(names)}, as in training")
        given = np.atleast_1d(numbers("params", params, None, f"[trajectory, {len(names)}]"))
        given = np.broadcast_to(given, (trajectories, len(given))) if given.ndim == 1 else given
        if given.shape != (trajectories, len(names)):
            raise BadInput(f"params: shape={given.shape}: expected [{trajectories}, {len(names)}]: {names}")
        for n, name in enumerate(names):
            out = given[:, n][(given[:, n] < low[n]) | (given[:, n] > high[n])]
            if len(out):
                warnings.warn(
                    f"{name}={out[0]:g} is outside the range of training, {low[n]:g} to {high[n]:g}", stacklevel=4
                )
        return given

    def _points(self, coords: Any) -> Float[np.ndarray, "point d"]:
        found = numbers("coords", coords, 2, "[point, dimension]")
        if found.shape[1] != self.fitted.decoder.dims:
            raise BadInput(f"coords: shape={found.shape}: expected [point, {self.fitted.decoder.dims}]")
        return found

    def _warn_outside(self, coords: Any) -> None:
        scaling = self.fitted.decoder.scaling
        low, high = np.array(scaling.low), np.array(scaling.high)
        slack = EDGE * (high - low)
        out = ((coords < low - slack) | (coords > high + slack)).any(1)
        if out.any():
            at = ", ".join(f"{each:g}" for each in coords[out][0])
            warnings.warn(
                f"coords: {int(out.sum())} of {len(coords)} points lie outside the box of training, {box(scaling)} "
                f"(the first: {at}); what is decoded there was never taught",
                stacklevel=3,
            )


@jax.jit
def _decoded(decoder: Decoder, alphas: Array, x: Array) -> Array:
    return decoder.fields(alphas, x)
