"""The order of names: the same for every order in which they are given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.names import arranged, by_name
from parataxis.nn.hypergraph import Hypergraph

IDS = st.lists(st.one_of(st.integers(-5, 20), st.text("ab1", max_size=3)), unique=True, max_size=12)


def test_numbers_count_and_text_comes_after():
    assert by_name(["b", 10, "a", 9]).tolist() == [3, 1, 2, 0]
    assert by_name(range(12)).tolist() == list(range(12))
    with pytest.raises(BadInput, match=r"ids\[1\]='v' is that of row 0 too; give each vertex its own"):
        by_name(["v", "v"])


@settings(max_examples=50)
@given(IDS, st.randoms(use_true_random=False))
def test_wherever_each_stands(ids, random):
    moved = random.sample(ids, len(ids))
    assert [ids[each] for each in by_name(ids)] == [moved[each] for each in by_name(moved)]


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_one_hypergraph_in_any_order_is_arranged_alike(seed):
    rng = np.random.default_rng(seed)
    n, many = 7, rng.integers(0, 9)
    edges = [rng.choice(n, rng.integers(1, 4), replace=False) for _ in range(many)]
    weights = rng.integers(1, 3, many).astype(float)
    order, places = rng.permutation(n), rng.permutation(many)
    given = Hypergraph.from_edges(edges, n, weights)
    moved = Hypergraph.from_edges([np.argsort(order)[edges[each]] for each in places], n, weights[places])
    (one, where), (other, _) = arranged(given, np.arange(n)), arranged(moved, np.argsort(order))
    for name in ("n", "offsets", "members", "weights"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    parts = list(given)
    assert [each.tolist() for each in one] == [parts[each].tolist() for each in where]
