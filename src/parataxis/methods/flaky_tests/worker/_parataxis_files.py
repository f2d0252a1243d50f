"""Files and folders: told where they are used and what trouble they give, and changed where the plan says so.

{"listing": "name"}        folders are listed by name, or by "creation", either also " backward"
{"stamp": true}            the time stamps of files tell in what order they were written
{"steady": true}           a file is read as it is when no other thread or process has it open for writing

See also `_parataxis_pipes`.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import stat
import sys
import threading
import time
import weakref
from typing import Any

import _parataxis_pipes as pipes

_stat, _listdir, _open, _pread, _pwrite = os.stat, os.listdir, os.open, os.pread, os.pwrite
_sleep, _ident, _now = time.sleep, threading.get_ident, time.time_ns
STEP, LARGEST, JUST = 0.002, 10_000_000, 50_000_000  # seconds; bytes; ns
WRITING = "a file that another is writing"


def install(watch: Any, table: Any) -> None:
    _listings(watch, table)
    _writes(watch, table)
    pipes.install(watch, table)


# -- listings ------------------------------------------------------------------------------------------------------


class _Listing:
    """Stands in for os.listdir, and for os.scandir, whose result is also a context."""

    __slots__ = ("backward", "created", "real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real
        by, _, backward = watch.plan["listing"].partition(" ")
        self.backward, self.created = bool(backward), watch.created if by == "creation" else {}

    def _key(self, entry: Any) -> tuple[int, str]:
        name = os.fsdecode(getattr(entry, "name", entry))
        return self.created.get(name, 0), name

    def __call__(self, *args: Any) -> Any:
        if self.watch.own.site(sys._getframe(1)) is None:
            return self.real(*args)
        if self.real.__name__ == "listdir":
            return sorted(self.real(*args), key=self._key, reverse=self.backward)
        with self.real(*args) as entries:
            return _Entries(sorted(entries, key=self._key, reverse=self.backward))


class _Entries:
    def __init__(self, entries: list[Any]) -> None:
        self._rest = iter(entries)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._rest)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


def _listings(watch: Any, table: Any) -> None:
    if "listing" in watch.plan:
        for real in (os.listdir, os.scandir):
            table.add(real, _Listing(watch, real))


class _Call:
    """Stands in for a function: tells of its trouble, by the name of the error or another."""

    __slots__ = ("name", "real", "watch")

    def __init__(self, watch: Any, real: Any, name: str = "") -> None:
        self.watch, self.real, self.name = watch, real, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.real(*args, **kwargs)
        except OSError as error:
            self.watch.trouble("file", self.name or error, sys._getframe(1))
            raise


def _writes(watch: Any, table: Any) -> None:
    opening = pipes.opening(watch, open)
    if "stamp" in watch.plan:  # that a file is not there is no trouble to who asks for its stamp: no _Call
        opening = _stamping(watch, opening, table)
    opening = _told_to(watch.writers, opening)
    if "steady" in watch.plan and hasattr(os, "memfd_create"):
        opening = _steady(watch, opening)
    opener = _Call(watch, opening)
    table.add(open, opener)
    builtins.open = io.open = opener
    for name in ("replace", "rename", "utime", "truncate", "remove", "unlink", "mkdir", "rmdir"):
        table.add(getattr(os, name), _Call(watch, getattr(os, name)))
    locks: Any = sys.modules.get("fcntl")
    for name in ("flock", "lockf") if locks is not None else ():
        table.add(getattr(locks, name), _Call(watch, getattr(locks, name), "held by another"))


def _stamping(watch: Any, real: Any, table: Any) -> Any:
    """open; and os.stat and its like, so that a file written is ten seconds younger than the one written before it."""
    written: dict[tuple[int, int], int] = {}
    look = os.fstat

    def opens(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        stream = real(file, mode, *args, **kwargs)
        if set(mode) & set("wax+") and watch.own.site(sys._getframe(1)):
            status = look(stream.fileno())
            written[status.st_dev, status.st_ino] = len(written) + sum(written.values()) + 1
        return stream

    def later(real_stat: Any) -> Any:
        def stats(*args: Any, **kwargs: Any) -> Any:
            status = real_stat(*args, **kwargs)
            late = written.get((status.st_dev, status.st_ino))
            if late is None:
                return status
            ns = status.st_mtime_ns // 10**9 * 10**9 + late * 10**10
            stamp = {"st_mtime": ns / 1e9, "st_mtime_ns": ns}
            fields = dict(((n, getattr(status, n)) for n in dir(status) if n.startswith("st_")), **stamp)
            return os.stat_result([*status[:8], ns // 10**9, status[9]], fields)

        return stats

    for each in (os.stat, os.lstat, os.fstat):
        table.add(each, later(each))
    return opens


# -- what others do ------------------------------------------------------------------------------------------------


class Writers:
    """Which files others have open for writing: other threads by `open`, children in any way."""

    def __init__(self) -> None:
        self.streams: list[tuple[Any, int, tuple[int, int]]] = []

    def opened(self, stream: Any) -> None:
        status = _stat(stream.fileno())
        self.streams.append((weakref.ref(stream), _ident(), (status.st_dev, status.st_ino)))

    def has(self, path: str) -> bool:
        try:
            status = _stat(path)
        except (OSError, ValueError):
            return False
        file, me = (status.st_dev, status.st_ino), _ident()
        if any(file == other and who != me and _is_open(stream()) for stream, who, other in self.streams):
            return True
        return any(_has_open(child, file) for child in _children())


def _is_open(stream: Any) -> bool:
    return stream is not None and not stream.closed


def _children() -> list[str]:
    found: list[str] = []
    with contextlib.suppress(OSError):
        for thread in _listdir("/proc/self/task"):
            found += _text("/proc/self/task/%s/children" % thread).split()
    return found


def _has_open(process: str, file: tuple[int, int]) -> bool:
    try:
        handles = _listdir("/proc/%s/fd" % process)
    except OSError:
        return False
    for handle in handles:
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = _stat("/proc/%s/fd/%s" % (process, handle))
            if (status.st_dev, status.st_ino) == file:
                flags = int(_text("/proc/%s/fdinfo/%s" % (process, handle)).split("flags:")[1].split()[0], 8)
                if flags & (os.O_WRONLY | os.O_RDWR):
                    return True
    return False


def _text(path: str) -> str:
    handle = _open(path, os.O_RDONLY)
    try:
        return os.fsdecode(_pread(handle, 4096, 0))
    finally:
        os.close(handle)


def _steady(watch: Any, real: Any) -> Any:
    def opens(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        copy = None
        named = isinstance(file, (str, bytes, os.PathLike)) and not set(mode) & set("wax+")
        if named and not watch.at_work.on and watch.own.site(sys._getframe(1)):
            watch.at_work.on = True
            with contextlib.suppress(OSError, ValueError):
                copy = _whole_copy(watch, os.fsdecode(file))
            watch.at_work.on = False
        return real(file if copy is None else copy, mode, *args, **kwargs)

    return opens


def _whole_copy(watch: Any, path: str) -> int | None:
    """A descriptor of what a file holds while nobody writes it; None if that can't be had in time."""
    while watch.writers.has(path):
        granted = watch.spend(STEP)
        if not granted:
            return None
        _sleep(granted)
    before = _stat(path)
    if not stat.S_ISREG(before.st_mode) or before.st_size > LARGEST:
        return None
    handle = _open(path, os.O_RDONLY)
    try:
        content = _pread(handle, before.st_size, 0)
    finally:
        os.close(handle)
    being_written, after = watch.writers.has(path), _stat(path)  # in this order: who has just closed it left a stamp
    being_written |= not content and _now() - after.st_mtime_ns < JUST  # it is being opened
    if being_written or (before.st_mtime_ns, before.st_ino) != (after.st_mtime_ns, after.st_ino):
        return _whole_copy(watch, path) if watch.spend(STEP) else None
    copy = os.memfd_create("steady")
    _pwrite(copy, content, 0)
    return copy


def _told_to(writers: Writers, real: Any) -> Any:
    def opens(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        stream = real(file, mode, *args, **kwargs)
        if set(mode) & set("wax+"):
            writers.opened(stream)
        return stream

    return opens


def look_into(watch: Any, path: Any, frame: Any) -> None:
    """Tell of a folder about to be listed that holds what the test has not made."""
    try:
        names = [os.fsdecode(name) for name in _listdir(path)]
    except (OSError, TypeError):
        return
    if any(name not in watch.created for name in names):
        watch.trouble("file", "an entry made by others", frame)


def look_at(watch: Any, path: str, frame: Any) -> None:
    """Tell of a file about to be read that others write; or that is empty, or ends within a line: they may."""
    if watch.writers.has(path):
        watch.trouble("file", WRITING, frame)
    try:
        size = _stat(path).st_size
        handle = _open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)) if size else -1
    except (OSError, ValueError):
        return
    if not size:
        watch.trouble("file", "an empty file", frame)
        return
    try:
        if _pread(handle, 1, size - 1) != b"\n":
            watch.trouble("file", "a file that ends within a line", frame)
    except OSError:
        pass
    finally:
        os.close(handle)
