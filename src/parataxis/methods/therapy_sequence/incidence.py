"""Cumulative incidence of progression and death where one forestalls the other, with events that are partly either."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from parataxis.errors import BadInput

DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4, "years": 365.25}  # 30.4: the month of the authors' code
LIFE = 60 * 365.25  # days
SUM = 1e-6  # by so much may incidences add to more than 1


def aalen_johansen(
    time: Float[np.ndarray, " patient"], weight: Float[np.ndarray, "patient cause"]
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step cause"]]:
    """The times with an event, and the cumulative incidence of each cause from each on.

    weight: how much of a patient's event belongs to each cause; 0 throughout for a censored patient. At each time
    F_k += S(t-) sum_i w_ik / n and S *= 1 - sum_ik w_ik / n. Patients censored at the time of an event are at risk of
    it; ties need no jitter.
    """
    when, place = np.unique(time[weight.sum(1) > 0], return_inverse=True)
    events = np.zeros((len(when), weight.shape[1]))
    np.add.at(events, place, weight[weight.sum(1) > 0])
    share = events / (len(time) - np.searchsorted(np.sort(time), when, side="left"))[:, None]
    before = np.r_[1.0, np.cumprod(1 - share.sum(1))[:-1]] if len(when) else np.ones(0)
    return when, np.cumsum(before[:, None] * share, axis=0)


@dataclass(frozen=True)
class CIF:
    """Cumulative incidences of progression and of death without it, from each time on until the next.

    time: rising, from 0. followed: how long somebody was watched, at least the last time. unit: of both.
    """

    time: Float[np.ndarray, " step"]
    progression: Float[np.ndarray, " step"]
    death: Float[np.ndarray, " step"]
    followed: float
    unit: str = "days"

    def __post_init__(self) -> None:
        if self.unit not in DAYS:
            raise BadInput(f"unit={self.unit!r}: expected one of {', '.join(DAYS)}")
        if not len(self.time) or self.time[0] != 0 or (np.diff(self.time) <= 0).any() or self.followed < self.time[-1]:
            raise BadInput("time: expected rising times from 0, none after the end of what was followed")
        for name in ("progression", "death"):
            values = getattr(self, name)
            if not np.isfinite(values).all() or (np.diff(values, prepend=0) < -SUM).any():
                at = self.time[int(np.argmin(np.diff(values, prepend=0)))]
                raise BadInput(f"{name}: falls at time {at:g}: expected a cumulative incidence, which can't")
        total = self.progression + self.death
        if total.max() > 1 + SUM:
            at = int(np.argmax(total > 1 + SUM))
            raise BadInput(
                f"progression + death = {total[at]:g} at time {self.time[at]:g}: incidences can't add to more than 1; "
                "they come from different patients: estimate both from one set"
            )

    @classmethod
    def of(
        cls,
        time: Shaped[np.ndarray, " patient"],
        event: Shaped[np.ndarray, " patient"],
        death: Shaped[np.ndarray, " patient"],
        unit: str = "days",
    ) -> "CIF":
        """The Aalen-Johansen estimate. event: 0 censored, 1 event. death: the share in [0, 1] of it that is one."""
        time, event, death = np.asarray(time, float), np.asarray(event, float), np.asarray(death, float)
        if not len(time) or not (np.isfinite(time).all() and time.min() >= 0):
            raise BadInput(f"time: {len(time)} patients: expected at least one, and finite times of 0 or more")
        if not np.isin(event, (0, 1)).all():
            raise BadInput(f"event={event[~np.isin(event, (0, 1))][0]:g}: expected 0 (censored) or 1 (event)")
        if not ((death >= 0) & (death <= 1)).all():
            raise BadInput(f"death={death[~((death >= 0) & (death <= 1))][0]:g}: expected a share in [0, 1]")
        if time.max() * DAYS.get(unit, 0) > LIFE:
            raise BadInput(
                f"time={time.max():g} {unit}: nobody is followed so long; name the unit of the file (--unit)"
            )
        when, both = aalen_johansen(time, np.column_stack([event * (1 - death), event * death]))
        if not len(when) or when[0] > 0:
            when, both = np.r_[0.0, when], np.vstack([np.zeros((1, 2)), both])
        return cls(when, both[:, 0], both[:, 1], float(time.max()), unit)

    @property
    def survival(self) -> Float[np.ndarray, " step"]:
        """Free of both events."""
        return np.maximum(1 - self.progression - self.death, 0)

    def at(self, days: Float[np.ndarray, " t"]) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
        """Progression and death up to these days, the steps at a time included. BadInput beyond what was followed."""
        end = self.followed * DAYS[self.unit]
        if len(days) and days.max() > end * (1 + 1e-9):
            raise BadInput(
                f"day {days.max():g} lies beyond day {end:g}, the end of the data; shorten the horizon, or "
                "extrapolate: --tail, in Python `extrapolate.extend`"
            )
        place = np.searchsorted(self.time * DAYS[self.unit], days * (1 + 1e-12), side="right") - 1
        return self.progression[place], self.death[place]

    def on_cycles(
        self, cycles: int, days_per_cycle: int | float
    ) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
        """Progression and death at the ends of cycles 0, 1, ..., `cycles`: arrays of cycles + 1, the first 0."""
        return self.at(cycle_edges(cycles, days_per_cycle))


def cycle_edges(cycles: int, days_per_cycle: int | float) -> Float[np.ndarray, " edge"]:
    if cycles < 1 or not days_per_cycle > 0:
        raise BadInput(f"cycles={cycles}, days_per_cycle={days_per_cycle:g}: expected 1 or more, and above 0")
    return np.arange(cycles + 1.0) * days_per_cycle
