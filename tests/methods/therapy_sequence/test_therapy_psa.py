"""Sensitivity analysis: its distributions, its draws' independence of order, and going on after a cut."""

import json
from dataclasses import replace

import numpy as np
import pytest
from therapy_cases import short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence import psa as analysis
from parataxis.methods.therapy_sequence.bootstrap import Patients
from parataxis.methods.therapy_sequence.curve_files import Folder
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.parameters import parameters, with_values
from parataxis.methods.therapy_sequence.parts import PatientFile, Uncertainty
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.sequence import SequenceModel


def test_distributions_have_their_mean_and_standard_error():
    rng = np.random.default_rng(1)
    for each in parameters(short().parts):
        drawn = np.array([each.draw(rng) for _ in range(1000)])
        assert drawn.mean() == pytest.approx(each.mean, abs=4 * each.sd / np.sqrt(len(drawn)))
        assert drawn.std() == pytest.approx(each.sd, rel=0.1)
        assert each.quantile(0.025) < each.mean < each.quantile(0.975)
        if each.kind != "cost":
            assert ((drawn > 0) & (drawn < 1)).all()


def test_one_price_is_one_parameter():
    """A drug costs the same in both lines; equal utilities in a line are one."""
    known = {each.name: each for each in parameters(short().parts)}
    assert len(known["A: cost"].paths) == 2
    assert len(known["any drug: cost_always"].paths) == 4
    values = {
        known["A: cost"]: 9.0,
        known["A, line 1: stop probability"]: known["A, line 1: stop probability"].mean / 2,
    }
    changed = with_values(short().parts, values)
    assert [each.cost for each in changed.drugs[0].lines] == [9.0, 9.0]
    assert changed.drugs[0].lines[0].stop.by_cycle(7).tolist() == pytest.approx([0.02] * 5 + [1, 1])
    assert changed.drugs[1] == short().parts.drugs[1]


def test_without_uncertainty_every_draw_is_the_expectation():
    model = short(10).with_parts(uncertainty=Uncertainty())
    found = psa(model, 3)
    exact = [Expected.of(each) for each in model.plans()]
    assert found.varied == ()
    assert (found.draws.cost == [each.cost for each in exact]).all()
    assert (found.draws.qaly == [each.qaly for each in exact]).all()


def test_a_draw_depends_on_seed_and_number_alone():
    model = short(10)
    long, few = psa(model, 12, 5).draws, psa(model, 4, 5).draws
    assert (long.cost[:4] == few.cost).all()
    turned = psa(model.with_parts(strategies=model.strategies[::-1]), 4, 5).draws
    assert (turned.cost[:, ::-1] == few.cost).all()
    assert not (psa(model, 4, 6).draws.cost == few.cost).any()
    swapped = psa(model.with_parts(drugs=model.parts.drugs[::-1]), 4, 5).draws
    assert (swapped.cost == few.cost).all()  # nor on the order of the drugs in the file


def test_reused_occupancies_give_what_a_whole_run_gives():
    model = short(12)
    known = parameters(model.parts)
    rng = np.random.default_rng([7, 0])
    values = {each: each.draw(rng) for each in sorted(known, key=lambda each: (each.name, each.mean))}
    parts = with_values(model.parts, values)
    whole = [
        Expected.of(model.with_parts(drugs=parts.drugs, extensive=parts.extensive).plan(each))
        for each in model.strategies
    ]
    found = psa(model, 2, 7).draws
    assert found.cost[0].tolist() == pytest.approx([each.cost for each in whole], rel=1e-12)
    assert found.qaly[0].tolist() == pytest.approx([each.qaly for each in whole], rel=1e-12)


def test_a_cut_off_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(analysis, "BATCH", 5)
    model, log = short(10), tmp_path / "draws.jsonl"
    whole = psa(model, 9, 2).draws
    psa(model, 7, 2, log=log)
    kept = log.read_text()
    log.write_text(kept.splitlines(keepends=True)[0])  # killed before the first draws were written
    assert (psa(model, 3, 2, log=log).draws.cost == whole.cost[:3]).all()
    log.write_text(kept[:-40])  # a kill in the middle of the last line
    again = psa(model, 9, 2, log=log)
    assert (again.draws.cost == whole.cost).all()
    assert again.values.equals(psa(model, 9, 2).values)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    numbers = [int(key) for row in rows[1:] for key in row["draws"]]
    assert sorted(numbers) == list(range(9))
    with pytest.raises(BadInput, match="holds draws of another model, seed or setting"):
        psa(model, 9, 3, log=log)


