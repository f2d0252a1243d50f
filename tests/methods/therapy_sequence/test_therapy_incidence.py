"""Aalen-Johansen with events that are partly either: against closed forms and every labelling written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput


@pytest.fixture
def CIF():
    from parataxis.methods.therapy_sequence.incidence import CIF

    return CIF


def by_hand(time, kind):
    """Incidences at the end, of whole events: the product and the sum of the definition, one time after another."""
    survival, incidence = 1.0, np.zeros(2)
    for when in sorted(set(time)):
        at_risk = sum(each >= when for each in time)
        here = np.array([sum(t == when and k == cause for t, k in zip(time, kind, strict=True)) for cause in (1, 2)])
        incidence += survival * here / at_risk
        survival *= 1 - here.sum() / at_risk
    return incidence


def test_without_censoring_it_is_the_share_of_patients(CIF):
    found = CIF.of(np.array([1, 2, 2, 3, 5.0]), np.ones(5), np.array([0, 1, 0, 0, 1.0]))
    assert found.time.tolist() == [0, 1, 2, 3, 5]
    assert found.progression == pytest.approx([0, 0.2, 0.4, 0.6, 0.6])
    assert found.death == pytest.approx([0, 0, 0.2, 0.2, 0.4])
    assert found.survival == pytest.approx([1, 0.8, 0.4, 0.2, 0])


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_shares_are_the_mean_over_all_labellings(seed):
    from parataxis.methods.therapy_sequence.incidence import CIF

    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 6, 7).astype(float), rng.random(7) < 0.7
    death = np.where(event, rng.random(7), 0)
    found = CIF.of(time, event, death)
    mean = np.zeros(2)
    for labels in itertools.product((1, 2), repeat=7):
        if any(kind == 2 and not there for kind, there in zip(labels, event, strict=True)):
            continue  # one labelling of the censored is enough
        kinds = [kind if there else 0 for kind, there in zip(labels, event, strict=True)]
        chance = np.prod([{0: 1, 1: 1 - share, 2: share}[kind] for kind, share in zip(kinds, death, strict=True)])
        mean += chance * by_hand(time.tolist(), kinds)
    assert [found.progression[-1], found.death[-1]] == pytest.approx(mean, abs=1e-12)


@settings(max_examples=20)
@given(st.permutations(range(8)))
def test_patients_in_any_order_and_causes_under_any_name(order):
    from parataxis.methods.therapy_sequence.incidence import CIF

    time, event = np.array([1, 1, 2, 2, 2, 4, 5, 5.0]), np.array([1, 0, 1, 1, 0, 1, 1, 0])
    death = np.array([0.3, 0, 1, 0, 0, 0.5, 0.25, 0])
    given_, moved = CIF.of(time, event, death), CIF.of(*(each[list(order)] for each in (time, event, death)))
    assert np.allclose(given_.death, moved.death, rtol=0, atol=1e-15)
    renamed = CIF.of(time, event, event * (1 - death))
    assert np.allclose(given_.death, renamed.progression, rtol=0, atol=1e-15)


GOLDEN = (
    [0.09006947797400444, 0.32223678495162394, 0.5883577456122242],
    [0.030993409797173493, 0.11869573276967574, 0.20807194313989116],
)


def test_scikit_survival_and_lifelines_agree(CIF):
    """scikit-survival 0.28 gave these incidences of 400 patients with ties; without ties lifelines 0.30.3 did too."""
    rng = np.random.default_rng(3)
    time, kind = np.round(rng.weibull(1.4, 400) * 30 + 0.05, 1), rng.choice([0, 1, 2], 400, p=[0.3, 0.5, 0.2])
    found = CIF.of(time, kind > 0, kind == 2)
    days = np.array([10.0, 30, 60])
    assert found.at(days)[0] == pytest.approx(GOLDEN[0], abs=1e-12)
    assert found.at(days)[1] == pytest.approx(GOLDEN[1], abs=1e-12)


def test_cycles_are_counted_in_days_whatever_the_unit(CIF):
    months = CIF.of(np.array([21, 43.0]) / 30.4, np.ones(2), np.array([0, 1]), "months")
    progression, death = months.on_cycles(2, 21)
    assert progression.tolist() == [0, 0.5, 0.5]
    assert death.tolist() == [0, 0, 0]
    days = CIF.of(np.array([21, 43.0]), np.ones(2), np.array([0, 1]))
    assert days.on_cycles(2, 21)[0].tolist() == [0, 0.5, 0.5]


def test_a_horizon_beyond_the_data_is_refused(CIF):
    found = CIF.of(np.array([10, 43.0]), np.ones(2), np.zeros(2))
    with pytest.raises(BadInput, match=r"day 63 lies beyond day 43, the end of the data.*--tail"):
        found.on_cycles(3, 21)
    for cycles, length in ((0, 21), (2, 0), (2, -1)):
        with pytest.raises(BadInput, match="expected 1 or more, and above 0"):
            found.on_cycles(cycles, length)


BAD = {
    "none": (([], [], []), "0 patients: expected at least one"),
    "time": (([1, np.nan], [1, 1], [0, 0]), "finite times of 0 or more"),
    "negative": (([1, -1], [1, 1], [0, 0]), "finite times of 0 or more"),
    "event": (([1, 2], [1, 2], [0, 0]), "event=2: expected 0"),
    "death": (([1, 2], [1, 1], [0, 1.5]), r"death=1.5: expected a share in \[0, 1\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_patients_that_can_not_be_are_refused(case, CIF):
    arrays, said = BAD[case]
    with pytest.raises(BadInput, match=said):
        CIF.of(*(np.array(each, float) for each in arrays))


def test_incidences_that_can_not_be_are_refused(CIF):
    """As the authors' second line on docetaxel, whose incidences add to 1.165."""
    time = np.array([0, 1.0])
    with pytest.raises(BadInput, match=r"progression \+ death = 1.165 at time 1: incidences can't add to more than 1"):
        CIF(time, np.array([0, 0.834]), np.array([0, 0.331]), 1.0)
    with pytest.raises(BadInput, match="death: falls at time 1"):
        CIF(time, np.array([0, 0.4]), np.array([0.1, 0.0]), 1.0)
    with pytest.raises(BadInput, match="unit='fortnights': expected one of days, weeks, months, years"):
        CIF(time, time / 4, time / 4, 1.0, "fortnights")
    with pytest.raises(BadInput, match="rising times from 0"):
        CIF(time + 1, time / 4, time / 4, 3.0)
