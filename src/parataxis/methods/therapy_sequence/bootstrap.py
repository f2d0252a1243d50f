"""Reconstructed patients drawn again, with the kind of each event drawn from its own certainty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.curve_files import Folder
from parataxis.methods.therapy_sequence.incidence import aalen_johansen
from parataxis.methods.therapy_sequence.parts import PatientFile

SLACK = 1e-9
SHORTEST = 2.0  # cycles: patients who are gone by then are in another unit


@dataclass(frozen=True)
class Patients:
    """time: to the first event, in cycles. progression, death: how sure it is of either kind; both 0: censored."""

    time: Float[np.ndarray, " patient"]
    progression: Float[np.ndarray, " patient"]
    death: Float[np.ndarray, " patient"]

    @classmethod
    def read(cls, given: PatientFile, folder: Folder, cycle_days: float) -> "Patients":
        """Of the file that a model's line names; BadInput says which row is wrong."""
        columns = [folder.column(given.file, each) for each in (given.time, given.progression, given.death)]
        time, progression, death = columns
        both = progression + death
        wrong = ~(time >= 0) | ~(progression >= 0) | ~(death >= 0) | ~(both <= 1 + SLACK)
        if bad := np.flatnonzero(wrong).tolist():
            row = bad[0]
            raise BadInput(
                f"{given.file}:{row + 2}: {given.time}={time[row]}, {given.progression}={progression[row]}, "
                f"{given.death}={death[row]}: expected a time from 0 and two certainties that add to at most 1"
            )
        if not both.any():
            raise BadInput(f"{given.file}: no event at all; there is no curve to draw from")
        cycles = time * given.unit_days / cycle_days
        if cycles.max() < SHORTEST:
            raise BadInput(
                f"{given.file}: the last time is cycle {cycles.max():.2g}: are the times in another unit than "
                f"unit_days={given.unit_days:g} (a month has 30.4)?"
            )
        return cls(cycles, progression, death)

    def drawn(self, rng: np.random.Generator) -> "Patients":
        """As many, with replacement; each event is then either a progression or a death."""
        chosen = rng.integers(len(self.time), size=len(self.time))
        u = rng.random(len(self.time))
        progression, death = self.progression[chosen], self.death[chosen]
        is_progression = u < progression
        is_death = ~is_progression & (u < progression + death)
        return Patients(self.time[chosen], is_progression.astype(float), is_death.astype(float))

    def incidences(self, cycles: int) -> tuple[Any, Any]:
        """Aalen and Johansen's cumulative incidence of progression and of death at the end of cycle 1 to `cycles`."""
        when, both = aalen_johansen(self.time, np.column_stack([self.progression, self.death]))
        last = np.searchsorted(when, np.arange(1, cycles + 1), side="right")
        progression, death = np.vstack([np.zeros((1, 2)), both])[last].T
        return progression, death
