"""Slots: what is taken of a pool, a semaphore or a lock and given back, and who asks for one in vain.

A slot is lost if nobody holds it who is still at work: the thread that took it has ended, or is the one that asks.

{"limits": true}           who asks in vain for a slot that is lost is given it
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import Any

_new_lock = threading.Lock


def install(watch: Any, table: Any) -> None:
    if "queue" in sys.modules:
        _pools(watch, sys.modules["queue"])
    for kind in (threading.Semaphore, threading.BoundedSemaphore):
        _semaphores(watch, kind)
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None:
        for each in (asyncio.Semaphore, asyncio.BoundedSemaphore, asyncio.Lock):
            _count_in_loop(watch, each)
    table.add(_new_lock, _Locks(watch))


class _Holders:
    """Who holds the slots of one thing."""

    def __init__(self, watch: Any) -> None:
        self.watch, self.threads, self.granted = watch, [], 0  # type: ignore[var-annotated]

    def take(self) -> None:
        self.threads.append(threading.current_thread())
        self.watch.kept.slots += 1

    def give(self) -> None:
        self.watch.kept.slots -= 1
        if self.threads:
            me = threading.current_thread()
            self.threads.remove(me if me in self.threads else self.threads[0])
        self.granted -= bool(self.granted)

    def refused(self, frame: Any) -> bool:
        """Tell of it if a slot is lost; whether to grant one."""
        me = threading.current_thread()
        if not self.threads or any(thread is not me and thread.is_alive() for thread in self.threads):
            return False
        self.watch.trouble("leak", "no slot is free", frame)
        return "limits" in self.watch.plan


def _holders(watch: Any, thing: Any) -> _Holders:
    found = thing.__dict__.get("_parataxis")
    if found is None:
        found = thing.__dict__["_parataxis"] = _Holders(watch)
    return found


def _semaphores(watch: Any, kind: Any) -> None:
    if "acquire" in vars(kind):
        acquire = kind.acquire

        @functools.wraps(acquire)
        def take(self: Any, *args: Any, **kwargs: Any) -> Any:
            holders = _holders(watch, self)
            if not acquire(self, *args, **kwargs):
                if not holders.refused(sys._getframe(1)):
                    return False
                holders.granted += 1
            holders.take()
            return True

        kind.acquire = kind.__enter__ = take
    release = kind.release

    @functools.wraps(release)
    def give(self: Any, *args: Any, **kwargs: Any) -> Any:
        holders = _holders(watch, self)
        granted = holders.granted
        holders.give()
        return None if granted else release(self, *args, **kwargs)

    kind.release = give


def _count_in_loop(watch: Any, kind: Any) -> None:
    if "acquire" in vars(kind):
        acquire = kind.acquire

        async def take(self: Any) -> Any:
            taken = await acquire(self)
            watch.kept.slots += 1
            return taken

        kind.acquire = take
    if "release" in vars(kind) and kind.__name__ != "BoundedSemaphore":  # that one calls its parent's
        release = kind.release

        def give(self: Any) -> None:
            watch.kept.slots -= 1
            release(self)

        kind.release = give


# -- pools -------------------------------------------------------------------------------------------------------------


class _Pool:
    """What was taken of a queue, and whether anything ever came back: then it is a pool."""

    def __init__(self) -> None:
        self.out: list[Any] = []
        self.is_pool = False


def _pools(watch: Any, module: Any) -> None:
    get, put = module.Queue.get, module.Queue.put
    alone = threading.active_count()

    def pool_of(queue: Any) -> _Pool:
        return queue.__dict__.setdefault("_parataxis", _Pool())

    @functools.wraps(get)
    def take(self: Any, *args: Any, **kwargs: Any) -> Any:
        pool = pool_of(self)
        try:
            item = get(self, *args, **kwargs)
        except module.Empty:
            if pool.out and (pool.is_pool or threading.active_count() <= alone):
                watch.trouble("leak", "Empty", sys._getframe(1))
                if "limits" in watch.plan:
                    return pool.out[-1]
            raise
        pool.out.append(item)
        watch.kept.slots += pool.is_pool
        return item

    @functools.wraps(put)
    def give(self: Any, item: Any, *args: Any, **kwargs: Any) -> Any:
        pool = pool_of(self)
        place = next((n for n, other in enumerate(pool.out) if other is item), None)
        if place is not None:
            del pool.out[place]
            watch.kept.slots += -1 if pool.is_pool else len(pool.out)
            pool.is_pool = True
        return put(self, item, *args, **kwargs)

    module.Queue.get, module.Queue.put = take, give


# -- locks -------------------------------------------------------------------------------------------------------------


class _Locks:
    """Stands in for threading.Lock: those that the suite's code makes know who holds them."""

    __slots__ = ("watch",)

    def __init__(self, watch: Any) -> None:
        self.watch = watch

    def __call__(self) -> Any:
        file = sys._getframe(1).f_code.co_filename
        return _Lock(self.watch) if file == "<string>" or self.watch.own.path(file) is not None else _new_lock()


class _Lock:
    def __init__(self, watch: Any) -> None:
        self._lock, self._holders = _new_lock(), _Holders(watch)
        self.locked = self._lock.locked

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._lock.acquire(blocking, timeout):
            if not self._holders.refused(sys._getframe(1)):
                return False
            self._holders.granted += 1
        self._holders.take()
        return True

    __enter__ = acquire

    def release(self) -> None:
        granted = self._holders.granted
        if not granted:
            self._lock.release()
        self._holders.give()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()  # type: ignore[attr-defined]
