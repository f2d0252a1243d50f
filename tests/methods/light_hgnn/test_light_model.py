"""Teachers against dense formulas, their symmetries through the audit engine, the student's rows, the scores."""

import functools

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from parataxis.audit import audit
from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.model import HGNN, TEACHERS, ByteDropout, VertexMLP, teacher_class
from parataxis.methods.light_hgnn.scores import (
    accuracy,
    calibration_error,
    macro_f1,
    relative_topology_score,
    topology_score,
)
from parataxis.nn.fit import named, seeded
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn_plus
from parataxis.nn.sparse import Sparse

N, D, C = 7, 4, 3
EDGES = [[0, 1, 2], [2, 3], [1, 3, 4, 5], [6], [0, 5]]
X = np.random.default_rng(0).normal(size=(N, D))


@functools.cache
def made(name, dtype=torch.float64):
    with seeded(named(0)(name)):
        return teacher_class(name)(D, C, 5).to(dtype).eval()


def logits(name, x, hypergraph, dtype=torch.float64):
    with torch.no_grad():
        return made(name, dtype)(torch.from_numpy(x).to(dtype), TEACHERS[name].propagation(hypergraph, dtype))


def dense_layers(name, model, hypergraph):
    """Each teacher written out with dense matrices, from the papers."""
    h = torch.from_numpy(hypergraph.incidence().toarray())
    w = torch.from_numpy(hypergraph.weights)
    d_v, d_e = h @ w, h.sum(0)
    mean_e = h.T / d_e[:, None]
    mean_v = (h * w) / d_v[:, None]
    if name == "hgnn":
        operator = d_v.rsqrt()[:, None] * ((h * w) @ mean_e) * d_v.rsqrt()
    elif name == "hgnn+":
        operator = mean_v @ mean_e
    else:
        of_edge = mean_e @ d_v
        operator = d_v.rsqrt()[:, None] * (h * w * of_edge.rsqrt()) @ mean_e
    linear = torch.nn.functional.linear

    def layer(x, weights, more):
        z = linear(x, weights.weight, weights.bias)
        if name != "hnhn":
            return operator @ z
        return mean_v @ linear((mean_e @ z).relu(), more.weight, more.bias)

    hidden = layer(torch.from_numpy(X), model.first, getattr(model, "edges_first", None)).relu()
    return layer(hidden, model.second, getattr(model, "edges_second", None))


@pytest.mark.parametrize("name", list(TEACHERS))
def test_as_the_dense_formulas(name):
    hypergraph = Hypergraph.from_edges(EDGES, N, [1, 2, 0.5, 1, 3])
    expected = dense_layers(name, made(name), hypergraph)
    assert torch.allclose(logits(name, X, hypergraph), expected, rtol=0, atol=1e-10)
    sparse = Sparse(X, torch.float64)
    with torch.no_grad():
        found = made(name)(sparse, TEACHERS[name].propagation(hypergraph, torch.float64))
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", list(TEACHERS))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_audit_finds_no_order(name, dtype, tolerance):
    def vertices(numbers, by_place=0.0):
        place = {number: at for at, number in enumerate(numbers)}
        edges = [[place[each] for each in edge] for edge in EDGES]
        x = X[numbers] + by_place * np.arange(N)[:, None]
        return list(logits(name, x, Hypergraph.from_edges(edges, N), dtype).numpy())

    def hyperedges(edges):
        return logits(name, X, Hypergraph.from_edges(edges, N).with_singletons(), dtype).numpy()

    options = {"compare": tolerance, "resolution": 0.1, "design": "random"}
    assert audit(vertices, range(N), per_item=True, **options).verdict.value == "invariant"
    assert audit(hyperedges, EDGES, **options).verdict.value == "invariant"
    planted = audit(lambda numbers: vertices(numbers, 0.1), range(N), per_item=True, **options)
    assert planted.verdict.value == "order-dependent"


