"""The published cases: two actors each, shares and who depends on whom."""

from dataclasses import dataclass

import numpy as np

from parataxis.errors import BadInput
from parataxis.methods.coopetition.game import Game
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.values import Log, Power, Value

FORMS: dict[str, tuple[Value, float]] = {"log": (Log(20.0), 0.65), "power": (Power(0.75), 0.5)}  # with their gamma


@dataclass(frozen=True)
class Case:
    """first_on_second: how much the first actor depends on the second, D[0, 1]."""

    name: str
    title: str
    actors: tuple[str, str]
    alpha: tuple[float, float]
    first_on_second: float
    second_on_first: float

    @property
    def interdependence(self) -> Interdependence:
        return Interdependence(self.actors, np.array([[0.0, self.first_on_second], [self.second_on_first, 0.0]]))

    def game(self, form: str = "log", transposed: bool = False) -> Game:
        """form: "log" or "power", as published. transposed: with the direction read the other way round, as the
        authors' suite did until February 2026.
        """
        if form not in FORMS:
            raise BadInput(f"form={form!r}: expected {', '.join(map(repr, FORMS))}")
        value, gamma = FORMS[form]
        matrix = self.interdependence.transposed() if transposed else self.interdependence
        return Game(matrix, self.alpha, value=value, gamma=gamma)


CASES = {
    each.name: each
    for each in (
        Case("slcd", "S-LCD joint venture", ("Samsung", "Sony"), (0.55, 0.45), 0.64, 0.86),
        Case("symmetric_high", "Symmetric, high", ("first", "second"), (0.5, 0.5), 0.9, 0.9),
        Case("symmetric_medium", "Symmetric, medium", ("first", "second"), (0.5, 0.5), 0.5, 0.5),
        Case("asymmetric", "Strong asymmetry", ("first", "second"), (0.6, 0.4), 0.9, 0.2),
        Case("platform_developer", "Platform and developer", ("platform", "developer"), (0.833, 0.167), 0.1, 0.84),
    )
}


def case(name: str) -> Case:
    """Raises BadInput for a name that is not there."""
    if name not in CASES:
        raise BadInput(f"case={name!r}: expected one of {', '.join(CASES)}")
    return CASES[name]
