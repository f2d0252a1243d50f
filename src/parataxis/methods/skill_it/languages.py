"""Texts by skill, and a small character model of them: the next character from the ones before it."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from parataxis.errors import BadInput
from parataxis.methods.skill_it.clauses import answer_losses
from parataxis.methods.skill_it.tasks import Rows, Task

CONTEXT = 8  # characters that are looked back on
HELD_OUT = 0.2  # of the lines: half for the records, half for the report
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Line:
    """A text of a skill. part: train, validation (what graph and controller see), or test."""

    skill: str
    part: str
    text: str


def read_lines(
    path: Path, *, skill_column: str = "skill", text_column: str = "text", part_column: str = "split"
) -> list[Line]:
    """Rows of a .jsonl, .jsonl.gz or .csv file. Where no part is given, by a hash of the text: so that equal texts fall
    into the same one. Where none is `test`, half of `validation` is, by that hash as well. Raises BadInput."""
    found = []
    for place, row in _rows(path):
        for column in (skill_column, text_column):
            if column not in row:
                raise BadInput(f"{path}:{place}: no column {column!r}; there: {', '.join(map(str, row))}")
            if not isinstance(row[column], str) or not row[column]:
                raise BadInput(f"{path}:{place}: {column}={row[column]!r}: expected a text")
        part = str(row.get(part_column) or "")
        if part not in ("", *PARTS):
            raise BadInput(f"{path}:{place}: {part_column}={part!r}: expected one of {', '.join(PARTS)}")
        found.append(Line(row[skill_column], part or part_of(row[text_column]), row[text_column]))
    if not found:
        raise BadInput(f"{path}: holds no row")
    return found if any(line.part == "test" for line in found) else with_test(found)


def part_of(text: str) -> str:
    """Train or validation, by a hash: the same for equal texts."""
    return "train" if _luck(text, "part") >= HELD_OUT else "validation"


def with_test(lines: Sequence[Line]) -> list[Line]:
    """Half of the validation texts, by a hash, test instead."""
    return [
        replace(line, part="test") if line.part == "validation" and _luck(line.text, "test") < 0.5 else line
        for line in lines
    ]


def _luck(text: str, what: str) -> float:
    """From 0 to below 1, the same for equal texts."""
    return int.from_bytes(hashlib.sha256(f"{what}\0{text}".encode()).digest()[:6]) / 2**48


def _rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    """Line numbers and rows."""
    kind = [each for each in path.suffixes if each != ".gz"][-1:]
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            if kind == [".csv"]:
                yield from enumerate(csv.DictReader(stream), 2)
                return
            if kind != [".jsonl"]:
                raise BadInput(f"{path}: expected a .jsonl, .jsonl.gz or .csv file")
            for place, line in enumerate(stream, 1):
                if line.strip():
                    yield place, _object(path, place, line)
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8: {error}") from None


def _object(path: Path, place: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{place}: is not JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise BadInput(f"{path}:{place}: expected an object with skill and text")
    return row


class CharacterModel(nn.Module):
    """Embeddings of the characters before, two hidden layers, the logits of the next."""

    def __init__(self, characters: int, context: int = CONTEXT, width: int = 24, hidden: int = 192) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        self.layers = nn.Sequential(nn.Linear(context * width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())
        self.head = nn.Linear(hidden, characters)
        nn.init.zeros_(self.head.weight)  # so that the first loss is that of knowing nothing
        nn.init.zeros_(self.head.bias)

    def forward(self, before: Int[Tensor, "row place"]) -> Float[Tensor, "row character"]:
        return self.head(self.layers(self.embed(before.long()).flatten(1)))


def character_task(
    lines: Sequence[Line],
    *,
    limit: Mapping[str, int] | None = None,
    validation: int = 3000,
    context: int = CONTEXT,
    hidden: int = 192,
) -> Task:
    """An example is a character of a line with those before it in the line.

    limit: for skills that are to be scarce, how many training characters there are. validation: how many characters of
    each skill validate, and as many test; from all lines alike. Raises BadInput for a skill without text in a part.
    """
    alphabet = {each: at for at, each in enumerate(sorted({each for line in lines for each in line.text}), 1)}
    skills = sorted({line.skill for line in lines})
    parts: dict[str, dict[str, Rows]] = {part: {} for part in PARTS}
    x, y, start = [], [], 0
    for skill in skills:
        for part in PARTS:
            texts = [line.text for line in lines if line.skill == skill and line.part == part]
            if not texts:
                raise BadInput(f"skill {skill!r}: has no text in the part {part!r}; give it more rows")
            before, after = _examples(texts, alphabet, context)
            wanted = (limit or {}).get(skill, len(after)) if part == "train" else validation
            if part != "train" and wanted < len(after):
                even = np.linspace(0, len(after) - 1, wanted).astype(int)
                before, after = before[even], after[even]
            before, after = before[:wanted], after[:wanted]
            parts[part][skill] = np.arange(start, start + len(after))
            start += len(after)
            x.append(before)
            y.append(after)
    return Task(
        "languages",
        torch.from_numpy(np.concatenate(x)),
        torch.from_numpy(np.concatenate(y).astype(np.int64)),
        parts["train"],
        parts["validation"],
        lambda: CharacterModel(len(alphabet) + 1, context, hidden=hidden),
        answer_losses,
        parts["test"],
    )


def _examples(
    texts: Sequence[str], alphabet: Mapping[str, int], context: int
) -> tuple[Int[np.ndarray, "row place"], Int[np.ndarray, " row"]]:
    """0 stands before the first character of a line."""
    codes = np.concatenate([np.array([0] * context + [alphabet[each] for each in text], np.int16) for text in texts])
    windows = np.lib.stride_tricks.sliding_window_view(codes, context + 1)
    windows = windows[windows[:, -1] != 0]
    return windows[:, :-1].copy(), windows[:, -1]
