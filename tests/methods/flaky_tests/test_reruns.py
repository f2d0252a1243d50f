import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.reruns import (
    LEAST,
    belief,
    brittle_rate,
    rerun_curve,
    runs_for_rate,
    runs_for_share,
    runs_needed,
    victim_rate,
)

RATES = st.lists(st.floats(0.001, 1), min_size=1, max_size=20).map(np.array)
CONFIDENCES = st.floats(0.5, 0.999)


@pytest.mark.parametrize(
    ("rate", "confidence", "runs"),
    [
        (1 / 200, 0.95, 598),
        (0.0175, 0.95, 170),  # the paper's 170 runs, if all tests failed at one rate
        (0.0922, 0.95, 31),  # and its 31 shuffles
        (0.5, 0.95, 5),  # 1 - 2**-4 = 0.9375 is short, 1 - 2**-5 = 0.96875 is not
        (0.5, 0.75, 2),  # exactly enough is enough
        (0.5, 0.875, 3),
        (0.1, 0.1, 1),
        (1.0, 0.95, 1),
    ],
)
def test_runs_for_one_rate(rate, confidence, runs):
    assert runs_for_rate(rate, confidence) == runs


@pytest.mark.parametrize(("passes", "rate"), [(170, 0.0175), (31, 0.0921), (598, 0.005)])
def test_bound_after_clean_runs(passes, rate):
    assert runs_needed(after_passes=passes).rate_below == pytest.approx(rate, abs=6e-5)


@given(st.floats(0.001, 0.999), CONFIDENCES)
def test_runs_for_one_rate_are_enough_and_one_fewer_are_not(rate, confidence):
    n = runs_for_rate(rate, confidence)
    assert (1 - rate) ** n <= (1 - confidence) * (1 + 1e-9)
    assert n == 1 or (1 - rate) ** (n - 1) > (1 - confidence) * (1 - 1e-9)


@settings(max_examples=60)
@given(RATES, CONFIDENCES)
def test_runs_for_a_share_are_the_fewest(rates, confidence):
    n = runs_for_share(rates, confidence)
    found = rerun_curve(np.array([n - 1, n]), rates)
    assert found[1] >= confidence - 1e-9
    assert found[0] < confidence + 1e-9


@settings(max_examples=40)
@given(RATES, CONFIDENCES, CONFIDENCES)
def test_more_confidence_never_takes_fewer_runs(rates, one, other):
    low, high = sorted((one, other))
    assert runs_for_share(rates, low) <= runs_for_share(rates, high)
    assert runs_for_rate(rates[0], low) <= runs_for_rate(rates[0], high)


@given(st.floats(0.001, 1), st.floats(0.001, 1), CONFIDENCES)
def test_rarer_failures_never_take_fewer_runs(one, other, confidence):
    low, high = sorted((one, other))
    assert runs_for_rate(high, confidence) <= runs_for_rate(low, confidence)


@given(RATES)
def test_the_curve_rises_from_nothing_to_one(rates):
    found = rerun_curve(np.arange(200), rates)
    assert found[0] == 0
    assert all(a <= b for a, b in pairwise(found))
    assert found[-1] <= 1


def test_the_curve_by_hand():
    np.testing.assert_allclose(rerun_curve(np.array([1, 2]), np.array([0.5, 1.0])), [0.75, 0.875])
    np.testing.assert_allclose(rerun_curve(3, np.array([0.5])), [0.875])


@settings(max_examples=60)
@given(st.floats(0.001, 1), CONFIDENCES)
def test_one_rate_is_a_population_of_one(rate, confidence):
    assert runs_for_share(np.array([rate]), confidence) == runs_for_rate(rate, confidence)


def test_belief_by_hand():
    # prior 1/2, one kind of flaky test that escapes a run half the time: 1/2 against 1/2 * 1/8
    assert belief(3, np.array([0.5]), 0.5) == pytest.approx(8 / 9)
    assert belief(0, np.array([0.5])) == pytest.approx(1 - 0.0086)


@given(RATES, st.integers(0, 300), st.floats(0.001, 0.999))
def test_a_pass_never_lowers_the_belief(rates, passes, prior):
    assert belief(passes, rates, prior) <= belief(passes + 1, rates, prior)


@pytest.mark.parametrize(("polluters", "cleaners", "rate"), [(1, 0, 1 / 2), (1, 27, 1 / 29), (3, 1, 3 / 5), (0, 4, 0)])
def test_rate_of_a_victim(polluters, cleaners, rate):
    assert victim_rate(polluters, cleaners) == pytest.approx(rate)


def test_rate_of_a_brittle():
    assert [brittle_rate(s) for s in (0, 1, 4)] == [1, 0.5, 0.2]


def test_needed_for_a_rate_of_one_in_two_hundred():
    needed = runs_needed(p=1 / 200, after_passes=100)
    assert (needed.runs, needed.further) == (598, 498)
    assert needed.sound == pytest.approx(belief(100, np.array([1 / 200])))
    assert str(needed).startswith("598 clean runs are needed at 95%, 498 more.\nAt 95%, it fails in less than 2.95% of")


def test_needed_for_measured_rates():
    needed = runs_needed(rates=np.array([0.5, 0.5, 1 / 200]), confidence=0.6)
    assert needed.runs == runs_for_share(np.array([0.5, 0.5, 1 / 200]), 0.6) == 4  # 2/3 * 15/16 + 1/3 * 0.02 = 0.632
    assert (needed.mean, needed.median) == (pytest.approx((2 + 2 + 183) / 3), 2)
    assert needed.rate_below is None
    assert needed.sound is None


def test_after_enough_passes_none_are_needed():
    assert runs_needed(p=0.5, after_passes=7).further == 0


def test_the_smallest_rate_has_its_number_of_runs():
    assert runs_needed(p=LEAST).runs == pytest.approx(math.log(20) / LEAST, rel=0.2)  # 1 - p is rounded there


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"p": 0.0}, "rates hold 0.0: expected 1e-15 to 1; drop tests that never failed"),
        ({"p": 1e-300}, "rates hold 1e-300: expected 1e-15 to 1"),
        ({"p": 1.5}, "rates hold 1.5"),
        ({"p": float("nan")}, "rates hold nan"),
        ({"p": 0.5, "confidence": 1.0}, "confidence=1.0: expected a number above 0 and below 1"),
        ({"p": 0.5, "after_passes": -1}, "after_passes=-1"),
        ({"after_passes": 10**16}, r"after_passes: has 17 digits; expected at most 1e\+15"),
        ({"p": 0.5, "rates": np.array([0.5])}, "one of the two"),
        ({"rates": np.array([])}, "at least one test"),
        ({"rates": np.array([0.5]), "after_passes": 1, "prior": 0.0}, "prior=0.0"),
        ({}, "nothing to answer from"),
    ],
)
def test_bad_input_is_named(arguments, said):
    with pytest.raises(BadInput, match=said):
        runs_needed(**arguments)


def test_a_wrong_shape_is_refused():
    with pytest.raises(Exception, match=r"(?i)type-check"):
        runs_for_share(np.ones((2, 2)))
