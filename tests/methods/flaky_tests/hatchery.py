"""Sessions that begin as forks of one process that has imported pytest: a third of what a new interpreter costs.

All of them have one hash seed. Tests that are about that, or about how a session begins, start their own.
"""

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

LINE = 1 << 16
FORKS = True  # false: each session starts its own interpreter


class _Hatchery:
    def __init__(self) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-c", "import hatchery; hatchery.serve()", str(theirs.fileno())]
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
        self.process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        atexit.register(self.close)

    def hatch(self, arguments: list[str], cwd: str, environment: dict[str, str], fds: list[int]) -> int:
        asked = json.dumps([arguments, cwd, environment]).encode()
        assert len(asked) < LINE
        socket.send_fds(self.channel, [asked], fds)
        return int(self.channel.recv(100))

    def close(self) -> None:
        self.channel.close()
        self.process.wait()


_hatchery = functools.cache(_Hatchery)


class Hatched:
    """What a session needs of a Popen."""

    def __init__(self, arguments: list[str], cwd: str, environment: dict[str, str], log: int) -> None:
        inward, outward = os.pipe(), os.pipe()
        self.pid = _hatchery().hatch(arguments, cwd, environment, [inward[0], outward[1], log])
        os.close(inward[0])
        os.close(outward[1])
        self.stdin, self.stdout = os.fdopen(inward[1], "wb"), os.fdopen(outward[0], "rb")
        self._fd: int | None = os.pidfd_open(self.pid)

    def wait(self, timeout: float | None = None) -> None:
        if self._fd is None:  # it has ended
            return
        if not select.select([self._fd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a session", timeout or 0.0)
        os.close(self._fd)
        self._fd = None

    def kill(self) -> None:
        signal.pidfd_send_signal(self._fd, signal.SIGKILL)


@contextlib.contextmanager
def hatched() -> Iterator[None]:
    """Sessions of our own interpreter are forks meanwhile."""
    from unittest.mock import patch

    from parataxis.methods.flaky_tests.session import WORKER, Session

    start = Session._start

    def ours(session: Any, environment: dict[str, str], log: Any) -> Any:
        if not FORKS or str(session.suite.python) != sys.executable:
            return start(session, environment, log)
        return Hatched([str(WORKER), str(session._folder)], str(session.suite.root), environment, log.fileno())

    with patch.object(Session, "_start", ours):
        yield


def serve() -> None:
    """The process that has imported pytest."""
    import importlib
    import runpy

    import _pytest.config
    import pytest  # noqa: F401

    for name in _pytest.config.default_plugins:
        importlib.import_module(f"_pytest.{name}")
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        data, fds, _, _ = socket.recv_fds(channel, LINE, 3)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG if data else 0)[0]:
                pass
        if not data:
            return
        if (pid := os.fork()) == 0:
            channel.close()
            os.setsid()
            for place, fd in enumerate(fds):
                os.dup2(fd, place)
                os.close(fd)
            (worker, folder), cwd, environment = json.loads(data)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(cwd)
            del sys.modules["hatchery"]
            sys.argv[:] = [worker, folder]
            runpy.run_path(worker, run_name="__main__")
            os._exit(0)
        for fd in fds:
            os.close(fd)
        channel.send(str(pid).encode())
