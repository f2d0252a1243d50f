"""Which line left a change: a test is run once more, and after each of its lines the few things that change are read.

    trace = Trace(state, holders)
    ...                             # the test runs
    trace.end()
    trace.where(change)             # "test_shop.py:12"; "" where no line of the suite's has done it

A line is the suite's own, or of the library that it tests. What the standard library or an installed one does is told
by the line that called it; only what was called by none, a plugin's fixture say, by the line of the plugin. What
another thread does is told by the line that was at work, or waited, in the thread of the tests.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Sequence, Tuple

from _parataxis_differences import Change, Holder
from _parataxis_facets import token
from _parataxis_objects import LIBRARY, PROJECT, Record
from _parataxis_state import State

# Bound before the suite is imported, which may patch them.
_settrace, _gettrace = sys.settrace, sys.gettrace
Line = Tuple[str, int]  # file and number


class Trace:
    """Begins at once. `holders`: of the changes, as `Change.to_row` names them."""

    def __init__(self, state: State, holders: Sequence[Holder]) -> None:
        self.owners = state.owners
        self.records: dict[Holder, Record] = {tuple(holder): state.record(*holder) for holder in holders}
        # By holder and token of the key: how many changes there had been, and the line of the last of them.
        self.last: dict[Holder, dict[Any, tuple[int, Line | None]]] = {}
        self.count = 0
        self.line: Line | None = None  # that is being executed
        self.outer, self.local = self._call, self._line  # each one object, by which it is known
        self.before = _gettrace()
        _settrace(self.outer)

    def end(self) -> None:
        if _gettrace() is self.outer:
            _settrace(self.before)
        else:  # the test has left another: what it did since then was not seen
            self.last.clear()

    def where(self, change: Change) -> str:
        """file:line; the last that changed one of its keys, or else anything of its holders."""
        found = [self.last[holder][key] for holder, key in change.held if key in self.last.get(holder, {})]
        found = found or [line for holder, _ in change.held for line in self.last.get(holder, {}).values()]
        _, line = max(found, default=(0, None))
        if line is None:
            return ""
        file, number = os.path.normpath(line[0]), line[1]
        return "%s:%d" % (file[len(self.owners.root) :] if file.startswith(self.owners.root) else file, number)

    def _call(self, frame: Any, event: str, _: Any) -> Any:
        """Follow a call of the suite's own code, or of a library where none of the suite's is at work."""
        owner = self.owners.of(dict.get(frame.f_globals, "__name__"))
        if not (owner == PROJECT or (owner == LIBRARY and self.line is None)):
            return None
        if frame.f_code.co_filename.startswith("<"):  # made on the spot, as the methods of a data class are
            return None
        self._look()
        return self.local

    def _line(self, frame: Any, event: str, _: Any) -> Any:
        """Before the next line: what differs by now, the one before has done; afterwards, its caller is at work."""
        self._look()
        if event == "return":
            frame = frame.f_back
            while frame is not None and frame.f_trace is not self.local:
                frame = frame.f_back
        self.line = None if frame is None else (frame.f_code.co_filename, frame.f_lineno)
        return self.local

    def _look(self) -> None:
        for holder, record in self.records.items():
            try:
                found = record.facet.differs(record.owner, record.keys, record.values)
                if found:
                    record.keys, record.values = record.facet.read(record.owner)
            except Exception:  # a thing that has lost its shape; an error here would become the test's
                continue
            for key, _, _ in found:
                self.count += 1
                self.last.setdefault(holder, {})[token(key)] = (self.count, self.line)
