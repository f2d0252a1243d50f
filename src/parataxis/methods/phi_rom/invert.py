"""From values at a few points to a latent: in closed form for the filter network, by damped Gauss-Newton for sines.

The authors run Adam for 500 to 1,000 steps.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.affine import stacked, sweep
from parataxis.methods.phi_rom.decoders import MFN, Decoder, SineMLP

STEPS = 100  # of Gauss-Newton
DAMPING = 1e-3  # of the largest curvature, at the start
TOGETHER = 8  # observations in one call: each waits for the slowest
TRIES, FIRST = 6, 8  # starts, and steps from each: the misfit of a network of sines has many minima
OVER = 4  # values a latent that the starts are judged by
MOST = 1e6  # damping
ROUNDING = 16  # eps of a field's precision, relative: no step and no misfit below it is told from noise


@dataclass(frozen=True)
class Prior:
    """What is known of latents before an observation: a Gaussian. noise: variance of a value about its decoded one."""

    mean: Float[np.ndarray, " k"]
    covariance: Float[np.ndarray, "k k"]
    noise: float

    @classmethod
    def of(cls, latents: Float[np.ndarray, "_ k"], residual: float) -> "Prior":
        """From the latents of training, and the root mean square misfit there."""
        found = np.asarray(latents, np.float64)
        spread = np.atleast_2d(np.cov(found.T)) if len(found) > 1 else np.zeros((found.shape[1],) * 2)
        least = 1e-9 * max(float(np.trace(spread)) / len(spread), 1e-9)  # few latents span no full space
        return cls(found.mean(0), spread + least * np.eye(len(spread)), max(residual**2, 1e-12))

    @property
    def whitening(self) -> Float[np.ndarray, "k k"]:
        """L^-1 of covariance = L L^T, times sqrt(noise): the rows that a least-squares problem gets from the prior."""
        return np.sqrt(self.noise) * np.linalg.inv(np.linalg.cholesky(self.covariance))


@dataclass(frozen=True)
class Encoded:
    """latents: of each observation. residual: ||D - u|| / ||u|| at the points. condition: of what was solved with.

    A condition of 1e4 says that the points, or their noise, decide some directions of the latent 1e4 times less than
    others: more points, other ones, or a prior.
    """

    latents: Float[np.ndarray, "batch k"]
    residual: Float[np.ndarray, " batch"]
    condition: float


def check_observation(values: Any, coords: Any, latent: int, channels: int, dims: int, prior: bool) -> None:
    """Raises BadInput for what can't be inverted."""
    if values.ndim != 3 or values.shape[1] != channels:
        raise BadInput(f"values: shape={values.shape}: expected [observation, {channels} channels, point]")
    if coords.ndim != 2 or coords.shape[1] != dims:
        raise BadInput(f"coords: shape={coords.shape}: expected [point, {dims}]")
    if len(coords) != values.shape[2]:
        raise BadInput(f"coords: holds {len(coords)} points, values {values.shape[2]}; give as many")
    for name, each in (("values", values), ("coords", coords)):
        if not np.isfinite(each).all():
            place = tuple(int(n[0]) for n in np.nonzero(~np.isfinite(each)))
            raise BadInput(f"{name}[{', '.join(map(str, place))}]={each[place]}: must be finite; drop that point")
    if channels * len(coords) < latent and not prior:
        raise BadInput(
            f"coords: {channels} x {len(coords)} values can't fix latent_dim={latent} numbers; give more points, or "
            "prior='gaussian'"
        )


def invert(
    decoder: Decoder,
    values: Float[np.ndarray, "batch channel point"],
    coords: Float[np.ndarray, "point d"],
    starts: Float[np.ndarray, "start k"],
    prior: Prior | None = None,
) -> Encoded:
    """min ||D(a, x) - u||^2, with a prior the most probable latent. starts: where Gauss-Newton may begin."""
    if isinstance(decoder, MFN):
        return _closed(decoder, values, coords, prior)
    return _gauss_newton(decoder, values, coords, starts, prior)


def _closed(decoder: MFN, values: Any, coords: Any, prior: Prior | None) -> Encoded:
    """Linear least squares by SVD, one for all observations; in float64, as the basis may be far from orthogonal."""
    offset, basis = (np.asarray(each, np.float64) for each in _swept(decoder, jnp.asarray(coords)))
    matrix = basis.reshape(-1, basis.shape[-1])
    wanted = (values - offset).reshape(len(values), -1).astype(np.float64)
    rows, targets = matrix, wanted
    if prior is not None:
        rows = np.concatenate([matrix, prior.whitening])
        known = np.broadcast_to(prior.whitening @ prior.mean, (len(values), len(prior.mean)))
        targets = np.concatenate([wanted, known], axis=1)
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    if sizes[-1] <= np.finfo(np.float64).eps * len(rows) * sizes[0]:
        raise _left_open(decoder, coords)
    latents = targets @ left / sizes @ right
    missed = np.linalg.norm(wanted - latents @ matrix.T, axis=1)
    return Encoded(latents, missed / _sizes(values), float(sizes[0] / sizes[-1]))


_swept = jax.jit(sweep)


def _left_open(decoder: Decoder, coords: Any) -> BadInput:
    return BadInput(
        f"coords: {len(coords)} points leave some of latent_dim={decoder.latent} numbers open (are points given "
        "twice?); give other points, or prior='gaussian'"
    )


