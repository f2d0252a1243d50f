import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.audit import Design, Raised, Verdict, audit
from parataxis.errors import BadInput


def holds(*wanted):
    """All the wanted items are there, in this order."""

    def system(items):
        rest = iter(items)
        return all(item in rest for item in wanted)

    return system


def adjacent(a, b):
    return lambda items: (a, b) in list(pairwise(items))


# -- planted faults have exact minimal witnesses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "system", "base", "other", "most"),
    [
        (10, lambda items: items[0] == 0, (0, 1), (1, 0), 70),  # the first item
        (10, holds(3, 7), (3, 7), (7, 3), 75),  # a before b
        (40, holds(11, 30), (11, 30), (30, 11), 105),
        (200, holds(50, 150), (50, 150), (150, 50), 130),
        (10, holds(7, 3), (3, 7), (7, 3), 75),
        (12, holds(2, 6, 9), (2, 6, 9), None, 95),  # three in this order
        (12, holds(9, 6, 2), (2, 6, 9), (9, 6, 2), 150),  # three the other way round: 1 order in 6
        (10, lambda items: items.index(4) >= 3 if 4 in items else None, None, None, 110),  # three before 4
        (4, lambda items: items == [3, 2, 1, 0], (0, 1, 2, 3), (3, 2, 1, 0), 70),  # all of one order
        (2, lambda items: items[0], (0, 1), (1, 0), 30),
    ],
)
def test_planted_faults_are_found_exactly(n, system, base, other, most):
    calls = []
    found = audit(lambda items: calls.append(items) or system(items), range(n))
    assert found.verdict is Verdict.ORDER_DEPENDENT
    witness = found.witness
    assert (witness.minimal, witness.replayed) == (True, "confirmed")
    assert witness.outcomes == witness.again == (system(list(witness.base)), system(list(witness.other)))
    assert witness.outcomes[0] != witness.outcomes[1]
    assert witness.base == witness.base_places == (base or witness.base)
    assert witness.other == witness.other_places == (other or witness.other)
    assert sorted(witness.other) == list(witness.base)
    assert found.calls == len(calls) <= most
    if base is None:
        assert witness.base.index(4) == 3 == len(witness.base) - 1


def test_neighbours_need_one_item_between_them():
    system = adjacent(7, 3)  # in base order 7 comes later
    found = audit(system, range(10))
    assert (found.witness.base, found.witness.other) == ((3, 7), (7, 3))
    apart = audit(adjacent(3, 7), range(10), design="tuscan").witness  # 3 and 7 alone are neighbours in base order too
    assert len(apart.base) == 3
    assert {3, 7} < set(apart.base)
    assert adjacent(3, 7)(list(apart.other)) is True
    assert adjacent(3, 7)(list(apart.base)) is False


def one_minimal(system, witness):
    for left in range(len(witness.base)):
        kept = [item for k, item in enumerate(witness.base) if k != left]
        other = [item for item in witness.other if item in kept]
        if system(kept) != system(other):
            return False
    return True


@settings(deadline=None, max_examples=8)
@given(st.sets(st.permutations(range(4)).map(tuple), min_size=1, max_size=20))
def test_any_function_of_four_items_is_judged_rightly(failing):
    def system(items):
        return tuple(items) in failing

    found = audit(system, range(4))
    others = [(p in failing) != ((0, 1, 2, 3) in failing) for p in permutations(range(4)) if p != (0, 1, 2, 3)]
    assert (found.verdict is Verdict.ORDER_DEPENDENT) == any(others)
    assert found.effect.differ == sum(others) or not found.complete
    if found.witness:
        assert one_minimal(system, found.witness)


def test_a_spent_budget_claims_no_minimality():
    whole = audit(holds(9, 6, 2), range(12))
    spent = audit(holds(9, 6, 2), range(12), budget=whole.calls - 8)
    assert spent.verdict is Verdict.ORDER_DEPENDENT
    assert spent.calls <= whole.calls - 8
    assert not spent.witness.minimal
    assert spent.witness.replayed == "confirmed"
    assert holds(9, 6, 2)(spent.witness.base) != holds(9, 6, 2)(spent.witness.other)


