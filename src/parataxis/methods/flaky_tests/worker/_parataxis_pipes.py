"""Pipes, and what is held back in buffers: told where they are used, and changed where the plan says so.

{"read": true}             what is on its way through a pipe arrives before less is taken
{"whole": true}            what is written to a pipe is all taken
{"flush": true}            nothing is held in a buffer: what is written is in the file at once, and of a pipe no more is
                           taken than is asked for
"""

from __future__ import annotations

import io
import os
import select
import stat
import subprocess
import sys
import time
from typing import Any, Callable

_sleep, _fstat, _select, _now = time.sleep, os.fstat, select.select, time.perf_counter
ARRIVE, ROOM = 0.08, 0.3  # seconds


def install(watch: Any, table: Any) -> None:
    table.add(os.read, _Read(watch, os.read))
    table.add(os.write, _Write(watch, os.write))
    _popen(watch)


def is_pipe(handle: Any) -> bool:
    try:
        return isinstance(handle, int) and stat.S_ISFIFO(_fstat(handle).st_mode)
    except OSError:
        return False


class _Read:
    """Stands in for os.read."""

    __slots__ = ("real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real

    def __call__(self, handle: int, size: int) -> bytes:
        arrive(self.watch, sys._getframe(1), handle)
        return self.real(handle, size)


class _Write:
    """Stands in for os.write: a pipe that is full takes a part, or nothing if it doesn't block."""

    __slots__ = ("real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real

    def __call__(self, handle: int, data: Any) -> int:
        frame = sys._getframe(1)
        if self.watch.own.path(frame.f_code.co_filename) is None or not is_pipe(handle):
            return self.real(handle, data)
        self.watch.note("pipe", frame)
        if "whole" not in self.watch.plan:
            return self.real(handle, data)
        rest, blocks = memoryview(data).cast("B"), os.get_blocking(handle)
        total = len(rest)
        while rest:
            if not blocks and not self._is_ready(handle):
                break
            rest = rest[self.real(handle, rest) :]
        return total - len(rest) or self.real(handle, data)

    def _is_ready(self, handle: int) -> bool:
        granted, began = self.watch.spend(ROOM), _now()
        ready = bool(_select([], [handle], [], granted)[1])
        self.watch.budget += max(0.0, granted - (_now() - began))
        return ready


def arrive(watch: Any, frame: Any, handle: int) -> None:
    """Before the suite's own code takes what there is: from where something is there, give the rest some time."""
    if watch.own.path(frame.f_code.co_filename) is None:
        return
    watch.note("pipe", frame)
    if "read" in watch.plan:
        if is_pipe(handle):
            _select([handle], [], [], None if os.get_blocking(handle) else watch.spend(ARRIVE))
        _sleep(watch.spend(ARRIVE))


def _popen(watch: Any) -> None:
    """A program's streams are pipes. Text is decoded a whole line at a time, whatever has arrived."""
    init = subprocess.Popen.__init__

    def start(self: Any, *args: Any, **kwargs: Any) -> None:
        if "flush" in watch.plan and watch.own.site(sys._getframe(1)):
            args = (args[0], 0, *args[2:]) if len(args) > 1 else args
            kwargs.update({} if len(args) > 1 else {"bufsize": 0})
        init(self, *args, **kwargs)
        streams = [stream for stream in (self.stdin, self.stdout, self.stderr) if stream is not None]
        if streams:
            watch.note("pipe", sys._getframe(1))
        for stream in streams:
            if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, _PatientReader):
                stream.buffer.is_text = True
            elif isinstance(stream, io.TextIOWrapper) and "flush" in watch.plan and stream.readable():
                stream._CHUNK_SIZE = 1  # type: ignore[attr-defined]

    subprocess.Popen.__init__ = start  # type: ignore[method-assign]


# -- open ----------------------------------------------------------------------------------------------------------


def opening(watch: Any, real: Any) -> Any:
    """`open`, as it is under the plan."""
    if "flush" in watch.plan:
        return _unbuffered(real)
    return _patient(watch, real) if "read" in watch.plan else real


class _PatientFile(io.FileIO):
    watch: Any = None

    def read(self, size: int | None = -1) -> bytes | None:  # type: ignore[override]
        arrive(self.watch, sys._getframe(1), self.fileno())
        return super().read(size)


class _PatientReader(io.BufferedReader):
    """Waits only where less than what is asked for may be taken."""

    watch: Any = None
    is_text = False

    def read1(self, size: int = -1) -> bytes:
        if not self.is_text:
            arrive(self.watch, sys._getframe(1), self.fileno())
        return super().read1(size)

    def read(self, size: int | None = -1) -> bytes:
        if not os.get_blocking(self.fileno()):
            arrive(self.watch, sys._getframe(1), self.fileno())
        return super().read(size)


def _patient(watch: Any, real: Callable[..., Any]) -> Callable[..., Any]:
    def opens(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
        if mode != "rb" or not is_pipe(file):
            return real(file, mode, buffering, *args, **kwargs)
        raw = (_PatientFile if buffering == 0 else io.FileIO)(file, "rb")
        stream = raw if buffering == 0 else _PatientReader(raw, buffering if buffering > 1 else 8192)
        stream.watch = watch  # type: ignore[union-attr]
        return stream

    return opens


class _Whole(io.FileIO):
    """Takes no more than is asked for, and no less."""

    def read(self, size: int | None = -1) -> bytes | None:  # type: ignore[override]
        if size is None or size < 0:
            return super().readall()
        parts: list[bytes] = []
        rest = size
        while rest:
            part = super().read(rest)
            if not part:
                return b"".join(parts) if parts or part is not None else None
            parts.append(part)
            rest -= len(part)
        return b"".join(parts)

    def read1(self, size: int = -1) -> bytes | None:
        return super().read(size if size >= 0 else 8192)


def _unbuffered(real: Any) -> Any:
    """Open as usual, but what is written goes to the file with each call."""

    def opens(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None,
        *rest: Any, **kwargs: Any
    ) -> Any:  # fmt: skip
        if mode in ("r", "rt", "rb") and is_pipe(file):
            taken = _Whole(file, "rb")
            if "b" in mode:
                return taken
            stream = io.TextIOWrapper(taken, encoding, errors, newline)  # type: ignore[type-var]
            stream._CHUNK_SIZE = 1  # type: ignore[attr-defined]
            return stream
        if not set(mode) & set("wax+"):
            return real(file, mode, buffering, encoding, errors, newline, *rest, **kwargs)
        if "b" in mode:
            return real(file, mode, 0, encoding, errors, newline, *rest, **kwargs)
        raw = real(file, mode.replace("t", "") + "b", 0, None, None, None, *rest, **kwargs)
        return io.TextIOWrapper(raw, encoding, errors, newline, write_through=True)

    return opens
