"""The options that several of the commands take, and what they do with them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from parataxis.methods.coopetition.dependencies import Dependencies
    from parataxis.methods.coopetition.game import Game


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
Theta = Annotated[float, typer.Option(help="Of the logarithm.")]
Beta = Annotated[float, typer.Option(help="Of the power.")]
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
    from parataxis.errors import BadInput

    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise BadInput(f"{option}={text!r}: expected numbers with commas between") from None


def box_of(text: str) -> Any:
    from parataxis.errors import BadInput

    if text in ("endowment", "none"):
        return text if text == "endowment" else None
    ends = numbers(text, "--box")
    if len(ends) != 2:
        raise BadInput(f"--box={text!r}: expected low,high, or endowment, or none")
    return tuple(ends)


def shares_of(given: list[str], names: tuple[str, ...]) -> list[float]:
    """What is told, and for the others equal parts of what is left."""
    from parataxis.errors import BadInput
    from parataxis.methods.coopetition.interdependence import place_of

    told: dict[int, float] = {}
    for each in given:
        name, sign, share = each.rpartition("=")
        if not sign:
            raise BadInput(f"--alpha={each!r}: expected NAME=SHARE")
        (told[place_of(name, names)],) = numbers(share, "--alpha")[:1]
    left = 1 - sum(told.values())
    rest = len(names) - len(told)
    if left < -1e-9 or (not rest and abs(left) > 1e-9):
        raise BadInput(f"--alpha: shares sum to {1 - left:g}; expected 1")
    return [told.get(i, max(left, 0.0) / max(rest, 1)) for i in range(len(names))]


def opened(
    path: Path,
    normalise: Normalise,
    value: ValueName,
    gamma: float | None,
    theta: float,
    beta: float,
    alpha: list[str] | None,
    endowment: float,
    synergy: str,
) -> "tuple[Game, Dependencies | None]":
    """The game of a model as the options ask for it, and its dependencies, where the file has them."""
    from parataxis.methods.coopetition.cases import FORMS
    from parataxis.methods.coopetition.game import Game
    from parataxis.methods.coopetition.reading import read
    from parataxis.methods.coopetition.values import SYNERGIES, Log, Power

    found, dependencies = read(path, normalise.value)
    form = Log(theta) if value is ValueName.log else Power(beta)
    shares = shares_of(alpha, found.names) if alpha else None
    complement = FORMS[value.value][1] if gamma is None else gamma
    how = synergy if synergy in SYNERGIES or synergy[:1].isalpha() else tuple(numbers(synergy, "--synergy"))
    return Game(found, shares, endowment, form, complement, how), dependencies