# -- noise -----------------------------------------------------------------------------------------------------------


def test_only_the_item_that_depends_is_blamed_under_noise():
    chance = random.Random(4)

    def system(items):
        return [chance.random() < (0.95 if item == 4 and place < 4 else 0.05) for place, item in enumerate(items)]

    found = audit(system, range(8), per_item=True)
    assert [each.place for each in found.items if each.found] == [4]
    assert found.verdict is Verdict.ORDER_DEPENDENT
    assert found.witness.items == (4,)
    assert len(found.witness.base) == 5  # four before it
    assert found.witness.base.index(4) == 4


def test_a_witness_that_does_not_replay_is_noisy():
    def forgetful(items, calls=[]):  # noqa: B006
        """Depends on the order until it is minimised."""
        calls.append(items)
        return len(calls) < 50 and items[0]

    found = audit(forgetful, range(1, 11))
    assert found.verdict is Verdict.NOISY
    assert found.witness.replayed == "noisy"
    assert found.witness.outcomes != found.witness.again
    assert "replayed, gives False" in str(found)


def test_noise_that_drowns_everything_is_told():
    chance = random.Random(0)
    found = audit(lambda items: chance.random(), range(8))
    assert found.verdict is Verdict.NOISY
    assert "repeats of one order differ in" in found.reason
    assert found.calls < 400


def test_a_deterministic_system_does_not_pay_for_noise():
    calls = []
    found = audit(lambda items: calls.append(tuple(items)) or sum(items), range(12))
    assert calls.count(tuple(range(12))) == 3
    assert found.effect.orders == len(calls) - 3 <= 90


# -- per item, exceptions, comparing ---------------------------------------------------------------------------------


def test_outcomes_are_put_back_to_their_items():
    found = audit(lambda items: [item * item for item in items], [3, 1, 2, 5, 4, 9], per_item=True)
    assert found.verdict is Verdict.INVARIANT
    shifted = audit(
        lambda items: [item + (item == 5 and items[0] == 9) for item in items], [3, 1, 2, 5, 4, 9], per_item=True
    )
    assert shifted.verdict is Verdict.ORDER_DEPENDENT
    assert shifted.witness.items == (3,)
    assert (shifted.witness.base, shifted.witness.other) == ((5, 9), (9, 5))
    assert shifted.witness.outcomes == (5, 6)


def test_one_item_of_many_must_be_repeated_more_often():
    """Among 30 items one needs evidence of 30 / alpha, all of them 1 / alpha, and so does one outcome in all."""

    def pairs(system, **options):
        return audit(system, range(30), **options).noise.orders - 2

    one = pairs(lambda items: [item == 7 and items[0] < 7 for item in items], per_item=True)
    every = pairs(lambda items: [items[0]] * len(items), per_item=True)
    assert (one, every, pairs(lambda items: items[0])) == (13, 8, 8)


def test_an_exception_in_some_orders_is_an_outcome():
    def system(items):
        if 2 in items and items[-1] == 2:
            raise ValueError(f"2 is last, says {object()}")
        return "fine"

    found = audit(system, range(6))
    assert found.verdict is Verdict.ORDER_DEPENDENT
    assert found.witness.outcomes == ("fine", Raised("ValueError", "2 is last, says <object object at 0x...>"))


def test_minimising_does_not_slip_to_an_exception():
    def system(items):
        if len(items) < 4:
            raise ValueError(f"{items[0]}: too few")
        return items.index(5) < items.index(2) if {2, 5} <= set(items) else None

    witness = audit(system, range(8)).witness
    assert len(witness.base) == 4
    assert {2, 5} < set(witness.base)
    assert witness.outcomes == (False, True)


