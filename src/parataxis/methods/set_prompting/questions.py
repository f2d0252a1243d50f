"""Multiple-choice questions, and the files that hold them: JSON lines, packed or not, and CSV."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.prompt import MARKERS

READS = (".jsonl", ".jsonl.gz", ".csv")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """answer: the place of the right choice. extra: what else its line held."""

    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    def place(self, choice: int) -> int:
        """The first place of that choice's text: choices that read alike are one."""
        return self.choices.index(self.choices[choice])

    @property
    def key(self) -> int:
        return self.place(self.answer)


def read_questions(path: Path | str, limit: int | None = None) -> list[Question]:
    """The first `limit` questions of a file.

    A JSON line has question, choices and answer: the place of the right choice counted from 0, its text, or its
    letter; or it is one of CommonsenseQA or ARC as these are published. CSV has the same columns, choices as a JSON
    list, or a column a choice, whose names begin with "choice". Raises BadInput with file and line.
    """
    path = Path(path)
    if not path.name.endswith(READS):
        raise BadInput(f"{path}: expected a name that ends with one of {', '.join(READS)}")
    rows = _csv_rows(path, _text(path)) if path.suffix == ".csv" else _json_rows(path, _text(path))
    found: list[Question] = []
    for line, row in rows:
        if limit is not None and len(found) >= limit:
            break
        found.append(_question(row, f"{path}:{line}", str(line)))
    if not found:
        raise BadInput(f"{path}: holds no question")
    return found


def repeated(questions: Sequence[Question]) -> int:
    """How many of them have a choice that stands there twice."""
    return sum(len(set(each.choices)) < len(each.choices) for each in questions)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadInput(f"{path}: is not a whole gzip file: {error}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not text in UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"{path}:{number}: is not JSON: {error.msg} (column {error.colno})") from None
        if not isinstance(row, dict):
            raise BadInput(f"{path}:{number}: holds {type(row).__name__}, expected an object with question and choices")
        yield number, row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    columns = [name for name in reader.fieldnames or () if name.startswith("choice") and name != "choices"]
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(f"{path}:{reader.line_num}: expected {len(reader.fieldnames or ())} cells, as in line 1")
            if columns:
                cells = [row.pop(name) for name in columns]
                while cells and not cells[-1]:  # a question with fewer choices than others
                    cells.pop()
                yield reader.line_num, {**row, "choices": cells}
            else:
                yield reader.line_num, {**row, "choices": _list(row.get("choices"))}
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: is not CSV: {error}") from None


def _list(cell: str | None) -> Any:
    try:
        return json.loads(cell or "null")
    except json.JSONDecodeError:
        return cell


def _unnested(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A line in which the question holds the choices, labelled A, B, C or 1, 2, 3, and the answer is a label."""
    nested = row["question"]
    try:
        labels = [each["label"] for each in nested["choices"]]
        choices = [each["text"] for each in nested["choices"]]
        answer = labels.index(row["answerKey"])
    except (KeyError, TypeError, ValueError):
        raise BadInput(
            f"{where}: question={nested!r}: expected text, or stem and choices with label and text, and one of the "
            "labels as answerKey"
        ) from None
    rest = {name: value for name, value in row.items() if name not in ("question", "answerKey")}
    return {**rest, "question": nested.get("stem"), "choices": choices, "answer": answer}


def _question(row: dict[str, Any], where: str, number: str) -> Question:
    if isinstance(row.get("question"), dict):
        row = _unnested(row, where)
    text, choices = row.get("question"), row.get("choices")
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{where}: question={text!r}: expected text")
    if not isinstance(choices, list) or len(choices) < 2:
        raise BadInput(f"{where}: choices={choices!r}: expected a list of two texts or more; drop the line")
    for place, choice in enumerate(choices):
        if not isinstance(choice, str) or not choice.strip():
            raise BadInput(f"{where}: choices[{place}]={choice!r}: expected text that is not empty; drop the choice")
    for place, each in enumerate((text, *choices)):
        name = f"choices[{place - 1}]" if place else "question"
        marker = next((mark for mark in MARKERS if mark in each), None)
        if marker:
            raise BadInput(f"{where}: {name}: holds {marker}, the mark of a set; take it out")
    extra = {key: value for key, value in row.items() if key not in ("id", "question", "choices", "answer")}
    return Question(str(row.get("id", number)), text, tuple(choices), _answer(row.get("answer"), choices, where), extra)


def _answer(value: Any, choices: list[str], where: str) -> int:
    """From a place, the text of a choice, or a letter; a text that could be two of these is refused."""
    most = len(choices) - 1
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= most:
            raise BadInput(f"{where}: answer={value}: expected a place from 0 to {most}; the first choice is 0")
        return value
    found = set()
    if isinstance(value, str) and value:
        found |= {choices.index(value)} if value in choices else set()
        found |= {LETTERS.index(value)} if value in LETTERS else set()
        found |= {int(value)} if value.isascii() and value.isdigit() else set()
    found = {place for place in found if place <= most}
    if len(found) != 1:
        known = "could be two of the choices" if found else f"expected a place from 0 to {most}, a choice or its letter"
        raise BadInput(f"{where}: answer={value!r}: {known}; the first choice is 0")
    return found.pop()
