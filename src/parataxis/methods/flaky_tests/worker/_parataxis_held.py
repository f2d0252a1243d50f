"""What is held where failing runs fail: looks before each of these lines, and before each that asks for it itself.

{"held": ["file:line", ...]}                      what the process holds there
{"held": ["file:line", ...], "counts": true}      and what the suite's own objects count, which takes longer

A leak is something that was taken, in the test or in what it tests, and not given back; what keeps it from being given
back, a draw, a late answer, an early return, is only the way to it. Where a test ends it may all be gone: a tidy test
gives back what it found. So that is looked at where the test looks: at the line that fails, in passing runs at the same
one, and where it asks what is held. What is still at work has some time to end first: it is late, and not left. At the
line that fails it has that time after the failure, before anybody tidies up, so that the run is as it would have been.
"""

from __future__ import annotations

import dis
import gc
import inspect
import sys
import threading
import time
from typing import Any

import _parataxis_left as left
from _parataxis_counts import Counts

MOST_LOOKS, TIME = 300, 0.3  # times to look in all, and seconds: more would change what it looks at
PAUSING = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR  # a return may be no end
GRACE, STEP = 0.2, 0.005  # seconds in all, for what is at work to end
# Who names one of these, as a member of something, asks what is held; of memory and objects there is always some.
ASK_HELD = frozenset(("enumerate", "active_count", "active_children", "all_tasks", "num_fds", "open_files", "children"))
ASK_MEMORY = frozenset((
    "get_traced_memory", "take_snapshot", "getrusage", "getallocatedblocks", "get_objects", "get_referrers",
    "memory_info", "getsizeof", "ref", "WeakSet", "WeakValueDictionary", "WeakKeyDictionary", "finalize",
))  # fmt: skip
MEMBERS = ("LOAD_ATTR", "LOAD_METHOD")
_sleep, _steady, _objects = time.sleep, time.monotonic, gc.get_objects


