"""Attention on incidences: sums and softmax over segments, and propagation whose weights are learned.

A segment is a run of rows, as the members of a hyperedge are: segment k is `rows[offsets[k]:offsets[k + 1]]`. All have
gradients to their values, on any device.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.nn.sparse import Sparse

Offsets = Int[Tensor, " offset"]


def segment_of(offsets: Offsets, rows: int) -> Int[Tensor, " row"]:
    """Which segment each row is in."""
    numbers = torch.arange(len(offsets) - 1, device=offsets.device)
    return numbers.repeat_interleave(offsets.diff(), output_size=rows)


def segment_sum(values: Float[Tensor, "row *d"], offsets: Offsets) -> Float[Tensor, "segment *d"]:
    """0 for a segment without rows."""
    empty = values.new_zeros(len(offsets) - 1, *values.shape[1:])
    return empty.index_add(0, segment_of(offsets, len(values)), values)


def segment_softmax(scores: Float[Tensor, "row *head"], offsets: Offsets) -> Float[Tensor, "row *head"]:
    """exp(score) over the sum of its segment; the largest of each segment is taken away first, so none overflows."""
    segment = segment_of(offsets, len(scores))
    index = segment.view(-1, *[1] * (scores.ndim - 1)).expand_as(scores)
    least = scores.new_full((len(offsets) - 1, *scores.shape[1:]), -torch.inf)
    most = least.scatter_reduce(0, index, scores.detach(), "amax")
    powers = (scores - most[segment]).exp()
    return powers / segment_sum(powers, offsets)[segment]


def weighted(pattern: Sparse, weights: Float[Tensor, " nonzero"], x: Float[Tensor, "column d"]) -> Tensor:
    """row x d: `pattern @ x` with other values, in the order of `pattern.values`, and a gradient to them and to x.

    Nothing of nonzero x d is kept for the gradient, as it would be by gathering rows and summing them.
    """
    if weights.shape != pattern.values.shape:
        raise BadInput(f"weights: {tuple(weights.shape)}; expected one a stored value, {pattern.nnz}")
    if not pattern.nnz:
        return x.new_zeros(pattern.shape[0], x.shape[1])
    bag = torch.nn.functional.embedding_bag
    return bag(pattern.columns, x, pattern.offsets, mode="sum", per_sample_weights=weights, include_last_offset=True)


def attend(pattern: Sparse, scores: Float[Tensor, " nonzero"], x: Float[Tensor, "column d"]) -> Tensor:
    """row x d: each row the mean of the columns it has, weighted by the softmax of their scores; 0 if it has none.

    With `propagation(...).gather` for a pattern, hyperedges attend to their members; with `.scatter`, vertices to
    their hyperedges.
    """
    return weighted(pattern, segment_softmax(scores, pattern.offsets), x)
