"""The factorised operators against dense formulas, their gradients, and what no order may change."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from parataxis.errors import BadInput
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn, hgnn_plus, propagation
from parataxis.nn.sparse import Sparse

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def made(seed, n=12, edges=9):
    rng = np.random.default_rng(seed)
    lists = [rng.choice(n, rng.integers(1, n), replace=False) for _ in range(edges)]
    return Hypergraph.from_edges(lists, n, rng.uniform(0.5, 2, edges)).with_singletons()


def dense_hgnn(hypergraph):
    """Eq. 10 of the HGNN paper, written out."""
    h, w = hypergraph.incidence().toarray(), np.diag(hypergraph.weights)
    v, e = np.diag((h @ hypergraph.weights) ** -0.5), np.diag(1 / h.sum(0))
    return v @ h @ w @ e @ h.T @ v


def dense_hgnn_plus(hypergraph):
    h, w = hypergraph.incidence().toarray(), np.diag(hypergraph.weights)
    return np.diag(1 / (h @ hypergraph.weights)) @ h @ w @ np.diag(1 / h.sum(0)) @ h.T


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize(("ours", "dense"), [(hgnn, dense_hgnn), (hgnn_plus, dense_hgnn_plus)])
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_as_the_dense_formula(ours, dense, dtype, seed):
    hypergraph = made(seed)
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(hypergraph.n, 4))).to(dtype)
    expected = torch.from_numpy(dense(hypergraph)).to(dtype) @ x
    assert torch.allclose(ours(hypergraph, dtype)(x), expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_equivariant_to_vertices_and_blind_to_the_order_of_hyperedges_and_members(dtype, seed):
    hypergraph, rng = made(seed), np.random.default_rng(seed)
    order, edges = rng.permutation(hypergraph.n), rng.permutation(len(hypergraph))
    place = np.argsort(order)
    lists = [rng.permutation(place[list(hypergraph)[each]]) for each in edges]
    moved = Hypergraph.from_edges(lists, hypergraph.n, hypergraph.weights[edges])
    x = torch.from_numpy(rng.normal(size=(hypergraph.n, 4))).to(dtype)
    for operator in (hgnn, hgnn_plus):
        found = operator(moved, dtype)(x[order])
        assert torch.allclose(found, operator(hypergraph, dtype)(x)[order], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("operator", [hgnn, hgnn_plus])
def test_in_one_step_as_in_two(operator, dtype):
    """Values, and the gradient to what goes in; 40 pairs among 8 vertices have fewer products than memberships."""
    rng = np.random.default_rng(0)
    hypergraph = Hypergraph.from_edges([rng.choice(8, 2, replace=False) for _ in range(40)], 8, rng.uniform(1, 2, 40))
    through = operator(hypergraph, dtype)
    assert through.product is not None
    assert through.product.nnz <= through.gather.nnz + through.scatter.nnz
    x, direction = torch.from_numpy(rng.normal(size=(2, 8, 3))).to(dtype)
    found = []
    for each in (through, replace(through, product=None)):
        x.requires_grad_(True)
        x.grad = None
        out = each(x)
        (out * direction).sum().backward()
        found.append((out.detach(), x.grad))
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one, two, rtol=0, atol=TOLERANCE[dtype])


SMALLER = {
    "chains": [[0, 1], [1, 2], [2, 3]],
    "a hundred alike": [list(range(100))] * 100,
    "many of twenty among fifty": [np.random.default_rng(each).permutation(50)[:20] for each in range(400)],
}


@pytest.mark.parametrize("edges", SMALLER.values(), ids=SMALLER)
def test_a_pass_costs_what_the_cheaper_of_both_does(edges):
    """Multiply-adds a column, counted; the product's are the pairs that share a hyperedge."""
    hypergraph = Hypergraph.from_edges(edges).with_singletons()
    h = hypergraph.incidence().toarray()
    pairs, steps = int((h @ h.T > 0).sum()), 2 * len(hypergraph.members)
    through = hgnn(hypergraph)
    assert through.work == pairs <= steps
    assert replace(through, product=None).work == steps


GROWING = {
    "one of nine": [range(9)],
    "one large among small": [range(3000), *([k, k + 1] for k in range(2999))],
    "twice four of eight": [range(4), range(3, 8), range(1, 7)],  # 58 products of 30 memberships
}


