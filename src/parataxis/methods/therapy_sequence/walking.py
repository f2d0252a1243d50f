"""One patient after another through the states: the compiled loop of the microsimulation."""

import numpy as np

from parataxis.methods.therapy_sequence.kernels import compiled
from parataxis.methods.therapy_sequence.streams import philox_uniforms, r_uniforms

ON, ILL, OFF = 0, 1, 2  # within a line
DIE, PAST, NEXT, STOP, STRIKE, STAY = range(6)  # what can happen in a cycle, in the order in which u is cut


@compiled
def by_size(chances, u):  # type: ignore[no-untyped-def]
    """As R samples one of few: the largest chance first; the first whose running sum reaches u. `chances` is used up."""
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


@compiled
def by_place(chances, u):  # type: ignore[no-untyped-def]
    """Worst first, so that under the same u a patient fares alike in every strategy."""
    mass = 0.0
    for k in range(len(chances) - 1):
        mass += chances[k]
        if u < mass:
            return k
    return len(chances) - 1


@compiled
def walk(  # type: ignore[no-untyped-def]
    patients,
    seed,
    like_r,
    first,
    later,
    die_after,
    skip,
    stop,
    adverse,
    cost_on,
    cost_ill,
    cost_off,
    utility_on,
    utility_ill,
    utility_off,
    after,
    weights_cost,
    weights_qaly,
):
    """cost, qaly, time of leaving the first line, of death [patient] (cycles + 1: not within the horizon), and counts
    of patients in each state [time, state]: ON, ILL, OFF of each line, after all lines, dead.
    """
    cycles, lines = len(weights_cost) - 1, len(skip)
    n = len(patients)
    cost, qaly = np.zeros(n), np.zeros(n)
    left, died = np.empty(n, np.int64), np.empty(n, np.int64)
    counts = np.zeros((cycles + 1, 3 * lines + 2), np.int64)
    u = np.empty(cycles)
    chances = np.empty(6)
    for i in range(n):
        left[i] = died[i] = cycles + 1
        if like_r:
            r_uniforms(seed, patients[i], u)
        else:
            philox_uniforms(seed, patients[i], u)
        line, kind, age, since = 0, ON, 0, 1
        gone = 0  # the cycle of leaving the first line
        for t in range(cycles + 1):
            if line == lines:
                counts[t, 3 * lines] += 1
                cost[i] += after[0] * weights_cost[t]
                qaly[i] += after[1] * weights_qaly[t]
            else:
                counts[t, 3 * line + kind] += 1
                if kind == ON:
                    paid, felt = cost_on[line], utility_on[line]
                elif kind == ILL:
                    paid, felt = cost_ill[line, since - 1], utility_ill[line, since - 1]
                else:
                    paid, felt = cost_off[line, since - 1], utility_off[line, since - 1]
                cost[i] += paid * weights_cost[t]
                qaly[i] += felt * weights_qaly[t]
            if t == cycles:
                break
            for k in range(len(chances)):
                chances[k] = 0.0
            if line == lines:
                chances[DIE] = die_after[gone - 1, age]
                chances[STAY] = 1 - chances[DIE]
            else:
                if line == 0:
                    g, d = first[0, age], first[1, age]
                else:
                    g, d = later[0, line - 1, gone - 1, age], later[1, line - 1, gone - 1, age]
                chances[DIE] = d
                chances[PAST] = skip[line] * g
                chances[NEXT] = (1 - skip[line]) * g
                rest = 1 - (d + chances[PAST] + chances[NEXT])
                if kind != OFF:
                    chances[STOP] = rest * stop[line, age]
                if kind == ON:
                    chances[STRIKE] = (rest - chances[STOP]) * adverse[line, age]
                chances[STAY] = rest - chances[STOP] - chances[STRIKE]
            happens = by_size(chances, u[t]) if like_r else by_place(chances, u[t])
            age += 1
            since += 1
            if happens == DIE:
                died[i] = t + 1
                for later_on in range(t + 1, cycles + 1):
                    counts[later_on, 3 * lines + 1] += 1
                if line == 0:
                    left[i] = t + 1
                break
            if happens == PAST or happens == NEXT:
                if line == 0:
                    gone = t + 1
                    left[i] = gone
                line = lines if happens == PAST else line + 1
                kind, age, since = ON, 0, 1
            elif happens == STOP:
                kind, since = OFF, 1
            elif happens == STRIKE:
                kind, since = ILL, 1
    return cost, qaly, left, died, counts
