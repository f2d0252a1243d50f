"""A survival curve as it was read off a picture: points, cleaned, with a word on all that was mended."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.exports import read_points

MEND = 0.03  # a slip of the hand: survival may rise, or stand above 1, by no more; time may lie below 0 by this share
TOLD = 0.005  # a rise that is mended with a word; less is the width of the line
FAR = 0.1  # a first point later (as a share of the curve's length) or lower than (0, 1) by more is told as such
FIRST = 0.5  # a curve whose first point lies lower does not begin at (0, 1)
PERCENT = 1.5  # survival above this is in percent


@dataclass(frozen=True)
class KMCurve:
    """A Kaplan-Meier curve: from each time on, until the next, `survival` holds. It begins at time 0 with survival 1.

    time: not decreasing, in the unit of the picture. survival: shares in [0, 1], not increasing. notes: what was
    mended. source: the file, for messages.
    """

    time: Float[np.ndarray, " point"]
    survival: Float[np.ndarray, " point"]
    notes: tuple[str, ...] = ()
    source: str = "curve"

    @classmethod
    def read(cls, path: Path | str, name: str | None = None) -> "KMCurve":
        """A curve that DigitizeIt, WebPlotDigitizer, Engauge or PlotDigitizer wrote. name: where there are several.

        BadInput with file and line for what can't be read or is no survival curve.
        """
        lines, points = read_points(path, name)
        return cls.clean(points[:, 0], points[:, 1], str(path), np.array(lines))

    @classmethod
    def clean(
        cls,
        time: Shaped[np.ndarray, " point"],
        survival: Shaped[np.ndarray, " point"],
        source: str = "curve",
        lines: Shaped[np.ndarray, " point"] | None = None,
    ) -> "KMCurve":
        """Points in any order, as a curve: scaled from percent, sorted, begun at (0, 1), made to fall, clipped.

        BadInput where that would be more than a slip of the hand: columns swapped, incidence in place of survival,
        survival that rises, no beginning.
        """
        time, survival = np.asarray(time, float), np.asarray(survival, float)
        if len(time) != len(survival) or len(time) < 2:
            raise BadInput(f"{source}: {len(time)} times and {len(survival)} survivals; expected two points or more")
        if not np.isfinite(time).all() or not np.isfinite(survival).all():
            raise BadInput(f"{source}: times and survivals must be finite")
        place = np.array([f"{source}:{each}" for each in lines]) if lines is not None else np.full(len(time), source)
        notes: list[str] = []
        if np.any(np.diff(time) < 0):
            notes.append("points were not in the order of time, and were sorted")
        order = np.lexsort((-survival, time))
        time, survival, place = time[order], survival[order], place[order]
        _refuse_swapped(time, survival, source)
        survival = _as_shares(survival, source, notes)
        _refuse_incidence(survival, source)
        time = _from_zero(time, place, notes)
        survival = _falling(time, survival, place, notes)
        if survival[0] < FIRST and time[0] > 0:
            raise BadInput(
                f"{place[0]}: survival={survival[0]:g} at the first time, {time[0]:g}: expected a curve that begins at "
                "(0, 1); add its beginning, or check the calibration of the axes"
            )
        if time[0] > 0 or survival[0] < 1:
            _tell_beginning(time, survival, notes)
            time, survival = np.r_[0.0, time], np.r_[1.0, survival]
        if time[-1] <= 0:
            raise BadInput(f"{source}: all times are {time[-1]:g}; expected times after 0")
        return cls(time, survival, tuple(notes), source)

    @classmethod
    def of(cls, time: Shaped[np.ndarray, " patient"], event: Shaped[np.ndarray, " patient"]) -> "KMCurve":
        """The Kaplan-Meier estimate of patients: a point a drop. event: 1 or true for an event, 0 for censored."""
        time, event = np.asarray(time, float), np.asarray(event, bool)
        when, deaths = np.unique(time[event], return_counts=True)
        at_risk = len(time) - np.searchsorted(np.sort(time), when, side="left")
        return cls(np.r_[0.0, when], np.r_[1.0, np.cumprod(1 - deaths / at_risk)])

    def at(self, time: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Survival at these times, the drop at a time included."""
        return self.survival[np.searchsorted(self.time, time, side="right") - 1]

    def mean(self, until: int | float) -> float:
        """The restricted mean: the area under the curve up to `until`."""
        edges = np.r_[self.time[self.time < until], until]
        return float(np.sum(np.diff(edges) * self.at(edges[:-1])))

    @property
    def median(self) -> float:
        """The first time with survival <= 1/2, infinite where there is none."""
        below = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.time[below[0]]) if len(below) else float("inf")