def patient_model(tmp_path, columns="time,progression,death"):
    rows = ["2,1,0", "3,0.5,0.5", "3,0,1", "4,0,0", "5,0.9,0.1", "6,1,0", "7,0,0", "8,0.2,0.8"] * 10
    (tmp_path / "patients.csv").write_text("\n".join([columns, *rows]))
    model = short(10)
    given = PatientFile(file="patients.csv", unit_days=28.0)
    drugs = model.parts.drugs
    lines = (replace(drugs[0].lines[0], patients=given), drugs[0].lines[1])
    return Model(replace(model.parts, drugs=(replace(drugs[0], lines=lines), drugs[1])), Folder(tmp_path))


def test_patients_are_drawn_again_with_their_labels(tmp_path):
    model = patient_model(tmp_path).with_parts(uncertainty=Uncertainty())
    found = psa(model, 8)
    assert found.curves == ("A, line 1",)
    assert np.ptp(found.draws.qaly[:, 0]) > 0
    assert np.ptp(found.draws.qaly[:, 1]) == 0  # nothing of B first hangs on A in the first line


def test_soft_labels_are_redrawn_and_average_to_themselves():
    """Trap: hard labels in the sensitivity analysis."""
    sure = Patients(np.array([1.0, 2.0, 3.0] * 50), np.array([0.7, 0.0, 0.5] * 50), np.array([0.2, 1.0, 0.1] * 50))
    rng = np.random.default_rng(0)
    drawn = [sure.drawn(rng) for _ in range(300)]
    assert {*np.unique(drawn[0].progression)} <= {0.0, 1.0}
    shares = np.mean([[each.incidences(3)[0][-1], each.incidences(3)[1][-1]] for each in drawn], axis=0)
    truth = [each[-1] for each in sure.incidences(3)]
    assert shares == pytest.approx(truth, abs=0.02)


def test_fractional_aalen_johansen_by_hand():
    """Of four: at 1 a progression that may be a death (half, half), at 2 a censoring, at 3 a death, at 4 nothing."""
    found = Patients(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0, 0, 0]), np.array([0.5, 0, 1, 0]))
    progression, death = found.incidences(4)
    assert progression.tolist() == pytest.approx([0.125] * 4)
    assert death.tolist() == pytest.approx([0.125, 0.125, 0.125 + 0.75 / 2, 0.5])


def test_recalibrated_in_each_draw():
    model = short(12).with_parts(settings={"s": {"every": {"hazard_ratio": 2, "until": 6}}}, setting="s")
    rng = np.random.default_rng(0)
    trials = {each.name: (rng.integers(1, 13, 50).astype(float), np.ones(50), 12) for each in model.strategies}
    found = psa(model, 2, trials=trials)
    assert found.recalibrated
    assert not (found.draws.qaly == psa(model, 2).draws.qaly).any()
    turned = psa(model.with_parts(strategies=model.strategies[::-1]), 2, trials=trials).draws
    assert (turned.qaly[:, ::-1] == found.draws.qaly).all()


@pytest.mark.parametrize(
    ("row", "told"),
    [("3,0.9,0.9", "add to at most 1"), ("-1,1,0", "expected a time from 0"), ("3,,1", "patients.csv:82")],
)
def test_bad_patients(tmp_path, row, told):
    model = patient_model(tmp_path)
    with open(tmp_path / "patients.csv", "a") as file:
        file.write(f"\n{row}")
    with pytest.raises(BadInput, match=told):
        psa(model, 2)


def test_bad_spread():
    model = short(5).with_parts(uncertainty=Uncertainty(utilities=0.9))
    with pytest.raises(BadInput, match="no beta distribution has these"):
        psa(model, 2)


def test_tornado_is_sorted_and_starts_from_the_expectation():
    model = SequenceModel(short(12))
    table = model.tornado("B first", "A first", 50_000.0)
    exact = model.compare().table.set_index("strategy")
    base = exact.loc["B first", "nmb_50000"] - exact.loc["A first", "nmb_50000"]
    assert table["base"].to_numpy() == pytest.approx(base)
    width = (table["at_high"] - table["at_low"]).abs()
    assert width.is_monotonic_decreasing
    dear = table.set_index("parameter").loc["B: cost"]
    assert dear["at_low"] != dear["at_high"]


def test_all_orders_of_three_drugs_are_ranked():
    model = SequenceModel(short(12, lines=3))
    found = model.psa(4, orders=True).draws
    assert len(found.names) == 6
    assert found.ranking(50_000.0)["best"].sum() == pytest.approx(1)
