"""What a reduced model asks of a solver: its time derivative, with gradients; and the check that these hold."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.snapshots import Snapshots

Field = Float[Array, "channel *grid"]
Beta = Float[Array, " p"] | None
NOISE = 0.1  # of a field's spread, added where the solver must stand a field that is not admissible
STEPS = (
    1e-1,
    1e-2,
    1e-3,
)  # of finite differences, relative to the field: the best counts, as rounding spoils the least
# The relative error that a gradient may have against finite differences. Central ones miss by h^2, and by the rounding
# of a stepper's slope, 6e-8 / (h dt): at the best of the steps h, below 1e-4 for the solvers of the study, and up to
# 1e-2 for a dt of 1e-4; limiters have kinks besides.
GRADIENT = 0.02
SAME = 1e-4  # relative: jit and vmap against the plain call


class SolverRHS(eqx.Module):
    """A solver as the time derivative of its field: `rhs(u[channel, *grid], beta) -> du/dt`.

    It must be traceable by jax and have gradients; `check_solver` tells. `dt` is the step of a stepper, over which its
    slope is taken; 0 for an exact right-hand side.
    """

    slope: Callable[[Any, Any], Any] = eqx.field(static=True)
    advance: Callable[[Any, Any], Any] | None = eqx.field(static=True, default=None)
    dt: float = eqx.field(static=True, default=0.0)

    @classmethod
    def from_rhs(cls, f: Callable[[Any, Any], Any]) -> "SolverRHS":
        """f(u, beta) is du/dt."""
        return cls(f)

    @classmethod
    def from_stepper(cls, step: Callable[[Any, Any], Any], dt: float, n: Any = 1) -> "SolverRHS":
        """step(u, beta) is u after a time dt. The slope is the mean over n steps, (S^n(u) - u) / (n dt).

        It differs from the derivative by O(n dt).
        """
        if not (np.isfinite(dt) and dt > 0):
            raise BadInput(f"dt={dt}: expected the time of one step, a number above 0")
        if not isinstance(n, Integral) or n < 1:
            raise BadInput(f"n={n!r}: expected how many steps, a whole number of at least 1")

        count = int(n)

        def advance(u: Any, beta: Any) -> Any:
            for _ in range(count):
                u = step(u, beta)
            return u

        return cls(lambda u, beta: (advance(u, beta) - u) / (count * dt), advance, float(count * dt))

    @classmethod
    def from_callback(cls, apply: Callable[[Any, Any], Any], vjp: Callable[[Any, Any, Any], Any]) -> "SolverRHS":
        """A solver outside jax. apply(u, beta) is du/dt, vjp(u, beta, w) is w^T d(du/dt)/du, both on NumPy arrays.

        Under vmap the calls are made one by one. No gradient goes to beta.
        """

        def outside(function: Callable[..., Any], u: Any, *rest: Any) -> Any:
            like = jax.ShapeDtypeStruct(u.shape, u.dtype)

            def call(*given: Any) -> np.ndarray:
                return np.asarray(function(*map(_plain, given)), u.dtype)

            return jax.pure_callback(call, like, u, *rest, vmap_method="sequential")

        @jax.custom_vjp
        def slope(u: Any, beta: Any) -> Any:
            return outside(apply, u, beta)

        def backward(kept: Any, w: Any) -> Any:
            u, beta = kept
            return outside(vjp, u, beta, w), jax.tree.map(jnp.zeros_like, beta)

        slope.defvjp(lambda u, beta: (slope(u, beta), (u, beta)), backward)
        return cls(slope)

    def __call__(self, u: Field, beta: Beta = None) -> Any:
        """What the solver gives: like u, once `check_solver` has passed it."""
        return self.slope(u, beta)

    def flat(self, u: Float[Array, "channel node"], shape: tuple[int, ...], beta: Beta = None) -> Array:
        """The same on row-major nodes of a grid of this shape, as `Snapshots` numbers them."""
        return self.slope(u.reshape(-1, *shape), beta).reshape(u.shape)

    def step(self, u: Field, beta: Beta, dt: float) -> Any:
        """The field after a time dt: the stepper's own step where that is its own dt, else explicit Euler."""
        if self.advance is not None and abs(dt - self.dt) <= 1e-9 * self.dt:
            return self.advance(u, beta)
        return u + dt * self.slope(u, beta)


