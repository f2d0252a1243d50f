"""A paper.toml, read: every mistake in it is one line that says where."""

import dataclasses
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from parataxis.claims import Paper
from parataxis.errors import BadInput

TYPES = {str: "text", int: "a whole number", bool: "true or false"}


def read_paper(path: Path | str) -> Paper:
    """The paper of a paper.toml. Anything unknown, missing or of the wrong type is BadInput that says where.

    Places are counted from 1: `claim[2]` is the second [[claim]].
    """
    path = Path(path)
    where = f"{path.parent.name}/{path.name}: "
    try:
        return _paper(path.read_bytes(), where)
    except FileNotFoundError:
        raise BadInput(f"{where}no such file; every method's folder holds one") from None


@cache
def _paper(content: bytes, where: str) -> Paper:
    """Built once a process: each command reads all of them, to know what commands there are."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{where}is not TOML: {error}") from None
    paper = _build(Paper, table, where)
    assert isinstance(paper, Paper)
    return paper


def _build(kind: type, table: Any, where: str) -> Any:
    """A dataclass from a TOML table; where: what stands before the key in a message."""
    fields = {each.metadata.get("key", each.name): each for each in dataclasses.fields(kind)}
    if not isinstance(table, dict):
        raise BadInput(f"{where.rstrip('.')} expected a table, not {table!r}")
    for key in table:
        if key not in fields:
            raise BadInput(f"{where}{key}: unknown key; known: {', '.join(fields)}")
    values = {}
    for key, each in fields.items():
        if key in table:
            values[each.name] = _value(each.type, table[key], where + key)
        elif each.default is dataclasses.MISSING:
            raise BadInput(f"{where}{key}: missing key")
    try:
        return kind(**values)
    except ValueError as error:
        raise BadInput(f"{where}{error}") from None


def _value(kind: Any, value: Any, where: str) -> Any:
    """A TOML value as the field's type: a plain one, or a tuple of plain ones or of tables."""
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadInput(f"{where}={value!r}: expected a list")
        inner = get_args(kind)[0]
        return tuple(_value(inner, each, f"{where}[{place}]") for place, each in enumerate(value, 1))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value, f"{where}.")
    if type(value) is not kind:
        raise BadInput(f"{where}={value!r}: expected {TYPES[kind]}")
    return value
