"""Waits: told where they are, and longer where the plan says so.

{"wait": "file:line"}      the wait there, a sleep or a time-out, is ten times as long and more
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from typing import Any, Callable

LONGER, MORE = 10, 0.05  # seconds, and a factor
_nested = threading.local()


def install(watch: Any, table: Any) -> None:
    _sleeps(watch, table)
    _timeouts(watch, table)


# -- waits ---------------------------------------------------------------------------------------------------------


def _longer(watch: Any, seconds: Any, frame: Any, least: float = 1e-9) -> Any:
    if not isinstance(seconds, (int, float)) or seconds < least or getattr(_nested, "on", False):
        return seconds
    site = watch.note("wait", frame)
    if site is not None and watch.plan.get("wait") == site:
        return seconds + watch.spend((LONGER - 1) * seconds + MORE)
    return seconds


class _Sleep:
    __slots__ = ("real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real

    def __call__(self, seconds: Any, *rest: Any, **kwargs: Any) -> Any:
        return self.real(_longer(self.watch, seconds, sys._getframe(1), 0), *rest, **kwargs)


def _sleeps(watch: Any, table: Any) -> None:
    table.add(time.sleep, _Sleep(watch, time.sleep))
    for module in ("asyncio", "trio", "anyio"):
        if hasattr(sys.modules.get(module), "sleep"):
            table.add(sys.modules[module].sleep, _Sleep(watch, sys.modules[module].sleep))


# Module, class or "", function, and the place of the time-out among the arguments, self included.
TIMEOUTS = (
    ("threading", "Event", "wait", 1),
    ("threading", "Condition", "wait", 1),
    ("threading", "Condition", "wait_for", 2),
    ("threading", "Semaphore", "acquire", 2),
    ("threading", "Barrier", "wait", 1),
    ("threading", "Thread", "join", 1),
    ("queue", "Queue", "get", 2),
    ("queue", "Queue", "put", 3),
    ("queue", "Queue", "join", 99),
    ("subprocess", "Popen", "wait", 1),
    ("subprocess", "Popen", "communicate", 2),
    ("subprocess", "", "run", 99),
    ("concurrent.futures", "Future", "result", 1),
    ("concurrent.futures", "", "wait", 1),
    ("concurrent.futures", "", "as_completed", 1),
    ("asyncio", "", "wait_for", 1),
    ("asyncio", "", "wait", 99),
    ("asyncio", "", "timeout", 0),
    ("multiprocessing.process", "BaseProcess", "join", 1),
    ("multiprocessing.connection", "_ConnectionBase", "poll", 1),
    ("select", "", "select", 3),
)


def _timeouts(watch: Any, table: Any) -> None:
    for module, kind, name, place in TIMEOUTS:
        holder = sys.modules.get(module)
        holder = getattr(holder, kind, None) if kind else holder
        real = getattr(holder, name, None)
        if real is None:
            continue
        wrapper = _timed(watch, real, place, kind, name)
        setattr(holder, name, wrapper)
        if not kind:
            table.add(real, wrapper)
        if module == "asyncio":  # it is known by two names
            for other in ("asyncio.tasks", "asyncio.timeouts"):
                if getattr(sys.modules.get(other), name, None) is real:
                    setattr(sys.modules[other], name, wrapper)


# Whoever waits for one of these waits for others to do something.
SIGNALS = (("Event", "wait"), ("Condition", "wait"), ("Condition", "wait_for"), ("Barrier", "wait"), ("Queue", "get"))


def _timed(watch: Any, real: Callable[..., Any], place: int, kind: str, name: str) -> Callable[..., Any]:
    signal, encloses = (kind, name) in SIGNALS, not kind

    @functools.wraps(real)
    def wait(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if "timeout" in kwargs:
            kwargs["timeout"] = _longer(watch, kwargs["timeout"], frame)
        elif len(args) > place:
            args = (*args[:place], _longer(watch, args[place], frame), *args[place + 1 :])
        if encloses:
            watch.enclosing.add(watch.own.site(frame))
        before, _nested.on = getattr(_nested, "on", False), True
        outermost = signal and not before
        if outermost:
            watch.work.blocks()
        try:
            return real(*args, **kwargs)
        finally:
            _nested.on = before
            if name == "join":
                watch.work.joined(args[0])
            if outermost:
                watch.work.goes_on()

    return wait
