"""What differs in the records of a walk, made into changes that a person can read and that can be undone."""

from __future__ import annotations

import contextlib
import os
import re
import types
from functools import partial
from typing import Any, Callable

from _parataxis_facets import (
    BY_VALUE,
    CACHE,
    CELL,
    CLASS,
    GLOBALS,
    ITEMS,
    LOGGER,
    LOGGERS,
    MISSING,
    configuration,
    token,
)
from _parataxis_fixtures import Fixtures
from _parataxis_names import Sources, cut, difference, path_of, short, step
from _parataxis_objects import (
    LIBRARY,
    NO_STATE,
    PROJECT,
    STANDARD,
    Owners,
    Record,
    differing,
    globals_of,
    modules,
)
from _parataxis_system import ENVIRONMENT

MOST_OF_ONE = 8  # changes of one owner beyond which only all of them are told, as one
# The order in which changes are told.
OWN, PROCESS, FILES, OTHERS, NOISE = range(5)
_RANKS = {PROJECT: OWN, LIBRARY: OTHERS, STANDARD: PROCESS}
_CACHE = re.compile("cache|memo", re.IGNORECASE)
FAILURE = frozenset(["last_type", "last_value", "last_traceback", "last_exc"])  # of `sys`, set by pytest
# Globals of the standard library that are set when they are first asked for.
LAZY = frozenset(["tempfile.tempdir", "mimetypes.inited", "mimetypes.encodings_map", "mimetypes.types_map"])


Holder = Any  # (list of a `State`, place in it): what holds a thing, by the same name in each fork of one process


