"""The options that several of the commands take, each written once, and what they do with them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.errors import BadInput

if TYPE_CHECKING:
    from parataxis.methods.coopetition.dependencies import Dependencies
    from parataxis.methods.coopetition.game import Game
    from parataxis.methods.coopetition.values import Value


class ValueName(StrEnum):
    """theta ln(1 + a), or a^beta."""

    log = "log"
    power = "power"


class Normalise(StrEnum):
    """By all that the depender needs, or as the authors' package does, by what the partner provides."""

    all = "all"
    per_partner = "per-partner"


Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="piStar's .json; a table (.csv, .parquet) with the columns depender, dependee, dependum, and if need be "
        "importance, criticality, type; or a matrix whose first column is headed depender (or dependee), for its rows.",
    ),
]
Normalised = Annotated[
    Normalise, typer.Option(help="What a dependence is divided by; `per-partner` as the authors do.")
]
ValueForm = Annotated[ValueName, typer.Option("--value", help="What an investment creates.")]
Gamma = Annotated[
    float | None, typer.Option(help="Complementarity; else 0.65 with log, 0.5 with power.", show_default=False)
]
Theta = Annotated[float | None, typer.Option(help="Of the logarithm; else 20.", show_default=False)]
Beta = Annotated[float | None, typer.Option(help="Of the power; else 0.75.", show_default=False)]
Alpha = Annotated[
    list[str] | None,
    typer.Option(help="NAME=SHARE of the synergy, again for each; the rest share what is left.", show_default=False),
]
Endowment = Annotated[float, typer.Option(help="Of each actor.")]
Synergy = Annotated[str, typer.Option(help="geometric, min, mean, or exponents: .5,.3,.2 in the order of the matrix.")]
Box = Annotated[str, typer.Option(help="Bounds of the actions: low,high, or `endowment`, or `none`.")]
Out = Annotated[Path | None, typer.Option(help="Also written there; its ending decides how.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def numbers(text: str, option: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise BadInput(f"{option}={text!r}: expected numbers with commas between") from None


def box_of(text: str) -> Any:
    if text in ("endowment", "none"):
        return text if text == "endowment" else None
    ends = numbers(text, "--box")
    if len(ends) != 2:
        raise BadInput(f"--box={text!r}: expected low,high, or endowment, or none")
    return tuple(ends)


def page_at(path: Path, option: str) -> None:
    """BadInput for an ending that promises something else than the page."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"{option}={str(path)!r}: a page is written; expected a name that ends in .html")


def shares_of(given: list[str], names: tuple[str, ...]) -> list[float]:
    """What is told, and for the others equal parts of what is left."""
    from parataxis.methods.coopetition.interdependence import place_of

    told: dict[int, float] = {}
    for each in given:
        name, _, share = each.rpartition("=")
        try:
            number = float(share)
        except ValueError:
            raise BadInput(f"--alpha={each!r}: expected NAME=SHARE, a number") from None
        if (place := place_of(name, names)) in told:
            raise BadInput(f"--alpha={each!r}: {name!r} stands twice; give it one share")
        told[place] = number
    left = 1 - sum(told.values())
    rest = len(names) - len(told)
    if left < -1e-9 or (not rest and abs(left) > 1e-9):
        raise BadInput(f"--alpha: shares sum to {1 - left:g}; expected 1")
    return [told.get(i, max(left, 0.0) / max(rest, 1)) for i in range(len(names))]


@dataclass(frozen=True)
class Asked:
    """A model, and the game on it: a field is what stands on the command line."""

    model: Model
    normalise: Normalised = Normalise.all
    value: ValueForm = ValueName.log
    gamma: Gamma = None
    theta: Theta = None
    beta: Beta = None
    alpha: Alpha = None
    endowment: Endowment = 100.0
    synergy: Synergy = "geometric"
    box: Box = "0.01,100"

    @property
    def bounds(self) -> Any:
        return box_of(self.box)

    def opened(self) -> "tuple[Game, Dependencies | None]":
        """The game, and the model's dependencies, where the file has them."""
        from parataxis.methods.coopetition.cases import FORMS
        from parataxis.methods.coopetition.game import Game
        from parataxis.methods.coopetition.reading import read
        from parataxis.methods.coopetition.values import SYNERGIES

        found, dependencies = read(self.model, self.normalise.value)
        shares = shares_of(self.alpha, found.names) if self.alpha else None
        gamma = FORMS[self.value.value][1] if self.gamma is None else self.gamma
        named = self.synergy in SYNERGIES or self.synergy[:1].isalpha()
        how = self.synergy if named else tuple(numbers(self.synergy, "--synergy"))
        return Game(found, shares, self.endowment, self._form(), gamma, how), dependencies

    def _form(self) -> "Value":
        from parataxis.methods.coopetition.values import Log, Power

        form, own, other = (Log, "theta", "beta") if self.value is ValueName.log else (Power, "beta", "theta")
        if getattr(self, other) is not None:
            raise BadInput(f"--{other}={getattr(self, other):g}: --value {self.value.value} has none; it has --{own}")
        given = getattr(self, own)
        return form() if given is None else form(given)


def of_a_game(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is an `Asked`: on the command line its fields stand beside the other options."""
    fields = signature(Asked).parameters
    _, *own = signature(command).parameters.values()

    @wraps(command)
    def called(**given: Any) -> None:
        command(Asked(**{name: given.pop(name) for name in fields}), **given)

    needed_first = sorted([*fields.values(), *own], key=lambda each: each.default is not each.empty)
    vars(called)["__signature__"] = Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in needed_first])
    return called
