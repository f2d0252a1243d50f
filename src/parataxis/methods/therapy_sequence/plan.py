"""A strategy as arrays: what the engines are given."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Payoffs:
    """Of one line, a cycle each: in cycle 1, 2, ... on the drug, with an adverse event, or stopped."""

    on: Float[np.ndarray, " time"]
    adverse: Float[np.ndarray, " time"]
    stopped: Float[np.ndarray, " time"]


@dataclass(frozen=True)
class Plan:
    """One strategy, ready to run.

    progression, death: of the first line. progression_later, death_later, death_after: of the later lines and after
    all lines, by the cycle in which the first line was left. skip: of those who progress out of a line, the share that
    goes past all lines. stop, adverse: of those who neither progress nor die, by cycles since the line began; stopping
    is asked first. costs, utilities: of each line; the two of `after`: in cycle 1, 2, ...
    after all lines.
    weights_cost, weights_qaly: discount and cycle correction, for QALYs also the years of a cycle.
    """

    name: str
    drugs: tuple[str, ...]
    progression: Float[np.ndarray, " cycle"]
    death: Float[np.ndarray, " cycle"]
    progression_later: Float[np.ndarray, "later leaving cycle"]
    death_later: Float[np.ndarray, "later leaving cycle"]
    death_after: Float[np.ndarray, "leaving cycle"]
    skip: Float[np.ndarray, " line"]
    stop: Float[np.ndarray, "line cycle"]
    adverse: Float[np.ndarray, "line cycle"]
    costs: tuple[Payoffs, ...]
    utilities: tuple[Payoffs, ...]
    after_cost: Float[np.ndarray, " time"]
    after_utility: Float[np.ndarray, " time"]
    weights_cost: Float[np.ndarray, " time"]
    weights_qaly: Float[np.ndarray, " time"]

    @property
    def cycles(self) -> int:
        """The horizon."""
        return len(self.progression)

    @property
    def lines(self) -> int:
        """How many."""
        return len(self.skip)

    @property
    def states(self) -> tuple[str, ...]:
        """L1, AE1, Post1, L2, ..., PD, Dead."""
        each = [f"{kind}{line}" for line in range(1, self.lines + 1) for kind in ("L", "AE", "Post")]
        return (*each, "PD", "Dead")


def cycle_weights(cycles: int, correction: str) -> Float[np.ndarray, " time"]:
    """How much the payoffs at cycle 0, 1, ..., `cycles` count: all of them, or as integrals by trapezes or Simpson."""
    weights = np.ones(cycles + 1)
    if correction == "half":
        weights[[0, -1]] = 0.5
    elif correction == "simpson":  # over an odd number of cycles the last is a trapeze
        even = cycles - cycles % 2
        weights[:] = 0.0
        weights[0 : even + 1 : 2] += 2 / 3
        weights[1:even:2] += 4 / 3
        weights[[0, even]] -= 1 / 3
        if even < cycles:
            weights[-2:] += 0.5
    return weights
