"""When patients were lost between two numbers at risk: as the drops of the curve tell it, where they do.

A death among n at risk lowers a curve by 1/n of itself, so that every drop tells how many were still there. Of all ways
to lose as many between the clicks, the likeliest is taken: losses come at an even rate, and a click lies as near to the
survival of the patients as the hand that clicked it was steady. Where drops are smaller than the hand's tremor only the
even rate counts, and it is Guyot's rule again. Found by dynamic programming over the number at risk: of the ways that
have led to the same number, the likeliest so far is followed on (Viterbi).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

FINEST = 1e-4  # of survival, and of a span: no picture is read off more finely
UNLIKELY = 25.0  # ways less likely than the best by this, in logarithms, are given up on the way
SPREAD = 6.0  # so many standard deviations more than expected are lost in a gap at most


def most(expected: float) -> int:
    """The most that are thought to be lost where so many are expected."""
    return int(np.ceil(expected + SPREAD * (np.sqrt(expected) + 1)))


def surprise(lost: Int[np.ndarray, "*shape"], expected: float) -> Float[np.ndarray, "*shape"]:
    """Minus the logarithm of Poisson's probability."""
    return expected - lost * np.log(expected) + gammaln(lost + 1)


def likeliest(
    alive: int,
    km: float,
    clicks: Sequence[tuple[float, float]],
    span: tuple[float, float],
    wanted: int,
    losses: int,
    tremor: float,
) -> tuple[list[int], list[int]] | None:
    """Deaths at each click, and how many are lost before each and after the last, so that `wanted` are left.

    alive, km: at risk and surviving at the span's beginning. losses: about how many are lost in it, at an even rate.
    tremor: the standard deviation of a click. None where no way leads there.
    """
    edges = np.array([span[0], *(time for time, _ in clicks), span[1]])
    gaps = np.maximum(np.diff(edges) / (span[1] - span[0]), FINEST)  # who leaves at a click leaves just after it
    expected = (max(losses, 0.5) * gaps).tolist()
    there, cost, survival = np.array([alive]), np.zeros(1), np.array([float(km)])  # of the likeliest way to each number
    steps = []
    for (_, seen), gap in zip(clicks, expected, strict=False):
        lost = np.arange(most(gap) + 1)
        at_risk = there[:, None] - lost
        safe = np.maximum(at_risk, 1)
        falls = np.maximum(1 - seen / np.maximum(survival, 1e-300), 0)[:, None]
        deaths = (at_risk * falls + 0.5).astype(int)
        after = survival[:, None] * (1 - deaths / safe)
        total = cost[:, None] + surprise(lost, gap) + 0.5 * ((after - seen) / tremor) ** 2
        ways = np.flatnonzero((at_risk - deaths >= wanted) & (at_risk >= 0) & (total <= total.min() + UNLIKELY))
        if not len(ways):
            return None
        left = (at_risk - deaths).flat[ways]
        ways = ways[np.lexsort((total.flat[ways], left))]
        ways = ways[np.unique((at_risk - deaths).flat[ways], return_index=True)[1]]
        steps.append((ways // len(lost), ways % len(lost), deaths.flat[ways]))
        there, cost, survival = (at_risk - deaths).flat[ways], total.flat[ways], after.flat[ways]
    end = int(np.argmin(cost + surprise(there - wanted, expected[-1])))
    dead, lost_at = [], [int(there[end] - wanted)]
    for before, lost, deaths in reversed(steps):
        dead.append(int(deaths[end]))
        lost_at.append(int(lost[end]))
        end = before[end]
    return dead[::-1], lost_at[::-1]
