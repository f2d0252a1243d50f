"""What an investment creates: logarithmic, power, or a function of the user's own; and what several create together.

Notation of all modules: a value f has `value` f(a) and `slope` f'(a). An actor whose share of the synergy, its
dependences counted, is w, invests where f'(a) + q/a = 1, that is a (1 - f'(a)) = q, with q = w gamma c g(a).
`action(q)` solves that, and `stiffness` is dq/da = 1 - f' - a f''.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parataxis.errors import BadInput

NEWTON = 60  # steps; quadratic convergence from above takes far fewer
SYNERGIES = ("geometric", "min", "mean")


@dataclass(frozen=True)
class Log:
    """f(a) = theta ln(1 + a). theta above 1, a number or one an actor: alone, an actor invests theta - 1."""

    theta: Any = 20.0

    def check(self) -> None:
        if not np.all(np.isfinite(self.theta)) or not np.all(np.asarray(self.theta) > 1):
            raise BadInput(
                f"theta={self.theta}: expected above 1; at 1 or below an actor alone invests nothing, a corner at 0"
            )

    @property
    def parameter(self) -> str:
        return "theta"

    @property
    def alone(self) -> Any:
        return np.asarray(self.theta, float) - 1

    def value(self, a: Any) -> Any:
        return self.theta * np.log1p(a)

    def slope(self, a: Any) -> Any:
        return self.theta / (1 + a)

    def stiffness(self, a: Any) -> Any:
        return 1 - self.theta / (1 + a) ** 2

    def slope_by_parameter(self, a: Any) -> Any:
        return 1 / (1 + a)

    def action(self, q: Any) -> Any:
        """The positive root of a^2 - (theta + q - 1) a - q."""
        b = self.theta + q - 1
        return 0.5 * (b + np.sqrt(b * b + 4 * q))


@dataclass(frozen=True)
class Power:
    """f(a) = a^beta. beta in (0, 1), a number or one an actor: alone, an actor invests beta^(1 / (1 - beta))."""

    beta: Any = 0.75

    def check(self) -> None:
        if not np.all((np.asarray(self.beta) > 0) & (np.asarray(self.beta) < 1)):
            raise BadInput(f"beta={self.beta}: expected between 0 and 1; at 1 and above nothing bounds an investment")

    @property
    def parameter(self) -> str:
        return "beta"

    @property
    def alone(self) -> Any:
        beta = np.asarray(self.beta, float)
        return beta ** (1 / (1 - beta))

    def value(self, a: Any) -> Any:
        return a**self.beta

    def slope(self, a: Any) -> Any:
        with np.errstate(divide="ignore"):
            return self.beta * np.asarray(a, float) ** (self.beta - 1)

    def stiffness(self, a: Any) -> Any:
        return 1 - self.beta**2 * a ** (self.beta - 1)

    def slope_by_parameter(self, a: Any) -> Any:
        return a ** (self.beta - 1) * (1 + self.beta * np.log(a))

    def action(self, q: Any) -> Any:
        """The root of a - beta a^beta = q above `alone`, by Newton from above: the left side is convex there."""
        beta, q = self.beta, np.asarray(q, float)
        a = self.alone + q / (1 - beta)  # the tangent at `alone` meets q beyond the root
        for _ in range(NEWTON):
            scaled = beta * a**beta
            step = (a - scaled - q) / (1 - beta * scaled / a)
            a = a - step
            if np.all(np.abs(step) <= 1e-15 * a):
                break
        return a


@dataclass(frozen=True)
class Custom:
    """Any f with its derivative, both of arrays; in the end it rises by less than 1 a unit: by best responses."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]

    @property
    def parameter(self) -> str:
        return ""

    def check(self) -> None:
        probe = np.array([1.0, 2.0])
        if np.shape(self.value(probe)) != (2,) or np.shape(self.slope(probe)) != (2,):
            raise BadInput("value: both functions of a Custom take an array and give one of the same shape")
        measured = (self.value(probe + 1e-5) - self.value(probe - 1e-5)) / 2e-5
        if not np.allclose(measured, self.slope(probe), rtol=1e-4, atol=1e-6):
            raise BadInput(
                f"value: slope(1)={self.slope(probe)[0]:g}, but f rises by {measured[0]:g} a unit there; give f's own "
                "derivative"
            )


Value = Log | Power | Custom


def exponents(synergy: str | Sequence[float], n: int) -> Any:
    """c of the synergy prod a_i^c_i: 1/N each for "geometric", or those given; None for "min" and "mean"."""
    if isinstance(synergy, str):
        if synergy not in SYNERGIES:
            raise BadInput(
                f"synergy={synergy!r}: expected {', '.join(map(repr, SYNERGIES))}, or exponents that sum to 1"
            )
        return np.full(n, 1 / n) if synergy == "geometric" else None
    c = np.asarray(synergy, float)
    if c.shape != (n,) or not np.all(c > 0) or abs(c.sum() - 1) > 1e-9:
        raise BadInput(f"synergy={c.tolist()}: expected {n} exponents above 0 that sum to 1, one an actor")
    return c / c.sum()


def check_rest(synergy: str | Sequence[float], gamma: Any, n: int) -> None:
    """BadInput where actions without a bound may have no rest: the synergy then outgrows what it costs.

    As w is at most 1, they have one below prod c_i^-c_i, which is N where all exponents are alike; below N with "mean",
    and below 1 with "min".
    """
    c = exponents(synergy, n)
    most = {"mean": float(n), "min": 1.0}[str(synergy)] if c is None else float(np.exp(-np.sum(c * np.log(c))))
    if np.any(np.asarray(gamma) >= most * (1 - 1e-12)):
        raise BadInput(
            f"gamma={np.max(gamma):g}: expected below {most:g} where actions are unbounded: else they may have no "
            "rest; give a box"
        )


def synergy_value(synergy: str | Sequence[float], a: Any) -> Any:
    """g of the last axis of a; where somebody does nothing there is none, but by "mean"."""
    if synergy == "min":
        return a.min(-1)
    if synergy == "mean":
        return a.mean(-1)
    c = np.full(a.shape[-1], 1 / a.shape[-1]) if isinstance(synergy, str) else np.asarray(synergy, float)
    return np.prod(a**c, axis=-1)
