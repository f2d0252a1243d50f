"""Sequence covering arrays: few orders in which every t items stand in each of their t! relative orders.

Kuhn, Higdon, Lawrence, Kacker and Lei, "Combinatorial methods for event sequence testing", ICST Workshops 2012, brought
them to testing. Here a greedy start (Chee, Colbourn, Horsley and Zhou, "Sequence covering arrays", SIAM J. Discrete
Math. 27, 2013: each order with its reverse, built by conditional expectation) is thinned by annealing: one order is
taken out, and items are moved to other places until nothing is uncovered again.

For t = 3 and n up to 36, `covering3.txt` beside this module holds what a longer run of the same search found: a line is
an array, an order is a word, an item is a digit in base 36. An array for n items holds one for every fewer (leave items
out). One line is made by

    python -m parataxis.audit.covering ITEMS ORDERS MOVES SEED

such as `10 9 4000 5`; `tests/audit/test_covering.py` has the numbers of every line.
"""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import factorial, perm
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

STORED = Path(__file__).with_name("covering3.txt")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MOVES = 5_000  # tries to do with one order less; the last, vain tries are most of the running time
HOT, COLD = 0.6, 0.4  # temperatures, in sequences; found by trial for n = 8 to 36
CELLS = 20_000  # of the tables that one move looks at: all orders for t = 3 and n up to 36


def uncovered(orders: Int[np.ndarray, "order item"], t: int) -> int:
    """How many of the n!/(n-t)! sequences of t distinct items stand in that relative order in none of the `orders`."""
    n = orders.shape[1]
    seen = np.zeros((n,) * t, bool)
    for order in orders:
        seen |= _covered(order, t)
    return perm(n, t) - int(seen.sum())


def covering_orders(n: int, t: int, seed: int = 0) -> Int[np.ndarray, "order item"]:
    """Orders of range(n), the first as it is, in which every t items stand in each of their relative orders.

    `seed` chooses among arrays; the same seed gives the same array. Memory and time grow with n**t.
    """
    rng = np.random.default_rng([seed, n, t])
    if t == 1:
        orders = np.arange(n)[None]
    elif t == 2:
        orders = np.stack([np.arange(n), np.arange(n)[::-1]])
    elif t == 3 and (known := _stored(n)) is not None:
        left = rng.permutation(known.shape[1])[:n]
        orders = np.stack([_among(order, left) for order in known[rng.permutation(len(known))]])
    else:
        orders = _thinned(_greedy(n, t, rng), t, MOVES, rng)
    return np.argsort(orders[0])[orders]  # rename the items so that the first order is 0, 1, 2, ...


def _among(order: Int[np.ndarray, " all"], items: Int[np.ndarray, " item"]) -> Int[np.ndarray, " item"]:
    """The order of the `items` alone, each called by its place in `items`."""
    return np.argsort(np.argsort(order)[items])


@cache
def _stored(n: int) -> Int[np.ndarray, "order all"] | None:
    """The smallest stored array of strength 3 that has at least n items."""
    arrays = [[[DIGITS.index(c) for c in word] for word in line.split()] for line in STORED.read_text().splitlines()]
    large_enough = [array for array in arrays if len(array[0]) >= n]
    return np.array(min(large_enough, key=len)) if large_enough else None


def _covered(order: Int[np.ndarray, " item"], t: int) -> Bool[np.ndarray, "..."]:
    """Element [a, b, c, ...] (t of them): a stands before b, b before c, ..."""
    place = np.argsort(order)
    before = np.less.outer(place, place)
    chain = np.ones(len(order), bool)
    for _ in range(t - 1):
        chain = chain[..., None] & before
    return chain


@cache
def _rising(size: int, t: int) -> Bool[np.ndarray, "..."]:
    """Element [i, j, ...] (t of them, each below size): i < j < ..."""
    return _covered(np.arange(size), t)


