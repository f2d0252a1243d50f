"""What is run besides: how far it is known by then, and what is still to be told apart. No process is run here."""

from itertools import combinations

import pytest

from parataxis.methods.flaky_tests import watch
from parataxis.methods.flaky_tests.hunting import Progress
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.repeats import fewest_runs, file_orders, in_turns, other_alone, telling

# Outcomes in file order, an environment a row, a test a column.
EACH_FAILS_IN_ANOTHER = ["F....", ".F...", "..F..", "...F.", "....F"]
ONE_PAIR_TELLS_ALL = [".FF", "F.F", "FF.", "F..", ".FF"]


def in_file_order(rows):
    return [Run(iteration, "same", 0, tuple(range(len(row))), row) for iteration, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        (EACH_FAILS_IN_ANOTHER, [0, 1, 2, 3, 4]),
        (ONE_PAIR_TELLS_ALL, [0, 3]),
        (["F", "-", "."], [0, 2]),
        (["F", "s", "F"], [0]),
        (["-"], []),
    ],
)
def test_every_suspect_is_seen_both_ways_in_as_few_environments_as_can_be(rows, chosen):
    assert telling(in_file_order(rows), list(range(len(rows[0])))) == chosen


def test_no_fewer_would_do():
    rows = ["F..F.F", ".F..F.", "F.F...", "..FF.F", ".F.FF."]
    shown = [set(enumerate(row)) for row in rows]
    size = len(telling(in_file_order(rows), list(range(6))))
    wanted = set().union(*shown)
    assert all(set().union(*(shown[i] for i in few)) != wanted for few in combinations(range(5), size - 1))


def test_runs_are_counted_of_the_test_that_ran_least():
    """Repetitions end before it, orders of one file leave it out, a skip is no run; what never ran is not counted."""
    runs = [
        Run(0, "same", 0, (0, 1, 2), "..-"),
        Run(0, "random", 0, (1, 0, 2), "..s"),
        Run(0, "random", 1, (1, 0, 2), "s.-"),
        *(Run(0, "replay", k, (0,), ".--", of="random/0") for k in range(3)),
        Run(1, "file", 0, (0,), ".--"),
    ]
    assert [fewest_runs(runs, tests) for tests in ([0], [1], [2], [0, 1, 2], [])] == [2, 3, 0, 2, 0]
    assert fewest_runs([], [0]) == 0


def test_progress_tells_the_bound_of_runs_and_not_of_orders():
    progress = Progress(done=100, planned=200, tests=9, flaky=1, runs=10, seconds=1.0, because=())
    assert watch._words(progress) == "1 of 9 flaky, the others below 26%"  # 1 - 0.05^(1/10)


def test_of_many_each_file_has_its_turn():
    ids = [f"a.py::test_{n}" for n in range(60)] + ["b.py::test_x", "b.py::test_y", "c.py::test_z"]
    assert in_turns(ids, range(len(ids)))[:6] == [0, 60, 62, 1, 61, 2]


@pytest.mark.parametrize(
    ("suite", "alone", "again"), [("F", ".", True), (".", "F", True), ("F", "F", False), (".", ".", False)]
)
def test_a_file_in_which_a_test_comes_out_otherwise_is_run_once_more(suite, alone, again):
    orders = file_orders(["a.py::test", "b.py::test"], 40)
    runs = [Run(0, "same", 0, (0, 1), f".{suite}"), Run(1, "file", 0, (0,), ".-"), Run(1, "file", 1, (1,), f"-{alone}")]
    assert [(order.index, order.order) for order in other_alone(runs, orders)] == [(3, (1,))] * again
