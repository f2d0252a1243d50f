import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.orders import tried
from parataxis.methods.set_prompting.summary import accuracy, differ, gap, rate, resampled, summarise


def row(number, chosen, answer=0, kind="two", count=4, again=(), calls=1):
    orders = tuple(tried(count, kind, number))
    return Row(
        id=str(number),
        question="?",
        choices=tuple("abcdefg"[:count]),
        answer=answer,
        method="plain",
        orders=orders,
        chosen=tuple(chosen),
        scores=tuple((0.0,) * count for _ in orders),
        again=again,
        calls=calls * len(orders),
        seconds=0.0,
    )


def always_slot(number, slot, answer, kind="two"):
    """A model that chooses whatever stands in one slot."""
    return row(number, [order[slot] for order in tried(4, kind, number)], answer, kind)


# Right in (both, given only, reversed only, neither but moved, neither and steady).
FIVE = [row(0, (0, 0)), row(1, (0, 2)), row(2, (3, 0)), row(3, (1, 2)), row(4, (1, 1))]


def test_two_orders_by_hand():
    found = summarise(FIVE)
    values = {name: getattr(found, name).value for name in ("normal", "backwards", "worst", "best", "flips", "moved")}
    assert values == {"normal": 0.4, "backwards": 0.4, "worst": 0.2, "best": 0.6, "flips": 0.6, "moved": 0.6}
    assert found.steady == found.worst
    assert (found.n, found.calls, found.unanswered, found.noise, found.spread) == (5, 1.0, 0.0, None, None)


@pytest.mark.parametrize("k", [3, 10, 19])
def test_a_rate_has_the_interval_of_endless_resampling(k):
    n = 20
    found = rate(np.arange(n) < k)
    shares = np.random.default_rng(0).binomial(n, k / n, 200_000) / n  # a resample of n questions, k of which are so
    assert found.value == k / n
    assert (found.low, found.high) == tuple(np.quantile(shares, [0.025, 0.975]))
    assert (found.low * n, found.high * n) == tuple(binom.ppf([0.025, 0.975], n, k / n))


@pytest.mark.parametrize(("k", "ends"), [(0, (0, 1 - 0.025 ** (1 / 20))), (20, (0.025 ** (1 / 20), 1))])
def test_no_resample_differs_where_all_are_alike(k, ends):
    found = rate(np.arange(20) < k)
    assert (found.low, found.high) == pytest.approx(ends)
    certain = rate(np.arange(20) < k, certain=True)
    assert certain.low == certain.value == certain.high


def test_resampling_against_the_normal_law():
    """The mean of 400 numbers: its interval is 1.96 standard errors to either side."""
    values = np.random.default_rng(1).normal(size=(400, 1))
    (found,) = resampled(values, lambda means: means, 0)
    error = values.std() / math.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.12 * error
    )
    assert resampled(values, lambda means: means, 0) == [found] != resampled(values, lambda means: means, 1)


def test_resampling_against_all_resamples():
    """Of three questions there are 27 resamples; a spread between two columns is no linear thing."""
    table = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])

    def apart(means):
        return np.abs(means[:, :1] - means[:, 1:])

    (found,) = resampled(table, apart, 0)
    every = [apart(table[list(places)].mean(0, keepdims=True)) for places in itertools.product(range(3), repeat=3)]
    assert found.value == pytest.approx(1 / 3)
    law = np.quantile(np.repeat(every, 1000), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(law))


def test_the_gap_is_taken_question_by_question():
    ours = [row(n, (0, 0)) if n in (0, 1) else row(n, (1, 1)) for n in range(5)]
    found = gap(ours, FIVE)
    per_question = np.array([1 - 1, 1 - 0.5, 0 - 0.5, 0, 0])
    assert found.value == pytest.approx(per_question.mean()) == pytest.approx(0.0)
    assert (found.low, found.high) == pytest.approx((-0.3, 0.3))
    same = gap(ours, ours)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    assert differ(ours, FIVE).value == 1 / 5  # the first choices: all but the third are the same


