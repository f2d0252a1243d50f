from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from parataxis.audit.orders import (
    DESIGNS,
    covering,
    exhaustive,
    make,
    random_orders,
    reverse,
    tuscan,
    tuscan_grouped,
    williams,
)
from parataxis.errors import BadInput

SIZES = range(1, 61)


def neighbours(orders, n):
    """How often each ordered pair stands next to each other, counted one by one."""
    times = np.zeros((n, n), int)
    for order in orders:
        for a, b in pairwise(order):
            times[a, b] += 1
    return times


def all_pairs(n, times):
    return np.where(np.eye(n, dtype=bool), 0, times)


def promised(design):
    """The number of orders that the sentence of a design ends with."""
    return int(design.covers.split(" order")[-2].split()[-1])


@pytest.mark.parametrize("name", DESIGNS)
def test_every_order_holds_every_item_once(name):
    for n in (1, 2, 3, 4, 5, 7):
        design = make(name, n)
        assert design.name == name
        assert design.orders.shape == (len(design.orders), n)
        assert (np.sort(design.orders) == np.arange(n)).all()
        assert design.orders.flags.writeable
        assert design.orders.flags.c_contiguous


@pytest.mark.parametrize("name", ["reverse", "williams", "tuscan", "covering"])
def test_the_sentence_tells_how_many_orders(name):
    for design in (make(name, n) for n in (1, 2, 5, 8)):
        assert promised(design) == len(design.orders)


@pytest.mark.parametrize("n", range(1, 7))
def test_exhaustive_is_every_order_once_from_the_identity_on(n):
    orders = exhaustive(n).orders.tolist()
    assert orders == [list(order) for order in permutations(range(n))]
    assert len(set(map(tuple, orders))) == len(orders) == np.prod(np.arange(1, n + 1))


def test_williams_has_every_place_and_every_neighbour_equally_often():
    for n in SIZES:
        orders = williams(n).orders
        times = 2 if n % 2 and n > 1 else 1
        assert len(orders) == times * n
        places = [np.bincount(column, minlength=n) for column in orders.T]
        assert (np.array(places) == times).all(), n
        assert (neighbours(orders, n) == all_pairs(n, times)).all(), n


def test_tuscan_has_every_neighbour_and_every_item_first():
    for n in SIZES:
        orders = tuscan(n).orders
        assert len(orders) == (n + 1 if n % 2 and n > 1 else n)
        assert set(orders[:, 0]) == set(range(n)), n
        times = neighbours(orders, n)
        assert (times >= all_pairs(n, 1)).all(), n
        assert n % 2 or (times == all_pairs(n, 1)).all(), n


