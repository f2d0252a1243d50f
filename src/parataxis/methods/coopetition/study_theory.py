"""The five properties (claim 10) on random games, the certificates, and what the order of moves and of joining does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from parataxis.claims import Measurement
from parataxis.methods.coopetition.cases import CASES, FORMS
from parataxis.methods.coopetition.game import Game
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.sequential import sequential
from parataxis.methods.coopetition.shares import join_orders, worth
from parataxis.methods.coopetition.solve import solve
from parataxis.methods.coopetition.study_inputs import Inputs, random_game
from parataxis.methods.coopetition.study_published import Part, exact
from parataxis.methods.coopetition.sweep import games, parameters

MADE = "random games"
STEP = 0.05  # of a parameter that rises
ROUNDS = 200


def _games(inputs: Inputs, what: str) -> Iterator[tuple[np.random.Generator, Game]]:
    for at in range(inputs.random):
        rng = inputs.rng(what, at)
        yield rng, random_game(rng, 2 + at % 4, ("log", "power")[at % 2])


def _monotone(inputs: Inputs) -> Measurement:
    """The least change of any action, over its size, as gamma or any dependence rises. Null: as it falls as much."""
    least = fallen = 0.0
    for _, game in _games(inputs, "monotone"):
        at = game.equilibrium().actions
        known = {name: each for name, each in parameters(game).items() if name == "gamma" or name.startswith("D:")}
        for name, now in known.items():
            moved = [min(1.0, now + STEP), max(0.0, now - STEP)]
            more, less = (games(game, {name: moved}, 2, (0.01, 100.0)).solved.actions / at - 1).min(1)
            least, fallen = min(least, float(more)), min(fallen, float(less))
    return exact("monotone", least, fallen, inputs.random, "relative change", "2 to 5 actors, both forms", MADE)


def _added(inputs: Inputs) -> Measurement:
    """The least of what actors create together over what each creates alone. Null: of two coalitions that join, over
    what they create apart: synergy is a mean, and a mean of four is no more than two means of two.
    """
    least = apart = np.inf
    for rng, game in _games(inputs, "added"):
        a = rng.uniform(0.01, 100, len(game.names))
        least = min(least, float(game.value_created(a) - game.value.value(a).sum()))
        v, n = worth(game, a), len(game.names)
        for one in range(1, 2**n):
            for other in range(one + 1, 2**n):
                if not one & other:
                    apart = min(apart, v(one | other) - v(one) - v(other))
    note = "at random actions; coalitions that already have a synergy may lose by joining: the null"
    return exact("superadditive", least, float(apart), inputs.random, "value", note, MADE)


def responded(game: Game, a: Any, rounds: int) -> Any:
    """Rounds of best responses from many starts at once, one actor after another."""
    k = np.broadcast_to(game.k, a.shape)
    for _ in range(rounds):
        before = a
        for i in range(a.shape[1]):
            low, high = a.copy(), a.copy()
            low[:, i], high[:, i] = 0.01, 100.0
            a = solve(game.value, k, game.c, low, high).actions
        if np.abs(a - before).max() <= 1e-13 * np.abs(a).max():
            break
    return a


def _unique(inputs: Inputs) -> Measurement:
    """The largest spread of where random starts end, over both forms. Null: after one round."""
    spread, early = 0.0, 0.0
    for form in FORMS:
        game = inputs.case.game(form)
        starts = inputs.rng("starts", form).uniform(0.01, 100, (inputs.starts, 2))
        spread = max(spread, float(np.ptp(responded(game, starts, ROUNDS), axis=0).max()))
        early = max(early, float(np.ptp(responded(game, starts, 1), axis=0).max()))
    return exact("unique", spread, early, 2 * inputs.starts, "action", "best responses from random starts")


def _direct(inputs: Inputs) -> Measurement:
    """The equilibrium under D = 1 against a maximiser of all payoffs together. Null: that under the game's own D."""
    worst, other = 0.0, 0.0
    for _, game in [*_games(inputs, "direct")][: max(4, inputs.random // 10)]:
        n = len(game.names)

        def less(x: Any, game: Game = game) -> float:
            return -float(game.payoffs(np.exp(x)).sum())

        found = scipy.optimize.minimize(less, np.zeros(n), method="BFGS", options={"gtol": 1e-9})
        direct = np.clip(np.exp(found.x), 0.01, 100.0)
        worst = max(worst, float(np.abs(game.optimum().actions / direct - 1).max()))
        other = max(other, float(np.abs(game.equilibrium().actions / direct - 1).max()))
    return exact("optimum-direct", worst, other, max(4, inputs.random // 10), "relative", "BFGS on ln a", MADE)


def _only_w(inputs: Inputs) -> Measurement:
    """Two games of equal w, made of other shares and another D. Null: of equal shares."""
    worst = other = 0.0
    for rng, game in _games(inputs, "w"):
        n, w = len(game.names), game.w
        t = rng.uniform(0.2, 0.8)
        alpha = (1 - t) * game.alpha + t * w / w.sum()  # no more than w, as w sums to 1 or more
        need = (w - alpha) / np.maximum(1 - alpha, 1e-300)  # of each other actor alike
        matrix = np.tile(need[:, None], (1, n))
        np.fill_diagonal(matrix, 0.0)
        twin = game.replaced(alpha=alpha, interdependence=Interdependence(game.names, matrix))
        a = game.equilibrium().actions
        worst = max(worst, float(np.abs(twin.equilibrium().actions / a - 1).max()))
        nobody = game.replaced(interdependence=Interdependence(game.names, np.zeros((n, n))))
        other = max(other, float(np.abs(nobody.equilibrium().actions / a - 1).max()))
    return exact("only-w", worst, other, inputs.random, "relative", "null: no interdependence, the same shares", MADE)


def _certificate(inputs: Inputs) -> Measurement:
    """The largest gain from moving alone over what rounding may leave. Null: the actions of the transposed matrix."""
    found = [each.game(form).equilibrium() for each in CASES.values() for form in FORMS]
    found += [Game(inputs.buyers.matrix(normalise)).equilibrium() for normalise in ("all", "per-partner")]
    worst = max(each.certificate.of_allowed for each in found)
    wrong = inputs.case.game("log").equilibrium()
    other = inputs.case.game("log", transposed=True).equilibrium().actions
    null = replace(wrong, actions=other).certificate
    tried = sum(each.certificate.searched for each in found)
    buyers = "the i* model of buyer-driven e-commerce" if inputs.real else "a made model"
    return exact("certificate", worst, null.of_allowed, len(found), "of what is allowed", f"{tried:,} deviations",
                 f"five published cases; {buyers}")  # fmt: skip


def _leaders(inputs: Inputs) -> Iterator[tuple[Any, Any, int]]:
    for form in FORMS:
        game = inputs.case.game(form)
        at_once = game.equilibrium()
        for i, name in enumerate(game.names):
            yield at_once, sequential(game, (name,), at_once.low, at_once.high), i


def _first_raises(inputs: Inputs) -> Measurement:
    """Null: all at once."""
    least = min(float((led.actions / at_once.actions - 1).min()) for at_once, led, _ in _leaders(inputs))
    return exact("first-raises", 100 * least, 0.0, 8, "%", "the least rise of any action: two forms, either first")


def _first_pays(inputs: Inputs) -> Measurement:
    """Null: what it gains in utility."""
    rows = [
        (led.payoffs[i] - once.payoffs[i], led.utilities[i] - once.utilities[i]) for once, led, i in _leaders(inputs)
    ]
    own, minded = (max(each) for each in zip(*rows, strict=True))
    return exact("first-costs", float(own), float(minded), 4, "payoff", "the most that a leader's own payoff changes")


def _join(inputs: Inputs) -> Measurement:
    """Null: without complementarity."""

    def span(game: Game) -> float:
        found = join_orders(game, game.equilibrium().actions)
        return float(found["most"].max() - found["least"].min())

    game = Game(inputs.buyers.matrix())
    found = exact("join-order", span(game), span(game.replaced(gamma=0.0)), 6, "value", "all orders of three actors")
    return replace(found, real=inputs.real, data="buyer-driven e-commerce" if inputs.real else "made")


PARTS: dict[str, Part] = {
    "monotone": _monotone,
    "superadditive": _added,
    "unique": _unique,
    "optimum-direct": _direct,
    "only-w": _only_w,
    "certificate": _certificate,
    "first-raises": _first_raises,
    "first-costs": _first_pays,
    "join-order": _join,
}
