"""The loops that are compiled. numba is imported here, and here only."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.errors import BadInput

try:
    import numba
except ModuleNotFoundError:
    raise BadInput("therapy-sequence: needs numba, which is not installed; pip install 'parataxis[therapy]'") from None


def compiled(function: Callable[..., Any]) -> Any:
    """Machine code of a function, kept on disk beside it. What a checker of shapes put around it is taken off."""
    return numba.njit(cache=True)(inspect.unwrap(function))


def inlined(function: Callable[..., Any]) -> Any:
    """The same for a step of a hot loop: calling it would cost more than it does."""
    return numba.njit(cache=True, forceinline=True)(inspect.unwrap(function))


@compiled
def shares(stop, adverse, stop_first):  # type: ignore[no-untyped-def]
    """Of those still in a line after r = 0, 1, ... cycles: on the drug [r], with an adverse event since s cycles
    [r, s], stopped since s cycles [r, s]; s from 1, at place s - 1. stop_first: which of the two is asked first.
    """
    n = len(stop) + 1
    on = np.zeros(n)
    ill = np.zeros((n, n))
    off = np.zeros((n, n))
    on[0] = 1.0
    for r in range(n - 1):
        struck = adverse[r] * (1 - stop[r] if stop_first else 1.0)
        stopped = stop[r] * (1.0 if stop_first else 1 - adverse[r])
        quit_now = on[r] * stopped
        for s in range(r + 1):
            quit_now += ill[r, s] * stop[r]
            ill[r + 1, s + 1] = ill[r, s] * (1 - stop[r])
            off[r + 1, s + 1] = off[r, s]
        off[r + 1, 0] = quit_now
        ill[r + 1, 0] = on[r] * struck
        on[r + 1] = on[r] * (1 - stop[r]) * (1 - adverse[r])
    return on, ill, off


@compiled
def through_lines(entering, held, progress, die, skip):  # type: ignore[no-untyped-def]
    """Carry those who enter the second line, and on, to the end; `entering` and `held` are added to."""
    lines, cycles = held.shape[0], held.shape[1] - 1
    for j in range(1, lines):
        for begun in range(cycles + 1):
            mass = entering[j, begun]
            if mass > 0:
                held[j, begun, 0] += mass
                for r in range(cycles - begun):
                    gone = mass * progress[j - 1, r]
                    entering[lines, begun + r + 1] += gone * skip[j]
                    if j + 1 < lines:
                        entering[j + 1, begun + r + 1] += gone * (1 - skip[j])
                    mass -= gone + mass * die[j - 1, r]
                    held[j, begun + r + 1, r + 1] += mass


@compiled
def beyond_lines(entering, after, die):  # type: ignore[no-untyped-def]
    """Carry those who are past all lines to the end; `after` [time, cycles since] is added to."""
    cycles = len(after) - 1
    for begun in range(cycles + 1):
        mass = entering[begun]
        if mass > 0:
            after[begun, 0] += mass
            for k in range(cycles - begun):
                mass *= 1 - die[k]
                after[begun + k + 1, k + 1] += mass


@compiled
def occupancies(progress, die, progress_later, die_later, die_after, skip):  # type: ignore[no-untyped-def]
    """Share of patients in line j at time t, r cycles after entering it [j, t, r], and after all lines [t, r]
    likewise.

    progress, die [cycle]: of the first line. progress_later, die_later [line - 1, leaving, cycle], die_after [leaving,
    cycle]: by the cycle of leaving the first line. skip [line]: of those who progress, straight past all lines; 1 in
    the last.
    """
    cycles, lines = len(progress), len(skip)
    held = np.zeros((lines, cycles + 1, cycles + 1))
    after = np.zeros((cycles + 1, cycles + 1))
    first = 1.0
    for left in range(cycles):
        held[0, left, left] = first
        gone = first * progress[left]
        first -= gone + first * die[left]
        entering = np.zeros((lines + 1, cycles + 1))
        entering[lines, left + 1] = gone * skip[0]
        if lines > 1:
            entering[1, left + 1] = gone * (1 - skip[0])
        through_lines(entering, held, progress_later[:, left], die_later[:, left], skip)
        beyond_lines(entering[lines], after, die_after[left])
    held[0, cycles, cycles] = first
    return held, after


@compiled
def surprise(lost: Int[np.ndarray, " way"], expected: float) -> Float[np.ndarray, " way"]:
    """Minus the logarithm of Poisson's probability of each of these counts where so many are expected."""
    found = np.empty(len(lost))
    for place in range(len(lost)):
        found[place] = expected - lost[place] * math.log(expected) + math.lgamma(lost[place] + 1)
    return found


@compiled
def follow(
    there: Int[np.ndarray, " way"],
    cost: Float[np.ndarray, " way"],
    survival: Float[np.ndarray, " way"],
    expected: float,
    seen: float,
    tremor: float,
    wanted: int,
    unlikely: float,
) -> tuple[Any, ...]:
    """One click farther (`lost.likeliest`): the numbers at risk that can be, and of the likeliest way to each its cost
    and survival, from which of the numbers before it came, how many were lost on it, and how many died.

    there: rising. expected: how many are lost before the click, at an even rate.
    """
    surprising = surprise(np.arange(there[-1] - wanted + 1), expected)
    least = surprising.min() + unlikely
    best = np.full(there[-1] + 1, np.inf)
    km = np.zeros(there[-1] + 1)
    before = np.zeros((there[-1] + 1, 3), dtype=np.int64)
    for n in range(len(there)):
        falls = max(1 - seen / max(survival[n], 1e-300), 0.0)
        for lost in range(there[n] - wanted + 1):
            if surprising[lost] > least:
                if lost > expected:
                    break
                continue
            at_risk = there[n] - lost
            deaths = int(at_risk * falls + 0.5)
            left = at_risk - deaths
            if left < wanted:
                continue
            after = survival[n] * (1 - deaths / max(at_risk, 1))
            total = cost[n] + surprising[lost] + 0.5 * ((after - seen) / tremor) ** 2
            if total < best[left]:
                best[left], km[left] = total, after
                before[left, 0], before[left, 1], before[left, 2] = n, lost, deaths
    kept = np.flatnonzero(best <= best.min() + unlikely) if np.isfinite(best.min()) else np.zeros(0, dtype=np.int64)
    return kept, best[kept], km[kept], before[kept, 0], before[kept, 1], before[kept, 2]
