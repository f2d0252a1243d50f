"""Threads, processes and tasks: told where they are started, and run one after the other where the plan says so.

{"serial": true}           whoever starts a thread, process or task lets it run first, for a while
{"serial": "backward"}     a thread or task lets those run first that are started after it, for a while
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import subprocess
import sys
import threading
import time
from typing import Any, Callable

HEAD_START, PATIENCE, STEP, APART = 0.3, 0.01, 0.01, 0.05  # seconds
STUCK = 3  # steps after which one who waits for a signal is let go
LIBRARIES = ("concurrent.", "multiprocessing.", "asyncio")  # their workers run as long as there may be work
LAZY = {  # loaded where the first pool is made
    "multiprocessing": "multiprocessing.pool",
    "concurrent.futures": "concurrent.futures.thread",
}
_sleep, _now, _ident = time.sleep, time.monotonic, threading.get_ident


class Work:
    """What the suite's code has started, and what the plan makes of it."""

    def __init__(self, watch: Any) -> None:
        self.watch = watch
        self.serial = watch.plan.get("serial")
        self.forward, self.backward = self.serial is True, self.serial == "backward"
        self.started: list[Callable[[float], bool]] = []
        self.count = 0  # of threads, jobs of a pool, and tasks, which can go backward
        self.blocked: set[int] = set()
        self._turn, self._turns = 0.0, threading.Lock()

    def install(self) -> None:
        for module, lazy in LAZY.items():
            if module in sys.modules:
                importlib.import_module(lazy)
        _threads(self)
        _tasks(self)
        if "multiprocessing.process" in sys.modules:
            _processes(self)
        if "multiprocessing.pool" in sys.modules:
            _process_pools(self)
        _popen(self)
        for module, name in (("thread", "ThreadPoolExecutor"), ("process", "ProcessPoolExecutor")):
            kind = getattr(sys.modules.get("concurrent.futures." + module), name, None)
            if kind is not None:
                _executors(self, kind)
        if self.forward:
            _in_order(self)

    def begins(self, can_go_backward: bool = True) -> None:
        """Something is started, that is, after the waits so far."""
        self.count += can_go_backward
        if not self.watch.is_aside():
            self.watch.followed.update(set(self.watch.sites.get("wait", ())) - self.watch.enclosing)

    def let_run(self, ended: Callable[[float], bool], thread: Any = None) -> None:
        """Until it has ended, waits for a signal, or had its time."""
        stuck = 0
        for _ in range(int(HEAD_START / STEP)):
            granted = self.watch.spend(STEP)
            if not granted or ended(granted):
                return
            stuck = stuck + 1 if thread is not None and thread.ident in self.blocked else 0
            if stuck == STUCK:
                return

    def others_first(self, act: Callable[..., Any], ended: Callable[[float], bool]) -> Callable[..., Any]:
        """`act`, after what is started from now on until it begins."""
        place = len(self.started)
        self.started.append(ended)

        def late(*args: Any, **kwargs: Any) -> Any:
            _sleep(self.watch.spend(APART))
            for other in self.started[place + 1 :]:
                self.let_run(other)
            return act(*args, **kwargs)

        return late

    # -- one who waits for a signal --------------------------------------------------------------------------------

    def blocks(self) -> None:
        self.blocked.add(_ident())

    def joined(self, thing: Any) -> None:
        """It was waited for to its end: a thread or process; or a queue, and so whoever works for it."""
        if not hasattr(thing, "is_alive"):
            self.watch.unjoined.clear()
        elif not thing.is_alive():
            self.watch.unjoined.discard(thing)

    def goes_on(self) -> None:
        """Whoever has waited for a signal goes on some time after the one before."""
        self.blocked.discard(_ident())
        if self.forward and _ident() != self.watch.main:
            with self._turns:
                now = _now()
                begin = max(now, self._turn)
                self._turn = begin + APART
            _sleep(self.watch.spend(begin - now))


