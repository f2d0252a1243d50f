"""How an equilibrium moves with its parameters: exact slopes, one parameter at a time, or all at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy  # and scipy.stats, which takes 0.4 s, with the first draws
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.coopetition.sweep import check, games, parameters

if TYPE_CHECKING:
    from parataxis.methods.coopetition.equilibrium import Equilibrium
    from parataxis.methods.coopetition.game import Game

METHODS = ("local", "grid", "sobol")
STEPS = 11  # of a grid


def derivatives(found: "Equilibrium") -> dict[str, Float[np.ndarray, " actor"]]:
    """d a / d parameter, by the implicit function theorem; 0 for an actor at a bound. D and alpha move alone.

    With q_i = k_i g and a_i (1 - f'(a_i)) = q_i, m_i = dq_i/da_i: da_i = (dk_i g + q_i dl + a_i df') / m_i, and ln g
    moves by dl = sum c_i da_i / a_i, which is one linear equation in dl.
    """
    game, a = found.game, found.actions
    if not game.scalar:
        raise BadInput("sensitivity: slopes need a Log or Power value and a geometric synergy, or exponents")
    value: Any = game.value
    g = float(np.exp(np.log(a) @ game.c))
    held = (a <= found.low) | (a >= found.high)
    m = np.where(held, np.inf, value.stiffness(a))
    passed = float(np.sum(game.c * game.k * g / (m * a)))

    def moved(by_k: Any, by_slope: Any = 0.0) -> Any:
        direct = (by_k * g + a * by_slope) / m
        return direct + game.k * g / m * (float(np.sum(game.c * direct / a)) / (1 - passed))

    matrix, scale = game.interdependence.matrix, game.gamma * game.c
    slopes = {"gamma": moved(game.w * game.c)}
    if np.ndim(getattr(value, value.parameter)) == 0:
        slopes[value.parameter] = moved(0.0, value.slope_by_parameter(a))
    n = len(game.names)
    for i, name in enumerate(game.names):
        slopes[f"alpha:{name}"] = moved((np.eye(n)[i] + matrix[:, i]) * scale)
    for i, depender in enumerate(game.names):
        for j, dependee in enumerate(game.names):
            if i != j:
                slopes[f"D:{depender}:{dependee}"] = moved(np.eye(n)[i] * game.alpha[j] * scale)
    return slopes


def sensitivity(
    game: "Game",
    params: Any = None,
    method: str = "local",
    box: Any = (0.01, 100.0),
    n: int = 1024,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """How much the actions move.

    "local": d a / d parameter at the equilibrium; params: names, else all. "grid": the least and most mean action as
    one parameter goes from low to high, the others held; "sobol": the shares of the variance of the mean action that
    a parameter makes alone (first) and with the others (total), from n (a power of 2) draws. Both take params
    {name: (low, high)}. Raises BadInput.
    """
    if method not in METHODS:
        raise BadInput(f"method={method!r}: expected {', '.join(map(repr, METHODS))}")
    if method == "local":
        return _local(game, params, box)
    if not isinstance(params, Mapping) or not params:
        raise BadInput(f"params={params!r}: expected {{name: (low, high)}}")
    for name, ends in params.items():
        if np.shape(ends) != (2,):
            raise BadInput(f"params: {name}={ends!r}: expected (low, high)")
        check(game, name, ends)
        if not ends[0] < ends[1]:
            raise BadInput(f"params: {name}={tuple(ends)}: expected low < high")
    return _grid(game, params, box) if method == "grid" else _sobol(game, params, box, n, rng)


def _local(game: "Game", names: Any, box: Any) -> pd.DataFrame:
    found = game.equilibrium(box=box)
    slopes, known = derivatives(found), parameters(game)
    wanted = list(slopes) if names is None else list(names)
    if unknown := [name for name in wanted if name not in slopes]:
        raise BadInput(f"parameter {unknown[0]!r} is unknown; expected one of {', '.join(slopes)}")
    rows = []
    for name in wanted:
        by_actor = {f"a:{actor}": float(each) for actor, each in zip(game.names, slopes[name], strict=True)}
        rows.append({"parameter": name, "at": known[name], **by_actor, "mean action": float(slopes[name].mean())})
    return pd.DataFrame(rows)


def _grid(game: "Game", params: Mapping[str, Any], box: Any) -> pd.DataFrame:
    rows = []
    for name, (low, high) in params.items():
        values = np.linspace(low, high, STEPS)
        mean = games(game, {name: values}, STEPS, box).solved.actions.mean(1)
        ends = {"at low": mean[0], "at high": mean[-1], "least": mean.min(), "most": mean.max()}
        rows.append({"parameter": name, "low": low, "high": high, **{key: float(each) for key, each in ends.items()}})
    return pd.DataFrame(rows)


def draws(n: int, d: int, rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """n Sobol points in [0, 1)^d, shifted by one random vector (Cranley and Patterson)."""
    power = int(np.ceil(np.log2(n)))
    return (scipy.stats.qmc.Sobol(d, scramble=False).random_base2(power)[:n] + rng.random(d)) % 1


def _sobol(game: "Game", params: Mapping[str, Any], box: Any, n: int, rng: Any) -> pd.DataFrame:
    """Saltelli's design: two samples, and each with one column of the other. Estimators: Saltelli 2010, Jansen 1999."""
    if n < 2 or n & (n - 1):
        raise BadInput(f"n={n}: expected a power of 2")
    d = len(params)
    both = draws(n, 2 * d, rng or np.random.default_rng(0))
    low, high = np.array(list(params.values()), float).T
    one, other = (low + (high - low) * each for each in (both[:, :d], both[:, d:]))

    def mean(points: Any) -> Any:
        return games(game, dict(zip(params, points.T, strict=True)), n, box).solved.actions.mean(1)

    at_one, at_other = mean(one), mean(other)
    variance = np.concatenate([at_one, at_other]).var()
    rows = []
    for j, name in enumerate(params):
        mixed = one.copy()
        mixed[:, j] = other[:, j]
        at_mixed = mean(mixed)
        first = float(np.mean((at_other - at_one.mean()) * (at_mixed - at_one)) / variance) if variance else 0.0
        total = float(np.mean((at_one - at_mixed) ** 2) / (2 * variance)) if variance else 0.0
        rows.append({"parameter": name, "low": float(low[j]), "high": float(high[j]), "first": first, "total": total})
    return pd.DataFrame(rows)
