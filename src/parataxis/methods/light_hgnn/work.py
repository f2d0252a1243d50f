"""What one pass over all vertices costs, counted: multiply-adds, which no machine and no library changes."""

from dataclasses import dataclass

import numpy as np

from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn

N, EDGES, DIMENSION, CLASSES = 55_000, 5_500, 64, 6  # of the synthetic hypergraphs


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one forward pass. laplacian: non-zeros of the vertex-by-vertex matrix.

    factorised: in two steps, or in one where the operator takes their product, which is that matrix.
    """

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
        linear + hgnn(hypergraph).work * (small + classes),
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
