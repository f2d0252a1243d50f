from itertools import combinations, permutations
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.audit.minimise import minimise, reorder_toward
from parataxis.errors import BadInput


def holds(*wanted):
    """Fails when all the wanted items are there, in this order."""

    def fails(items):
        rest = iter(items)
        return all(item in rest for item in wanted)

    return fails


@pytest.mark.parametrize(
    ("n", "fails", "expected"),
    [
        (100, holds(37), (37,)),
        (100, holds(12, 85), (12, 85)),
        (100, holds(5, 6, 99), (5, 6, 99)),
        (100, lambda items: {3, 50, 51, 97} <= set(items), (3, 50, 51, 97)),
        (100, lambda items: 20 in items or 70 in items, (20,)),  # of two, the earlier
        (100, lambda items: 20 in items or 98 in items, (98,)),  # but the last few are tried first
        (100, lambda items: len(items) >= 7, (0, 1, 2, 3, 4, 5, 6)),
        (16, lambda items: {1, 15} <= set(items) and (3 not in items or 9 in items), (1, 15)),  # 9 can go after 3
        (100, lambda items: True, ()),
        (1, holds(0), (0,)),
        (0, lambda items: True, ()),
    ],
)
def test_planted_faults_are_found_exactly(n, fails, expected):
    found = minimise(range(n), fails)
    assert (found.items, found.minimal, found.replayed, found.outcomes) == (expected, True, "confirmed", (True,))


def test_a_cleaner_between_polluter_and_victim_stays_out():
    def fails(items):
        """Polluter 10 is cleaned by any later 30 or 31, and pollutes again at 60 when 40 was there."""
        polluted = helped = False
        for item in items:
            helped |= item == 40
            polluted = (polluted or item == 10 or (item == 60 and helped)) and item not in (30, 31)
        return polluted

    assert fails(tuple(range(100)))
    assert minimise(range(100), fails).items == (10,)
    only_late = [item for item in range(100) if item != 10]
    assert minimise(only_late, fails).items == (40, 60)


@pytest.mark.parametrize("place", [0, 1, 333, 499, 500, 512, 995, 999])
def test_one_culprit_among_a_thousand_costs_few_calls(place):
    calls = []
    found = minimise(range(1000), lambda items: calls.append(items) or place in items)
    assert found.items == (place,)
    assert found.calls == len(calls) <= 2 * log2(1000) + 8


def test_what_always_fails_costs_three_calls():
    assert minimise(range(1000), lambda items: True).calls == 3  # the whole, nothing, the replay


@pytest.mark.parametrize("culprits", [2, 3, 5, 8])
def test_joint_culprits_cost_so_many_calls_each(culprits):
    """Each run of items between two of them is found by doubling and bisecting: 2 log2 n calls at most."""
    rng = np.random.default_rng(culprits)
    for _ in range(5):
        wanted = set(rng.choice(500, culprits, replace=False).tolist())
        found = minimise(range(500), lambda items, wanted=wanted: wanted <= set(items))
        assert set(found.items) == wanted
        assert found.calls <= (culprits + 1) * 2 * log2(500) + 8


def test_a_pair_among_a_thousand_costs_few_calls():
    worst = max(minimise(range(1000), holds(a, b)).calls for a in (0, 400, 600) for b in (610, 800, 999))
    assert worst <= 8 * log2(1000) + 8


def test_no_candidate_is_run_twice_before_the_replay():
    calls = []
    found = minimise(range(50), lambda items: calls.append(items) or {7, 30} <= set(items), replays=3)
    assert calls[-3:] == [(7, 30)] * 3
    assert len(set(calls[:-3])) == len(calls) - 3
    assert found.outcomes == (True, True, True)


def test_items_with_the_same_key_share_calls():
    words = ["a", "b", "a", "b", "a", "c"]
    calls = []
    found = minimise(words, lambda items: calls.append(items) or "b" in items, key=str)
    assert found.items == ("b",)
    assert len(set(calls[:-1])) == len(calls[:-1])


def test_items_need_be_neither_hashable_nor_comparable():
    found = minimise([np.array([k, k]) for k in range(9)], lambda items: any(item[0] == 4 for item in items))
    assert found.items[0].tolist() == [4, 4]


@pytest.mark.parametrize("budget", [2, 5, 10, 20, 30])
def test_a_spent_budget_gives_the_best_so_far(budget):
    fails = holds(100, 500, 900)
    found = minimise(range(1000), fails, budget=budget)
    assert found.calls <= budget
    assert not found.minimal
    assert fails(found.items)


def test_noise_is_told_with_both_outcomes():
    outcomes = iter([True, False, False, True, True, False])  # whole, empty, (1), (0): then both replays
    found = minimise("ab", lambda items: next(outcomes), replays=2)
    assert (found.items, found.replayed, found.outcomes) == (("a",), "noisy", (True, False))


