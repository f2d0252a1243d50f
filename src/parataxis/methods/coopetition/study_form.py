"""What the score sheet prefers, whether it is the functional form, and what raises cooperation (claims 6 to 9)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from parataxis.claims import Measurement
from parataxis.methods.coopetition.cases import FORMS
from parataxis.methods.coopetition.game import Game
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.monte_carlo import VARIED, design, gamma_scores, null_contest
from parataxis.methods.coopetition.scoring import TOTAL, score_sheet
from parataxis.methods.coopetition.study_inputs import Inputs
from parataxis.methods.coopetition.study_published import Part, exact
from parataxis.methods.coopetition.values import Power

Z = 1.959964


def _mean(identity: str, values: Any, null: float, unit: str, note: str = "") -> Measurement:
    """With a 95 % interval over draws."""
    values = np.asarray(values, float)
    mean, wide = float(values.mean()), Z * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Measurement(
        identity, mean, mean - wide, mean + wide, len(values), unit, null=null, note=note, real=False, data="draws"
    )


def _design(inputs: Inputs) -> Measurement:
    _, found = design(inputs.rng("design"), inputs.design)
    note = "Sobol over " + ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in VARIED.items())
    note += f"; power ahead {found.losses:.3f}; means {found.log.score.mean():.2f} and {found.power.score.mean():.2f}"
    return replace(_mean("own-draws", found.difference > 0, 0.0, "share of draws", note), null=None)


def _null(identity: str, what: Callable[[Any], Any], null: Callable[[Any, Inputs], float], unit: str) -> Part:
    def measure(inputs: Inputs) -> Measurement:
        found = null_contest(inputs.rng("null"), inputs.draws)
        return _mean(identity, what(found), float(null(found, inputs)), unit)

    return measure


def _shuffled(found: Any, inputs: Inputs) -> float:
    return float((found.difference * inputs.rng("labels").choice([-1, 1], len(found.difference)) > 0).mean())


def _best(inputs: Inputs) -> Measurement:
    gammas = np.arange(0, 101) / 100
    scores = gamma_scores(inputs.case.game("power"), gammas).score
    best = gammas[scores == scores.max()]
    full = gammas[gamma_scores(inputs.case.game("log"), gammas).score == TOTAL]
    rise = rises(inputs.case.game("power").replaced(gamma=0.2))["both"]
    note = f"at gamma {best.min():.2f} to {best.max():.2f}, at 0.20 cooperation up by {rise:.1f} %; null: at the "
    note += f"published 0.5; log has {TOTAL} at gamma {full.min():.2f} to {full.max():.2f}"
    return exact("power-best", scores.max(), float(scores[50]), len(gammas), "points of 60", note)


def _free(inputs: Inputs) -> Measurement:
    """Every pair of gammas of a grid. Null: each form at its published gamma."""
    gammas = (np.arange(inputs.gammas) + 0.5) / inputs.gammas
    log, power = (gamma_scores(inputs.case.game(form), gammas).score for form in ("log", "power"))
    ahead, behind = (float((sign * (log[:, None] - power)).__gt__(0).mean()) for sign in (1, -1))
    note = f"power ahead {behind:.3f}; {inputs.gammas} by {inputs.gammas} gammas in (0, 1)"
    return exact("free-gamma", ahead, 1.0, inputs.gammas**2, "share of pairs", note)


def _beta(identity: str, beta: float) -> Part:
    def measure(inputs: Inputs) -> Measurement:
        game = inputs.case.game("power")
        found = score_sheet(game.replaced(value=Power(beta)))
        return exact(identity, found.score[0], float(score_sheet(game).score[0]), 1, "points of 60", "null: beta 0.75")

    return measure


def _nobody(game: Game) -> Game:
    return game.replaced(interdependence=Interdependence(game.names, np.zeros((2, 2))))


def rises(game: Game) -> dict[str, float]:
    """% of the mean action: complementarity alone over nothing, D on top of it, both; and the joint optimum."""
    alone = _nobody(game).replaced(gamma=0.0).equilibrium().actions.mean()
    without, both = _nobody(game).equilibrium().actions.mean(), game.equilibrium().actions.mean()
    best = game.optimum().actions.mean()
    parts = {"split-gamma": without / alone, "split-d": both / without, "both": both / alone, "optimum": best / alone}
    return {name: float(100 * (ratio - 1)) for name, ratio in parts.items()}


def _rise(part: str, form: str) -> Part:
    """Null: what both raise together; of the optimum too."""

    def measure(inputs: Inputs) -> Measurement:
        found = rises(inputs.case.game(form))
        return exact(f"{part}-{form}", found[part], found["both"], 1, "%")

    return measure


def _buyers(inputs: Inputs) -> Measurement:
    """Null: each row divided by what a partner provides."""

    def rise(normalise: str) -> float:
        game = Game(inputs.buyers.matrix(normalise))
        return float(100 * (game.equilibrium().actions.mean() / 19 - 1))

    found = exact("buyers", rise("all"), rise("per-partner"), 3, "%", "equal shares, log")
    return replace(found, real=inputs.real, data="buyer-driven e-commerce" if inputs.real else "made")


PARTS: dict[str, Part] = {
    "own-draws": _design,
    "null-log": _null("null-log", lambda each: each.log.score, lambda each, _: each.power.score.mean(), "points"),
    "null-power": _null("null-power", lambda each: each.power.score, lambda each, _: each.log.score.mean(), "points"),
    "null-wins": _null("null-wins", lambda found: found.difference > 0, _shuffled, "share of draws"),
    "power-best": _best,
    "free-gamma": _free,
    "beta-025": _beta("beta-025", 0.25),
    "beta-040": _beta("beta-040", 0.4),
    **{f"{part}-{form}": _rise(part, form) for form in FORMS for part in ("split-gamma", "split-d", "optimum")},
    "buyers": _buyers,
}  # fmt: skip
