"""For each symmetry the system it is true of, and a twin with a mistake that makes position matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parataxis.claims import System
from parataxis.methods.phi_rom.affine import qr, stacked, sweep
from parataxis.methods.phi_rom.decoders import MFN, Scaling
from parataxis.methods.phi_rom.dino import rollout
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.forecast import integrate, march
from parataxis.methods.phi_rom.invert import invert
from parataxis.methods.phi_rom.loss import Losses, Points, Sample

K, NODES, WIDTH, TRAJECTORIES, TIMES = 2, 10, 4, 2, 3
LEARNED, CLOSE, NEAR = 1e-5, 1e-6, 1e-4  # losses and gradients, as the paper's symmetry has it; inference; subsets
DT = 0.25  # between two knots of a forecast
RATE = 0.05  # of learning, in the steps whose batches come in an order
Row = Float[np.ndarray, " value"]


@dataclass(frozen=True, eq=False)
class Networks:
    """Untrained ones, and the places of the nodes."""

    decoder: MFN
    dynamics: Dynamics
    x: Any


@cache
def networks() -> Networks:
    first, second = jax.random.split(jax.random.key(0))
    decoder = MFN(K, 1, 1, WIDTH, 2, omega=2.0, key=first)
    dynamics = Dynamics(K, (4,), (0.0,), (1.0,), key=second)
    return Networks(decoder, dynamics, jnp.linspace(-1, 1, NODES)[:, None])


def slope(u: Any, beta: Any) -> Any:
    """A solver: advection at a speed beta, and a little that is not linear."""
    return beta[0] * (jnp.roll(u, 1, -1) - u) - 0.1 * u**3


def systems(rng: Any) -> dict[str, System]:
    """Items are rows of numbers: of snapshots, sensors, nodes, trajectories, channels, parameters; or times."""
    count = TRAJECTORIES * TIMES
    draw = rng("fields").normal
    snapshots = [np.array([n, 1 + 0.3 * (n % 3), *draw(size=K), *draw(size=NODES)]) for n in range(count)]
    sensors = [np.array([each, *draw(size=1)]) for each in np.linspace(-1, 1, 7)]
    trajectories = [np.array([0.2 * n, *draw(size=K)]) for n in range(6)]
    channels = [np.array([0.1 * n, 1.0 + n, *draw(size=WIDTH), 0.3 * n]) for n in range(5)]
    betas = [np.array([0.3 * n, 0.5 - 0.2 * n, 1.0 + n, *draw(size=K)]) for n in range(5)]
    return {
        "time-labels": System(_learned, snapshots, twin=_learned_by_path, compare=_alike),
        "time-labels-dino": System(_learned_by_path, snapshots, compare=_alike),
        "sensors": System(_encoded, sensors, twin=_encoded_by_place, compare=LEARNED),
        "points": System(_decoded, [each[0] for each in sensors], twin=_decoded_by_place, per_item=True, compare=CLOSE),
        "subset": System(_moved_by, list(range(NODES)), twin=_moved_beyond, compare=NEAR),
        "trajectories": System(_forecast, trajectories, twin=_betas_by_place, per_item=True, compare=CLOSE),
        "output-times": System(
            _at_times, [0.0, 0.1, 0.3, 0.5, 0.7, 0.9], twin=_step_by_step, per_item=True, compare=CLOSE
        ),
        "channels": System(_channels, channels, twin=_scaled_by_place, per_item=True, compare=CLOSE),
        "betas": System(_velocity, betas, twin=_standard_by_place, compare=CLOSE),
        "batches": System(_trained, snapshots),
    }


def _alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Loss and each gradient, to a relative difference of 1e-5 of its norm."""
    return all(np.linalg.norm(a - b) <= LEARNED * np.linalg.norm(a) for a, b in zip(one, other, strict=True))


def _table(rows: Sequence[Any]) -> Any:
    return np.stack([np.asarray(row) for row in rows]).astype(np.float32)


# -- training ----------------------------------------------------------------------------------------------------------


