"""DINo: the same networks without the solver, the dynamics fitted to the paths of the latents, whose order they need.

Yin and others, "Continuous PDE Dynamics Forecasting with Implicit Neural Representations", ICLR 2023, arXiv:2209.14855.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from parataxis.methods.phi_rom.fitting import Data, Fitted, Model, finished, interval, prepare
from parataxis.methods.phi_rom.forecast import bogacki_shampine, slope
from parataxis.methods.phi_rom.loss import fast
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS
from parataxis.methods.phi_rom.training import BAD, Phase, State, train
from parataxis.progress import Tell, untold

LEARNING = {"decoder": 1e-2, "dynamics": 1e-3, "latents": 1e-3}  # of three Adams
FORCED = 0.99  # the chance to restart a rollout from the stored latent is this to the power 1 + epoch / SLOWER
SLOWER = 20
EPOCHS = 12_000  # of the published trainings: a shorter one goes through the same schedule in fewer
NO_SOLVER = SolverRHS.from_rhs(lambda u, beta: u)  # is never called


class Memory(NamedTuple):
    """Of the three optimisers."""

    decoder: Any
    latents: Any
    dynamics: Any


class Seen(NamedTuple):
    """rows: trajectories of the batch. restart: whether a rollout begins anew at this time."""

    rows: Any
    restart: Any


@dataclass(frozen=True)
class Draws:
    """Trajectories in shuffled epochs, and restarts of fading chance; by seed and number of the step alone."""

    trajectories: int
    times: int
    batch: int
    steps: int
    seed: int

    def __call__(self, step: int, n: int) -> Seen:
        size = min(self.batch, self.trajectories)
        rows, restart = np.empty((n, size), np.int32), np.empty((n, self.times - 1), bool)
        for at in range(n):
            place = (step + at) * size + np.arange(size)
            rows[at] = [self._shuffled(int(each))[each % self.trajectories] for each in place]
            rng = np.random.default_rng([self.seed, 3, step + at])
            restart[at] = rng.random(self.times - 1) < self.forced(step + at)
        return Seen(rows, restart)

    def forced(self, step: int) -> float:
        return float(FORCED ** (1 + EPOCHS * step / self.steps / SLOWER))

    def _shuffled(self, place: int) -> np.ndarray:
        return np.random.default_rng([self.seed, 2, place // self.trajectories]).permutation(self.trajectories)


def rollout(
    dynamics: Any,
    path: Float[Array, "batch time k"],
    betas: Float[Array, "batch p"] | None,
    restart: Bool[Array, " time-1"],
    dt: float,
    substeps: int,
) -> Float[Array, "batch time k"]:
    """From the first latent on; where told, from the stored latent of that time instead of the reached one."""

    def step(reached: Array, given: Any) -> tuple[Array, Array]:
        stored, anew = given
        y = jnp.where(anew, stored, reached)
        k = slope(dynamics, y, betas)
        for _ in range(substeps):
            y, k = bogacki_shampine(dynamics, y, k, betas, dt / substeps)
        return y, y

    _, found = jax.lax.scan(step, path[:, 0], (jnp.moveaxis(path[:, :-1], 1, 0), restart))
    return jnp.concatenate([path[:, :1], jnp.moveaxis(found, 0, 1)], axis=1)


def fit(recipe: Recipe, data: Snapshots, *, substeps: int = 1, tell: Tell = untold) -> Fitted:
    """Train. recipe: as of Φ-ROM, but batch counts trajectories, and lam, gamma, warmup and lr are not used.

    The three step sizes fall along half a cosine, as ours do; the authors' are constant over many more steps.
    """
    job = prepare(replace(recipe, gamma=1.0, schedule="cosine"), data, NO_SOLVER)
    adams = {name: optax.adam(optax.cosine_decay_schedule(rate, recipe.steps, 1e-3)) for name, rate in LEARNING.items()}
    params = jax.tree.map(lambda each: jnp.asarray(each, jnp.asarray(each).dtype), job.model)
    memory = Memory(*(jax.jit(adams[name].init)(getattr(params, name)) for name in Memory._fields))
    advance = _advance(adams, recipe.normalized, len(data.t), interval(data), substeps)
    draws = Draws(len(data.u), len(data.t), recipe.batch, recipe.steps, recipe.seed)
    found = train([Phase(advance, recipe.steps)], State(params, memory), job.data, draws, tell=tell)
    return finished(job, data, found)


def _advance(
    adams: dict[str, optax.GradientTransformation], normalize: bool, times: int, dt: float, substeps: int
) -> Callable[[State, Data, Seen], tuple[State, dict[str, Any]]]:
    """The latents' step, the decoder's with them, then that of the dynamics to both, which it leaves alone."""

    def misfit(decoder: Any, latents: Any, data: Data, at: Int[Array, " snapshot"]) -> Array:
        decoded = fast(decoder, latents[at], data.points, None, normalize).train
        return jnp.square((decoded - data.u[at]) / decoder.scaling.spread(decoded.dtype)[:, None]).mean()

    def unlike(dynamics: Any, path: Any, beta: Any, restart: Any) -> Array:
        return jnp.square(rollout(dynamics, path, beta, restart, dt, substeps) - path).mean()

    def advance(state: State, data: Data, draw: Seen) -> tuple[State, dict[str, Any]]:
        (decoder, dynamics, latents), memory = state
        at = (draw.rows[:, None] * times + jnp.arange(times)).reshape(-1)
        gradient = jax.grad(misfit, 1)(decoder, latents, data, at)
        latents, kept = _moved(adams["latents"], gradient, memory.latents, latents)
        error, gradient = jax.value_and_grad(misfit)(decoder, latents, data, at)
        decoder, drawn = _moved(adams["decoder"], gradient, memory.decoder, decoder)
        path = latents[at].reshape(len(draw.rows), times, -1)
        beta = None if data.beta is None else data.beta[draw.rows * times]
        off, gradient = jax.value_and_grad(unlike)(dynamics, path, beta, draw.restart)
        dynamics, moved = _moved(adams["dynamics"], gradient, memory.dynamics, dynamics)
        told = {"loss": error + off, "reconstruction": jnp.sqrt(error), "dynamics": jnp.sqrt(off)}
        told[BAD] = 1.0 - jnp.isfinite(told["loss"])
        return State(Model(decoder, dynamics, latents), Memory(drawn, kept, moved)), told

    return advance


def _moved(adam: optax.GradientTransformation, gradient: Any, memory: Any, value: Any) -> tuple[Any, Any]:
    gradient = jax.tree.map(lambda each: jnp.where(jnp.isfinite(each), each, 0), gradient)
    updates, memory = adam.update(gradient, memory, value)
    return optax.apply_updates(value, updates), memory
