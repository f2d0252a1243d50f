"""How one thing is read, compared and put back as it was, without running its code.

Contents are read through the built-in types' own methods and descriptors, never through attributes, which a proxy, a
property or a lazy module may answer; they are compared by identity, or by value where both are exactly of one built-in
type. Only putting a thing back may run code of the suite: where a key has to be hashed again.
"""

from __future__ import annotations

import _thread
import collections
import contextlib
import functools
import operator
import re
import types
from typing import Any, Callable

# Bound before the suite is imported, which may patch them.
_is, _map, _all, _zip = operator.is_, map, all, zip
_of_types: Any = type.__dict__
class_dict = _of_types["__dict__"].__get__
class_name_of = _of_types["__name__"].__get__
mro_of = _of_types["__mro__"].__get__
module_dict = vars(types.ModuleType)["__dict__"].__get__
function_dict = types.FunctionType.__dict__["__dict__"].__get__
_local_dict = _thread._local.__getattribute__
LRU_CACHE = type(functools.lru_cache(len))

MISSING = object()
# fmt: off
ATOMIC = frozenset(map(id, [  # what holds nothing that could change, or nothing that may be looked at
    int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range, slice, memoryview,
    object, property, re.Pattern, re.Match, _thread.LockType, _thread.RLock, types.BuiltinFunctionType,
    types.CodeType,
    types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.ClassMethodDescriptorType, types.MappingProxyType, types.ModuleType,
    types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType,
]))
# fmt: on
BY_VALUE = frozenset(map(id, [int, float, complex, bool, str, bytes, type(None), range]))
_NESTED = (tuple, frozenset)


def derives(kind: type, base: type) -> bool:
    """`issubclass` past any metaclass; not `in` the mro either, which compares."""
    return type.__subclasscheck__(base, kind)


def same(one: Any, other: Any, depth: int = 4) -> bool:
    """Whether nobody can tell the two apart: one object, or equal and exactly of one immutable built-in type."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if id(kind) in BY_VALUE:
        return one == other or (one != one and other != other)
    if kind is types.MethodType:
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    if kind is tuple and depth:
        return len(one) == len(other) and all(same(a, b, depth - 1) for a, b in _zip(one, other))
    return False


def token(key: Any) -> Any:
    """What stands for a key: itself where hashing it runs nobody's code."""
    return (type(key).__name__, key) if id(type(key)) in BY_VALUE else id(key)


# -- how each kind of thing is read and written ----------------------------------------------------------------------


class Keyed:
    """Things with named contents. `read` gives keys and values; `put` sets one, or takes it away if it was MISSING."""

    def __init__(
        self,
        kind: str,
        read: Callable[[Any], tuple[list[Any], list[Any]]],
        put: Callable[[Any, Any, Any], None],
        whole: Callable[[Any, list[Any], list[Any]], None] | None = None,
    ) -> None:
        self.kind, self.read, self.put, self.whole = kind, read, put, whole

    def differs(self, owner: Any, keys: list[Any], values: list[Any]) -> list[tuple[Any, Any, Any]]:
        """(key, then, now) wherever something is another."""
        now_keys, now_values = self.read(owner)
        if len(keys) == len(now_keys) and _all(_map(_is, keys, now_keys)) and _all(_map(_is, values, now_values)):
            return []
        now = {token(key): (key, value) for key, value in _zip(now_keys, now_values)}
        found = []
        for key, value in _zip(keys, values):
            _, current = now.pop(token(key), (key, MISSING))
            if not same(value, current):
                found.append((key, value, current))
        return found + [(key, MISSING, value) for key, value in now.values()]


