"""Patients, one by one: for what only they show, the spread of costs, QALYs and times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.plan import Plan
from parataxis.methods.therapy_sequence.streams import LONGEST_R
from parataxis.methods.therapy_sequence.walking import walk

STREAMS = ("philox", "R")


@dataclass(frozen=True)
class MonteCarlo:
    """A mean over patients and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " patient"]) -> "MonteCarlo":
        """Of independent patients."""
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


@dataclass(frozen=True)
class Simulated:
    """One strategy's patients. left_first, died: the cycle of leaving the first line, of death; cycles + 1 if not
    within the horizon. counts: patients in each of `states` at time 0, 1, ...
    """

    name: str
    states: tuple[str, ...]
    cost: Float[np.ndarray, " patient"]
    qaly: Float[np.ndarray, " patient"]
    left_first: Int[np.ndarray, " patient"]
    died: Int[np.ndarray, " patient"]
    counts: Int[np.ndarray, "time state"]

    @property
    def n(self) -> int:
        """Patients."""
        return len(self.cost)

    def trace(self) -> pd.DataFrame:
        """Share in each state at time 0, 1, ...; a column a state."""
        return pd.DataFrame(
            self.counts / self.n, columns=list(self.states), index=pd.RangeIndex(len(self.counts), name="cycle")
        )

    def trace_errors(self) -> pd.DataFrame:
        """The Monte Carlo standard error of each share of `trace`."""
        share = self.trace()
        return (share * (1 - share) / (self.n - 1)) ** 0.5

    def summary(self) -> dict[str, str | float]:
        """Mean cost and QALYs, each with its Monte Carlo standard error."""
        cost, qaly = MonteCarlo.of(self.cost), MonteCarlo.of(self.qaly)
        means: dict[str, str | float] = {"strategy": self.name, "cost": cost.mean, "qaly": qaly.mean}
        return means | {"cost_error": cost.error, "qaly_error": qaly.error}

    def patients(self) -> pd.DataFrame:
        """A row a patient."""
        return pd.DataFrame({each: getattr(self, each) for each in ("cost", "qaly", "left_first", "died")})


def simulate(plan: Plan, n: int | Sequence[int], seed: int = 0, rng: str = "philox") -> Simulated:
    """Walk n patients (or those with the given numbers) through a strategy.

    A patient's numbers depend on seed, patient and cycle alone, so the same patient has the same luck in every strategy
    and in any part of the work. rng "R": as R after set.seed(seed + patient), patients counted from 1.
    """
    if rng not in STREAMS:
        raise BadInput(f"rng={rng!r}: expected one of {', '.join(STREAMS)}")
    patients = np.arange(1, n + 1) if isinstance(n, int | np.integer) else np.asarray(n, np.int64)
    if len(patients) < 2:
        raise BadInput(f"n={len(patients)}: expected at least 2 patients")
    if not 0 <= seed < 2**63:
        raise BadInput(f"seed={seed}: expected a whole number from 0 to 2^63 - 1")
    if rng == "R" and plan.cycles > LONGEST_R:
        raise BadInput(f"rng='R': the horizon is {plan.cycles} cycles; expected at most {LONGEST_R}; use philox")
    found, when, counts = walk(patients, seed, rng == "R", *_arrays(plan))
    return Simulated(plan.name, plan.states, found[0], found[1], when[0], when[1], counts)


def _arrays(plan: Plan) -> tuple[np.ndarray, ...]:
    """What `walk` wants: the time after all lines is one line more, in which nobody progresses, stops or falls ill."""
    lines, cycles = plan.lines, plan.cycles
    hazards = np.zeros((2, lines + 1, cycles, cycles))
    hazards[0, 0, 0], hazards[1, 0, 0] = plan.progression, plan.death
    hazards[0, 1:lines], hazards[1, 1:lines] = plan.progression_later, plan.death_later
    hazards[1, lines] = plan.death_after
    payoffs = np.zeros((2, lines + 1, 3, cycles + 1))
    for place, each in enumerate((plan.costs, plan.utilities)):
        for line, one in enumerate(each):
            payoffs[place, line, 0], payoffs[place, line, 1], payoffs[place, line, 2] = one.on, one.adverse, one.stopped
    payoffs[:, lines] = np.stack([plan.after_cost, plan.after_utility])[:, None, :]
    nothing = np.zeros((1, cycles))
    return (
        hazards,
        np.append(plan.skip, 0.0),
        np.concatenate([plan.stop, nothing]),
        np.concatenate([plan.adverse, nothing]),
        payoffs,
        np.stack([plan.weights_cost, plan.weights_qaly]),
    )
