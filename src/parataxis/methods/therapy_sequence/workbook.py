"""A model as an Excel workbook, in and out, and results as one.

Sheets of a model: `model` (key, value), `lines` (a row a drug and line), `strategies`, `settings`, `targets`, `after`
(payoffs of single strategies after all lines), `parameters`, and `curves` (a column a curve, a row a cycle; a column
`cycle`, if there is one, says which). A key with a dot is a key in a table, as in TOML; lists have semicolons.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.therapy_sequence.curve_files import places_by_cycle

TEXTS = ("drugs", "what")
LISTS = ("thresholds", "each", "cost_cycles", "utility_cycles", *TEXTS)
SHEETS = ("model", "lines", "strategies")
TABLES = ("drug", "strategy", "settings", "target", "parameter")  # what is no row of the sheet `model`


def write_sheets(path: Path, sheets: Mapping[str, pd.DataFrame]) -> Path:
    """A workbook of tables, whole or not at all."""
    stream = io.BytesIO()
    with pd.ExcelWriter(stream, engine="openpyxl") as writer:
        for name, table in zip(_titles(list(sheets)), sheets.values(), strict=True):
            table.to_excel(writer, sheet_name=name, index=False)
            sheet = writer.sheets[name]
            sheet.freeze_panes = "A2"
            for column, head in enumerate(table.columns, 1):
                letter = sheet.cell(1, column).column_letter
                sheet.column_dimensions[letter].width = min(max(len(str(head)) + 2, 10), 40)
    return write_atomic(path, stream.getvalue())


def _titles(names: list[str]) -> list[str]:
    """As Excel takes them: without some signs, of 31 characters, each another."""
    found: list[str] = []
    for name in names:
        title = re.sub(r"[\\/*?:\[\]]", "-", name)[:31]
        while title.lower() in [each.lower() for each in found]:
            title = f"{title[:27]} {len(found) + 1}"
        found.append(title)
    return found


# -- a model in ----------------------------------------------------------------------------------------------------


def read_workbook(path: Path) -> dict[str, Any]:
    """The table that the same model's TOML file would give."""
    try:
        sheets = pd.read_excel(path, sheet_name=None, engine="openpyxl")
    except OSError as error:
        raise BadInput(f"{path.name}: can't be read: {error.strerror}") from None
    except (ValueError, KeyError, ImportError) as error:
        raise BadInput(f"{path.name}: is no Excel workbook: {str(error).splitlines()[0]}") from None
    except Exception as error:
        if type(error).__name__ not in ("BadZipFile", "InvalidFileException"):
            raise
        raise BadInput(f"{path.name}: is no Excel workbook (.xlsx)") from None
    for name in SHEETS:
        if name not in sheets:
            raise BadInput(f"{path.name}: no sheet {name!r}; there: {', '.join(sheets)}")
    curves = sheets.get("curves", pd.DataFrame()).dropna(how="all")
    curves = curves.iloc[places_by_cycle(curves, f"{path.name}: sheet 'curves', row ")]
    model: dict[str, Any] = {}
    for row in _rows(sheets["model"], path, "model", ("key",)):
        _put(model, row["key"], row.get("value", ""), curves, f"{path.name}: sheet 'model': ")
    model["drug"] = _drugs(_rows(sheets["lines"], path, "lines", ("drug", "line")), curves, path)
    model["strategy"] = [
        _nested(row, curves, path) for row in _rows(sheets["strategies"], path, "strategies", ("name", "drugs"))
    ]
    for sheet, key, needed in (("targets", "target", "strategy"), ("parameters", "parameter", "what")):
        if sheet in sheets:
            model[key] = [_nested(row, curves, path) for row in _rows(sheets[sheet], path, sheet, (needed,))]
    if "after" in sheets:
        rows = _rows(sheets["after"], path, "after", ("strategy",))
        model.setdefault("extensive", {})["own"] = [_nested(each, curves, path) for each in rows]
    for row in _rows(
        sheets.get("settings", pd.DataFrame(columns=["setting", "strategy"])), path, "settings", ("setting", "strategy")
    ):
        own = {key: value for key, value in row.items() if key not in ("setting", "strategy")}
        model.setdefault("settings", {}).setdefault(row["setting"], {})[row["strategy"]] = own
    return model


