"""Calibration: the truth of a made trial comes back, and so do the published values."""

from dataclasses import replace

import numpy as np
import pytest
from therapy_cases import needs_data, published, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED
from parataxis.methods.therapy_sequence.calibrate import calibrate, deaths
from parataxis.methods.therapy_sequence.dependence import Clayton, HazardRatio
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.example import TRUTH, trial
from parataxis.methods.therapy_sequence.study_calibration import died_by, greenwood, poisson


def test_deaths_by_hand():
    """Two die at 1 of four, one is censored at 2, one dies at 3: S = 1/2, then 0. Ties need no jitter."""
    time, event = np.array([1.0, 1.0, 2.0, 3.0]), [1, 1, 0, 1]
    assert deaths(time, event, 4).tolist() == [0, 0.5, 0.5, 1, 1]
    assert greenwood(time, np.array(event), 2) == pytest.approx(0.5 * np.sqrt(2 / (4 * 2)))


def test_deaths_expected_of_patients_who_are_watched_unlike_long():
    """A hazard of 0.1 a cycle: patients seen until 2.5, 3 and 9, of whom nobody is matched after 4, are worth 0.95."""
    dead = 1 - np.exp(-0.1 * np.arange(5))
    assert died_by(dead, np.array([2.5, 3.0, 9.0])) == pytest.approx(0.95)


def test_the_exact_interval_of_a_count():
    """Of 10: 4.80 to 18.39, as in tables."""
    assert poisson(10) == pytest.approx((4.795, 18.390), abs=5e-4)
    assert poisson(0) == pytest.approx((0, 3.689), abs=5e-4)


@pytest.mark.parametrize(("form", "truth"), [("hazard_ratio", HazardRatio(3.0, 20.0)), ("clayton", Clayton(1.2))])
def test_the_truth_of_expected_deaths_comes_back(form, truth):
    model = short(40)
    dead = Expected.of(model.plan("A first", truth)).dead
    found = calibrate(model, "A first", form, dead)
    for name, value in vars(truth).items():
        assert getattr(found.dependence, name) == pytest.approx(value, rel=0.01)
    assert found.error < 1e-8
    assert found.independent > 0.01
    assert not found.at_bound
    assert found.profile["error"].min() >= found.error - 1e-12


def test_the_truth_of_the_examples_trial_lies_on_its_ridge():
    """Traps: calibrating against noise; reporting one pair without the ridge."""
    import io

    import pandas as pd

    model = short(40)
    table = pd.read_csv(io.StringIO(trial(model)))
    dead = deaths(table["time"].to_numpy(float), table["event"], 40)
    found = calibrate(model, "A first", "hazard_ratio", dead)
    near = found.ridge()
    assert near["until"].min() < TRUTH.until * 1.1
    assert near["until"].max() > TRUTH.until * 0.9
    assert len(near) >= 2
    assert found.dependence.hazard_ratio == pytest.approx(TRUTH.hazard_ratio, rel=0.25)


@needs_data
@pytest.mark.parametrize(
    ("compat", "strategy", "ratio", "until", "error"),
    [
        ("released", "DCT first", 2.213, 87.0, 0.0354),
        ("released", "AA first", 5.07, 36.0, 0.0018),
        ("corrected", "DCT first", 9.2, 12.3, 0.021),
        ("corrected", "AA first", 6.0, 20.2, 0.0011),
    ],
)
def test_published_values(compat, strategy, ratio, until, error):
    found = calibrate(published(compat), strategy, ridge=False)
    assert found.dependence.hazard_ratio == pytest.approx(ratio, abs=0.1)
    assert found.dependence.until == pytest.approx(until, abs=2)
    assert found.error == pytest.approx(error, rel=0.1)
    assert found.at_bound == (until == 87.0)


@needs_data
@pytest.mark.parametrize(("strategy", "theta"), [("DCT first", 0.475), ("AA first", 1.86)])
def test_clayton_on_the_published_case(strategy, theta):
    assert calibrate(published(), strategy, "clayton", ridge=False).dependence.theta == pytest.approx(theta, abs=0.01)


@needs_data
def test_independence_overestimates_survival():
    model = published("released")
    alive = {name: 1 - Expected.of(model.plan(name, HazardRatio(1.0, 1.0))).dead for name in ("DCT first", "AA first")}
    assert alive["DCT first"][[52, 87]] == pytest.approx([0.782, 0.609], abs=5e-4)
    assert alive["AA first"][52] == pytest.approx(0.771, abs=5e-4)
    corrected = Expected.of(published().plan("DCT first", HazardRatio(1.0, 1.0)))
    assert 1 - corrected.dead[[52, 87]] == pytest.approx([0.725, 0.507], abs=5e-4)


@needs_data
@pytest.mark.parametrize(
    ("names", "d_cost", "d_qaly"),
    [
        (("time_in_state",), (-5259, -2795), (-0.0253, 0.0456)),
        (("adverse_event_arm",), (9, 1446), (0.0712, 0.1495)),
        (("adverse_event_arm", "first_cycle_cost"), (-329, 1102), (0.0712, 0.1495)),
        (("adverse_event_arm", "first_cycle_cost", "billed_once"), (-895, 760), (0.0712, 0.1495)),
    ],
)
def test_corrections_one_by_one(names, d_cost, d_qaly):
    """Within the Monte Carlo error of what was measured with 200,000 patients: -.029/.043, 14/1 403, ..."""
    model = published("released").with_behaviour(RELEASED.but(*names))
    for place, setting in enumerate(("none", "dct")):
        one, other = (Expected.of(model.plan(each, model.dependence(each.name, setting))) for each in model.strategies)
        assert other.cost - one.cost == pytest.approx(d_cost[place], abs=1)
        assert other.qaly - one.qaly == pytest.approx(d_qaly[place], abs=1e-4)


@needs_data
def test_the_line_2_incidences_of_docetaxel_add_to_more_than_1_unless_they_get_a_tail():
    model = published().with_behaviour(replace(CORRECTED, tail=False))
    with pytest.raises(BadInput, match="drug 'DCT', line 2: cycle 37: incidences of progression and death add to 1"):
        model.plan("AA first")


def test_bad_calls():
    model = short(10)
    for form, told in (("frailty", "dependence='frailty'"), ("clayton", "needs the corrected probabilities")):
        with pytest.raises(BadInput, match=told):
            calibrate(model.with_behaviour(RELEASED), "A first", form, np.zeros(5))
    with pytest.raises(BadInput, match="strategy 'B first' has no"):
        calibrate(model, "B first")
    with pytest.raises(BadInput, match="strategy='C first' is unknown; known: A first, B first"):
        calibrate(model, "C first")


def test_a_ridge_that_ends_at_the_bound_of_the_search_says_so():
    """A trial of a theta of 18 allows 20 too; one of a theta of 1 does not."""
    from parataxis.methods.therapy_sequence.calibrate import calibrate
    from parataxis.methods.therapy_sequence.dependence import Clayton
    from parataxis.methods.therapy_sequence.exact import Occupancy

    model = short(20)
    for theta, cut in ((18.0, True), (1.0, False)):
        trial = Occupancy.of(model.plan(model.strategies[0], Clayton(theta))).dead
        luck = 0.002 * np.cos(np.arange(len(trial)))
        found = calibrate(model, "A first", "clayton", trial + luck)
        assert ("the ridge ends at theta 20, the bound of the search" in found.cut) == cut