def _module_of(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _threads(work: Work) -> None:
    watch, start, join = work.watch, threading.Thread.start, threading.Thread.join

    def start_thread(self: Any) -> None:
        def ended(seconds: float) -> bool:
            join(self, seconds)
            return not self.is_alive()

        frame = sys._getframe(1)
        mine = not _module_of(frame).startswith(LIBRARIES)
        if mine and work.backward and watch.own.site(frame) is not None:
            self.run = work.others_first(self.run, ended)
        start(self)
        if watch.note("thread", frame) is not None and mine:
            work.begins()
            watch.unjoined.add(self)
            if work.forward:
                work.let_run(ended, self)

    threading.Thread.start = start_thread  # type: ignore[method-assign]


# -- pools -------------------------------------------------------------------------------------------------------------


def _executors(work: Work, kind: Any) -> None:
    submit, wait = kind.submit, sys.modules["concurrent.futures"].wait

    def submit_and_wait(self: Any, act: Any, *args: Any, **kwargs: Any) -> Any:
        def ended(seconds: float) -> bool:
            return bool(made) and bool(wait(made, seconds).done)

        made: list[Any] = []
        if work.backward and kind.__name__ == "ThreadPoolExecutor":
            act = work.others_first(act, ended)
        future = submit(self, act, *args, **kwargs)
        made.append(future)
        frame = sys._getframe(1)
        if work.watch.note("thread", frame) is not None:
            if not _module_of(frame).startswith("asyncio"):
                work.begins()
            if work.forward:
                work.let_run(ended)
        return future

    kind.submit = submit_and_wait


def _process_pools(work: Work) -> None:
    kind = sys.modules["multiprocessing.pool"].Pool
    map_async, apply_async, imap, unordered = kind._map_async, kind.apply_async, kind.imap, kind.imap_unordered

    def told(frame: Any) -> bool:
        return work.watch.note("process", frame) is not None and work.forward

    def apply_and_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = apply_async(self, *args, **kwargs)
        if told(sys._getframe(1)):
            work.let_run(lambda seconds: result.wait(seconds) or result.ready())
        return result

    def map_in_one(self: Any, act: Any, things: Any, mapper: Any, chunksize: Any = None, *rest: Any, **kw: Any) -> Any:
        if told(sys._getframe(1)):
            things = list(things)
            chunksize = max(1, len(things))
        return map_async(self, act, things, mapper, chunksize, *rest, **kw)

    def in_one(real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def one_by_one(self: Any, act: Any, things: Any, chunksize: int = 1) -> Any:
            if told(sys._getframe(1)):
                things = list(things)
                chunksize = max(1, len(things))
            return real(self, act, things, chunksize)

        return one_by_one

    kind.apply_async, kind._map_async = apply_and_wait, map_in_one
    kind.imap, kind.imap_unordered = in_one(imap), in_one(unordered)


def _in_order(work: Work) -> None:
    """What has been completed in the order of its start is told in that order; else in that of a set."""
    futures: Any = sys.modules.get("concurrent.futures")
    asyncio: Any = sys.modules.get("asyncio")
    if futures is not None:
        completed = futures.as_completed

        @functools.wraps(completed)
        def as_completed(things: Any, *args: Any, **kwargs: Any) -> Any:
            things = list(things)
            return iter(things) if all(f.done() for f in things) else completed(things, *args, **kwargs)

        futures.as_completed = as_completed
        work.watch.table.add(completed.__wrapped__, as_completed)  # as it was before its time-out was watched
    if asyncio is not None:
        first_come = asyncio.as_completed

        @functools.wraps(first_come)
        def in_turn(things: Any, **kwargs: Any) -> Any:
            return first_come([asyncio.ensure_future(thing) for thing in things], **kwargs)

        asyncio.as_completed = in_turn


# -- tasks -------------------------------------------------------------------------------------------------------------


def _tasks(work: Work) -> None:
    """Coroutines that the suite makes tasks of are noted, and run in the order that the plan says."""
    asyncio: Any = sys.modules.get("asyncio")
    loops: Any = sys.modules.get("asyncio.base_events")
    if asyncio is None or loops is None:
        return
    watch, locks, made = work.watch, {}, []  # type: ignore[var-annotated]
    wait_for, wait, make, sleep = asyncio.wait_for, asyncio.wait, loops.BaseEventLoop.create_task, asyncio.sleep

    async def alone(coroutine: Any) -> Any:
        lock = locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        try:
            await wait_for(lock.acquire(), watch.spend(HEAD_START) + PATIENCE)
        except asyncio.TimeoutError:
            return await coroutine
        try:
            return await coroutine
        finally:
            lock.release()

    async def after_later(coroutine: Any, place: int) -> Any:
        await sleep(0)
        later = [task for task in made[place + 1 :] if not task.done()]
        if later:
            await wait(later, timeout=watch.spend(HEAD_START) + PATIENCE)
        return await coroutine

    def create_task(self: Any, coroutine: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        callers = _callers(frame)
        if not callers & MAKE_TASKS or callers & NO_TASKS or not watch.note("task", frame):
            return make(self, coroutine, **kwargs)
        work.begins()
        if work.serial:
            coroutine = alone(coroutine) if work.forward else after_later(coroutine, len(made))
        task = make(self, coroutine, **kwargs)
        watch.aside.add(task)
        if work.backward:
            made.append(task)
        return task

    loops.BaseEventLoop.create_task = create_task


MAKE_TASKS = {"create_task", "ensure_future", "gather"}
NO_TASKS = {"wait_for", "alone", "after_later", "run", "run_until_complete"}


def _callers(frame: Any) -> set[str]:
    """The names of the nearest functions, as far as they are asyncio's."""
    names = set()
    while frame is not None and _module_of(frame).startswith("asyncio"):
        names.add(frame.f_code.co_name)
        frame = frame.f_back
        if len(names) == 4:
            break
    return names


# -- processes ---------------------------------------------------------------------------------------------------------


def _processes(work: Work) -> None:
    kind = sys.modules["multiprocessing.process"].BaseProcess
    start, join = kind.start, kind.join

    def start_process(self: Any) -> None:
        start(self)
        frame = sys._getframe(1)
        if work.watch.note("process", frame) is None or _module_of(frame).startswith(LIBRARIES):
            return
        work.begins(can_go_backward=False)
        work.watch.unjoined.add(self)
        if work.forward:
            work.let_run(lambda seconds: join(self, seconds) or not self.is_alive())

    kind.start = start_process


def _popen(work: Work) -> None:
    kind = subprocess.Popen
    init, wait = kind.__init__, kind.wait

    def start_process(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        frame = sys._getframe(1)
        if work.watch.own.site(frame) is None or _module_of(frame).startswith("asyncio"):
            return
        work.begins(can_go_backward=False)
        if work.forward:
            with contextlib.suppress(subprocess.TimeoutExpired):
                wait(self, work.watch.spend(HEAD_START))

    kind.__init__ = start_process  # type: ignore[method-assign]
