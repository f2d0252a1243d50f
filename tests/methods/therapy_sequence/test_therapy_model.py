"""Models from files, their workbook, orders of what is in them, and what must not matter."""

import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from therapy_cases import needs_data, published, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence import SequenceModel
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED, Behaviour
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.example import EXAMPLE, PAPER, write_template
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.order_checks import halved, order_checks
from parataxis.methods.therapy_sequence.simulate import MonteCarlo
from parataxis.methods.therapy_sequence.workbook import model_sheets, read_workbook, write_sheets


@pytest.mark.parametrize("file", [EXAMPLE, PAPER])
def test_a_workbook_gives_the_same_table_back(file, tmp_path):
    table = tomllib.loads(file.read_text())
    write_sheets(tmp_path / "model.xlsx", model_sheets(table))
    one = Model.from_file(file).parts
    assert Model.from_file(tmp_path / "model.xlsx").parts == one


@pytest.mark.parametrize(
    ("sheet", "column", "value", "told"),
    [
        ("lines", "line", 2, "sheet 'lines', drug 'A': expected its lines in order, from 1"),
        ("lines", "progression.values", "nothing", "progression.values='nothing': no such column in sheet 'curves'"),
        ("lines", "stop.each", "a; b", "stop.each: 'a' is no number; lists have semicolons between"),
        ("strategies", "drugs", None, "sheet 'strategies', row 2: drugs is empty"),
        ("model", "key", "colour", "model.xlsx: colour: unknown key"),
    ],
)
def test_bad_workbooks(sheet, column, value, told, tmp_path):
    sheets = model_sheets(tomllib.loads(EXAMPLE.read_text()))
    sheets[sheet] = sheets[sheet].astype(object)
    sheets[sheet].loc[0, column] = value
    write_sheets(tmp_path / "model.xlsx", sheets)
    with pytest.raises(BadInput) as caught:
        Model.from_file(tmp_path / "model.xlsx")
    assert told in str(caught.value)


def test_a_workbook_without_a_sheet(tmp_path):
    write_sheets(tmp_path / "model.xlsx", {"model": pd.DataFrame({"key": [], "value": []})})
    with pytest.raises(BadInput, match="no sheet 'lines'; there: model"):
        read_workbook(tmp_path / "model.xlsx")


def test_template_writes_nothing_over(tmp_path):
    write_template(tmp_path / "model.toml")
    assert SequenceModel.from_file(tmp_path / "model.toml").strategies == ["A first", "B first"]
    with pytest.raises(BadInput, match="is there already"):
        write_template(tmp_path / "model.toml")
    write_template(tmp_path / "paper.toml", paper=True)


def test_more_drugs_and_lines_are_data():
    """Trap: two lines or two drugs hard-coded."""
    model = short(15, lines=3)
    assert len(model.all_orders()) == 6
    found = [Expected.of(each) for each in model.plans()]
    assert len({round(each.cost, 6) for each in found}) >= 3
    plan = model.plan(model.all_orders()[0])
    assert [name for name in plan.states if name.startswith("L")] == ["L1", "L2", "L3"]
    assert Occupancy.of(plan).trace(plan)["L3"].max() > 0


def test_discounting_by_hand():
    """The paper's 17.3 cycles a year; by default exact days."""
    model = short(2)
    paper = model.with_parts(discount=replace(model.parts.discount, cycles_per_year=17.3))
    assert paper.plan("A first").weights_cost[2] == pytest.approx((1 + 0.03 / 17.3) ** -2)
    assert model.plan("A first").weights_cost[2] == pytest.approx((1 + 0.03 * 28 / 365) ** -2)
    assert model.plan("A first").weights_qaly[0] == pytest.approx(28 / 365)


