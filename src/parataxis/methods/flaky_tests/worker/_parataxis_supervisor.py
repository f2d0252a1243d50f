"""Runs orders in children, one fork or one fresh interpreter each, and never runs a test itself.

It reads commands and writes events as JSON lines on two pipes to the hunt. It keeps the deadlines with its own clock,
kills whole process groups, and when the hunt ends, however it ends, it sees the pipe close and takes everything down.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, Callable

import _parataxis_process as process
from _parataxis_memory import Record

POLL = 0.02  # seconds between two looks at the deadlines


class Pipes:
    """The two ends to the hunt, moved away from standard input and output so that no test meets them."""

    def __init__(self) -> None:
        self.commands, self.events = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._rest = b""

    def send(self, event: str, **fields: Any) -> None:
        data = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self.events, data) :]
        except BrokenPipeError:
            pass  # the hunt is gone; the closed command pipe says so too, and that is where we end

    def receive(self) -> list[dict[str, Any]] | None:
        """The commands that have arrived; None when the hunt is gone."""
        data = os.read(self.commands, 1 << 20)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def wait(self) -> dict[str, Any]:
        """The first command."""
        while True:
            received = self.receive()
            if received is None:
                sys.exit(0)
            if received:
                assert len(received) == 1
                return received[0]

    def close(self) -> None:
        os.close(self.commands)
        os.close(self.events)


class Running:
    """One order that is under way."""

    def __init__(self, command: dict[str, Any], record: Record, folder: str, pid: int, child: Any = None) -> None:
        self.command, self.record, self.folder, self.pid, self.child = command, record, folder, pid, child
        self.began = self.since = time.monotonic()
        self.position = -1
        self.fd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None

    def overdue(self) -> bool:
        """Has the test now running, or the whole order, outlived its limit?"""
        now, position = time.monotonic(), self.record.running()
        if position != self.position:
            self.position, self.since = position, now
        limits = self.command["limits"]
        limit = limits["start"] if position < 0 else limits["tests"].get(str(position), limits["test"])
        return now - self.since > limit or now - self.began > limits["order"]

    def ended(self) -> bool:
        if self.child is not None:
            return self.child.poll() is not None
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0


class Supervisor:
    """`fork(command, record, folder)` runs an order in a forked child and does not return."""

    def __init__(self, pipes: Pipes, folder: str, jobs: int, fork: Callable[..., None], launch: Callable[..., list[str]]):
        self.pipes, self.folder, self.jobs, self.fork, self.launch = pipes, folder, jobs, fork, launch
        self.waiting: list[dict[str, Any]] = []
        self.running: list[Running] = []

    def serve(self) -> None:
        """Until the hunt says stop or is gone."""
        process.outlive_parent()
        process.adopt_orphans()
        while True:
            while self.waiting and len(self.running) < self.jobs:
                self._start(self.waiting.pop(0))
            fds = [self.pipes.commands, *(r.fd for r in self.running if r.fd is not None)]
            pause = None if not self.running else POLL if all(r.fd is not None for r in self.running) else POLL / 10
            ready, _, _ = select.select(fds, [], [], pause)
            if self.pipes.commands in ready and not self._obey():
                return self._stop()
            for running in list(self.running):
                if running.ended():
                    self._finish(running, "C")
                elif running.overdue():
                    process.kill_group(running.pid)
                    while not running.ended():
                        time.sleep(0.001)
                    self._finish(running, "T")

    def _obey(self) -> bool:
        for command in self.pipes.receive() or [{"command": "stop"}]:
            if command["command"] == "stop":
                return False
            self.waiting.append(command)
        return True

    def _start(self, command: dict[str, Any]) -> None:
        folder = os.path.join(self.folder, "order-%s" % command["id"])
        os.makedirs(os.path.join(folder, "tmp"))
        if command["fresh"]:
            path = os.path.join(folder, "record")
            record = Record(len(command["order"]), path)
            child = subprocess.Popen(self.launch(command, path, folder), start_new_session=True, stdin=subprocess.DEVNULL)
            self.running.append(Running(command, record, folder, child.pid, child))
            return
        record = Record(len(command["order"]))
        parent = os.getpid()
        pid = process.fork()
        if pid == 0:
            self._child(parent, command, record, folder)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self.running.append(Running(command, record, folder, pid))

    def _child(self, parent: int, command: dict[str, Any], record: Record, folder: str) -> None:
        status = 1
        try:
            os.setpgid(0, 0)
            process.die_with_parent(parent)
            self.pipes.close()
            for running in self.running:
                if running.fd is not None:
                    os.close(running.fd)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            self.fork(command, record, folder)
            status = 0
        finally:
            os._exit(status)

    def _finish(self, running: Running, ending: str) -> None:
        self.running.remove(running)
        process.kill_group(running.pid)
        process.kill_descendants({other.pid for other in self.running})
        if running.fd is not None:
            os.close(running.fd)
        record = running.record
        self.pipes.send(
            "done",
            id=running.command["id"],
            outcomes=record.outcomes(ending),
            durations=record.seconds(),
            messages=record.messages(),
            leaving=record.leaving(),
            seconds=round(time.monotonic() - running.began, 6),
        )
        record.close()
        process.remove_tree(running.folder)

    def _stop(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for running in self.running:
            process.kill_group(running.pid)
        process.kill_descendants(set())
        process.remove_tree(self.folder)
        os._exit(0)
