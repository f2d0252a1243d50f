"""What the suite's own objects count where a test's function ends: their numbers, and how much their containers hold.

{"counts": true}           they are read; calls take a little longer
"""

from __future__ import annotations

import collections
import sys
from typing import Any

DEEPEST, MOST = 3, 2000  # steps from a variable of the test; things
CONTAINERS = (list, dict, set, frozenset, tuple, collections.deque)
GROWING = (list, dict, set, collections.deque)


class Counts:
    """A trace function: waits for the end of the function with this code.

    found: numbers and amounts where all has come to rest; held: of those, what containers hold.
    """

    def __init__(self, own: Any, code: Any) -> None:
        self.own, self.code = own, code
        self.found: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self._roots: list[Any] = []
        self._globals: dict[str, Any] = {}

    def start(self) -> None:
        sys.settrace(self)

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code is not self.code:
            return None
        frame.f_trace_lines = False
        return self._at_end

    def _at_end(self, frame: Any, event: str, arg: Any) -> Any:
        if event == "return":
            self._roots, self._globals = [*frame.f_locals.values(), *frame.f_globals.values()], frame.f_globals
        return self._at_end

    def settle(self) -> None:
        """Look, now that whatever was at work has had time to end."""
        sys.settrace(None)
        self._look(self._roots, self._globals)
        self._roots = []

    def _is_own(self, kind: Any) -> bool:
        module = sys.modules.get(getattr(kind, "__module__", None) or "")
        return self.own.path(getattr(module, "__file__", None) or "/") is not None

    def _count(self, name: str, value: Any) -> None:
        number = len(value) if type(value) in GROWING else value if type(value) is int else None
        if number is not None:
            self.found[name] = max(number, self.found.get(name, number))
            if type(value) in GROWING:
                self.held[name] = self.found[name]

    def _look(self, roots: list[Any], variables: dict[str, Any]) -> None:
        self.found, self.held = {}, {}
        for name, value in list(variables.items()):
            if type(value) in GROWING and not name.startswith("__"):
                self._count(name, value)
        known: dict[int, Any] = {}
        level = list(roots)
        for _ in range(DEEPEST):
            below: list[Any] = []
            for thing in level:
                if id(thing) not in known and len(known) < MOST:
                    known[id(thing)] = thing
                    below += self._members(thing)
            level = below

    def _members(self, thing: Any) -> list[Any]:
        if type(thing) in CONTAINERS:
            return list(thing.values() if type(thing) is dict else thing)
        kind = thing if isinstance(thing, type) else type(thing)
        if not self._is_own(kind):
            return []
        members = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
        for name, value in members.items():
            if not name.startswith("__"):
                self._count("%s.%s" % (kind.__qualname__, name), value)
        return [*members.values(), kind]
