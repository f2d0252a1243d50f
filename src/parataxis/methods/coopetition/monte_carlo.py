"""The published protocol of noise on the S-LCD case, and designs of our own that vary more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.errors import BadInput
from parataxis.methods.coopetition.cases import FORMS, Case
from parataxis.methods.coopetition.game import BOX, ENDOWMENT, Game
from parataxis.methods.coopetition.many import Games
from parataxis.methods.coopetition.scoring import ScoreSheet, score_games
from parataxis.methods.coopetition.sensitivity import draws
from parataxis.methods.coopetition.values import Log, Power, Value

SEED = 42  # of the authors' suite
HALF = np.full(2, 0.5)


def noise(trials: int, h: float, seed: int = SEED) -> Float[np.ndarray, "trial 4"]:
    """Factors 1 + U(-h, h), four a trial, from NumPy's legacy generator, as the suite draws them."""
    if not 0 < h < 1 or trials < 2:
        raise BadInput(f"h={h:g}, trials={trials}: expected 0 < h < 1, and two trials or more")
    return 1 + np.random.RandomState(seed).uniform(-h, h, (trials, 4))  # theirs


def trials(case: Case, form: str, z: Float[np.ndarray, "trial 4"], transposed: bool = False) -> Games:
    """Endowments by z0; shares by (z1, z2), then normalised; D[0, 1] by z2 once more and D[1, 0] by z3, at most 1."""
    game = case.game(form, transposed)
    alpha = game.alpha * z[:, 1:3]
    matrix = np.zeros((len(z), 2, 2))
    matrix[:, 0, 1], matrix[:, 1, 0] = (
        np.clip(at * factor, 0, 1)
        for at, factor in zip(
            (game.interdependence.matrix[0, 1], game.interdependence.matrix[1, 0]), z.T[2:], strict=True
        )
    )
    endowments = game.endowments * z[:, :1]
    alpha /= alpha.sum(1, keepdims=True)
    return Games(matrix, alpha, endowments, game.value, np.full(len(z), game.gamma), HALF, BOX)


@dataclass(frozen=True, eq=False)
class Contest:
    """The scores of both forms on the same draws."""

    log: ScoreSheet
    power: ScoreSheet

    @property
    def difference(self) -> Int[np.ndarray, " trial"]:
        return self.log.score - self.power.score

    @property
    def effect(self) -> float:
        """Mean over standard deviation (of the population) of the paired differences; inf where they don't differ. It
        measures the noise that was chosen, no evidence.
        """
        spread = float(self.difference.std())
        return float(self.difference.mean()) / spread if spread else np.inf

    @property
    def wins(self) -> float:
        """The share of draws in which log is ahead."""
        return float((self.difference > 0).mean())

    @property
    def losses(self) -> float:
        return float((self.difference < 0).mean())


def contest(case: Case, h: float, n: int = 500, seed: int = SEED, transposed: bool = False) -> Contest:
    """The published protocol."""
    z = noise(n, h, seed)
    return Contest(*(score_games(trials(case, form, z, transposed)) for form in ("log", "power")))


def drawn(d12: Any, d21: Any, alpha: Any, value: Value, gamma: Any) -> Games:
    """Games of two from columns of draws; alpha is the first actor's."""
    n = len(np.asarray(d12))
    matrix = np.zeros((n, 2, 2))
    matrix[:, 0, 1], matrix[:, 1, 0] = d12, d21
    shares = np.stack([np.asarray(alpha, float), 1 - np.asarray(alpha, float)], 1)
    return Games(
        matrix, shares, np.full((n, 2), ENDOWMENT), value, np.broadcast_to(np.asarray(gamma, float), n), HALF, BOX
    )


def null_contest(rng: np.random.Generator, n: int = 20_000) -> Contest:
    """Actors of no history: D ~ U(0, 1) both ways, alpha ~ U(.3, .7)."""
    d12, d21 = rng.random((2, n))
    alpha = rng.uniform(0.3, 0.7, n)
    return Contest(*(score_games(drawn(d12, d21, alpha, *FORMS[form])) for form in ("log", "power")))


VARIED = {"D12": (0.0, 1.0), "D21": (0.0, 1.0), "alpha": (0.3, 0.7), "gamma": (0.0, 1.0), "theta": (5.0, 40.0),
          "beta": (0.3, 0.9)}  # fmt: skip


def design(rng: np.random.Generator, n: int = 22_000) -> tuple[dict[str, Float[np.ndarray, " draw"]], Contest]:
    """Our own 22,000: Sobol draws over all that varies (`VARIED`), the same for both forms."""
    low, high = np.array(list(VARIED.values())).T
    x = dict(zip(VARIED, (low + (high - low) * draws(n, len(VARIED), rng)).T, strict=True))
    both = (Log(x["theta"][:, None]), Power(x["beta"][:, None]))
    return x, Contest(*(score_games(drawn(x["D12"], x["D21"], x["alpha"], each, x["gamma"])) for each in both))


def gamma_scores(game: Game, gammas: Float[np.ndarray, " gamma"]) -> ScoreSheet:
    """The sheet of one case along gamma."""
    from parataxis.methods.coopetition.sweep import games

    return score_games(games(game, {"gamma": gammas}, len(gammas), BOX))