class Row:
    """Things with contents in a row (or in none: sets), changed and restored as one. `keys` is not used."""

    kind = "container"

    def __init__(self, read: Callable[[Any], list[Any]], whole: Callable[[Any, list[Any]], None]) -> None:
        self._read, self._whole = read, whole

    def read(self, owner: Any) -> tuple[list[Any], list[Any]]:
        return [], self._read(owner)

    def whole(self, owner: Any, keys: list[Any], values: list[Any]) -> None:
        self._whole(owner, values)

    def differs(self, owner: Any, keys: list[Any], values: list[Any]) -> list[tuple[Any, Any, Any]]:
        now = self._read(owner)
        if len(now) == len(values) and _all(_map(_is, values, now)):
            return []
        if type(owner) is set and {token(v) for v in values} == {token(v) for v in now}:
            return []
        if len(now) == len(values) and all(same(a, b) for a, b in _zip(values, now)):
            return []
        before, after = ({token(value): value for value in row} for row in (values, now))
        found = [(value, value, MISSING) for mark, value in before.items() if mark not in after]
        found += [(value, MISSING, value) for mark, value in after.items() if mark not in before]
        return found or [(None, values, now)]  # another order, or another number of the same


def _read_dict(owner: dict[Any, Any]) -> tuple[list[Any], list[Any]]:
    return list(dict.keys(owner)), list(dict.values(owner))


def _base(owner: Any) -> Any:
    return collections.OrderedDict if derives(type(owner), collections.OrderedDict) else dict


def _put_item(owner: Any, key: Any, value: Any) -> None:
    base = _base(owner)
    if value is MISSING:
        with contextlib.suppress(KeyError):  # put back already, along with others
            base.__delitem__(owner, key)
    else:
        base.__setitem__(owner, key, value)


def _whole_dict(owner: Any, keys: list[Any], values: list[Any]) -> None:
    contents = dict(_zip(keys, values))  # a key that won't be hashed says so before anything is lost
    base = _base(owner)
    base.clear(owner)
    for key, value in contents.items():
        base.__setitem__(owner, key, value)


def _whole_set(owner: set[Any], values: list[Any]) -> None:
    contents = set(values)
    set.clear(owner)
    set.update(owner, contents)


def _whole_deque(owner: Any, values: list[Any]) -> None:
    collections.deque.clear(owner)
    collections.deque.extend(owner, values)


def _whole_bytes(owner: bytearray, values: list[Any]) -> None:
    bytearray.__setitem__(owner, slice(None), bytearray(values))


def attributes(get: Callable[[Any], dict[str, Any]], kind: str = "object attribute") -> Keyed:
    return Keyed(kind, lambda o: _read_dict(get(o)), lambda o, key, value: _put_item(get(o), key, value))


def _read_class(owner: type) -> tuple[list[Any], list[Any]]:
    contents = class_dict(owner)
    return list(contents), list(contents.values())


def _put_in_class(owner: type, key: str, value: Any) -> None:
    if value is MISSING:
        with contextlib.suppress(AttributeError):  # put back already
            type.__delattr__(owner, key)
    else:
        type.__setattr__(owner, key, value)


def _read_cell(cell: Any) -> tuple[list[Any], list[Any]]:
    try:
        return ["cell_contents"], [cell.cell_contents]
    except ValueError:  # empty
        return [], []


def _put_in_cell(cell: Any, _: str, value: Any) -> None:
    if value is MISSING:
        del cell.cell_contents
    else:
        cell.cell_contents = value


def _read_defaults(function: Any) -> tuple[list[Any], list[Any]]:
    """The defaults of the arguments, by the arguments' names."""
    code, values = function.__code__, list(function.__defaults__ or ())
    keys = list(code.co_varnames[code.co_argcount - len(values) : code.co_argcount])
    for name, value in dict.items(function.__kwdefaults__ or {}):
        keys.append(name)
        values.append(value)
    return keys, values


def _put_default(function: Any, key: str, value: Any) -> None:
    if function.__kwdefaults__ is not None and key in function.__kwdefaults__:
        function.__kwdefaults__[key] = value
        return
    keys, values = _read_defaults(function)
    values[keys.index(key)] = value
    function.__defaults__ = tuple(values[: len(function.__defaults__)])


