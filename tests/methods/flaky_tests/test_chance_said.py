"""Causes of failures by chance: what is said of runs, be they what they may. No process is run here."""

from types import SimpleNamespace

import pytest

from parataxis.methods.flaky_tests.by_chance import _rates
from parataxis.methods.flaky_tests.chance_held import failing_lines, held_where_it_fails
from parataxis.methods.flaky_tests.chance_seen import (
    Runs,
    counted,
    left_for_good,
    refused_what_is_held,
    seen_along,
)
from parataxis.methods.flaky_tests.lab import Lab


def seen(failed, troubles=(), last=False, **left):
    failure = {"chain": [["AssertionError", ""]], "site": "test_a.py:3", "last": last} if failed else None
    return {"sites": {}, "troubles": list(troubles), "failure": failure, "left": left, "drawn": []}


def kept(bad, good, last=False):
    """The kinds that are said of runs that left so much, eight or more of each."""
    runs = [seen(True, last=last, **left) for left in bad] + [seen(False, **left) for left in good]
    return [hint.kind for hint in seen_along(Runs([True] * len(bad) + [False] * len(good), runs))]


def test_trouble_is_a_cause_only_where_failures_are():
    refused = [["network", "ECONNREFUSED", "test_a.py:2"]]
    with_failures = Runs([True] * 8 + [False] * 8, [seen(True, refused)] * 8 + [seen(False)] * 8)
    (hint,) = seen_along(with_failures)
    assert (hint.kind, hint.shown, hint.where) == ("network", False, "test_a.py:2")
    assert hint.p == pytest.approx(1 / 12870)  # by hand: 8 of 16 marked, all 8 on the failures
    always = Runs([True] * 8 + [False] * 8, [seen(True, refused)] * 8 + [seen(False, refused)] * 8)
    assert seen_along(always) == []


def test_one_sort_of_trouble_is_told_from_another():
    empty, cut = [["file", "an empty file", "test_a.py:2"]], [["file", "a file that ends within a line", "test_a.py:2"]]
    (hint,) = seen_along(Runs([True] * 8 + [False] * 8, [seen(True, cut)] * 8 + [seen(False, empty)] * 8))
    assert (hint.kind, hint.says) == ("I/O", "a file that ends within a line in failing runs")


def test_more_left_behind_is_a_leak_unless_it_is_a_little():
    assert kept([{"held": 9}] * 8, [{"held": 1}] * 8) == ["resource leak"]
    assert kept([{"held": 2}] * 8, [{"held": 1}] * 8) == []
    assert kept([{"tasks": 1}] * 8, [{}] * 8) == ["resource leak"]


def test_a_little_more_is_a_leak_where_nothing_was_cut_short():
    bad, good = [{"slots": 1}] * 8, [{"slots": 0}] * 8
    assert kept(bad, good, last=True) == ["resource leak"]
    assert kept(bad, good, last=False) == []
    assert kept([{"threads": 1}] * 8, [{}] * 8, last=True) == ["resource leak"]


def test_an_amount_that_varies_decides_and_one_that_is_constant_does_not():
    good = [{"blocks": 100 + 40 * n} for n in range(10)]
    assert kept([{"blocks": 480 + 30 * n} for n in range(10)], good) == ["resource leak"]
    assert kept([{"blocks": 400}] * 10, [{"blocks": 100}] * 10) == []  # what telling of a failure takes
    assert kept([{"blocks": 120 + 40 * n} for n in range(10)], good) == []


@pytest.mark.parametrize(("bad", "good", "says"), [
    (range(9, 20), range(11), ["failing runs leave Pool.taken at 14, passing runs at 5"]),
    (range(9), range(8, 19), ["failing runs leave Pool.taken at 4, passing runs at 13"]),
    ([0] * 9, [1] * 9, []),  # the test was cut short
    (range(5, 15), range(3, 13), []),
])  # fmt: skip
def test_a_count_decides_if_it_varies_without_a_failure_too(bad, good, says):
    runs = [{"counts": {"Pool.taken": n, "Pool.size": 9}, "failure": None} for n in (*bad, *good)]
    hints = counted(Runs([True] * len(bad) + [False] * len(good), runs))
    assert [hint.says for hint in hints] == says