def _learned(rows: Sequence[Row]) -> list[np.ndarray]:
    """The loss of all snapshots as one batch, and its gradients; those of the latents in the order of the numbers."""
    return _by_number(_gradients, rows)


def _learned_by_path(rows: Sequence[Row]) -> list[np.ndarray]:
    """DINo's loss: what stands one after the other is a path."""
    return _by_number(_path_gradients, rows)


def _by_number(gradients: Callable[..., Any], rows: Sequence[Row]) -> list[np.ndarray]:
    table, net = _table(rows), networks()
    loss, (decoder, dynamics, latents) = gradients(net.decoder, net.dynamics, table[:, 2 : 2 + K], table, net.x)
    flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(each)]) for each in (decoder, dynamics)]
    return [np.atleast_1d(np.asarray(loss)), *flat, np.asarray(latents)[np.argsort(table[:, 0])]]


def _sample(table: Any) -> Sample:
    return Sample(table[:, None, 2 + K :], table[:, 1:2], jnp.ones(1, table.dtype) * 1e-3)


@jax.jit
def _gradients(decoder: Any, dynamics: Any, latents: Any, table: Any, x: Any) -> Any:
    losses = Losses(slope, (NODES,), 0.5, True)

    def loss(parts: Any) -> Any:
        return losses(*parts, _sample(table), Points(x), None)[0]

    return jax.value_and_grad(loss)((decoder, dynamics, latents))


@jax.jit
def _path_gradients(decoder: Any, dynamics: Any, latents: Any, table: Any, x: Any) -> Any:
    def loss(parts: Any) -> Any:
        decoder, dynamics, latents = parts
        missed = jnp.square(decoder.fields(latents, x) - _sample(table).u).mean()
        path = jax.lax.stop_gradient(latents).reshape(TRAJECTORIES, TIMES, K)
        betas = table[:, 1:2].reshape(TRAJECTORIES, TIMES, 1)[:, 0]
        off = rollout(dynamics, path, betas, jnp.zeros(TIMES - 1, bool), DT, 1) - path
        return missed + jnp.square(off).mean()

    return jax.value_and_grad(loss)((decoder, dynamics, latents))


def _trained(rows: Sequence[Row]) -> list[float]:
    """The dynamics after a pass of gradient steps whose batches are snapshots two by two, in this order."""
    table, net = _table(rows), networks()
    dynamics = net.dynamics
    for n in range(0, len(table), 2):
        dynamics = _step(net.decoder, dynamics, table[n : n + 2], net.x)
    return [float(each) for each in jax.tree.leaves(dynamics)[-1]]


@jax.jit
def _step(decoder: Any, dynamics: Any, table: Any, x: Any) -> Any:
    losses = Losses(slope, (NODES,), 0.5, False)

    def loss(psi: Any) -> Any:
        return losses(decoder, psi, table[:, 2 : 2 + K], _sample(table), Points(x), None)[0]

    return jax.tree.map(lambda value, gradient: value - RATE * gradient, dynamics, jax.grad(loss)(dynamics))


# -- inference ---------------------------------------------------------------------------------------------------------


def _encoded(rows: Sequence[Row], by_place: bool = False) -> Any:
    table = _table(rows)
    x = np.sort(table[:, :1], axis=0) if by_place else table[:, :1]
    return invert(networks().decoder, table[None, None, :, 1], x, np.zeros((1, K))).latents


def _encoded_by_place(rows: Sequence[Row]) -> Any:
    return _encoded(rows, by_place=True)


def _decoded(x: Sequence[Any]) -> list[float]:
    found = _fields(networks().decoder, jnp.asarray(np.array(x, np.float32))[:, None])
    return [float(each) for each in found[0, 0]]


@jax.jit
def _fields(decoder: Any, x: Any) -> Any:
    return decoder.fields(jnp.array([[0.5, -1.0]]), x)


def _decoded_by_place(x: Sequence[Any]) -> list[float]:
    return [value + 0.1 * place for place, value in enumerate(_decoded(x))]


