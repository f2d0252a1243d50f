"""Decoder, dynamics and latents trained together from single snapshots and a solver's slope."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial import KDTree

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.affine import jacobian, normalised, stacked, sweep
from parataxis.methods.phi_rom.decoders import MFN, Decoder, Scaling
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.forecast import integrate, substeps_for
from parataxis.methods.phi_rom.loss import Losses, Points, Sample, fast
from parataxis.methods.phi_rom.metrics import floors
from parataxis.methods.phi_rom.recipe import Draw, Draws, Recipe, frequency_scale
from parataxis.methods.phi_rom.snapshots import Snapshots, check_training
from parataxis.methods.phi_rom.solvers import SolverRHS, check_solver, slope_gap
from parataxis.methods.phi_rom.training import (
    Checkpoint,
    Phase,
    State,
    Told,
    fingerprint,
    gradient_step,
    start,
    train,
)
from parataxis.progress import Tell, untold

LOOKED_AT = 256  # latents of training at which stability is judged, and snapshots decoded at once for the residual
ILL = 1e3  # condition of a raw basis from which on it is told
COLLAPSED = 0.5  # reconstruction error of a model that learned little
SOME = 12  # trajectories and times whose slope is compared with the solver's
APART = 0.9  # a gap between the two from which on it is told
LOST = 10.0  # a rollout that is this many times further off than latents are large


class Model(NamedTuple):
    """latents: of all training snapshots, trajectory by trajectory."""

    decoder: Any
    dynamics: Dynamics
    latents: Float[Array, "snapshot k"]


class Data(NamedTuple):
    """On the device: every snapshot, with its trajectory's beta."""

    u: Float[Array, "snapshot channel point"]
    beta: Float[Array, "snapshot p"] | None
    floor: Float[Array, " channel"]
    points: Points


@dataclass
class Job:
    """A training that is ready to begin."""

    recipe: Recipe
    model: Model
    data: Data
    losses: Callable[..., tuple[Any, dict[str, Array]]]
    draws: Draws
    omega: float

    def loss(self, warm: bool = False) -> Callable[[Model, Data, Draw], tuple[Any, dict[str, Array]]]:
        """Of a batch: of the snapshots that were drawn, whatever trajectory and time they are of."""

        def loss(model: Model, data: Data, draw: Draw) -> tuple[Any, dict[str, Array]]:
            beta = None if data.beta is None else data.beta[draw.rows]
            sample = Sample(data.u[draw.rows], beta, data.floor)
            alphas = model.latents[draw.rows]
            return self.losses(model.decoder, model.dynamics, alphas, sample, data.points, draw.nodes, warm=warm)

        return loss


@dataclass
class Fitted:
    """A trained model. decoder: with the normalised basis folded in. latents: of training.

    interval: between two snapshots. substeps: of it, for fixed steps. residual: root mean square misfit of training.
    known: of settings, data and solver, by which a kept training is told from another.
    """

    decoder: Decoder
    dynamics: Dynamics
    latents: Float[np.ndarray, "trajectory time k"]
    interval: float
    substeps: int
    residual: float
    omega: float
    history: list[Told] = field(default_factory=list)
    state: State | None = None
    known: str = ""


def as_rhs(rhs: Any) -> SolverRHS:
    """A plain function f(u, beta) is a right-hand side."""
    if isinstance(rhs, SolverRHS):
        return rhs
    if not callable(rhs):
        raise BadInput(f"rhs: is of {type(rhs).__name__}; expected a SolverRHS, or a function f(u, beta) -> du/dt")
    return SolverRHS.from_rhs(rhs)


def prepare(recipe: Recipe, data: Snapshots, rhs: SolverRHS) -> Job:
    """Everything before the first step. Raises BadInput for settings and data that don't fit each other."""
    nodes, (trajectories, times, channels, _) = data.solver_points, data.u.shape
    drawn = recipe.drawn(len(nodes), channels)
    scaling = Scaling.of(data.u, data.coords, nodes)
    layers = recipe.layers or 3
    place = np.asarray(scaling.inward(jnp.asarray(data.coords)))
    omega = recipe.omega or (frequency_scale(data.u, place, layers) if recipe.decoder == "mfn" else 1.0)
    first, second = jax.random.split(jax.random.key(recipe.seed))
    decoder = recipe.make_decoder(nodes.shape[1], channels, omega, scaling, first)
    rate = 1 / interval(data) if recipe.rate else 1.0
    dynamics = Dynamics(recipe.latent_dim, recipe.dynamics, *_standard(data.params), rate=rate, key=second)
    latents = jnp.zeros((trajectories * times, recipe.latent_dim), decoder.leave.dtype)
    dtype = latents.dtype
    held = Data(
        jnp.asarray(data.u.reshape(-1, *data.u.shape[2:]), dtype),
        None if data.params is None else jnp.asarray(np.repeat(data.params, times, axis=0), dtype),
        jnp.asarray(floors(data.u), dtype),
        Points(jnp.asarray(nodes, dtype), None if data.gridded else jnp.asarray(data.coords, dtype)),
    )
    losses = Losses(rhs, data.shape, recipe.lam, recipe.normalized, fast)
    draws = Draws(len(latents), recipe.batch, len(nodes), drawn, recipe.seed)
    return Job(recipe, Model(decoder, dynamics, latents), held, losses, draws, omega)