# -- designs, symmetries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["auto", "exhaustive", "random", "reverse", "williams", "tuscan", "covering"])
def test_every_design_judges(design):
    assert audit(sum, range(6), design=design).verdict is Verdict.INVARIANT
    found = audit(lambda items: items[0], range(6), design=design)
    assert found.verdict is Verdict.ORDER_DEPENDENT
    assert found.design.startswith(design if design != "auto" else "reverse, covering, tuscan")


def test_a_design_of_ones_own():
    design = Design("two", np.array([[1, 0, 2], [0, 1, 2], [1, 2, 0]]), "two orders")
    assert audit(lambda items: items[-1], range(3), design=design).effect.orders == 2  # the given one is no other


def test_all_orders_of_few_items_leave_nothing_open():
    found = audit(lambda items: len(items), range(5))
    assert (found.bound, found.effect.high, found.effect.orders, found.reason) == (0, 0, 119, "every order was tried")


def test_invariant_is_said_to_a_resolution():
    fine, coarse = (audit(len, range(50), resolution=each) for each in (0.02, 0.2))
    assert fine.bound <= 0.02 < coarse.bound <= 0.2
    cut = audit(len, range(50), resolution=0.02, budget=100)
    assert cut.verdict is Verdict.UNDECIDED
    assert cut.calls == 100
    assert "the calls were spent after 97 of 150 orders" in cut.reason


@settings(deadline=None, max_examples=5)
@given(st.lists(st.integers(), min_size=7, max_size=7, unique=True), st.integers(0, 3))
def test_renaming_the_items_changes_nothing(names, seed):
    place = {name: k for k, name in enumerate(names)}

    def system(items):
        return holds(5, 1)([place[name] for name in items])

    found, renamed = audit(holds(5, 1), range(7), seed=seed), audit(system, names, seed=seed)
    assert [each.order for each in found.trials] == [each.order for each in renamed.trials]
    assert found.witness.other_places == renamed.witness.other_places
    assert renamed.witness.other == tuple(names[k] for k in found.witness.other_places)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_verdict_does_not_depend_on_the_seed(seed):
    assert audit(max, range(7), seed=seed).verdict is Verdict.INVARIANT
    assert audit(holds(4, 2), range(7), seed=seed).witness.base == (2, 4)


def test_the_system_is_given_lists_of_the_very_items():
    items = [np.zeros(2), np.ones(2), np.full(2, 2.0)]
    found = audit(lambda given: type(given) is list and all(any(a is b for b in items) for a in given), items)
    assert (found.verdict, found.effect.differ) == (Verdict.INVARIANT, 0)


# -- the journal -----------------------------------------------------------------------------------------------------

SCRIPT = """
import random, sys
from parataxis.audit import audit
def system(items):
    print(*items, file=open(sys.argv[2], "a"))
    key = sum(k * item for k, item in enumerate(items)) + 1000 * sum(1 for _ in open(sys.argv[2]))
    noise = random.Random(key).random() < 0.1
    import time; time.sleep(0.002)
    return [float("nan")] if (items.index(5) < items.index(2) if {2, 5} <= set(items) else False) != noise else 1
print(audit(system, range(8), budget=200, journal=sys.argv[1]).to_json())
"""


def test_killed_and_resumed_it_is_the_same_audit(tmp_path):
    def start(name):
        command = [sys.executable, "-c", SCRIPT, tmp_path / f"{name}.jsonl", tmp_path / f"{name}.calls"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = start("whole").communicate()[0]
    calls = tmp_path / "killed.calls"
    for least in (15, 60):
        killed = start("killed")
        while not calls.exists() or calls.read_text().count("\n") < least:
            time.sleep(0.002)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        journal = tmp_path / "killed.jsonl"
        kept = journal.read_bytes().count(b"\n") - 1
        calls.write_text("".join(calls.read_text().splitlines(keepends=True)[:kept]))  # a call cut off is no call
        with open(journal, "ab") as stream:
            stream.write(b'{"order": [1, 2')
    again = start("killed").communicate()[0]
    assert json.loads(again) == json.loads(whole)
    assert calls.read_text() == (tmp_path / "whole.calls").read_text()
    assert json.loads(whole)["calls"] == calls.read_text().count("\n")


def test_a_finished_journal_makes_no_call(tmp_path):
    first = audit(holds(4, 2), range(7), journal=tmp_path / "j.jsonl")
    again = audit(lambda items: pytest.fail("called"), range(7), journal=tmp_path / "j.jsonl")
    assert again.to_json() == first.to_json()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"items": range(8)}, "journal=.*j.jsonl: belongs to another audit .items='[0-9a-f]*', not '[0-9a-f]*'.; give"),
        ({"seed": 3}, "belongs to another audit .seed=0, not 3."),
        ({"design": "random"}, "belongs to another audit .design='auto', not 'random'."),
        ({"per_item": True}, "belongs to another audit .per_item=False, not True."),
    ],
)
def test_a_journal_of_another_audit_is_refused(tmp_path, options, said):
    audit(sum, range(7), journal=tmp_path / "j.jsonl")
    with pytest.raises(BadInput, match=said):
        audit(sum, **{"items": range(7), "journal": tmp_path / "j.jsonl", **options})