@st.composite
def groupings(draw):
    """A partition of range(n), its items shuffled, its groups of 1 to 5."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    items = iter(draw(st.permutations(range(sum(sizes)))))
    return [[next(items) for _ in range(size)] for size in sizes]


def in_blocks(order, groups):
    """The groups in the order in which they stand, and the items of each; fails if a group is torn apart."""
    home = {item: g for g, group in enumerate(groups) for item in group}
    outer, inner = [], {}
    for item in order:
        if not outer or outer[-1] != home[item]:
            outer.append(home[item])
        inner.setdefault(home[item], []).append(item)
    assert len(outer) == len(groups), "a group is torn apart"
    return outer, inner


@given(groupings())
@settings(max_examples=60)
def test_tuscan_grouped_keeps_groups_together_and_covers_groups_and_items(groups):
    orders = tuscan_grouped(groups).orders
    assert (np.sort(orders) == np.arange(sum(map(len, groups)))).all()
    rows = [in_blocks(order.tolist(), groups) for order in orders]
    assert (neighbours([outer for outer, _ in rows], len(groups)) >= all_pairs(len(groups), 1)).all()
    assert {outer[0] for outer, _ in rows} == set(range(len(groups)))
    for g, group in enumerate(groups):
        inner = [[group.index(item) for item in row[g]] for _, row in rows]
        assert (neighbours(inner, len(group)) >= all_pairs(len(group), 1)).all()
        assert {order[0] for order in inner} == set(range(len(group)))
    longest = max(len(groups), *map(len, groups))
    assert len(orders) in (longest, longest + 1)


@given(st.integers(1, 12))
@settings(max_examples=12)
def test_groups_of_one_and_one_group_are_the_plain_square(n):
    plain = tuscan(n).orders
    assert (tuscan_grouped([[item] for item in range(n)]).orders == plain).all()
    assert (tuscan_grouped([list(range(n))]).orders == plain).all()


@given(groupings(), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_renumbering_the_items_renumbers_the_grouped_orders(groups, random):
    names = list(range(sum(map(len, groups))))
    random.shuffle(names)
    renamed = tuscan_grouped([[names[item] for item in group] for group in groups])
    assert (renamed.orders == np.array(names)[tuscan_grouped(groups).orders]).all()


@pytest.mark.parametrize("n", [1, 2, 7])
def test_reverse_with_the_given_order_has_every_pair_both_ways(n):
    orders = [list(range(n)), *reverse(n).orders.tolist()]
    assert len(orders) == 2
    assert {pair for order in orders for pair in combinations(order, 2)} == set(permutations(range(n), 2))


@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_random_row_depends_on_its_number_and_the_seed_alone(n, k, seed):
    orders = random_orders(n, k, seed).orders
    assert (random_orders(n, k + 5, seed).orders[:k] == orders).all()
    assert len(orders) == k


def test_random_rows_and_seeds_differ():
    orders = random_orders(30, 20, 1).orders
    assert len(np.unique(orders, axis=0)) == 20
    assert not (orders == random_orders(30, 20, 2).orders).all(axis=1).any()


def test_random_orders_are_uniform():
    ranks = random_orders(3, 6000, 7).orders @ [9, 3, 1]
    _, times = np.unique(ranks, return_counts=True)
    assert len(times) == 6
    assert chisquare(times).pvalue > 0.01


@pytest.mark.parametrize(("n", "t"), [(1, 3), (2, 3), (7, 1), (7, 2), (7, 3), (5, 4), (3, 4)])
def test_covering_has_every_sequence_of_t(n, t):
    """All of the items, if they are fewer than t."""
    orders = covering(n, t).orders.tolist()
    t = min(t, n)
    assert {sequence for order in orders for sequence in combinations(order, t)} == set(permutations(range(n), t))


@pytest.mark.parametrize(
    ("name", "direct"),
    [
        ("exhaustive", exhaustive(5)),
        ("random", random_orders(5, 7, 3)),
        ("reverse", reverse(5)),
        ("williams", williams(5)),
        ("tuscan", tuscan(5)),
        ("covering", covering(5, 3, 3)),
    ],
)
def test_make_calls_the_design_of_that_name(name, direct):
    made = make(name, 5, k=7, seed=3)
    assert (made.name, made.covers) == (direct.name, direct.covers)
    assert (made.orders == direct.orders).all()


def test_make_has_twenty_random_orders_by_default():
    assert (make("random", 6).orders == random_orders(6, 20, 0).orders).all()


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        *[(lambda name=name: make(name, 0), f"{name}: n=0 must be a whole number of at least 1") for name in DESIGNS],
        (lambda: exhaustive(9), "n=9 items have too many orders, at most 8"),
        (lambda: random_orders(3, 0), "random: k=0 must be a whole number of at least 1; give a larger k"),
        (lambda: random_orders(3, 1, -1), "random: seed=-1 must be a whole number of at least 0"),
        (lambda: covering(5, 0), "covering: t=0 must be a whole number of at least 1"),
        (lambda: covering(5, 3, -1), "covering: seed=-1 must be"),
        (lambda: covering(300), "n=300 items have too many sequences of t=3"),
        (lambda: make("latin", 4), "design='latin' is not known; use one of exhaustive, random, reverse"),
        (lambda: tuscan_grouped([]), "groups=[] must hold each of 0 to n-1 once"),
        (lambda: tuscan_grouped([[0], []]), "in groups that are not empty"),
        (lambda: tuscan_grouped([[0, 1], [1]]), "must hold each of 0 to n-1 once"),
        (lambda: tuscan_grouped([[1, 2]]), "number the items from 0"),
    ],
)
def test_bad_input_is_one_line(call, fragment):
    with pytest.raises(BadInput) as error:
        call()
    assert fragment in str(error.value)
    assert "\n" not in str(error.value)
