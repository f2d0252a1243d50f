"""What the set-up of a test class sets on it, which is there again for each of its tests."""

from __future__ import annotations

import types
from opcode import opmap
from typing import Any

from _parataxis_facets import class_dict, function_dict, mro_of
from _parataxis_objects import PROJECT, Owners, globals_of, modules

_SET_UP = ("setUpClass", "setup_class", "setup_method", "setUp", "setup")
_STORE = opmap["STORE_ATTR"]
_UNITTEST = frozenset(("_classSetupFailed", "_class_cleanups", "tearDown_exceptions"))


def _stored(function: Any) -> set[str]:
    """The attributes that a function's code sets, on whatever."""
    if type(function) is not types.FunctionType:
        return set()
    code = function.__code__
    pairs = zip(code.co_code[::2], code.co_code[1::2])  # noqa: B905 (Python 3.8)
    return {code.co_names[name] for operation, name in pairs if operation == _STORE and name < len(code.co_names)}


class Fixtures:
    """The fixtures of the suite: what they set on a test class that uses them as a whole is set again for each of its
    tests, whatever ran before, and is no state that a test leaves."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._known: dict[int, set[str]] = {}
        self._shared: dict[str, tuple[Any, bool]] | None = None

    def attributes(self, cls: type) -> set[str]:
        if id(cls) not in self._known:
            self._known[id(cls)] = self._find(cls)
        return self._known[id(cls)]

    def _find(self, cls: type) -> set[str]:
        if self._shared is None:
            self._shared = {}
            for name, module in list(modules.items()):
                if self._owners.of(name) == PROJECT:
                    self._shared.update(_fixtures(globals_of(module)))
        names, own, used = set(_UNITTEST), dict(self._shared), []
        for base in mro_of(cls):
            contents = class_dict(base)
            own.update(_fixtures(contents))
            for method in (contents.get(name) for name in _SET_UP):
                names |= _stored(method.__func__ if type(method) is classmethod else method)
            marks = contents.get("pytestmark")
            for mark in marks if type(marks) is list else [marks]:
                if getattr(mark, "name", None) == "usefixtures":
                    used += mark.args
        used += [name for name, (_, autouse) in own.items() if autouse]
        done: set[str] = set()
        while used:
            name = used.pop()
            if name in own and name not in done:
                done.add(name)
                code = own[name][0].__code__
                names |= _stored(own[name][0])
                used += code.co_varnames[: code.co_argcount]
        return names


def _fixtures(contents: Any) -> dict[str, tuple[Any, bool]]:
    """Name: (function, autouse), of the fixtures among the contents of a module or class."""
    found = {}
    for name, value in list(contents.items()):
        kind = type(value)
        if kind is types.FunctionType:  # until pytest 8.3
            marker = function_dict(value).get("_pytestfixturefunction")
            function = getattr(function_dict(value).get("__pytest_wrapped__"), "obj", None)
        elif kind.__name__ == "FixtureFunctionDefinition" and class_dict(kind).get("__module__") == "_pytest.fixtures":
            marker, function = value._fixture_function_marker, value._fixture_function
        else:
            continue
        if marker is not None and type(function) is types.FunctionType:
            found[marker.name or name] = (function, bool(marker.autouse))
    return found
