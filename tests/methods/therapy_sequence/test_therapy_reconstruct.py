"""Patients from curves: by hand, against the patients that the curves came from, and what can't be refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput


def curve_of(time, survival):
    from parataxis.methods.therapy_sequence.curves import KMCurve

    return KMCurve.clean(np.array(time, float), np.array(survival, float))


def rebuilt(curve, at_risk, events=None, censored="likely"):
    from parataxis.methods.therapy_sequence.guyot import reconstruct

    return reconstruct(curve, at_risk, events, censored)


def made(seed=0, n=200):
    from parataxis.methods.therapy_sequence.made_curves import made_patients

    return made_patients(np.random.default_rng(seed), n)


SMALL = ([0, 1, 2, 4], [1, 0.9, 0.8, 0.5])
TABLE = [[0, 10], [3, 6]]


def test_ten_patients_as_published_by_hand():
    """Of 10, 1 dies at 1 and 1 at 2, so 2 leave by 3, at 1 and 2. Then 2 in 3 months leave: 1 by 4, at 3.5, when
    5 are left, of whom round(5 (1 - .5 / .7875)) = 2 die."""
    found = rebuilt(curve_of(*SMALL), TABLE, censored="even")
    assert found.time.tolist() == [1, 1, 2, 2, 3.5, 4, 4, 4, 4, 4]
    assert found.event.tolist() == [1, 0, 1, 0, 0, 1, 1, 0, 0, 0]
    assert found.attrs["notes"] == []


def test_the_total_of_events_tunes_the_last_interval():
    """With 5 events 3 must die at 4: all 6 are still there, and round(6 (1 - .5 / .7875)) = 2; so 4 is the nearest."""
    found = rebuilt(curve_of(*SMALL), TABLE, events=5)
    assert found.event.sum() == 4
    assert found.attrs["notes"] == ["4 events were reached, 5 were reported"]
    assert rebuilt(curve_of(*SMALL), TABLE, events=3).event.sum() == 3


def test_drops_tell_when_patients_were_lost():
    """30 patients, a death each month. 6 are lost, all between the 10th and the 11th: a drop is 1/21, the next 1/14."""
    at_risk = np.r_[30:20:-1, 14:4:-1]
    curve = curve_of(np.arange(1, 21), np.cumprod(1 - 1 / at_risk))
    lost = {}
    for censored in ("likely", "even"):
        found = rebuilt(curve, [[0, 30], [20.5, 4]], censored=censored)
        lost[censored] = found[(found.event == 0) & (found.time < 20.5)].time
    assert lost["likely"].between(9, 12).sum() == len(lost["likely"]) == 6
    assert lost["likely"].between(10, 11).sum() >= 4
    assert lost["even"].between(9, 12).sum() <= 2


def surprise_of(lost, case):
    """What a way to lose patients costs, written out: Poisson's probabilities and the distances of the clicks."""
    from math import lgamma, log

    alive, km, clicks, span, wanted, losses, tremor = case
    edges, cost = [span[0], *(time for time, _ in clicks), span[1]], 0.0
    for k, gone in enumerate(lost):
        expected = losses * (edges[k + 1] - edges[k]) / (span[1] - span[0])
        cost += expected - gone * log(expected) + lgamma(gone + 1)
        alive -= gone
        if k < len(clicks):
            seen = clicks[k][1]
            deaths = int(alive * max(1 - seen / km, 0) + 0.5)
            if alive - deaths < wanted:
                return np.inf
            km, alive = km * (1 - deaths / max(alive, 1)), alive - deaths
            cost += 0.5 * ((km - seen) / tremor) ** 2
    return cost if alive == wanted else np.inf


def test_the_likeliest_of_all_ways_to_lose_five_or_nearly():
    """Every way is tried. Of ways to the same number only one is followed, now and then not the best."""
    from itertools import product

    from parataxis.methods.therapy_sequence.lost import likeliest

    more = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        time, there, km, clicks, lost = np.sort(rng.random(3)), 15, 1.0, [], rng.multinomial(5, np.ones(4) / 4)
        for when, gone in zip(time, lost, strict=False):
            there -= int(gone)
            km, there = km * (1 - 1 / there), there - 1
            clicks.append((float(when), round(km, 3)))
        case = (15, 1.0, clicks, (0.0, 1.0), 7, 5, 0.002)
        best = min(surprise_of(each, case) for each in product(range(9), repeat=4) if sum(each) <= 8)
        dead, found = likeliest(*case)
        assert 15 - sum(found) - sum(dead) == 7
        more.append(surprise_of(found, case) - best)
    assert sorted(more)[-2] == pytest.approx(0, abs=1e-9)
    assert max(more) < 2


