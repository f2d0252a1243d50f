"""Connections and files: told where they are used and what trouble they give, and changed where the plan says so.

{"connect": true}          a refused connection is tried again      {"port": true}    a taken port is another
{"receive": true}          what is on its way arrives before it is read               {"read": true}   so from pipes
{"patience": true}         time-outs of connections are ten times as long and more
{"listing": "name"}        folders are listed by name, or by "creation", either also " backward"
{"stamp": true}            the time stamps of files tell in what order they were written
{"flush": true}            what is written is in the file at once
"""

from __future__ import annotations

import builtins
import functools
import io
import os
import socket
import sys
import time
from typing import Any, Callable

_sleep = [time.sleep]  # in a list: not to be replaced
RETRY, ARRIVE, LONGER, MORE = 0.01, 0.08, 10, 0.05  # seconds, and a factor


def install(watch: Any, table: Any) -> None:
    _Sockets(watch).install()
    _patience(watch)
    _http(watch)
    _connect_in_loop(watch)
    _listings(watch, table)
    _writes(watch, table)


# -- connections ---------------------------------------------------------------------------------------------------


class _Sockets:
    """The methods of socket.socket, as they are under a plan."""

    def __init__(self, watch: Any) -> None:
        self.watch, self.plan = watch, watch.plan
        self.ports: dict[int, int] = {}

    def install(self) -> None:
        self._wrap("connect", self._connect)
        self._wrap("bind", self._bind)
        for name in ("recv", "recv_into", "recvfrom"):
            self._wrap(name, self._receive)
        for name in ("send", "sendall", "sendto", "listen"):
            self._wrap(name, lambda real, sock, *args: real(sock, *args))

    def _wrap(self, name: str, act: Callable[..., Any]) -> None:
        real, watch = getattr(socket.socket, name), self.watch

        @functools.wraps(real)
        def method(sock: Any, *args: Any) -> Any:
            if sock.family not in (socket.AF_INET, socket.AF_INET6):
                return real(sock, *args)
            frame = sys._getframe(1)
            watch.note("network", frame)
            try:
                return act(real, sock, *args)
            except OSError as error:
                watch.trouble("network", error, frame)
                raise

        setattr(socket.socket, name, method)

    def _connect(self, real: Any, sock: Any, address: Any) -> Any:
        if isinstance(address, tuple) and address[1] in self.ports:
            address = (address[0], self.ports[address[1]], *address[2:])
        while True:
            try:
                return real(sock, address)
            except ConnectionRefusedError:
                if "connect" not in self.plan or not self.watch.spend(RETRY):
                    raise
                _sleep[0](RETRY)
                _renew(sock)

    def _bind(self, real: Any, sock: Any, address: Any) -> Any:
        try:
            return real(sock, address)
        except OSError:
            if "port" not in self.plan:
                raise
            real(sock, (address[0], 0, *address[2:]))
            self.ports[address[1]] = sock.getsockname()[1]
            return None

    def _receive(self, real: Any, sock: Any, *args: Any) -> Any:
        if "receive" in self.plan and self.watch.own.site(sys._getframe(1)):
            _sleep[0](self.watch.spend(ARRIVE))
        return real(sock, *args)


def _renew(sock: Any) -> None:
    """Linux lets nobody connect a socket that was refused once: put a new one behind its descriptor."""
    with socket.socket(sock.family, sock.type, sock.proto) as other:
        os.dup2(other.fileno(), sock.fileno(), inheritable=False)
    sock.settimeout(sock.gettimeout())


def _patience(watch: Any) -> None:
    real = socket.socket.settimeout

    def settimeout(self: Any, seconds: float | None) -> None:
        patient = seconds and "patience" in watch.plan and watch.own.site(sys._getframe(1))
        real(self, seconds * LONGER + MORE if seconds and patient else seconds)

    socket.socket.settimeout = settimeout  # type: ignore[method-assign]


