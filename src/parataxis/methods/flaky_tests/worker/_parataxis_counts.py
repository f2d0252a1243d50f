"""What the suite's own objects count where a test's function ends: their numbers, and how much their containers hold.

{"counts": true}           they are read; calls take a little longer
"""

from __future__ import annotations

import collections
import inspect
import sys
import time
from typing import Any

DEEPEST, MOST, MOST_LOOKS = 3, 2000, 300  # steps from a variable of the test; things; times
TIME = 0.3  # seconds of looking in all: more would change what it looks at
PAUSING = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR  # a return may be no end
CONTAINERS = (list, dict, set, frozenset, tuple, collections.deque)
GROWING = (list, dict, set, collections.deque)
_steady = time.monotonic


class Counts:
    """A trace function: waits for the end of the function with this code, and looks whenever one of the suite's ends.

    found: numbers and amounts where all has come to rest; held: of those, what containers hold; peak: the most that
    each was seen to hold.
    """

    def __init__(self, own: Any, code: Any) -> None:
        self.own, self.code = own, code
        self.found: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self._roots: list[Any] = []
        self._globals: dict[str, Any] = {}
        self._looks, self._time = 0, 0.0

    def start(self) -> None:
        sys.settrace(self)

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code is not self.code and self.own.path(frame.f_code.co_filename) is None:
            return None
        frame.f_trace_lines = False
        if frame.f_code is self.code:
            self._globals = frame.f_globals
            return self._at_end
        return self._on_the_way

    def _on_the_way(self, frame: Any, event: str, arg: Any) -> Any:
        ends = event == "return" and not frame.f_code.co_flags & PAUSING
        if ends and self._looks < MOST_LOOKS and self._time < TIME:
            begun = _steady()
            self._looks += 1
            self._look([*frame.f_locals.values(), *self._globals.values()], self._globals)
            self._keep_peak()
            self._time += _steady() - begun
        return self._on_the_way

    def _at_end(self, frame: Any, event: str, arg: Any) -> Any:
        if event == "return":
            self._roots = [*frame.f_locals.values(), *frame.f_globals.values()]
            self._look(self._roots, frame.f_globals)
            self._keep_peak()
        return self._at_end

    def settle(self) -> None:
        """Look again, now that whatever was at work has had time to end."""
        sys.settrace(None)
        self._look(self._roots, self._globals)
        self._roots = []

    def _keep_peak(self) -> None:
        for name, number in self.held.items():
            self.peak[name] = max(number, self.peak.get(name, number))

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
