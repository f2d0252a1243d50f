"""The dependence that makes a strategy's deaths match a trial's, found on the exact engine: smooth, without seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import minimize, minimize_scalar

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.dependence import Clayton, Dependence, HazardRatio
from parataxis.methods.therapy_sequence.exact import Occupancy
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.parts import Strategy, Target

FORMS = ("hazard_ratio", "clayton")
RATIOS, THETAS = (1.0, 30.0), (0.0, 20.0)
STARTS = ((2.0, 20.0), (4.0, 60.0))
RIDGE = 24  # points of the profile
SHORT = 0.1  # of the cycles to be matched: a trial that ends before is in another unit
NEAR = 1e-3  # of a bound, on the log scale


@dataclass(frozen=True)
class Calibration:
    """at_bound: the horizon, or the largest ratio, stopped the search. profile: the best squared error for fixed tau
    (or theta): how well the trial tells one value from another. trial, model: share of the dead at cycle 0, 1, ...
    """

    strategy: str
    dependence: Dependence
    error: float
    independent: float
    at_bound: bool
    profile: pd.DataFrame
    trial: Float[np.ndarray, " time"]
    model: Float[np.ndarray, " time"]

    def ridge(self, factor: float = 2.0) -> pd.DataFrame:
        """The rows of the profile whose error is at most `factor` times the least."""
        return self.profile[self.profile["error"] <= factor * self.error]

    @property
    def cut(self) -> str:
        """That the ridge of a copula reaches the largest theta that is searched, and may go on; else empty."""
        near = self.ridge()
        if "theta" not in near or not (near["theta"] > THETAS[1] - NEAR).any():
            return ""
        return f"the ridge ends at theta {THETAS[1]:g}, the bound of the search: the trial may allow more"


def deaths(time: Float[np.ndarray, " patient"], event: Any, cycles: int) -> Float[np.ndarray, " time"]:
    """Kaplan and Meier's share of the dead at the end of cycle 0, 1, ..., `cycles`; time in cycles."""
    return 1 - KMCurve.of(np.asarray(time), np.asarray(event)).at(np.arange(cycles + 1.0))


def read_target(model: Model, target: Target) -> tuple[Float[np.ndarray, " patient"], Any]:
    """Time in cycles and event (1 dead) of the trial's patients."""
    table = model.folder.table(target.file)
    for column in (target.time, target.event):
        if column not in table:
            raise BadInput(f"{target.file}: no column {column!r}; there: {', '.join(map(str, table.columns))}")
    time, event = table[target.time].to_numpy(float), table[target.event].to_numpy(float)
    if bad := np.flatnonzero(~np.isfinite(time) | (time < 0)).tolist():
        raise BadInput(f"{target.file}:{bad[0] + 2}: {target.time}={time[bad[0]]}: expected a time from 0")
    if bad := np.flatnonzero((event != 0) & (event != 1)).tolist():
        raise BadInput(f"{target.file}:{bad[0] + 2}: {target.event}={event[bad[0]]}: expected 0 (alive) or 1 (dead)")
    if not event.any():
        raise BadInput(f"{target.file}: nobody dies; there is nothing to match")
    cycles = time.max() * target.unit_days / model.parts.cycle_days
    if cycles < SHORT * (target.cycles or model.parts.cycles):
        raise BadInput(
            f"{target.file}: the trial ends at cycle {cycles:.1f}, and {target.cycles or model.parts.cycles} are to be "
            f"matched: are the times in another unit than unit_days={target.unit_days:g} (a month has 30.4)?"
        )
    return time * target.unit_days / model.parts.cycle_days, event


def target_of(model: Model, strategy: str) -> Target:
    """The strategy's target trial in the model's file."""
    for each in model.parts.targets:
        if each.strategy == strategy:
            return each
    raise BadInput(f"strategy {strategy!r} has no [[target]]; name a file with its trial's overall survival")