def _http(watch: Any) -> None:
    """A server that answers that it can't."""
    kind: Any = getattr(sys.modules.get("http.client"), "HTTPResponse", None)
    if kind is None:
        return
    begin = kind.begin

    def begin_and_tell(self: Any) -> None:
        begin(self)
        if self.status >= 500 or self.status in (408, 429):
            watch.trouble("network", "HTTP %d" % self.status, sys._getframe(1))

    kind.begin = begin_and_tell


def _connect_in_loop(watch: Any) -> None:
    loops: Any = sys.modules.get("asyncio.base_events")
    if loops is None:
        return
    real = loops.BaseEventLoop.create_connection

    async def create_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            try:
                return await real(self, *args, **kwargs)
            except OSError as error:
                watch.trouble("network", error, sys._getframe())
                if "connect" not in watch.plan or not isinstance(error, ConnectionRefusedError):
                    raise
                if not watch.spend(RETRY):
                    raise
                await sys.modules["asyncio"].sleep(RETRY)

    loops.BaseEventLoop.create_connection = create_connection


# -- files ---------------------------------------------------------------------------------------------------------


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
    """Stands in for a function: tells of its trouble."""

    __slots__ = ("real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.real(*args, **kwargs)
        except OSError as error:
            self.watch.trouble("file", error, sys._getframe(1))
            raise


def _writes(watch: Any, table: Any) -> None:
    opening, stat = (_unbuffered(open) if "flush" in watch.plan else open), os.stat
    if "stamp" in watch.plan:
        opening, stat = _stamping(watch, opening, stat)
    opener = _Call(watch, opening)
    table.add(open, opener)
    builtins.open = io.open = opener
    table.add(os.stat, stat)  # that a file is not there is no trouble to who asks for it
    for name in ("replace", "rename", "utime", "truncate", "remove", "unlink", "mkdir", "rmdir"):
        table.add(getattr(os, name), _Call(watch, getattr(os, name)))
    table.add(os.read, _Read(watch, os.read))


class _Read:
    """Stands in for os.read."""

    __slots__ = ("real", "watch")

    def __init__(self, watch: Any, real: Any) -> None:
        self.watch, self.real = watch, real

    def __call__(self, handle: int, size: int) -> bytes:
        frame = sys._getframe(1)
        if self.watch.own.path(frame.f_code.co_filename) is not None:
            self.watch.note("pipe", frame)
            if "read" in self.watch.plan:
                _sleep[0](self.watch.spend(ARRIVE))
        return self.real(handle, size)


def _stamping(watch: Any, real: Any, stat: Any) -> tuple[Any, Any]:
    """open and stat: a file that was written is ten seconds younger than the one written before it."""
    written: dict[tuple[int, int], int] = {}

    def key(file: Any) -> tuple[int, int]:
        status = stat(file)
        return status.st_dev, status.st_ino

    def opens(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        stream = real(file, mode, *args, **kwargs)
        if set(mode) & set("wax+") and watch.own.site(sys._getframe(1)):
            written[key(stream.fileno())] = len(written) + sum(written.values()) + 1
        return stream

    def stats(*args: Any, **kwargs: Any) -> Any:
        status = stat(*args, **kwargs)
        late = written.get((status.st_dev, status.st_ino))
        if late is None:
            return status
        ns = status.st_mtime_ns // 10**9 * 10**9 + late * 10**10
        later = {"st_mtime": ns / 1e9, "st_mtime_ns": ns}
        fields = {n: getattr(status, n) for n in dir(status) if n.startswith("st_")} | later
        return os.stat_result([*status[:8], ns // 10**9, status[9]], fields)

    return opens, stats


def _unbuffered(real: Any) -> Any:
    """Open as usual, but what is written goes to the file with each call."""

    def opens(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None,
        *rest: Any, **kwargs: Any
    ) -> Any:  # fmt: skip
        if not set(mode) & set("wax") or "+" in mode:
            return real(file, mode, buffering, encoding, errors, newline, *rest, **kwargs)
        if "b" in mode:
            return real(file, mode, 0, encoding, errors, newline, *rest, **kwargs)
        raw = real(file, mode.replace("t", "") + "b", 0, None, None, None, *rest, **kwargs)
        return io.TextIOWrapper(raw, encoding, errors, newline, write_through=True)

    return opens
