"""Failures of other tools that must not be ours: crossing curves, endless digitising, tables of patients by cycle."""

import numpy as np
import pandas as pd
import pytest
from therapy_cases import DEPENDENT, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.events import infer_events
from parataxis.methods.therapy_sequence.guyot import reconstruct
from parataxis.methods.therapy_sequence.simulate import simulate


def crossing(by):
    """100 patients; progression-free survival is read above overall survival, by this share at most, at time 50."""
    free = pd.DataFrame({"time": np.arange(1.0, 101), "event": 1})
    alive = pd.DataFrame({"time": np.arange(1.0, 101), "event": 1})
    alive.loc[alive["time"].between(51, 50 + 100 * by), "time"] = 50.0
    return free, alive


def test_curves_that_cross_by_the_width_of_a_line_are_taken():
    """heemod stops there."""
    found = infer_events(*crossing(0.04), pixel=0.1)
    assert len(found.to_frame()) == 100
    with pytest.raises(BadInput, match="who is free of progression is alive; swapped"):
        infer_events(*crossing(0.08), pixel=0.1)


@pytest.mark.parametrize("steps", [[1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0]])
def test_curves_to_nobody_and_curves_without_an_event_end(steps):
    """survHE's digitise stops with a missing value, or does not stop, at a curve that reaches 0 before the table."""
    curve = KMCurve.clean(np.arange(1.0, len(steps) + 1), np.array(steps))
    for table in ([[0, 10], [1.5, 4], [len(steps) + 0.5, 0]], [[0, 10], [1, 10], [2, 9]], [[0, 10]]):
        found = reconstruct(curve, table)
        assert len(found) == 10
        assert np.isfinite(found["time"]).all()


def test_no_table_of_patients_by_cycle_is_kept():
    """Payoffs are summed as a patient walks: twice the cycles take no more memory a patient."""
    sizes = []
    for cycles in (10, 20):
        found = simulate(short(cycles).plan("A first", DEPENDENT), 500)
        sizes.append(sum(each.nbytes for each in (found.cost, found.qaly, found.left_first, found.died)))
        assert found.counts.shape == (cycles + 1, 8)
    assert sizes == [500 * 4 * 8] * 2
