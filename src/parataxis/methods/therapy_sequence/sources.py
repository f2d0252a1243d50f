"""Where a model's numbers are from: the table of its inputs, and what it leaves unsaid."""

from typing import Any

import pandas as pd

from parataxis.methods.therapy_sequence.inputs import Input, inputs
from parataxis.methods.therapy_sequence.model_file import ModelFile

TOLD = 3  # inputs that a note names
COLUMNS = ("input", "value", "distribution", "standard error", "price year", "source")


def source_table(parts: ModelFile, blank: str = "") -> pd.DataFrame:
    """A row an input: its value, its distribution with the standard error, the year of a price, and its source (or
    `blank`). A price's conversion stands with its source.
    """
    rows = dict.fromkeys(_row(each, parts, blank) for each in inputs(parts))  # one price in two lines is told once
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def _row(found: Input, parts: ModelFile, blank: str) -> tuple[Any, ...]:
    place, entry = found.place, found.entry
    year = price_year(found, parts)
    told = "; ".join(filter(None, [entry.source, entry.conversion and f"converted: {entry.conversion}"]))
    value = "curve" if place.kind == "curve" else f"{place.value:g}"
    distribution = "patients drawn again" if _is_drawn(found, parts) else found.distribution
    return place.name, value, distribution, f"{found.sd:.4g}" if found.sd else "", str(year or ""), told or blank


def price_year(found: Input, parts: ModelFile) -> int:
    """Of a cost: its own, else the model's; 0 where there is none."""
    return (found.entry.price_year or parts.price_year) if found.place.kind == "cost" else 0


def _is_drawn(found: Input, parts: ModelFile) -> bool:
    place = found.place
    if place.kind != "curve" or place.drug is None or place.line is None:
        return False
    lines = next(each.lines for each in parts.drugs if each.id == place.drug)
    return lines[place.line - 1].patients is not None


def unsaid(parts: ModelFile) -> list[str]:
    """Notes: inputs without a source, costs without a year, prices of another year that nobody converted."""
    known = list({each.place.name: each for each in inputs(parts)}.values())
    notes = []
    if bare := [each.place.name for each in known if not each.entry.source]:
        notes.append(f"{len(bare)} of {len(known)} inputs have no source ({_some(bare)}): name it in a [[parameter]]")
    costs = [each for each in known if each.place.kind == "cost"]
    if bare := [each.place.name for each in costs if not price_year(each, parts)]:
        notes.append(f"{len(bare)} costs have no year ({_some(bare)}): give price_year")
    old = [each for each in costs if parts.price_year and price_year(each, parts) != parts.price_year]
    if bare := [f"{each.place.name}, {each.entry.price_year}" for each in old if not each.entry.conversion]:
        notes.append(f"prices of another year than {parts.price_year} ({_some(bare)}): say how in conversion")
    return notes


def _some(names: list[str]) -> str:
    return "; ".join(names[:TOLD]) + (f"; {len(names) - TOLD} more" if len(names) > TOLD else "")


def sources_of(parts: ModelFile, *kinds: str) -> str:
    """All that are told of inputs of these kinds, once each."""
    return "; ".join(
        dict.fromkeys(each.entry.source for each in inputs(parts) if each.place.kind in kinds and each.entry.source)
    )