def at_the_line(bad, good, asked=False):
    """Runs that held this at the line that fails: of the system, or, by a dot in the name, of the suite's own."""
    runs = []
    for failed, each in [*((True, each) for each in bad), *((False, each) for each in good)]:
        things = {name: n for name, n in each.items() if "." not in name}
        moved = {name: n for name, n in each.items() if "." in name}
        runs.append(seen(failed) | {"held": {"at": {"fails": things}, "asked": asked, "moved": moved}})
    return Runs([True] * len(bad) + [False] * len(good), runs)


def leaks(bad, good, way="randomness", asked=False):
    return [hint.says for hint in held_where_it_fails(at_the_line([bad] * 8, [good] * 8, asked), way)]


def test_what_only_failing_runs_hold_where_they_fail_is_a_leak_whatever_the_way_to_it():
    for name in ("descriptors", "threads", "processes", "handlers", "slots", "tasks", "transactions"):
        assert len(leaks({name: 3}, {name: 1})) == 1
        assert leaks({name: 1}, {name: 1}) == []
        assert leaks({name: 2}, {name: 1}, "concurrency") == []  # two that race left two of what should be one
        assert len(leaks({name: 2}, {name: 0}, "concurrency")) == 1
    overlap = at_the_line([{"threads": 2}] * 7 + [{"threads": 1}], [{"threads": 1}] * 8)
    assert held_where_it_fails(overlap, "randomness") == []
    assert held_where_it_fails(at_the_line([{"threads": 2}] * 4, [{"threads": 1}] * 8), "randomness") == []


def test_files_that_are_left_are_a_leak_if_passing_runs_take_theirs_away():
    assert len(leaks({"files": 1, "made": 3}, {"files": 0, "made": 3})) == 1
    assert leaks({"files": 3, "made": 3}, {"files": 2, "made": 2}) == []  # as many as were drawn
    assert leaks({"files": 1, "made": 3}, {"files": 0, "made": 3}, "I/O") == []


def test_memory_is_held_only_where_the_test_asks_for_it():
    for name in ("objects", "blocks", "kilobytes"):
        assert leaks({name: 3}, {name: 1}) == []
        assert len(leaks({name: 3}, {name: 1}, asked=True)) == 1


def test_what_goes_out_and_comes_back_in_passing_runs_alone_is_a_leak():
    taken, back, never = [5, 2, 5, 4, 0], [5, 2, 5, 5, 0], [5, 5, 5, 5, 0]  # start, lowest, highest, end, no container
    assert leaks({"Pool.free": taken}, {"Pool.free": back}) == [
        "where they fail, failing runs hold 1 fewer in Pool.free than at first, passing runs 0"
    ]
    assert leaks({"Pool.free": taken}, {"Pool.free": never}) == []  # nothing says that it ever comes back
    assert leaks({"Pool.free": taken}, {"Pool.free": back}, "concurrency") == []  # two counted down at once
    listeners = {"Bus.listeners": [0, 0, 2, 1, 1]}, {"Bus.listeners": [0, 0, 2, 0, 1]}
    assert len(leaks(*listeners)) == len(leaks(*listeners, "concurrency")) == 1


def test_passing_runs_are_looked_at_in_all_lines_that_failing_runs_were_in():
    runs = at_the_line([{}], [{}])
    runs.seen[0]["failure"]["sites"] = ["test_a.py:9", "test_a.py:3"]
    assert failing_lines(runs) == ["test_a.py:3", "test_a.py:9"]


