"""What one pass over all vertices costs, counted: multiply-adds, which no machine and no library changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.distill import Recipe
from parataxis.nn.hypergraph import Hypergraph

CLAIMS = ("work-materialised", "work-factorised")
NAMED = "dblp_term"  # the data set of the claims
N, EDGES, DIMENSION, CLASSES = 55_000, 5_500, 64, 6  # of the synthetic hypergraphs


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one forward pass. laplacian: non-zeros of the vertex-by-vertex matrix."""

    name: str
    laplacian: int
    memberships: int
    materialised: int
    factorised: int
    student: int


def cost(name: str, hypergraph: Hypergraph, nonzeros: int, classes: int, recipe: Recipe) -> Cost:
    """nonzeros: of the features. The teacher has recipe.teacher_hidden units, the student recipe.hidden."""
    hypergraph = hypergraph.with_singletons()
    n, small, large, pairs = hypergraph.n, recipe.teacher_hidden, recipe.hidden, len(hypergraph.members)
    laplacian, linear = laplacian_size(hypergraph), nonzeros * small + n * small * classes
    return Cost(
        name,
        laplacian,
        pairs,
        linear + laplacian * (small + classes),
        linear + 2 * pairs * (small + classes),
        nonzeros * large + n * large * classes,
    )


def laplacian_size(hypergraph: Hypergraph) -> int:
    """How many pairs of vertices share a hyperedge, counted row by row: the matrix itself is never made."""
    from scipy.sparse import csr_array

    incidence = csr_array(hypergraph.incidence()).astype(bool)
    transposed, total = csr_array(incidence.T), 0
    for first in range(0, hypergraph.n, 512):
        total += (incidence[first : first + 512] @ transposed).nnz
    return total


def synthetic(size: int, rng: np.random.Generator) -> Hypergraph:
    """As in the paper's timing: EDGES hyperedges of `size` of N vertices, drawn at random."""
    return Hypergraph.from_edges([rng.choice(N, size, replace=False) for _ in range(EDGES)], N)


def measure(data: dict[str, Dataset], recipe: Recipe, real: bool, rng: Any) -> Iterator[Measurement | Table]:
    found = [cost(name, each.hypergraph, each.x.nnz, len(each.classes), recipe) for name, each in data.items()]
    if real:
        for size in (10, 100):
            made = synthetic(size, rng("synthetic", size))
            found.append(cost(f"synthetic, edges of {size}", made, N * DIMENSION, CLASSES, recipe))
    rows: list[list[Any]] = [
        [
            each.name,
            each.memberships,
            each.laplacian,
            *(round(number / 1e6, 2) for number in (each.materialised, each.factorised, each.student)),
            round(each.materialised / each.student, 2),
            round(each.factorised / each.student, 2),
        ]
        for each in found
    ]
    columns = (
        *("hypergraph", "memberships", "Laplacian's non-zeros"),
        *("HGNN, Laplacian", "HGNN, factorised", "student"),
        *("Laplacian / student", "factorised / student"),
    )
    caption = (
        f"Millions of multiply-adds of one pass over all vertices; hidden units {recipe.teacher_hidden} in the "
        f"teacher, {recipe.hidden} in the student. benchmarks/light_hgnn.py times them."
    )
    yield Table("work", columns, rows, caption)
    chosen = next((each for each in found if each.name == NAMED), found[0])
    for claim, number in zip(CLAIMS, (chosen.materialised, chosen.factorised), strict=True):
        ratio = number / chosen.student
        yield Measurement(claim, ratio, ratio, ratio, 1, real=real, data=chosen.name)
