"""What a test holds where its function ends: what it took and has not given back.

Counted before fixtures are torn down and before a failure is told at length, and without the variables of functions
that the failure cut short: those would be gone if it had passed. `held` counts descriptors with them. What is still at
work has some time to end: what it holds until then is not left.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import sys
import time
import traceback
import warnings
from typing import Any

import _parataxis_process as process

GRACE, STEP = 0.3, 0.005  # seconds: a thread or process that ends by then was late, and is not left
MOST_FILES = 300
_sleep, _listdir, _exists, _steady = time.sleep, os.listdir, os.path.lexists, time.monotonic


def holdings() -> dict[str, int]:
    """What this process holds; `blocks` are pieces of memory, large or small."""
    held = {"threads": process.threads(), "blocks": getattr(sys, "getallocatedblocks", int)()}
    held["handlers"] = _handlers() + getattr(atexit, "_ncallbacks", int)()
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm") as stream:
            held["kilobytes"] = int(stream.read().split()[1]) * 4
        held["descriptors"] = len(_listdir("/proc/self/fd"))
        held["processes"] = _children()
    return held


def _handlers() -> int:
    """Of all loggers."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return sum(len(getattr(logger, "handlers", ())) for logger in loggers)


def _children() -> int:
    count = 0
    for thread in _listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open("/proc/self/task/%s/children" % thread) as stream:
            count += len(stream.read().split())
    return count


class Kept:
    """Counts, from the start of a test to the end of its function."""

    def __init__(self) -> None:
        self.files: set[str] = set()  # that the suite's code has made
        self.slots = 0  # of semaphores, locks and pools: taken, less given back
        self.tasks = 0  # that were pending where the main one had ended well
        self.unclosed = 0  # warnings of things that were thrown away open
        self.calling = False
        self.to_do: list[Any] = []  # tasks at the line that failed
        self.still_to_do: int | None = None  # of these, after some time more

    def begin(self) -> None:
        _hear_of_unclosed(self)
        _hear_of_pending(self)
        self.before = holdings()
        self.calling = True

    def end(self, error: BaseException | None) -> dict[str, int]:
        gc.collect(1)  # whatever is in a circle is thrown away by now
        self.calling = False
        held = holdings().get("descriptors", 0) - self.before.get("descriptors", 0)
        _forget_variables(error)
        until = _steady() + GRACE
        while self.is_at_work() and _steady() < until:
            _sleep(STEP)
        after = holdings()
        kept = {name: after[name] - self.before[name] for name in after if name in self.before}
        kept["files"] = self.existing()
        return dict(kept, held=held, slots=self.slots, tasks=self.tasks, unclosed=self.unclosed)

    def existing(self) -> int:
        return sum(map(_exists, list(self.files)))

    def is_at_work(self) -> bool:
        if process.threads() > self.before["threads"]:
            return True
        with contextlib.suppress(OSError, ValueError):
            return "processes" in self.before and _children() > self.before["processes"]
        return False

    def made(self, path: str) -> None:
        if len(self.files) < MOST_FILES:
            self.files.add(os.path.abspath(path))


def _forget_variables(error: BaseException | None) -> None:
    known = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        traceback.clear_frames(error.__traceback__)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            frame.f_locals.__len__()  # asked for again: before 3.13, it is a copy that clear leaves as it was
        error = error.__cause__ or error.__context__


def _hear_of_unclosed(kept: Kept) -> None:
    """A filter of warnings that looks at each, and lets it pass to the others. It stays the first."""

    class Ear(type):
        def __subclasscheck__(cls, category: type) -> bool:
            kept.unclosed += kept.calling and issubclass(category, ResourceWarning)
            return False

    probe: Any = ("ignore", None, Ear("Unclosed", (), {}), None, 0)
    add: Any = getattr(warnings, "_add_filter", None)
    changed: Any = getattr(warnings, "_filters_mutated", None)
    if add is None or changed is None:  # another Python: nothing is heard
        return

    def add_after(*item: Any, append: bool) -> None:
        add(*item, append=append)
        if probe in warnings.filters:
            warnings.filters.remove(probe)  # type: ignore[attr-defined]
        warnings.filters.insert(0, probe)  # type: ignore[attr-defined]
        changed()

    warnings._add_filter = add_after  # type: ignore[attr-defined]
    warnings.filters.insert(0, probe)  # type: ignore[attr-defined]
    changed()


def _hear_of_pending(kept: Kept) -> None:
    """Tasks that are still to do where their loop is closed, unless an error cut the main one short."""
    runners: Any = sys.modules.get("asyncio.runners")
    loops: Any = sys.modules.get("asyncio.base_events")
    if runners is None or loops is None:
        return
    asyncio: Any = sys.modules["asyncio"]
    all_tasks = asyncio.all_tasks

    def count(loop: Any) -> None:
        if kept.calling and sys.exc_info()[0] is None:
            kept.tasks += len(all_tasks(loop))

    cancel, close = runners._cancel_all_tasks, loops.BaseEventLoop.close

    def wait_for_late_ones(loop: Any) -> None:
        """A failure leaves tasks to do that would have been done soon."""
        if kept.to_do and sys.exc_info()[0] is not None:
            late = [task for task in kept.to_do if not task.done()]
            kept.to_do = []
            if late:
                loop.run_until_complete(asyncio.wait(late, timeout=GRACE))
            kept.still_to_do = sum(not task.done() for task in late)

    def cancel_all_tasks(loop: Any) -> None:
        count(loop)
        wait_for_late_ones(loop)
        cancel(loop)

    def close_loop(self: Any) -> None:
        if not self.is_closed():
            count(self)
        close(self)

    runners._cancel_all_tasks, loops.BaseEventLoop.close = cancel_all_tasks, close_loop
