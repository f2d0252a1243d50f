"""The study of curves on made patients, and the counting of events behind released incidences."""

import numpy as np
import pandas as pd
import pytest
from therapy_cases import FOLDER, needs_data


def test_events_are_counted_from_steps_of_an_incidence():
    """60 patients, a censored one among them at each cycle: 1, 0 and 2 events of one cause, 1 of the other, a tail."""
    from parataxis.methods.therapy_sequence.incidence import CIF
    from parataxis.methods.therapy_sequence.study_curves import counted

    time = np.r_[np.arange(1.0, 31), np.full(30, 40.0)]
    event = np.r_[np.arange(30) % 3 > 0, np.zeros(30, bool)]
    death = np.r_[np.arange(30) % 3 == 2, np.zeros(30, bool)]
    found = CIF.of(time, event, death * 1.0)
    steps = np.diff(np.column_stack(found.on_cycles(40, 1)), axis=0)
    smooth = np.full((10, 2), 0.00123)
    counts, off = counted(np.vstack([steps, smooth]), 60)
    assert counts.tolist() == [10, 10]
    assert off < 0.05


def test_a_ratio_is_turned_toward_the_published_one():
    from parataxis.methods.therapy_sequence.study_curves import _toward

    assert _toward(0.3, -0.28) == -0.3
    assert _toward(0.3, 0.28) == 0.3


@needs_data
def test_beyond_is_a_trial_of_the_lung(tmp_path):
    """Trap: the key lists it under prostate. Trials are told by name: under any cancer they are the same."""
    from parataxis.methods.therapy_sequence.study_curves_inputs import read_trials

    key = pd.read_csv(FOLDER / "kmdata_key.csv")
    beyond = key[key["ClinicalTrial"] == "BEYOND"]
    assert set(beyond["Cancer"]) == {"Prostate"}
    assert beyond["Title"].str.contains("Lung").all()
    key.assign(Cancer="Lung").to_csv(tmp_path / "key.csv", index=False)
    one, other = (
        read_trials(FOLDER / "kmdata_ipd.csv.gz", each) for each in (FOLDER / "kmdata_key.csv", tmp_path / "key.csv")
    )
    told = [[(each.name, each.published, len(each.time)) for each in trials] for trials in (one, other)]
    assert told[0] == told[1]
    assert set(beyond["name_file"]) <= {each.name for each in one}


def test_every_claim_is_stated_and_measured_once():
    from parataxis.methods.therapy_sequence import study_curves
    from parataxis.methods.therapy_sequence.study_curves_inputs import toy

    seen = []
    for claims, part in study_curves.PARTS.items():
        found = list(part(toy(np.random.default_rng(0)), lambda *names: np.random.default_rng(len(names))))
        measured = [each.id for each in found if hasattr(each, "id")]
        assert sorted(measured) == sorted(claims)
        assert hasattr(found[-1], "id"), "tables and figures come before a part's last claim"
        seen += measured
    assert len(seen) == len(set(seen)) == len(study_curves.CLAIMS)


@pytest.mark.parametrize("name", ["curve-points", "event-labels", "incidence-rows"])
def test_order_does_not_matter_and_the_twin_is_caught(name):
    from parataxis.methods.therapy_sequence.study_curves_orders import systems

    system = systems(np.random.default_rng(0))[name]
    backwards = list(system.items)[::-1]
    same, twin = system.run(list(system.items)), system.twin(list(system.items))
    turned, twin_turned = system.run(backwards), system.twin(backwards)
    if system.per_item:
        turned, twin_turned = turned[::-1], twin_turned[::-1]
    assert turned == same
    assert twin_turned != twin


def test_pictures_show_every_group_and_trial():
    from parataxis.methods.therapy_sequence import plot_study

    drawn = plot_study.event_types(
        {"first group": (0.1, 0.12, 0.05, 0.2, 0.4), "second group": (0.0, 0.01, 0.0, 0.1, 0.3)}
    )
    assert b"first group" in drawn.image
    assert b"second group" in drawn.image
    ratios = plot_study.ratios(np.array([0.5, 0.8, 2.1]), np.array([0.52, 0.79, 2.0]))
    assert b"published hazard ratio" in ratios.image
