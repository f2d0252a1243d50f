import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official import official
from scipy.stats import binomtest, chi2_contingency, false_discovery_control, fisher_exact

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.idoft import read_order_rates
from parataxis.methods.flaky_tests.order_tests import order_test, pearson, permutation, same_against_shuffled


@pytest.fixture(scope="module")
def published():
    return read_order_rates(official("idoft-tso-iso-rates.csv"))


def test_all_published_decisions_and_98_p_values_without_correction(published):
    p = pearson(published.failures, published.runs)
    np.testing.assert_array_equal(p < 0.05, published.less)
    assert np.count_nonzero(np.abs(p - published.p) < 0.01) == 98


def test_all_published_p_values_with_the_correction_for_two_orders(published):
    p = pearson(published.failures, published.runs, yates=True)
    np.testing.assert_allclose(p, published.p, atol=1e-6)


@pytest.fixture(scope="module")
def tests(published):
    """With a tenth of the draws: the decisions are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parataxis.methods.flaky_tests.order_tests.DRAWS", 999)
        return order_test(published.failures, published.runs)


def test_where_counts_are_small_21_published_decisions_do_not_stand(published, tests):
    assert np.count_nonzero(published.less) == 70
    assert np.count_nonzero(tests.p < 0.05) == 49
    assert not np.any((tests.p < 0.05) & ~published.less)
    assert {how: tests.how.count(how) for how in set(tests.how)} == {"exact": 62, "sampled": 31, "pearson": 8}


COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(any), min_size=2, max_size=6)


@settings(max_examples=60)
@given(COUNTS, st.booleans())
def test_pearson_is_scipys(counts, yates):
    table = np.array(counts).T
    one_sided = table.sum(axis=1).min() == 0  # nothing to compare; scipy refuses such a table
    expected = 1.0 if one_sided else chi2_contingency(table, correction=yates).pvalue
    p = pearson(table[:1], table.sum(axis=0)[None], yates=yates)
    np.testing.assert_allclose(p, [expected], atol=1e-12)


def test_an_order_without_runs_is_no_order():
    failures, runs = np.array([[3, 9]]), np.array([[20, 20]])
    padded = np.pad(failures, ((0, 0), (0, 3))), np.pad(runs, ((0, 0), (0, 3)))
    assert order_test(*padded).p == order_test(failures, runs).p == pearson(failures, runs)
    small = np.array([1, 0]), np.array([2, 3])
    assert permutation(*(np.append(counts, 0) for counts in small)) == permutation(*small)


@pytest.mark.parametrize("failures", [[0, 0], [4, 6]])
def test_a_test_that_never_or_always_failed_shows_nothing(failures):
    assert order_test(np.array([failures]), np.array([[4, 6]])).p == 1


def chi_square(failures, runs):
    rate = sum(failures) / sum(runs)
    return sum((f - n * rate) ** 2 / (n * rate * (1 - rate)) for f, n in zip(failures, runs, strict=True))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any), min_size=2, max_size=4).filter(
        lambda counts: sum(map(sum, counts)) <= 12  # more runs have too many ways
    )
)
def test_exact_is_the_share_of_all_ways_to_deal_the_failures(counts):
    failures, runs = [f for f, _ in counts], [f + g for f, g in counts]
    total = sum(failures)
    if total in (0, sum(runs)):
        expected = 1.0
    else:
        order_of = [order for order, n in enumerate(runs) for _ in range(n)]
        observed = chi_square(failures, runs)
        at_least = [
            chi_square(np.bincount([order_of[i] for i in failed], minlength=len(runs)), runs) >= observed - 1e-9
            for failed in itertools.combinations(range(sum(runs)), total)
        ]
        expected = np.mean(at_least)
    p, how = permutation(np.array(failures), np.array(runs))
    assert how == "exact"
    assert p == pytest.approx(expected)


def test_by_hand_one_failure_in_the_smaller_of_two_orders():
    # Of 30 runs one failed. It is as surprising or more in the order of 10 only: 10 of 30 ways.
    assert permutation(np.array([1, 0]), np.array([10, 20])) == (pytest.approx(1 / 3), "exact")


def test_sampled_agrees_with_exact(monkeypatch):
    failures, runs = np.array([7, 1, 2, 0, 1]), np.array([20, 30, 20, 40, 20])
    exact, _ = permutation(failures, runs)
    monkeypatch.setattr("parataxis.methods.flaky_tests.order_tests.STATES", 0)
    sampled, how = permutation(failures, runs)
    assert how == "sampled"
    drawn = round(sampled * 10_000) - 1
    assert binomtest(drawn, 9_999, exact).pvalue > 0.001
    assert sampled != exact


@pytest.mark.parametrize("states", [0, 200_000])
@settings(max_examples=8)
@given(data=st.data())
def test_neither_the_place_of_an_order_nor_of_a_test_matters(states, data):
    from parataxis.methods.flaky_tests import order_tests as module

    failures = np.array([[7, 1, 2, 0, 1], [0, 3, 0, 0, 9], [30, 31, 37, 41, 43]])
    runs = np.array([[20, 30, 20, 40, 20], [10, 10, 10, 10, 20], [100, 101, 103, 107, 109]])
    orders = np.array(data.draw(st.permutations(range(5))))
    tests = np.array(data.draw(st.permutations(range(3))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STATES", states)
        before = order_test(failures, runs)
        assert before.how[2] == "pearson"
        after = order_test(failures[tests][:, orders], runs[tests][:, orders])
    np.testing.assert_array_equal(after.p, before.p[tests])
    np.testing.assert_array_equal(after.q, before.q[tests])


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_at_most_a_share_alpha_of_tests_without_effect_is_called(rate):
    rng = np.random.default_rng(11)
    runs = np.tile([40, 40, 40, 80], (150, 1))
    p = order_test(rng.binomial(runs, rate), runs).p
    for alpha in (0.05, 0.2):
        assert binomtest(int(np.sum(p <= alpha)), len(p), alpha, alternative="greater").pvalue > 0.01


def test_an_effect_is_found():
    rng = np.random.default_rng(12)
    runs = np.tile([40, 40, 40], (200, 1))
    failures = rng.binomial(runs, [0.02, 0.02, 0.4])
    assert np.mean(order_test(failures, runs).q < 0.05) > 0.95


def test_q_is_benjamini_and_hochbergs(tests):
    np.testing.assert_allclose(tests.q, false_discovery_control(tests.p))


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.integers(0, 12) | st.integers(0, 400)] * 4), min_size=1, max_size=6))
def test_same_against_shuffled_is_scipys_fisher(tables):
    table = np.array(tables)
    failures, passes = table[:, :2], table[:, 2:]
    p = same_against_shuffled(failures, failures + passes)
    expected = [fisher_exact([row[:2], row[2:]]).pvalue for row in tables]
    np.testing.assert_allclose(p, expected)


def test_more_failures_than_runs_are_refused():
    with pytest.raises(BadInput, match="test 1, order 0: failures=3, runs=2; expected 0 <= failures <= runs"):
        order_test(np.array([[0, 0], [3, 0]]), np.array([[2, 2], [2, 2]]))


def test_a_wrong_shape_is_refused():
    with pytest.raises(Exception, match=r"(?i)type-check"):
        pearson(np.zeros((2, 3), int), np.zeros((2, 4), int))