def test_no_way_leads_where_the_curve_leaves_fewer():
    from parataxis.methods.therapy_sequence.lost import likeliest

    assert likeliest(100, 1.0, [(1.0, 0.5)], (0.0, 3.0), 90, 1, 0.001) is None


@pytest.mark.parametrize("events", range(90, 140, 7))
def test_totals_that_can_be_are_met_or_nearly(events):
    """200 patients, of whom 115 have an event if all leave at the rate until the last of four numbers at risk."""
    from parataxis.methods.therapy_sequence.digitise import digitise

    patients = made(3)
    curve, table = digitise(patients.os_time.to_numpy(), patients.os_event.to_numpy(), 48.0)
    found = rebuilt(curve, table[:4], events)
    assert abs(found.event.sum() - events) <= 1
    assert len(found) == 200


def test_a_table_that_ends_with_nobody_leaves_nobody():
    found = rebuilt(curve_of(*SMALL), [*TABLE, [5, 0], [6, 0]])
    assert len(found) == 10
    assert found.time.max() < 5


@pytest.mark.parametrize("seed", range(4))
def test_survival_numbers_and_events_come_back(seed):
    from parataxis.methods.therapy_sequence.curves import KMCurve
    from parataxis.methods.therapy_sequence.digitise import digitise

    patients = made(seed)
    for name in ("pfs", "os"):
        time, event = patients[f"{name}_time"].to_numpy(), patients[f"{name}_event"].to_numpy() > 0
        found = rebuilt(*(drawn := digitise(time, event, 48.0)))
        between = (np.arange(1000) + 0.5) * 0.048
        true, again = KMCurve.of(time, event), KMCurve.of(found.time.to_numpy(), found.event.to_numpy())
        assert np.abs(true.at(between) - again.at(between)).max() < 0.01
        told = [(found.time >= each).sum() for each, _ in drawn[1]]
        assert np.abs(told - drawn[1][:, 1]).max() <= 2
        assert abs(found.event.sum() - event[time <= 48].sum()) <= 3
        assert len(found) == len(time)


def test_events_at_one_time_stay_there_without_jitter():
    found = rebuilt(curve_of([5, 10], [0.5, 0.2]), [[0, 100]])
    assert found[found.event == 1].time.value_counts().to_dict() == {5: 50, 10: 30}


def test_a_flat_tail_where_all_leave_has_no_deaths():
    found = rebuilt(curve_of([2, 30], [0.9, 0.9]), [[0, 100], [6, 90], [12, 40], [18, 5], [24, 1]])
    assert found.event.sum() == 10
    assert (found[found.time > 2].event == 0).all()


def test_a_table_that_goes_on_after_the_curve_leaves_it_flat_with_a_word():
    found = rebuilt(curve_of(*SMALL), [*TABLE, [6, 2]])
    assert found.attrs["notes"] == ["numbers at risk go on to time 6, the curve was taken as flat after 4"]
    assert (found.time == 6).sum() == 2
    assert not found[found.time > 4].event.any()


def test_nobody_leaves_after_a_curve_that_ends_before_its_table_does():
    """4 of 6 leave without an event between 3 and 4, none later, though the table has its 0 at 9."""
    found = rebuilt(curve_of(*SMALL), [*TABLE, [9, 0]])
    assert found.time.max() <= 4 + 1e-9
    assert len(found) == 10
    assert found.event.sum() == rebuilt(curve_of(*SMALL), [*TABLE, [5, 0]]).event.sum()


def test_an_interval_without_a_point_has_no_event():
    found = rebuilt(curve_of([1, 9], [0.9, 0.8]), [[0, 50], [3, 44], [6, 40], [9, 38]])
    assert not found[(found.time > 1) & (found.time < 9)].event.any()


def test_points_on_one_line_that_falls_slowly_add_up():
    """0.2 of a death at each of 500 points: none of them rounds to 1, together they are 100."""
    time = np.linspace(0, 10, 501)
    found = rebuilt(curve_of(time, 1 - time / 20), [[0, 200]])
    assert found.event.sum() == pytest.approx(100, abs=1)


