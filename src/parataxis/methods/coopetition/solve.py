"""Where nobody wants to move, for many games at once: one scalar equation a game.

Only the synergy g = prod a_i^c_i couples the actors. At a given g each has one best action a_i(g), and what is left is
F(l) = sum c_i ln a_i(e^l) - l = 0. Each a_i rises in g by less than in proportion, so F falls, and its root is the only
one. Newton, kept in a bracket.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

STEPS = 200
TOLERANCE = 1e-12  # of ln g
FLAT = 0.01  # a slope below which rounding of F, not its root, decides
CHUNK = 8192  # games at once: their arrays stay in the cache


@dataclass(frozen=True)
class Solved:
    """actions. iterations: Newton's, of each game. converged: whether the last step was within the tolerance."""

    actions: Float[np.ndarray, "game actor"]
    iterations: Int[np.ndarray, " game"]
    converged: Bool[np.ndarray, " game"]


def solve(
    value: Any,
    k: Float[np.ndarray, "game actor"],
    c: Float[np.ndarray, " actor"],
    low: Any,
    high: Any,
    start: float | None = None,
) -> Solved:
    """k[b, i] = w_i gamma c_i; the actions lie in [low, high] (numbers, or arrays of the shape of k; high may be inf).

    value: its parameters are numbers, one an actor, or of shape (game, 1). start: of ln g. For values that have an
    `action`. A game of which an actor is held (low = high) is that of the others: so are followers' reactions found.
    """
    games = len(k)
    if games <= CHUNK:
        return _solve(value, k, c, low, high, start)
    parts = []
    for at in range(0, games, CHUNK):
        some = slice(at, at + CHUNK)
        bottom, top = (each[some] if np.ndim(each) == 2 and len(each) == games else each for each in (low, high))
        parts.append(_solve(_some(value, some, games), k[some], c, bottom, top, start))
    return Solved(*(np.concatenate([getattr(part, name) for part in parts]) for name in Solved.__annotations__))


def _some(value: Any, some: slice, games: int) -> Any:
    parameter = getattr(value, value.parameter)
    if np.ndim(parameter) == 2 and len(parameter) == games:
        return type(value)(parameter[some])
    return value


def _solve(value: Any, k: Any, c: Any, low: Any, high: Any, start: float | None) -> Solved:
    with np.errstate(divide="ignore"):
        floor = np.minimum(np.maximum(value.alone + 0 * k, low), high)  # what each does without synergy: g is no less
        left, right = np.log(floor) @ c, (np.log(high) + 0 * k) @ c
        still = left == -np.inf  # somebody is held at 0: there is no synergy, and nothing to solve
        log_g = np.where(still, 0.0, left) if start is None else np.minimum(np.maximum(start, left), right)
        count, actions, done, some_still = np.zeros(len(k), int), floor, still, bool(still.any())
        for _ in range(STEPS):
            actions, gap, slope = _gap(value, k, c, low, high, log_g)
            above = gap >= 0
            left, right = np.where(above, log_g, left), np.where(above, right, log_g)
            log_g = log_g - gap / slope
            outside = (log_g < left) | (log_g > right)
            if outside.any():
                log_g = np.where(outside, np.where(right == np.inf, left + 2, 0.5 * (left + right)), log_g)
            if some_still:
                log_g = np.where(still, 0.0, log_g)
            count += ~done
            done = still | (np.abs(gap) <= TOLERANCE * np.maximum(-slope, FLAT))
            if done.all():
                break
    return Solved(np.where(still[:, None], floor, actions) if some_still else actions, count, done)


def _gap(value: Any, k: Any, c: Any, low: Any, high: Any, log_g: Any) -> tuple[Any, Any, Any]:
    """The actions at g, F and F', as functions of ln g."""
    q = k * np.exp(log_g)[:, None]
    free = value.action(q)
    a = np.minimum(np.maximum(free, low), high)
    # d ln a / d ln q; 0 where a is held by the box
    elasticity = (a == free) * q / (free * value.stiffness(free))
    return a, np.log(a) @ c - log_g, elasticity @ c - 1