def _rows(table: pd.DataFrame, path: Path, sheet: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    """Each row's filled cells."""
    for column in needed:
        if column not in table:
            raise BadInput(f"{path.name}: sheet {sheet!r}: no column {column!r}; there: {', '.join(map(str, table))}")
    rows = table.to_dict("records")
    found = [{str(key): value for key, value in row.items() if not pd.isna(value)} for row in rows]
    for place, row in enumerate(found, 2):
        if row and (missing := [each for each in needed if each not in row]):
            raise BadInput(f"{path.name}: sheet {sheet!r}, row {place}: {missing[0]} is empty")
    return [row for row in found if row]


def _drugs(rows: list[dict[str, Any]], curves: pd.DataFrame, path: Path) -> list[dict[str, Any]]:
    drugs: dict[str, dict[str, Any]] = {}
    for row in rows:
        identity = str(row.pop("drug"))
        drug = drugs.setdefault(identity, {"id": identity, "line": []})
        if row.pop("line") != len(drug["line"]) + 1:
            raise BadInput(f"{path.name}: sheet 'lines', drug {identity!r}: expected its lines in order, from 1")
        if "name" in row:
            drug["name"] = row.pop("name")
        drug["line"].append(_nested(row, curves, path))
    return list(drugs.values())


def _nested(row: dict[str, Any], curves: pd.DataFrame, path: Path) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in row.items():
        _put(table, key, value, curves, f"{path.name}: ")
    return table


def _put(table: dict[str, Any], key: str, value: Any, curves: pd.DataFrame, where: str) -> None:
    *steps, last = str(key).split(".")
    for step in steps:
        table = table.setdefault(step, {})
    if last in LISTS:
        cells = str(value).split(";")
        table[last] = [each.strip() if last in TEXTS else _number(each, f"{where}{key}") for each in cells]
    elif last == "values":
        if value not in curves:
            raise BadInput(
                f"{where}{key}={value!r}: no such column in sheet 'curves'; there: {', '.join(map(str, curves))}"
            )
        table[last] = _curve(curves[value], f"{where}{key}={value!r}: ")
    else:
        table[last] = value.item() if hasattr(value, "item") else value


def _curve(column: pd.Series, where: str) -> list[float]:
    """Down to the last filled cell."""
    filled = column.notna().to_numpy().nonzero()[0]
    cells = column.iloc[: filled[-1] + 1].tolist() if len(filled) else []
    for row, cell in zip(column.index + 2, cells, strict=False):
        if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != cell:
            raise BadInput(f"{where}sheet 'curves', row {row}: {cell!r}: expected a number in every cell of a curve")
    return [float(each) for each in cells]


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{where}: {text!r} is no number; lists have semicolons between") from None


# -- a model out ---------------------------------------------------------------------------------------------------


def model_sheets(table: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The sheets of a model's table (as read from TOML); `read_workbook` gives the table back."""
    curves: dict[str, list[float]] = {}
    top = {key: value for key, value in table.items() if key not in TABLES}
    single = top.get("extensive", {}).get("own", [])
    top["extensive"] = {key: value for key, value in top.get("extensive", {}).items() if key != "own"}
    rows = _flat(top, "", curves)
    sheets = {"model": pd.DataFrame({"key": list(rows), "value": list(rows.values())})}
    lines = []
    for drug in table.get("drug", []):
        for place, line in enumerate(drug["line"], 1):
            own = _flat(line, f"{drug['id']}{place} ", curves)
            lines.append({"drug": drug["id"], "name": drug.get("name", ""), "line": place, **own})
    sheets["lines"] = pd.DataFrame(lines)
    sheets["strategies"] = pd.DataFrame([_flat(each, "", curves) for each in table.get("strategy", [])])
    settings = [
        {"setting": name, "strategy": strategy, **own}
        for name, kept in table.get("settings", {}).items()
        for strategy, own in kept.items()
    ]
    sheets["settings"] = pd.DataFrame(settings, columns=None if settings else ["setting", "strategy"])
    for key in ("target", "parameter"):
        if table.get(key):
            sheets[f"{key}s"] = pd.DataFrame([_flat(each, "", curves) for each in table[key]])
    if single:
        sheets["after"] = pd.DataFrame([_flat(each, "", curves) for each in single])
    longest = max(map(len, curves.values()), default=0)
    columns = {name: [*values, *[None] * (longest - len(values))] for name, values in curves.items()}
    sheets["curves"] = pd.DataFrame({"cycle": range(1, longest + 1), **columns})
    return sheets


def _flat(table: Mapping[str, Any], prefix: str, curves: dict[str, list[float]], path: str = "") -> dict[str, Any]:
    """By dotted key. prefix: of the names that curves get."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, prefix, curves, f"{path}{key}.")
        elif key == "values":
            name = f"{prefix}{path.rstrip('.')}"
            curves[name] = list(value)
            found[path + key] = name
        else:
            found[path + key] = "; ".join(map(str, value)) if isinstance(value, list) else value
    return found


def inputs_table(parts: Any) -> pd.DataFrame:
    """All that a model holds, for the record of its results: columns input, value."""
    return pd.DataFrame(list(_leaves(asdict(parts), "")), columns=["input", "value"])


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Tables by name, lists of tables by number from 1, lists of numbers in one cell."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple) and any(isinstance(each, Mapping) for each in node):
        for place, each in enumerate(node, 1):
            yield from _leaves(each, f"{path}[{place}]")
    elif node is not None and node != ():
        yield path, "; ".join(map(str, node)) if isinstance(node, list | tuple) else node
