"""What some orders cover, counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import perm

import numpy as np

from parataxis.audit.covering import uncovered

MOST_ITEMS = 60  # for more, triples are not counted


@dataclass(frozen=True)
class Coverage:
    """What all orders tried, the base order among them, cover: each count of how many there are.

    pairs: two items in a relative order; neighbours: one item right after another; places: an item in a place;
    triples: three items in a relative order, None for more than 60 items.
    """

    orders: int
    pairs: tuple[int, int]
    neighbours: tuple[int, int]
    places: tuple[int, int]
    triples: tuple[int, int] | None

    def __str__(self) -> str:
        names = {"pairs of items in both orders": self.pairs, "neighbours": self.neighbours, "places": self.places}
        if self.triples:
            names["triples in all orders"] = self.triples
        parts = [f"{_part(*counts)} {name}" for name, counts in names.items()]
        return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _part(covered: int, there: int) -> str:
    """Never rounded up to all."""
    return "all" if covered == there else f"{int(1000 * covered / there) / 10:g} % of the"


def coverage(orders: Sequence[tuple[int, ...]], n: int) -> Coverage:
    """Count it for orders of range(n)."""
    table = np.array(orders)
    place = np.zeros((n, n), bool)
    place[table, np.arange(n)] = True
    next_to = np.zeros((n, n), bool)
    next_to[table[:, :-1], table[:, 1:]] = True
    pairs = perm(n, 2)
    triples = perm(n, 3) if 3 <= n <= MOST_ITEMS else 0
    return Coverage(
        len(orders),
        (pairs - uncovered(table, 2), pairs),
        (int(next_to.sum()), pairs),
        (int(place.sum()), n * n),
        (triples - uncovered(table, 3), triples) if triples else None,
    )
