"""Dominance in words, frontier, acceptability and value of information, against plain formulas."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.economics import Draws, frontier, icer_table, in_words, net_benefit


@pytest.mark.parametrize(
    ("d_cost", "d_qaly", "told"),
    [
        (-5360.0, 0.0698, "B dominates A: 5,360 euros cheaper, 0.0698 QALYs more"),
        (5360.0, -0.0698, "A dominates B: 5,360 euros cheaper, 0.0698 QALYs more"),
        (1000.0, 0.1, "B buys 0.1000 QALYs more than A for 1,000 euros: 10,000 a QALY"),
        (-1000.0, -0.1, "B saves 1,000 euros and loses 0.1000 QALYs against A: 10,000 saved a QALY lost"),
        (0.0, 0.0, "B and A cost and gain the same"),
        (0.0, 0.1, "B dominates A: 0 euros cheaper, 0.1000 QALYs more"),
    ],
)
def test_in_words(d_cost, d_qaly, told):
    """Trap: a negative ratio is never printed."""
    assert in_words("B", "A", d_cost, d_qaly, "euros") == told
    assert "-" not in told


def test_table_by_hand():
    """C costs more than A and gains less: dominated. D buys QALYs dearer than E does: extendedly dominated."""
    names, cost, qaly = ["A", "C", "D", "E"], [100.0, 150.0, 200.0, 260.0], [1.0, 0.9, 1.1, 1.8]
    table = icer_table(names, cost, qaly).set_index("strategy")
    assert table.loc["C", "standing"] == "dominated by A"
    assert table.loc["D", "standing"] == "extendedly dominated"
    assert table.loc["E", "icer"] == pytest.approx(160 / 0.8)
    assert table["icer"].notna().sum() == 1
    assert table.loc["A", "standing"] == "cheapest"


number = st.integers(0, 12).map(float)


@given(st.lists(st.tuples(number, number), min_size=1, max_size=6))
def test_the_frontier_is_what_is_best_at_some_threshold(pairs):
    """By brute force: at thresholds beside every ratio of two strategies."""
    cost, qaly = [each[0] for each in pairs], [each[1] for each in pairs]
    kept = frontier(cost, qaly)
    ratios = [
        (cost[i] - cost[j]) / (qaly[i] - qaly[j]) for i in range(len(pairs)) for j in range(i) if qaly[i] != qaly[j]
    ]
    grid = sorted({1e-6, *(abs(each) * factor + 1e-9 for each in ratios for factor in (0.999, 1.001)), 1e6})
    for threshold in grid:
        benefit = net_benefit(cost, qaly, threshold)
        assert benefit[kept].max() == pytest.approx(benefit.max())
    values = [(cost[i], qaly[i]) for i in kept]
    assert values == sorted(values)
    steps = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(values)]
    assert all(a < b for a, b in pairwise(steps))


def draws():
    rng = np.random.default_rng(0)
    return Draws(("A", "B", "C"), rng.normal(1000, 100, (400, 3)), rng.normal(1, 0.05, (400, 3)))


def test_acceptability_and_evpi_by_formula():
    found, level = draws(), 3000.0
    benefit = level * found.qaly - found.cost
    row = found.acceptability([level]).iloc[0]
    best = benefit.argmax(1)
    for place, name in enumerate(found.names):
        assert row[name] == pytest.approx((best == place).mean())
    assert sum(row[name] for name in found.names) == pytest.approx(1)
    at = benefit.mean(0).argmax()
    assert row["optimal"] == found.names[at]
    assert row["frontier"] == row[found.names[at]]
    worth = found.evpi([level]).iloc[0]
    assert worth["evpi"] == pytest.approx(benefit.max(1).mean() - benefit.mean(0).max())
    ranking = found.ranking(level)
    assert ranking["net_benefit"].is_monotonic_decreasing
    assert ranking["best"].sum() == pytest.approx(1)


def test_a_tie_is_shared():
    found = Draws(("A", "B"), np.ones((3, 2)), np.ones((3, 2)))
    row = found.acceptability([100.0]).iloc[0]
    assert (row["A"], row["B"]) == (0.5, 0.5)


def test_one_draw_is_none():
    with pytest.raises(BadInput, match="n=1: expected at least 2 draws"):
        Draws(("A",), np.ones((1, 1)), np.ones((1, 1)))


def test_names_do_not_matter():
    """Strategies' names, relabelled, change nothing but the names."""
    one = draws()
    other = Draws(("x", "y", "z"), one.cost, one.qaly)
    mine, theirs = one.ranking(2000.0), other.ranking(2000.0)
    assert theirs["strategy"].map({"x": "A", "y": "B", "z": "C"}).tolist() == mine["strategy"].tolist()
    assert (theirs["net_benefit"] == mine["net_benefit"]).all()
