"""Connections: told where they are used and what trouble they give, and changed where the plan says so.

{"connect": true}          a refused connection is tried again      {"port": true}    a taken port is another
{"receive": true}          what is on its way arrives before it is read
{"patience": true}         time-outs of connections are ten times as long and more
"""

from __future__ import annotations

import functools
import os
import select
import socket
import sys
import time
from typing import Any, Callable

_sleep, _select = [time.sleep], [select.select]  # in lists: not to be replaced
RETRY, ARRIVE, LONGER, MORE = 0.01, 0.08, 10, 0.05  # seconds, and a factor


def install(watch: Any) -> None:
    _Sockets(watch).install()
    _patience(watch)
    _http(watch)
    _connect_in_loop(watch)


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
            patience = sock.gettimeout()
            if patience != 0:  # from where something is there, give the rest some time
                _select[0]([sock], [], [], patience)
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
