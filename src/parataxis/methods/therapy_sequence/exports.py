"""The tables that people type or digitizing programs write: curves as points, and numbers at risk.

DigitizeIt (tab or semicolon, decimal commas, a row number), WebPlotDigitizer (two columns without a heading, or
`name,,name,` over `X,Y,X,Y`), Engauge (`x,Curve1,Curve2`, or a block a curve) and PlotDigitizer (words above the
points) are told apart by what stands in the file, not by its name.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput

ROW_NUMBER = ("", "id", "k", "no", "n", "row", "index", "point", "interval")
TIMES = ("trisk", "t.risk", "time", "t", "x", "months", "days", "weeks", "years")
NUMBERS = ("nrisk", "n.risk", "n", "at_risk", "at risk", "number", "y")

Cells = list[str]


@dataclass(frozen=True)
class Block:
    """Lines of numbers under one heading; lines: where each stands in the file, from 1."""

    heading: tuple[Cells, ...]
    lines: list[int]
    rows: list[list[float]]


def read_points(path: Path | str, name: str | None = None) -> tuple[list[int], Float[np.ndarray, "point 2"]]:
    """The points of one curve as the file has them, and the line of each. name: needed where there are several."""
    path = Path(path)
    found: dict[str, tuple[list[int], np.ndarray]] = {}
    for block in _blocks(path):
        for each, (lines, points) in _curves(block, path).items():
            found[each if each not in found else f"{each} {len(found) + 1}"] = (lines, points)
    if not found:
        raise BadInput(f"{path}: holds no points; expected two numbers a line, time and survival")
    if name is None and len(found) > 1:
        raise BadInput(f"{path}: holds {len(found)} curves; choose one: --curve {' or '.join(map(repr, found))}")
    if name is not None and name not in found:
        raise BadInput(f"{path}: curve={name!r}: no such curve; there: {', '.join(map(repr, found))}")
    return found[name if name is not None else next(iter(found))]


def read_at_risk(path: Path | str) -> Float[np.ndarray, "row 2"]:
    """Times and numbers at risk: the columns named so (`trisk`, `nrisk`; `time`, `n`), else the only two."""
    path = Path(path)
    blocks = _blocks(path, gaps=True)
    if not blocks:
        raise BadInput(f"{path}: holds no numbers; expected a time and a number at risk in each line")
    block = blocks[0]
    heading = [each.strip().strip('"').lower() for each in block.heading[-1]] if block.heading else []
    time = next((heading.index(each) for each in TIMES if each in heading), None)
    number = next((heading.index(each) for each in NUMBERS if each in heading and heading.index(each) != time), None)
    if time is None or number is None:
        columns = _without_row_number(heading, block.rows)
        if len(columns) != 2:
            there = ", ".join(map(repr, heading)) or f"{len(block.rows[0])} columns without names"
            raise BadInput(f"{path}: expected columns 'time' and 'n'; there: {there}")
        time, number = columns
    for line, row in zip(block.lines, block.rows, strict=True):
        if max(time, number) >= len(row) or math.isnan(row[time] + row[number]):
            raise BadInput(f"{path}:{line}: expected a time and a number at risk; fill them in, or drop the line")
    return np.array([[row[time], row[number]] for row in block.rows])


def _curves(block: Block, path: Path) -> dict[str, tuple[list[int], Float[np.ndarray, "point 2"]]]:
    """Each curve of a block by its name: pairs of columns under X,Y,X,Y, else one x and a column a curve."""
    names = [each.strip().strip('"') for each in block.heading[-1]] if block.heading else []
    columns = _without_row_number([each.lower() for each in names], block.rows)
    width = len(columns)
    if width < 2:
        raise BadInput(f"{path}:{block.lines[0]}: one number in the line; expected time and survival")
    paired = width % 2 == 0 and width > 2 and [each.lower() for each in names] == ["x", "y"] * (width // 2)
    pairs = list(zip(columns[::2], columns[1::2], strict=False))
    if paired and len(block.heading) > 1:
        titles = [each.strip().strip('"') for each in block.heading[-2]]
        called = [titles[x] if x < len(titles) and titles[x] else f"curve {x // 2 + 1}" for x, _ in pairs]
    elif paired:
        called = [f"curve {place + 1}" for place in range(len(pairs))]
    else:
        pairs = [(columns[0], each) for each in columns[1:]]
        called = [
            names[y] if y < len(names) and names[y] else f"curve {place + 1}" for place, (_, y) in enumerate(pairs)
        ]
    found = {}
    for title, (x, y) in zip(called, pairs, strict=True):
        lines, points = [], []
        for line, row in zip(block.lines, block.rows, strict=True):
            padded = [*row, *[math.nan] * (max(x, y) + 1 - len(row))]
            if math.isnan(padded[y]) and (math.isnan(padded[x]) or (not paired and width > 2)):
                continue  # this curve is shorter than another, or has no point at the other's time
            if math.isnan(padded[x]) or math.isnan(padded[y]):
                raise BadInput(f"{path}:{line}: a point has two numbers, time and survival; fill in or drop the line")
            lines.append(line)
            points.append((padded[x], padded[y]))
        if points:
            found[title] = (lines, np.array(points, float))
    return found


def _without_row_number(heading: Cells, rows: list[list[float]]) -> list[int]:
    """The places of the columns but for a leading 1, 2, 3, ... that is named as such, or not at all."""
    width = max(map(len, rows))
    counts = [row[0] for row in rows] == list(range(1, len(rows) + 1))
    numbered = width > 2 and counts and (not heading or heading[0] in ROW_NUMBER)
    return list(range(int(numbered), width))


def _blocks(path: Path, gaps: bool = False) -> list[Block]:
    """The blocks of numbers of a file. gaps: words may stand in a row beside its numbers; they are no numbers."""
    lines = _lines(path)
    mark = max(("\t", ";", ",", None), key=lambda each: sum(_is_row(_split(line, each), gaps) for line in lines))
    blocks: list[Block] = []
    heading: list[Cells] = []
    for place, line in enumerate(lines, 1):
        cells = _split(line, mark)
        if not any(cells) or line.lstrip().startswith(("#", "%")):
            continue
        if not _is_row(cells, gaps):
            if any(map(_number_or_none, cells)) and not heading and blocks:
                wrong = next(each for each in cells if each and _number_or_none(each) is None)
                raise BadInput(f"{path}:{place}: {wrong!r} is not a number; mend or drop the line")
            heading.append(cells)
            continue
        if heading or not blocks:
            blocks.append(Block(tuple(heading), [], []))
            heading = []
        blocks[-1].lines.append(place)
        blocks[-1].rows.append(
            [number if (number := _number_or_none(each)) is not None else math.nan for each in cells]
        )
    return blocks


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not text; export the points as CSV or text") from None
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None


def _split(line: str, mark: str | None) -> Cells:
    return [each.strip() for each in line.split(mark)]


def _is_row(cells: Cells, gaps: bool) -> bool:
    numbers = [_number_or_none(each) for each in cells if each]
    told = [each for each in numbers if each is not None]
    return len(told) >= 2 and (gaps or len(told) == len(numbers))


def _number_or_none(text: str) -> float | None:
    """A number, with a point or a comma; a share in percent as it stands. Words for "not a number" are words."""
    try:
        value = float(text.strip('"').removesuffix("%").replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
