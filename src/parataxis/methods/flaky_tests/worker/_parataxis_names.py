"""What a maintainer calls a thing, and how it looks in a few words: no code of the suite runs."""

from __future__ import annotations

import ast
import collections
import types
from typing import Any

from _parataxis_facets import (
    BYTES,
    CELL,
    CLASS,
    DEFAULTS,
    FUNCTION,
    GLOBALS,
    ITEMS,
    MISSING,
    SET,
    TUPLE,
    Row,
    class_dict,
    derives,
)
from _parataxis_objects import Record, globals_of, modules

_open, _parse = open, ast.parse  # bound before the suite is imported, which may patch them
LONGEST = 120
MOST_SHOWN = 8
LARGEST_SOURCE = 1 << 20
_qualname_of = type.__dict__["__qualname__"].__get__
# By the id of the type: comparing or hashing a class may run its metaclass's code.
_TEXTS = frozenset(map(id, [str, bytes, bytearray]))
_PLAIN = frozenset(map(id, [bool, float, complex, type(None), type(...), range]))
_BRACKETS = {
    id(list): "[]",
    id(tuple): "()",
    id(set): "{}",
    id(dict): "{}",
    id(frozenset): ("frozenset({", "})"),
    id(collections.deque): ("deque([", "])"),
}


# -- a thing in a few words ------------------------------------------------------------------------------------------


def short(value: Any, longest: int = LONGEST) -> str:
    text = _short(value, 2).replace("\n", " ")
    return text if len(text) <= longest else text[: longest - 3] + "..."


def class_name(kind: type) -> str:
    module = class_dict(kind).get("__module__")
    prefix = "" if module == "builtins" or type(module) is not str else module + "."
    return prefix + _qualname_of(kind)


def _short(value: Any, depth: int) -> str:
    kind = type(value)
    if value is MISSING:
        return "(absent)"
    if id(kind) in _TEXTS:
        return repr(value if len(value) <= LONGEST else value[:LONGEST])
    if kind is int:
        return repr(value) if value.bit_length() < 400 else "<int of %d bits>" % value.bit_length()
    if id(kind) in _PLAIN:
        return repr(value)
    if id(kind) in _BRACKETS:
        return _short_container(value, kind, depth)
    return _short_object(value, kind)


def _short_container(value: Any, kind: Any, depth: int) -> str:
    opening, closing = _BRACKETS[id(kind)]
    if not depth and value:
        return opening + "..." + closing
    shown = []
    for part in list(value)[:MOST_SHOWN] if kind is not dict else list(value.items())[:MOST_SHOWN]:
        if kind is dict:
            shown.append("%s: %s" % (_short(part[0], depth - 1), _short(part[1], depth - 1)))
        else:
            shown.append(_short(part, depth - 1))
    if len(value) > MOST_SHOWN:
        shown.append("... %d in all" % len(value))
    return opening + ", ".join(shown) + closing


def _short_object(value: Any, kind: Any) -> str:
    if kind is types.FunctionType:
        return "<function %s.%s>" % (value.__module__, value.__qualname__)
    if kind is types.BuiltinFunctionType:
        return "<built-in function %s>" % value.__name__
    if kind is types.MethodType and type(value.__func__) is types.FunctionType:
        return "<method %s of %s>" % (value.__func__.__qualname__, _short_object(value.__self__, type(value.__self__)))
    if kind is types.ModuleType:
        return "<module %s>" % globals_of(value).get("__name__")
    if derives(kind, type):
        return "<class %s>" % class_name(value)
    return "<%s object>" % class_name(kind)


def difference(facet: Any, keys: list[Any], values: list[Any], owner: Any, found: list[Any]) -> tuple[str, str]:
    """A container before and after: whole if it is short, else how many there are and which ones are others."""
    now_keys, now_values = facet.read(owner)
    if facet is BYTES:
        return short(bytes(values)), short(bytes(now_values))
    if len(values) <= MOST_SHOWN and len(now_values) <= MOST_SHOWN:
        texts = [_whole(facet, k, v) for k, v in ((keys, values), (now_keys, now_values))]
        if max(map(len, texts)) <= LONGEST:
            return texts[0], texts[1]
    parts = []
    for word, chosen in (
        ("added", [key for key, then, now in found if then is MISSING]),
        ("removed", [key for key, then, now in found if now is MISSING]),
        ("changed", [key for key, then, now in found if then is not MISSING and now is not MISSING]),
    ):
        if chosen and found[0][0] is not None:
            parts.append("%s %s" % (word, ", ".join(short(key, 40) for key in chosen[:MOST_SHOWN])))
    what = "; ".join(parts) or "another order"
    return "%d items" % len(values), cut("%d items: %s" % (len(now_values), what))


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _whole(facet: Any, keys: list[Any], values: list[Any]) -> str:
    if facet is ITEMS:
        pairs = zip(keys, values)  # noqa: B905 (Python 3.8)
        return "{%s}" % ", ".join("%s: %s" % (_short(key, 1), _short(value, 1)) for key, value in pairs)
    parts = [_short(value, 1) for value in values]
    if facet is SET:
        return "{%s}" % ", ".join(sorted(parts)) if parts else "set()"
    return "[%s]" % ", ".join(parts)