def interval(data: Snapshots) -> float:
    """The median time between two snapshots; 1 where there is but one."""
    return float(np.median(np.diff(data.t))) if len(data.t) > 1 else 1.0


def _standard(params: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation; of one trajectory, where there is none, 1."""
    if params is None:
        return (), ()
    spread = params.std(0)
    return tuple(map(float, params.mean(0))), tuple(map(float, np.where(spread > 0, spread, 1.0)))


def probe(data: Snapshots) -> tuple[Float[np.ndarray, "channel *grid"], Float[np.ndarray, " p"] | None]:
    """A field on the solver's grid, and its beta, to try the solver with: one of middling norm, as the first may be at
    rest. Of data off the grid, from the nearest points.
    """
    norms = np.linalg.norm(data.u.reshape(*data.u.shape[:2], -1), axis=-1)
    trajectory, time = divmod(int(np.argsort(norms, axis=None)[norms.size // 2]), norms.shape[1])
    if data.gridded:
        return data.fields()[trajectory, time], data.beta(trajectory)
    _, near = KDTree(data.coords).query(data.solver_points)
    return data.u[trajectory, time][:, near].reshape(-1, *data.shape), data.beta(trajectory)


def warn_of_another_equation(rhs: SolverRHS, data: Snapshots) -> None:
    """Where the slope of some snapshots has nothing to do with the solver's."""
    if not data.gridded or len(data.t) < 3:
        return
    gap = slope_gap(rhs, data.take(slice(0, SOME)).window(0, SOME))
    if gap > APART:
        warnings.warn(
            f"the solver's slope is off by {gap:.2g} of the data's own: look whether it is of the same equation, sign, "
            "units and parameters, and takes its axes in the order [channel, x, y, z]",
            stacklevel=4,
        )


def fit(
    recipe: Recipe,
    data: Snapshots,
    rhs: SolverRHS,
    checkpoint: Any = None,
    tell: Tell = untold,
) -> Fitted:
    """Train. checkpoint: a file to go on from and to keep the state in."""
    check_training(data)
    field, beta = probe(data)
    one = jnp.asarray(field)
    check_solver(rhs, one, beta)
    warn_of_another_equation(rhs, data)
    slope = np.asarray(rhs(one, None if beta is None else jnp.asarray(beta, one.dtype)))
    return carried_out(prepare(recipe, data, rhs), data, checkpoint, tell, slope)


def carried_out(job: Job, data: Snapshots, checkpoint: Any = None, tell: Tell = untold, slope: Any = None) -> Fitted:
    """The training that a job is of. slope: of one field, by which another solver's checkpoint is told."""
    recipe, optimiser = job.recipe, job.recipe.optimiser()
    known = fingerprint(recipe, data.u, data.t, data.coords, data.params, slope, *(data.grid or ()))
    phases = [Phase(gradient_step(job.loss(warm=True), optimiser), recipe.warm_steps)] if recipe.warm_steps else []
    phases.append(Phase(gradient_step(job.loss(), optimiser), recipe.steps))
    found = train(
        phases,
        start(job.model, optimiser),
        job.data,
        job.draws,
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint, known),
        tell=tell,
        watch=lambda state: _watched(state.params, job.data.points.solver),
    )
    return replace(finished(job, data, found), known=known)


@jax.jit
def _conditions(model: Model, nodes: Float[Array, "node d"]) -> tuple[Array, Array]:
    if isinstance(model.decoder, MFN):
        matrix = stacked(sweep(model.decoder, nodes).basis)
    else:
        matrix = stacked(jacobian(model.decoder, model.latents.mean(0)[None], nodes)[0])
    sizes = jnp.linalg.svd(jnp.linalg.qr(matrix, mode="r"), compute_uv=False)
    return jnp.sqrt(jnp.square(model.latents).sum(1).mean()), sizes[0] / jnp.maximum(sizes[-1], 1e-30)