def _tell_beginning(time: np.ndarray, survival: np.ndarray, notes: list[str]) -> None:
    """That (0, 1) is added, and where the curve was begun so late or low that a piece of it may be missing."""
    told = f"(0, 1) was added before the first point ({time[0]:.4g}, {survival[0]:.4g})"
    far = time[0] > FAR * time[-1] or survival[0] < 1 - FAR
    notes.append(f"{told}, which is far from it: was the beginning clicked?" if far else told)


def _refuse_swapped(time: np.ndarray, survival: np.ndarray, source: str) -> None:
    """A share in the place of time, which falls while "survival", the time, rises from 0 to more than 1."""
    share = time.min() >= -MEND and time.max() <= 1 + MEND and time.max() > 0.9
    falls = np.all(np.diff(survival) <= MEND * np.ptp(survival)) and abs(survival[-1]) <= MEND * survival.max()
    if share and falls and survival.max() > PERCENT and not 95 <= survival.max() <= 100 * (1 + MEND):
        raise BadInput(
            f"{source}: the first column goes from {time.min():g} to {time.max():g}, the second to {survival.max():g}: "
            "they look swapped; expected time, then survival"
        )


def _as_shares(survival: np.ndarray, source: str, notes: list[str]) -> np.ndarray:
    if survival.max() > PERCENT:
        survival = survival / 100
        notes.append("survival was in percent")
    if survival.max() > 1 + MEND:
        scale = "percent" if "survival was in percent" in notes else "a share"
        raise BadInput(f"{source}: survival={survival.max():g}, read as {scale}, is above 1; calibrate the axis anew")
    if survival.min() < -MEND:
        raise BadInput(f"{source}: survival={survival.min():g} is below 0; calibrate the axis anew")
    if survival.max() > 1 + TOLD:
        notes.append(f"survival of up to {survival.max():.4g} was set to 1")
    if survival.min() < -TOLD:
        notes.append(f"survival down to {survival.min():.4g} was set to 0")
    return np.clip(survival, 0, 1)


def _refuse_incidence(survival: np.ndarray, source: str) -> None:
    if survival[0] < FIRST and np.all(np.diff(survival) >= -MEND) and survival[-1] > survival[0] + MEND:
        raise BadInput(
            f"{source}: rises from {survival[0]:g} to {survival[-1]:g}: expected survival, which "
            "falls; of a cumulative incidence give 1 minus it"
        )


def _from_zero(time: np.ndarray, place: np.ndarray, notes: list[str]) -> np.ndarray:
    if time[0] < -MEND * max(time[-1], 0):
        raise BadInput(f"{place[0]}: time={time[0]:g} must not be below 0; calibrate the axis anew, or drop the point")
    if time[0] < 0:
        notes.append(f"{np.sum(time < 0)} times below 0, to {time[0]:g}, were set to 0")
    return np.maximum(time, 0)


def _falling(time: np.ndarray, survival: np.ndarray, place: np.ndarray, notes: list[str]) -> np.ndarray:
    lowest = np.minimum.accumulate(survival)
    rise = survival - lowest
    worst = int(rise.argmax())
    if rise[worst] > MEND:
        raise BadInput(
            f"{place[worst]}: survival={survival[worst]:g} at time {time[worst]:g} is above {lowest[worst]:g} "
            "before it: a survival curve can't rise; drop the point"
        )
    if rise[worst] > TOLD:
        notes.append(f"{np.sum(rise > 0)} points that rose, by {rise[worst]:.3f} at most, were lowered")
    return lowest
