"""Passing means through a hypergraph in two steps, vertices to hyperedges and back: O(memberships), never n x n.

The cost of a pass is a multiply-add an entry and column. Where the product of the two steps, which is the Laplacian of
those who make it, has no more entries than they have, as with many small or alike hyperedges, it is made once and taken
in their place: never larger than the steps, and sparse.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.sparse import Sparse

TRIED = 128  # multiplications a membership, at most, to make a product that may be small: about 4 us, once


@dataclass(frozen=True)
class Propagation:
    """x -> scatter(gather(x)).

    gather: edge x vertex, the mean over members, each scaled. scatter: vertex x edge, a weighted sum, scaled.
    product: vertex x vertex, scatter times gather, if it has no more entries than both, else None.
    """

    gather: Sparse
    scatter: Sparse
    product: Sparse | None = None

    def __call__(self, x: Float[Tensor, "vertex d"]) -> Float[Tensor, "vertex d"]:
        return self.scatter @ (self.gather @ x) if self.product is None else self.product @ x

    @property
    def work(self) -> int:
        """Multiply-adds of a pass, a column of x."""
        return self.gather.nnz + self.scatter.nnz if self.product is None else self.product.nnz


def propagation(
    hypergraph: Hypergraph,
    *,
    left: Float[np.ndarray, " vertex"],
    middle: Float[np.ndarray, " edge"] | None = None,
    right: Float[np.ndarray, " vertex"] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    multiply: bool = True,
) -> Propagation:
    """diag(left) H W diag(middle) D_e^-1 H' diag(right), the scalings folded into the two sparse factors.

    multiply: look for a small product; False for who takes the steps one by one.
    """
    vertex, edge = hypergraph.pairs
    by_edge = hypergraph.weights if middle is None else hypergraph.weights * middle
    into = 1 / hypergraph.sizes[edge] if right is None else right[vertex] / hypergraph.sizes[edge]
    back = left[vertex] * by_edge[edge]
    shape = (len(hypergraph), hypergraph.n)
    gather, scatter = (Sparse.of(edge, vertex, each, shape, dtype, device) for each in (into, back))
    product = _product(hypergraph, into, back) if multiply else None
    return Propagation(gather, scatter.T, None if product is None else Sparse(product, dtype, device))


def _product(
    hypergraph: Hypergraph, into: Float[np.ndarray, " membership"], back: Float[np.ndarray, " membership"]
) -> Any:
    """The steps multiplied, as CSR, if that leaves no more entries than they have.

    Not tried where a row would hold too much by its largest hyperedge alone, nor where it takes more than TRIED.
    """
    from scipy.sparse import csr_array

    sizes, memberships = hypergraph.sizes.astype(np.int64), len(hypergraph.members)
    largest = np.zeros(hypergraph.n, np.int64)
    np.maximum.at(largest, hypergraph.members, sizes.repeat(sizes))
    if largest.sum() > 2 * memberships or (sizes**2).sum() > TRIED * memberships:
        return None
    offsets, shape = hypergraph.offsets, (len(hypergraph), hypergraph.n)
    gather, scatter = (csr_array((values, hypergraph.members, offsets), shape=shape) for values in (into, back))
    product = csr_array(scatter.T) @ gather
    return product if product.nnz <= gather.nnz + scatter.nnz else None


def degrees(hypergraph: Hypergraph) -> Float[np.ndarray, " vertex"]:
    """D_v, by which to divide: BadInput if a vertex is in no hyperedge."""
    if hypergraph.isolated.any():
        alone = hypergraph.vertex_name(np.flatnonzero(hypergraph.isolated)[0])
        raise BadInput(f"vertex {alone!r} is in no hyperedge; call with_singletons() first")
    return hypergraph.degrees


def hgnn(hypergraph: Hypergraph, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu") -> Propagation:
    """D_v^-1/2 H W D_e^-1 H' D_v^-1/2: Feng et al., "Hypergraph Neural Networks", AAAI 2019, eq. 10."""
    root = degrees(hypergraph) ** -0.5
    return propagation(hypergraph, left=root, right=root, dtype=dtype, device=device)


def hgnn_plus(
    hypergraph: Hypergraph,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    multiply: bool = True,
) -> Propagation:
    """D_v^-1 H W D_e^-1 H', a mean to the hyperedges and a mean back: Gao et al., "HGNN+", TPAMI 2022, eq. 13."""
    left = 1 / degrees(hypergraph)
    return propagation(hypergraph, left=left, dtype=dtype, device=device, multiply=multiply)