@settings(max_examples=30)
@given(st.permutations(range(6)), st.integers(2, 400))
def test_points_in_any_order_and_any_size_give_as_many_patients(order, n):
    time, survival = np.arange(1.0, 7), np.array([0.95, 0.8, 0.6, 0.6, 0.3, 0.1])
    first = rebuilt(curve_of(time, survival), [[0, n], [3, n // 2]])
    other = rebuilt(curve_of(time[list(order)], survival[list(order)]), [[0, n], [3, n // 2]])
    assert first.equals(other)
    assert len(first) == n


@settings(max_examples=60)
@given(st.integers(0, 100_000))
def test_any_curve_and_table_end_in_as_many_patients_or_one_line(seed):
    rng = np.random.default_rng(seed)
    points, rows, n = rng.integers(2, 30), rng.integers(1, 9), int(10 ** rng.uniform(0, 3))
    time, survival = np.sort(rng.random(points)) * 30, np.sort(rng.random(points).round(rng.integers(1, 4)))[::-1]
    at_risk = np.column_stack([np.arange(rows + 1) * 30.0 / 4, np.r_[n, np.sort(rng.integers(0, n + 1, rows))[::-1]]])
    try:
        found = rebuilt(curve_of(time, survival), at_risk, int(rng.integers(0, n + 1)) if rng.random() < 0.4 else None)
    except BadInput:
        return
    assert len(found) == n
    assert found.time.between(0, max(time[-1], at_risk[-1, 0]) + 1e-9).all()
    assert found.time.is_monotonic_increasing


BAD = {
    "no beginning": ([[1, 10]], None, "the first time is 1: expected 0"),
    "nobody": ([[0, 0]], None, r"at_risk\[0\]: n=0: nobody is at risk"),
    "rising": ([[0, 10], [2, 11]], None, r"at_risk\[1\]: n=11 at time 2 is above 10 before it"),
    "negative": ([[0, 10], [2, -1]], None, r"at_risk\[1\]: n=-1 must be a whole number"),
    "fraction": ([[0, 10], [2, 7.5]], None, r"at_risk\[1\]: n=7.5 must be a whole number"),
    "time": ([[0, 10], [2, 9], [2, 8]], None, r"at_risk\[2\]: time=2 must be after 2"),
    "shape": ([[0, 10, 3]], None, "expected rows of a time and a finite number"),
    "not finite": ([[0, 10], [np.nan, 9]], None, "expected rows of a time and a finite number"),
    "in days": (
        [[0, 10], [120, 5]],
        None,
        r"the curve ends at time 4, the numbers at risk at 120: expected one unit \(months and days or",
    ),
    "far after the curve": (
        [*TABLE, [6, 3], [9, 2]],
        None,
        "^curve: the curve ends at time 4, 2 numbers at risk stand after it, the last at 9: click the curve on",
    ),
    "farther": ([*TABLE, [13, 2]], None, "the numbers at risk at 13: .*; give both in the same, or click the curve on"),
    "in years": ([[0, 10], [0.3, 5]], None, r"in the same|expected one unit \(years and months\?\)"),
    "too many events": ([[0, 10], [3, 6]], 11, "events=11: expected 0 to 10"),
    "impossible events": ([[0, 10], [3, 6]], 9, "events=9: curve and table tell 4, whatever happens after time 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_tables_that_can_not_belong_to_the_curve_are_refused(case):
    table, events, said = BAD[case]
    with pytest.raises(BadInput, match=said):
        rebuilt(curve_of(*SMALL), table, events)


def test_how_the_censored_leave_is_likely_or_even():
    with pytest.raises(BadInput, match="censored='late': expected 'likely' or 'even'"):
        rebuilt(curve_of(*SMALL), TABLE, censored="late")


def test_a_table_with_more_at_risk_than_the_curve_leaves_is_told():
    found = rebuilt(curve_of([0, 1, 4], [1, 0.5, 0.4]), [[0, 100], [3, 90]])
    assert found.attrs["notes"] == ["at time 3 the curve leaves 50 at risk, the table 90"]


# -- hazard ratios ---------------------------------------------------------------------------------------------------

PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
DRUG = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]


def test_cox_gives_the_textbook_ratio():
    """R's survival 3.5, coxph of these weeks with Efron's ties: 1.5721, standard error 0.4124."""
    from parataxis.methods.therapy_sequence.cox import log_hazard_ratio

    event, arm = np.r_[np.ones(21), np.arange(21) < 9], np.repeat([1, 0], 21)
    value, error = log_hazard_ratio(np.array(PLACEBO + DRUG), event, arm)
    assert value == pytest.approx(1.5721, abs=5e-5)
    assert error == pytest.approx(0.4124, abs=5e-5)
    assert log_hazard_ratio(np.array(PLACEBO + DRUG), event, 1 - arm)[0] == pytest.approx(-value, abs=1e-9)


def efron(beta, time, event, arm):
    """The log partial likelihood, written out."""
    total = 0.0
    for when in np.unique(time[event]):
        tied, there = event & (time == when), time >= when
        risk, of_tied = np.exp(beta * arm[there]).sum(), np.exp(beta * arm[tied]).sum()
        for place in range(tied.sum()):
            total -= np.log(risk - place / tied.sum() * of_tied)
        total += beta * arm[tied].sum()
    return total


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_cox_is_at_the_top_of_the_likelihood(seed):
    from parataxis.methods.therapy_sequence.cox import log_hazard_ratio

    rng = np.random.default_rng(seed)
    time, event, arm = rng.integers(1, 8, 24).astype(float), rng.random(24) < 0.7, np.arange(24) % 2
    if not (event & (arm == 0)).any() or not (event & (arm == 1)).any():
        return
    try:
        value, error = log_hazard_ratio(time, event, arm)
    except BadInput:  # it has no top
        assert efron(30.0, time, event, arm) >= max(efron(25.0, time, event, arm), efron(-25.0, time, event, arm)) or (
            efron(-30.0, time, event, arm) >= max(efron(25.0, time, event, arm), efron(-25.0, time, event, arm))
        )
        return
    top = efron(value, time, event, arm)
    assert top >= max(efron(value + step, time, event, arm) for step in (-1e-3, 1e-3))
    curvature = (efron(value + 1e-3, time, event, arm) + efron(value - 1e-3, time, event, arm) - 2 * top) / 1e-6
    assert error == pytest.approx((-curvature) ** -0.5, rel=1e-3)


def test_an_arm_without_events_has_no_ratio():
    from parataxis.methods.therapy_sequence.cox import log_hazard_ratio

    with pytest.raises(BadInput, match="arm 1: 2 patients, no event"):
        log_hazard_ratio(np.arange(4.0), np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))


def test_a_curve_that_falls_where_nobody_is_at_risk_is_refused():
    """The zero may be a slip of the keyboard: rows 0:300, 6:280, 24:0 under a curve until 48."""
    curve = curve_of([0, 3, 12, 30, 48], [1, 0.95, 0.8, 0.6, 0.5])
    with pytest.raises(BadInput, match=r"falls to 0\.6 at time 30, but from 24 on nobody is at risk \(n=0\)"):
        rebuilt(curve, [(0, 300), (6, 280), (24, 0)])
    flat = curve_of([0, 3, 12, 48], [1, 0.95, 0.8, 0.8])
    assert len(rebuilt(flat, [(0, 300), (6, 280), (24, 0)])) == 300


def test_survival_that_is_given_again_badly_is_told():
    """Of one at risk none dies by halves, and a tenth of the four before rounds to none."""
    curve = curve_of([0, 1, 2, 5], [1, 0.9, 0.6, 0.6])
    notes = rebuilt(curve, [(0, 10), (1.5, 1), (4, 1)]).attrs["notes"]
    assert any("survival is given again badly: 0.400 off at time 2" in each for each in notes)
    assert not any("badly" in each for each in rebuilt(curve, [(0, 10), (2.5, 6)]).attrs["notes"])


def test_an_interval_without_a_point_in_which_some_leave_is_told():
    curve = curve_of([0, 1, 9, 12], [1, 0.9, 0.8, 0.7])
    notes = rebuilt(curve, [(0, 100), (4, 88), (8, 70), (12, 50)]).attrs["notes"]
    assert "no point was clicked between 4 and 8 (18 leave): all who leave there are taken as censored" in notes
    assert not any("no point" in each for each in rebuilt(curve, [(0, 100), (4, 88), (12, 50)]).attrs["notes"])
