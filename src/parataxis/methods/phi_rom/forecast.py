"""Latents moved forward in time: Bogacki and Shampine's third-order pairs, in fixed steps or in adaptive ones.

Steps end at fixed knots, whatever times are asked for, and values between them come from the step's own polynomial. So
another output time moves no other output, and two forecasts one after the other are one.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.errors import BadInput

REACH = 1.0  # step times spectral radius. The method is stable to 1.73 on the imaginary axis, to 2.51 on the real one
MOST = 64  # substeps of an interval: stiffer latents want adaptive steps
RTOL, ATOL = 1e-3, 1e-6  # of the authors' adaptive steps
KNOT = 1e-6  # of an interval: an output time so near to a knot is that knot
MAX_STEPS = 100_000  # of the adaptive method
LONGEST = 1_000_000  # steps that a forecast may take: all are kept

Latents = Float[Array, "batch k"]
Betas = Float[Array, "batch p"] | None
Velocity = Callable[[Any, Any], Any]  # Psi, or what stands in its place, a pytree: (alpha, beta) -> d alpha/dt


def slope(dynamics: Velocity, alphas: Latents, betas: Betas) -> Latents:
    return jax.vmap(dynamics, (0, None if betas is None else 0))(alphas, betas)


def bogacki_shampine(dynamics: Velocity, y: Latents, k: Latents, betas: Betas, h: Any) -> tuple[Latents, Latents]:
    """One step of Bogacki and Shampine (1989); k: the slope at y. The new latents, and the slope there."""
    second = slope(dynamics, y + h / 2 * k, betas)
    third = slope(dynamics, y + 3 * h / 4 * second, betas)
    after = y + h * (2 * k + 3 * second + 4 * third) / 9
    return after, slope(dynamics, after, betas)


def _as_moved(dynamics: Velocity, alphas: Latents, betas: Betas) -> Latents:
    """In the precision in which they are moved, which may be that of the network or of beta."""
    return alphas.astype(jax.eval_shape(lambda: slope(dynamics, alphas, betas)).dtype)


def march(dynamics: Velocity, alphas: Latents, betas: Betas, dt: float, n: int, substeps: int = 1) -> Array:
    """[batch, n + 1, k]: the latents at 0, dt, ..., n dt, with so many steps in each; differentiable."""

    def step(carried: Any, _: None) -> Any:
        y, k = carried
        return bogacki_shampine(dynamics, y, k, betas, dt / substeps), None

    def interval(carried: Any, _: None) -> Any:
        carried, _ = jax.lax.scan(step, carried, None, substeps)
        return carried, carried[0]

    alphas = _as_moved(dynamics, alphas, betas)
    first = (alphas, slope(dynamics, alphas, betas))
    _, path = jax.lax.scan(interval, first, None, n)
    return jnp.concatenate([alphas[:, None], jnp.moveaxis(path, 0, 1)], axis=1)


def spectral_radius(dynamics: Velocity, alphas: Latents, betas: Betas) -> float:
    """The largest modulus of an eigenvalue of dPsi/dalpha, at these latents."""
    found = np.asarray(_jacobians(dynamics, alphas, betas), np.float64)
    return float(np.abs(np.linalg.eigvals(found)).max())


@jax.jit
def _jacobians(dynamics: Velocity, alphas: Latents, betas: Betas) -> Array:
    return jax.vmap(jax.jacfwd(dynamics), (0, None if betas is None else 0))(alphas, betas)


def substeps_for(dynamics: Velocity, alphas: Latents, betas: Betas, dt: float) -> int:
    """How many steps an interval dt needs to be stable near these latents."""
    radius = spectral_radius(dynamics, alphas, betas)
    return min(MOST, max(1, math.ceil(radius * dt / REACH))) if math.isfinite(radius) else MOST


def integrate(
    dynamics: Velocity,
    alphas: Latents,
    times: Float[np.ndarray, " time"],
    betas: Betas,
    dt: float,
    substeps: int | None,
    rtol: float = RTOL,
    atol: float = ATOL,
) -> Float[np.ndarray, "batch time k"]:
    """The latents at times after theirs, in any order. dt: between two knots. substeps: None for adaptive steps."""
    times = np.asarray(times, np.float64)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or (times < 0).any():
        wrong = times[~(times >= 0)][:1] if times.ndim == 1 else times.shape
        raise BadInput(f"times={wrong}: expected numbers of at least 0, counted from the observation")
    alphas = _as_moved(dynamics, alphas, betas)
    ahead = times.max() / dt * (substeps or 1)
    if not ahead <= LONGEST:
        raise BadInput(f"times: {times.max():g} is {ahead:.3g} steps ahead; expected at most {LONGEST:g}: end before")
    knots = max(1, math.ceil(times.max() / dt - KNOT))
    if substeps is None:
        return _adaptive(dynamics, alphas, times, betas, dt, knots, rtol, atol)
    h = dt / substeps
    places = times / h
    places = np.where(np.abs(places - np.round(places)) <= KNOT * substeps, np.round(places), places)
    before = np.minimum(np.floor(places), knots * substeps - 1).astype(np.int32)
    return _fixed(dynamics, alphas, betas, h, knots * substeps, before, (places - before).astype(alphas.dtype))


def _fixed(
    dynamics: Velocity, alphas: Latents, betas: Betas, h: float, n: int, before: np.ndarray, share: np.ndarray
) -> Float[np.ndarray, "batch time k"]:
    """n steps; then the cubic of step `before` at this share of it.

    Room for steps and times is a power of two: a few programs then do for any number of either.
    """
    count, room = len(before), 1 << (n - 1).bit_length()
    before, share = (np.pad(each, (0, (1 << (count - 1).bit_length()) - count)) for each in (before, share))
    return np.asarray(_stepped(dynamics, alphas, betas, h, n, before, share, room))[:, :count]


@jax.jit(static_argnames="room")
def _stepped(
    dynamics: Velocity, alphas: Latents, betas: Betas, h: Any, n: Any, before: Any, share: Any, room: int
) -> Array:
    h = jnp.asarray(h, alphas.dtype)

    def step(i: Any, carried: Any) -> Any:
        ys, ks = carried
        y, k = bogacki_shampine(dynamics, ys[i], ks[i], betas, h)
        return ys.at[i + 1].set(y), ks.at[i + 1].set(k)

    first = (alphas, slope(dynamics, alphas, betas))
    y, k = jax.lax.fori_loop(0, n, step, tuple(_first_of(each, room + 1) for each in first))
    s = share[:, None, None]
    a, b = (1 + 2 * s) * (1 - s) ** 2, s * (1 - s) ** 2
    c, d = s**2 * (3 - 2 * s), s**2 * (s - 1)
    found = a * y[before] + c * y[before + 1] + h * (b * k[before] + d * k[before + 1])
    return jnp.moveaxis(found, 0, 1)


def _first_of(value: Array, count: int) -> Array:
    return jnp.zeros((count, *value.shape), value.dtype).at[0].set(value)


def _adaptive(
    dynamics: Velocity, alphas: Latents, times: Any, betas: Betas, dt: float, knots: int, rtol: float, atol: float
) -> Float[np.ndarray, "batch time k"]:
    """Each trajectory with steps of its own; a step ends at each knot, so that later knots change nothing before."""
    order = np.argsort(times, kind="stable")
    ends = jnp.asarray(dt * np.arange(knots + 1), alphas.dtype)
    found = _solve(dynamics, alphas, betas, ends, jnp.asarray(np.minimum(times[order], dt * knots)), rtol, atol)
    return np.asarray(found)[:, np.argsort(order, kind="stable")]


@jax.jit
def _solve(dynamics: Velocity, alphas: Latents, betas: Betas, ends: Any, times: Any, rtol: Any, atol: Any) -> Array:
    import diffrax

    control = diffrax.ClipStepSizeController(diffrax.PIDController(rtol=rtol, atol=atol), step_ts=ends)
    term = diffrax.ODETerm(lambda t, y, beta: dynamics(y, beta))
    times = times.astype(alphas.dtype)

    def one(alpha: Any, beta: Any) -> Any:
        return diffrax.diffeqsolve(
            term,
            diffrax.Bosh3(),
            ends[0],
            ends[-1],
            ends[1] - ends[0],
            alpha,
            beta,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=control,
            max_steps=MAX_STEPS,
            throw=False,
        ).ys

    return jax.vmap(one, (0, None if betas is None else 0))(alphas, betas)
