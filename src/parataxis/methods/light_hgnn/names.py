"""The order of names, in which models are trained, so that nothing that is drawn depends on where a vertex stands.

Weights, dropout and noise are drawn for one vertex after the other, and masks for one hyperedge after the other: in
the order of the rows, another order of the file would be another draw.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput
from parataxis.nn.hypergraph import Hypergraph


def by_name(ids: Sequence[Any]) -> Int[np.ndarray, " vertex"]:
    """The places of the ids: whole numbers as they count, then all others by their text. BadInput for an id twice."""
    keys = [(0, int(each), "") if isinstance(each, Integral) else (1, 0, str(each)) for each in ids]
    seen: dict[Any, int] = {}
    for place, key in enumerate(keys):
        if seen.setdefault(key, place) != place:
            raise BadInput(f"ids[{place}]={ids[place]!r} is that of row {seen[key]} too; give each vertex its own")
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def arranged(hypergraph: Hypergraph, order: Int[np.ndarray, " vertex"]) -> tuple[Hypergraph, Int[np.ndarray, " edge"]]:
    """The vertices in this order, the hyperedges in that of their members; and where each hyperedge stood.

    Equal hyperedges of equal weight may change places: nothing tells them apart.
    """
    moved = hypergraph.restricted(order)
    keys = [(members.tolist(), weight) for members, weight in zip(moved, moved.weights.tolist(), strict=True)]
    edges = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
    return moved.only(edges), edges
