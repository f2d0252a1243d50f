"""Patients whose every event is known, and the curves that a paper would print of them: for examples and tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from parataxis.files import write_atomic
from parataxis.methods.therapy_sequence.digitise import digitise

AXIS = 48.0  # months that the pictures show


@dataclass(frozen=True)
class Rates:
    """Events a month: progression, death before it, death after it."""

    progression: float = 0.045
    death: float = 0.006
    later_death: float = 0.06


def made_patients(rng: np.random.Generator, n: int, rates: Rates | None = None) -> pd.DataFrame:
    """Patients watched for 12 to 60 months, all hazards constant.

    Columns pfs_time, pfs_event (0 censored, 1 progression, 2 death), os_time, os_event (0 censored, 1 death).
    """
    rates = rates or Rates()
    progression = rng.exponential(1 / rates.progression, n)
    death = rng.exponential(1 / rates.death, n) if rates.death else np.full(n, np.inf)
    after = progression + rng.exponential(1 / rates.later_death, n)
    watched = rng.uniform(12, 60, n)
    alive = np.where(death < progression, death, after)
    first = np.minimum(progression, death)
    kind = np.where(death < progression, 2, 1)
    return pd.DataFrame(
        {
            "pfs_time": np.minimum(first, watched),
            "pfs_event": np.where(first <= watched, kind, 0),
            "os_time": np.minimum(alive, watched),
            "os_event": (alive <= watched).astype(int),
        }
    )


def write_example(folder: Path, rng: np.random.Generator, n: int = 300) -> list[Path]:
    """Clicked points and numbers at risk of both curves, and the patients they came from: the files, in that order."""
    patients = made_patients(rng, n)
    written = []
    for name in ("pfs", "os"):
        time, event = patients[f"{name}_time"].to_numpy(), patients[f"{name}_event"].to_numpy() > 0
        curve, at_risk = digitise(time, event, AXIS, rows=9)
        points = "".join(
            f"{time:.4f}, {survival:.4f}\n" for time, survival in zip(curve.time, curve.survival, strict=True)
        )
        table = "".join(f"{time:g},{number:.0f}\n" for time, number in at_risk)
        written.append(write_atomic(folder / f"{name}.csv", points))
        written.append(write_atomic(folder / f"{name}_at_risk.csv", "time,n\n" + table))
    written.append(write_atomic(folder / "truth.csv", patients.round(4).to_csv(index=False)))
    return written
