"""The S-LCD score sheet: 60 points for 24 conditions that make an outcome look like the joint venture's history.

It is no accuracy: the conditions and their bands were chosen with the history in view, and a share of exactly one half,
where symmetric actors stand, is a band's very edge.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from parataxis.errors import BadInput
from parataxis.methods.coopetition.many import Games
from parataxis.methods.coopetition.sweep import games

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game

EDGE = 1e-9  # what rounding may take a number over the edge of a band
MOST = {"stability": 10, "cooperation": 15, "value": 15, "distribution": 10, "realism": 10}
TOTAL = sum(MOST.values())
HISTORY = (15.0, 50.0)  # per cent of more cooperation; no part of the points


@dataclass(frozen=True, eq=False)
class ScoreSheet:
    """One game, or many in arrays. cooperation, value: % over the baseline; share: of the first actor's payoff;
    asymmetry: of the two actions. points: by category. conditions: 24, with what each is worth and whether it is met.
    """

    cooperation: Float[np.ndarray, " game"]
    value: Float[np.ndarray, " game"]
    share: Float[np.ndarray, " game"]
    asymmetry: Float[np.ndarray, " game"]
    conditions: dict[str, tuple[str, int, Bool[np.ndarray, " game"]]]

    @property
    def points(self) -> dict[str, Int[np.ndarray, " game"]]:
        found = {name: np.zeros(len(self.share), int) for name in MOST}
        for category, worth, met in self.conditions.values():
            found[category] = found[category] + worth * met
        return found

    @property
    def score(self) -> Int[np.ndarray, " game"]:
        return np.sum(list(self.points.values()), axis=0)

    @property
    def in_history(self) -> Bool[np.ndarray, " game"]:
        return _within(self.cooperation, *HISTORY)

    def frame(self) -> pd.DataFrame:
        """A row a condition, of the first game."""
        rows = [(category, name, worth, bool(met[0])) for name, (category, worth, met) in self.conditions.items()]
        return pd.DataFrame(rows, columns=["category", "condition", "points", "met"])

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {int(each[0])}/{MOST[name]}" for name, each in self.points.items())
        return f"{int(self.score[0])}/{TOTAL}: {parts}"


def _within(x: Any, low: float, high: float) -> Any:
    return (x >= low - EDGE) & (x <= high + EDGE)


def baseline(found: Games) -> Any:
    """Actions with D = 0 and gamma = 0: what each does alone."""
    nobody = replace(found, matrix=0 * found.matrix, gamma=0 * found.gamma)
    return nobody.solved.actions


def score_games(found: Games, actions: Any = None, converged: Any = None) -> ScoreSheet:
    """The sheet of many games of two. actions: others than the equilibria; converged: whether they are at rest."""
    if found.alpha.shape[1] != 2:
        raise BadInput(f"score sheet: {found.alpha.shape[1]} actors; it is for two")
    a = found.solved.actions if actions is None else np.asarray(actions, float)
    rest = found.solved.converged if converged is None else np.asarray(converged)
    before = baseline(found)
    payoffs, payoffs_before = found.payoffs(a), found.payoffs(before)
    created, created_before = found.value_created(a), found.value_created(before)  # both with the case's own gamma
    ci = 100 * (a.mean(1) / before.mean(1) - 1)
    vi = 100 * (created / created_before - 1)
    share = payoffs[:, 0] / payoffs.sum(1)
    asymmetry = np.abs(a[:, 0] - a[:, 1]) / a.mean(1)
    rises = a.mean(1) > before.mean(1)
    conditions = {
        "at rest": ("stability", 2, rest),
        "all actions above 0": ("stability", 2, (a > 0).all(1)),
        "all actions below 100": ("stability", 2, (a < 100).all(1)),
        "payoffs finite": ("stability", 2, np.isfinite(payoffs).all(1)),
        "value finite": ("stability", 2, np.isfinite(created)),
        "cooperation rises": ("cooperation", 1, ci > EDGE),
        "cooperation above 10 %": ("cooperation", 2, ci > 10),
        "cooperation above 15 %": ("cooperation", 2, ci > 15),
        "cooperation below 100 %": ("cooperation", 3, ci < 100),
        "cooperation below 80 %": ("cooperation", 2, ci < 80),
        "cooperation 15 to 60 %": ("cooperation", 3, _within(ci, 15.0, 60.0)),
        "both do more": ("cooperation", 2, (a > before + EDGE).all(1)),
        "value above 0 %": ("value", 2, vi > EDGE),
        "value above 10 %": ("value", 2, vi > 10),
        "value above 15 %": ("value", 2, vi > 15),
        "value below 100 %": ("value", 3, vi < 100),
        "value 10 to 50 %": ("value", 3, _within(vi, 10.0, 50.0)),
        "value rises": ("value", 3, created > created_before + EDGE),
        "both payoffs above 0": ("distribution", 3, (payoffs > 0).all(1)),
        "both payoffs rise": ("distribution", 3, (payoffs > payoffs_before + EDGE).all(1)),
        "share .50 to .65": ("distribution", 4, _within(share, 0.5, 0.65)),
        "comes to rest": ("realism", 3, rest),
        "mean action rises": ("realism", 3, rises),
        "asymmetry .02 to .3": ("realism", 4, (asymmetry > 0.02) & (asymmetry < 0.3)),
    }
    return ScoreSheet(ci, vi, share, asymmetry, conditions)


def score_sheet(game: "Game", box: Any = (0.01, 100.0)) -> ScoreSheet:
    """The sheet of one game of two. Raises BadInput."""
    return score_games(games(game, {}, 1, box))
