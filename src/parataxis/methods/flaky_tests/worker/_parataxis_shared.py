"""Fixtures wider than one test: who first asks for one sets it up, and the next is given what has become of it."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from _parataxis_differences import FILES, Change
from _parataxis_names import short


class SharedFixtures:
    """Those that tests ask for, and which of them had a value."""

    def __init__(self, items: list[Any]) -> None:
        self._session = items[0].session if items else None
        known: dict[int, Any] = {}
        for item in items:
            for several in getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).values():
                known.update({id(definition): definition for definition in several})
        self._known = [(each, each.cached_result) for each in known.values() if _is_shared(each)]

    def changes(self) -> list[Change]:
        """Those that were set up since, what is built on others before these.

        To undo one is to tear it down, with all that is built on it.
        """
        values = [(each, then, each.cached_result) for each, then in self._known]
        changed = [each for each, then, now in values if now is not None and now is not then]
        names = {each.argname: each for each in changed}
        found = []
        for each in sorted(changed, key=lambda each: -len(_needs(each, names))):
            name = "fixture " + "::".join(filter(None, [each.baseid, each.argname]))
            kept = "%s, kept for the %s" % (short(each.cached_result[0]), each.scope)
            undo = partial(each.finish, SimpleNamespace(node=self._session))
            found.append(Change("fixture", name, "(not set up)", kept, FILES, [undo], []))
        return found


def _is_shared(definition: Any) -> bool:
    """pytest's own make no difference to anybody; nor do those by which it runs `setUpClass` and the like."""
    own = getattr(definition.func, "__module__", "").startswith("_pytest.")
    return definition.scope != "function" and not own and not definition.argname.startswith("_")


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
