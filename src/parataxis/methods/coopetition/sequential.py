"""Moves in turn: whoever moves first knows how the others will answer. Backward induction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.coopetition.certificate import React, search
from parataxis.methods.coopetition.equilibrium import Equilibrium
from parataxis.methods.coopetition.interdependence import place_of
from parataxis.methods.coopetition.solve import solve

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game

POINTS, LEVELS = 25, 5  # of a leader's search: 125 answers; its last cell is 5e-7 of the box, then a parabola
ROUNDS = 60  # of best responses among those who move together
MOST = 3  # stages of leaders: each is searched within the search of the one before
SETTLED = 1e-7
EQUAL = 1e-9  # relative: what a search leaves between equal plays


def places(names: Sequence[str], play: Any) -> list[list[int]]:
    """Stages as places of actors. Those who are not named move last, together. Raises BadInput."""
    if isinstance(play, str):
        raise BadInput(f"play={play!r}: expected 'simultaneous', or the names of who moves in turn")
    stages = [[place_of(name, names) for name in ([each] if isinstance(each, str) else each)] for each in play]
    told = [i for stage in stages for i in stage]
    if twice := [names[i] for at, i in enumerate(told) if i in told[:at]]:
        raise BadInput(f"play: {twice[0]!r} moves twice; name everybody once")
    rest = [i for i in range(len(names)) if i not in told]
    stages = [stage for stage in [*stages, rest] if stage]
    if len(stages) - 1 > MOST:
        raise BadInput(f"play: {len(stages)} stages; expected at most {MOST + 1}; let some move together")
    return stages


class _Play:
    """One game and its stages; `after(a, s)` is what all do once the stages before s have done what a says.

    settled: whether those who move together came to rest in every stage, rounds: the most that a stage took.
    """

    def __init__(self, game: "Game", play: Any, low: Any, high: Any) -> None:
        if not game.scalar:
            raise BadInput("play: moves in turn need a Log or Power value and a geometric synergy, or exponents")
        if np.isinf(high).any():
            raise BadInput("box=None: who moves first searches a box; give two numbers, or 'endowment'")
        self.game, self.low, self.high = game, low, high
        self.stages = places(game.names, play)
        self.settled, self.rounds = True, 0

    def after(self, a: Float[np.ndarray, "game actor"], s: int) -> Float[np.ndarray, "game actor"]:
        if s == len(self.stages):
            return a
        if s == len(self.stages) - 1:
            return self._last(a)
        stage, a = self.stages[s], a.copy()
        a[:, stage] = 0.5 * (self.low + self.high)[stage]
        for count in range(1, ROUNDS + 1):
            before = a[:, stage]
            for i in stage:
                a[:, i] = self._best(a, i, s)
            self.rounds = max(self.rounds, count)
            if len(stage) == 1 or np.all(np.abs(a[:, stage] - before) <= SETTLED * (1 + before)):
                break
        else:
            self.settled = False
        return self.after(a, s + 1)

    def _last(self, a: Any) -> Any:
        low, high = a.copy(), a.copy()
        last = self.stages[-1]
        low[:, last], high[:, last] = self.low[last], self.high[last]
        found = solve(self.game.value, np.broadcast_to(self.game.k, a.shape), self.game.c, low, high)
        self.settled = self.settled and bool(found.converged.all())
        return found.actions

    def _best(self, a: Any, i: int, s: int) -> Any:
        """What is best for i, who moves in stage s: the best of a grid, then the top of a parabola through three."""

        def worth(x: Any) -> Any:
            moved = np.repeat(a[:, None, :], x.shape[1], axis=1)
            moved[:, :, i] = x
            done = self.after(moved.reshape(-1, a.shape[1]), s + 1)
            return self.game.utilities(done)[:, i].reshape(x.shape)

        bottom, top = (np.full(len(a), each[i]) for each in (self.low, self.high))
        best, x = search(worth, bottom, top, POINTS, LEVELS)
        h = (top - bottom) * 1e-5
        inside = (x - h > bottom) & (x + h < top)
        below, above = (worth(np.where(inside, x + side, x)[:, None])[:, 0] for side in (-h, h))
        bend = below - 2 * best + above
        with np.errstate(divide="ignore", invalid="ignore"):
            move = np.where(inside & (bend < 0), 0.5 * h * (below - above) / bend, 0.0)
        return x + np.clip(np.nan_to_num(move), -h, h)


def sequential(game: "Game", play: Any, low: Any, high: Any) -> Equilibrium:
    """The outcome of moves in turn. play: stages, each a name or several that move together; the first moves first."""
    played = _Play(game, play, low, high)
    a = played.after(np.zeros((1, len(game.names))), 0)[0]
    named = tuple(tuple(game.names[i] for i in stage) for stage in played.stages)
    return Equilibrium(game, a, played.rounds, played.settled, low, high, named)


def reaction(game: "Game", play: Any, low: Any, high: Any) -> React:
    """For the certificate: what all do once actor i has moved, whose stage and those before hold."""
    played = _Play(game, play, low, high)
    stage_of = {i: s for s, stage in enumerate(played.stages) for i in stage}

    def react(moved: Any, i: int) -> Any:
        return played.after(moved.reshape(-1, moved.shape[-1]), stage_of[i] + 1).reshape(moved.shape)

    return react


def who_first(game: "Game", box: Any) -> pd.DataFrame:
    """All at once, then each actor first and the others together after it: a row a play.

    Columns: first ("" for all at once); of whoever is first its action, payoff and utility, with what it gains in both
    over moving at once; of all the mean action, the sum of payoffs, and what that gains; whether it converged, and the
    certificate: what moving alone gains at most, over what is allowed, at most 1.
    """
    low, high = game.box(box)
    once = game.equilibrium(box=box)
    rows: list[dict[str, Any]] = [
        {"first": "", "mean action": float(once.actions.mean()), "payoff of all": float(once.payoffs.sum()),
         "converged": once.converged, "certificate": once.certificate.of_allowed}
    ]  # fmt: skip
    for i, name in enumerate(game.names):
        led = sequential(game, (name,), low, high)
        own = {"action": led.actions[i], "payoff": led.payoffs[i], "gain in payoff": led.payoffs[i] - once.payoffs[i],
               "utility": led.utilities[i], "gain in utility": led.utilities[i] - once.utilities[i]}  # fmt: skip
        every = {"mean action": led.actions.mean(), "payoff of all": led.payoffs.sum(),
                 "gain of all": led.payoffs.sum() - once.payoffs.sum()}  # fmt: skip
        rows.append({"first": name, **{key: float(each) for key, each in (own | every).items()},
                     "converged": led.converged, "certificate": led.certificate.of_allowed})  # fmt: skip
    order = [
        "first",
        "action",
        "payoff",
        "gain in payoff",
        "utility",
        "gain in utility",
        "mean action",
        "payoff of all",
    ]
    return pd.DataFrame(rows, columns=[*order, "gain of all", "converged", "certificate"])


def advice(table: pd.DataFrame) -> str:
    """Who should move first, in a sentence: from the table of `who_first`. What is no equilibrium is named instead."""
    sound = table["converged"].astype(bool) & (table["certificate"] <= 1)
    if not sound.all():
        plays = table["first"].replace("", "all at once")[~sound]
        return f"no advice: no equilibrium was found for {', '.join(plays)}"
    led = table[table["first"] != ""]
    best = led.iloc[int(led["gain of all"].to_numpy().argmax())]
    if led["gain of all"].max() - led["gain of all"].min() <= EQUAL * (1 + abs(float(best["payoff of all"]))):
        told = f"whoever moves first, all together gain {best['gain of all']:+.4f}; it makes no difference who"
    else:
        told = f"{best['first']} should move first: all together then gain most, {best['gain of all']:+.4f}"
    word = "loses" if best["gain in payoff"] < 0 else "gains"
    return f"{told}; the first mover's own payoff {word} {abs(best['gain in payoff']):.4f}"
