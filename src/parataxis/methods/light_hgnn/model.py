"""The teachers, two layers of a hypergraph network each, and the student, an MLP that sees one vertex."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from parataxis.errors import BadInput
from parataxis.nn import incidence
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import Propagation
from parataxis.nn.sparse import Sparse

Features = Any  # a Sparse, or Float[Tensor, "vertex d"]


class SparseLinear(nn.Linear):
    """A linear map whose input may be a `Sparse`; features of texts are 1 to 4 % dense."""

    def forward(self, x: Features) -> Float[Tensor, "vertex out"]:
        if isinstance(x, Sparse):
            return x @ self.weight.T + self.bias
        return super().forward(x)


class ByteDropout(nn.Module):
    """Dropout by one random byte a unit, so that p counts in steps of 1/256; else as nn.Dropout.

    Measured for 2,708 x 128 units on one thread: 1.1 ms, nn.Dropout 8.5 ms, half of a student's epoch.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise BadInput(f"dropout={p}: expected a share, from 0 to below 1")
        self.kept = max(1, round(256 * (1 - p)))  # of 256

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        if not self.training or self.kept == 256:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        drawn = words.view(torch.uint8)[: x.numel()].view(x.shape)
        return x * ((drawn < self.kept) * (256 / self.kept))


class _Teacher(nn.Module):
    """Two layers, ReLU and dropout between them; none before, and no BatchNorm."""

    def __init__(self, features: int, classes: int, hidden: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        self.first, self.second = SparseLinear(features, hidden), SparseLinear(hidden, classes)
        self.dropout = ByteDropout(dropout)

    # How this teacher passes means through a hypergraph: (hypergraph, dtype, device); made once, given to every call.
    propagation: ClassVar[Callable[..., Propagation]]

    def hidden(self, x: Features, through: Propagation) -> Float[Tensor, "vertex hidden"]:
        """What the first layer makes of the vertices."""
        return through(self.first(x)).relu()

    def forward(self, x: Features, through: Propagation) -> Float[Tensor, "vertex class"]:
        """Logits."""
        return through(self.second(self.dropout(self.hidden(x, through))))


class HGNN(_Teacher):
    """X' = D_v^-1/2 H W D_e^-1 H' D_v^-1/2 (X Theta + b): Feng et al., AAAI 2019."""

    propagation = staticmethod(incidence.hgnn)


class HGNNPlus(_Teacher):
    """X' = D_v^-1 H W D_e^-1 H' (X Theta + b): Gao et al., TPAMI 2022."""

    propagation = staticmethod(incidence.hgnn_plus)


class UniGCN(_Teacher):
    """x_i' = d_i^-1/2 sum over e of d_e^-1/2 times the mean of e; d_e: the mean degree of the members of e.

    Huang and Yang, "UniGNN", IJCAI 2021, eq. 8.
    """

    @staticmethod
    def propagation(
        hypergraph: Hypergraph, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
    ) -> Propagation:
        by_vertex = incidence.degrees(hypergraph)
        by_edge = np.add.reduceat(by_vertex[hypergraph.members], hypergraph.offsets[:-1]) / hypergraph.sizes
        return incidence.propagation(hypergraph, left=by_vertex**-0.5, middle=by_edge**-0.5, dtype=dtype, device=device)


class HNHN(_Teacher):
    """A non-linear layer at the hyperedges, too: Dong, Sawin and Bengio, "HNHN", 2020, with plain means both ways."""

    propagation = staticmethod(partial(incidence.hgnn_plus, multiply=False))

    def __init__(self, features: int, classes: int, hidden: int = 32, dropout: float = 0.5) -> None:
        super().__init__(features, classes, hidden, dropout)
        self.edges_first, self.edges_second = SparseLinear(hidden, hidden), SparseLinear(classes, classes)

    def hidden(self, x: Features, through: Propagation) -> Float[Tensor, "vertex hidden"]:
        edges = (through.gather @ self.first(x)).relu()
        return (through.scatter @ self.edges_first(edges)).relu()

    def forward(self, x: Features, through: Propagation) -> Float[Tensor, "vertex class"]:
        edges = (through.gather @ self.second(self.dropout(self.hidden(x, through)))).relu()
        return through.scatter @ self.edges_second(edges)


TEACHERS = {"hgnn": HGNN, "hgnn+": HGNNPlus, "hnhn": HNHN, "unigcn": UniGCN}


def teacher_class(name: str) -> type[_Teacher]:
    if name not in TEACHERS:
        raise BadInput(f"teacher={name!r}: expected one of {', '.join(TEACHERS)}")
    return TEACHERS[name]


class VertexMLP(nn.Module):
    """The student: Linear, ReLU, BatchNorm, Dropout, Linear. In eval mode no vertex sees another."""

    def __init__(self, features: int, classes: int, hidden: int = 128, dropout: float = 0.5) -> None:
        super().__init__()
        self.first, self.second = SparseLinear(features, hidden), nn.Linear(hidden, classes)
        self.norm, self.dropout = nn.BatchNorm1d(hidden), ByteDropout(dropout)

    def hidden(self, x: Features) -> Float[Tensor, "vertex hidden"]:
        return self.norm(self.first(x).relu())

    def forward(self, x: Features) -> Float[Tensor, "vertex class"]:
        """Logits."""
        return self.second(self.dropout(self.hidden(x)))