def instance_dict(kind: type) -> Callable[[Any], dict[str, Any]] | None:
    """What reads the `__dict__` of a class's instances, past any property of that name."""
    for base in mro_of(kind):
        descriptor = class_dict(base).get("__dict__")
        if base is not type and type(descriptor) in (types.GetSetDescriptorType, types.MemberDescriptorType):
            return descriptor.__get__
    return None


def _object_dict(owner: Any) -> dict[str, Any]:
    get = instance_dict(type(owner))
    return {} if get is None else get(owner)


_LOGGER = ("level", "propagate", "disabled", "handlers", "filters")  # not its place in the tree, nor its cache


def _read_logger(owner: Any) -> tuple[list[Any], list[Any]]:
    contents = _object_dict(owner)
    return list(_LOGGER), [contents.get(name, MISSING) for name in _LOGGER]


def _put_in_logger(owner: Any, key: str, value: Any) -> None:
    _put_item(_object_dict(owner), key, value)
    owner.manager._clear_cache()


def configuration(logger: Any) -> dict[str, Any]:
    """What was set of a logger: one that was only asked for, or a place holder, makes no difference to anybody."""
    pairs = _zip(*_read_logger(logger), (0, True, False, [], []))
    return {name: value for name, value, usual in pairs if value is not MISSING and value != usual}


def _read_loggers(loggers: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """With what was set of each, which a logger that is new gets only after it was asked for."""
    found = [_read_logger(logger)[1] for logger in dict.values(loggers)]
    return list(loggers), [tuple(tuple(v) if type(v) is list else v for v in values) for values in found]


def slots(descriptors: dict[str, Any]) -> Keyed:
    def read(owner: Any) -> tuple[list[Any], list[Any]]:
        values = []
        for descriptor in descriptors.values():
            try:
                values.append(descriptor.__get__(owner))
            except AttributeError:
                values.append(MISSING)
        return list(descriptors), values

    def put(owner: Any, key: str, value: Any) -> None:
        if value is MISSING:
            with contextlib.suppress(AttributeError):
                descriptors[key].__delete__(owner)
        else:
            descriptors[key].__set__(owner, value)

    return Keyed("object attribute", read, put)


GLOBALS = attributes(module_dict, "module global")
ITEMS = Keyed("container", _read_dict, _put_item, _whole_dict)
CLASS = Keyed("class attribute", _read_class, _put_in_class)
CELL = Keyed("closure", _read_cell, _put_in_cell)
LOGGER = Keyed("logging", _read_logger, _put_in_logger)
LOGGERS = Keyed("logging", _read_dict, _put_item)
CONFIGURATIONS = Keyed("logging", _read_loggers, _put_item)
FUNCTION = attributes(function_dict)
LOCAL = attributes(lambda owner: _local_dict(owner, "__dict__"))
DEFAULTS = Keyed("default argument", _read_defaults, _put_default)
CACHE = Keyed(
    "cache",
    lambda owner: (["currsize"], [LRU_CACHE.cache_info(owner).currsize]),
    lambda owner, _, value: LRU_CACHE.cache_clear(owner),
)
TUPLE = Row(list, lambda owner, values: None)  # can't change: only passed through
LIST = Row(list.copy, lambda owner, values: list.__setitem__(owner, slice(None), values))
SET = Row(lambda owner: list(set.__iter__(owner)), _whole_set)
DEQUE = Row(lambda owner: list(collections.deque.__iter__(owner)), _whole_deque)
BYTES = Row(lambda owner: list(bytearray.__iter__(owner)), _whole_bytes)
BUILT_IN = ((dict, ITEMS), (list, LIST), (set, SET), (collections.deque, DEQUE), (bytearray, BYTES))
LENGTH: dict[int, Any] = {
    id(ITEMS): dict.__len__,
    id(LIST): list.__len__,
    id(SET): set.__len__,
    id(BYTES): bytearray.__len__,
}
LENGTH[id(DEQUE)] = collections.deque.__len__
