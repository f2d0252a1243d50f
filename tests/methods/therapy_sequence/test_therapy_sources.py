"""Each input's distribution, source and price year: told, refused or noted as missing."""

import re
import tomllib

import numpy as np
import pytest
from therapy_cases import needs_data, published, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence import SequenceModel
from parataxis.methods.therapy_sequence.cheers import BLANK, cheers
from parataxis.methods.therapy_sequence.example import EXAMPLE
from parataxis.methods.therapy_sequence.inputs import inputs
from parataxis.methods.therapy_sequence.model_file import of_table
from parataxis.methods.therapy_sequence.parameters import parameters
from parataxis.methods.therapy_sequence.parts import Uncertainty
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.sources import source_table, unsaid


def of(*entries, **more):
    """The example's file with these entries."""
    table = tomllib.loads(EXAMPLE.read_text()) | {"parameter": list(entries)} | more
    return of_table(table, "m.toml: ")


def entry(**told):
    return {"what": ["cost"]} | told


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"what": ["price"]}, r"parameter\[1\]: what='price' is no input of this model; known: extensive.cost, "),
        ({"what": []}, r"parameter\[1\].what=\[\]: expected at least one key of an input"),
        ({"drug": "X"}, r"parameter\[1\]: drug='X', line=0: nothing of that there; drugs: A, B"),
        ({"line": 3}, r"drug='', line=3: nothing of that there"),
        ({"distribution": "beta"}, "distribution='beta': A: cost is a cost; expected gamma, lognormal, uniform, fixed"),
        ({"what": ["utility"], "distribution": "gamma"}, "is a utility; expected beta, uniform, fixed"),
        ({"what": ["death"], "distribution": "beta"}, "A, line 1: death: is no number that varies"),
        ({"distribution": "fixed", "standard_error": 3}, "standard_error=3.0: expected none of what is held fixed"),
        ({"standard_error": -1}, "standard_error=-1.0: expected a number from 0"),
        ({"what": ["utility"], "price_year": 2020}, "price_year=2020: A, line 1: utility is no cost"),
        ({"colour": "red"}, r"parameter\[1\].colour: unknown key; known: what, drug, line, distribution"),
    ],
)
def test_what_can_not_be_is_refused(told, line):
    with pytest.raises(BadInput, match=line.replace("what=\\[\\]", "what=\\[\\]").replace("].what=", "].*what=")):
        of(entry(**told))


def test_two_that_tell_the_same_are_refused_and_the_more_exact_one_counts():
    with pytest.raises(BadInput, match=r"parameter\[2\]: A: cost stands in parameter\[1\] too; leave one out"):
        of(entry(source="x"), entry(source="y"))
    found = of(entry(source="all"), entry(source="A's", drug="A"), entry(source="A's first", drug="A", line=1))
    told = {
        (each.place.drug, each.place.line): each.entry.source for each in inputs(found) if each.place.what == "cost"
    }
    assert told == {("A", 1): "A's first", ("A", 2): "A's", ("B", 1): "all", ("B", 2): "all"}


@pytest.mark.parametrize("distribution", ["gamma", "lognormal", "uniform"])
def test_a_price_has_the_distribution_that_is_told(distribution):
    parts = of(entry(drug="A", distribution=distribution, standard_error=300))
    (price,) = (each for each in parameters(parts) if each.name == "A: cost")
    rng = np.random.default_rng(0)
    drawn = np.array([price.draw(rng) for _ in range(4000)])
    assert (price.distribution, len(price.paths)) == (distribution, 2)
    assert drawn.mean() == pytest.approx(2500, abs=4 * 300 / np.sqrt(4000))
    assert drawn.std() == pytest.approx(300, rel=0.06)
    for share in (0.025, 0.5, 0.975):
        assert np.mean(drawn < price.quantile(share)) == pytest.approx(share, abs=0.025)


def test_what_is_held_fixed_does_not_vary():
    parts = of(entry(drug="A", distribution="fixed"))
    assert {"A: cost", "B: cost"} & {each.name for each in parameters(parts)} == {"B: cost"}


def test_a_price_with_another_standard_error_in_one_line_is_another_parameter():
    parts = of(entry(drug="A", line=2, standard_error=9))
    found = {each.name: each.sd for each in parameters(parts) if each.name.startswith("A: cost (")}
    assert found == {"A: cost (2500, s.e. 500)": 500, "A: cost (2500, s.e. 9)": 9}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (entry(distribution="uniform", standard_error=1800), "no uniform distribution has these"),
        ({"what": ["utility"], "standard_error": 0.6}, "no beta distribution has these; expected a smaller standard"),
    ],
)
def test_a_spread_that_can_not_be(told, line):
    model = short(5).with_parts(parameters=of(told).parameters)
    with pytest.raises(BadInput, match=line):
        psa(model, 2)


def test_a_distribution_without_a_spread_is_refused():
    with pytest.raises(BadInput, match="A: cost: distribution='gamma': give its standard_error"):
        of(entry(distribution="gamma"), uncertainty={})


def test_what_is_missing_is_noted():
    assert unsaid(short().parts) == []
    (none,) = unsaid(short().parts.__class__(**{**vars(short().parts), "parameters": ()}))
    assert none.startswith("44 of 44 inputs have no source (cost after all lines; utility after all lines; ")
    old = of(entry(source="tariff", price_year=2015))
    assert unsaid(old)[1].startswith("prices of another year than 2024 (A: cost, 2015; B: cost, 2015)")
    assert len(unsaid(of(entry(source="tariff", price_year=2015, conversion="CPI")))) == 1
    assert "8 costs have no year" in unsaid(of(price_year=0))[1]


def test_the_table_of_inputs_shows_each_and_marks_what_is_missing():
    table = source_table(of(entry(source="tariff", price_year=2015, conversion="CPI", drug="A")), BLANK)
    rows = table.set_index("input")
    assert table["input"].is_unique  # one price in two lines is told once
    assert rows.loc["A: cost", "source"] == "tariff; converted: CPI"
    assert (rows.loc["A: cost", "price year"], rows.loc["B: cost", "price year"]) == ("2015", "2024")
    assert rows.loc["B: cost", "source"] == BLANK
    assert (rows.loc["A, line 1: skip", "distribution"], rows.loc["A, line 1: utility", "distribution"]) == (
        "fixed",
        "beta",
    )


def test_the_checklist_tells_sources_and_prices():
    model = SequenceModel(short(6))
    told = cheers(model, model.compare()).set_index("topic")["reported"]
    assert told["Measurement and valuation of resources and costs"] == "costs: made-up price list; made-up tariff"
    assert told["Currency, price date, and conversion"].startswith("euros; 2024; some prices of 2020; consumer prices")
    undated = SequenceModel(short(6).with_parts(price_year=0))
    told = cheers(undated, undated.compare()).set_index("topic")["reported"]
    assert f"prices without a year {BLANK}" in told["Currency, price date, and conversion"]
    bare = SequenceModel(short(6).with_parts(parameters=(), uncertainty=Uncertainty()))
    told = cheers(bare, bare.compare()).set_index("topic")["reported"]
    assert told["Valuation of outcomes"] == BLANK
    assert "44 of 44 inputs have no source" in told["Study parameters"]


@needs_data
def test_the_published_case_says_where_its_numbers_are_from():
    (note,) = unsaid(published().parts)  # their script tells a year of one price that it does not use
    assert re.match(r"\d+ costs have no year \(", note)
    assert set(source_table(published().parts)["price year"]) == {""}
