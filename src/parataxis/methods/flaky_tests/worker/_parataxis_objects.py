"""What the modules of a suite hold: a walk over every mutable thing within reach, with a shallow copy of each."""

from __future__ import annotations

import _thread
import itertools
import operator
import os
import re
import sys
import types
from typing import Any, Iterator

from _parataxis_facets import (
    ATOMIC,
    BUILT_IN,
    BYTES,
    CACHE,
    CELL,
    CLASS,
    DEFAULTS,
    FUNCTION,
    GLOBALS,
    ITEMS,
    LENGTH,
    LOCAL,
    LOGGER,
    LRU_CACHE,
    MISSING,
    TUPLE,
    attributes,
    class_dict,
    class_name_of,
    derives,
    instance_dict,
    module_dict,
    mro_of,
    slots,
)

# Bound before the suite is imported, which may patch them.
_exists, _map, _not, _compress = os.path.exists, map, operator.not_, itertools.compress
modules = sys.modules
PROJECT, LIBRARY, STANDARD, MACHINERY = range(4)  # whose a module is
DEEPEST = (12, 4, 3)  # levels below a module's globals: the project's, a library's, the standard library's
MOST = (40_000, 40_000, 5_000)  # things recorded; by levels, so that what is left out is what lies deepest
# By level, whether things of a type (by its id) are passed over. A library's functions are: it has very many.
_OF_LIBRARIES = ATOMIC.union(map(id, [types.FunctionType, classmethod, staticmethod]))
_is_atomic: Any = (ATOMIC.__contains__, _OF_LIBRARIES.__contains__, _OF_LIBRARIES.__contains__)
CROWD = 100  # elements beyond which a container's objects of a library's classes are not looked into
LONGEST = 10_000  # elements of one container; longer ones are left alone

# fmt: off
RUNNER = [
    "_pytest", "pytest", "pluggy", "iniconfig", "tomli", "pygments", "py", "coverage", "hypothesis",
    "_hypothesis_pytestplugin", "xdist", "execnet", "pytest_cov", "_distutils_hack", "__main__", "__mp_main__",
]
# fmt: on
# fmt: off
BUSY = frozenset([
    "importlib", "zipimport", "_frozen_importlib", "_frozen_importlib_external", "linecache", "re", "sre_compile",
    "sre_parse", "_sre", "abc", "_abc", "_py_abc", "typing", "encodings", "codecs", "tokenize", "opcode", "dis",
    "traceback", "copyreg",
])
# fmt: on
# fmt: off
NO_STATE = frozenset([
    "__builtins__", "__warningregistry__", "__annotations__", "__annotations_cache__", "__annotate__", "__cached__",
    "__spec__", "__loader__", "@py_builtins", "@pytest_ar", "_abc_impl", "__doc__", "__weakref__", "__dict__",
    "pytestmark", "__slotnames__",
])
# fmt: on
_SOURCES = os.path.dirname(os.__file__) + os.sep
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")


# -- whose a thing is ------------------------------------------------------------------------------------------------


class Owners:
    """Whose each module is, by its name and file."""

    def __init__(self, root: str) -> None:
        self.root = os.path.join(root, "")
        self._of: dict[str, int] = {}
        self._here: dict[str, bool] = {}

    def of(self, name: Any) -> int:
        if type(name) is not str:
            return LIBRARY
        if name not in self._of:
            self._of[name] = self._find(name)
        return self._of[name]

    def _find(self, name: str) -> int:
        top = name.partition(".")[0]
        if top in RUNNER or top.startswith(("_parataxis", "pytest_")):
            return MACHINERY
        module = modules.get(name)
        file = globals_of(module).get("__file__")
        if type(file) is not str:
            # built in, frozen, or made on the spot
            return STANDARD if top in sys.builtin_module_names or top in ("os", "io", "site") else LIBRARY
        if not _INSTALLED.search(file):
            if file.startswith(self.root):
                return PROJECT
            return STANDARD if file.startswith(_SOURCES) else LIBRARY
        if top not in self._here:  # installed from here, not in place
            self._here[top] = any(_exists(self.root + place) for place in (top, top + ".py", "src/" + top))
        return PROJECT if self._here[top] else LIBRARY