def _watched(model: Model, nodes: Float[Array, "node d"]) -> Told:
    """Root mean square norm of the latents, condition of the Jacobian (of a filter network, not normalised)."""
    norm, condition = _conditions(model, nodes)
    return {"latent norm": float(norm), "condition": float(condition)}


def finished(job: Job, data: Snapshots, found: Any) -> Fitted:
    model: Model = found.state.params
    decoder = model.decoder
    if job.recipe.normalized and isinstance(decoder, MFN):
        decoder = normalised(decoder, job.data.points.solver)
    step, count = interval(data), len(model.latents)
    some = np.random.default_rng(job.recipe.seed).permutation(count)[:LOOKED_AT]
    betas = None if job.data.beta is None else job.data.beta[some]
    substeps = substeps_for(model.dynamics, model.latents[some], betas, step)
    latents = np.asarray(model.latents).reshape(*data.u.shape[:2], -1)
    points = job.data.points.solver if job.data.points.train is None else job.data.points.train
    residual = _residual(decoder, model.latents, job.data.u, points)
    fitted = Fitted(decoder, model.dynamics, latents, step, substeps, residual, job.omega, found.history, found.state)
    for said in warned(fitted, job.recipe, data):
        warnings.warn(said, stacklevel=4)
    return fitted


def _residual(decoder: Decoder, latents: Any, u: Any, points: Any) -> float:
    latents, u = np.asarray(latents), np.asarray(u)  # of which a slice is no program to compile
    pieces = [slice(n, n + LOOKED_AT) for n in range(0, len(u), LOOKED_AT)]
    missed = [float(_missed(decoder, latents[each], u[each], points)) * len(u[each]) for each in pieces]
    return float(np.sqrt(sum(missed) / len(u)))


@jax.jit
def _missed(decoder: Decoder, latents: Array, u: Array, points: Array) -> Array:
    return jnp.square(decoder.fields(latents, points) - u).mean()


def warned(fitted: Fitted, recipe: Recipe, data: Snapshots) -> list[str]:
    """What a training that went wrong looks like, with the remedy."""
    told, history = [], fitted.history
    last = history[-1]
    before = [row for row in history if row["step"] <= recipe.warm_steps]
    if before and last["reconstruction"] > max(2 * before[-1]["reconstruction"], 0.1):
        told.append(
            f"reconstruction went from {before[-1]['reconstruction']:.2g} to {last['reconstruction']:.2g} after the "
            f"warm-up: the dynamics loss came too early; raise warmup={recipe.warmup:g} or lam={recipe.lam:g}"
        )
    elif last["reconstruction"] > COLLAPSED:
        frequency = f", or another omega={fitted.omega:g}" if isinstance(fitted.decoder, MFN) else ""
        told.append(
            f"reconstruction ended at {last['reconstruction']:.2g}: little was learned; give more steps, a longer "
            f"warmup={recipe.warmup:g}{frequency}"
        )
    if isinstance(fitted.decoder, MFN) and not recipe.normalized and last["condition"] > ILL:
        told.append(
            f"the basis has condition {last['condition']:.1g}: a few directions decide the latent loss, and rollouts "
            "may blow up; train with normalize_basis=True"
        )
    if bad := sum(row["bad gradients"] for row in history) / len(history):
        told.append(f"gradients were not finite in {bad:.1%} of the steps; they were replaced by zero")
    size = max(float(np.sqrt(np.square(fitted.latents).sum(-1).mean())), 1e-12)
    off = _rollout_gap(fitted, data) / size
    if not off < LOST:
        told.append(
            f"rollouts of training trajectories end {off:.2g} times further off than latents are large; train longer, "
            "or look at the condition of the basis"
        )
    return told


def _rollout_gap(fitted: Fitted, data: Snapshots) -> float:
    """Distance of the last latents, forecast from the first, to those of training."""
    if len(data.t) < 2:
        return 0.0
    first = jnp.asarray(fitted.latents[:, 0])
    betas = None if data.params is None else jnp.asarray(data.params, first.dtype)
    path = integrate(fitted.dynamics, first, data.t - data.t[0], betas, fitted.interval, fitted.substeps)
    return float(np.sqrt(np.square(np.asarray(path[:, -1]) - fitted.latents[:, -1]).sum(-1).mean()))
