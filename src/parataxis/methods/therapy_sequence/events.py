"""Which events on a progression-free curve are deaths: those that drop the survival curve at the same time.

By time alone this can't be told where deaths are dense: chance puts one beside nearly every progression. The mixture
weighs each coincidence against the density of deaths around it, and keeps what it believes as a share.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.optimize import brentq

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.curves import KMCurve

METHODS = ("mixture", "match")
WINDOW = 1 / 40  # of the axis, on each side: where the density of deaths is learned
PARTS = 3  # of the events in time order, each with its own share of deaths
STEPS = 60  # of expectation and maximisation
HALF_CHI2 = 1.920729  # half of the 95 % point of chi-squared with one degree of freedom
CROWDED = 0.9  # chance of a death beside an event by which coincidence says nothing
WIDE = 0.3  # an interval of the share that says little
APART = 10.0  # an OS curve so many times as long as that of PFS is in another unit
ABOVE = 0.05  # by which PFS may lie above OS through reading


@dataclass(frozen=True)
class EventTypes:
    """Each patient of a PFS curve: time, event (0 or 1) and `death`, the probability that the event is a death.

    share: the share of events that are deaths, in [low, high] at 95 %. chance: the mean probability that a death of
    somebody else lies within a pixel of an event. warning: empty, or why the labels say little.
    """

    time: Float[np.ndarray, " patient"]
    event: Int[np.ndarray, " patient"]
    death: Float[np.ndarray, " patient"]
    share: float
    low: float
    high: float
    chance: float
    warning: str
    method: str

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, " patient"]:
        """Labels, 1 for a death, drawn from the probabilities: for a sensitivity analysis."""
        return (rng.random(len(self.death)) < self.death).astype(float)

    def to_frame(self) -> pd.DataFrame:
        progression = self.event * (1 - self.death)
        return pd.DataFrame({"time": self.time, "event": self.event, "progression": progression, "death": self.death})


def infer_events(pfs: pd.DataFrame, os: pd.DataFrame, *, pixel: int | float, method: str = "mixture") -> EventTypes:
    """The types of the events of a PFS curve, by the deaths of the OS curve of the same patients.

    pfs, os: columns `time` and `event`, as `reconstruct` gives them, in one unit. pixel: the least difference in time
    that the pictures show, in that unit: a clicked time is off by up to half of it. method: "mixture", or "match": one
    death for one event within a pixel, as the authors' data suggest.
    BadInput if PFS lies above OS, or if matching is asked for where times are too coarse for it.
    """
    if method not in METHODS:
        raise BadInput(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}")
    if not pixel > 0 or not np.isfinite(pixel):
        raise BadInput(f"pixel={pixel!r}: expected a time above 0: the length of the axis over its pixels")
    time, event = _patients(pfs, "pfs")
    os_time, os_event = _patients(os, "os")
    _refuse_crossing(time, event, os_time, os_event)
    if time.max() * APART < os_time.max():
        raise BadInput(
            f"pfs: the last time is {time.max():g}, that of os {os_time.max():g}: expected one unit; give both in the "
            "same"
        )
    when, deaths = time[event == 1], np.sort(os_time[os_event == 1])
    end = max(time.max(), os_time.max())
    coarse = max(pixel, _grid(np.r_[when, deaths]))
    density = local_density(when, deaths, coarse, end)
    chance = float(np.mean(1 - np.exp(-2 * coarse * density))) if len(when) else 0.0
    if method == "match":
        if chance > CROWDED:
            raise BadInput(
                f"method='match': chance alone puts a death beside {chance:.0%} of the events (times to {coarse:g}): "
                "matching is meaningless; use the mixture"
            )
        found = matched(when, deaths, pixel)
        low, high = (float(found.mean()),) * 2 if len(when) else (0.0, 0.0)
    else:
        ratio = likelihood_ratio(when, deaths, coarse, density)
        found = mixture(when, ratio)
        low, high = interval(when, ratio)
    share = float(found.mean()) if len(when) else 0.0
    low, high = min(low, share), max(high, share)
    death = np.zeros(len(time))
    death[event == 1] = found
    return EventTypes(time, event, death, share, low, high, chance, _warning(chance, low, high, coarse, pixel), method)


def local_density(
    when: Float[np.ndarray, " event"], deaths: Float[np.ndarray, " death"], pixel: float, end: float
) -> Float[np.ndarray, " event"]:
    """Deaths a unit of time around each event, those within a pixel of it left out, plus half a one."""
    width = max(WINDOW * end, 3 * pixel)
    near = np.searchsorted(deaths, when + width, "right") - np.searchsorted(deaths, when - width, "left")
    beside = np.searchsorted(deaths, when + pixel, "right") - np.searchsorted(deaths, when - pixel, "left")
    span = np.minimum(when + width, end) - np.maximum(when - width, 0)
    own = np.minimum(when + pixel, end) - np.maximum(when - pixel, 0)
    return (near - beside + 0.5) / np.maximum(span - own, pixel)


def likelihood_ratio(
    when: Float[np.ndarray, " event"],
    deaths: Float[np.ndarray, " death"],
    pixel: float,
    density: Float[np.ndarray, " event"],
) -> Float[np.ndarray, " event"]:
    """Of the deaths around an event if it is one, against if it is not; the errors of reading differ triangularly."""
    apart = np.abs(deaths[None, :] - when[:, None])
    return np.maximum(1 - apart / pixel, 0).sum(1) / pixel / density


def mixture(when: Float[np.ndarray, " event"], ratio: Float[np.ndarray, " event"]) -> Float[np.ndarray, " event"]:
    """The probability that each event is a death, by a share of deaths of its own in each third of the events."""
    belief = np.zeros(len(when))
    for part in _parts(when):
        share = 0.5
        for _ in range(STEPS):
            belief[part] = share * ratio[part] / (share * ratio[part] + 1 - share)
            share = float(belief[part].mean())
    return belief


def interval(when: Float[np.ndarray, " event"], ratio: Float[np.ndarray, " event"]) -> tuple[float, float]:
    """A 95 % interval of the share of deaths among all events.

    Two likelihood intervals in one: with a share for each third, and with one for all. Where there are no deaths, three
    shares that can't be below 0 find some too often: the first holds 0 in 80 % of made sets, both together in 95 %.
    """
    if not len(when):
        return 0.0, 0.0
    ends = [profile([ratio[part] for part in _parts(when)]), profile([ratio])]
    return min(low for low, _ in ends), max(high for _, high in ends)


def profile(parts: list[Float[np.ndarray, " _"]]) -> tuple[float, float]:
    """The likelihood interval of the total share, the shares of the parts profiled out.

    Along the profile the score of each part is mu times its size; the total falls as mu rises.
    """
    parts = [part - 1 for part in parts]
    size = sum(map(len, parts))

    def at(mu: float) -> tuple[float, float]:
        shares = [_root(each, mu * len(each)) for each in parts]
        total = sum(share * len(each) for share, each in zip(shares, parts, strict=True)) / size
        return total, sum(float(np.log1p(share * each).sum()) for share, each in zip(shares, parts, strict=True))

    best = at(0.0)
    ends = []
    for sign in (1.0, -1.0):
        mu = sign
        while best[1] - at(mu)[1] < HALF_CHI2 and abs(mu) < 1e6:
            mu *= 2
        fallen = best[1] - at(mu)[1] >= HALF_CHI2
        edge = brentq(lambda mu: best[1] - at(mu)[1] - HALF_CHI2, *sorted((0.0, mu)), xtol=1e-6) if fallen else mu
        ends.append(at(edge)[0])
    return ends[0], ends[1]


def _root(excess: Float[np.ndarray, " event"], slope: float) -> float:
    """Where the log-likelihood of a share, sum log(1 + share * excess), has this slope; 0 or 1 where it has none."""

    def score(share: float) -> float:
        return float((excess / (1 + share * excess)).sum()) - slope

    top = 1 - 1e-9
    if score(0.0) <= 0:
        return 0.0
    return top if score(top) >= 0 else float(brentq(score, 0.0, top, xtol=1e-9))


def matched(
    when: Float[np.ndarray, " event"], deaths: Float[np.ndarray, " death"], tolerance: float
) -> Float[np.ndarray, " event"]:
    """1 for each event with a death within the tolerance that no other event has; as many as can be."""
    found = np.zeros(len(when))
    death = 0
    for place in np.argsort(when, kind="stable"):
        while death < len(deaths) and deaths[death] < when[place] - tolerance * (1 + 1e-9):
            death += 1
        if death < len(deaths) and deaths[death] <= when[place] + tolerance * (1 + 1e-9):
            found[place] = 1.0
            death += 1
    return found


def _parts(when: Float[np.ndarray, " event"]) -> list[Int[np.ndarray, " _"]]:
    """Thirds of the events in time order; those at one time stay together, so that no order of them matters."""
    rank = np.searchsorted(np.sort(when), when, side="left")
    part = rank * PARTS // max(len(when), 1)
    return [np.flatnonzero(part == each) for each in np.unique(part)]


def _patients(table: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    if missing := [each for each in ("time", "event") if each not in table]:
        raise BadInput(f"{name}: no column {missing[0]!r}; there: {', '.join(map(str, table)) or 'none'}")
    time, event = table["time"].to_numpy(float), table["event"].to_numpy(float)
    if not len(time):
        raise BadInput(f"{name}: has no patients")
    if (wrong := np.flatnonzero(~(np.isfinite(time) & (time >= 0)))).size:
        raise BadInput(f"{name}[{wrong[0]}]: time={time[wrong[0]]:g}: expected a finite time of 0 or more")
    if (wrong := np.flatnonzero(~np.isin(event, (0, 1)))).size:
        raise BadInput(f"{name}[{wrong[0]}]: event={event[wrong[0]]:g}: expected 0 (censored) or 1 (event)")
    return time, event.astype(int)


def _refuse_crossing(time: np.ndarray, event: np.ndarray, os_time: np.ndarray, os_event: np.ndarray) -> None:
    pfs, survival = KMCurve.of(time, event), KMCurve.of(os_time, os_event)
    grid = np.unique(np.r_[pfs.time, survival.time])
    grid = grid[grid <= min(time.max(), os_time.max())]
    above = pfs.at(grid) - survival.at(grid)
    worst = int(above.argmax())
    if above[worst] > ABOVE:
        raise BadInput(
            f"pfs: survival {pfs.at(grid)[worst]:.3f} at time {grid[worst]:g} is above os, "
            f"{survival.at(grid)[worst]:.3f}: who is free of progression is alive; swapped, of other patients, or "
            "in another unit?"
        )


def _grid(times: Float[np.ndarray, " t"]) -> float:
    """The step of the grid that all times lie on, 0 if they lie on none."""
    steps = np.diff(np.unique(np.round(times, 9)))
    step = float(steps.min()) if len(steps) else 0.0
    return step if step and np.abs(times / step - np.round(times / step)).max() < 1e-6 else 0.0


def _warning(chance: float, low: float, high: float, coarse: float, pixel: float) -> str:
    said = []
    if coarse > 1.5 * pixel:
        said.append(f"times lie on a grid of {coarse:g}, coarser than pixel={pixel:g}")
    if chance > CROWDED or high - low > WIDE:
        said.append(
            f"coincidence can't be told from chance: a death of somebody else lies beside {chance:.0%} of the events, "
            f"and their share of deaths may be {low:.0%} to {high:.0%}"
        )
    return "; ".join(said)