def test_an_error_that_says_that_something_is_held_names_a_leak():
    runs = Runs([True] * 8 + [False] * 8, [seen(True) for _ in range(8)] + [seen(False) for _ in range(8)])
    assert refused_what_is_held(runs) == []
    for each in runs.seen[:8]:
        each["failure"]["chain"] = [["BufferError", "leak"]]
    (hint,) = refused_what_is_held(runs)
    assert hint.kind == "resource leak"


def test_what_every_failing_run_leaves_for_good_is_a_leak_behind_a_wait():
    def behind(bad, good, files=False):
        runs = [seen(True, last=True, **left) for left in bad] + [seen(False, **left) for left in good]
        return [hint.kind for hint in left_for_good(Runs([True] * len(bad) + [False] * len(good), runs), files)]

    for name in ("descriptors", "threads", "processes", "slots", "handlers"):
        assert behind([{name: 2}] * 8, [{name: 1}] * 8) == ["resource leak"]
    assert behind([{"files": 1}] * 8, [{}] * 8, files=True) == ["resource leak"]
    assert behind([{"files": 1}] * 8, [{}] * 8) == []
    assert behind([{"threads": 1}] * 8 + [{}], [{}] * 8) == []
    assert behind([{"threads": 1, "tasks": 1}] * 8, [{}] * 8) == []


def test_only_who_fails_by_an_assertion_at_the_end_did_all_it_does():
    runs = Runs([True], [seen(True, last=True)])
    assert runs.only_asserted()
    runs.seen[0]["failure"]["chain"] = [["ConnectionRefusedError", "network"]]
    assert not runs.only_asserted()
    assert not Runs([True], [seen(True, last=False)]).only_asserted()


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("F", "in one interpreter it ends alike each time, whatever the order: fails 20 of 20 alone, 20 of 20 in file"),
        (".F", "its failure rate does not visibly depend on the order (NDOI): fails 10 of 20 alone, 10 of 20 in file"),
    ],
)
def test_what_is_constant_in_an_interpreter_is_not_called_chance_in_it(ends, said):
    """As what the hash seed decides is."""
    _, note, _ = _rates(tried(2, lambda order, k: ends[k % len(ends)]), 1)
    assert note.startswith(said)


def tried(tests, end, seconds=0.001):
    """A lab of so many tests, which take so many seconds each, in which the k-th run of an order ends so."""
    lab = Lab.__new__(Lab)
    lab.head = SimpleNamespace(ids=[str(test) for test in range(tests)], forks=True)
    lab.run = lambda orders: [SimpleNamespace(seconds=seconds * len(each.order)) for each in orders]
    lab.last = lambda orders: [end(order, k) for k, order in enumerate(orders)]
    return lab


def test_of_a_long_order_its_end_is_run():
    """In the middle of a thousand tests both orders are too long; behind test 400 it fails."""
    _, note, _ = _rates(tried(1000, lambda order, k: "F" if 400 in order else "."), 500)
    by_order = "0 of 20 alone, 20 of 20 in file order (its last 200 tests), 0 of 20 in reverse (its last 200 tests)"
    assert note.startswith(f"its failure rate depends on the order (NDOD): fails {by_order}, p = ")


def test_of_a_slow_order_as_much_is_run_as_takes_seconds():
    _, note, _ = _rates(tried(1000, lambda order, k: "F" if 490 in order else ".", seconds=0.1), 500)
    assert "20 of 20 in file order (its last 30 tests), 0 of 20 in reverse (its last 30 tests)" in note
    _, note, _ = _rates(tried(1000, lambda order, k: "F" if 499 in order else ".", seconds=60.0), 500)
    assert "20 of 20 in file order (its last 2 tests)" in note


@pytest.mark.parametrize("tests", [1, 3])
def test_from_one_order_nothing_is_said_of_the_order(tests):
    """The only test of its suite; or one that no other order reaches."""
    _, note, _ = _rates(tried(tests, lambda order, k: ".F"[k % 2] if len(order) == 1 else "-"), tests // 2)
    assert note == "whether the order has a say in it is not known: fails 10 of 20 alone, no other order ran"