@pytest.mark.parametrize("edges", GROWING.values(), ids=GROWING)
def test_what_would_grow_stays_in_two_steps(edges):
    n = 1 + max(max(each) for each in edges)
    through = hgnn(Hypergraph.from_edges([list(each) for each in edges], n))
    assert through.product is None
    assert through.work == 2 * sum(map(len, edges))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_scaling_all_weights_changes_nothing(seed, factor):
    hypergraph = made(seed)
    scaled = Hypergraph.from_edges(list(hypergraph), hypergraph.n, hypergraph.weights * factor)
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(hypergraph.n, 4)))
    for operator in (hgnn, hgnn_plus):
        assert torch.allclose(operator(scaled, x.dtype)(x), operator(hypergraph, x.dtype)(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_names_of_hyperedges_do_not_matter(dtype):
    rng = np.random.default_rng(0)
    vertex, edge = rng.integers(0, 9, 40), rng.integers(0, 12, 40)
    found = []
    for names in (np.arange(12), rng.permutation(12), [f"edge {chr(120 - each)}" for each in range(12)]):
        frame = pd.DataFrame({"who": vertex, "what": [names[each] for each in edge]}).drop_duplicates()
        shuffled = frame.sample(frac=1, random_state=len(found))
        found.append(hgnn(Hypergraph.from_frame(shuffled, "who", "what", range(9)).with_singletons(), dtype))
    x = torch.from_numpy(rng.normal(size=(9, 3))).to(dtype)
    for each in found[1:]:
        assert torch.allclose(each(x), found[0](x), rtol=0, atol=TOLERANCE[dtype])


def test_hyperedges_count_as_a_multiset():
    once = Hypergraph.from_edges([[0, 1], [1, 2]], 3)
    twice = Hypergraph.from_edges([[0, 1], [1, 2], [0, 1]], 3)
    x = torch.eye(3, dtype=torch.float64)
    assert not torch.allclose(hgnn(twice, x.dtype)(x), hgnn(once, x.dtype)(x))
    assert torch.equal(hgnn(twice.merged(), x.dtype)(x), hgnn(once, x.dtype)(x))
    doubled = Hypergraph.from_edges([[0, 1], [1, 2]], 3, [2, 1])
    assert torch.allclose(hgnn(twice, x.dtype)(x), hgnn(doubled, x.dtype)(x), rtol=0, atol=1e-12)


def test_means_of_a_constant_are_the_constant():
    ones = torch.ones(12, 1)
    assert torch.allclose(hgnn_plus(made(0))(ones), ones)
    gathered = hgnn_plus(made(0)).gather @ ones
    assert torch.allclose(gathered, torch.ones_like(gathered))


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_gradients(dtype):
    matrix = random_array((7, 5), density=0.4, rng=np.random.default_rng(0))
    sparse, dense = Sparse(matrix, dtype), torch.from_numpy(matrix.toarray()).to(dtype)
    x = torch.randn(5, 3, dtype=dtype, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (ours,) = torch.autograd.grad((sparse @ x).pow(3).sum(), x)
    (theirs,) = torch.autograd.grad((dense @ x).pow(3).sum(), x)
    assert torch.allclose(ours, theirs, atol=TOLERANCE[dtype])
    assert torch.allclose(sparse.T @ (sparse @ x), dense.T @ dense @ x, atol=TOLERANCE[dtype])
    if dtype == torch.float64:
        assert torch.autograd.gradcheck(lambda each: sparse @ each, (x,))
        assert torch.autograd.gradgradcheck(lambda each: sparse @ each, (x,))
    assert (sparse.shape, sparse.nnz, sparse.T.shape) == ((7, 5), matrix.nnz, (5, 7))


def test_memory_follows_memberships_not_vertices_squared():
    big = Hypergraph.from_edges([range(200_000)], 200_000)  # its Laplacian would have 4e10 non-zeros
    ones = torch.ones(200_000, 1, dtype=torch.float64)
    assert torch.allclose(hgnn_plus(big, ones.dtype)(ones), ones)


def test_no_operator_without_singletons():
    with pytest.raises(BadInput, match="vertex 2 is in no hyperedge"):
        hgnn(Hypergraph.from_edges([[0, 1]], 3))


def test_a_scaling_in_the_middle():
    hypergraph = made(1)
    scale = np.random.default_rng(1).uniform(1, 2, len(hypergraph))
    found = propagation(hypergraph, left=np.ones(hypergraph.n), middle=scale, dtype=torch.float64)
    h = hypergraph.incidence().toarray()
    expected = h @ np.diag(hypergraph.weights * scale / h.sum(0)) @ h.T
    assert np.allclose(found(torch.eye(hypergraph.n, dtype=torch.float64)).numpy(), expected)


def test_shapes_are_checked():
    with pytest.raises(Exception, match="Type-check error"):
        Sparse(np.eye(3)) @ torch.ones(3)