def _distinct(n: int, t: int) -> Bool[np.ndarray, "..."]:
    """Element [a, b, c, ...] (t of them): no two are the same item."""
    distinct = np.ones((n,) * t, bool)
    for pair in combinations(range(t), 2):
        distinct &= np.expand_dims(~np.eye(n, dtype=bool), tuple(set(range(t)) - set(pair)))
    return distinct


def _faces(worth: Shaped[np.ndarray, "..."], item: int) -> list[Shaped[np.ndarray, "..."]]:
    """The parts of `worth[a, b, c]` with a = item, with b = item, with c = item (views)."""
    return [worth[(slice(None),) * k + (item,)] for k in range(worth.ndim)]


def _gain(faces: list[Shaped[np.ndarray, "..."]], others: Int[np.ndarray, " other"]) -> Float[np.ndarray, " place"]:
    """What an item earns at each of the places among the `others`: the worth of the sequences that it completes there.

    `faces[k]` holds the worth of the sequences with the item at index k. These it completes when it stands after the
    first k of the other members and before the rest: every choice of others earns at a run of neighbouring places.
    Summing where the runs begin and end, then cumulating, treats all places at once.
    """
    t = len(faces)
    axes = tuple(range(t - 1))
    choice = np.ix_(*[others] * (t - 1))
    rising = _rising(len(others), t - 1)
    step = np.zeros(len(others) + 1)
    for k, face in enumerate(faces):
        earned = face[choice] * rising
        if k == 0:
            step[0] += earned.sum()
        else:
            step[1:] += earned.sum(axis=axes[: k - 1] + axes[k:])
        if k < t - 1:
            step[1:] -= earned.sum(axis=axes[:k] + axes[k + 1 :])
    return step.cumsum()


def _expected(worth: Bool[np.ndarray, "..."], waiting: Int[np.ndarray, " later"]) -> Iterator[Float[np.ndarray, "..."]]:
    """The worth of an order of fewer than t items, when the `waiting` items are later put in at random.

    Yields it for sequences of t, t - 1, ..., 2 items: of j + 1 places, a waiting item takes each with equal chance.
    """
    value = worth.astype(float)
    yield value
    for missing in range(1, worth.ndim - 1):
        value = sum(value.take(waiting, axis=axis).sum(axis=axis) for axis in range(value.ndim)) / value.ndim / missing
        yield value


def _greedy(n: int, t: int, rng: np.random.Generator) -> Int[np.ndarray, "order item"]:
    """Orders with their reverses, each built item by item where the expected number of new sequences is highest."""
    missing = _distinct(n, t)
    orders: list[Int[np.ndarray, " item"]] = []
    while missing.any():
        coming = rng.permutation(n)
        order = coming[:1]
        for later, item in enumerate(coming[1:].tolist(), 2):
            gains = [_gain(_faces(worth, item), order) for worth in _expected(missing, coming[later:])]
            order = np.insert(order, int(np.argmax(sum(gains))), item)
        order = _settled(order, missing)
        for each in (order, order[::-1]):
            missing &= ~_covered(each, t)
            orders.append(each)
    return np.stack(orders)


def _settled(order: Int[np.ndarray, " item"], missing: Bool[np.ndarray, "..."]) -> Int[np.ndarray, " item"]:
    """Move single items to better places until none has one."""
    best, before = int((_covered(order, missing.ndim) & missing).sum()), -1
    while best > before:
        before = best
        for item in order.tolist():
            others = order[order != item]
            order = np.insert(others, int(np.argmax(_gain(_faces(missing, item), others))), item)
        best = int((_covered(order, missing.ndim) & missing).sum())
    return order


def _thinned(
    orders: Int[np.ndarray, "order item"], t: int, moves: int, rng: np.random.Generator
) -> Int[np.ndarray, "fewer item"]:
    """Take out one order after another for as long as the rest can be repaired."""
    while len(orders) > factorial(t):
        fewer = _repaired(orders[:-1], t, moves, rng)
        if fewer is None:
            break
        orders = fewer
    return orders


