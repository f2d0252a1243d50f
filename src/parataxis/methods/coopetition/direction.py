"""Which way round a matrix is: the numbers can't tell, but what would be otherwise can be told."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from parataxis.methods.coopetition.interdependence import Interdependence

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game


COLUMNS = ("one", "other", "one on other", "other on one", "one does", "the other way round", "other does",
           "other, the other way round", "certificate")  # fmt: skip


def exchanged(game: "Game", box: Any) -> pd.DataFrame:
    """Each pair in both orders: what the two do, and what they would with their two dependences exchanged.

    certificate: of both, what moving alone gains at most, over what is allowed, at most 1. Pairs that depend on each
    other alike are left out: nothing tells their order.
    """
    as_is = game.equilibrium(box=box)
    matrix, names = game.interdependence.matrix, game.names
    rows = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            if matrix[i, j] != matrix[j, i]:
                other = matrix.copy()
                other[i, j], other[j, i] = matrix[j, i], matrix[i, j]
                turned = game.replaced(interdependence=Interdependence(names, other)).equilibrium(box=box)
                done = (pair.actions[at] for at in (i, j) for pair in (as_is, turned))
                worst = max(pair.certificate.of_allowed for pair in (as_is, turned))
                numbers = (matrix[i, j], matrix[j, i], *done, worst)
                rows.append([names[i], names[j], *map(float, numbers)])
    return pd.DataFrame(rows, columns=list(COLUMNS))
