from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.protocol import PROTOCOLS, find_protocol, planned, replays, schedule

IDS = [f"test_{file}.py::Test{klass}::test_{n}" for file in "ab" for klass in "XY" for n in range(3)]
QUICK = PROTOCOLS["quick"]


@cache
def orders_of(protocol, n=None, declared=(), seed=0):
    ids = IDS[:n]
    return [
        list(schedule(protocol, ids, declared, iteration, seed, protocol.level))
        for iteration in range(protocol.environments)
    ]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_order_is_a_permutation_with_a_name_of_its_own(name):
    protocol = PROTOCOLS[name]
    for orders in orders_of(protocol):
        assert len({order.name for order in orders}) == len(orders)
        for order in orders:
            assert sorted(order.order) == list(range(len(IDS)))


def test_quick_is_three_in_file_order_reverse_ten_shuffles_and_its_share_of_tuscan_rows():
    first, second, *glances = orders_of(QUICK)
    assert [[order.name for order in orders] for orders in glances] == [["same/0"]] * 3
    for orders in (first, second):
        assert [order.kind for order in orders][:14] == ["same"] * 3 + ["reverse"] + ["random"] * 10
        assert all(order.order == tuple(range(12)) for order in orders[:3])
        assert {order.kind for order in orders[14:]} == {"tuscan"}
    rows = [order.order for orders in (first, second) for order in orders if order.kind == "tuscan"]
    assert {pair for row in rows for pair in pairwise(row)} == {(a, b) for a in range(12) for b in range(12) if a != b}
    shuffles = {order.order for orders in (first, second) for order in orders if order.kind == "random"}
    assert len(shuffles) == 20  # no iteration repeats another's


def test_paper_is_ten_times_twenty_and_twenty():
    for orders in orders_of(PROTOCOLS["paper"]):
        assert [order.kind for order in orders] == ["same"] * 20 + ["random"] * 20


def test_thorough_reaches_the_papers_numbers_of_runs():
    kinds = [order.kind for orders in orders_of(PROTOCOLS["thorough"]) for order in orders]
    assert kinds.count("same") >= 170
    assert kinds.count("random") >= 31


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_planned_counts_what_the_schedule_holds(name, n):
    assert planned(PROTOCOLS[name], IDS[:n], 0) == sum(map(len, orders_of(PROTOCOLS[name], n)))


@settings(max_examples=25)
@given(st.permutations(IDS), st.integers(0, 5))
def test_another_order_of_collection_gives_the_same_shuffles(collected, seed):
    few = replace(QUICK, shuffles=3)

    def named(ids):
        return [
            [ids[place] for place in order.order]
            for order in schedule(few, ids, (), 1, seed, "class")
            if order.kind in ("random", "tuscan")
        ]

    assert named(collected) == named(IDS)


def test_another_seed_gives_other_shuffles():
    first, other = ({each.order for each in orders_of(QUICK, seed=seed)[0] if each.kind == "random"} for seed in (0, 1))
    assert not first & other


def test_tests_with_a_declared_order_keep_it():
    for orders in orders_of(QUICK, declared=(2, 5, 7)):
        for order in orders:
            assert [test for test in order.order if test in (2, 5, 7)] == [2, 5, 7]


def run(kind, index, order, outcomes, iteration=0):
    by_place = dict(zip(order, outcomes, strict=True))
    return Run(iteration, kind, index, tuple(order), "".join(by_place.get(place, "-") for place in range(4)))


SAME = [run("same", k, range(4), "....") for k in range(3)]


def test_an_order_that_shows_another_outcome_is_repeated_as_far_as_that_test():
    other = run("random", 0, (3, 1, 0, 2), ".F..")
    assert [(each.name, each.of, each.order) for each in replays(QUICK, [*SAME, other], 0)] == [
        (f"replay/{k}", "random/0", (3, 1)) for k in range(3)
    ]


def test_one_order_serves_as_many_tests_as_it_can():
    one, both = run("random", 0, (3, 1, 0, 2), ".F.."), run("random", 1, (1, 2, 0, 3), "F..F")
    again = replays(QUICK, [*SAME, one, both], 0)
    assert {each.of for each in again} == {"random/1"}
    assert again[0].order == (1, 2, 0, 3)


def test_a_passing_order_is_repeated_for_a_test_that_fails_in_file_order():
    same = [run("same", k, range(4), "..F.") for k in range(3)]
    fails, passes = run("random", 0, (0, 1, 2, 3), "..F."), run("random", 1, (2, 0, 1, 3), "....")
    assert {(each.of, each.order) for each in replays(QUICK, [*same, fails, passes], 0)} == {("random/1", (2,))}


DECIDED = [
    ("nothing happened", [run("random", 0, (3, 1, 0, 2), "....")]),
    ("file order shows both", [run("same", 3, range(4), ".F.."), run("random", 0, (3, 1, 0, 2), ".F..")]),
    ("skips only", [run("random", 0, (3, 1, 0, 2), ".s..")]),
    ("another iteration", [run("random", 0, (3, 1, 0, 2), ".F..", iteration=1)]),
]


@pytest.mark.parametrize(("why", "more"), DECIDED)
def test_nothing_is_repeated_without_need(why, more):
    assert replays(QUICK, [*SAME, *more], 0) == [], why


def test_the_papers_protocol_repeats_nothing():
    assert replays(PROTOCOLS["paper"], [*SAME, run("random", 0, (3, 1, 0, 2), ".F..")], 0) == []


def test_an_unknown_protocol_is_named():
    with pytest.raises(BadInput, match=r"protocol='slow': expected one of quick, thorough, paper"):
        find_protocol("slow")
