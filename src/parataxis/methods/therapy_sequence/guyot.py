"""Patients from a curve and its numbers at risk (Guyot, Ades, Ouwens, Welton, BMC Medical Research Methodology 2012).

Between two numbers at risk the curve tells deaths if the censored are known, and the numbers tell the censored if the
deaths are known: the two are taken in turn until they agree. Events at the same time stay at the same time.
Two things are not as published: a number at risk counts at its own time, not at the next point; and the censored of an
interval leave as the drops of the curve tell (`lost`), not evenly, unless they are asked to.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.curves import TOLD, KMCurve
from parataxis.methods.therapy_sequence.lost import FINEST, likeliest

ITERATIONS = 100  # of deaths and censored in turn; real curves need 2 to 10
APART = 3.0  # a table whose last time is so many times the curve's, or the reverse, is in another unit
AFTER = 1.5  # numbers at risk so far after the curve's end, in its length: a piece of the curve was not clicked
UNITS = {"years and days": 365.25, "weeks and days": 7, "months and days": 30.4375, "years and months": 12}
UNITS |= {"months and weeks": 4.348, "years and weeks": 52.18}
CENSORED = ("likely", "even")
TIMES = 2  # that the likely are found: what looked like a tremor the first time was in part their being elsewhere
BADLY = 0.05  # a worse error of survival at a click is told
SLACK = 0.1  # how far a reported number of events may be off; 3 events are always allowed

Table = Shaped[np.ndarray, "row 2"] | Sequence[Sequence[int | float]]


@dataclass
class _Patients:
    """Those reconstructed so far; alive: how many are left at risk; km: the survival that they give."""

    alive: int
    km: float = 1.0
    times: list[float] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    def add(self, times: Sequence[float], event: int) -> None:
        self.times.extend(times)
        self.events.extend([event] * len(times))


def reconstruct(curve: KMCurve, at_risk: Table, events: int | None = None, censored: str = "likely") -> pd.DataFrame:
    """As many patients as are at risk at time 0: columns `time` and `event` (1 event, 0 censored), sorted.

    at_risk: times, from 0, and numbers at risk. events: the reported total, to which the censored after the last
    number at risk are tuned; else they leave at the mean rate until then. censored: when those of an interval leave:
    "likely", as the drops tell, or "even", as published. `attrs["notes"]` holds what did not agree. BadInput for a
    table that can't belong to the curve, or a total that can't be.
    """
    if censored not in CENSORED:
        raise BadInput(f"censored={censored!r}: expected {' or '.join(map(repr, CENSORED))}")
    times, numbers = _checked(curve, at_risk)
    made = _rebuilt(curve, times, numbers, events)
    for _ in range(TIMES if censored == "likely" else 0):
        made = _rebuilt(curve, times, numbers, events, tremor(curve, made))
    off = np.abs(KMCurve.of(made["time"].to_numpy(), made["event"].to_numpy()).at(curve.time) - curve.at(curve.time))
    if off.max() > BADLY:
        where = curve.time[off.argmax()]
        made.attrs["notes"].append(f"survival is given again badly: {off.max():.3f} off at time {where:g}")
    return made


def tremor(curve: KMCurve, made: pd.DataFrame) -> float:
    """How far clicks lie from the survival of patients that were rebuilt from them: a standard deviation, of which the
    clicks that fit worst, as the patients are not quite right there, take nothing (1.4826 times the median distance).
    """
    again = KMCurve.of(made["time"].to_numpy(), made["event"].to_numpy())
    when = np.unique(curve.time[1:])
    return max(1.4826 * float(np.median(np.abs(again.at(when) - curve.at(when)))), FINEST)


def _rebuilt(
    curve: KMCurve, times: list[float], numbers: list[int], events: int | None, tremor: float | None = None
) -> pd.DataFrame:
    """tremor: None for censored who leave evenly."""
    notes = list(curve.notes)
    if times[-1] > curve.time[-1] and numbers[-1]:
        notes.append(
            f"numbers at risk go on to time {times[-1]:g}, the curve was taken as flat after {curve.time[-1]:g}"
        )
    if events is not None and not 0 <= events <= numbers[0]:
        raise BadInput(f"events={events}: expected 0 to {numbers[0]}, the number at risk at time 0")
    clicks = list(zip(curve.time.tolist(), curve.survival.tolist(), strict=True))
    patients = _Patients(numbers[0])
    places = np.searchsorted(curve.time, times, side="left").tolist()
    bare = []
    for row in range(len(times) - 1):
        inside = clicks[places[row] : places[row + 1]]
        span, wanted = (times[row], times[row + 1]), numbers[row + 1]
        if not inside and patients.alive > wanted:
            bare.append(f"{times[row]:g} and {times[row + 1]:g} ({patients.alive - wanted} leave)")
        falls = curve.survival[places[row + 1] - 1] / max(patients.km, 1e-12)
        guess = round(patients.alive * min(float(falls), 1.0) - wanted)
        short = wanted - _interval(patients, inside, span, guess, wanted, tremor)
        if short > max(2, 0.02 * numbers[0]):
            notes.append(f"at time {times[row + 1]:g} the curve leaves {wanted - short} at risk, the table {wanted}")
    if bare:
        notes.append(f"no point was clicked between {', '.join(bare)}: all who leave there are taken as censored")
    if numbers[-1]:
        _last(patients, clicks[places[-1] :], (times[-1], max(curve.time[-1], times[-1])), times[-1], events, notes)
    elif events is not None:
        _agree(sum(patients.events), events, times[-1], notes)
    order = np.lexsort((-np.array(patients.events), np.array(patients.times)))
    made = pd.DataFrame({"time": np.array(patients.times, float)[order], "event": np.array(patients.events)[order]})
    made.attrs["notes"] = notes
    return made


def _interval(
    patients: _Patients,
    clicks: list[tuple[float, float]],
    span: tuple[float, float],
    guess: int,
    wanted: int,
    tremor: float | None,
) -> int:
    """Add those of one interval, so that `wanted` are left if it can be; how many are left."""
    tried: dict[int, int] = {}
    censored = min(max(guess, 0), patients.alive)
    while censored not in tried and len(tried) < ITERATIONS:
        tried[censored] = _walk(patients, clicks, span, censored)[1]
        censored = min(max(censored + tried[censored] - wanted, 0), patients.alive)
    best = min(tried, key=lambda each: (abs(tried[each] - wanted), each))
    told = None
    if tremor and clicks and patients.alive > wanted:
        told = likeliest(patients.alive, patients.km, clicks, span, wanted, best, tremor)
    if told:
        _place(patients, clicks, span, *told)
    else:
        _take(patients, clicks, span, best)
    return patients.alive


def _place(
    patients: _Patients, clicks: list[tuple[float, float]], span: tuple[float, float], dead: list[int], lost: list[int]
) -> None:
    """Add deaths at their clicks, and the lost evenly between two of them."""
    edges = [span[0], *(time for time, _ in clicks), span[1]]
    for (begin, end), deaths, gone in zip(pairwise(edges), [*dead, 0], lost, strict=True):
        step = (end - begin) / (gone + 1)
        patients.add([begin + step * place for place in range(1, gone + 1)], 0)
        patients.add([end] * deaths, 1)
        patients.alive -= gone
        patients.km *= 1 - deaths / max(patients.alive, 1)
        patients.alive -= deaths


def _walk(
    patients: _Patients, clicks: list[tuple[float, float]], span: tuple[float, float], censored: int
) -> tuple[list[int], int, float]:
    """Deaths at each click if so many are censored evenly over the span; who is left at its end; the survival then."""
    begin, end = span
    step = (end - begin) / (censored + 1)
    km, dead, deaths = patients.km, 0, []
    for time, survival in clicks:
        gone = min(censored, max(0, -int(-(time - begin) // step) - 1)) if step > 0 else 0  # strictly before the click
        left = patients.alive - dead - gone
        now = min(left, int(left * (1 - survival / km) + 0.5)) if left > 0 and km > 0 and survival < km else 0
        if now:
            km *= 1 - now / left
            dead += now
        deaths.append(now)
    return deaths, patients.alive - dead - censored, km


def _take(patients: _Patients, clicks: list[tuple[float, float]], span: tuple[float, float], censored: int) -> None:
    deaths, left, km = _walk(patients, clicks, span, censored)
    for (time, _), count in zip(clicks, deaths, strict=True):
        patients.add([time] * count, 1)
    censored += min(left, 0)  # more were to be censored than were there
    step = (span[1] - span[0]) / (censored + 1)
    patients.add([span[0] + step * place for place in range(1, censored + 1)], 0)
    patients.alive, patients.km = max(left, 0), km


def _last(
    patients: _Patients,
    clicks: list[tuple[float, float]],
    span: tuple[float, float],
    followed: float,
    events: int | None,
    notes: list[str],
) -> None:
    """After the last number at risk: no number to meet, but the mean rate of censoring so far, or the total."""
    before = sum(patients.events)
    lost = len(patients.events) - before
    censored = min(patients.alive, round(lost / followed * (span[1] - span[0]))) if followed > 0 else 0
    if events is not None:
        censored = _tuned(patients, clicks, span, events - before, censored)
        _agree(before + sum(_walk(patients, clicks, span, censored)[0]), events, span[0], notes)
    _take(patients, clicks, span, censored)
    patients.add([span[1]] * patients.alive, 0)
    patients.alive = 0


def _tuned(
    patients: _Patients, clicks: list[tuple[float, float]], span: tuple[float, float], events: int, guess: int
) -> int:
    """How many must be censored for so many events, or nearly: the more, the fewer. Of equals, nearest the guess."""

    def fewer(censored: int) -> int:
        return -sum(_walk(patients, clicks, span, censored)[0])

    every = range(patients.alive + 1)
    first, after = bisect_left(every, -events, key=fewer), bisect_right(every, -events, key=fewer)
    if first < after:
        return min(max(guess, first), after - 1)
    return min(max(first - 1, 0), min(first, patients.alive), key=lambda each: abs(fewer(each) + events))


def _agree(deaths: int, events: int, since: float, notes: list[str]) -> None:
    if abs(deaths - events) > max(3, SLACK * events):
        raise BadInput(
            f"events={events}: curve and table tell {deaths}, whatever happens after time {since:g}; check the total, "
            "or leave it out"
        )
    if deaths != events:
        notes.append(f"{deaths} events were reached, {events} were reported")


def _checked(curve: KMCurve, at_risk: Table) -> tuple[list[float], list[int]]:
    """Times and numbers, cut after the first zero; BadInput for what can't be a table at risk of this curve."""
    table = np.asarray(at_risk, float)
    if table.ndim != 2 or table.shape[1] != 2 or not len(table) or not np.isfinite(table).all():
        raise BadInput(f"at_risk: shape={table.shape}: expected rows of a time and a finite number at risk")
    time, number = table.T
    if abs(time[0]) > 1e-9:
        raise BadInput(f"at_risk: the first time is {time[0]:g}: expected 0; add the number at risk at the beginning")
    if (wrong := np.flatnonzero(np.diff(time) <= 0)).size:
        raise BadInput(f"at_risk[{wrong[0] + 1}]: time={time[wrong[0] + 1]:g} must be after {time[wrong[0]]:g}")
    if (wrong := np.flatnonzero((number < 0) | (number % 1 != 0))).size:
        raise BadInput(f"at_risk[{wrong[0]}]: n={number[wrong[0]]:g} must be a whole number, 0 or more")
    if (wrong := np.flatnonzero(np.diff(number) > 0)).size:
        raise BadInput(
            f"at_risk[{wrong[0] + 1}]: n={number[wrong[0] + 1]:g} at time {time[wrong[0] + 1]:g} is above "
            f"{number[wrong[0]]:g} before it: numbers at risk can't rise"
        )
    if not number[0]:
        raise BadInput("at_risk[0]: n=0: nobody is at risk at time 0; expected the size of the arm")
    zero = int(np.argmax(number == 0)) if (number == 0).any() else len(number)
    time, number = time[: zero + 1], number[: zero + 1]
    end = float(curve.time[-1])
    _same_unit(end, float(time[-1]) if len(time) > 1 else None, curve.source)
    if number[-1] and time[-1] > AFTER * end:
        raise BadInput(
            f"{curve.source}: the curve ends at time {end:g}, {np.sum(time > end)} numbers at risk stand after it, the "
            f"last at {time[-1]:g}: click the curve on to its end, or leave these rows out"
        )
    if not number[-1]:
        _refuse_falls_after(curve, float(time[-1]))
    if not number[-1] and len(time) > 1 and time[-2] < end:
        time = np.r_[time[:-1], min(time[-1], np.nextafter(end, np.inf))]  # whoever was left, left by the curve's end
    return time.tolist(), number.astype(int).tolist()


def _refuse_falls_after(curve: KMCurve, zero: float) -> None:
    """Nobody is at risk from `zero` on: nobody can die there."""
    late = np.flatnonzero((curve.time > zero) & (curve.survival < curve.at(np.array([zero])) - TOLD))
    if late.size:
        when, survival = curve.time[late[0]], curve.survival[late[0]]
        raise BadInput(
            f"{curve.source}: falls to {survival:g} at time {when:g}, but from {zero:g} on nobody is at risk (n=0): "
            "check the numbers at risk, or drop the points after it"
        )


def _same_unit(curve: float, table: float | None, source: str) -> None:
    ratio = max(curve / table, table / curve) if table else 1.0
    if ratio > APART:
        near = [name for name, each in UNITS.items() if each / 2 < ratio < 1.5 * each]
        units = f" ({' or '.join(near)}?)" if near else ""
        click = ", or click the curve on to its end" if table and table > curve else ""
        raise BadInput(
            f"{source}: the curve ends at time {curve:g}, the numbers at risk at {table:g}: expected one unit{units}; "
            f"give both in the same{click}"
        )