def _sizes(values: Any) -> Any:
    return np.maximum(np.linalg.norm(values.reshape(len(values), -1), axis=1), 1e-30)


def _gauss_newton(decoder: SineMLP, values: Any, coords: Any, starts: Any, prior: Prior | None) -> Encoded:
    """Each observation from the starts that miss it least at some points; to the end from where the best of them leads.

    Which points these are depends on the points, not on their order.
    """
    dtype = decoder.bias.dtype  # under PhiFlow, jax makes an array of float64 of what NumPy has in float64
    if prior is None:
        white, mean = np.zeros((1, decoder.latent)), np.zeros(decoder.latent)
    else:
        white, mean = prior.whitening, prior.mean
    few = np.random.default_rng(0).permutation(len(coords))[: max(1, OVER * decoder.latent // decoder.channels)]
    given = [np.lexsort(coords.T)[few], *(np.asarray(each, dtype) for each in (coords, starts, white, mean))]
    found = [
        _some(decoder, np.asarray(values[n : n + TOGETHER], dtype), given) for n in range(0, len(values), TOGETHER)
    ]
    latents, missed, condition = (np.concatenate(each) for each in zip(*found, strict=True))
    if prior is None and np.min(condition) > 1 / np.finfo(dtype).eps:  # of one alone, its latent may be the reason
        raise _left_open(decoder, coords)
    return Encoded(latents, missed / _sizes(values), float(np.max(condition)))


def _some(decoder: SineMLP, values: Any, given: Any) -> Any:
    """Filled up by the first one again to a power of two, so that few programs do for any number of observations."""
    count = len(values)
    filled = np.concatenate([values, np.repeat(values[:1], (1 << (count - 1).bit_length()) - count, axis=0)])
    return [np.asarray(each)[:count] for each in _descend(decoder, filled, *given)]


class _Place(NamedTuple):
    """Where Gauss-Newton is. missed: the data's misfit, then the prior's; slopes: its Jacobian; square: of its norm."""

    alpha: Any
    missed: Any
    slopes: Any
    square: Any
    damping: Any
    number: Any
    done: Any


@jax.jit
def _descend(
    decoder: SineMLP, values: Array, few: Array, coords: Array, starts: Array, white: Array, mean: Array
) -> Any:
    kind = jnp.finfo(coords.dtype)
    rounding = (ROUNDING * kind.eps) ** 2

    def at(alpha: Array, x: Array, u: Array) -> tuple[Array, Array, Array]:
        fields, slopes = decoder.linearised(alpha[None], x)
        missed = jnp.concatenate([(fields - u).reshape(-1), white @ (alpha - mean)])
        return missed, jnp.concatenate([stacked(slopes[0]), white]), jnp.square(missed).sum()

    def step(old: _Place, x: Array, u: Array) -> _Place:
        """By QR: the normal equations would square a condition that float32 hardly bears. R of [J m] has Q^T m in its
        last column."""
        j, damping = old.slopes, old.damping
        bound = jnp.sqrt(damping * jnp.square(j).sum() + kind.tiny) * jnp.eye(j.shape[1], dtype=j.dtype)
        rows = jnp.concatenate([jnp.c_[j, old.missed], jnp.pad(bound, ((0, 0), (0, 1)))])
        r = jnp.linalg.qr(rows, mode="r")[: j.shape[1]]
        move = jax.scipy.linalg.solve_triangular(r[:, :-1], r[:, -1])
        found = (old.alpha - move, *at(old.alpha - move, x, u))
        better = found[-1] < old.square
        size, moved = jnp.square(u).sum(), jnp.square(j @ move).sum()
        still = moved <= rounding * size
        settled = (old.square - found[-1] <= kind.eps * old.square) | (still & (damping <= DAMPING))
        damping = jnp.where(better, damping / 10, damping * 10)
        done = jnp.where(better, settled, still) | (damping > MOST) | (found[-1] <= rounding * size)
        alpha, missed, slopes, square = (jnp.where(better, *each) for each in zip(found, old, strict=False))
        return _Place(alpha, missed, slopes, square, damping, old.number + 1, done)

    def descent(alpha: Array, x: Array, u: Array, steps: int) -> _Place:
        begin = _Place(alpha, *at(alpha, x, u), jnp.asarray(DAMPING, alpha.dtype), 0, jnp.asarray(False))
        return jax.lax.while_loop(lambda now: (now.number < steps) & ~now.done, lambda now: step(now, x, u), begin)

    def one(u: Array) -> Any:
        x, seen = coords[few], u[:, few]
        gaps = jnp.square(decoder.fields(starts, x) - seen).sum((1, 2))
        tried = jax.vmap(lambda alpha: descent(alpha, x, seen, FIRST))(starts[jnp.argsort(gaps)[:TRIES]])
        end = descent(tried.alpha[jnp.argmin(tried.square)], coords, u, STEPS)
        return end.alpha, jnp.linalg.norm(end.missed[: u.size]), end.slopes

    latents, missed, slopes = jax.vmap(one)(values)
    spread = jnp.linalg.svd(slopes, compute_uv=False)
    return latents, missed, spread[:, 0] / jnp.maximum(spread[:, -1], kind.tiny)
