"""Expectations without patients: given the time in the first line the model is semi-Markov, so mass is carried."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.methods.therapy_sequence.kernels import occupancies, shares
from parataxis.methods.therapy_sequence.plan import Payoffs, Plan


@dataclass(frozen=True)
class Occupancy:
    """Expected shares of patients: in each line, and after all lines, by time and cycles since then.

    Payoffs are not part of it: for other costs and utilities only `cost` and `qaly` need be asked again.
    """

    lines: Float[np.ndarray, "line time age"]
    after: Float[np.ndarray, "time age"]
    on: Float[np.ndarray, "line age"]
    adverse: Float[np.ndarray, "line age since"]
    stopped: Float[np.ndarray, "line age since"]

    @classmethod
    def of(cls, plan: Plan, stop_first: bool = True) -> "Occupancy":
        """stop_first: in a cycle one stops, or else an adverse event strikes; False asks them the other way round."""
        later = (plan.progression_later, plan.death_later, plan.death_after)
        held, after = occupancies(plan.progression, plan.death, *later, plan.skip)
        return cls(held, after, *_split(plan, stop_first))

    def split_as(self, plan: Plan) -> "Occupancy":
        """The same times in each line, with another plan's stopping and adverse events within them."""
        return Occupancy(self.lines, self.after, *_split(plan))

    @property
    def dead(self) -> Float[np.ndarray, " time"]:
        """Share at time 0, 1, ..."""
        return 1 - self.lines.sum((0, 2)) - self.after.sum(1)

    def trace(self, plan: Plan) -> pd.DataFrame:
        """Share in each state at time 0, 1, ...; a column a state."""
        columns = []
        for line in range(plan.lines):
            kinds = (self.on[line], self.adverse[line].sum(1), self.stopped[line].sum(1))
            columns += [self.lines[line] @ each for each in kinds]
        table = np.column_stack([*columns, self.after.sum(1), self.dead])
        return pd.DataFrame(table, columns=list(plan.states), index=pd.RangeIndex(len(table), name="cycle"))

    def total(
        self, payoffs: tuple[Payoffs, ...], after: Float[np.ndarray, " time"], weights: Float[np.ndarray, " time"]
    ) -> float:
        """Expected sum over time. after: a cycle's payoff after all lines, by cycles since."""
        found = weights @ self.after @ after
        for line, each in enumerate(payoffs):
            by_age = self.on[line] * each.on + self.adverse[line] @ each.adverse + self.stopped[line] @ each.stopped
            found += weights @ self.lines[line] @ by_age
        return float(found)


def _split(plan: Plan, stop_first: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of those in a line: on the drug, with an adverse event, stopped. Deaths and progressions don't change it: they
    take from all three alike.
    """
    split = [shares(stop, adverse, stop_first) for stop, adverse in zip(plan.stop, plan.adverse, strict=True)]
    on, adverse, stopped = (np.stack(each) for each in zip(*split, strict=True))
    return on, adverse, stopped


@dataclass(frozen=True)
class Expected:
    """One strategy's expectation. dead: share at time 0, 1, ..."""

    name: str
    cost: float
    qaly: float
    dead: Float[np.ndarray, " time"]

    @classmethod
    def of(cls, plan: Plan, occupancy: Occupancy | None = None) -> "Expected":
        """occupancy: the plan's, if it is known already."""
        found = occupancy or Occupancy.of(plan)
        cost = found.total(plan.costs, plan.after_cost, plan.weights_cost)
        qaly = found.total(plan.utilities, plan.after_utility, plan.weights_qaly)
        return cls(plan.name, cost, qaly, found.dead)
