"""Tables for a terminal and for JSON."""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Rows of cells in columns two blanks apart. right: the places of columns that are pushed to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def aligned_frame(table: "pd.DataFrame") -> str:
    """Numbers to the right, with four decimals below 1,000 and none above; what is not there is blank."""
    rows = [list(map(str, table.columns)), *(list(map(_told, row)) for row in table.itertuples(index=False))]
    return aligned(rows, {place for place, kind in enumerate(table.dtypes) if kind.kind in "fi"})


def _told(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
    return "" if value is None else str(value)


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """For JSON: a row an object, in which what is no finite number is null."""
    return [
        {str(name): None if isinstance(each, float) and not math.isfinite(each) else each for name, each in row.items()}
        for row in table.to_dict("records")
    ]