def _plain(value: Any) -> Any:
    return None if value is None else np.asarray(value)


# -- the check ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SolverReport:
    """What `check_solver` found. gradient: its relative error against finite differences. seconds: of one slope."""

    shape: tuple[int, ...]
    dtype: str
    gradient: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"solver on {self.shape} in {self.dtype}: finite, also on inadmissible fields; the same under jit and "
            f"vmap; gradient {self.gradient:.1e} off finite differences; {1e3 * self.seconds:.2g} ms a call"
        )


def check_solver(rhs: SolverRHS, u: Any, beta: Any = None, seed: int = 0) -> SolverReport:
    """Whether a reduced model can be trained with this solver, tried on one field u [channel, *grid].

    Checked: shape, dtype, finite on this field and on others as a decoder makes them; jit, vmap; and the gradient,
    which must not be zero and must agree with finite differences. Raises BadInput.
    """
    u = jnp.asarray(u)
    beta = None if beta is None else jnp.asarray(beta, u.dtype)
    plain = _call(rhs, u, beta)
    _check_output(u, plain)
    for name, field in _inadmissible(u, seed).items():
        _check_finite(_call(rhs, field, beta), f"on {name}, as a decoder makes them in training")
    _check_transforms(rhs, u, beta, plain)
    error = _check_gradient(rhs, u, beta, seed)
    jitted = jax.jit(rhs)
    jax.block_until_ready(jitted(u, beta))
    begun = time.perf_counter()
    jax.block_until_ready(jitted(u, beta))
    return SolverReport(tuple(u.shape), str(u.dtype), error, time.perf_counter() - begun)


def slope_gap(rhs: SolverRHS, data: Snapshots) -> float:
    """How far the solver's slope is from the data's own, relative: the median over inner times of all trajectories.

    The data's slope is the central difference of its snapshots. What is left of it in a good match is O(dt^2) of the
    data and O(dt) of a stepper's slope: the floor under every model that is trained on that slope. A gap near or above
    1 says that solver and data are of other equations, units or axes.
    """
    fields, call, gaps = data.fields(), jax.jit(rhs), []
    if len(data.t) < 3:
        raise BadInput(f"t: holds {len(data.t)} times; the slope of data needs at least 3")
    for n, trajectory in enumerate(fields):
        for j in range(1, len(data.t) - 1):
            seen = (trajectory[j + 1] - trajectory[j - 1]) / (data.t[j + 1] - data.t[j - 1])
            told = np.asarray(call(jnp.asarray(trajectory[j]), _jax(data.beta(n))))
            gaps.append(np.linalg.norm(told - seen) / max(float(np.linalg.norm(seen)), 1e-12))
    return float(np.median(gaps))


def _jax(value: Any) -> Any:
    return None if value is None else jnp.asarray(value)


def _call(rhs: SolverRHS, u: Any, beta: Any) -> Any:
    try:
        return rhs(u, beta)
    except BadInput:
        raise
    except Exception as error:  # whatever the user's own solver raises
        said = str(error).strip().splitlines()
        raise BadInput(
            f"solver: raised {type(error).__name__} on a field of shape {tuple(u.shape)}: {said[0] if said else ''}; "
            "expected f(u[channel, *grid], beta) -> du/dt"
        ) from None


def _check_output(u: Any, found: Any) -> None:
    if not hasattr(found, "shape") or not hasattr(found, "dtype"):
        raise BadInput(f"solver: returns {type(found).__name__}; expected an array like its field")
    if tuple(found.shape) != tuple(u.shape):
        raise BadInput(
            f"solver: returns shape {tuple(found.shape)} for a field of shape {tuple(u.shape)}; expected the same, "
            "[channel, *grid]"
        )
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise BadInput(f"solver: returns {found.dtype}; expected {u.dtype}: whole or complex numbers have no gradient")
    _check_finite(found, "on the given field")


def _check_finite(found: Any, where: str) -> None:
    wrong = int((~np.isfinite(np.asarray(found))).sum())
    if wrong:
        raise BadInput(
            f"solver: returns {wrong} of {found.size} values that are not finite {where}; clip inside it what it can't "
            "take (roots and logarithms of negative numbers)"
        )