class Held(Counts):
    """A trace function, as Counts; if counting, looks whenever a function of the suite's ends.

    at: what was held before the line that fails, and before the last that asked, each the last time: as
    `left.holdings`, less what there was when the test began; with files that the suite's code made, slots, tasks that
    are to do, connections amid a transaction, and objects of the suite's classes. asked: whether the suite's own code
    asked for memory or objects.
    """

    def __init__(self, own: Any, code: Any, lines: list[str], kept: Any, counting: bool) -> None:
        super().__init__(own, code)
        self.lines, self.kept, self.counting, self.patience = set(lines), kept, counting, GRACE
        self.at: dict[str, dict[str, int]] = {}
        self.asked = False
        self.starts: dict[str, int] = {}
        self.lowest: dict[str, int] = {}
        self.highest: dict[str, int] = {}
        self._stopped: dict[str, int] = {}
        self._stops: dict[Any, dict[int, str]] = {}
        self._looks, self._time = 0, 0.0

    def start(self) -> None:
        gc.freeze()  # what there is already need not be looked through at each line
        super().start()

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        code = frame.f_code
        if self.own.path(code.co_filename) is None:
            return None
        if code is self.code:
            self._globals = frame.f_globals
        if code not in self._stops:
            self._stops[code] = self._stops_in(code)
        frame.f_trace_lines = bool(self._stops[code])
        return self._on_line if self._stops[code] or self.counting else None

    def _stops_in(self, code: Any) -> dict[int, str]:
        path = self.own.path(code.co_filename)
        self.asked = self.asked or not ASK_MEMORY.isdisjoint(code.co_names)
        stops = dict.fromkeys(_asking(code), "asks")
        for _, line in dis.findlinestarts(code):
            if "%s:%s" % (path, line) in self.lines:
                stops[line] = "fails"
        return stops

    def _on_line(self, frame: Any, event: str, arg: Any) -> Any:
        where = self._stops[frame.f_code].get(frame.f_lineno)
        if event == "line" and where is not None:
            if where == "asks":
                self._wait()
            self._stop(where, frame)
        elif event == "exception" and where == "fails":
            self._wait()
            now = self._things(None)
            self.at[where].update({name: min(now[name], n) for name, n in self.at[where].items() if name in AT_WORK})
        elif event == "return" and self.counting:
            self._on_the_way(frame)
        return self._on_line

    def _on_the_way(self, frame: Any) -> None:
        if frame.f_code.co_flags & PAUSING or self._looks >= MOST_LOOKS or self._time >= TIME:
            return
        begun = _steady()
        self._looks += 1
        self._look([*frame.f_locals.values(), *self._globals.values()], self._globals)
        self._keep_peak()
        self._time += _steady() - begun

    def _keep_peak(self) -> None:
        for name, number in self.found.items():
            self.starts.setdefault(name, number)
            self.lowest[name] = min(number, self.lowest.get(name, number))
            self.highest[name] = max(number, self.highest.get(name, number))

    def _wait(self) -> None:
        until = _steady() + self.patience
        while _running_loop() is None and self.kept.is_at_work() and _steady() < until:
            _sleep(STEP)
            self.patience -= STEP

    def _stop(self, where: str, frame: Any) -> None:
        loop = _running_loop()
        self.at[where] = self._things(loop)
        if where == "fails":
            self.kept.to_do = _to_do(loop)
        if self.counting:
            roots: list[Any] = []
            while frame is not None:
                if self.own.path(frame.f_code.co_filename) is not None:
                    roots += [*frame.f_locals.values(), *frame.f_globals.values()]
                frame = frame.f_back
            self._look(roots, self._globals)
            self._keep_peak()
            self._stopped = self.found

    def _things(self, loop: Any) -> dict[str, int]:
        now = left.holdings()
        things = {name: now[name] - self.kept.before[name] for name in now if name in self.kept.before}
        things.update(files=self.kept.existing(), made=len(self.kept.files), slots=self.kept.slots)
        things["tasks"] = len(_to_do(loop))
        database: Any = sys.modules.get("sqlite3")
        if not self.asked and database is None:
            return things
        things["objects"] = things["transactions"] = 0
        for thing in _objects():
            kind = type(thing)
            if database is not None and issubclass(kind, database.Connection):
                things["transactions"] += _is_amid(thing, database)
            elif self.asked and type(kind.__module__) is str and self._is_own(kind):
                things["objects"] += 1
        return things

    def settle(self) -> None:
        sys.settrace(None)
        self.found = self._stopped
        if "fails" in self.at and self.kept.still_to_do is not None:
            self.at["fails"]["tasks"] = self.kept.still_to_do

    def told(self) -> dict[str, Any]:
        """And of each count where it began, how low and high it went, what it was before the line; if a container's, 1.

        At the last of the lines, be it one that asks.
        """
        moved = {name: [self.starts[name], self.lowest[name], self.highest[name], n] for name, n in self.found.items()}
        return {
            "at": self.at,
            "asked": self.asked,
            "moved": {name: [*numbers, int(name in self.held)] for name, numbers in moved.items()},
        }


AT_WORK = ("threads", "processes", "descriptors", "slots", "files", "blocks", "kilobytes", "objects", "transactions")


def _asking(code: Any) -> set[int]:
    """The lines that ask what is held: by name, or of the files in which Linux tells."""
    lines, line = set(), 0
    for step in dis.get_instructions(code):
        line = step.starts_line if type(step.starts_line) is int else getattr(step, "line_number", line) or line
        member = step.opname in MEMBERS and step.argval in ASK_HELD | ASK_MEMORY
        if member or (type(step.argval) is str and step.argval.startswith("/proc")):
            lines.add(line)
    return lines


def _is_amid(connection: Any, database: Any) -> bool:
    try:
        return bool(connection.in_transaction)
    except database.Error:  # another thread's
        return False


def _running_loop() -> Any:
    asyncio: Any = sys.modules.get("asyncio")
    in_main = threading.current_thread() is threading.main_thread()
    return asyncio._get_running_loop() if asyncio is not None and in_main else None


def _to_do(loop: Any) -> list[Any]:
    if loop is None:
        return []
    asyncio: Any = sys.modules["asyncio"]
    return [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task(loop)]
