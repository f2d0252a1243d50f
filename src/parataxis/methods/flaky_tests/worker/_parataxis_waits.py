"""Waits, threads, processes and tasks: told where they are, and changed where the plan says so.

{"wait": "file:line"}      the wait there, a sleep or a time-out, is ten times as long and more
{"serial": true}           whoever starts a thread, process or task lets it run first, for a while
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import threading
import time
from typing import Any, Callable

HEAD_START, PATIENCE, LONGER, MORE = 0.3, 0.01, 10, 0.05  # seconds, and a factor
_nested = threading.local()


def install(watch: Any, table: Any) -> None:
    _sleeps(watch, table)
    _timeouts(watch)
    _threads(watch)


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


def _timeouts(watch: Any) -> None:
    for module, kind, name, place in TIMEOUTS:
        holder = sys.modules.get(module)
        holder = getattr(holder, kind, None) if kind else holder
        real = getattr(holder, name, None)
        if real is None:
            continue
        wrapper = _timed(watch, real, place, joins=name == "join")
        setattr(holder, name, wrapper)
        if module == "asyncio":  # it is known by two names
            for other in ("asyncio.tasks", "asyncio.timeouts"):
                if getattr(sys.modules.get(other), name, None) is real:
                    setattr(sys.modules[other], name, wrapper)


def _timed(watch: Any, real: Callable[..., Any], place: int, joins: bool) -> Callable[..., Any]:
    @functools.wraps(real)
    def wait(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if "timeout" in kwargs:
            kwargs["timeout"] = _longer(watch, kwargs["timeout"], frame)
        elif len(args) > place:
            args = (*args[:place], _longer(watch, args[place], frame), *args[place + 1 :])
        before, _nested.on = getattr(_nested, "on", False), True
        try:
            return real(*args, **kwargs)
        finally:
            _nested.on = before
            if joins and not args[0].is_alive():
                watch.unjoined.discard(args[0])

    return wait


# -- threads and processes -----------------------------------------------------------------------------------------


def _threads(watch: Any) -> None:
    serial = "serial" in watch.plan
    start, join = threading.Thread.start, threading.Thread.join

    def start_thread(self: Any) -> None:
        frame = sys._getframe(1)
        start(self)
        if watch.note("thread", frame) is None or frame.f_globals.get("__name__", "").startswith("concurrent."):
            return
        watch.unjoined.add(self)
        if serial:
            join(self, watch.spend(HEAD_START))

    threading.Thread.start = start_thread  # type: ignore[method-assign]
    _tasks(watch, serial)
    if "multiprocessing.process" in sys.modules:
        _processes(watch, serial)
    _popen(watch, serial)
    for module, name in (("thread", "ThreadPoolExecutor"), ("process", "ProcessPoolExecutor")):
        kind = getattr(sys.modules.get("concurrent.futures." + module), name, None)
        if kind is not None:
            _pool(watch, kind, serial)


def _pool(watch: Any, kind: Any, serial: bool) -> None:
    submit, wait = kind.submit, sys.modules["concurrent.futures"].wait

    def submit_and_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        future = submit(self, *args, **kwargs)
        if watch.note("thread", sys._getframe(1)) is not None and serial:
            wait([future], watch.spend(HEAD_START))
        return future

    kind.submit = submit_and_wait


def _tasks(watch: Any, serial: bool) -> None:
    """With `serial`, coroutines that the suite makes tasks of run one after the other."""
    asyncio: Any = sys.modules.get("asyncio")
    loops: Any = sys.modules.get("asyncio.base_events")
    if asyncio is None or loops is None:
        return
    locks: dict[Any, Any] = {}
    wait_for, make = asyncio.wait_for, loops.BaseEventLoop.create_task

    async def alone(work: Any) -> Any:
        lock = locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        try:
            await wait_for(lock.acquire(), watch.spend(HEAD_START) + PATIENCE)
        except asyncio.TimeoutError:
            return await work
        try:
            return await work
        finally:
            lock.release()

    def create_task(self: Any, work: Any, **kwargs: Any) -> Any:
        callers = _callers(sys._getframe(1))
        if callers & MAKE_TASKS and not callers & NO_TASKS and watch.note("task", sys._getframe(1)) and serial:
            return make(self, alone(work), **kwargs)
        return make(self, work, **kwargs)

    loops.BaseEventLoop.create_task = create_task


MAKE_TASKS, NO_TASKS = {"create_task", "ensure_future", "gather"}, {"wait_for", "alone", "run", "run_until_complete"}


def _callers(frame: Any) -> set[str]:
    """The names of the nearest functions, as far as they are asyncio's."""
    names = set()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("asyncio"):
        names.add(frame.f_code.co_name)
        frame = frame.f_back
        if len(names) == 4:
            break
    return names


def _processes(watch: Any, serial: bool) -> None:
    kind = sys.modules["multiprocessing.process"].BaseProcess
    start, join = kind.start, kind.join

    def start_process(self: Any) -> None:
        start(self)
        if watch.note("process", sys._getframe(1)) is not None:
            watch.unjoined.add(self)
            if serial:
                join(self, watch.spend(HEAD_START))

    kind.start = start_process


def _popen(watch: Any, serial: bool) -> None:
    kind = subprocess.Popen
    init, wait = kind.__init__, kind.wait

    def start_process(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        frame = sys._getframe(1)
        if serial and watch.own.site(frame) and not frame.f_globals.get("__name__", "").startswith("asyncio"):
            granted = watch.spend(HEAD_START)
            with contextlib.suppress(subprocess.TimeoutExpired):
                wait(self, granted)

    kind.__init__ = start_process  # type: ignore[method-assign]
