"""The certificate of an equilibrium: the best that anyone could gain by moving alone, found by a search of its own.

It knows utilities only: neither conditions of first order nor the solver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

POINTS = 401
LEVELS = 4  # each looks at two cells of the one before: the last cell is 1e-8 of the first
ALLOWED = 1e-8  # times 1 + |utility|
FAR = 1e3  # where actions are unbounded, the search ends at so many times (1 + the largest action)

Utilities = Callable[[Float[np.ndarray, "game move actor"]], Float[np.ndarray, "game move actor"]]
React = Callable[[Float[np.ndarray, "game move actor"], int], Float[np.ndarray, "game move actor"]]


@dataclass(frozen=True)
class Certificate:
    """gain: the most that one actor could add to its utility alone; actor: who; action: to what. allowed: what rounding
    may leave. searched: how many deviations were tried.
    """

    gain: float
    actor: str
    action: float
    allowed: float
    searched: int

    @property
    def of_allowed(self) -> float:
        """The gain over what is allowed; up to 1 the certificate holds."""
        return max(self.gain, 0.0) / self.allowed

    @property
    def holds(self) -> bool:
        return self.gain <= self.allowed

    def __str__(self) -> str:
        if self.holds:
            return (
                f"nobody gains more than {max(self.gain, 0):.1e} by moving alone ({self.searched:,} deviations tried)"
            )
        return f"{self.actor} gains {self.gain:.3g} by moving to {self.action:.6g}: no equilibrium"


def deviations(
    utilities: Utilities, a: Float[np.ndarray, "game actor"], low: Any, high: Any, react: React | None = None
) -> tuple[Float[np.ndarray, "game actor"], Float[np.ndarray, "game actor"]]:
    """The most each actor gains in each game by moving alone, and where to: a dense grid, refined around its best.

    react(moved, i): what is done once actor i has moved, where others see it and answer.
    """
    own = utilities(a[:, None])[:, 0]
    gains, moves = np.empty(a.shape), np.empty(a.shape)
    bottom, top = (np.broadcast_to(np.asarray(each, float), a.shape) for each in (low, high))
    top = np.where(np.isinf(top), FAR * (1 + a.max(1, keepdims=True)), top)
    for i in range(a.shape[1]):

        def gained(x: Any, i: int = i) -> Any:
            moved = np.repeat(a[:, None, :], x.shape[1], axis=1)
            moved[:, :, i] = x
            return utilities(react(moved, i) if react else moved)[:, :, i]

        best, moves[:, i] = search(gained, bottom[:, i], top[:, i], POINTS, LEVELS)
        gains[:, i] = best - own[:, i]
    return gains, moves


def search(worth: Callable[[Any], Any], bottom: Any, top: Any, points: int, levels: int) -> tuple[Any, Any]:
    """The highest of worth(x), x of shape (game, points), and the x of it: level by level two cells of the last."""
    rows, left, right = np.arange(len(bottom)), bottom, top
    part = np.linspace(0, 1, points) ** 3  # denser near the lower end, where values bend most
    best, action = np.full(len(bottom), -np.inf), bottom
    for _ in range(levels):
        x = left[:, None] + (right - left)[:, None] * part
        found = worth(x)
        at = found.argmax(1)
        better = found[rows, at] > best
        best, action = np.where(better, found[rows, at], best), np.where(better, x[rows, at], action)
        left, right = x[rows, np.maximum(at - 1, 0)], x[rows, np.minimum(at + 1, points - 1)]
        part = np.linspace(0, 1, points)
    return best, action


def certify(
    utilities: Utilities, a: Float[np.ndarray, " actor"], low: Any, high: Any, names: Any, react: React | None = None
) -> Certificate:
    """Of one game."""
    gains, moves = deviations(utilities, a[None], low, high, react)
    own = utilities(a[None, None])[0, 0]
    allowed = ALLOWED * (1 + np.abs(own))
    worst = int(np.argmax(gains[0] - allowed))
    searched = POINTS * LEVELS * len(a)
    return Certificate(float(gains[0, worst]), names[worst], float(moves[0, worst]), float(allowed[worst]), searched)
