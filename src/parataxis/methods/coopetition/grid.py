"""The game on a grid of actions, for solvers of finite games: pygambit, nashpy. Both need the extra `games`."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game

BOX = (0.01, 100.0)
MOST = 20_000_000  # entries of all payoff tables


def points(grid: int | Sequence[float]) -> Float[np.ndarray, " action"]:
    """So many actions evenly from 0.01 to 100, or those given. Raises BadInput."""
    found = np.linspace(*BOX, grid) if isinstance(grid, int) else np.asarray(grid, float)
    if len(found) < 2 or np.any(found < 0) or np.any(np.diff(found) <= 0):
        raise BadInput(f"grid={grid}: expected two or more actions that rise, none below 0")
    return found


def tables(game: "Game", grid: int | Sequence[float]) -> list[Any]:
    """Each actor's utility at every combination of actions; an axis an actor. Raises BadInput."""
    x, n = points(grid), len(game.names)
    if n * len(x) ** n > MOST:
        raise BadInput(f"grid={len(x)}: {n} tables of {len(x)}^{n} entries; take fewer actions")
    everything = np.stack(np.meshgrid(*[x] * n, indexing="ij"), axis=-1)
    utilities = game.utilities(everything)
    return [np.ascontiguousarray(utilities[..., i]) for i in range(n)]


def nfg(game: "Game", grid: int | Sequence[float] = 51) -> str:
    """The game in Gambit's format for strategic form; strategies are labelled by their actions."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    labels = " ".join(quoted(repr(float(action))) for action in points(grid))
    players = " ".join(quoted(name) for name in game.names)
    head = [f'NFG 1 R "coopetition" {{ {players} }}', "{ " + f"{{ {labels} }} " * len(game.names) + "}", '""']
    # the first player's strategy changes fastest, and each outcome has all players' utilities
    by_outcome = np.stack([table.ravel(order="F") for table in tables(game, grid)], axis=1)
    return "\n".join([*head, " ".join(map(repr, by_outcome.ravel().tolist()))]) + "\n"


def to_gambit(game: "Game", grid: int | Sequence[float] = 51) -> Any:
    """A pygambit.Game in strategic form."""
    try:
        import pygambit
    except ModuleNotFoundError:
        raise BadInput("to_gambit: needs pygambit, which is not installed; pip install 'parataxis[games]'") from None
    return pygambit.read_nfg(io.StringIO(nfg(game, grid)))


def to_nashpy(game: "Game", grid: int | Sequence[float] = 51) -> Any:
    """A nashpy.Game of two actors."""
    if len(game.names) != 2:
        raise BadInput(f"to_nashpy: {len(game.names)} actors; nashpy has games of two")
    try:
        import nashpy
    except ModuleNotFoundError:
        raise BadInput("to_nashpy: needs nashpy, which is not installed; pip install 'parataxis[games]'") from None
    return nashpy.Game(*tables(game, grid))