def test_what_is_no_journal_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("milk\neggs\n")
    with pytest.raises(BadInput, match="is not the journal of an audit"):
        audit(sum, range(7), journal=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "milk\neggs\n"
    with pytest.raises(BadInput, match="can't be used: Is a directory"):
        audit(sum, range(7), journal=tmp_path)
    with pytest.raises(BadInput, match=r"JSON can't hold the outcome .set.; return numbers"):
        audit(lambda items: {1, 2}, range(7), journal=tmp_path / "new.jsonl")


# -- bad input -------------------------------------------------------------------------------------------------------


def fails(items):
    raise KeyError("name")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: audit(sum, []), "items: 0 given; there is an order from two on"),
        (lambda: audit(sum, [1]), "items: 1 given"),
        (
            lambda: audit(fails, range(5)),
            "the system fails on the items as given, 3 times of 3: raised KeyError: 'name'",
        ),
        (lambda: audit(fails, range(5), per_item=True), "raised KeyError: 'name'"),
        (lambda: audit(sum, range(5), per_item=True), "per_item=True: the system gave int, expected a list"),
        (lambda: audit(lambda o: o[1:], range(5), per_item=True), "the system gave list of 4 for 5 items"),
        (
            lambda: audit(sum, range(5), design="latin"),
            "design='latin' is not known; use one of auto, exhaustive, random",
        ),
        (lambda: audit(sum, range(9), design="exhaustive"), "exhaustive: n=9 items have too many orders"),
        (
            lambda: audit(sum, range(3), design=Design("x", np.array([[0, 1]]), "")),
            "design='x': expected orders of 0 to 2",
        ),
        (
            lambda: audit(sum, range(3), design=Design("x", np.array([[0, 1, 2]]), "")),
            "holds no order but the given one",
        ),
        (lambda: audit(sum, range(5), budget=3), "budget=3: expected more than repeats=3"),
        (lambda: audit(sum, range(5), repeats=1), "repeats=1: expected at least 2"),
        (lambda: audit(sum, range(5), alpha=0.0), "alpha=0.0: expected a number above 0 and below 1"),
        (lambda: audit(sum, range(5), resolution=1.0), "resolution=1.0"),
        (lambda: audit(sum, range(5), seed=-1), "seed=-1"),
        (lambda: audit(sum, range(5), compare=-1.0), "compare=-1.0: expected None, a tolerance"),
    ],
)
def test_bad_input_is_one_line(call, said):
    with pytest.raises(BadInput) as error:
        call()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, parataxis.audit; print([m for m in ('pandas', 'matplotlib', 'scipy.stats') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="the example is about scikit-learn")
def test_the_example_finds_that_dbscan_depends_on_the_order():
    folder = Path(__file__).parents[2] / "examples"
    done = subprocess.run([sys.executable, folder / "dbscan.py"], capture_output=True, text=True, check=True)
    assert "order-dependent" in done.stdout
    assert "gives [5, 7]" in done.stdout
    assert "gives [4, 8]" in done.stdout
