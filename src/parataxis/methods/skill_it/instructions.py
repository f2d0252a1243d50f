"""Natural Instructions: a folder of task files, each with a definition, its categories, and instances."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.skill_it.languages import Line, part_of, with_test

CATEGORIES = "Categories"  # the field by which the paper groups the tasks; `Input_language` tells languages apart


def read_tasks(folder: Path, fields: Sequence[str] = (CATEGORIES,)) -> list[Line]:
    """A text for each instance and its first output: `<definition> Input: <input> Output: <output>`.

    Its skill is what the task says in these fields, joined by a blank, as in `Question Generation Spanish`; of a list
    the first counts, as in the authors' code. Which part a text falls into is a matter of a hash of it. Raises
    BadInput.

    Mishra et al. 2022 and Wang et al. 2022 (https://github.com/allenai/natural-instructions, folder `tasks`).
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise BadInput(f"{folder}: holds no .json file; expected the task files of Natural Instructions")
    return with_test([line for path in files for line in _lines(path, fields)])


def _lines(path: Path, fields: Sequence[str]) -> Iterator[Line]:
    task = _task(path)
    skill = " ".join(_first(task, name, path) for name in fields)
    definition = _first(task, "Definition", path)
    instances = task.get("Instances")
    if not isinstance(instances, list) or not instances:
        raise BadInput(f"{path}: Instances={str(instances)[:40]}: expected a list that holds some")
    for place, instance in enumerate(instances, 1):
        where = f"{path}: Instances[{place}]"
        if not isinstance(instance, dict):
            raise BadInput(f"{where}={str(instance)[:40]}: expected an object with input and output")
        given, answer = (_first(instance, name, where) for name in ("input", "output"))
        text = f"{definition} Input: {given} Output: {answer}"
        yield Line(skill, part_of(text), text)


def _task(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:  # of json or of UTF-8
        raise BadInput(f"{path}: is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path}: expected an object with Definition, Categories and Instances")
    return found


def _first(record: dict[str, Any], name: str, where: Path | str) -> str:
    """The text of a field, or the first of a list of them."""
    if name not in record:
        raise BadInput(f"{where}: no field {name!r}; there: {', '.join(record)}")
    value = record[name][0] if isinstance(record[name], list) and record[name] else record[name]
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where}: {name}={value!r}: expected a text")
    return value.strip()
