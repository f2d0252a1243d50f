"""Designs: which orders of n items to try, what they cover between them, and in how many orders.

A design holds orders of range(n); the system under audit gets the items in these orders.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Int

from parataxis.audit.covering import covering_orders
from parataxis.errors import BadInput

MOST_EXHAUSTIVE = 8  # 8! = 40,320 orders
MOST_SEQUENCES = 1_000_000  # cells of the table of n**t sequences that a covering array is built with


@dataclass(frozen=True)
class Design:
    """Orders to try (each row is a permutation of range(n)), and one sentence on what they cover."""

    name: str
    orders: Int[np.ndarray, "order item"]
    covers: str


def exhaustive(n: int) -> Design:
    """All n! orders, the identity first, in lexicographic order. BadInput for n > 8."""
    _at_least("exhaustive", n, 1)
    if n > MOST_EXHAUSTIVE:
        raise BadInput(
            f"exhaustive: n={n} items have too many orders, at most {MOST_EXHAUSTIVE} items can be tried in all; "
            "use the design random or covering"
        )
    orders = np.array(list(permutations(range(n))))
    return Design("exhaustive", orders, f"every one of the {len(orders)} orders of {n} items")


def random_orders(n: int, k: int, seed: int = 0) -> Design:
    """k orders drawn uniformly, with replacement. Row j depends on (seed, j) only, not on k."""
    _at_least("random", n, 1)
    _at_least("random", k, 1, "k")
    _at_least("random", seed, 0, "seed")
    orders = np.stack([np.random.default_rng([seed, row]).permutation(n) for row in range(k)])
    return Design("random", orders, f"{k} orders drawn uniformly from the {n}! orders of {n} items (seed {seed})")


def reverse(n: int) -> Design:
    """The given order backwards: with the given order, every two items in both relative orders."""
    _at_least("reverse", n, 1)
    return Design("reverse", np.arange(n)[::-1][None].copy(), "the given order backwards, in 1 order")


def williams(n: int) -> Design:
    """Every item in every place, and every ordered pair of neighbours, equally often: once, for odd n twice.

    n orders for even n, 2n for odd n. Williams, "Experimental designs balanced for the estimation of residual effects
    of treatments", Australian J. Scientific Research A 2, 1949.
    """
    _at_least("williams", n, 1)
    square = _zigzag_square(n)
    if n % 2 and n > 1:
        square = np.concatenate([square, square[:, ::-1]])
    times = "twice" if n % 2 and n > 1 else "once"
    covers = f"every item in every place and every ordered pair of neighbours {times}, in {len(square)} orders"
    return Design("williams", square, covers)


def tuscan(n: int) -> Design:
    """Every ordered pair of items next to each other at least once, and every item first in some order.

    n orders for even n (each pair exactly once), n + 1 for odd n > 1: the square for n + 1 without its last item.
    """
    _at_least("tuscan", n, 1)
    orders = _tuscan_square(n)
    covers = f"every ordered pair of items next to each other, every item first, in {len(orders)} orders"
    return Design("tuscan", orders, covers)


def tuscan_grouped(groups: Sequence[Sequence[int]]) -> Design:
    """As `tuscan`, for items in groups that stay together, such as the tests of a class.

    Every ordered pair of groups is next to each other, and so is every ordered pair within each group. The groups
    together hold every item of range(n) once. There are as many orders as the longest square needs; shorter ones
    start again from their first row.
    """
    sizes = [len(group) for group in groups]
    n = sum(sizes)
    if not groups or 0 in sizes or sorted(item for group in groups for item in group) != list(range(n)):
        raise BadInput(
            f"tuscan_grouped: groups={list(map(list, groups))} must hold each of 0 to n-1 once, in groups "
            "that are not empty; number the items from 0"
        )
    outer = _tuscan_square(len(groups))
    inner = [np.asarray(group)[_tuscan_square(len(group))] for group in groups]
    rows = max(map(len, [outer, *inner]))
    orders = np.stack(
        [np.concatenate([inner[g][row % len(inner[g])] for g in outer[row % len(outer)]]) for row in range(rows)]
    )
    covers = (
        f"every ordered pair of {len(groups)} groups, and of items within a group, "
        f"next to each other, groups kept together, in {rows} orders"
    )
    return Design("tuscan_grouped", orders, covers)


def covering(n: int, t: int = 3, seed: int = 0) -> Design:
    """Every t distinct items in every one of their t! relative orders (all n of them if n < t); see `covering.py`."""
    _at_least("covering", n, 1)
    _at_least("covering", t, 1, "t")
    _at_least("covering", seed, 0, "seed")
    t = min(t, n)
    if n**t > MOST_SEQUENCES:
        raise BadInput(
            f"covering: n={n} items have too many sequences of t={t}, n**t must be at most {MOST_SEQUENCES:,}; "
            "take a smaller t, or the design random"
        )
    orders = covering_orders(n, t, seed)
    return Design("covering", orders, f"every {t} items in each of their relative orders, in {len(orders)} orders")


DESIGNS: dict[str, Callable[[int, int, int], Design]] = {
    "exhaustive": lambda n, k, seed: exhaustive(n),
    "random": random_orders,
    "reverse": lambda n, k, seed: reverse(n),
    "williams": lambda n, k, seed: williams(n),
    "tuscan": lambda n, k, seed: tuscan(n),
    "covering": lambda n, k, seed: covering(n, seed=seed),
}


def make(name: str, n: int, *, k: int = 20, seed: int = 0) -> Design:
    """The design of this name for n items. Only `random` uses k, the number of orders; `covering` has t = 3."""
    if name not in DESIGNS:
        raise BadInput(f"design={name!r} is not known; use one of {', '.join(DESIGNS)}")
    return DESIGNS[name](n, k, seed)


def _at_least(design: str, value: int, least: int, name: str = "n") -> None:
    if value < least:
        raise BadInput(f"{design}: {name}={value} must be a whole number of at least {least}; give a larger {name}")


def _zigzag_square(n: int) -> Int[np.ndarray, "order item"]:
    """Row i is (z + i) mod n with z = 0, 1, n-1, 2, n-2, ...: for even n the steps in z are all different."""
    zigzag = [(place + 1) // 2 if place % 2 else (n - place // 2) % n for place in range(n)]
    return (np.array(zigzag) + np.arange(n)[:, None]) % n


def _tuscan_square(n: int) -> Int[np.ndarray, "order item"]:
    if n % 2 == 0 or n == 1:
        return _zigzag_square(n)
    square = _zigzag_square(n + 1)
    return square[square != n].reshape(n + 1, n)
