"""What a system gives: when two outcomes are the same, exceptions as outcomes, and outcomes as JSON."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from parataxis.errors import BadInput

Same = Callable[[Any, Any], bool]
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")  # differs from run to run, and says nothing
TAG = "$parataxis"  # marks what JSON has no word for


@dataclass(frozen=True)
class Raised:
    """The system raised instead of giving an outcome. Two are the same if type and message are."""

    type: str
    message: str

    @classmethod
    def by(cls, error: Exception) -> "Raised":
        return cls(type(error).__name__, ADDRESS.sub("0x...", " ".join(str(error).split())))

    def __str__(self) -> str:
        return f"raised {self.type}: {self.message}" if self.message else f"raised {self.type}"


def comparison(compare: float | Same | None) -> Same:
    """The function that says whether two outcomes are the same.

    compare: None, equality (NaN equals itself; arrays, sequences and mappings member by member); a number t, the same
    but for numbers, where |a - b| <= t max(1, |a|, |b|) is enough; or a function (a, b) -> bool.
    """
    if compare is None:
        return lambda a, b: same(a, b, 0.0)
    if callable(compare):
        return lambda a, b: same(a, b, 0.0) if isinstance(a, Raised) or isinstance(b, Raised) else bool(compare(a, b))
    if isinstance(compare, bool) or not isinstance(compare, int | float) or not 0 <= compare < math.inf:
        raise BadInput(f"compare={compare!r}: expected None, a tolerance of at least 0, or a function (a, b) -> bool")
    tolerance = float(compare)
    return lambda a, b: same(a, b, tolerance)


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Equality of nested outcomes, numbers within the tolerance. BadInput where == gives no answer."""
    if a is b:
        return True
    if _number(a) and _number(b):
        return bool(a == b or (a != a and b != b) or (tolerance > 0 and _near(a, b, tolerance)))
    if isinstance(a, str | bytes | Raised) or isinstance(b, str | bytes | Raised):
        return type(a) is type(b) and a == b
    if hasattr(a, "__array__") and hasattr(b, "__array__"):
        return _same_arrays(np.asarray(a), np.asarray(b), tolerance)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(value, b[key], tolerance) for key, value in a.items())
    if isinstance(a, Sequence) and isinstance(b, Sequence):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if is_dataclass(a) and type(a) is type(b):
        return all(same(getattr(a, each.name), getattr(b, each.name), tolerance) for each in fields(a))
    try:
        return bool(a == b)
    except Exception as error:
        kinds = f"{type(a).__name__} and {type(b).__name__}"
        raise BadInput(f"compare=None: outcomes {kinds} can't be compared ({error}); give a function (a, b)") from None


def _number(value: Any) -> bool:
    return isinstance(value, int | float | complex | np.number | np.bool_)


def _near(a: Any, b: Any, tolerance: float) -> bool:
    a, b = complex(a), complex(b)
    return bool(np.isfinite(a) and np.isfinite(b) and abs(a - b) <= tolerance * max(1.0, abs(a), abs(b)))


def _same_arrays(a: Any, b: Any, tolerance: float) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype == object or b.dtype == object:
        return all(same(x, y, tolerance) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    numbers = a.dtype.kind in "biufc" and b.dtype.kind in "biufc"
    equal = a == b
    if numbers:
        equal = equal | ((a != a) & (b != b))
    if numbers and tolerance:
        with np.errstate(all="ignore"):
            a, b = a.astype(np.result_type(a, float)), b.astype(np.result_type(b, float))
            margin = tolerance * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
            equal = equal | (np.isfinite(margin) & (np.abs(a - b) <= margin))
    return bool(np.all(equal))


def most_typical(outcomes: Sequence[Any], same: Same) -> Any:
    """The outcome that the most of the others are the same as; the first of several."""
    return max(outcomes, key=lambda one: sum(same(one, other) for other in outcomes))


def to_json(value: Any) -> Any:
    """The outcome in what JSON has: arrays and tuples as lists, NaN, infinity and `Raised` tagged. TypeError if not."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {TAG: "float", "value": repr(float(value))}
    if isinstance(value, Raised):
        return {TAG: "raised", "type": value.type, "message": value.message}
    if isinstance(value, np.generic | np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"a key {wrong[0]!r} that is not text")
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    raise TypeError(f"{type(value).__name__}")


def from_json(value: Any) -> Any:
    """What `to_json` was given, with lists in place of arrays and tuples."""
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get(TAG) == "float":
        return float(value["value"])
    if value.get(TAG) == "raised":
        return Raised(value["type"], value["message"])
    return {key: from_json(each) for key, each in value.items()}


def shown(value: Any) -> Any:
    """The outcome for a report in JSON: itself where JSON holds it, else its repr, without addresses."""
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError):
        return ADDRESS.sub("0x...", repr(value))