def globals_of(module: Any) -> dict[str, Any]:
    """What a module holds; nothing for what only stands in for one."""
    if not derives(type(module), types.ModuleType) or class_name_of(type(module)) == "_LazyModule":
        return {}
    return module_dict(module)


# -- the walk --------------------------------------------------------------------------------------------------------


NOT_BELOW = ("sys.modules", "os.environ", "logging.getLogger")


class Record:
    """One thing, read in one way, as it was. `place`: the record it was found in, and under which key."""

    __slots__ = ("facet", "keys", "level", "owner", "place", "values")

    def __init__(self, facet: Any, owner: Any, place: tuple[Record, Any] | str, level: int) -> None:
        self.facet, self.owner, self.place, self.level = facet, owner, place, level
        self.keys, self.values = facet.read(owner)


class Walk:
    """Every record. `sure` are things that are to be recorded whatever their owner: ((facet, thing, name), ...)."""

    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        self.records: list[Record] = []
        self._seen: set[int] = {id(self.records), id(self)}
        self._plans: dict[int, Any] = {}
        self._kept: list[Any] = []  # what the walk made itself, so that no id is used twice
        self._next: list[tuple[Record, Any, Any]] = []

    def modules(self) -> None:
        """The project's own modules first, so that what several hold is named after them; tests after the tested."""
        by_owner: list[list[tuple[str, Any]]] = [[], [], [], []]
        for name, module in list(modules.items()):
            if type(name) is str:
                by_owner[self.owners.of(name)].append((name, module))
        by_owner[PROJECT].sort(key=lambda pair: "test" in pair[0].rpartition(".")[2])
        for level in (PROJECT, LIBRARY):
            for name, module in by_owner[level]:
                self._root(name, module, level)
            self.descend(level)
        for name, module in by_owner[STANDARD]:
            if name.partition(".")[0] not in BUSY and derives(type(module), types.ModuleType):
                self._standard(name, module)

    def _root(self, name: str, module: Any, level: int) -> None:
        if not derives(type(module), types.ModuleType):
            if level == PROJECT:  # an object in the place of a module
                self.thing(module, name, level)
        elif id(module) not in self._seen and class_name_of(type(module)) != "_LazyModule":
            self._seen.add(id(module))
            self._add(GLOBALS, module, name, level)

    def record(self, facet: Any, thing: Any, name: str) -> None:
        """Something of the standard library that is read in a way of its own; nothing below it but its values' own."""
        if id(thing) not in self._seen:
            self._seen.add(id(thing))
            self._add(facet, thing, name, STANDARD)

    def thing(self, thing: Any, name: str, level: int) -> None:
        """A root that is no module."""
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        for facet in self._plan(type(thing)) or ():
            self._add(facet, thing, name, level)

    def descend(self, level: int) -> None:
        """From the roots added, as deep and as far as is allowed at this level."""
        limit = len(self.records) + MOST[level]
        for _ in range(DEEPEST[level]):
            found, self._next = self._next, []
            for parent, key, value in found:
                if len(self.records) >= limit:
                    break
                self._visit(parent, key, value, level)
        self._next = []

    def _standard(self, name: str, module: Any) -> None:
        """A module of the standard library, which tests patch: its globals and its classes' attributes, no more."""
        record = Record(GLOBALS, module, name, STANDARD)
        self.records.append(record)
        for key, value in zip(record.keys, record.values):  # noqa: B905 (Python 3.8)
            if type(value) is type and class_dict(value).get("__module__") == name and id(value) not in self._seen:
                self._seen.add(id(value))
                self.records.append(Record(CLASS, value, (record, key), STANDARD))

    def _add(self, facet: Any, owner: Any, place: tuple[Record, Any] | str, level: int) -> None:
        length = LENGTH.get(id(facet))
        if length is not None and length(owner) > LONGEST:
            return
        record = Record(facet, owner, place, level)
        self.records.append(record)
        if facet is BYTES or facet is CACHE or place in NOT_BELOW:
            return
        seen, following = self._seen, self._next
        inner = _map(_not, _map(_is_atomic[level], _map(id, _map(type, record.values))))
        for key, value in _compress(zip(record.keys or record.values, record.values), inner):  # noqa: B905 (Python 3.8)
            if id(value) in seen or (type(key) is str and key in NO_STATE and facet is not ITEMS):
                continue
            if type(value) is not tuple:  # several places may hold one tuple, and a tuple of atoms is common
                seen.add(id(value))
            following.append((record, key, value))

    def _visit(self, parent: Record, key: Any, value: Any, level: int) -> None:
        kind = type(value)
        if kind is types.FunctionType:
            self._function(parent, key, value, level)
        elif kind is tuple:
            if not ATOMIC.issuperset(_map(id, _map(type, value))):
                self._add(TUPLE, value, (parent, key), level)
        elif kind is staticmethod or kind is classmethod:
            if type(value.__func__) is types.FunctionType:
                self._function(parent, key, value.__func__, level)
        elif derives(kind, type):
            if self.owners.of(class_dict(value).get("__module__")) <= LIBRARY:
                self._add(CLASS, value, (parent, key), level)
        elif not self._in_a_crowd(parent, kind):
            for facet in self._plan(kind) or ():
                self._add(facet, value, (parent, key), level)

    def _in_a_crowd(self, parent: Record, kind: type) -> bool:
        if len(parent.values) <= CROWD or parent.facet.whole is None:
            return False
        module = class_dict(kind).get("__module__")  # built-in types have none
        return module is not None and self.owners.of(module) == LIBRARY

    def _function(self, parent: Record, key: Any, function: Any, level: int) -> None:
        """Of the project's functions, those that a library has wrapped included: attributes, closure, defaults."""
        if self.owners.of(function.__module__) != PROJECT:
            return
        self._seen.add(id(function))
        self._add(FUNCTION, function, (parent, key), level)
        place = self.records[-1]
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):  # noqa: B905 (Python 3.8)
            if id(cell) not in self._seen:
                self._seen.add(id(cell))
                self._add(CELL, cell, (place, name), level)
        if (function.__defaults__ or function.__kwdefaults__) and any(
            id(type(value)) not in ATOMIC for value in DEFAULTS.read(function)[1]
        ):
            self._add(DEFAULTS, function, (parent, key), level)

    def _plan(self, kind: type) -> Any:
        """The facets of instances of a class; None: it is left alone."""
        plan = self._plans.get(id(kind), MISSING)
        if plan is MISSING:
            plan = self._plans[id(kind)] = self._new_plan(kind)
            self._kept.append(kind)
        return plan

    def _new_plan(self, kind: type) -> Any:
        mro = mro_of(kind)
        module = class_dict(kind).get("__module__")
        if kind is LRU_CACHE:
            return [CACHE]
        if derives(kind, _thread._local):
            return [LOCAL]
        if any(class_name_of(base) == "Logger" and class_dict(base).get("__module__") == "logging" for base in mro):
            return [LOGGER]
        if (
            self.owners.of(module) == MACHINERY
            or (type(module) is str and module in LEFT_ALONE)
            or derives(kind, types.ModuleType)
        ):
            return None
        if class_name_of(kind) == "cython_function_or_method":
            return None
        plan: list[Any] = [facet for base, facet in BUILT_IN if derives(kind, base)]
        members: dict[str, Any] = {}
        for base in reversed(mro):
            contents = class_dict(base)
            if "__slots__" in contents:
                members.update((n, d) for n, d in contents.items() if type(d) is types.MemberDescriptorType)
        if members:
            plan.append(slots(members))
        get = instance_dict(kind)
        if get is not None:
            plan.append(attributes(get))
        return plan or None


# Instances of these modules' classes are at work all the time, or hold what a test can't leave behind.
# fmt: off
LEFT_ALONE = frozenset([
    "threading", "_thread", "weakref", "_weakref", "_weakrefset", "io", "_io", "random", "socket", "ssl",
    "selectors", "subprocess", "concurrent.futures", "multiprocessing", "asyncio", "zoneinfo", "typing", "functools",
    "_frozen_importlib", "_frozen_importlib_external", "zipimport", "importlib", "contextvars", "numpy", "pandas",
])
# fmt: on


def differing(records: list[Record]) -> Iterator[tuple[Record, list[tuple[Any, Any, Any]]]]:
    """The records in which something is another now."""
    for record in records:
        if record.facet is TUPLE:
            continue
        try:
            found = record.facet.differs(record.owner, record.keys, record.values)
        except (TypeError, ValueError, RuntimeError, AttributeError):  # a thing that has lost its shape
            continue
        if found:
            yield record, found