def test_recovery_by_hand():
    """From .72 to .8 over six cycles since stopping; as released it never begins."""
    off = short(12).plan("A first").utilities[0].stopped
    assert off[[0, 2, 5, 11]] == pytest.approx([0.72 + 0.08 / 6, 0.72 + 0.08 * 3 / 6, 0.8, 0.8])
    released = short(12, compat="released").plan("A first").utilities[0].stopped
    assert released == pytest.approx(0.72)


def test_adverse_events_are_billed():
    """Once, at the first cycle's price, the drug billed on; as released in each cycle, to the first drug's arm."""
    ours, theirs = (short(5, compat=each).plan("B first").costs[1] for each in ("corrected", "released"))
    assert ours.adverse.tolist() == [900 + 2500 + 9000, *[900 + 2500] * 5]
    assert theirs.adverse.tolist() == [900] * 6  # fatigue is free, and it was B that came first
    first = short(5, compat="released").plan("A first").costs[0]
    assert first.adverse.tolist() == [900 + 6000] * 6


def test_each_behaviour_is_a_switch():
    assert RELEASED.but(*vars(RELEASED)) == CORRECTED
    for name in vars(RELEASED):
        if name != "cycle_correction":
            assert getattr(RELEASED, name) != getattr(CORRECTED, name)
    with pytest.raises(BadInput, match="compat='speed': unknown behaviour; known: time_in_state"):
        RELEASED.but("speed")
    with pytest.raises(BadInput, match="cycle_correction='third': expected one of none, half, simpson"):
        Behaviour(cycle_correction="third")
    with pytest.raises(BadInput, match="compat='old': expected one of released, corrected"):
        Model.from_file(EXAMPLE, "old")


@pytest.mark.parametrize("compat", ["corrected", "released"])
def test_order_checks_hold_on_the_example(compat):
    checks = {each.what: each for each in order_checks(short(5, compat=compat), draws=2)}
    assert [each.what for each in checks.values() if each.broken] == []
    assert checks["the order of the drugs"].verdict == "order-dependent"
    within = checks["stopping before adverse events in a cycle, or after"]
    assert 0 < abs(within.d_qaly) < 1e-3


@needs_data
def test_order_checks_hold_on_the_published_case():
    assert not any(each.broken for each in order_checks(published().with_parts(cycles=6), draws=2))


def test_halving_the_cycle_moves_qalys_by_less_the_shorter_it_is():
    """The same hazards: what is left is the discretisation, O(cycle)."""
    half = replace(CORRECTED, cycle_correction="half")
    model = short(12).with_behaviour(half)
    names = [model, halved(model).with_behaviour(half)]
    names.append(halved(names[1]).with_behaviour(half))
    found = [Expected.of(each.plan("A first")) for each in names]
    first, second = (abs(b.qaly - a.qaly) for a, b in ((found[0], found[1]), (found[1], found[2])))
    assert first < 0.1 * model.cycle_years
    assert second < 0.7 * first
    assert found[1].dead[24] == pytest.approx(found[0].dead[12], abs=0.01)


def test_strategies_and_traces_as_tables():
    model = SequenceModel(short(10))
    assert model.expected()["strategy"].tolist() == ["A first", "B first"]
    trace = model.trace("B first")
    assert trace.shape == (11, 8)
    np.testing.assert_allclose(trace.sum(axis=1), 1)
    found = model.compare(model.simulate(50, 1))
    assert "Monte Carlo s.e." in found.note
    assert {"cost_error", "qaly_error"} <= {*found.table}
    few = model.compare(model.simulate(3, 1)).note
    assert "Monte Carlo" in few


@needs_data
def test_too_few_patients_are_told_how_many_are_needed():
    """Trap: comparing one run to five digits."""
    model = SequenceModel(published(), "none")
    told = []
    for seed in range(4):
        first, second = model.simulate(200, seed)
        benefit = MonteCarlo.of(50_000 * (second.qaly - first.qaly) - (second.cost - first.cost))
        told.append("at 50,000: s.e." in model.compare([first, second]).note)
        assert told[-1] == (benefit.error > abs(benefit.mean))
    assert any(told)
