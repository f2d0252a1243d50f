"""The game: actors who invest, create value together, share it, and mind those on whom they depend."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.coopetition.equilibrium import Equilibrium
from parataxis.methods.coopetition.interdependence import ROUNDING, Interdependence, numbers_of, place_of
from parataxis.methods.coopetition.responses import best_response, by_responses
from parataxis.methods.coopetition.solve import solve
from parataxis.methods.coopetition.values import Custom, Log, Value, check_rest, exponents, synergy_value
from parataxis.progress import Tell, untold

GAMMA = 0.65
ENDOWMENT = 100.0
BOX = (0.01, 100.0)  # the authors' validation suite


@dataclass(frozen=True, eq=False)
class Game:
    """pi_i = e_i - a_i + f(a_i) + alpha_i gamma g(a), and U_i = pi_i + sum over j of D[i, j] pi_j.

    interdependence: D, with the actors' names; or an array, whose actors are then "actor 1" and so on. alpha: shares of
    the synergy, that sum to 1; none: equal ones. endowments: one, or one an actor, above 0. value: f. gamma:
    complementarity, at least 0. synergy: g, "geometric", "min", "mean", or exponents. renormalise: divide shares by
    their sum. Raises BadInput.
    """

    interdependence: Any
    alpha: Any = None
    endowments: Any = ENDOWMENT
    value: Value = field(default_factory=Log)
    gamma: float = GAMMA
    synergy: str | tuple[float, ...] = "geometric"
    renormalise: bool = False

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "interdependence", Interdependence.of(self.interdependence))
        n = len(self.names)
        if not isinstance(self.value, Value):
            raise BadInput(f"value={self.value!r}: expected Log(...), Power(...) or Custom(...)")
        set_(self, "alpha", np.full(n, 1 / n) if self.alpha is None else _array("alpha", self.alpha))
        endowments = _array("endowments", self.endowments)
        if endowments.shape not in ((), (n,)):
            raise BadInput(f"endowments={endowments.tolist()}: expected one number, or {n}, one an actor")
        set_(self, "endowments", np.broadcast_to(endowments, n).copy())
        set_(self, "synergy", self.synergy if isinstance(self.synergy, str) else tuple(self.synergy))
        if self.alpha.shape != (n,) or not np.all(np.isfinite(self.alpha)) or np.any(self.alpha < 0):
            raise BadInput(f"alpha={self.alpha.tolist()}: expected {n} shares of at least 0, one an actor")
        total = float(self.alpha.sum())
        if abs(total - 1) > ROUNDING and (not self.renormalise or total == 0):
            raise BadInput(f"alpha={self.alpha.tolist()}: sums to {total:g}; expected 1, or set renormalise=True")
        set_(self, "alpha", self.alpha / total if total != 1 else self.alpha)
        if not np.all(np.isfinite(self.endowments) & (self.endowments > 0)):
            raise BadInput(f"endowments={self.endowments.tolist()}: expected above 0")
        if not (np.isfinite(self.gamma) and self.gamma >= 0):
            raise BadInput(f"gamma={self.gamma:g}: expected at least 0")
        self.value.check()
        if self.value.parameter and np.shape(getattr(self.value, self.value.parameter)) not in ((), (n,)):
            raise BadInput(f"{self.value.parameter}: expected one number, or {n}, one an actor")
        exponents(self.synergy, n)

    # -- what actions give ------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        found: Interdependence = self.interdependence
        return found.names

    @cached_property
    def c(self) -> Any:
        """The synergy's exponents; None where it is no product."""
        return exponents(self.synergy, len(self.names))

    @cached_property
    def w(self) -> Float[np.ndarray, " actor"]:
        """How much of the synergy counts for each: its share, and the others' by how much it depends on them."""
        found: Interdependence = self.interdependence
        return self.alpha + found.matrix @ self.alpha

    def value_created(self, a: Float[np.ndarray, "*rest actor"]) -> Float[np.ndarray, "*rest"] | float:
        """V: what each creates alone, and the synergy."""
        return self.value.value(a).sum(-1) + self.gamma * synergy_value(self.synergy, a)

    def payoffs(self, a: Float[np.ndarray, "*rest actor"]) -> Float[np.ndarray, "*rest actor"]:
        g = synergy_value(self.synergy, a)[..., None]
        return self.endowments - a + self.value.value(a) + self.alpha * (self.gamma * g)

    def utilities(self, a: Float[np.ndarray, "*rest actor"]) -> Float[np.ndarray, "*rest actor"]:
        payoffs = self.payoffs(a)
        return payoffs + payoffs @ self.interdependence.matrix.T

    def slopes(self, a: Float[np.ndarray, " actor"], upward: bool = True) -> Float[np.ndarray, " actor"]:
        """d U_i / d a_i. upward: with "min", whose slope jumps where an action is the least, that of doing more."""
        g = synergy_value(self.synergy, a)
        if self.synergy == "min":
            others = np.array([np.delete(a, i).min() for i in range(len(a))])
            by_synergy = ((a < others) if upward else (a <= others)).astype(float)
        else:
            by_synergy = np.full(len(a), 1 / len(a)) if self.c is None else self.c * g / np.maximum(a, 1e-300)
        return self.value.slope(a) - 1 + self.w * self.gamma * by_synergy

    @property
    def alone(self) -> Any:
        """What each invests without synergy, unbounded; unknown (nan) for a function of the user's own."""
        return np.nan if isinstance(self.value, Custom) else self.value.alone

    def of_actor(self, i: int) -> Value:
        """The value of one actor, where each has its own parameter."""
        if isinstance(self.value, Custom):
            return self.value
        parameter = getattr(self.value, self.value.parameter)
        return type(self.value)(float(parameter[i])) if np.ndim(parameter) else self.value

    def replaced(self, **changes: Any) -> "Game":
        """The same with other parts."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Game(**{**parts, **changes})

    # -- where it comes to rest ----------------------------------------------------------------------------------

    def box(self, box: Any = BOX) -> tuple[Float[np.ndarray, " actor"], Float[np.ndarray, " actor"]]:
        """Bounds of the actions. box: (low, high), "endowment" for [0, e_i], or None for no bound. Raises BadInput."""
        n = len(self.names)
        if isinstance(box, str):
            if box != "endowment":
                raise BadInput(f"box={box!r}: expected 'endowment', two numbers, or None")
            return np.zeros(n), self.endowments.copy()
        low, high = (np.zeros(n) + each for each in box or (0, inf))
        if not ((low >= 0) & (low <= high) & (low < inf)).all():
            raise BadInput(f"box={box}: expected 0 <= low <= high, and low finite")
        if np.isinf(high).any():
            check_rest(self.synergy, self.gamma, n)
        return low, high

    def equilibrium(
        self,
        play: str | Sequence[Any] = "simultaneous",
        box: Any = BOX,
        start: Any = None,
        order: Any = None,
    ) -> Equilibrium:
        """Where nobody gains by moving alone. play: "simultaneous", or stages of names, the first moves first.

        box: as in `box`. start: of the search, an action an actor; the rest that is found does not depend on it. order:
        of best responses ("jacobi", or all places), which are then used though one equation would do. Both are for
        moves all at once. Raises BadInput.
        """
        low, high = self.box(box)
        if start is not None or order is not None:
            start = self._search(play, start, order)
        if play != "simultaneous":
            from parataxis.methods.coopetition.sequential import sequential

            return sequential(self, play, low, high)
        if self.scalar and order is None:
            at = None if start is None else float(np.log(np.maximum(start, 1e-300)) @ self.c)
            found = solve(self.value, self.k[None], self.c, low, high, at)
            return Equilibrium(self, found.actions[0], int(found.iterations[0]), bool(found.converged[0]), low, high)
        actions, count, converged = by_responses(self, low, high, start, order)
        return Equilibrium(self, actions, count, converged, low, high)

    def _search(self, play: Any, start: Any, order: Any) -> Any:
        """The start in numbers. Raises BadInput."""
        n = len(self.names)
        if play != "simultaneous":
            raise BadInput(f"play={play!r}: start and order are for moves all at once; leave them out")
        if not (order is None or (isinstance(order, str) and order == "jacobi")) and not _permutes(order, n):
            raise BadInput(f"order={order!r}: expected 'jacobi', or each of the places 0 to {n - 1} once")
        if start is None:
            return None
        found = numbers_of("start", start, n)
        if np.any(found < 0):
            raise BadInput(f"start={found.tolist()}: expected actions of at least 0")
        return found

    @property
    def scalar(self) -> bool:
        """Whether one scalar equation gives the equilibrium."""
        return self.c is not None and not isinstance(self.value, Custom)

    @property
    def k(self) -> Float[np.ndarray, " actor"]:
        return self.w * self.gamma * self.c

    def best_response(self, actor: int | str, a: Any, box: Any = BOX) -> float:
        """What is best for the actor as long as the others do a."""
        i = place_of(actor, self.names) if isinstance(actor, str) else actor
        if not 0 <= i < len(self.names):
            raise BadInput(f"actor={actor!r}: expected a name, or a place from 0 to {len(self.names) - 1}")
        low, high = self.box(box)
        return best_response(self, i, numbers_of("a", a, len(self.names)), float(low[i]), float(high[i]))

    def optimum(self, box: Any = BOX) -> Equilibrium:
        """What all would agree on: the most of all payoffs together. It is the equilibrium of those who mind each
        other as themselves, D = 1: then the synergy counts fully for each, w = 1, whoever gets it.
        """
        n = len(self.names)
        return self.replaced(interdependence=Interdependence(self.names, 1 - np.eye(n))).equilibrium(box=box)

    # -- more of it, in files of their own ------------------------------------------------------------------------

    def shares(self, method: str = "given", a: Any = None, weights: Any = None) -> Float[np.ndarray, " actor"]:
        """Shares of the synergy by a rule (`shares.shares`)."""
        from parataxis.methods.coopetition.shares import shares

        return shares(self, method, a, weights)

    def shapley(self, a: Any = None) -> Float[np.ndarray, " actor"]:
        """What each adds on average over all orders of joining (`shares.shapley`)."""
        from parataxis.methods.coopetition.shares import shapley

        return shapley(self, self.equilibrium().actions if a is None else numbers_of("a", a, len(self.names)))

    def sensitivity(self, params: Any = None, method: str = "local", **options: Any) -> pd.DataFrame:
        """How the equilibrium moves with the parameters (`sensitivity.sensitivity`)."""
        from parataxis.methods.coopetition.sensitivity import sensitivity

        return sensitivity(self, params, method, **options)

    def sweep(self, frame: pd.DataFrame, box: Any = BOX, tell: Tell = untold) -> pd.DataFrame:
        """The equilibrium of every row of parameters, all at once (`sweep.sweep`)."""
        from parataxis.methods.coopetition.sweep import sweep

        return sweep(self, frame, box, tell)

    def to_gambit(self, grid: int | Sequence[float] = 51) -> Any:
        """The game on a grid of actions, for pygambit (`grid.to_gambit`)."""
        from parataxis.methods.coopetition.grid import to_gambit

        return to_gambit(self, grid)

    def to_nashpy(self, grid: int | Sequence[float] = 51) -> Any:
        """The game of two on a grid of actions, for nashpy (`grid.to_nashpy`)."""
        from parataxis.methods.coopetition.grid import to_nashpy

        return to_nashpy(self, grid)


def _array(name: str, given: Any) -> Any:
    try:
        return np.array(given, float)
    except (TypeError, ValueError):
        raise BadInput(f"{name}={given!r}: expected numbers") from None


def _permutes(order: Any, n: int) -> bool:
    try:
        return sorted(order) == list(range(n))
    except TypeError:
        return False
