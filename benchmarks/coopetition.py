"""Equilibria of coopetition against a naive loop, many at once, one alone, and solvers of finite games, in one run.

    python benchmarks/coopetition.py
    python benchmarks/coopetition.py --only protocol --naive 50

protocol: the published one, 500 trials with h = 0.15 and 500 with h = 0.05, both forms: 2,000 equilibria and as many
baselines, scores included in ours. naive: best responses in turn, each by SciPy's bounded minimisation of a plain
Python function, until no action moves by 1e-6; it has no scores to make. --naive: how many trials it does; its time for
all is so many times longer. many: a million games with logarithmic value. one: a single game, solved, and with its
certificate. grid: the pure equilibrium on 51 by 51 actions by pygambit, and Lemke and Howson's by nashpy (extra
`games`).
CPU seconds of this process, one thread, collector off; ways alternate, and the least of the rounds is given.
"""

import argparse
import gc
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from parataxis.methods.coopetition import Log
from parataxis.methods.coopetition.cases import CASES, FORMS
from parataxis.methods.coopetition.grid import points
from parataxis.methods.coopetition.monte_carlo import contest, noise
from parataxis.methods.coopetition.solve import solve

CASE, NOISES, TRIALS = CASES["slcd"], (0.15, 0.05), 500


def seconds(work: Callable[[], Any]) -> float:
    gc.collect()
    gc.disable()
    begun = time.process_time()
    work()
    spent = time.process_time() - begun
    gc.enable()
    return spent


def least(work: Callable[[], Any], rounds: int) -> float:
    return min(seconds(work) for _ in range(rounds))


def naive(form: str, alpha: Any, d: Any, gamma: float) -> list[float]:
    """The equilibrium as a first program has it."""

    def value(x: float) -> float:
        return 20 * math.log1p(x) if form == "log" else x**0.75

    def utility(i: int, a: list[float]) -> float:
        pay = [100 - x + value(x) + alpha[j] * gamma * math.sqrt(a[0] * a[1]) for j, x in enumerate(a)]
        return pay[i] + d[i] * pay[1 - i]

    a = [50.0, 50.0]
    for _ in range(200):
        before = list(a)
        for i in range(2):

            def loss(x: float, i: int = i) -> float:
                moved = list(a)
                moved[i] = x
                return -utility(i, moved)

            a[i] = float(minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-8}).x)
        if max(abs(now - then) for now, then in zip(a, before, strict=True)) < 1e-6:
            break
    return a


def naive_protocol(trials: int) -> list[list[float]]:
    """The first trials of the protocol: of each noise and form an equilibrium and its baseline."""
    found = []
    for h in NOISES:
        for z in noise(TRIALS, h)[:trials]:
            alpha = [CASE.alpha[0] * z[1], CASE.alpha[1] * z[2]]
            alpha = [each / sum(alpha) for each in alpha]
            d = [min(1.0, CASE.first_on_second * z[2]), min(1.0, CASE.second_on_first * z[3])]
            for form, (_, gamma) in FORMS.items():
                found.append(naive(form, alpha, d, gamma))
                found.append(naive(form, alpha, [0.0, 0.0], 0.0))
    return found


def protocol(rounds: int, trials: int) -> None:
    kept: list[list[float]] = []
    theirs = seconds(lambda: kept.extend(naive_protocol(trials))) * TRIALS / trials
    ours = least(lambda: [contest(CASE, h, TRIALS) for h in NOISES], rounds)
    from parataxis.methods.coopetition.monte_carlo import trials as games

    apart = 0.0
    for place, h in enumerate(NOISES):
        for at, form in enumerate(FORMS):
            exact = games(CASE, form, noise(TRIALS, h)).solved.actions[:trials]
            naive_ones = np.array(kept[4 * trials * place + 2 * at : 4 * trials * (place + 1) : 4])
            apart = max(apart, float(np.abs(naive_ones / exact - 1).max()))
    print(f"protocol, {4 * 2 * TRIALS // 2} equilibria and as many baselines")
    print(f"  naive loop{'' if trials == TRIALS else f', from {trials} trials'}: {theirs:.2f} s")
    print(f"  ours, scores included: {ours:.4f} s; ratio {theirs / ours:,.0f} (target 500)")
    print(f"  largest relative difference of an action: {apart:.1e}")


def many(rounds: int) -> None:
    k = np.random.default_rng(0).random((1_000_000, 2)) * 0.4
    spent = least(lambda: solve(Log(20.0), k, np.full(2, 0.5), 0.01, 100.0), rounds)
    print(f"many: 1,000,000 games with logarithmic value in {spent:.2f} s (target 5)")


def one(rounds: int) -> None:
    times = 200
    for form in FORMS:
        game = CASE.game(form)
        alone = least(lambda game=game: [game.equilibrium() for _ in range(times)], 5 * rounds) / times
        sure = least(lambda game=game: [game.equilibrium().certificate for _ in range(20)], rounds) / 20
        target = " (target 200)" if form == "log" else ""
        print(f"one game, {form}: {1e6 * alone:.0f} us{target}; with its certificate {1e6 * sure:.0f} us")


def grid(rounds: int) -> None:
    import pygambit

    game, n = CASE.game("log"), 51
    at = game.equilibrium().actions
    made: list[Any] = []
    build = least(lambda: made.append(game.to_gambit(n)), rounds)
    found: list[Any] = []
    answer = least(lambda: found.append(pygambit.nash.enumpure_solve(made[-1])), rounds)
    cell = [next(float(action) for action, p in found[-1].equilibria[0][name] if p == 1) for name in game.names]
    print(f"grid of {n} by {n}: pygambit {pygambit.__version__} {answer:.3f} s and {build:.3f} s to build")
    howson: list[Any] = []
    other = least(lambda: howson.append(game.to_nashpy(n).lemke_howson(0)), rounds)
    there = [float(points(n)[each.argmax()]) for each in howson[-1]]
    print(f"  nashpy: {other:.3f} s")
    print(f"  ours ({at[0]:.3f}, {at[1]:.3f}); cells {cell} and {there}; a step is {(100 - 0.01) / (n - 1):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["protocol", "many", "one", "grid"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--naive", type=int, default=TRIALS, help="trials of each noise that the naive loop does")
    asked = parser.parse_args()
    if asked.only in (None, "protocol"):
        protocol(asked.rounds, asked.naive)
    for name, part in (("many", many), ("one", one), ("grid", grid)):
        if asked.only in (None, name):
            part(asked.rounds)


if __name__ == "__main__":
    main()
