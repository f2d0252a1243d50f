"""Incidence beyond the data: hazards of each cause go on, by a constant or a fitted family, and share who is left.

Hazards, not incidences, are extrapolated: whatever they are, those who leave in a cycle are a share of those who are
still there, so that the incidences never add to more than 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.optimize import minimize
from scipy.special import log_ndtr

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.incidence import CIF, DAYS, cycle_edges

LAST = 10  # cycles whose mean hazard a constant tail goes on with
FEWEST = 3.0  # events of a cause below which only a constant hazard is fitted
LARGE = 700.0  # exp of more overflows
LOG_ROOT = 0.5 * math.log(2 * math.pi)

Array = Float[np.ndarray, "*shape"]
Form = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (time, parameters) -> a value at each time


def _exp(x: Any) -> Any:
    return np.exp(np.clip(x, -LARGE, LARGE))


def _gompertz(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    grown = np.clip(p[1] * t, -LARGE, LARGE)
    return _exp(p[0]) * (np.expm1(grown) / p[1] if abs(p[1]) > 1e-12 else t)


def _normal(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    return (np.log(t) - p[0]) / _exp(p[1])


def _logistic(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    return _exp(p[1]) * (np.log(t) - p[0])


# Cumulative hazard and log hazard, with parameters that may be any number, and where the search begins, for times
# whose mean is 1 and a log rate.
FAMILIES: dict[str, tuple[Form, Form, Callable[[float], tuple[float, ...]]]] = {
    "exponential": (
        lambda t, p: _exp(p[0]) * t,
        lambda t, p: np.full(len(t), p[0]),
        lambda rate: (rate,),
    ),
    "weibull": (
        lambda t, p: _exp(_exp(p[1]) * (np.log(t) - p[0])),
        lambda t, p: p[1] - p[0] + (_exp(p[1]) - 1) * (np.log(t) - p[0]),
        lambda rate: (-rate, 0.0),
    ),
    "gompertz": (
        _gompertz,
        lambda t, p: p[0] + p[1] * t,
        lambda rate: (rate, 0.1),
    ),
    "log-normal": (
        lambda t, p: -log_ndtr(-_normal(t, p)),
        lambda t, p: -(_normal(t, p) ** 2) / 2 - LOG_ROOT - p[1] - np.log(t) - log_ndtr(-_normal(t, p)),
        lambda rate: (-rate, 0.0),
    ),
    "log-logistic": (
        lambda t, p: np.logaddexp(0, _logistic(t, p)),
        lambda t, p: p[1] - np.log(t) + _logistic(t, p) - np.logaddexp(0, _logistic(t, p)),
        lambda rate: (-rate, 0.0),
    ),
}


@dataclass(frozen=True)
class Hazard:
    """A fitted hazard of one cause. scale: the time that the parameters take for 1. aic: of the fit, nan for none."""

    family: str
    parameters: tuple[float, ...]
    scale: float
    aic: float = math.nan

    def cumulative(self, time: Array) -> Array:
        """The cumulative hazard from 0; time in the unit of the data."""
        scaled = np.maximum(np.asarray(time, float) / self.scale, 1e-300)
        found = FAMILIES[self.family][0](scaled, np.array(self.parameters))
        return np.where(np.asarray(time) > 0, found, 0.0)

    def hazard(self, time: Array) -> Array:
        return _exp(FAMILIES[self.family][1](time / self.scale, np.array(self.parameters))) / self.scale


@dataclass(frozen=True)
class Tail:
    """How both causes go on. fits: every family that was tried, best first, for progression and for death."""

    progression: Hazard
    death: Hazard
    fits: tuple[tuple[Hazard, ...], tuple[Hazard, ...]] = ((), ())


def fit(time: Shaped[np.ndarray, " patient"], weight: Shaped[np.ndarray, " patient"]) -> tuple[Hazard, ...]:
    """The five families by maximum likelihood, the one with the least AIC first.

    weight: the share in [0, 1] of a patient's event that is of this cause; the rest is censored:
    sum_i w_i log h(t_i) - H(t_i). Below 3 events the exponential alone.
    """
    time, weight = np.asarray(time, float), np.asarray(weight, float)
    if not len(time) or not np.isfinite(time).all() or time.min() < 0 or not time.max() > 0:
        raise BadInput(f"time: {len(time)} patients: expected at least one, and finite times of 0 or more, not all 0")
    if not ((weight >= 0) & (weight <= 1)).all():
        raise BadInput("weight: expected shares in [0, 1]")
    scale = float(time.mean())
    least = time[time > 0].min() / 2  # the log of an event at time 0 has no end: it came before the first other
    scaled = np.maximum(time, least) / scale
    events = float(weight.sum())
    rate = math.log(events / scaled.sum()) if events > 0 else -LARGE
    names = tuple(FAMILIES) if events >= FEWEST else ("exponential",)
    return tuple(sorted((_fitted(each, scaled, weight, rate, scale) for each in names), key=lambda each: each.aic))


def _fitted(family: str, time: np.ndarray, weight: np.ndarray, rate: float, scale: float) -> Hazard:
    cumulative, log_hazard, start = FAMILIES[family]

    def loss(p: np.ndarray) -> float:
        found = float(cumulative(time, p).sum() - (weight * log_hazard(time, p)).sum())
        return found if math.isfinite(found) else 1e300

    begin = np.array(start(rate))
    best = begin
    if len(begin) > 1:
        smooth = minimize(loss, begin, method="BFGS", options={"gtol": 1e-6 * max(float(weight.sum()), 1)})
        best = smooth.x
        if not smooth.success or not smooth.fun < loss(begin):  # a flat or broken slope: a simplex needs none
            options = {"xatol": 1e-8, "fatol": 1e-9, "maxiter": 2000}
            best = minimize(loss, best, method="Nelder-Mead", options=options).x
    aic = 2 * len(begin) + 2 * (loss(best) + float(weight.sum()) * math.log(scale))
    return Hazard(family, tuple(map(float, best)), scale, aic)


def fitted(
    time: Shaped[np.ndarray, " patient"],
    event: Shaped[np.ndarray, " patient"],
    death: Shaped[np.ndarray, " patient"],
    family: str = "aic",
) -> Tail:
    """A tail from patients, as `CIF.of` takes them: each cause by its best family, or both by a named one."""
    if family != "aic" and family not in FAMILIES:
        raise BadInput(f"tail={family!r}: expected 'constant', 'aic' or one of {', '.join(map(repr, FAMILIES))}")
    event, death = np.asarray(event, float), np.asarray(death, float)
    fits = (fit(time, event * (1 - death)), fit(time, event * death))
    chosen = [next((each for each in cause if each.family == family), cause[0]) for cause in fits]
    return Tail(chosen[0], chosen[1], fits)


def constant(cif: CIF, days_per_cycle: int | float, last: int = LAST) -> Tail:
    """The mean hazards of the last whole cycles of the data: events over the time that patients spent in them."""
    cycles = int(cif.followed * DAYS[cif.unit] / days_per_cycle * (1 + 1e-9))
    if cycles < 1 or last < 1:
        raise BadInput(
            f"days_per_cycle={days_per_cycle:g}, last={last}: the data hold {cycles} whole cycles; expected 1 or more"
        )
    begin, end = (each * days_per_cycle / DAYS[cif.unit] for each in (max(cycles - last, 0), cycles))
    edges = np.r_[begin, cif.time[(cif.time > begin) & (cif.time < end)], end]
    place = np.searchsorted(cif.time, np.asarray(edges), side="right") - 1
    spent = float((np.diff(edges) * cif.survival[place[:-1]]).sum())

    def mean(values: np.ndarray) -> Hazard:
        rate = float(values[place[-1]] - values[place[0]]) / spent if spent > 0 else 0.0
        return Hazard("exponential", (math.log(rate) if rate > 0 else -LARGE,), 1.0)

    return Tail(mean(cif.progression), mean(cif.death))


def extend(
    cif: CIF, tail: Tail, cycles: int, days_per_cycle: int | float
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """Progression and death at the ends of cycles 0 to `cycles`: the data's while they last, then the tail's.

    In a cycle 1 - exp(-dH) of those left leave, dH the sum of both causes, split as their parts of it.
    """
    days = cycle_edges(cycles, days_per_cycle)
    known = int((days <= cif.followed * DAYS[cif.unit] * (1 + 1e-9)).sum())
    progression, death = (np.r_[each, np.zeros(cycles + 1 - known)] for each in cif.at(days[:known]))
    time = days / DAYS[cif.unit]
    steps = np.column_stack([np.diff(tail.progression.cumulative(time)), np.diff(tail.death.cumulative(time))])
    for cycle in range(known, cycles + 1):
        left = max(1 - progression[cycle - 1] - death[cycle - 1], 0.0)
        total = float(steps[cycle - 1].sum())
        leave = -math.expm1(-total) * left
        parts = steps[cycle - 1] / total if total > 0 else np.zeros(2)
        progression[cycle] = progression[cycle - 1] + leave * parts[0]
        death[cycle] = death[cycle - 1] + leave * parts[1]
    return progression, death
