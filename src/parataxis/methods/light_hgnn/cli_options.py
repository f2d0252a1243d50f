"""The options that several of the commands take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class TeacherName(StrEnum):
    """The hypergraph network that teaches."""

    hgnn = "hgnn"
    hgnn_plus = "hgnn+"
    hnhn = "hnhn"
    unigcn = "unigcn"


class ChoiceName(StrEnum):
    """What the student's epoch is chosen by: its labels right, or nearness to the teacher, which needs no label."""

    accuracy = "accuracy"
    divergence = "divergence"


class KlName(StrEnum):
    """The standard divergence, or what the authors' code computes."""

    standard = "standard"
    original = "original"


Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Vertices: a table (.csv, .parquet) with the columns vertex and label (empty or -1: none), every other a "
        "feature; or an .npz that holds hyperedges as well.",
    ),
]
Hyperedges = Annotated[
    Path | None,
    typer.Option(
        help="A table with a row a membership, columns vertex, edge, maybe weight; or HIF (.json).", show_default=False
    ),
]
Teacher = Annotated[TeacherName, typer.Option(help="The hypergraph network that teaches.")]
Plus = Annotated[bool, typer.Option("--plus", help="LightHGNN+: also teach what reliable hyperedges say.")]
Kl = Annotated[KlName, typer.Option(help="The divergence; `original` is what the authors' code computes.")]
Choose = Annotated[
    ChoiceName,
    typer.Option(
        help="What the validation vertices choose the student's epoch by; `divergence` from the teacher needs no label."
    ),
]
Epochs = Annotated[int, typer.Option(min=1, help="Of the teacher, and of the student.")]
Hidden = Annotated[int, typer.Option(min=1, help="Hidden units of the student.")]
Raw = Annotated[bool, typer.Option("--raw", help="Leave the features unscaled; else rows sum to 1.")]
Merge = Annotated[bool, typer.Option("--merge-duplicates", help="Equal hyperedges count once.")]
Seed = Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")]
Device = Annotated[str, typer.Option(help="Where torch trains, as cuda:0; what predicts is NumPy.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The model.npz that `train` wrote, or its folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def model_file(path: Path) -> Path:
    return path / "model.npz" if path.is_dir() else path
