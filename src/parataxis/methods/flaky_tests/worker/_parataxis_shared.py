"""Fixtures wider than one test: who first asks for one sets it up, and the next is given what has become of it."""

from __future__ import annotations

import inspect
from functools import partial
from types import SimpleNamespace
from typing import Any

from _parataxis_differences import NOISE, Change
from _parataxis_names import short


class SharedFixtures:
    """Those of the suite that a signature asks for, and which of them had a value.

    root: the project's folder, and a separator.
    """

    def __init__(self, items: list[Any], root: str) -> None:
        self._session = items[0].session if items else None
        known: dict[int, Any] = {}
        for item in items:
            for several in getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).values():
                known.update({id(each): each for each in several if each.scope != "function"})
        lines = [(each, _line(each.func, root)) for each in known.values()]
        self._known = [(each, each.cached_result, line) for each, line in lines if line]

    def changes(self) -> list[Change]:
        """Those that were set up since; what is built on others, and what overrides another, before these.

        To undo one is to tear it down, with all that is built on it.
        """
        changed = [
            (each, line)
            for each, then, line in self._known
            if each.cached_result is not None and each.cached_result is not then
        ]
        names = {each.argname: each for each, _ in changed}
        found = []
        for each, line in sorted(changed, key=lambda pair: (-len(_needs(pair[0], names)), -len(pair[0].baseid or ""))):
            value, _, error = each.cached_result
            name = "fixture " + "::".join(filter(None, [each.baseid, each.argname]))
            kept = "%s, kept for the %s" % (short(value) if error is None else "it failed", each.scope)
            undo = partial(_tear_down, each, self._session)
            found.append(Change("fixture", name, "(not set up)", kept, NOISE, [undo], [], where=line))
        return found


def _tear_down(definition: Any, session: Any) -> None:
    try:
        definition.finish(SimpleNamespace(node=session, config=session.config))
    finally:
        definition.cached_result = None  # a hook that fails must not leave what is torn down


def _line(function: Any, root: str) -> str:
    """file:line of a function of the suite's own, or ""."""
    code: Any = getattr(inspect.unwrap(function), "__code__", None)
    file = str(getattr(code, "co_filename", ""))
    if not file.startswith(root) or "site-packages" in file:
        return ""
    return "%s:%d" % (file[len(root) :], code.co_firstlineno)


def _needs(definition: Any, known: dict[str, Any]) -> set[str]:
    """The fixtures that one is built on, and those that these are."""
    found: set[str] = set()
    names = list(definition.argnames)
    while names:
        name = names.pop()
        if name in known and name not in found and name != definition.argname:
            found.add(name)
            names += known[name].argnames
    return found
