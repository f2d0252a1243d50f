"""How the later lines depend on how long the first one lasted.

Each dependence's `tables(table, first)` gives a later line's (progression, death) for those who left the first line in
cycle 1, 2, ..., one row each; first: the first line's survival at the end of cycle 0, 1, ...
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.tables import TransitionTable

Tables = tuple[Float[np.ndarray, "leaving cycle"], Float[np.ndarray, "leaving cycle"]]


@dataclass(frozen=True)
class HazardRatio:
    """The authors': HR = H - T1 (H - 1) / tau for T1 <= tau, else 1; T1 is the cycle of leaving less 1.

    H >= 1 makes the average hazard of the later lines higher than their own curves have it.
    """

    hazard_ratio: float
    until: float

    def __post_init__(self) -> None:
        if not 0 < self.hazard_ratio < np.inf:
            raise BadInput(f"hazard_ratio={self.hazard_ratio}: expected a number above 0; 1 is no dependence")
        if not 0 < self.until < np.inf:
            raise BadInput(f"until={self.until}: expected cycles above 0")

    def __str__(self) -> str:
        return f"hazard ratio {self.hazard_ratio:.3g}, falling to 1 by cycle {self.until:.3g}"

    def ratios(self, cycles: int) -> Float[np.ndarray, " leaving"]:
        """By the cycle of leaving the first line."""
        first = np.arange(cycles)
        ratio = self.hazard_ratio - first * (self.hazard_ratio - 1) / self.until
        return np.where(first <= self.until, ratio, 1.0)

    def tables(self, table: TransitionTable, first: Float[np.ndarray, " time"]) -> Tables:
        """As the head of this file tells."""
        ratio = self.ratios(len(first) - 1)[:, None]
        if table.form == "subdistribution":  # each cause by itself, as in the code
            return 1 - (1 - table.progression) ** ratio, 1 - (1 - table.death) ** ratio
        both = table.progression + table.death
        leave = 1 - np.maximum(1 - both, 0.0) ** ratio
        share = np.divide(table.progression, both, out=np.zeros_like(both), where=both > 0)
        return leave * share, leave * (1 - share) * (both > 0)


@dataclass(frozen=True)
class Clayton:
    """A Clayton copula of the times in the first and in a later line: the later line's own curve stays what it is on
    average. theta 0: no dependence; above: who left early leaves early again.
    """

    theta: float

    def __post_init__(self) -> None:
        if not 0 <= self.theta < np.inf:
            raise BadInput(f"theta={self.theta}: expected a number from 0; 0 is no dependence")

    def __str__(self) -> str:
        return f"Clayton copula, theta {self.theta:.3g}"

    def tables(self, table: TransitionTable, first: Float[np.ndarray, " time"]) -> Tables:
        """As the head of this file tells."""
        if table.form != "cause_specific":
            raise BadInput(f"theta={self.theta}: a copula needs cause-specific probabilities; drop compat='released'")
        given = conditional_survival(table.survival(), 0.5 * (first[:-1] + first[1:]), self.theta)
        leave = 1 - np.divide(given[:, 1:], given[:, :-1], out=np.ones_like(given[:, 1:]), where=given[:, :-1] > 0)
        both = table.progression + table.death
        share = np.divide(table.progression, both, out=np.zeros_like(both), where=both > 0)
        leave = np.where(both > 0, leave, 0.0)
        return leave * share, leave * (1 - share)


def conditional_survival(
    later: Float[np.ndarray, " time"], u: Float[np.ndarray, " leaving"], theta: float
) -> Float[np.ndarray, "leaving time"]:
    """P(later line lasts beyond t | the first one's survival was u when it ended):
    u^(-theta - 1) (u^-theta + S(t)^-theta - 1)^(-1/theta - 1).
    """
    if theta == 0:
        return np.broadcast_to(later, (len(u), len(later))).copy()
    small = np.finfo(float).tiny ** (1 / (1 + theta))
    u, s = np.maximum(u, small)[:, None], np.maximum(later, small)[None, :]
    ratio = 1 + (s**-theta - 1) * u**theta  # (u^-theta + s^-theta - 1) / u^-theta: no overflow
    return np.where(later[None, :] > 0, ratio ** (-1 / theta - 1), 0.0)


Dependence = HazardRatio | Clayton
