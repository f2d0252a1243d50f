"""Independence overestimates survival; the dependence that mends it, and how little a trial tells of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy  # and scipy.special with the first interval

from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.therapy_sequence import plots
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED
from parataxis.methods.therapy_sequence.calibrate import Calibration, calibrate, deaths
from parataxis.methods.therapy_sequence.dependence import Clayton, HazardRatio
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.study_inputs import Inputs

FITTED = (("ratio-dct", "until-dct"), ("ratio-aa", "until-aa"))
OTHERS = (("corrected-ratio-dct", "corrected-ratio-aa"), ("clayton-dct", "clayton-aa"))
SURVIVAL = ("independence-overestimates", "corrected-overestimates", "corrected-error-falls")
FEWER = "corrected-expects-fewer"
DIFFERENCES = ("dqaly-corrected", "dqaly-corrected-clayton")
CLAIMS = (*SURVIVAL, FEWER, *FITTED[0], *FITTED[1], *OTHERS[0], *OTHERS[1], *DIFFERENCES)
Z = 1.959964


def measure(inputs: Inputs, done: Any) -> Iterator[Measurement | Figure | Table]:
    if all(map(done, CLAIMS)):
        return
    corrected = inputs.model.with_behaviour(CORRECTED)
    for claim, model in zip(SURVIVAL, (inputs.model, corrected), strict=False):
        if not done(claim):
            yield _excess(inputs, model, claim)
    if not done(FEWER):
        yield _fewer(inputs, corrected)
    fits = {
        (label, form): [_fit(inputs, model, name, form) for name in inputs.names]
        for label, model, form in (
            ("released", inputs.model, "hazard_ratio"),
            ("corrected", corrected, "hazard_ratio"),
            ("corrected", corrected, "clayton"),
        )
    }
    released, ours, copula = fits.values()
    found = [*_error_falls(inputs, released, ours), *_fitted(inputs, released, ours), *_others(inputs, ours, copula)]
    pairs = zip(DIFFERENCES, (ours, copula), strict=True)
    found += [_difference(inputs, corrected, fit, claim) for claim, fit in pairs]
    yield from (each for each in found[:-1] if not done(each.id))
    yield _table(inputs, fits)
    if inputs.real:
        yield from _figures(inputs, released)
    yield found[-1]


def _fit(inputs: Inputs, model: Model, strategy: str, form: str) -> Calibration:
    time, event, cycles = inputs.trials[strategy]
    return calibrate(model, strategy, form, deaths(time, event, cycles), ridge=inputs.real)


def _point(inputs: Inputs, claim: str, value: float, null: float | None = None, note: str = "") -> Measurement:
    n = sum(len(time) for time, _, _ in inputs.trials.values())
    return Measurement(claim, value, value, value, n, null=null, real=inputs.real, data=inputs.data, note=note)


def _excess(inputs: Inputs, model: Model, claim: str) -> Measurement:
    """Survival without dependence less the trial's, at 3 and 5 years as far as a trial is matched: the least, with the
    trial's interval (Greenwood). Null: the trial in the model's place.
    """
    found = []
    for expected in (Expected.of(model.plan(name, HazardRatio(1.0, 1.0))) for name in inputs.names):
        time, event, cycles = inputs.trials[expected.name]
        for year in (each for each in inputs.years if each <= cycles):
            alive, error = 1 - deaths(time, event, year)[-1], greenwood(time, event, year)
            gap = 1 - expected.dead[year] - alive
            found.append(
                (
                    gap - Z * error,
                    gap,
                    gap + Z * error,
                    f"{expected.name}, cycle {year}: {1 - expected.dead[year]:.3f}, trial {alive:.3f}",
                )
            )
    low, gap, high, _ = min(found)
    n = sum(len(time) for time, _, _ in inputs.trials.values())
    note = "; ".join(each[-1] for each in found)
    return Measurement(
        claim, float(gap), float(low), float(high), n, null=0.0, real=inputs.real, data=inputs.data, note=note
    )


def _fewer(inputs: Inputs, model: Model) -> Measurement:
    """Deaths of a trial over those expected: each patient's cumulative hazard in the model until it was seen last."""
    found, notes, nulls = [], [], []
    for name in inputs.names:
        time, event, cycles = inputs.trials[name]
        dead = Expected.of(model.plan(name, HazardRatio(1.0, 1.0))).dead[: cycles + 1]
        died = int(event[time <= cycles].sum())
        expected, own = (died_by(each, time) for each in (dead, deaths(time, event, cycles)))
        found.append((*(each / expected for each in poisson(died)), died / expected))
        nulls.append(died / own)
        notes.append(f"{name}: {died} died, {expected:.1f} expected")
    low, high, ratio = min(found)
    n = sum(len(time) for time, _, _ in inputs.trials.values())
    return Measurement(FEWER, ratio, low, high, n, null=min(nulls), real=inputs.real, data=inputs.data,
                       note="; ".join(notes))  # fmt: skip


def died_by(dead: Any, time: Any) -> float:
    """Deaths expected of patients seen until these times, where so many of all are dead at the end of cycle 0, 1, ...:
    the sum of -ln S, which rises evenly within a cycle.
    """
    hazard = -np.log1p(-np.asarray(dead))
    return float(np.interp(time, np.arange(len(hazard)), hazard).sum())


