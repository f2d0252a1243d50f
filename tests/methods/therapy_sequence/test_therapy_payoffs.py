"""Payoffs by time in the state and by strategy: by hand, over all paths, patient by patient, in a workbook."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
from test_therapy_exact import by_all_paths
from therapy_cases import DEPENDENT, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.example import EXAMPLE
from parataxis.methods.therapy_sequence.inputs import inputs
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.model_file import KEYS, ModelFile
from parataxis.methods.therapy_sequence.order_checks import order_checks
from parataxis.methods.therapy_sequence.parameters import parameters, with_values
from parataxis.methods.therapy_sequence.reading import build
from parataxis.methods.therapy_sequence.simulate import simulate
from parataxis.methods.therapy_sequence.workbook import model_sheets, read_workbook, write_sheets

OWN = '[[extensive.own]]\nstrategy = "B first"\ncost = 3000\nutility = 0.4\ncost_cycles = [5000, 4000]\n'


def table(first="cost_cycles = [4000, 3500]\nutility_cycles = [0.6]\n", own=OWN):
    text = EXAMPLE.read_text().replace("cost = 2500\n", f"cost = 2500\n{first}", 1)
    return tomllib.loads(text.replace("[[drug]]", own + "\n[[drug]]", 1))


def model(cycles=6, **parts):
    return Model(build(ModelFile, table(**parts), "", KEYS), short().folder).with_parts(cycles=cycles)


def test_by_hand():
    """On drug A 4,000, 3,500, then 2,500, beside the 900 that are always paid; afterwards each strategy its own."""
    one, other = (model().plan(each) for each in ("A first", "B first"))
    assert one.costs[0].on.tolist() == [4900, 4400, *[3400] * 5]
    assert one.utilities[0].on.tolist() == [0.6, *[0.72] * 6]
    assert one.costs[1].on.tolist() == [2800] * 7
    assert one.after_cost.tolist() == [2400] * 7
    assert other.after_cost.tolist() == [5000, 4000, *[3000] * 5]
    assert other.after_utility.tolist() == [0.4] * 7
    orders = {each.name: model().plan(each) for each in model().all_orders()}
    assert orders["B then A"].after_cost.tolist() == other.after_cost.tolist()


@pytest.mark.parametrize("strategy", ["A first", "B first"])
def test_both_engines_know_the_time_in_the_state(strategy):
    plan = model().plan(strategy, DEPENDENT)
    found, (cost, qaly, _) = Expected.of(plan), by_all_paths(plan)
    assert found.cost == pytest.approx(cost, rel=1e-12)
    assert found.qaly == pytest.approx(qaly, rel=1e-12)
    walked, n = simulate(plan, 20_000, 3), 20_000
    assert abs(walked.cost.mean() - cost) < 4.5 * walked.cost.std() / np.sqrt(n)
    assert abs(walked.qaly.mean() - qaly) < 4.5 * walked.qaly.std() / np.sqrt(n)
    trace = Occupancy.of(plan).after
    assert trace.sum() == pytest.approx(Occupancy.of(plan).trace(plan)["PD"].sum())


def test_each_of_them_may_vary_and_has_a_source():
    parts = model().parts
    names = {each.name: each for each in parameters(parts)}
    price = names["A, line 1: cost in cycle 2"]
    assert (price.mean, price.kind) == (3500, "cost")
    changed = with_values(parts, {price: 9.0, names["utility after all lines, B first"]: 0.3})
    assert changed.drugs[0].lines[0].cost_cycles == (4000, 9)
    assert changed.extensive.own[0].utility == 0.3
    assert {"cost_cycles", "utility_cycles", "extensive.own.cost", "extensive.own.cost_cycles"} <= {
        each.place.what for each in inputs(parts)
    }


def test_a_workbook_gives_them_back(tmp_path):
    write_sheets(tmp_path / "m.xlsx", model_sheets(table()))
    assert build(ModelFile, read_workbook(tmp_path / "m.xlsx"), "", KEYS) == build(ModelFile, table(), "", KEYS)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"first": "cost_cycles = [-1]\n"}, r"line\[1\].*cost_cycles=-1.0: expected numbers from 0"),
        ({"first": "utility_cycles = [0.5, 1.5]\n"}, "utility_cycles=1.5: expected 0 to 1"),
        ({"own": OWN.replace("B first", "C first")}, "extensive.own: strategy='C first' is unknown; known: A first, B"),
        ({"own": OWN.replace("utility = 0.4\n", "")}, r"extensive.own\[1\].utility: missing key"),
    ],
)
def test_what_can_not_be_is_refused(parts, told):
    with pytest.raises(BadInput, match=told):
        model(**parts)


def test_no_order_matters_to_them():
    checks = order_checks(replace_strategies(model(3)), draws=2)
    assert [each.what for each in checks if each.broken] == []


def replace_strategies(found):
    """Without a setting of its own for a strategy's name."""
    return Model(replace(found.parts, setting="dependent"), found.folder)