def _inadmissible(u: Any, seed: int) -> dict[str, Any]:
    """Fields that no run of the solver would hold, but a decoder does: early in training, and always a little.

    Here and below what is no solver's is computed by NumPy, for which nothing need be compiled.
    """
    u = np.asarray(u)
    axes = tuple(range(1, u.ndim))
    mean, spread = u.mean(axes, keepdims=True), u.std(axes, keepdims=True)
    noise = np.random.default_rng(seed).normal(size=u.shape)
    fields = {
        "the field's mean everywhere": np.broadcast_to(mean, u.shape),
        f"the field with {NOISE:.0%} noise": u + NOISE * spread * noise,
        "its mirror image about the mean": 2 * mean - u,
    }
    return {name: jnp.asarray(each, u.dtype) for name, each in fields.items()}


def _check_transforms(rhs: SolverRHS, u: Any, beta: Any, plain: Any) -> None:
    plain, half = np.asarray(plain), jnp.asarray(0.5 * np.asarray(u))
    size = float(np.abs(plain).max()) + 1e-30
    batch = jnp.asarray(np.stack([u, half]))
    ways: dict[str, tuple[Callable[[], Any], Any]] = {
        "jit": (lambda: jax.jit(rhs)(u, beta), plain),
        "vmap": (
            lambda: jax.jit(jax.vmap(lambda field: rhs(field, beta)))(batch),
            np.stack([plain, _call(rhs, half, beta)]),
        ),
    }
    for name, (way, wanted) in ways.items():
        try:
            found = way()
        except Exception as error:
            said = str(error).strip().splitlines()
            raise BadInput(
                f"solver: fails under jax.{name} ({type(error).__name__}: {said[0] if said else ''}); write it in "
                "jax.numpy without branches on values, or pass it by SolverRHS.from_callback"
            ) from None
        gap = float(np.abs(np.asarray(found) - wanted).max()) / size
        if not gap <= SAME:
            raise BadInput(
                f"solver: differs by {gap:.1e} under jax.{name}; expected at most {SAME:g}: it keeps a state"
            )


def _check_gradient(rhs: SolverRHS, u: Any, beta: Any, seed: int) -> float:
    """The reverse derivative along w against central differences along v, where w is the direction that v moves."""
    at = np.asarray(u, np.float64)
    v = np.random.default_rng(seed + 1).normal(size=at.shape)
    size = np.sqrt(np.square(at).mean(tuple(range(1, at.ndim)), keepdims=True))  # each channel has units of its own
    v *= np.where(size > 0, size, max(1e-6, min(size[size > 0], default=0.0)))

    forward = jax.jit(lambda field: rhs(field, beta))
    pull = jax.jit(lambda w: jax.vjp(forward, u)[1](w))

    def moved(h: float) -> Any:
        return np.asarray(forward(jnp.asarray(at + h * v, u.dtype)), np.float64)

    try:
        moves = [(moved(h) - moved(-h)) / (2 * h) for h in STEPS]
        pulled = [np.asarray(pull(jnp.asarray(w, u.dtype))[0], np.float64) for w in moves]
    except Exception as error:
        said = str(error).strip().splitlines()
        raise BadInput(
            f"solver: has no reverse gradient ({type(error).__name__}: {said[0] if said else ''}); write it in "
            "jax.numpy, or give its vjp by SolverRHS.from_callback"
        ) from None
    if not all(np.isfinite(each).all() for each in pulled):
        raise BadInput("solver: its gradient is not finite; look for a root, a norm or a division at zero")
    if not any(each.any() for each in pulled):
        raise BadInput(
            "solver: its gradient is zero everywhere, though jax raised no error; its backend does not differentiate "
            "(XLB's Warp backend does so: use its JAX backend), or it rounds, or stops gradients"
        )
    errors = []
    for w, back in zip(moves, pulled, strict=True):
        size = float(np.vdot(w, w))
        errors.append(abs(float(np.vdot(back, v)) - size) / size if size > 0 else np.inf)
    if not min(errors) <= GRADIENT:
        raise BadInput(
            f"solver: its gradient is {min(errors):.1e} off finite differences; expected at most {GRADIENT:g}: is part "
            "of it detached (stop_gradient, a wrong vjp), or does it jump?"
        )
    return min(errors)
