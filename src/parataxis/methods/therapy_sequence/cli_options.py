"""The options that several of the commands take, and what they do with them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from parataxis.methods.therapy_sequence.sequence import SequenceModel


class CompatName(StrEnum):
    """The corrected model, or what the authors' code does."""

    corrected = "corrected"
    released = "released"


class CorrectionName(StrEnum):
    """How payoffs at the cycles' ends are summed."""

    none = "none"
    half = "half"
    simpson = "simpson"


class RngName(StrEnum):
    """A stream by patient and cycle, or R's, as set.seed(seed + patient) gives it."""

    philox = "philox"
    R = "R"


class DependenceName(StrEnum):
    """The authors' hazard ratio that falls with the time in the first line, or a Clayton copula."""

    hazard_ratio = "hazard_ratio"
    clayton = "clayton"


ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model: .toml or .xlsx; `template` writes one.")]
Setting = Annotated[
    str | None, typer.Option(help="Which of the model's settings; else its own choice.", show_default=False)
]
Compat = Annotated[CompatName, typer.Option(help="`released` is what the authors' code does.")]
Correct = Annotated[
    list[str] | None,
    typer.Option(help="With --compat released: a behaviour to correct; may be given again.", show_default=False),
]
CycleCorrection = Annotated[CorrectionName, typer.Option(help="Of payoffs at the ends of cycles.")]
Calibrated = Annotated[
    bool, typer.Option("--calibrated", help="The dependence fitted to each target trial, not the setting's.")
]
Dependence = Annotated[DependenceName, typer.Option(help="What --calibrated fits.")]
Seed = Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")]
Orders = Annotated[bool, typer.Option("--orders", help="Every order of all drugs, not the file's strategies.")]
Out = Annotated[Path | None, typer.Option(help="Results as .xlsx, or a folder for .csv.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def opened(
    path: Path,
    setting: str | None = None,
    compat: CompatName = CompatName.corrected,
    correct: list[str] | None = None,
    cycle_correction: CorrectionName = CorrectionName.none,
    calibrated: bool = False,
    dependence: DependenceName = DependenceName.hazard_ratio,
) -> "SequenceModel":
    """The model as the options ask for it."""
    from dataclasses import replace

    from parataxis.methods.therapy_sequence.behaviour import COMPAT
    from parataxis.methods.therapy_sequence.sequence import SequenceModel

    behaviour = COMPAT[compat.value].but(*(correct or []))
    found = SequenceModel.from_file(path, replace(behaviour, cycle_correction=cycle_correction.value), setting)
    return found.calibrated(dependence.value) if calibrated else found


def upright(table: "pd.DataFrame") -> str:
    """A wide table, a line a figure: each error beside what it is of."""
    rows = []
    for row in table.to_dict("records"):
        rows.append(f"{row['strategy']} less {row['against']}")
        for name, value in row.items():
            error = row.get(f"{name}_error")
            if error is not None and value == value:
                digits = 4 if name == "d_qaly" else 0
                needed = row.get(f"{name}_needed", float("nan"))
                more = f"; {needed:,.0f} patients needed" if needed == needed else ""
                rows.append(f"  {name}  {value:,.{digits}f}, s.e. {error:,.{digits}f}{more}")
    return "\n".join(rows)


def write_tables(out: Path, tables: dict[str, "pd.DataFrame"]) -> None:
    """As one workbook, or as CSV files in a folder."""
    from parataxis.files import write_atomic

    if out.suffix.lower() == ".xlsx":
        from parataxis.methods.therapy_sequence.workbook import write_sheets

        write_sheets(out, tables)
        return
    for name, table in tables.items():
        write_atomic(out / f"{name}.csv", table.to_csv(index=False))
