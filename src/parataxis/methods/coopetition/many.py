"""Many games of the same actors at once, as arrays: what sweeps, draws and score sheets are computed on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.coopetition.certificate import ALLOWED, deviations
from parataxis.methods.coopetition.solve import Solved, solve
from parataxis.methods.coopetition.values import check_rest, synergy_value
from parataxis.progress import Tell, untold

CERTIFIED = 256  # games whose deviations are searched at once


@dataclass(frozen=True, eq=False)
class Games:
    """value: Log or Power, its parameter a number or of shape (game, 1). c: the exponents of the synergy.

    synergy is a product; box as in `Game.box`.
    """

    matrix: Float[np.ndarray, "game actor actor"]
    alpha: Float[np.ndarray, "game actor"]
    endowments: Float[np.ndarray, "game actor"]
    value: Any
    gamma: Float[np.ndarray, " game"]
    c: Float[np.ndarray, " actor"]
    box: Any

    @cached_property
    def w(self) -> Float[np.ndarray, "game actor"]:
        return self.alpha + np.einsum("bij,bj->bi", self.matrix, self.alpha)

    @cached_property
    def limits(self) -> tuple[Any, Any]:
        if isinstance(self.box, str):
            return np.zeros_like(self.endowments), self.endowments
        low, high = self.box or (0.0, np.inf)
        if np.isinf(high).any():
            check_rest(tuple(self.c), self.gamma, len(self.c))
        return low, high

    @cached_property
    def solved(self) -> Solved:
        k = self.w * self.gamma[:, None] * self.c
        return solve(self.value, k, self.c, *self.limits)

    def value_created(self, a: Float[np.ndarray, "game actor"]) -> Float[np.ndarray, " game"]:
        return self.value.value(a).sum(1) + self.gamma * synergy_value(tuple(self.c), a)

    def payoffs(self, a: Float[np.ndarray, "game actor"]) -> Float[np.ndarray, "game actor"]:
        g = synergy_value(tuple(self.c), a)
        return self.endowments - a + self.value.value(a) + self.alpha * (self.gamma * g)[:, None]

    def utilities(self, a: Float[np.ndarray, "game actor"]) -> Float[np.ndarray, "game actor"]:
        payoffs = self.payoffs(a)
        return payoffs + np.einsum("bij,bj->bi", self.matrix, payoffs)

    def some(self, which: slice) -> "Games":
        parameter = getattr(self.value, self.value.parameter)
        value = type(self.value)(parameter[which]) if np.ndim(parameter) == 2 else self.value
        parts = (self.matrix, self.alpha, self.endowments)
        box = self.box
        if isinstance(box, tuple):
            box = tuple(each[which] if np.ndim(each) == 2 else each for each in box)
        matrix, alpha, endowments = (each[which] for each in parts)
        return Games(matrix, alpha, endowments, value, self.gamma[which], self.c, box)

    def gains(self, tell: Tell = untold) -> Float[np.ndarray, " game"]:
        """The certificate of each: the most that anyone gains by moving alone over what is allowed: up to 1 holds."""
        found, a = [], self.solved.actions
        for at in range(0, len(self.alpha), CERTIFIED):
            some = slice(at, at + CERTIFIED)
            found.append(self.some(some)._gains(a[some]))
            tell(min(at + CERTIFIED, len(a)), len(a))
        return np.concatenate(found)

    def _gains(self, a: Any) -> Any:
        n = self.alpha.shape[1]

        def utilities(moved: Any) -> Any:
            moves = moved.shape[1]
            flat = self._repeated(moves).utilities(moved.reshape(-1, n))
            return flat.reshape(moved.shape)

        gains, _ = deviations(utilities, a, *self.limits)
        return (gains / (ALLOWED * (1 + np.abs(self.utilities(a))))).max(1)

    def _repeated(self, times: int) -> "Games":
        parameter = getattr(self.value, self.value.parameter)
        value = type(self.value)(np.repeat(parameter, times, 0)) if np.ndim(parameter) == 2 else self.value
        parts = (self.matrix, self.alpha, self.endowments)
        matrix, alpha, endowments = (np.repeat(each, times, 0) for each in parts)
        return Games(matrix, alpha, endowments, value, np.repeat(self.gamma, times), self.c, self.box)
