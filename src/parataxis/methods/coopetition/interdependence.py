"""The interdependence matrix: how much each actor depends on each other. Rows depend on columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput

ROUNDING = 1e-9  # by which an entry may leave [0, 1], and shares their sum


@dataclass(frozen=True, eq=False)
class Interdependence:
    """names: of the actors. matrix[i, j]: how much i depends on j, in [0, 1]; its diagonal is 0.

    Raises BadInput. The direction can't be checked from the numbers: whoever gives a matrix says what its rows are.
    """

    names: tuple[str, ...]
    matrix: Float[np.ndarray, "depender dependee"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        matrix = np.array(self.matrix, dtype=float)
        n = len(self.names)
        if matrix.shape != (n, n):
            raise BadInput(f"matrix: shape={matrix.shape}: expected ({n}, {n}) for {n} names; give a row a name")
        check_names(self.names)
        for i, j in np.argwhere(~((matrix >= -ROUNDING) & (matrix <= 1 + ROUNDING))):
            raise BadInput(f"D[{self.names[i]!r}, {self.names[j]!r}]={matrix[i, j]:g}: expected a number from 0 to 1")
        for i in np.flatnonzero(np.diag(matrix)):
            raise BadInput(
                f"D[{self.names[i]!r}, {self.names[i]!r}]={matrix[i, i]:g}: expected 0; nobody depends on itself"
            )
        matrix = np.clip(matrix, 0.0, 1.0)
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def of(cls, given: Any) -> "Interdependence":
        """As it is; or of an array D[i, j], whose actors are then called "actor 1" and so on. Raises BadInput."""
        if isinstance(given, cls):
            return given
        try:
            matrix = np.array(given, float)
        except (TypeError, ValueError):
            matrix = np.empty(())
        if matrix.ndim != 2:
            raise BadInput("interdependence: expected an Interdependence, or an array of numbers, actor by actor")
        return cls(tuple(f"actor {at}" for at in range(1, len(matrix) + 1)), matrix)

    @property
    def dependence(self) -> Float[np.ndarray, " actor"]:
        """How much each depends on the others together: sums of rows."""
        return self.matrix.sum(1)

    @property
    def weight(self) -> Float[np.ndarray, " actor"]:
        """How much the others depend on each: sums of columns."""
        return self.matrix.sum(0)

    @property
    def asymmetry(self) -> Float[np.ndarray, "actor actor"]:
        """D - D': above 0 where the row depends more on the column than the column on it."""
        return self.matrix - self.matrix.T

    def frame(self) -> pd.DataFrame:
        """A row a depender, a column a dependee."""
        frame = pd.DataFrame(self.matrix, index=list(self.names), columns=list(self.names))
        return frame.rename_axis(index="depender", columns="dependee")

    def transposed(self) -> "Interdependence":
        """The matrix of whoever read the direction the other way round."""
        return Interdependence(self.names, self.matrix.T)

    def among(self, names: Sequence[str]) -> "Interdependence":
        """The same for these actors, in this order. Raises BadInput for a name that is not there."""
        places = [place_of(name, self.names) for name in names]
        return Interdependence(tuple(names), self.matrix[np.ix_(places, places)])

    def plot(self) -> str:
        """The dependency graph as SVG; the wider an arrow, the more its tail depends on its head."""
        from parataxis.methods.coopetition.plots import graph

        return graph(self)


def check_names(names: Sequence[Any]) -> None:
    """At least two, of text, each once. Raises BadInput."""
    if len(names) < 2:
        raise BadInput(f"actors={list(names)!r}: expected two or more; there is no one to depend on")
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise BadInput(f"actors[{place}]={name!r}: expected a name")
        if name in names[:place]:
            raise BadInput(f"actor {name!r} stands twice; give every actor a name of its own")


def numbers_of(name: str, given: Any, n: int) -> Float[np.ndarray, " actor"]:
    """A finite number an actor. Raises BadInput."""
    try:
        found = np.array(given, float)
    except (TypeError, ValueError):
        found = np.empty(())
    if found.shape != (n,) or not np.all(np.isfinite(found)):
        raise BadInput(f"{name}={given!r}: expected {n} numbers, one an actor")
    return found


def place_of(name: str, names: Sequence[str]) -> int:
    """Raises BadInput, with the names that are there."""
    if name not in names:
        raise BadInput(f"actor {name!r} is not there; expected one of {', '.join(map(repr, names))}")
    return list(names).index(name)
