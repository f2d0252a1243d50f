"""The exact engine: golden values of the published case, brute force over all paths, and what mass must do."""

from dataclasses import replace

import numpy as np
import pytest
from therapy_cases import DEPENDENT, SETTINGS, golden, needs_data, published, short

from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.parts import Strategy
from parataxis.methods.therapy_sequence.plan import cycle_weights


def by_all_paths(plan):
    """Cost, QALYs and deaths by walking every path of states, each with its probability; nothing of the engine."""
    lines, cycles = plan.lines, plan.cycles
    total = np.zeros(2)
    dead = np.zeros(cycles + 1)

    def walk(t, chance, line, kind, age, since, left):
        if chance == 0:
            return
        payoffs = (plan.costs, plan.utilities)
        for place, weights in enumerate((plan.weights_cost, plan.weights_qaly)):
            if line == lines:
                value = (plan.after_cost, plan.after_utility)[place][since - 1]
            else:
                own = payoffs[place][line]
                value = {"on": own.on[age], "ill": own.adverse[since - 1], "off": own.stopped[since - 1]}[kind]
            total[place] += chance * value * weights[t]
        if t == cycles:
            return
        if line == lines:
            d, g = plan.death_after[left - 1, age], 0.0
        elif line == 0:
            g, d = plan.progression[age], plan.death[age]
        else:
            g, d = plan.progression_later[line - 1, left - 1, age], plan.death_later[line - 1, left - 1, age]
        dead[t + 1 :] += chance * d
        left = t + 1 if line == 0 else left
        if line < lines:
            skip = plan.skip[line]
            walk(t + 1, chance * g * skip, lines, "on", 0, 1, left)
            if line + 1 < lines:
                walk(t + 1, chance * g * (1 - skip), line + 1, "on", 0, 1, left)
        stay = chance * (1 - g - d)
        stop = plan.stop[line, age] if line < lines and kind != "off" else 0.0
        strike = (1 - stop) * plan.adverse[line, age] if line < lines and kind == "on" else 0.0
        walk(t + 1, stay * stop, line, "off", age + 1, 1, left)
        walk(t + 1, stay * strike, line, "ill", age + 1, 1, left)
        walk(t + 1, stay * (1 - stop - strike), line, kind, age + 1, since + 1, left)

    walk(0, 1.0, 0, "on", 0, 1, 0)
    return (*total, dead)


@pytest.mark.parametrize("compat", ["corrected", "released"])
@pytest.mark.parametrize(("cycles", "lines"), [(1, 2), (6, 2), (5, 3)])
def test_equals_the_sum_over_all_paths(cycles, lines, compat):
    model = short(cycles, lines, compat)
    for strategy in model.strategies[:3]:
        plan = model.plan(strategy, DEPENDENT)
        found = Expected.of(plan)
        cost, qaly, dead = by_all_paths(plan)
        assert found.cost == pytest.approx(cost, rel=1e-12)
        assert found.qaly == pytest.approx(qaly, rel=1e-12)
        np.testing.assert_allclose(found.dead, dead, atol=1e-14)


@needs_data
@pytest.mark.parametrize("setting", SETTINGS)
def test_golden_expectations(setting):
    model = published("released")
    kept = golden()["exact_expectation"][setting]
    found = [Expected.of(model.plan(each, model.dependence(each.name, setting))) for each in model.strategies]
    assert [each.cost for each in found] == pytest.approx(kept["cost"], rel=1e-9)
    assert [each.qaly for each in found] == pytest.approx(kept["qaly"], rel=1e-9)
    for each, dead in zip(found, kept["dead_cycle_52_87"], strict=True):
        assert each.dead[[52, 87]] == pytest.approx(dead, rel=1e-9)


def test_no_mass_is_lost_and_the_dead_stay_dead():
    plan = short(30).plan("A first", DEPENDENT)
    trace = Occupancy.of(plan).trace(plan)
    np.testing.assert_allclose(trace.sum(axis=1), 1.0, atol=1e-12)
    assert (trace.to_numpy() >= -1e-15).all()
    assert (np.diff(trace["Dead"]) >= -1e-15).all()
    assert list(trace.columns) == ["L1", "AE1", "Post1", "L2", "AE2", "Post2", "PD", "Dead"]


def test_other_payoffs_need_no_other_occupancy():
    model = short(30)
    plan = model.plan("A first", DEPENDENT)
    dear = model.with_parts(extensive=replace(model.parts.extensive, cost=9.0, utility=0.1))
    one, other = Expected.of(dear.repaid(plan), Occupancy.of(plan)), Expected.of(dear.plan("A first", DEPENDENT))
    assert (one.cost, one.qaly) == (other.cost, other.qaly)


def test_one_line_only():
    plan = short(30).plan(Strategy(name="A", drugs=("A",)), DEPENDENT)
    assert plan.skip.tolist() == [1.0]
    trace = Occupancy.of(plan).trace(plan)
    np.testing.assert_allclose(trace.sum(axis=1), 1.0, atol=1e-12)
    assert "L2" not in trace


def test_first_line_follows_its_own_curve():
    """Aalen and Johansen's survival, which the subdistribution form does not keep."""
    model = short(20)
    line = model.line("A", 0)
    free = 1 - np.array(line.progression.values) - np.array(line.death.values)
    plan = model.plan("A first")
    held = Occupancy.of(plan).lines[0].sum(1)
    np.testing.assert_allclose(held[1:], free, atol=1e-12)
    released = Occupancy.of(model.with_behaviour(RELEASED).plan("A first")).lines[0].sum(1)
    assert (released[5:] > held[5:] + 1e-3).all()


@pytest.mark.parametrize("correction", ["none", "half", "simpson"])
@pytest.mark.parametrize("cycles", [4, 5, 10])
def test_cycle_weights_integrate(correction, cycles):
    """A constant, and for Simpson a cubic over an even number of cycles, without error."""
    weights = cycle_weights(cycles, correction)
    assert weights.sum() == pytest.approx(cycles + 1 if correction == "none" else cycles)
    if correction == "simpson" and cycles % 2 == 0:
        assert weights @ np.arange(cycles + 1) ** 3 == pytest.approx(cycles**4 / 4)


@needs_data
def test_half_cycle_correction_counts_one_cycle_less():
    model = published()
    none = Expected.of(model.plan("AA first"))
    half = Expected.of(model.with_behaviour(replace(CORRECTED, cycle_correction="half")).plan("AA first"))
    simpson = Expected.of(model.with_behaviour(replace(CORRECTED, cycle_correction="simpson")).plan("AA first"))
    assert 0.02 < none.qaly - half.qaly < model.cycle_years
    assert abs(half.qaly - simpson.qaly) < 1e-3
