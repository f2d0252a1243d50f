"""What the claims on curves are measured with: real patients and trials, or made ones for the smallest input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.digitise import digitise
from parataxis.methods.therapy_sequence.exports import read_at_risk
from parataxis.methods.therapy_sequence.incidence import aalen_johansen
from parataxis.methods.therapy_sequence.made_curves import AXIS, Rates, made_patients

IPD, LUNG, CLICKED = "ipd_pfs_os.csv.gz", "lung.csv", "checkmate067_nivolumab_curve.csv"
AT_RISK, TRIALS, KEY = "checkmate067_at_risk.csv", "kmdata_ipd.csv.gz", "kmdata_key.csv"
RELEASED, ARMS = "transition_probs_prog_death.csv", {"DCTL1": "DCT_OS_inferred.csv", "ABL1": "AB_OS_inferred.csv"}
SETS = {"quick": 60, "full": 300, "paper": 300}
EVERY, MARKS = 100.0, np.arange(100.0, 501, 100)  # lung: numbers at risk; where its golden survival is told
LUNG_GOLDEN = np.array([0.864, 0.681, 0.531, 0.379, 0.290])


@dataclass(frozen=True)
class Group:
    """Patients with both endpoints known. kind: 0 censored, 1 progression, 2 death before it. end: of the axis."""

    time: Float[np.ndarray, " patient"]
    kind: Int[np.ndarray, " patient"]
    os_time: Float[np.ndarray, " patient"]
    os_event: Bool[np.ndarray, " patient"]
    end: float

    def curve(self, name: str) -> tuple[Float[np.ndarray, " patient"], Bool[np.ndarray, " patient"]]:
        return (self.time, self.kind > 0) if name == "pfs" else (self.os_time, self.os_event)


@dataclass(frozen=True)
class Trial:
    """Reconstructed patients of two arms, and the published log hazard ratio."""

    name: str
    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
    arm: Bool[np.ndarray, " patient"]
    published: float


@dataclass(frozen=True)
class Lung:
    """Patients, and what a reconstruction elsewhere gave at `marks`, the numbers at risk told every so often."""

    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
    every: float
    marks: Float[np.ndarray, " mark"]
    golden: Float[np.ndarray, " mark"]


@dataclass(frozen=True)
class Inputs:
    """Each part is read when it is asked for. increments: of the incidences of progression and death by cycle, and
    how many patients there were, by arm. sets: how many made ones are drawn beside them.
    """

    groups: Callable[[], dict[str, Group]]
    trials: Callable[[], list[Trial]]
    lung: Callable[[], Lung]
    clicked: Callable[[], tuple[KMCurve, Float[np.ndarray, "row 2"]]]
    increments: Callable[[], dict[str, tuple[Float[np.ndarray, "cycle cause"], int]]]
    sets: int
    real: bool


def load(ctx: Any) -> Inputs:
    return Inputs(
        lambda: read_groups(ctx.data(IPD)),
        lambda: read_trials(ctx.data(TRIALS), ctx.data(KEY)),
        lambda: read_lung(ctx.data(LUNG)),
        lambda: (KMCurve.read(ctx.data(CLICKED)), read_at_risk(ctx.data(AT_RISK))),
        lambda: read_increments(ctx.data(RELEASED), {arm: ctx.data(file) for arm, file in ARMS.items()}),
        SETS[ctx.scale],
        True,
    )


def toy(rng: np.random.Generator) -> Inputs:
    """Two groups, two trials, one curve: small, and dense enough that matching by time alone is fooled."""
    groups = {f"made {place}": made_group(rng, 200, death) for place, death in enumerate((0.004, 0.01), 1)}
    first = groups["made 1"]
    marks = np.array([6.0, 12, 18, 24, 30])
    lung = Lung(first.time, first.kind > 0, 6.0, marks, KMCurve.of(first.time, first.kind > 0).at(marks))
    sparse = made_patients(rng, 300, Rates(progression=0.02))
    trials = [_made_trial(f"made {place}", rng) for place in (1, 2)]
    return Inputs(
        lambda: groups,
        lambda: trials,
        lambda: lung,
        lambda: digitise(*first.curve("os"), first.end),
        lambda: {"made": (_made_increments(sparse), len(sparse))},
        1,
        False,
    )


def made_group(rng: np.random.Generator, n: int, death: float) -> Group:
    """Made patients whose deaths without progression have this rate a month."""
    return _group(made_patients(rng, n, Rates(death=death)), AXIS)


def _group(table: pd.DataFrame, end: float) -> Group:
    time, kind, os_time, os_event = (
        table[each].to_numpy() for each in ("pfs_time", "pfs_event", "os_time", "os_event")
    )
    return Group(time.astype(float), kind.astype(int), os_time.astype(float), os_event == 1, end)


def _made_trial(name: str, rng: np.random.Generator) -> Trial:
    """120 patients, the hazard of one arm twice that of the other."""
    arm = np.arange(120) < 60
    time, watched = rng.exponential(np.where(arm, 10.0, 20.0)), rng.uniform(12, 60, 120)
    return Trial(name, np.minimum(time, watched), time <= watched, arm, float(np.log(2)))


def _made_increments(table: pd.DataFrame) -> Float[np.ndarray, "cycle cause"]:
    kind = table["pfs_event"].to_numpy()
    when, both = aalen_johansen(table["pfs_time"].to_numpy(), np.column_stack([kind == 1, kind == 2]).astype(float))
    edges = np.arange(61.0)
    return np.diff(np.vstack([np.zeros((1, 2)), both])[np.searchsorted(when, edges, side="right")], axis=0)


def read_groups(path: Any) -> dict[str, Group]:
    """Eight groups of real patients; the axis ends where 5 % of the times of survival lie beyond it."""
    table = pd.read_csv(path).rename(columns={"pfs_days": "pfs_time", "os_days": "os_time"})
    breast, colon = table["dataset"] == "rotterdam", table["dataset"] == "colon"
    chosen = {
        "rotterdam, chemotherapy": breast & table["arm"].isin(("chemo", "both")),
        "rotterdam, hormones": breast & table["arm"].isin(("hormon", "both")),
        "rotterdam, nodes > 3": breast & (table["nodes"] > 3),
        "rotterdam, age > 70": breast & (table["age"] > 70),
        **{f"colon, {arm}": colon & (table["arm"] == arm) for arm in ("Obs", "Lev", "Lev+5FU")},
        "myeloid, A": (table["dataset"] == "myeloid") & (table["arm"] == "A"),
    }
    return {name: _group(table[rows], float(table[rows]["os_time"].quantile(0.95))) for name, rows in chosen.items()}


def read_trials(path: Any, key: Any) -> list[Trial]:
    """The trials with a published ratio. Arm 1 is the later name: of which the ratio is, the key does not say."""
    published = pd.read_csv(key).set_index("name_file")["HazardRatio"].dropna()
    found = []
    for name, rows in pd.read_csv(path).groupby("name", sort=True):
        if name in published.index:
            arm = rows["arm"].to_numpy() == rows["arm"].max()
            time, event = rows["time"].to_numpy(float), rows["event"].to_numpy() == 1
            found.append(Trial(str(name), time, event, arm, float(np.log(published[name]))))
    return found


def read_lung(path: Any) -> Lung:
    """The lung cancer data of the R package survival, status 0 or 1, or 1 or 2."""
    table = pd.read_csv(path)
    event = table["status"].to_numpy() == table["status"].max()
    return Lung(table["time"].to_numpy(float), event, EVERY, MARKS, LUNG_GOLDEN)


def read_increments(path: Any, arms: dict[str, Any]) -> dict[str, tuple[Float[np.ndarray, "cycle cause"], int]]:
    """Of the released probabilities p = dF / (1 - F) of each cause."""
    table = pd.read_csv(path)
    found = {}
    for arm, file in arms.items():
        stay = 1 - table[[f"p.{arm}.prog", f"p.{arm}.death"]].to_numpy(float)
        incidence = np.vstack([np.zeros((1, 2)), 1 - np.cumprod(stay, axis=0)])
        found[arm] = (np.diff(incidence, axis=0), len(pd.read_csv(file)))
    return found
