"""Segments and attention against loops, their gradients against differences, and what no order may change."""

import itertools

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from parataxis.errors import BadInput
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn_plus
from parataxis.nn.segments import attend, segment_of, segment_softmax, segment_sum, weighted
from parataxis.nn.sparse import Sparse

OFFSETS = torch.tensor([0, 2, 2, 5, 6])  # the second is empty
GENERATOR = np.random.default_rng(0)
DENSE = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 0, 0, 1], [0, 0, 0, 1, 0]], float)


def drawn(*shape, dtype=torch.float64):
    return torch.from_numpy(GENERATOR.normal(size=shape)).to(dtype)


@pytest.mark.parametrize("shape", [(6,), (6, 3), (6, 2, 3)])
def test_each_segment_by_itself(shape):
    values = drawn(*shape)
    total, shares = segment_sum(values, OFFSETS), segment_softmax(values, OFFSETS)
    assert segment_of(OFFSETS, 6).tolist() == [0, 0, 2, 2, 2, 3]
    for place, (a, b) in enumerate(itertools.pairwise(OFFSETS)):
        assert torch.allclose(total[place], values[a:b].sum(0))
        assert torch.allclose(shares[a:b], values[a:b].softmax(0))


def test_large_scores_do_not_overflow():
    scores = torch.tensor([1e4, 1e4 - 1, -1e4, 0.0, -1e4, 5e8])
    found = segment_softmax(scores, OFFSETS)
    assert found[:2].tolist() == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert found[2:].tolist() == [0, 1, 0, 1]


def test_attention_is_a_weighted_mean_by_rows():
    pattern, x, scores = Sparse(DENSE, torch.float64), drawn(5, 3), drawn(6)
    found = attend(pattern, scores, x)
    for row, (a, b) in enumerate(itertools.pairwise(pattern.offsets)):
        members = np.flatnonzero(DENSE[row])
        assert torch.allclose(found[row], (scores[a:b].softmax(0)[:, None] * x[members]).sum(0))
    assert torch.allclose(weighted(pattern, pattern.values, x), pattern @ x)
    even = hgnn_plus(Hypergraph.from_edges([[0, 1, 2], [2, 3]], 4), torch.float64).gather
    assert torch.allclose(attend(even, torch.zeros(5, dtype=torch.float64), x[:4]), even @ x[:4])


def test_gradients_to_scores_weights_and_features():
    pattern = Sparse(DENSE, torch.float64)
    x, scores = drawn(5, 3).requires_grad_(), drawn(6).requires_grad_()
    assert gradcheck(lambda s, y: attend(pattern, s, y), (scores, x))
    assert gradcheck(lambda s, y: weighted(pattern, s, y), (scores, x))
    assert gradcheck(lambda s: segment_softmax(s, OFFSETS), drawn(6, 2).requires_grad_())
    assert gradcheck(lambda s: segment_sum(s, OFFSETS), drawn(6, 2).requires_grad_())


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_no_order_of_members_matters(dtype, close):
    """Scores are of the member: hyperedges attend to vertices that are numbered in another order."""
    score, x, order = drawn(5, dtype=dtype), drawn(5, 3, dtype=dtype), np.array([3, 0, 4, 1, 2])
    one, other = Sparse(DENSE, dtype), Sparse(DENSE[:, order], dtype)
    found = attend(other, score[order][other.columns], x[order])
    assert torch.allclose(found, attend(one, score[one.columns], x), rtol=0, atol=close)


def test_nothing_at_all_and_too_few():
    empty = Sparse(np.zeros((2, 5)), torch.float64)
    assert attend(empty, drawn(0), drawn(5, 3)).tolist() == [[0] * 3] * 2
    with pytest.raises(BadInput, match=r"weights: \(4,\); expected one a stored value, 6"):
        weighted(Sparse(DENSE, torch.float64), drawn(4), drawn(5, 3))


def test_on_the_device_of_what_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # kernels of "meta" import the compiler, which sets it
    meta = torch.device("meta")
    pattern, x = Sparse(DENSE, device=meta), torch.zeros(5, 3, device=meta, requires_grad=True)
    scores = torch.zeros(6, device=meta, requires_grad=True)
    found = attend(pattern, scores, x)
    found.sum().backward()
    assert (found.device, scores.grad.device, x.grad.shape) == (meta, meta, (5, 3))
