"""Best responses, for values and synergies of any form: a grid brackets every local best, a root makes it exact."""

from typing import Any

import numpy as np
import scipy  # and scipy.optimize, which takes 0.3 s, with the first root
from jaxtyping import Float

POINTS = 401
ROUNDS = 2000
TOLERANCE = 1e-12
FAR = 1e9  # where actions are unbounded


def best_response(game: Any, i: int, a: Float[np.ndarray, " actor"], low: float, high: float) -> float:
    """What is best for actor i as long as the others do a: the maximum of f(x) - x + w_i gamma g(x, others)."""
    high = min(high, FAR)
    if low == high:
        return low
    start = max(low, 1e-9)
    x = np.unique(np.concatenate([[low], np.geomspace(start, high, POINTS), np.linspace(low, high, POINTS)]))
    slope = _slope(game, i, a, x)
    # from rising to falling: a maximum lies between
    tops = np.flatnonzero((slope[:-1] > 0) & (slope[1:] <= 0))
    at = [_root(game, i, a, float(x[each]), float(x[each + 1])) for each in tops]
    at += [low] * bool(slope[0] <= 0) + [high] * bool(slope[-1] > 0)
    return max(at, key=lambda each: _own(game, i, a, each))


def _root(game: Any, i: int, a: Any, left: float, right: float) -> float:
    def slope(x: float) -> float:
        return float(_slope(game, i, a, np.array([x]))[0])

    if game.synergy == "min":  # its slope jumps where x is the least of all
        others = float(np.delete(a, i).min())
        if left <= others <= right and slope(np.nextafter(others, 0)) > 0 and slope(np.nextafter(others, np.inf)) <= 0:
            return others
    return right if slope(right) > 0 else float(scipy.optimize.brentq(slope, left, right, xtol=1e-14, rtol=1e-15))


def _slope(game: Any, i: int, a: Any, x: Any) -> Any:
    """d U_i / d x: only what is i's own, and the synergy, moves."""
    theirs = np.delete(a, i)
    own = game.of_actor(i)
    if game.synergy == "min":
        by_synergy = (x < theirs.min()).astype(float)
    elif game.synergy == "mean":
        by_synergy = np.full(x.shape, 1 / len(a))
    else:
        c = game.c
        with np.errstate(divide="ignore"):
            by_synergy = c[i] * np.prod(theirs ** np.delete(c, i)) * x ** (c[i] - 1)
    return own.slope(x) - 1 + game.w[i] * game.gamma * by_synergy


def _own(game: Any, i: int, a: Any, x: float) -> float:
    moved = a.copy()
    moved[i] = x
    return float(game.utilities(moved)[i])


def by_responses(
    game: Any, low: Any, high: Any, start: Any = None, order: Any = None
) -> tuple[Float[np.ndarray, " actor"], int, bool]:
    """Actions, rounds and whether they came to rest: best responses one after another, from above.

    From the top, actions that urge each other on come down to the greatest equilibrium (with synergy "min" there are
    many). order: of the updates; "jacobi" for all at once. Where the rounds swing, steps are halved.
    """
    n = len(game.names)
    low, high = (np.broadcast_to(np.asarray(each, float), n) for each in (low, high))
    a = np.minimum(high, 10 * (1 + game.endowments)) if start is None else np.array(start, float)
    before, damping = np.inf, 1.0
    for count in range(1, ROUNDS + 1):
        last = a.copy()
        for i in range(n) if order in (None, "jacobi") else order:
            seen = last if order == "jacobi" else a
            a[i] += damping * (best_response(game, i, seen, low[i], high[i]) - a[i])
        steps = np.abs(a - last).max()
        if steps <= TOLERANCE * max(1.0, float(np.abs(a).max())) * damping:
            return a, count, True
        damping = damping / 2 if steps > 0.999 * before and count > 20 and damping > 0.05 else damping
        before = steps
    return a, ROUNDS, False