def test_recall_by_slot():
    """A model that chooses the first slot is right there and nowhere else: the spread is that of (1, 0, 0, 0)."""
    rows = [always_slot(n, 0, n % 4, "all") for n in range(40)]
    found = summarise(rows)
    assert [each.value for each in found.slots] == [1, 0, 0, 0]
    assert (found.slots[0].low, found.slots[1].high) == pytest.approx((0.025 ** (1 / 40), 1 - 0.025 ** (1 / 40)))
    assert found.recall.value == pytest.approx(np.std([1, 0, 0, 0]))
    assert found.by_chance < 0.15
    assert found.flips.value == 1
    steady = summarise([row(n, [0] * 24, n % 2, "all") for n in range(40)], invariant=True)
    assert [each.value for each in steady.slots] == [0.5] * 4
    half = binom.ppf([0.025, 0.975], 40, 0.5) / 40  # the same questions stand in every slot
    assert all((each.low, each.high) == pytest.approx(tuple(half), abs=0.03) for each in steady.slots)
    assert (steady.recall.value, steady.recall.high, steady.by_chance) == (0, 0, 0)
    assert (steady.flips.value, steady.flips.high) == (0, 0)


def test_chance_is_what_slots_that_do_not_matter_give():
    """In two orders a right option stands in two slots: the spread of a steady model is chance alone."""
    random = np.random.default_rng(3)
    above = 0
    for _ in range(25):
        rows = [row(n, (c, c), a) for n, (c, a) in enumerate(random.integers(0, 4, (30, 2)).tolist())]
        found = summarise(rows)
        above += found.recall.value > found.by_chance
        assert found.recall.low <= found.recall.value <= found.recall.high
    assert above <= 4  # 5% of 25, and a little more than two standard deviations


def test_a_slot_in_which_none_stood():
    found = summarise([row(n, (0, 0), answer=0) for n in range(5)])
    assert [each and each.value for each in found.slots] == [1, None, None, 1]


def test_over_all_orders():
    rows = [always_slot(0, 0, 0, "all"), always_slot(1, 1, 0, "all"), row(2, [0] * 24, 0, "all")]
    found = summarise(rows)
    accuracies = np.mean([each.right for each in rows], 0)
    assert len(accuracies) == 24
    for name, q in (("least", 0), ("lower", 0.25), ("middle", 0.5), ("upper", 0.75), ("most", 1)):
        assert getattr(found.spread, name).value == pytest.approx(np.quantile(accuracies, q))
    assert found.spread.mean.value == pytest.approx((1 / 4 + 1 / 4 + 1) / 3)
    assert found.steady.value == pytest.approx(1 / 3)
    assert found.moved.value == pytest.approx(2 / 3)


def test_more_orders_of_the_same_questions_make_no_interval_narrower():
    """Answers to one question are not independent: 24 orders of 40 questions are 40 observations, not 960."""
    found = summarise([row(n, [0] * 24, n % 2, "all") for n in range(40)])
    low, high = binom.ppf([0.025, 0.975], 40, 0.5) / 40
    assert (found.spread.mean.low, found.spread.mean.high) == pytest.approx((low, high), abs=0.03)
    assert (found.normal.low, found.normal.high) == (low, high)


def test_only_questions_with_the_commonest_number_of_options_have_slots():
    rows = [always_slot(n, 0, n % 4) for n in range(4)] + [row(9, (0, 1), 0, count=2), row(8, (0, 1), 0, count=5)]
    found = summarise(rows)
    assert (found.n, found.alike, len(found.slots)) == (6, 4, 4)


def test_orders_drawn_for_each_question_have_no_box():
    assert summarise([always_slot(n, 0, 0, 6) for n in range(5)]).spread is None


def test_flips_must_be_more_than_noise():
    flipping = [row(n, (0, 1), again=(0,)) for n in range(20)]
    assert summarise(flipping).flips_beyond_noise
    noisy = [row(n, (0, n % 2), again=(n // 2 % 2,)) for n in range(20)]
    found = summarise(noisy)
    assert found.noise.value == found.flips.value == 0.5
    assert not found.flips_beyond_noise
    assert not summarise([row(n, (0, 0)) for n in range(20)]).flips_beyond_noise


def test_no_choice_is_a_choice_of_its_own():
    found = summarise([row(0, (None, 0)), row(1, (None, None))])
    assert (found.flips.value, found.unanswered, found.normal.value) == (0.5, 0.75, 0)


def test_accuracy_in_the_given_order():
    found = accuracy([row(n, (n % 2,), kind="given", calls=4) for n in range(10)], "sum")
    assert (found.right.value, found.calls, found.n, found.scoring) == (0.5, 4.0, 10, "sum")
