"""Where a game comes to rest, with what that means for each actor and a certificate."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.methods.coopetition.certificate import Certificate, certify

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """actions. iterations: of the solver. converged: whether it came to rest; see `certificate` for whether it is one.
    play: "simultaneous", or the stages. low, high: the box.
    """

    game: "Game"
    actions: Float[np.ndarray, " actor"]
    iterations: int
    converged: bool
    low: Float[np.ndarray, " actor"]
    high: Float[np.ndarray, " actor"]
    play: Any = "simultaneous"

    @property
    def payoffs(self) -> Float[np.ndarray, " actor"]:
        """What each has for itself."""
        return self.game.payoffs(self.actions)

    @property
    def utilities(self) -> Float[np.ndarray, " actor"]:
        """The payoffs, and those of the others by how much it depends on them."""
        return self.game.utilities(self.actions)

    @property
    def value(self) -> float:
        """What all create."""
        return float(self.game.value_created(self.actions))

    @property
    def w(self) -> Float[np.ndarray, " actor"]:
        """How much of the synergy counts for each (`Game.w`)."""
        return self.game.w

    @property
    def binding(self) -> tuple[str, ...]:
        """Who would go beyond the box, or invest less than it allows: the residual is one-sided there."""
        held = (self.actions <= self.low) | (self.actions >= self.high)
        return tuple(name for name, each in zip(self.game.names, held, strict=True) if each)

    @property
    def residual(self) -> float:
        """The most that a utility still rises with the actor's own action, a unit up or down; at a bound, inwards. Of
        moves all at once: whoever moves first reckons with the answers.
        """
        up, down = self.game.slopes(self.actions), -self.game.slopes(self.actions, upward=False)
        left = np.where(self.actions < self.high, up, 0.0), np.where(self.actions > self.low, down, 0.0)
        return float(np.maximum(*left).max(initial=0.0))

    @cached_property
    def certificate(self) -> Certificate:
        """The best deviation that a dense search finds. With stages, whoever moves later answers it."""
        react = None
        if self.play != "simultaneous":
            from parataxis.methods.coopetition.sequential import reaction

            react = reaction(self.game, self.play, self.low, self.high)
        return certify(self.game.utilities, self.actions, self.low, self.high, self.game.names, react)

    def verify(self) -> Certificate:
        return self.certificate

    def frame(self) -> pd.DataFrame:
        """A row an actor."""
        game = self.game
        return pd.DataFrame(
            {
                "actor": list(game.names),
                "share": game.alpha,
                "w": self.w,
                "alone": np.broadcast_to(np.clip(game.alone, self.low, self.high), self.actions.shape),
                "action": self.actions,
                "payoff": self.payoffs,
                "utility": self.utilities,
            }
        )
