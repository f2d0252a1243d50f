import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.audit.statistics import (
    benjamini_hochberg,
    clopper_pearson,
    confidence_sequence,
    e_benjamini_hochberg,
    log_coin_evidence,
    student,
    zero_failure_bound,
)
from parataxis.errors import BadInput


def test_clopper_pearson_is_scipys():
    from scipy.stats import binomtest

    k, n = np.meshgrid(np.arange(13), [12, 40])
    low, high = clopper_pearson(k, n, 0.1)
    for index in np.ndindex(k.shape):
        expected = binomtest(int(k[index]), int(n[index])).proportion_ci(0.9, method="exact")
        assert (low[index], high[index]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_clopper_pearson_covers_at_every_rate():
    from scipy.stats import binom

    n = 17
    low, high = clopper_pearson(np.arange(n + 1), n, 0.1)
    for rate in np.linspace(0.01, 0.99, 25):
        covered = (low <= rate) & (rate <= high)
        assert binom.pmf(np.arange(n + 1), n, rate)[covered].sum() >= 0.9


def test_of_nothing_nothing_is_known():
    assert clopper_pearson(0, 0) == (0, 1)
    assert zero_failure_bound(0) == 1
    assert confidence_sequence(0, 0) == (0, 1)
    assert log_coin_evidence(0, 0) == pytest.approx(0)


def test_the_rule_of_three():
    assert zero_failure_bound(59) <= 0.05 < zero_failure_bound(58)
    assert 1 - (1 - zero_failure_bound(7, 0.2)) ** 7 == pytest.approx(0.8)
    assert np.all(zero_failure_bound(np.arange(50, 500)) <= 3 / np.arange(50, 500))


def test_benjamini_and_hochbergs_own_example():
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    q = benjamini_hochberg(np.array(p))
    assert (q <= 0.05).sum() == 4  # section 3.3 of the paper
    from scipy.stats import false_discovery_control

    assert q == pytest.approx(false_discovery_control(p))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_q_goes_with_its_test(p, chance):
    order = list(range(len(p)))
    chance.shuffle(order)
    assert benjamini_hochberg(np.array(p)[order]).tolist() == benjamini_hochberg(np.array(p))[order].tolist()


def test_e_values_are_rejected_as_the_paper_says():
    e = np.array([100.0, 0.0, 30.0, 1.0])  # of 4 at 0.1: the k largest if the k-th is at least 40 / k
    assert (e_benjamini_hochberg(e) <= 0.1).tolist() == [True, False, True, False]
    assert (e_benjamini_hochberg(np.array([39.0, 0.0, 19.9, 1.0])) <= 0.1).sum() == 0
    assert np.all(np.isfinite(e_benjamini_hochberg(np.array([0.0, 1e300]))))


def test_coin_evidence_is_the_krichevsky_trofimov_gambler():
    wealth, heads = 1.0, 0
    for toss, head in enumerate([1, 1, 0, 1, 1, 1, 1, 0, 1]):
        bet = (heads + 0.5) / (toss + 1)
        wealth *= 2 * (bet if head else 1 - bet)
        heads += head
        assert math.exp(log_coin_evidence(heads, toss + 1)) == pytest.approx(wealth)


def test_coin_evidence_is_fair_at_every_look():
    for n in range(1, 20):
        mean = sum(math.comb(n, k) * math.exp(log_coin_evidence(k, n)) for k in range(n + 1)) / 2**n
        assert mean == pytest.approx(1)


def test_whoever_stops_when_it_suits_is_held_to_alpha():
    heads = np.cumsum(np.random.default_rng(1).random((4000, 300)) < 0.5, axis=1)
    ever = (log_coin_evidence(heads, np.arange(1, 301)) >= math.log(20)).any(axis=1).mean()
    assert 0.005 < ever < 0.05  # a fixed-size test of 0.05 would be above 0.3
    assert log_coin_evidence(8, 8) > math.log(50)  # and yet eight discordant pairs are enough for the first candidate


def test_a_confidence_sequence_holds_at_all_looks_together():
    rng, rate = np.random.default_rng(2), 0.2
    k = np.cumsum(rng.random((200, 40)) < rate, axis=1)
    looks = {(int(each), n) for path in k for n, each in enumerate(path, 1)}
    holds = {look: low <= rate <= high for look in looks for low, high in [confidence_sequence(*look, 0.1)]}
    missed = sum(not all(holds[int(each), n] for n, each in enumerate(path, 1)) for path in k)
    assert 1 <= missed <= 0.1 * 200


@settings(max_examples=40)
@given(st.integers(0, 60), st.integers(0, 60))
def test_a_confidence_sequence_holds_the_share_and_the_exact_interval(k, more):
    low, high = confidence_sequence(k, k + more)
    exact_low, exact_high = clopper_pearson(k, k + more)
    assert 0 <= low <= exact_low + 1e-12  # for one run they are the same
    assert exact_high - 1e-12 <= high <= 1
    assert confidence_sequence(more, k + more) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        (lambda: clopper_pearson(3, 2), "k=3, n=2: expected 0 <= k <= n"),
        (lambda: clopper_pearson(-1, 2), "k=-1, n=2"),
        (lambda: zero_failure_bound(3, 0.0), "alpha=0.0: expected a number above 0 and below 1"),
        (lambda: confidence_sequence(1, 3, 1.0), "alpha=1.0"),
    ],
)
def test_bad_input_is_one_line(call, fragment):
    with pytest.raises(BadInput, match=fragment):
        call()


def test_students_interval_against_scipy():
    from scipy.stats import ttest_1samp

    values = np.array([0.3, 1.2, -0.4, 2.5, 0.9])
    mean, low, high = student(values)
    told = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), told.low, told.high), abs=1e-12)
    assert student(values[:1]) == (0.3, 0.3, 0.3)
