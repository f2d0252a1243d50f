"""A game whose parameters vary: names of parameters, and the equilibria of all rows of a table at once."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.coopetition.many import Games
from parataxis.progress import Tell, untold

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game

BETWEEN = {"D": (0.0, 1.0), "alpha": (0.0, 1.0), "gamma": (0.0, np.inf), "endowment": (0.0, np.inf)}
BETWEEN |= {"theta": (1.0, np.inf), "beta": (0.0, 1.0)}
OPEN = ("theta", "beta", "endowment")  # their ends don't belong to them


def parameters(game: "Game") -> dict[str, float]:
    """What may vary, and what it is: gamma, theta or beta, alpha:NAME, endowment:NAME, D:DEPENDER:DEPENDEE."""
    found = {"gamma": float(game.gamma)}
    if game.value.parameter and np.ndim(getattr(game.value, game.value.parameter)) == 0:
        found[game.value.parameter] = float(getattr(game.value, game.value.parameter))
    for i, name in enumerate(game.names):
        found[f"alpha:{name}"] = float(game.alpha[i])
        found[f"endowment:{name}"] = float(game.endowments[i])
    for i, depender in enumerate(game.names):
        for j, dependee in enumerate(game.names):
            if i != j:
                found[f"D:{depender}:{dependee}"] = float(game.interdependence.matrix[i, j])
    return found


def check(game: "Game", name: str, values: Any) -> None:
    """Raises BadInput for a parameter that is not there, or can't be what it is to be."""
    if name not in (known := parameters(game)):
        raise BadInput(f"parameter {name!r} is unknown; expected one of {', '.join(known)}")
    kind = name.split(":")[0]
    low, high = BETWEEN[kind]
    try:
        values = np.asarray(values, float)
    except (TypeError, ValueError):
        raise BadInput(f"{name}={values!r}: expected numbers") from None
    good = (values > low) & (values < high) if kind in OPEN else (values >= low) & (values <= high)
    if not np.all(good & np.isfinite(values)):
        wrong = values[~(good & np.isfinite(values))].flat[0]
        told = f"between {low:g} and {high:g}" if kind in OPEN else f"from {low:g} to {high:g}"
        raise BadInput(f"{name}={wrong:g}: expected a number {told}")


def games(game: "Game", table: Mapping[str, Any], rows: int, box: Any) -> Games:
    """The games of all rows. A share that is set leaves the rest to the others, in the proportion that they have."""
    if not game.scalar:
        raise BadInput(
            "sweep: needs a Log or Power value and a geometric synergy, or exponents; solve others one by one"
        )
    if not isinstance(box, str):
        game.replaced(gamma=0.0).box(box)  # for what is wrong with it, whatever gamma the rows have
    n = len(game.names)
    for name, values in table.items():
        check(game, name, values)
    column = {name: np.asarray(values, float) for name, values in table.items()}
    matrix = np.tile(game.interdependence.matrix, (rows, 1, 1))
    endowments = np.tile(game.endowments, (rows, 1))
    for i, depender in enumerate(game.names):
        endowments[:, i] = column.get(f"endowment:{depender}", endowments[:, i])
        for j, dependee in enumerate(game.names):
            matrix[:, i, j] = column.get(f"D:{depender}:{dependee}", matrix[:, i, j])
    alpha = _alpha(game, column, rows)
    gamma = column.get("gamma", np.full(rows, float(game.gamma)))
    value: Any = game.value  # Log or Power: the game is scalar
    own = value.parameter
    if own in column:
        value = type(value)(column[own][:, None])
    elif np.ndim(getattr(value, own)):
        value = type(value)(np.tile(getattr(value, own), (rows, 1)))
    assert matrix.shape == (rows, n, n)
    return Games(matrix, alpha, endowments, value, gamma, game.c, box)


def _alpha(game: "Game", column: Mapping[str, Any], rows: int) -> Any:
    alpha = np.tile(game.alpha, (rows, 1))
    told = [i for i, name in enumerate(game.names) if f"alpha:{name}" in column]
    if not told:
        return alpha
    for i in told:
        alpha[:, i] = column[f"alpha:{game.names[i]}"]
    rest = [i for i in range(len(game.names)) if i not in told]
    left = 1 - alpha[:, told].sum(1)
    if np.any(left < -1e-9) or (not rest and np.any(np.abs(left) > 1e-9)):
        raise BadInput(f"alpha: shares of a row sum to {1 - left.min():g}; expected 1")
    others = alpha[:, rest].sum(1)
    even = np.full(len(rest), 1 / max(len(rest), 1))
    parts = np.where(others[:, None] > 0, alpha[:, rest] / np.maximum(others, 1e-300)[:, None], even)
    alpha[:, rest] = np.maximum(left, 0)[:, None] * parts
    return alpha


def sweep(game: "Game", frame: pd.DataFrame, box: Any, tell: Tell = untold) -> pd.DataFrame:
    """The rows, and of each the actions a:NAME, utilities U:NAME, their mean action, V, whether it converged, who is at
    a bound, and the certificate (what moving alone gains at most, over what rounding may leave: at most 1). tell:
    of the certificates, which take most of the time. BadInput.
    """
    if not len(frame):
        raise BadInput("sweep: no row; give a parameter and its values")
    found = games(game, {str(name): frame[name].to_numpy() for name in frame}, len(frame), box)
    a = found.solved.actions
    utilities = found.utilities(a)
    low, high = found.limits
    held = (a <= low) | (a >= high)
    more: dict[str, Any] = {f"a:{name}": a[:, i] for i, name in enumerate(game.names)}
    more |= {f"U:{name}": utilities[:, i] for i, name in enumerate(game.names)}
    more |= {"mean action": a.mean(1), "V": found.value_created(a), "converged": found.solved.converged}
    more["binding"] = [" ".join(name for name, at in zip(game.names, row, strict=True) if at) for row in held]
    more["certificate"] = found.gains(tell)
    return pd.concat([frame.reset_index(drop=True), pd.DataFrame(more)], axis=1)


def grid(values: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """All combinations of the values: a row each."""
    return pd.DataFrame(list(product(*values.values())), columns=list(values), dtype=float)