def test_rare_failures_are_flagged_far_more_often_than_not():
    rng = np.random.default_rng(5)
    flags = []
    for _ in range(200):
        try:
            flags.append(minimise(range(20), lambda items: rng.random() < 0.3, replays=5).replayed)
        except BadInput:
            continue  # the whole passed this time
    assert flags.count("noisy") >= 0.9 * len(flags) > 20  # five failures in a row: 0.3**5


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        (lambda: minimise([1, 2], lambda items: False), "minimise: the whole sequence of 2 items does not fail"),
        (lambda: minimise([1], lambda items: True, replays=0), "replays=0 must be at least 1"),
        (lambda: minimise([1], lambda items: True, budget=1), "budget=1 must be more than replays=1"),
        (lambda: reorder_toward([1, 2], [1, 3], lambda items: True), "witness has 3, which base lacks"),
        (lambda: reorder_toward([1, 2], [1], lambda items: True), "base has 2, which witness lacks"),
        (lambda: reorder_toward([1, 2], [2, 1], lambda items: False), "does not fail"),
    ],
)
def test_bad_input_is_one_line(call, fragment):
    with pytest.raises(BadInput, match=fragment) as error:
        call()
    assert "\n" not in str(error.value)


FAMILIES = st.sets(st.frozensets(st.integers(0, 6)), min_size=1, max_size=20)


@given(FAMILIES, st.booleans())
@settings(max_examples=60)
def test_the_result_is_a_failing_one_minimal_subsequence(families, monotone):
    whole = frozenset(range(7))

    def fails(items):
        items = frozenset(items)
        return any(family <= items for family in families) if monotone else items in families or items == whole

    found = minimise(range(7), fails)
    assert found.items == tuple(sorted(found.items))
    assert fails(found.items)
    assert found.minimal
    assert not any(fails(found.items[:k] + found.items[k + 1 :]) for k in range(len(found.items)))
    if monotone:  # then 1-minimal is minimal: nothing smaller within it fails
        assert not any(fails(part) for size in range(len(found.items)) for part in combinations(found.items, size))


def inversions(order):
    return sum(a > b for a, b in combinations(order, 2))


@pytest.mark.parametrize(
    ("witness", "fails", "expected"),
    [
        ([4, 3, 2, 1, 0], lambda o: o.index(3) < o.index(1), {(0, 3, 1, 2, 4), (0, 2, 3, 1, 4)}),
        ([4, 3, 2, 1, 0], lambda o: o[0] == 4, {(4, 0, 1, 2, 3)}),
        ([4, 3, 2, 1, 0], lambda o: o[-1] == 0, {(1, 2, 3, 4, 0)}),
        ([2, 1, 0], lambda o: True, {(0, 1, 2)}),
        ([2, 3, 0, 1], lambda o: o.index(3) < o.index(0), {(3, 0, 1, 2), (1, 3, 0, 2), (1, 2, 3, 0)}),
        ([1, 0, 3, 2], lambda o: o != (0, 1, 2, 3), {(0, 1, 3, 2), (1, 0, 2, 3)}),
    ],
)
def test_a_witness_comes_as_near_as_it_can(witness, fails, expected):
    found = reorder_toward(range(len(witness)), witness, fails)
    assert found.items in expected
    assert (found.minimal, found.replayed) == (True, "confirmed")


def test_one_displaced_pair_among_two_hundred_costs_few_calls():
    rng = np.random.default_rng(3)
    witness = tuple(int(item) for item in rng.permutation(200))
    first, second = witness[60], next(item for item in witness[61:] if item < witness[60])
    found = reorder_toward(range(200), witness, lambda order: order.index(first) < order.index(second))
    assert inversions(found.items) == first - second  # all between them, and they themselves
    assert found.calls < 1000


def test_a_spent_budget_keeps_a_failing_order():
    found = reorder_toward(range(30), range(29, -1, -1), lambda order: order.index(20) < order.index(10), budget=6)
    assert found.calls <= 6
    assert not found.minimal
    assert found.items.index(20) < found.items.index(10)


def test_equal_items_are_matched_first_to_first():
    assert reorder_toward("aab", "baa", lambda order: order[0] == "b").items == ("b", "a", "a")
    unlike = [np.zeros(2), np.ones(2)]
    found = reorder_toward(unlike, unlike[::-1], lambda order: order[0][0] == 1, key=lambda item: item[0])
    assert [item[0] for item in found.items] == [1, 0]


@given(st.permutations(range(5)), st.integers(2, 4))
@settings(max_examples=40)
def test_ordered_culprits_leave_the_least_disorder_that_any_order_of_theirs_has(witness, culprits):
    """The nearest of all 120 orders, by brute force."""
    fails = holds(*witness[:culprits])
    found = reorder_toward(range(5), witness, fails)
    assert fails(found.items)
    assert inversions(found.items) == min(inversions(order) for order in permutations(range(5)) if fails(order))


@given(st.permutations(range(6)), st.lists(st.integers(0, 4), max_size=30))
@settings(max_examples=40)
def test_no_swap_of_neighbours_brings_the_result_nearer(witness, walk):
    """Failing are the orders on a walk of such swaps, so that steps towards the base order are there to be found."""
    order, failing = list(witness), {tuple(witness)}
    for k in walk:
        order[k], order[k + 1] = order[k + 1], order[k]
        failing.add(tuple(order))
    found = reorder_toward(range(6), witness, lambda order: order in failing)
    assert found.items in failing
    assert inversions(found.items) <= inversions(witness)
    assert found.minimal
    for k in range(5):
        if found.items[k] > found.items[k + 1]:
            swapped = (*found.items[:k], found.items[k + 1], found.items[k], *found.items[k + 2 :])
            assert swapped not in failing
