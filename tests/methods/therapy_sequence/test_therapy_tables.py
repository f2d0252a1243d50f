"""From incidences to probabilities of a cycle, and how later lines depend on the first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.dependence import Clayton, HazardRatio, conditional_survival
from parataxis.methods.therapy_sequence.tables import TransitionTable, cause_specific, incidence_of

PROGRESSION, DEATH = np.array([0.1, 0.3, 0.4]), np.array([0.1, 0.1, 0.2])


def test_by_hand():
    table = TransitionTable.from_incidence(PROGRESSION, DEATH)
    assert table.progression == pytest.approx([0.1, 0.2 / 0.8, 0.1 / 0.6])
    assert table.death == pytest.approx([0.1, 0.0, 0.1 / 0.6])
    assert table.survival() == pytest.approx([1, 0.8, 0.6, 0.4])
    released = TransitionTable.from_incidence(PROGRESSION, DEATH, "subdistribution")
    assert released.progression == pytest.approx([0.1, 0.2 / 0.9, 0.1 / 0.7])
    assert released.survival()[-1] > 0.4  # too few leave


def test_tail_is_events_over_patient_cycles_before_it():
    long = np.append(PROGRESSION, 0.99)
    table = TransitionTable.from_incidence(long, np.append(DEATH, 0.99), tail={"progression": 4, "death": 3})
    assert table.progression[3] == pytest.approx(0.4 / (1 + 0.8 + 0.6))
    assert table.death[2:] == pytest.approx([0.1 / 1.8] * 2)


rising = st.lists(st.floats(0.001, 0.2), min_size=2, max_size=12)


@given(rising, rising)
@settings(max_examples=30)
def test_incidence_and_probability_are_inverse(g, d):
    n = min(len(g), len(d))
    total = 1.2 * (sum(g[:n]) + sum(d[:n]))
    progression, death = np.cumsum(g[:n]) / total, np.cumsum(d[:n]) / total
    np.testing.assert_allclose(incidence_of(cause_specific(progression, np.zeros(n))), progression, atol=1e-12)
    free = np.concatenate([[1], 1 - (progression + death)[:-1]])
    np.testing.assert_allclose(np.cumsum(cause_specific(progression, death) * free), progression, atol=1e-12)


@given(rising, rising)
@settings(max_examples=30)
def test_relabelling_the_causes_is_equivariant(g, d):
    n = min(len(g), len(d))
    total = 1.2 * (sum(g[:n]) + sum(d[:n]))
    one, other = np.cumsum(g[:n]) / total, np.cumsum(d[:n]) / total
    for form in ("cause_specific", "subdistribution"):
        table, swapped = (
            TransitionTable.from_incidence(one, other, form),
            TransitionTable.from_incidence(other, one, form),
        )
        assert (table.progression == swapped.death).all()
        assert (table.death == swapped.progression).all()
        first = table.survival()
        mine, theirs = (HazardRatio(2.0, 5.0).tables(each, first) for each in (table, swapped))
        np.testing.assert_allclose(mine[0], theirs[1], atol=1e-15)


@pytest.mark.parametrize(
    ("progression", "death", "tail", "told"),
    [
        ([0.1, 0.05], [0, 0], None, "progression, cycle 2: incidence=0.05 falls: expected one that rises"),
        ([10.0, 20.0], [0, 0], None, "progression, cycle 1: incidence=10: expected 0 to 1; in percent?"),
        ([0.1, np.nan], [0, 0], None, "progression, cycle 2: incidence=nan"),
        ([0.5, 0.7], [0.4, 0.5], None, "cycle 2: incidences of progression and death add to 1.200"),
        ([0.5, 0.7], [0.4, 0.5], {"progression": 9}, "progression: tail_from=9: expected 2 to 3"),
    ],
)
def test_bad_incidences(progression, death, tail, told):
    with pytest.raises(BadInput) as caught:
        TransitionTable.from_incidence(np.array(progression), np.array(death, float), tail=tail)
    assert told in str(caught.value)


def test_a_tail_heals_incidences_that_add_to_more_than_1():
    table = TransitionTable.from_incidence(
        np.array([0.5, 0.7]), np.array([0.4, 0.5]), tail={"progression": 2, "death": 2}
    )
    assert (table.progression + table.death <= 1).all()


def test_hazard_ratio_by_hand():
    """2.21 at once, 1 at the end: 2.21 - 40 * 1.21 / 87 after 40 cycles."""
    ratios = HazardRatio(2.21, 87.0).ratios(100)
    assert ratios[[0, 40, 87, 88]] == pytest.approx([2.21, 2.21 - 40 * 1.21 / 87, 1.0, 1.0])
    table = TransitionTable.from_incidence(PROGRESSION, DEATH)
    progression, death = HazardRatio(2.0, 1e9).tables(table, table.survival())
    assert 1 - progression[0] - death[0] == pytest.approx((1 - table.progression - table.death) ** 2)


@pytest.mark.parametrize("theta", [0.2, 1.86, 6.0])
def test_clayton_keeps_the_later_lines_own_curve(theta):
    """Averaged over uniform u it is the marginal curve again; and who left late (u low) stays longer."""
    later = np.exp(-0.2 * np.arange(8))
    u = (np.arange(20_000) + 0.5) / 20_000
    found = conditional_survival(later, u, theta)
    np.testing.assert_allclose(found.mean(0), later, atol=1e-3)
    assert (np.diff(found, axis=0) <= 1e-12).all()


def test_clayton_without_dependence_is_the_curve():
    table = TransitionTable.from_incidence(PROGRESSION, DEATH)
    progression, death = Clayton(0.0).tables(table, table.survival())
    np.testing.assert_allclose(progression, np.tile(table.progression, (3, 1)), atol=1e-12)
    np.testing.assert_allclose(death, np.tile(table.death, (3, 1)), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: HazardRatio(0.0, 1.0), "hazard_ratio=0.0: expected a number above 0"),
        (lambda: HazardRatio(2.0, 0.0), "until=0.0: expected cycles above 0"),
        (lambda: Clayton(-1.0), "theta=-1.0: expected a number from 0"),
        (lambda: TransitionTable(np.array([0.7]), np.array([0.7])), "cycle 1: progression + death=1.4"),
        (
            lambda: Clayton(1.0).tables(TransitionTable(DEATH, DEATH, "subdistribution"), np.ones(4)),
            "theta=1.0: a copula",
        ),
    ],
)
def test_bad_numbers(make, told):
    with pytest.raises(BadInput) as caught:
        make()
    assert told in str(caught.value)
