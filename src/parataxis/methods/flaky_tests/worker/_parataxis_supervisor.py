"""Runs orders in children, one fork or one fresh interpreter each, and never runs a test itself.

It reads commands and writes events as JSON lines on two pipes to the hunt, keeps the deadlines with its own clock, and
leaves nothing of an order behind: neither its process group, nor daemons, nor temporary files.
"""

from __future__ import annotations

import json
import os
import select
from typing import Any, Protocol

import _parataxis_process as process
from _parataxis_memory import Record
from _parataxis_probe import Table

_poll = select.poll  # bound before the suite is imported: gevent takes it away
ANSWER = "answer.json"  # in the order's folder
REMEDY = "mend that, or hunt with --files none"
MOST_CHANGES = 50
POLL = 20  # milliseconds between two looks at the deadlines
GLANCE = 2  # and at the children, where the system has no pidfd


class Pipes:
    """The two ends to the hunt, moved away from standard input and output so that no test meets them."""

    def __init__(self) -> None:
        self.commands, self.events = os.dup(0), os.dup(1)
        redirect(0, os.O_RDONLY)
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

    def close(self) -> None:
        os.close(self.commands)
        os.close(self.events)


def redirect(fd: int, flags: int = os.O_WRONLY) -> None:
    """Let a standard descriptor lead nowhere."""
    nothing = os.open(os.devnull, flags)
    os.dup2(nothing, fd)
    os.close(nothing)


def rows_of(command: dict[str, Any]) -> int:
    """Rows of the table of probes: one; or one before and one after each position; or one more for each change."""
    return 1 + (len(command["order"]) if command.get("each") else 0) + (MOST_CHANGES if command.get("look") else 0)


def _answer(folder: str) -> Any:
    """What a child had to say that is no outcome, if anything."""
    try:
        with open(os.path.join(folder, ANSWER)) as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None


class Running:
    """One order that is under way."""

    def __init__(self, command: dict[str, Any], record: Record, table: Table, folder: str, pid: int) -> None:
        self.command, self.record, self.folder, self.pid = command, record, folder, pid
        self.table = table
        self.began = self.since = process.now()
        self.position = (-1, 0)
        self.fd = process.pidfd(pid)

    def overdue(self) -> bool:
        """Has the test now running, or the whole order, outlived its limit?"""
        now, position = process.now(), self.record.running()
        if (position, self.record.beats()) != self.position:
            self.position, self.since = (position, self.record.beats()), now
        limits = self.command["limits"]
        limit = limits["start"] if position < 0 else limits["tests"].get(str(position), limits["test"])
        return now - self.since > limit or now - self.began > limits["order"]


class Starts(Protocol):
    """How an order starts."""

    def before(self, command: dict[str, Any]) -> None:
        """In this process, before an order. Raises OSError."""

    def fork(self, command: dict[str, Any], record: Record, table: Table, folder: str) -> None:
        """In the forked child: run it."""

    def launch(self, command: dict[str, Any], record: str, folder: str) -> int:
        """Start it in a fresh interpreter, which writes to the record at that path; the process id."""

    def keep(self) -> set[int]:
        """Processes of ours that belong to no order."""

    def restore(self, command: dict[str, Any]) -> None:
        """In this process, once an order has ended: put back the files that it changed, if need be. Raises OSError."""

    def after(self, folder: str) -> None:
        """In this process, once that was told."""


class Supervisor:
    def __init__(self, pipes: Pipes, folder: str, jobs: int, orders: Starts) -> None:
        self.pipes, self.folder, self.jobs, self.orders = pipes, folder, jobs, orders
        self.waiting: list[dict[str, Any]] = []
        self.running: list[Running] = []

    def serve(self) -> None:
        """Until the hunt is gone. The guardian then takes down what still runs."""
        process.adopt_orphans()
        while True:
            while self.waiting and len(self.running) < self.jobs:
                self._start(self.waiting.pop(0))
            if self._wait() and not self._obey():
                os._exit(0)
            for running in list(self.running):
                if process.has_ended(running.pid):
                    self._finish(running, "C")
                elif running.overdue():
                    self._finish(running, "T")

    def _wait(self) -> bool:
        """Until something happens or it is time to look at the deadlines; tells whether a command has come."""
        watch = _poll()
        watch.register(self.pipes.commands, select.POLLIN)
        fds = [running.fd for running in self.running if running.fd is not None]
        for fd in fds:
            watch.register(fd, select.POLLIN)
        pause = None if not self.running else POLL if len(fds) == len(self.running) else GLANCE
        return any(fd == self.pipes.commands for fd, _ in watch.poll(pause))

    def _obey(self) -> bool:
        received = self.pipes.receive()
        for command in received or []:
            if command["command"] == "run":
                self.waiting.append(command)
            else:
                self._cancel()
        return received is not None

    def _start(self, command: dict[str, Any]) -> None:
        try:
            self.orders.before(command)
        except BlockingIOError as error:
            self.pipes.send("failed", reason=str(error))
            return
        except OSError as error:
            self.pipes.send("failed", reason="files can't be copied before the first order: %s; %s" % (error, REMEDY))
            return
        folder = os.path.join(self.folder, str(command["id"]))  # short: of the 107 bytes of a socket, Ray takes 77
        os.mkdir(folder)
        table = Table(rows_of(command), len(command.get("probes", ())))
        if command["fresh"]:
            path = os.path.join(folder, "record")
            record = Record(len(command["order"]), path)
            self.running.append(Running(command, record, table, folder, self.orders.launch(command, path, folder)))
            return
        record = Record(len(command["order"]))
        parent = os.getpid()
        pid = process.fork()
        if pid == 0:
            self._child(parent, command, record, table, folder)
        self.running.append(Running(command, record, table, folder, pid))

    def _child(self, parent: int, command: dict[str, Any], record: Record, table: Table, folder: str) -> None:
        try:
            process.enter_group(parent)
            self.pipes.close()
            for running in self.running:
                if running.fd is not None:
                    os.close(running.fd)
            self.orders.fork(command, record, table, folder)
        except BaseException as error:
            if record.running() < 0:
                record.message(0, "the order could not begin: %s: %s" % (type(error).__name__, error))
        finally:
            os._exit(0)

    def _end(self, running: Running) -> None:
        self.running.remove(running)
        process.kill_group(running.pid)
        process.reap(running.pid)
        process.kill_descendants({other.pid for other in self.running} | self.orders.keep())
        if running.fd is not None:
            os.close(running.fd)

    def _finish(self, running: Running, ending: str) -> None:
        self._end(running)
        record = running.record
        done = {
            "id": running.command["id"],
            "outcomes": record.outcomes(ending),
            "durations": record.seconds(),
            "messages": record.messages(),
            "leaving": record.leaving(),
            "probed": running.table.lines(),
            "answer": _answer(running.folder),
            "seconds": round(process.now() - running.began, 6),
        }
        if self._restored(running):
            self.pipes.send("done", **done)
        self.orders.after(running.folder)
        self._forget(running)

    def _restored(self, running: Running) -> bool:
        try:
            self.orders.restore(running.command)
        except OSError as error:
            self.pipes.send("failed", reason="files can't be put back after an order: %s; %s" % (error, REMEDY))
            return False
        return True

    def _cancel(self) -> None:
        """Drop all orders; nothing is said of them."""
        self.waiting.clear()
        for running in list(self.running):
            self._end(running)
            self._restored(running)
            self._forget(running)

    def _forget(self, running: Running) -> None:
        running.record.close()
        running.table.close()
        process.remove_tree(running.folder)
