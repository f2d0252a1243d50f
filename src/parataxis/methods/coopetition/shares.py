"""Who adds how much, and rules by which what is created together may be shared."""

from collections.abc import Callable
from functools import cache
from itertools import permutations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.coopetition.interdependence import ROUNDING, numbers_of
from parataxis.methods.coopetition.values import synergy_value

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game

METHODS = ("given", "equal", "contractual", "power", "shapley")
ORDERS = 20_000  # drawn, where there are too many
EXACT = 8  # actors up to which every order of joining counts
Z = 1.959964  # of a 95 % interval


def worth(game: "Game", a: Float[np.ndarray, " actor"]) -> Callable[[int], float]:
    """v(S) at fixed actions, S as bits: what its members create, costs not counted; a single one has no synergy."""
    n = len(game.names)
    alone = np.broadcast_to(game.value.value(a), n)

    @cache
    def v(members: int) -> float:
        inside = [i for i in range(n) if members >> i & 1]
        total = float(alone[inside].sum())
        return total + (game.gamma * float(_synergy(game, a, inside)) if len(inside) > 1 else 0.0)

    return v


def _synergy(game: "Game", a: Any, inside: list[int]) -> Any:
    """Of some of the actors: exponents are theirs, over their sum."""
    if isinstance(game.synergy, str):
        return synergy_value(game.synergy, a[inside])
    c = game.c[inside]
    return synergy_value(tuple(c / c.sum()), a[inside])


def added_value(game: "Game", a: Float[np.ndarray, " actor"]) -> Float[np.ndarray, " actor"]:
    """v(N) - v(N without i)."""
    v, n = worth(game, a), len(game.names)
    everyone = 2**n - 1
    return np.array([v(everyone) - v(everyone & ~(1 << i)) for i in range(n)])


def shapley(game: "Game", a: Float[np.ndarray, " actor"]) -> Float[np.ndarray, " actor"]:
    """What each adds on average over all orders of joining; their sum is v(N). Exact up to 20 actors."""
    v, n = worth(game, a), len(game.names)
    if n > 20:
        raise BadInput(
            f"shapley: {n} actors make 2^{n} coalitions; expected at most 20; use join_orders(game, a, rng=...)"
        )
    found = np.zeros(n)
    for members in range(2**n):
        size = members.bit_count()
        for i in range(n):
            if not members >> i & 1:
                found[i] += (v(members | 1 << i) - v(members)) / (n * comb(n - 1, size))
    return found


def join_orders(
    game: "Game", a: Float[np.ndarray, " actor"], rng: np.random.Generator | None = None, orders: int = ORDERS
) -> pd.DataFrame:
    """What each adds by its place in the order of joining: a row an actor and place, place 0 for all places.

    Columns: actor, place (1 is first), mean, low, high, least, most. Up to 8 actors every order counts and low = high =
    mean; beyond, `orders` drawn ones, and low to high is a 95 % interval. The mean over all places is Shapley's value.
    """
    n, v = len(game.names), worth(game, a)
    if n <= EXACT:
        arrivals = np.array(list(permutations(range(n))))
    else:
        rng = rng or np.random.default_rng(0)
        arrivals = rng.permuted(np.tile(np.arange(n), (orders, 1)), axis=1)
    added, place = np.empty(arrivals.shape), np.empty(arrivals.shape, int)
    for row, order in enumerate(arrivals.tolist()):
        members, before = 0, 0.0
        for at, i in enumerate(order):
            members |= 1 << i
            now = v(members)
            added[row, i], place[row, i], before = now - before, at + 1, now
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(game.names):
        for at in range(n + 1):
            some = added[:, i] if at == 0 else added[place[:, i] == at, i]
            wide = 0.0 if n <= EXACT else Z * some.std(ddof=1) / np.sqrt(len(some))
            mean = float(some.mean())
            ends = {"mean": mean, "low": mean - wide, "high": mean + wide}
            rows.append({"actor": name, "place": at, **ends, "least": float(some.min()), "most": float(some.max())})
    return pd.DataFrame(rows)


def by_place(joined: pd.DataFrame, n: int) -> pd.DataFrame:
    """`join_orders` with a row an actor, in their order, and a column a place; over all of them what is all orders'
    up to 8 actors, and beyond the drawn ones' mean, with the ends of its interval.
    """
    every = joined[joined["place"] == 0].set_index("actor")
    places = joined[joined["place"] > 0].pivot(index="actor", columns="place", values="mean").reindex(every.index)
    drawn = {"mean": "drawn orders", "low": "low", "high": "high"}
    first = every[["mean"]].set_axis(["all orders"], axis=1) if n <= EXACT else every[list(drawn)].rename(columns=drawn)
    return pd.concat([first, places], axis=1).rename_axis(columns=None).reset_index()


def shares(game: "Game", method: str = "given", a: Any = None, weights: Any = None) -> Float[np.ndarray, " actor"]:
    """Shares that sum to 1: the game's own ("given"), "equal", agreed ones ("contractual", weights sum to 1), by
    bargaining power ("power", weights of any sum; the paper's own rule could not be read), or by Shapley's value at the
    actions a, the equilibrium's if none are given. Raises BadInput.
    """
    n = len(game.names)
    if method not in METHODS:
        raise BadInput(f"method={method!r}: expected {', '.join(map(repr, METHODS))}")
    if (weights is not None) != (method in ("contractual", "power")):
        raise BadInput(f"weights={weights!r}: 'contractual' and 'power' need them, one an actor, and nothing else does")
    if method == "given":
        return game.alpha.copy()
    if method == "equal":
        return np.full(n, 1 / n)
    if method == "shapley":
        found = shapley(game, game.equilibrium().actions if a is None else numbers_of("a", a, n))
        return found / found.sum()
    b = np.asarray(weights, float)
    if b.shape != (n,) or not np.all(np.isfinite(b) & (b >= 0)) or b.sum() == 0:
        raise BadInput(f"weights={b.tolist()}: expected {n} numbers of at least 0, one an actor, not all 0")
    if method == "contractual" and abs(b.sum() - 1) > ROUNDING:
        raise BadInput(f"weights={b.tolist()}: sum to {b.sum():g}; expected 1, or method='power'")
    return b / b.sum()