def poisson(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the mean of a Poisson count."""
    low = float(scipy.special.gammaincinv(count, 0.025)) if count else 0.0
    return low, float(scipy.special.gammaincinv(count + 1, 0.975))


def greenwood(time: Any, event: Any, at: int) -> float:
    """Standard error of Kaplan and Meier's survival at a time."""
    times, place = np.unique(time, return_inverse=True)
    died = np.bincount(place, event, len(times))
    ended = np.bincount(place, minlength=len(times))
    at_risk = len(time) - np.concatenate([[0], np.cumsum(ended)[:-1]])
    before = times <= at
    survival = float(np.prod((1 - died / at_risk)[before]))
    left = at_risk - died
    return survival * float(np.sqrt((died / (at_risk * np.maximum(left, 1)))[before].sum()))


def _error_falls(inputs: Inputs, released: list[Calibration], ours: list[Calibration]) -> list[Measurement]:
    falls = [1 - b.independent / a.independent for a, b in zip(released, ours, strict=True)]
    note = ", ".join(f"{name} {100 * each:.0f} %" for name, each in zip(inputs.names, falls, strict=True))
    return [_point(inputs, SURVIVAL[2], min(falls), 0.0, note)]


def _fitted(inputs: Inputs, released: list[Calibration], ours: list[Calibration]) -> Iterator[Measurement]:
    """Null: the same fitted to the corrected probabilities."""
    for (ratio, until), fit, other in zip(FITTED, released, ours, strict=True):
        assert isinstance(fit.dependence, HazardRatio)
        assert isinstance(other.dependence, HazardRatio)
        near = fit.ridge()
        bound = "; tau at the bound, the horizon" if fit.at_bound else ""
        ridge = (
            f"errors up to twice as large: tau {near['until'].min():.0f} to {near['until'].max():.0f}"
            if len(near)
            else ""
        )
        note = f"squared error {fit.error:.4f}{bound}; {ridge}"
        yield _point(inputs, ratio, fit.dependence.hazard_ratio, other.dependence.hazard_ratio, note)
        yield _point(inputs, until, fit.dependence.until, other.dependence.until, note)


def _others(inputs: Inputs, ours: list[Calibration], copula: list[Calibration]) -> Iterator[Measurement]:
    for claim, fit in zip(OTHERS[0], ours, strict=True):
        assert isinstance(fit.dependence, HazardRatio)
        note = f"tau {fit.dependence.until:.1f}, squared error {fit.error:.4f}"
        yield _point(inputs, claim, fit.dependence.hazard_ratio, note=note)
    for claim, fit in zip(OTHERS[1], copula, strict=True):
        assert isinstance(fit.dependence, Clayton)
        yield _point(inputs, claim, fit.dependence.theta, note=f"squared error {fit.error:.4f}")


def _difference(inputs: Inputs, model: Model, fits: list[Calibration], claim: str) -> Measurement:
    first, second = (Expected.of(model.plan(each.strategy, each.dependence)) for each in fits)
    only = model.with_behaviour(RELEASED.but("form", "tail"))
    one, other = (Expected.of(only.plan(each.strategy, each.dependence)) for each in fits)
    note = (
        f"Δ cost {second.cost - first.cost:,.0f}; with corrected probabilities only, payoffs as released: "
        f"{other.qaly - one.qaly:.4f} and {other.cost - one.cost:,.0f}"
    )
    return _point(inputs, claim, second.qaly - first.qaly, note=note)


def _table(inputs: Inputs, fits: Any) -> Table:
    rows: list[list[Any]] = []
    for (label, form), pair in fits.items():
        for each in pair:
            kept = each.dependence
            values = [kept.theta, None] if isinstance(kept, Clayton) else [kept.hazard_ratio, kept.until]
            near = each.ridge()
            key = near.columns[0]
            span = f"{near[key].min():.3g} to {near[key].max():.3g}" if len(near) else ""
            numbers = [None if value is None else round(value, 3) for value in values]
            rows.append([label, form, each.strategy, *numbers, round(each.error, 4), round(each.independent, 4), span])
    columns = ("probabilities", "dependence", "strategy", "H or theta", "tau", "squared error", "without", "ridge")
    caption = (
        "Fitted to the trials' deaths. Ridge: tau, or theta, with which the squared error is at most twice the least."
    )
    return Table("calibration", columns, rows, caption)


def _figures(inputs: Inputs, released: list[Calibration]) -> Iterator[Figure]:
    trials = {each.strategy: 1 - each.trial for each in released}
    alone = {name: 1 - each.dead for name, each in zip(inputs.names, inputs.expected("none"), strict=True)}
    fitted = {each.strategy: 1 - each.model for each in released}
    yield Figure(
        "independent",
        plots.survival(alone, trials).encode(),
        "Overall survival without dependence, and the trials (dotted).",
    )
    yield Figure(
        "calibrated", plots.survival(fitted, trials).encode(), "With the dependence fitted, and the trials (dotted)."
    )
    for each in released:
        name = f"ridge-{'first' if each is released[0] else 'second'}"
        yield Figure(
            name,
            plots.ridge(each.profile, each.error, each.strategy).encode(),
            f"The ridge of {each.strategy}, as released.",
        )
