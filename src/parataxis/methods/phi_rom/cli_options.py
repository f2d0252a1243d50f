"""The options that several of the commands take, and how they print."""

import json
import math
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from parataxis.errors import BadInput


class DecoderName(StrEnum):
    """A multiplicative filter network, or one of sines."""

    mfn = "mfn"
    sine = "sine"


class PriorName(StrEnum):
    """What is known of a latent before the observation."""

    none = "none"
    gaussian = "gaussian"


Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `fit` wrote.")]
Observations = Annotated[
    Path,
    typer.Argument(
        metavar="OBSERVATIONS", help="A .csv, a row a sensor: x, y, z and the channels; or NetCDF, its first time."
    ),
]
Prior = Annotated[PriorName, typer.Option(help="gaussian: the latents of training. Fewer values than latents will do.")]
Stepper = Annotated[
    float | None, typer.Option(metavar="DT", help="The solver gives u after DT, not du/dt.", show_default=False)
]
Steps = Annotated[int, typer.Option(min=1, help="Of the optimiser.")]
Adaptive = Annotated[bool, typer.Option("--adaptive", help="Steps chosen by their error.")]
Seed = Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def widths(text: str) -> tuple[int, ...]:
    """Of hidden layers, with commas."""
    parts = text.split(",")
    if not all(each.strip().isdecimal() and int(each) >= 1 for each in parts):
        raise BadInput(f"--dynamics {text}: expected widths of hidden layers, as in 64,64,64")
    return tuple(int(each) for each in parts)


def json_text(report: Any) -> str:
    """null where a number is not finite, for which JSON has no word."""
    return json.dumps(_sayable(report), indent=1, allow_nan=False)


def _sayable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sayable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Warnings(warnings.catch_warnings):
    """Ours are kept, and said on stderr in a line each; where it ends in an error, that line is all."""

    def __init__(self) -> None:
        super().__init__(record=True)
        self.texts: list[str] = []

    def __enter__(self) -> Any:
        self._caught: Any = super().__enter__()
        warnings.simplefilter("always", UserWarning)
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for each in self._caught if error[0] is None else ():
            if str(each.message) not in self.texts:
                self.add(str(each.message))

    def add(self, text: str) -> None:
        self.texts.append(text)
        print(f"parataxis: warning: {text}", file=sys.stderr)
