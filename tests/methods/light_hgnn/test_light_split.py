"""Splits by ids, and production, in which nothing of a held-out vertex may reach a model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.dataset import Dataset, check_features, empty_rows, unit_rows
from parataxis.methods.light_hgnn.setting import Production
from parataxis.methods.light_hgnn.split import Split, classes_of, hold_out, production, split
from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.nn.fit import named
from parataxis.nn.hypergraph import Hypergraph

N = 60
LABELS = np.arange(N) % 3


def made(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random((N, 5)) + np.eye(5)[LABELS]
    edges = [rng.choice(N, rng.integers(2, 6), replace=False) for _ in range(30)]
    return Dataset("made", csr_array(x), LABELS, Hypergraph.from_edges(edges, N), range(N), (0, 1, 2))


def test_as_many_of_each_class():
    found = split(LABELS, range(N), "0", 4, 6)
    assert np.bincount(LABELS[found.train]).tolist() == [4, 4, 4]
    assert np.bincount(LABELS[found.validation]).tolist() == [6, 6, 6]  # per class, not in total
    every = np.concatenate([found.train, found.validation, found.test])
    assert np.sort(every).tolist() == list(range(N))
    other = split(LABELS, range(N), "1", 4, 6)
    assert found.train.tolist() != other.train.tolist()


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_who_is_where_does_not_matter(seed):
    ids = np.array([f"v{each}" for each in range(N)])
    order = np.random.default_rng(seed).permutation(N)
    given, moved = split(LABELS, ids.tolist(), "0", 4, 6), split(LABELS[order], ids[order].tolist(), "0", 4, 6)
    for name in ("train", "validation", "test"):
        assert set(ids[getattr(given, name)]) == set(ids[order][getattr(moved, name)])
    hidden = hold_out(given, ids.tolist(), "0", 0.3)
    assert set(ids[hidden]) == set(ids[order][hold_out(moved, ids[order].tolist(), "0", 0.3)])


def test_unlabelled_vertices_test_nothing():
    labels = LABELS.copy()
    labels[:9] = -1
    found = split(labels, range(N), "0", 4, 6)
    assert not np.isin(np.concatenate([found.train, found.validation, found.test]), np.arange(9)).any()


WRONG = [
    (lambda: split(LABELS, range(N), "0"), r"class 0: 20 vertices; expected more than 120, as 20 train, 100 choose"),
    (lambda: split(LABELS, range(N), "0", 4, 16, "abc"), r"class 'a': 20 vertices; expected more than 20"),
    (lambda: classes_of(np.array([0, 2, 3])), r"y=3: labels must be 0 to 2 for 3 classes"),
    (lambda: classes_of(np.array([0, -2, 1])), r"y=-2: labels must be"),
    (lambda: classes_of(np.array([0, 0, -1])), r"y: 1 class only"),
    (lambda: hold_out(split(LABELS, range(N), "0", 4, 6), range(N), "0", 0.0), r"held_out=0\.0: expected a share"),
    (
        lambda: production(LABELS, split(LABELS, range(N), "0", 4, 6), np.flatnonzero(LABELS == 1)),
        r"class 1: every one of its vertices is held out; hold out fewer",
    ),
    (lambda: check_features(csr_array([[1.0, 0.0], [0.0, np.nan]]), "ab"), r"vertex 'b': feature 1=nan must be finite"),
    (lambda: replace(made(), labels=LABELS[1:]), r"made: y has 59 vertices, the features 60"),
    (lambda: replace(made(), hypergraph=Hypergraph.from_edges([], 3)), r"made: hypergraph has 3 vertices"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=[said for _, said in WRONG])
def test_refused(make, said):
    with pytest.raises(BadInput, match=said):
        make()


def test_rows_of_zeros_are_counted_and_stay():
    x = csr_array([[1.0, 3.0], [0.0, 0.0], [-1.0, 1.0]])
    assert unit_rows(x).toarray().tolist() == [[0.25, 0.75], [0.0, 0.0], [-0.5, 0.5]]
    assert empty_rows(x) == 1


def trained(data, key="0"):
    recipe = Recipe(hidden=6, teacher_hidden=4, epochs=3)
    found = split(data.labels, data.ids, key, 4, 6)
    hidden = Production.of(data, found, named(0), key, 0.3, recipe)
    teacher, through = hidden.observed.teacher()
    student = hidden.observed.student(teacher, hidden.observed.reliable(teacher, through))
    bits = [each.numpy().tobytes() for model in (teacher, student) for each in model.model.state_dict().values()]
    return hidden, bits, (teacher, student)


def test_nothing_of_a_held_out_vertex_reaches_teacher_or_student():
    """Other features, labels and memberships of the held-out vertices: the same weights, to the bit."""
    data = made()
    hidden, bits, _ = trained(data)
    assert len(hidden.held_out) == 9  # 30 % of the 30 test vertices
    rng = np.random.default_rng(1)
    x = data.x.toarray()
    x[hidden.held_out] = rng.random((9, 5)) * 100
    kept = [np.setdiff1d(each, hidden.held_out) for each in data.hypergraph]
    kept = [each for each in kept if len(each)]
    edges = [np.union1d(each, rng.choice(hidden.held_out, 2)) for each in kept] + [hidden.held_out[:3]]
    changed = Dataset("made", csr_array(x), LABELS, Hypergraph.from_edges(edges, N), range(N), (0, 1, 2))
    again, others, _ = trained(changed)
    assert again.held_out.tolist() == hidden.held_out.tolist()
    assert others == bits


def test_the_observed_are_all_but_the_held_out_each_in_some_hyperedge():
    data = made()
    hidden, _, (teacher, student) = trained(data)
    observed = hidden.observed
    assert observed.x.shape[0] == observed.hypergraph.n == N - 9
    assert not observed.hypergraph.isolated.any()  # a singleton for each that would be
    place = np.full(N, -1)
    place[np.setdiff1d(np.arange(N), hidden.held_out)] = np.arange(N - 9)
    left = [place[each][place[each] >= 0].tolist() for each in data.hypergraph]
    assert [each.tolist() for each in observed.structure] == [each for each in left if each]
    assert isinstance(observed.split, Split)
    assert len(observed.split.test) == 21
    found = hidden.unseen(teacher, "hgnn", {"student": student})
    assert set(found) == {"hgnn", "student"}
    assert all(0 <= each <= 1 for each in found.values())
