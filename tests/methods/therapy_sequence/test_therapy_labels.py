"""Labels of cycles, names, and parts of the work: what must not matter, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from therapy_cases import DEPENDENT, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence import order_checks as checks
from parataxis.methods.therapy_sequence.curve_files import Folder
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.example import write_template
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.order_labels import by_parts, renamed, swapped_neighbours
from parataxis.methods.therapy_sequence.parts import Curve
from parataxis.methods.therapy_sequence.simulate import simulate
from parataxis.methods.therapy_sequence.workbook import write_sheets


def of_file(folder, labels):
    """The first line's progression of the example from a file, its rows in another order."""
    model = short(20)
    drug = model.parts.drugs[0]
    values = np.array(drug.lines[0].progression.values)
    order = np.random.default_rng(0).permutation(20)
    pd.DataFrame({"cycle": labels[order], "p": values[order]}).to_csv(folder / "c.csv", index=False)
    line = replace(drug.lines[0], progression=Curve(file="c.csv", column="p"))
    drugs = (replace(drug, lines=(line, drug.lines[1])), model.parts.drugs[1])
    return Model(replace(model.parts, drugs=drugs), Folder(folder))


def test_rows_of_a_file_are_put_in_the_order_of_their_cycles(tmp_path):
    found = of_file(tmp_path, np.arange(1, 21)).plan("A first")
    assert Expected.of(found).qaly == Expected.of(short(20).plan("A first")).qaly


@pytest.mark.parametrize("label", [0, 21, 4, None])
def test_labels_that_are_no_cycles_are_refused(tmp_path, label):
    labels = np.arange(1, 21).astype(object)
    labels[6] = label
    with pytest.raises(BadInput, match=r"c\.csv:\d+: cycle=\S+: expected each of 1 to 20 once, a row a cycle"):
        of_file(tmp_path, labels).plan("A first")


def test_cycles_of_a_workbook_are_looked_at(tmp_path):
    write_template(tmp_path / "m.xlsx", False)
    sheets = pd.read_excel(tmp_path / "m.xlsx", sheet_name=None)
    truth = Model.from_file(tmp_path / "m.xlsx").parts
    turned = sheets["curves"].iloc[::-1].reset_index(drop=True)
    write_sheets(tmp_path / "m.xlsx", sheets | {"curves": turned})
    assert Model.from_file(tmp_path / "m.xlsx").parts == truth
    turned.loc[3, "cycle"] = 5
    write_sheets(tmp_path / "m.xlsx", sheets | {"curves": turned})
    with pytest.raises(BadInput, match="sheet 'curves', row 17: cycle=5: expected each of 1 to 20 once"):
        Model.from_file(tmp_path / "m.xlsx")


def test_parts_on_workers_are_the_whole():
    plan = short(12).plan("B first", DEPENDENT)
    whole = simulate(plan, 30, 7)
    rows = by_parts(plan, [range(21, 31), range(1, 8), range(8, 21)], 7)
    assert [each[1] for each in rows] == whole.cost.tolist()


def test_other_names_change_nothing_but_the_names():
    model = short(12).with_parts(setting="dependent")
    other = renamed(model)
    assert [each.id for each in other.parts.drugs] == ["002 of 2", "001 of 2"]  # the alphabet is turned round
    for one, two in zip(model.strategies, other.strategies, strict=True):
        assert Expected.of(model.plan(one)).qaly == Expected.of(other.plan(two)).qaly
    for three in (short(6, lines=3), short(6, lines=3).with_parts(settings={}, setting="")):
        found = [Expected.of(made.plan(each)).cost for made in (three, renamed(three)) for each in made.strategies]
        assert found[:6] == found[6:]


def test_a_later_event_is_worth_more_and_is_measured():
    """Swapped labels of cycles 1 and 2: whoever progresses in the second rather than the first gains."""
    model = short(4)
    made = [each for drug, each in swapped_neighbours(model) if drug == "A"]
    assert len(made) == 3
    table = model.table("A", 0)
    assert made[0].table("A", 0).progression.tolist() == pytest.approx(table.progression[[1, 0, 2, 3]])
    gain = Expected.of(made[0].plan("A first")).qaly - Expected.of(model.plan("A first")).qaly
    assert np.sign(gain) == np.sign((table.progression + table.death)[0] - (table.progression + table.death)[1])


def test_what_matters_and_must_not_is_called_broken(monkeypatch):
    monkeypatch.setattr(checks, "renamed", lambda model: model.with_parts(cycles=model.parts.cycles - 1))
    assert checks.names(short(6)).broken
    monkeypatch.undo()
    assert not checks.names(short(6)).broken