class Change:
    """One thing that is other than it was. `held`: its holders, each with the token of a key that differs.

    where: file:line, if it is known without a trace.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        then: str,
        now: str,
        rank: int,
        steps: list[Callable[[], Any]],
        held: list[tuple[Holder, Any]],
        again: Callable[[], Any] | None = None,
        where: str = "",
    ) -> None:
        self.kind, self.name, self.before, self.after, self.rank = kind, name, then, now, rank
        self.steps, self.held, self._again, self.where = steps, held, again, where

    def undo(self) -> bool:
        """Put it back as it was; tells whether that could be done."""
        done = bool(self.steps)
        for put_back in self.steps:
            try:
                done = put_back() is not False and done
            except Exception:
                done = False
        return done

    def redo(self) -> bool:
        """After another process has undone what processes share, files: make it again as the tests had left it."""
        return self._again is None or self._again() is not False

    def to_row(self) -> dict[str, Any]:
        row = {n: getattr(self, n) for n in ("kind", "name", "before", "after", "where")}
        return {**row, "holders": list(dict.fromkeys(holder for holder, _ in self.held))}


class Differences:
    """What differs in the records of a walk, made into changes."""

    def __init__(self, records: list[Record], owners: Owners) -> None:
        self.owners, self.sources, self.fixtures = owners, Sources(), Fixtures(owners)
        self.found = []
        self.numbers = {id(record): number for number, record in enumerate(records)}
        for record, found in differing(records):
            kept = [(key, then, now) for key, then, now in found if self._matters(record, key, then, now)]
            if kept:
                self.found.append((record, kept))
        # Of each changed place its change: what lies below the place is put back along with it.
        self.slots: dict[tuple[int, int], Change] = {}
        self.groups: list[tuple[Change, list[Change]]] = []
        self.replaced: dict[tuple[int, int], list[Change]] = {}

    def _matters(self, record: Record, key: Any, then: Any, now: Any) -> bool:
        facet, root = record.facet, record.place
        if facet is ITEMS:
            if root != "sys.modules":
                return True
            return type(key) is str and (then is not MISSING or self.owners.of(key) <= LIBRARY)
        if type(key) is str and key in NO_STATE:
            return False
        if facet is LOGGERS:
            return now is MISSING or bool(configuration(now))
        if facet is GLOBALS and type(now) is types.ModuleType and then is MISSING:
            return False  # a submodule was imported: that is told of `sys.modules`
        if facet is GLOBALS and root == "sys" and key in FAILURE:
            return False
        if facet is GLOBALS and record.level == STANDARD and type(key) is str:
            lazy = (key.startswith("_") and root != "builtins") or "%s.%s" % (root, key) in LAZY
            return not ((lazy and (then is None or then is MISSING)) or _CACHE.search(key))
        return not (facet is CLASS and record.level == PROJECT and key in self.fixtures.attributes(record.owner))

    def changes(self) -> list[Change]:
        places = {(id(record), id(key)) for record, found in self.found for key, _, _ in found}
        outer = [(record, found, self._outermost(record, places)) for record, found in self.found]
        made = []
        for record, found, place in outer:
            if place is None:
                with contextlib.suppress(Exception):  # one odd thing must not hide the others
                    made += self._of(record, found)
        for record, found, place in outer:
            if place in self.slots:
                self.slots[place].steps += self._steps(record, found)
        return self._merged(made)

    def _outermost(self, record: Record, places: set[tuple[int, int]]) -> tuple[int, int] | None:
        """The outermost changed place on the way to a record."""
        outermost = None
        while not isinstance(record.place, str):
            parent, key = record.place
            if (id(parent), id(key)) in places:
                outermost = (id(parent), id(key))
            record = parent
        return outermost

    def _merged(self, made: list[Change]) -> list[Change]:
        """With a change for all of one owner, and one for all modules in which one thing was replaced by another."""
        gone: set[int] = set()
        merged = []
        for same_things in self.replaced.values():
            if len(same_things) > 1:
                gone.update(map(id, same_things))
                first = min(same_things, key=lambda change: (change.rank != PROCESS, change.name))
                merged.append(_together(first, "%s and %d more" % (first.name, len(same_things) - 1), same_things))
        for whole, members in self.groups:
            if len(members) > MOST_OF_ONE:
                gone.update(map(id, members))
            whole.steps = [step for member in members for step in member.steps]
            merged.append(whole)
        return [change for change in made if id(change) not in gone] + merged

    def _held(self, record: Record, *keys: Any) -> list[tuple[Holder, Any]]:
        return [(("records", self.numbers[id(record)]), token(key)) for key in keys]

    def _steps(self, record: Record, found: list[Any]) -> list[Callable[[], Any]]:
        facet, owner = record.facet, record.owner
        if facet.whole is None:
            return [partial(facet.put, owner, key, then) for key, then, _ in found]
        steps: list[Callable[[], Any]] = [partial(facet.whole, owner, record.keys, record.values)]
        if record.place == "warnings.filters":
            steps.append(_forget_filters)
        return steps

    def _of(self, record: Record, found: list[Any]) -> list[Change]:
        if record.place == "sys.modules":
            return self._imports(record, found)
        module, parts, rest = path_of(record, self.sources)
        name, rank = ".".join([module, *parts]) + rest, _RANKS[record.level]
        if record.level != PROJECT and _CACHE.search(name):
            return []
        if record.facet.whole is not None or record.facet is CACHE:
            return [self._container(record, found, name, rank)]
        made = []
        for key, then, now in found:
            steps, held = self._steps(record, [(key, then, now)]), self._held(record, key)
            text, before, after = _slot_name(record, name, key), _shown(record, then), _shown(record, now)
            change = Change(record.facet.kind, text, before, after, rank, steps, held)
            self.slots[id(record), id(key)] = change
            made.append(change)
            if record.facet is GLOBALS and not (then is MISSING or now is MISSING or id(type(now)) in BY_VALUE):
                self.replaced.setdefault((id(then), id(now)), []).append(change)
        if len(made) > 1:
            keys = ", ".join(_plain(key) for key, _, _ in found)
            said, held = cut("%d changed: %s" % (len(found), keys)), self._held(record, *(key for key, _, _ in found))
            whole = Change(made[0].kind, name, "", said, rank, [], held)
            self.groups.append((whole, made))
        return made

    def _container(self, record: Record, found: list[Any], name: str, rank: int) -> Change:
        held = self._held(record, *(key for key, _, _ in found))
        if record.facet is CACHE:
            then, now = ("%d cached" % number for number in found[0][1:])
            return Change("cache", name, then, now, NOISE, self._steps(record, found), held)
        if len(found) == 1 and record.facet is ITEMS:
            name, then, now = name + step(record, found[0][0]), short(found[0][1]), short(found[0][2])
        else:
            then, now = difference(record.facet, record.keys, record.values, record.owner, found)
        change = Change(_kind(record), name, then, now, rank, self._steps(record, found), held)
        self.slots.update({(id(record), id(key)): change for key, _, _ in found})
        return change

    def _imports(self, record: Record, found: list[Any]) -> list[Change]:
        """Modules added, a package with all that is below it as one; modules taken away or replaced."""
        made: dict[str, Change] = {}
        for key, then, now in sorted(found, key=lambda entry: str(entry[0])):
            put: list[Callable[[], Any]] = [partial(ITEMS.put, modules, key, then)]
            above = [key.rpartition(".")[0], *_parents(key)]
            top = next((made[name] for name in above if name in made and then is MISSING), None)
            if then is MISSING:
                put.append(partial(_forget_submodule, key, now))
            if top is not None:
                top.steps += put
                continue
            rank = OWN if self.owners.of(key) == PROJECT else NOISE if then is MISSING else PROCESS
            held = self._held(record, key)
            made[key] = Change("module", "sys.modules[%r]" % key, short(then), short(now), rank, put, held)
        return list(made.values())


def _together(first: Change, name: str, members: list[Change]) -> Change:
    steps = [step for member in members for step in member.steps]
    return Change(first.kind, name, first.before, first.after, first.rank, steps, first.held)


def _kind(record: Record) -> str:
    if record.place == "warnings.filters":
        return "warnings filter"
    root = record
    while not isinstance(root.place, str):
        if root.facet is LOGGER:
            return "logging"
        root = root.place[0]
    if root.facet is LOGGER or root.place.startswith("logging."):
        return "logging"
    return "sys" if root.place.startswith("sys.") else str(record.facet.kind)


def _slot_name(record: Record, name: str, key: Any) -> str:
    if record.facet is LOGGERS:
        return "logging.getLogger(%r)" % key
    if record.facet is ENVIRONMENT:
        return "os.environ[%r]" % _plain(key)
    if record.facet is CELL:
        return name
    return name + step(record, key)


def _shown(record: Record, value: Any) -> str:
    if value is MISSING:
        return short(value)
    if record.facet is ENVIRONMENT and type(value) is bytes:
        return short(os.fsdecode(value))
    if record.facet is LOGGERS:
        return cut(", ".join("%s %s" % (name, short(part)) for name, part in configuration(value).items()))
    return short(value)


def _plain(key: Any) -> str:
    return os.fsdecode(key) if type(key) is bytes else key if type(key) is str else short(key, 40)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(len(parts) - 2, 0, -1)]


def _forget_submodule(name: str, module: Any) -> None:
    """Take a submodule off its package, as it was before the import."""
    above, _, last = name.rpartition(".")
    contents = globals_of(modules.get(above))
    if contents.get(last) is module:
        del contents[last]


def _forget_filters() -> None:
    """The warnings' C code keeps a version of the filters it has seen."""
    contents = globals_of(modules.get("warnings"))
    mutated = contents.get("_filters_mutated_lock_held") or contents.get("_filters_mutated")
    if mutated is not None:
        lock = contents.get("_lock")
        with lock if "_filters_mutated_lock_held" in contents and lock is not None else contextlib.nullcontext():
            mutated()