@pytest.mark.parametrize("name", list(TEACHERS))
def test_weights_are_relative_and_hyperedges_a_multiset(name):
    once, scaled = (Hypergraph.from_edges(EDGES, N, [factor] * 5) for factor in (1, 7))
    twice = Hypergraph.from_edges([*EDGES, EDGES[1]], N)
    assert torch.allclose(logits(name, X, once), logits(name, X, scaled), rtol=0, atol=1e-10)
    assert not torch.allclose(logits(name, X, once), logits(name, X, twice))
    assert torch.equal(logits(name, X, once), logits(name, X, twice.merged()))


def student():
    with seeded(named(0)("student")):
        model = VertexMLP(D, C, 16)
        model.train()
        for _ in range(20):
            model(torch.randn(50, D))
    return model


def test_the_student_sees_one_vertex_in_eval_mode_only():
    model, x = student(), torch.from_numpy(X).float()
    with torch.no_grad():
        alone = torch.cat([model.eval()(x[each : each + 1]) for each in range(N)])
        assert torch.allclose(model(x), alone, rtol=0, atol=1e-6)
        assert torch.allclose(model(x.flip(0)).flip(0), alone, rtol=0, atol=1e-6)
        model.train()
        model.dropout = ByteDropout(0.0)
        assert not torch.allclose(model(x)[:3], model(x[:3]), atol=1e-3)  # BatchNorm couples rows


@pytest.mark.parametrize("p", [0.5, 0.25, 0.0])
def test_dropout_keeps_a_share_and_the_mean(p):
    dropout = ByteDropout(p)
    with seeded(named(0)("dropout")):
        found = dropout(torch.ones(400, 500))
    n = 200_000
    assert abs(float((found > 0).float().mean()) - (1 - p)) < 4 * np.sqrt(p * (1 - p) / n) + 1e-9
    assert all(each in (0.0, pytest.approx(1 / (1 - p), rel=1e-6)) for each in found.unique().tolist())
    assert torch.equal(dropout.eval()(found), found)
    neighbours = np.corrcoef(found.flatten()[:-1], found.flatten()[1:])[0, 1] if p else 0
    assert abs(neighbours) < 0.01
    with pytest.raises(BadInput, match="dropout=1"):
        ByteDropout(1.0)


def test_no_other_teacher():
    with pytest.raises(BadInput, match=r"teacher='gcn': expected one of hgnn, hgnn\+, hnhn, unigcn"):
        teacher_class("gcn")


def test_topology_score_as_in_loops():
    hypergraph = Hypergraph.from_edges(EDGES, N)
    z = torch.from_numpy(X)
    means = []
    for members in EDGES:
        centre = X[members].mean(0)
        means.append(np.mean([np.linalg.norm(X[each] - centre) for each in members]))
    gather = hgnn_plus(hypergraph, torch.float64).gather
    assert topology_score(z, gather) == pytest.approx(np.mean(means), abs=1e-12)
    norm = np.linalg.norm(X, axis=1).mean()
    assert relative_topology_score(z * 3, gather) == pytest.approx(np.mean(means) / norm, abs=1e-12)
    assert topology_score(torch.ones(N, 2, dtype=torch.float64), gather) == 0.0


def test_scores_as_scikit_learns():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 4, (2, 200))
    said[:5] = 0
    assert macro_f1(truth, said, 4) == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-12)
    assert accuracy(truth, said) == pytest.approx(f1_score(truth, said, average="micro"), abs=1e-12)


def test_calibration_by_hand():
    """Four answers at .8, three right: off by .05; one at .6, wrong: off by .6."""
    truth = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.2]] * 4 + [[0.6, 0.4]])
    assert calibration_error(truth, probabilities) == pytest.approx((4 * 0.05 + 0.6) / 5)


def test_the_teachers_layers_are_the_papers():
    model = HGNN(D, C)
    assert [tuple(each.shape) for each in model.parameters()] == [(32, D), (32,), (C, 32), (C,)]
    assert [tuple(each.shape) for each in VertexMLP(D, C).parameters()] == [
        *((128, D), (128,)),
        *((C, 128), (C,)),
        *((128,), (128,)),
    ]