def _repaired(
    orders: Int[np.ndarray, "order item"], t: int, moves: int, rng: np.random.Generator
) -> Int[np.ndarray, "order item"] | None:
    """Anneal until everything is covered; None if that takes more than `moves`.

    A move takes an item of an uncovered sequence to another place in one of the orders (one of some, if they are many),
    drawn in proportion to exp(how many more sequences are covered then / temperature).
    """
    orders = orders.copy()
    place = np.argsort(orders)
    chains = np.stack([_covered(order, t - 1) for order in orders])
    times = (~_distinct(orders.shape[1], t)).astype(np.int16)
    for order in orders:
        times += _covered(order, t)
    for move in range(moves):
        open_sequences = np.flatnonzero(times == 0)
        if not open_sequences.size:
            return orders
        item = int(np.unravel_index(open_sequences[rng.integers(len(open_sequences))], times.shape)[rng.integers(t)])
        rows = rng.permutation(len(orders))[: max(1, CELLS // chains[0].size)]
        faces, here = _faces(times, item), _standing(chains[rows], place[rows], item)
        alone = (here == np.stack(faces)[:, None]) & chains[rows]  # no other order covers these
        gain = _gain_elsewhere(alone, orders[rows], place[rows, item])
        chances = np.exp((gain - gain.max()) / (HOT * (COLD / HOT) ** (move / moves))).cumsum()
        which, to = divmod(int(np.searchsorted(chances, rng.random() * chances[-1], side="right")), gain.shape[1])
        row = rows[which]
        for face, covers in zip(faces, here[:, which], strict=True):
            face -= covers
        orders[row] = np.insert(orders[row][orders[row] != item], to - (to > place[row, item]), item)
        place[row], chains[row] = np.argsort(orders[row]), _covered(orders[row], t - 1)
        for face, covers in zip(faces, _standing(chains[row, None], place[row, None], item)[:, 0], strict=True):
            face += covers
    return None


def _standing(
    chains: Bool[np.ndarray, "row ..."], place: Int[np.ndarray, "row item"], item: int
) -> Bool[np.ndarray, "index row ..."]:
    """Element [k, row, a, b, ...] (t - 1 of them): a stands before b, ..., and the item after the first k of them."""
    t = chains.ndim
    standing = np.stack([chains] * t)
    for k in range(1, t):
        apart = tuple(axis for axis in range(1, t) if axis != k)
        standing[k] &= np.expand_dims(place < place[:, [item]], apart)
        standing[k - 1] &= np.expand_dims(place > place[:, [item]], apart)
    return standing


def _gain_elsewhere(
    alone: Bool[np.ndarray, "index row ..."], orders: Int[np.ndarray, "row item"], here: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "row place"]:
    """How many more sequences are covered when the item goes to each place of each order, -inf where that is no move.

    Place p is before the p-th item of the order as it stands. The sums tell what the item earns by passing each other.
    """
    t, each = len(alone), np.arange(len(orders))
    change = np.diff(alone.view(np.int8), axis=0)
    passed = sum(change[k].sum(axis=tuple(axis for axis in range(1, t) if axis != k + 1)) for k in range(t - 1))
    gain = np.zeros((len(orders), orders.shape[1] + 1))
    np.cumsum(passed[each[:, None], orders], axis=1, out=gain[:, 1:])
    gain -= gain[each, here, None]
    gain[each, here] = gain[each, here + 1] = -np.inf
    return gain


def _search(n: int, size: int, moves: int, seed: int) -> str | None:
    """A line of `covering3.txt`, or None if the search finds none."""
    rng = np.random.default_rng([seed, n, size])
    start = np.stack([rng.permutation(n) for _ in range(size)])
    orders = _repaired(start, 3, moves, rng)
    return None if orders is None else " ".join("".join(DIGITS[item] for item in order) for order in orders)


if __name__ == "__main__":
    print(_search(*map(int, sys.argv[1:5])) or "none found")