# -- names -----------------------------------------------------------------------------------------------------------


def path_of(record: Record, sources: Sources) -> tuple[str, list[str], str]:
    """The module, the names in it down to a class attribute or global, and the rest of the path."""
    owner, facet = record.owner, record.facet
    if facet is CLASS or facet in (FUNCTION, DEFAULTS):
        module, name = owner.__module__ if facet is not CLASS else class_dict(owner).get("__module__"), None
        name = _qualname_of(owner) if facet is CLASS else owner.__qualname__
        if type(module) is str and module in modules and type(name) is str:
            return module, name.split("."), ""
    if isinstance(record.place, str):
        return record.place, [], ""
    parent, key = record.place
    module, parts, rest = path_of(parent, sources)
    if parent.facet is GLOBALS and type(key) is str:
        module, key = sources.origin(module, key, owner)
    if parent.facet in (GLOBALS, CLASS) and not rest and type(key) is str:
        return module, [*parts, key], ""
    return module, parts, rest + step(parent, key)


def step(parent: Record, key: Any) -> str:
    """How a thing is reached from the one that holds it."""
    if parent.facet is ITEMS:
        return "[%s]" % short(key, 60)
    if parent.facet is SET:
        return "{...}"
    if parent.facet is CELL:  # named already, by its variable
        return ""
    if isinstance(parent.facet, Row) or parent.facet is TUPLE:
        return "[%s]" % next((i for i, value in enumerate(parent.values) if value is key), "...")
    if parent.facet is DEFAULTS:
        return "(%s)" % key
    return "." + key if type(key) is str else "[%s]" % short(key, 60)


# -- the source ------------------------------------------------------------------------------------------------------


class Sources:
    """Which module defines a name, by the source of those that hold it."""

    def __init__(self) -> None:
        self._bodies: dict[str, list[Any]] = {}

    def _body(self, module: str) -> list[Any]:
        if module not in self._bodies:
            self._bodies[module] = []
            file = globals_of(modules.get(module)).get("__file__")
            if type(file) is str and file.endswith(".py"):
                try:
                    with _open(file, "rb") as stream:
                        text = stream.read(LARGEST_SOURCE + 1)
                    self._bodies[module] = _parse(text).body if len(text) <= LARGEST_SOURCE else []
                except (OSError, SyntaxError, ValueError):
                    pass
        return self._bodies[module]

    def origin(self, module: str, name: str, thing: Any) -> tuple[str, str]:
        """The module that defines a global that another one imports from it, and its name there."""
        for _ in range(10):
            node = _definition(self._body(module), name)
            if not isinstance(node, ast.ImportFrom):
                break
            source = node.module or ""
            if node.level:
                package = globals_of(modules.get(module)).get("__package__") or ""
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, *filter(None, [source])])
            there = next((alias.name for alias in node.names if name in (alias.asname, alias.name)), name)
            if globals_of(modules.get(source)).get(there, MISSING) is not thing:
                break
            module, name = source, there
        return module, name


def _definition(body: list[Any], name: str) -> Any:
    """The first statement of a module's or class's body, those below `if`, `try` and `with` included, that binds."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name == name:
                return node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if any((alias.asname or alias.name.partition(".")[0]) == name for alias in node.names):
                return node
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(n, ast.Name) and n.id == name for target in targets for n in ast.walk(target)):
                return node
        else:
            inner = [below for field in ("body", "orelse", "finalbody") for below in getattr(node, field, [])]
            inner += [below for handler in getattr(node, "handlers", []) for below in handler.body]
            found = _definition(inner, name) if inner else None
            if found is not None:
                return found
    return None