def _moved_by(nodes: Sequence[Any], beyond: float = 0.0) -> Any:
    """The latents' best velocity by the first six nodes alone, for a slope in the range of the Jacobian."""
    net = networks()
    return np.asarray(_best(net.decoder, net.x, jnp.asarray(list(nodes)[:6]), beyond))


@jax.jit
def _best(decoder: Any, x: Any, seen: Any, beyond: Any) -> Any:
    basis = stacked(sweep(decoder, x).basis)
    r = basis @ jnp.array([1.0, -2.0]) + beyond * jnp.sin(7 * x[:, 0])
    q, triangle = qr(basis[seen])
    return jax.scipy.linalg.solve_triangular(triangle, q.T @ r[seen])


def _moved_beyond(nodes: Sequence[Any]) -> Any:
    return _moved_by(nodes, beyond=1.0)


def _forecast(rows: Sequence[Row], by_place: bool = False) -> list[Any]:
    table = _table(rows)
    betas = np.sort(table[:, :1], axis=0) if by_place else table[:, :1]
    return list(np.asarray(_march(networks().dynamics, jnp.asarray(table[:, 1:]), jnp.asarray(betas))))


@jax.jit
def _march(dynamics: Any, alphas: Any, betas: Any) -> Any:
    return march(dynamics, alphas, betas, DT, 2)


def _betas_by_place(rows: Sequence[Row]) -> list[Any]:
    return _forecast(rows, by_place=True)


def _at_times(times: Sequence[Any]) -> list[Any]:
    start, beta = jnp.array([[0.5, -1.0]]), jnp.array([[0.7]])
    return list(np.asarray(integrate(networks().dynamics, start, np.array(times), beta, DT, 1)[0]))


def _step_by_step(times: Sequence[Any]) -> list[Any]:
    """One step from each time asked for to the next, as they are listed."""
    state, beta, now, found = jnp.array([[0.5, -1.0]]), jnp.array([[0.7]]), 0.0, []
    for each in times:
        state, now = state + (each - now) * _psi(networks().dynamics, state, beta), each
        found.append(np.asarray(state[0]))
    return found


@jax.jit
def _psi(dynamics: Any, alphas: Any, betas: Any) -> Any:
    return jax.vmap(dynamics)(alphas, betas)


def _channels(rows: Sequence[Row], by_place: bool = False) -> list[Any]:
    """A field of as many channels; with each go its weights and its mean and spread."""
    table, net = _table(rows), networks().decoder
    spread = np.sort(table[:, 1]) if by_place else table[:, 1]
    scaling = Scaling((-1.0,), (1.0,), tuple(table[:, 0].tolist()), tuple(spread.tolist()))
    made = MFN(K, 1, len(table), WIDTH, 2, scaling=scaling, key=jax.random.key(1))
    parts = (net.frequencies, net.enter, net.bias, net.inner, table[:, 2:-1], table[:, -1])
    made = eqx.tree_at(lambda d: (d.frequencies, d.enter, d.bias, d.inner, d.leave, d.leave_bias), made, parts)
    return list(np.asarray(made.fields(jnp.array([[0.5, -1.0]]), networks().x))[0])


def _scaled_by_place(rows: Sequence[Row]) -> list[Any]:
    return _channels(rows, by_place=True)


def _velocity(rows: Sequence[Row], by_place: bool = False) -> Any:
    """Psi of a model with as many parameters; with each go its column of B, and its mean and spread."""
    table, net = _table(rows), networks().dynamics
    centre = np.sort(table[:, 1]) if by_place else table[:, 1]
    made = Dynamics(K, (4,), tuple(centre.tolist()), tuple(table[:, 2].tolist()), key=jax.random.key(1))
    assert net.embed is not None
    parts = (net.layers, net.slopes, table[:, 3:].T, net.embed.bias)
    made = eqx.tree_at(lambda d: (d.layers, d.slopes, d.embed.weight, d.embed.bias), made, parts)
    return np.asarray(made(jnp.array([0.5, -1.0]), jnp.asarray(table[:, 0])))


def _standard_by_place(rows: Sequence[Row]) -> Any:
    return _velocity(rows, by_place=True)
