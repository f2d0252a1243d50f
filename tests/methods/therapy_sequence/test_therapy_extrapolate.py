"""Tails: against another library's fits, the truth of made patients, and never more than everybody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput


@pytest.fixture
def tails():
    from parataxis.methods.therapy_sequence import extrapolate

    return extrapolate


def weighted():
    rng = np.random.default_rng(3)
    time, kind = np.round(rng.weibull(1.4, 400) * 30 + 0.05, 1), rng.choice([0, 1, 2], 400, p=[0.3, 0.5, 0.2])
    return time, np.where(kind > 0, rng.random(400), 0)


# log-likelihood of these 400 patients, events with weight w and censored with 1 - w, by lifelines 0.30.3
LIFELINES = {"exponential": -755.141660, "weibull": -738.810379, "log-normal": -746.351240, "log-logistic": -741.516528}


def test_fits_reach_the_likelihood_of_lifelines(tails):
    found = tails.fit(*weighted())
    assert sorted(each.family for each in found) == sorted(tails.FAMILIES)
    assert [each.aic for each in found] == sorted(each.aic for each in found)
    assert found[0].family == "weibull"
    for each in found:
        if each.family in LIFELINES:
            assert -(each.aic / 2 - len(each.parameters)) == pytest.approx(LIFELINES[each.family], abs=2e-6)


@pytest.mark.parametrize("family", ["exponential", "weibull", "gompertz", "log-normal", "log-logistic"])
def test_each_family_is_its_own_hazard_and_at_the_top_of_its_likelihood(family, tails):
    time, weight = weighted()
    found = next(each for each in tails.fit(time, weight) if each.family == family)
    grid = np.linspace(0.5, 90, 60)
    slope = (found.cumulative(grid + 1e-5) - found.cumulative(grid - 1e-5)) / 2e-5
    assert slope == pytest.approx(found.hazard(grid), rel=1e-5)

    def loss(parameters):
        other = tails.Hazard(family, tuple(parameters), found.scale)
        return float(other.cumulative(time).sum() - (weight * np.log(other.hazard(time))).sum())

    best = np.array(found.parameters)
    for step in (*np.eye(len(best)), *-np.eye(len(best))):
        assert loss(best + 1e-3 * step) > loss(best)
    assert found.aic == pytest.approx(2 * len(best) + 2 * loss(best), abs=1e-6)


TRUE = {
    "exponential": lambda rng: rng.exponential(20, 4000),
    "weibull": lambda rng: 20 * rng.weibull(1.8, 4000),
    "gompertz": lambda rng: np.log1p(0.08 / 0.01 * rng.exponential(1, 4000)) / 0.08,
    "log-normal": lambda rng: rng.lognormal(3, 0.7, 4000),
    "log-logistic": lambda rng: 20 * (1 / rng.random(4000) - 1) ** (-1 / 2.5),
}


@pytest.mark.parametrize("family", TRUE)
def test_the_family_that_made_the_patients_is_chosen(family, tails):
    time = TRUE[family](np.random.default_rng(1))
    watched = np.quantile(time, 0.9)
    event = (time <= watched).astype(float)
    found = tails.fit(np.minimum(time, watched), event)
    chosen = next(each for each in found if each.family == family)
    assert chosen.aic - found[0].aic < 3  # the exponential is a Weibull and a Gompertz too
    late = np.quantile(time, 0.97)
    assert float(np.exp(-chosen.cumulative(np.array([late])))[0]) == pytest.approx(0.03, abs=0.012)


def cif_of(time, event, death):
    from parataxis.methods.therapy_sequence.incidence import CIF

    return CIF.of(time, event, death)


def test_constant_hazards_go_on_as_the_last_cycles(tails):
    """No event before day 100; then of 90 at risk 9 progress and 18 die on day 150: rates 9 and 18 over 90 * 50 days
    before and 63 * 50 after."""
    time = np.r_[np.full(10, 50.0), np.full(27, 150.0), np.full(63, 200.0)]
    event = np.r_[np.zeros(10), np.ones(27), np.zeros(63)]
    cif = cif_of(time, event, np.r_[np.zeros(19), np.ones(18), np.zeros(63)])
    tail = tails.constant(cif, 10, last=10)
    assert tail.progression.hazard(np.array([500.0])) == pytest.approx(9 / (90 * 50 + 63 * 50))
    assert tail.death.hazard(np.array([500.0])) == pytest.approx(18 / (90 * 50 + 63 * 50))
    progression, death = tails.extend(cif, tail, 40, 10)
    assert progression[:21] == pytest.approx(cif.on_cycles(20, 10)[0])
    left = np.exp(-27 / (90 * 50 + 63 * 50) * 10 * np.arange(21)) * 0.7
    assert 1 - progression[20:] - death[20:] == pytest.approx(left)
    assert np.diff(death[20:]) == pytest.approx(2 * np.diff(progression[20:]))


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from(["aic", "weibull", "gompertz", "log-normal", "log-logistic"]))
def test_incidences_never_add_to_more_than_one(seed, family):
    from parataxis.methods.therapy_sequence import extrapolate

    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 40))
    time, event, death = rng.exponential(40, n), (rng.random(n) < 0.7).astype(float), rng.random(n)
    event[0] = 1
    cif = cif_of(time, event, death)
    progression, dead = extrapolate.extend(cif, extrapolate.fitted(time, event, death, family), 200, 21)
    assert (np.diff(progression) >= 0).all()
    assert (np.diff(dead) >= 0).all()
    assert (progression + dead).max() <= 1 + 1e-12
    assert np.isfinite(progression).all()


def test_a_cause_that_never_happened_never_will(tails):
    time = np.array([1, 2, 3, 4.0])
    tail = tails.fitted(time, np.ones(4), np.zeros(4))
    assert [each.family for each in tail.fits[1]] == ["exponential"]
    progression, death = tails.extend(cif_of(time, np.array([1, 1, 1, 0]), np.zeros(4)), tail, 40, 1)
    assert death.max() < 1e-9
    assert progression[-1] > 0.99


def test_hazards_of_both_causes_are_split_as_they_are(tails):
    """Two exponentials: F_k(t) = h_k / (h_1 + h_2) (1 - exp(-(h_1 + h_2) t)), whatever the cycle's length."""
    from parataxis.methods.therapy_sequence.incidence import CIF

    start = CIF(np.zeros(1), np.zeros(1), np.zeros(1), 0.0)
    tail = tails.Tail(*(tails.Hazard("exponential", (np.log(rate),), 1.0) for rate in (0.01, 0.03)))
    for length in (1.0, 21.0):
        cycles = int(210 / length)
        progression, death = tails.extend(start, tail, cycles, length)
        assert progression[-1] == pytest.approx(0.25 * -np.expm1(-0.04 * 210))
        assert death[-1] == pytest.approx(0.75 * -np.expm1(-0.04 * 210))


BAD = {
    "family": (lambda each: each.fitted(np.ones(2), np.ones(2), np.zeros(2), "gamma"), "tail='gamma': expected"),
    "time": (lambda each: each.fit(np.array([-1.0, 2]), np.ones(2)), "finite times of 0 or more"),
    "zero": (lambda each: each.fit(np.zeros(2), np.ones(2)), "not all 0"),
    "weight": (lambda each: each.fit(np.ones(2), np.array([0.5, 2])), r"expected shares in \[0, 1\]"),
    "short": (
        lambda each: each.constant(cif_of(np.array([10.0]), np.ones(1), np.zeros(1)), 21.0),
        "the data hold 0 whole cycles",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_is_refused(case, tails):
    call, said = BAD[case]
    with pytest.raises(BadInput, match=said):
        call(tails)
