"""One patient after another through the states: the compiled loop of the microsimulation."""

import numpy as np

from parataxis.methods.therapy_sequence.kernels import compiled, inlined
from parataxis.methods.therapy_sequence.streams import philox_uniforms, r_uniforms

ON, ILL, OFF = 0, 1, 2  # within a line
DIE, PAST, NEXT, STOP, STRIKE, STAY = range(6)  # what can happen in a cycle, in the order in which u is cut


@inlined
def by_size(chances, u):  # type: ignore[no-untyped-def]
    """As R samples one of few: the largest chance first, until the running sum reaches u. `chances` is used up."""
    total = 0.0
    for each in chances:
        total += each
    mass = 0.0
    largest = 0
    for _ in range(len(chances)):
        for k in range(len(chances)):
            if chances[k] > chances[largest]:
                largest = k
        mass += chances[largest] / total
        if u <= mass:
            break
        chances[largest] = -1.0
    return largest


@inlined
def by_place(chances, u):  # type: ignore[no-untyped-def]
    """Worst first, so that under the same u a patient fares alike in every strategy."""
    mass = 0.0
    for k in range(len(chances) - 1):
        mass += chances[k]
        if u < mass:
            return k
    return len(chances) - 1


@inlined
def set_chances(chances, g, d, skip, stop, adverse, kind):  # type: ignore[no-untyped-def]
    """Of what can happen in the next cycle, to one who progresses with g and dies with d."""
    chances[DIE] = d
    chances[PAST] = skip * g
    chances[NEXT] = (1 - skip) * g
    rest = 1 - (d + chances[PAST] + chances[NEXT])
    chances[STOP] = rest * stop if kind != OFF else 0.0
    chances[STRIKE] = (rest - chances[STOP]) * adverse if kind == ON else 0.0
    chances[STAY] = rest - chances[STOP] - chances[STRIKE]


@compiled
def walk_one(u, like_r, hazards, skip, stop, adverse, payoffs, weights, counts):  # type: ignore[no-untyped-def]
    """As `walk`, of one patient; counts are added to."""
    cycles, past = len(u), len(skip) - 1
    chances = np.empty(6)
    paid = felt = 0.0
    left = died = cycles + 1
    line, kind, age, since, row = 0, ON, 0, 0, 0
    for t in range(cycles + 1):
        counts[t, 3 * line + kind] += 1
        paid += payoffs[0, line, kind, since] * weights[0, t]
        felt += payoffs[1, line, kind, since] * weights[1, t]
        if t == cycles:
            break
        g, d = hazards[0, line, row, age], hazards[1, line, row, age]
        set_chances(chances, g, d, skip[line], stop[line, age], adverse[line, age], kind)
        happens = by_size(chances, u[t]) if like_r else by_place(chances, u[t])
        age, since = age + 1, since + 1
        if happens in (STOP, STRIKE):
            kind, since = (OFF if happens == STOP else ILL), 0
        elif happens != STAY:
            if line == 0:
                left, row = t + 1, t
            if happens == DIE:
                died = t + 1
                for later_on in range(died, cycles + 1):
                    counts[later_on, 3 * past + 1] += 1
                break
            line = past if happens == PAST else line + 1
            kind, age, since = ON, 0, 0
    return paid, felt, left, died


@compiled
def walk(patients, seed, like_r, hazards, skip, stop, adverse, payoffs, weights):  # type: ignore[no-untyped-def]
    """Cost and QALYs [2, patient], the cycles of leaving the first line and of death [2, patient] (cycles + 1: not
    within the horizon), and how many are in each state [time, state]: ON, ILL, OFF of each line, after all lines, dead.

    In each array the place after the last line stands for the time after all lines, where only ON is used. hazards:
    of progression and death [2, line, cycle of leaving the first line, age]; the first line uses row 0. skip [line].
    stop, adverse [line, age]. payoffs: cost and utility [2, line, kind, cycles in the state]. weights [2, time].
    """
    cycles, n = weights.shape[1] - 1, len(patients)
    found = np.empty((2, n))
    when = np.empty((2, n), np.int64)
    counts = np.zeros((cycles + 1, 3 * len(skip) - 1), np.int64)
    u = np.empty(cycles)
    for i in range(n):
        if like_r:
            r_uniforms(seed, patients[i], u)
        else:
            philox_uniforms(seed, patients[i], u)
        found[0, i], found[1, i], when[0, i], when[1, i] = walk_one(
            u, like_r, hazards, skip, stop, adverse, payoffs, weights, counts
        )
    return found, when, counts
