"""When patients were lost between two numbers at risk: as the drops of the curve tell it, where they do.

A death among n at risk lowers a curve by 1/n of itself, so that every drop tells how many were still there. Of all ways
to lose as many between the clicks, the likeliest is taken: losses come at an even rate, and a click lies as near to the
survival of the patients as the hand that clicked it was steady. Where drops are smaller than the hand's tremor only the
even rate counts, and it is Guyot's rule again. Found by dynamic programming over the number at risk: of the ways that
have led to the same number, the likeliest so far is followed on (Viterbi).
"""

from collections.abc import Sequence

import numpy as np

from parataxis.methods.therapy_sequence.kernels import follow, surprise

FINEST = 1e-4  # of survival, and of a span: no picture is read off more finely
UNLIKELY = 25.0  # ways less likely than the best by this, in logarithms, are given up on the way


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
        ways = follow(there, cost, survival, gap, float(seen), float(tremor), wanted, UNLIKELY)
        there, cost, survival, *step = ways
        if not len(there):
            return None
        steps.append(step)
    end = int(np.argmin(cost + surprise(there - wanted, expected[-1])))  # whoever is still too many goes after the last
    dead, lost_at = [], [int(there[end] - wanted)]
    for before, lost, deaths in reversed(steps):
        dead.append(int(deaths[end]))
        lost_at.append(int(lost[end]))
        end = before[end]
    return dead[::-1], lost_at[::-1]
