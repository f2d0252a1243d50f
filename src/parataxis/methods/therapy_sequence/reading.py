"""From a table (of a TOML file or a workbook) to dataclasses. Whatever is unknown, missing or wrong says where."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from parataxis.errors import BadInput

T = TypeVar("T")
WORDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def build(kind: type[T], table: Any, where: str, keys: Mapping[str, str] = {}) -> T:
    """where: what stands before the key in a message. keys: names of fields by their key in the table."""
    if not isinstance(table, dict):
        raise BadInput(f"{where}: expected a table, not {table!r}")
    fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        name = keys[key] if keys.get(key) in fields else key
        if name not in fields:
            raise BadInput(f"{where}{key}: unknown key; known: {', '.join(_shown(name, keys) for name in fields)}")
        values[name] = _value(fields[name].type, value, where + key, keys)
    for name, field in fields.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise BadInput(f"{where}{_shown(name, keys)}: missing key")
    try:
        return kind(**values)
    except BadInput as error:
        raise BadInput(f"{where}{error}") from None
    except ValueError as error:
        raise BadInput(f"{where}{error}") from None


def _shown(name: str, keys: Mapping[str, str]) -> str:
    return next((key for key, each in keys.items() if each == name), name)


def _value(kind: Any, value: Any, where: str, keys: Mapping[str, str]) -> Any:
    if get_origin(kind) is types.UnionType:
        kind = next(each for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadInput(f"{where}={value!r}: expected a list")
        return tuple(_value(get_args(kind)[0], each, f"{where}[{n}]", keys) for n, each in enumerate(value, 1))
    if get_origin(kind) is dict or kind is dict:
        if not isinstance(value, dict):
            raise BadInput(f"{where}={value!r}: expected a table")
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, f"{where}.", keys)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # as Excel has it
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise BadInput(f"{where}={value!r}: expected {WORDS[kind]}")
    if kind is float and value != value:
        raise BadInput(f"{where}=nan: expected a number")
    return value