def calibrate(
    model: Model,
    strategy: str,
    form: str = "hazard_ratio",
    trial: Float[np.ndarray, " time"] | None = None,
    ridge: bool = True,
) -> Calibration:
    """Least squares over the cycles of the target, deaths against deaths. trial: instead of the file's target."""
    if form not in FORMS:
        raise BadInput(f"dependence={form!r}: expected one of {', '.join(FORMS)}")
    if form == "clayton" and model.behaviour.form != "cause_specific":
        raise BadInput("dependence='clayton' needs the corrected probabilities: drop compat='released', or its form")
    chosen = model.strategy(strategy)
    if len(chosen.drugs) < 2:
        raise BadInput(f"strategy {strategy!r} has one line: nothing depends on it")
    if trial is None:
        target = target_of(model, strategy)
        time, event = read_target(model, target)
        trial = deaths(time, event, min(target.cycles or model.parts.cycles, model.parts.cycles))
    dead = _dead(model, chosen)
    cycles = model.parts.cycles

    def error(dependence: Dependence) -> float:
        return float(((dead(dependence)[: len(trial)] - trial) ** 2).sum())

    if form == "clayton":
        found, at_bound, profile = _clayton(error, ridge)
    else:
        found, at_bound, profile = _hazard_ratio(error, cycles, ridge)
    least, alone = error(found), error(HazardRatio(1.0, 1.0))
    return Calibration(strategy, found, least, alone, at_bound, profile, trial, dead(found)[: len(trial)])


def misfit(model: Model, target: Target, dependence: Dependence) -> tuple[float, float] | None:
    """Squared error of a dependence against the target's trial, and of none; None where its file is not there."""
    try:
        time, event = read_target(model, target)
    except BadInput:
        return None
    trial = deaths(time, event, min(target.cycles or model.parts.cycles, model.parts.cycles))
    dead = _dead(model, model.strategy(target.strategy))
    one, other = (
        float(((dead(each)[: len(trial)] - trial) ** 2).sum()) for each in (dependence, HazardRatio(1.0, 1.0))
    )
    return one, other


def _dead(model: Model, strategy: Strategy) -> Callable[[Dependence], Any]:
    plan = None

    def dead(dependence: Dependence) -> Any:
        nonlocal plan
        plan = model.plan(strategy, dependence) if plan is None else model.depending(plan, dependence)
        return Occupancy.of(plan).dead

    return dead


def _hazard_ratio(error: Any, cycles: int, ridge: bool) -> tuple[Dependence, bool, pd.DataFrame]:
    low, high = np.log([RATIOS[0], 1.0]), np.log([RATIOS[1], float(cycles)])

    def of(x: Any) -> float:
        ratio, until = np.exp(np.clip(x, low, high))
        return error(HazardRatio(float(ratio), float(until)))

    options = {"xatol": 1e-4, "fatol": 1e-9, "maxiter": 400}
    bounds = list(zip(low, high, strict=True))
    starts = [np.minimum(np.log(each), high) for each in STARTS]
    tried = [minimize(of, each, method="Nelder-Mead", bounds=bounds, options=options) for each in starts]
    best = min(tried, key=lambda each: each.fun)
    rows = []
    for y in np.log(np.geomspace(1.0, cycles, RIDGE)) if ridge else ():
        inner = minimize_scalar(lambda x, y=y: of([x, y]), bounds=(low[0], high[0]), method="bounded")
        rows.append({"until": float(np.exp(y)), "hazard_ratio": float(np.exp(inner.x)), "error": float(inner.fun)})
    profile = pd.DataFrame(rows, columns=["until", "hazard_ratio", "error"])
    x = np.clip(best.x, low, high)
    return HazardRatio(*map(float, np.exp(x))), bool((high - x < NEAR).any()), profile


def _clayton(error: Any, ridge: bool) -> tuple[Dependence, bool, pd.DataFrame]:
    best = minimize_scalar(lambda x: error(Clayton(float(x))), bounds=THETAS, method="bounded", options={"xatol": 1e-6})
    around = np.unique([THETAS[0], *np.clip(best.x * np.geomspace(0.2, 5, RIDGE - 1), *THETAS)])
    thetas = around if ridge else around[:0]
    rows = [{"theta": float(each), "error": error(Clayton(float(each)))} for each in thetas]
    return Clayton(float(best.x)), bool(THETAS[1] - best.x < NEAR), pd.DataFrame(rows, columns=["theta", "error"])
