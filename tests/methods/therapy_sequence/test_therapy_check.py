"""What `check` finds before another command stumbles over it, and units that can't be."""

import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.bootstrap import Patients
from parataxis.methods.therapy_sequence.checking import check_all
from parataxis.methods.therapy_sequence.curve_files import Folder
from parataxis.methods.therapy_sequence.dependence import HazardRatio
from parataxis.methods.therapy_sequence.events import infer_events
from parataxis.methods.therapy_sequence.example import EXAMPLE, write_template
from parataxis.methods.therapy_sequence.incidence import CIF
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.model_file import KEYS, ModelFile
from parataxis.methods.therapy_sequence.parts import PatientFile, Uncertainty
from parataxis.methods.therapy_sequence.reading import build
from parataxis.methods.therapy_sequence.sequence import SequenceModel
from parataxis.methods.therapy_sequence.workbook import write_sheets


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """With the trial that is written beside it."""
    path = tmp_path_factory.mktemp("example") / "m.toml"
    write_template(path, False)
    return Model.from_file(path)


def test_the_example_is_whole(example):
    check_all(example)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {"odd": 3}}, "setting 'odd': 3: expected a table of strategies"),
        ({"settings": {"odd": {"every": {"frailty": 1.0}}}}, "setting 'odd': .*expected {hazard_ratio, until}"),
        ({"settings": {"odd": {"every": {"hazard_ratio": "3", "until": 2}}}}, "setting 'odd': .*numbers each"),
        ({"settings": {"odd": {"every": {"hazard_ratio": -3, "until": 2}}}}, "hazard_ratio=-3.0: expected"),
        ({"settings": {"odd": {"every": {"clayton": 1}, "C first": {"clayton": 1}}}}, "strategy 'C first' is unknown"),
        ({"uncertainty": Uncertainty(utilities=0.9)}, "no beta distribution has these"),
    ],
)
def test_what_is_wrong_with_it(example, changes, told):
    with pytest.raises(BadInput, match=told):
        check_all(example.with_parts(setting="", **changes))


def test_files_that_are_not_there(example):
    (target,) = example.parts.targets
    with pytest.raises(BadInput, match=r"absent\.csv"):
        check_all(example.with_parts(targets=(replace(target, file="absent.csv"),)))
    first = example.parts.drugs[0]
    line = replace(first.lines[0], patients=PatientFile(file="absent.csv"))
    drugs = (replace(first, lines=(line, *first.lines[1:])), *example.parts.drugs[1:])
    with pytest.raises(BadInput, match=r"absent\.csv"):
        check_all(example.with_parts(drugs=drugs))


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("thresholds", [], "thresholds=.*: expected at least one, and none below 0"),
        ("thresholds", [-20000], "expected at least one, and none below 0"),
        ("strategy", [{"name": "none", "drugs": []}], "strategy 'none': drugs=.*: expected at least one drug"),
    ],
)
def test_a_file_that_can_not_be(place, value, told):
    table = tomllib.loads(EXAMPLE.read_text()) | {place: value, "target": []}
    with pytest.raises(BadInput, match=told):
        build(ModelFile, table, "", KEYS)


def test_another_unit_is_noticed(example, tmp_path):
    (target,) = example.parts.targets
    with pytest.raises(BadInput, match=r"are the times in another unit than unit_days=0\.1"):
        check_all(example.with_parts(targets=(replace(target, unit_days=0.1),)))
    pd.DataFrame({"time": [5.0, 30.0], "progression": [1, 1], "death": [0, 0]}).to_csv(tmp_path / "p.csv")
    with pytest.raises(BadInput, match=r"p\.csv: the last time is cycle 1\.4: .*unit_days=1 "):
        Patients.read(PatientFile(file="p.csv"), Folder(tmp_path), 21.0)
    months = pd.DataFrame({"time": np.arange(1.0, 30), "event": 1})
    with pytest.raises(BadInput, match="pfs: the last time is 29, that of os 1740: expected one unit"):
        infer_events(months, months.assign(time=60 * months["time"]), pixel=0.1)
    with pytest.raises(BadInput, match="time=900 months: nobody is followed so long"):
        CIF.of(np.array([30.0, 900.0]), np.ones(2), np.zeros(2), "months")


def test_a_setting_that_is_worse_than_none_is_told_of(example):
    model = SequenceModel(example)
    (target,) = model.model.parts.targets
    far = {target.strategy: {"hazard_ratio": 0.05, "until": 30.0}}
    others = {each: {"hazard_ratio": 1.0, "until": 1.0} for each in model.strategies} | far
    worse = SequenceModel(model.model.with_parts(settings={"far": others}), "far")
    (note,) = worse.misfits()
    assert note.startswith(f"setting 'far' matches the trial of {target.strategy!r} worse than no dependence does")
    assert model.calibrated().misfits() == []


def test_orders_of_the_drugs_have_the_dependence_of_their_strategy(example):
    for each in example.strategies:
        own = example.with_parts(settings={"own": {each.name: {"hazard_ratio": 2.0, "until": 9.0}}}, setting="own")
        assert own.dependence(" then ".join(each.drugs)) == HazardRatio(2.0, 9.0)


def test_a_name_changes_no_draw_that_is_fitted_anew(example):
    one, other = example.strategies
    names = {one.name: "x", other.name: "y"}
    renamed = example.with_parts(
        strategies=tuple(replace(each, name=names[each.name]) for each in example.strategies),
        targets=tuple(replace(each, strategy=names[each.strategy]) for each in example.parts.targets),
        settings={},
        setting="",
    )
    plain = example.with_parts(settings={}, setting="")
    found = [SequenceModel(each).psa(2, recalibrate=True).draws for each in (plain, renamed)]
    assert found[0].cost.tolist() == found[1].cost.tolist()


def test_every_table_has_its_sheet(tmp_path):
    long = "a strategy with a name that is long, "
    tables = {f"{long}{each}": pd.DataFrame({"x": [n]}) for n, each in enumerate(("one", "two", "a/b"))}
    path = write_sheets(tmp_path / "out.xlsx", tables)
    assert [int(each["x"][0]) for each in pd.read_excel(path, sheet_name=None).values()] == [0, 1, 2]


def test_a_gap_in_a_curve_of_a_workbook_is_refused(tmp_path):
    write_template(tmp_path / "m.xlsx", False)
    sheets = pd.read_excel(tmp_path / "m.xlsx", sheet_name=None)
    for value, told in ((None, "nan"), ("x", "'x'")):
        curves = sheets["curves"].astype(object)
        curves.iloc[3, -1] = value
        write_sheets(tmp_path / "m.xlsx", sheets | {"curves": curves})
        with pytest.raises(BadInput, match=f"sheet 'curves', row 5: {told}: expected a number in every cell"):
            Model.from_file(tmp_path / "m.xlsx")
