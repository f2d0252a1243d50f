"""Probes: from where an order has come to, fork, run a few more tests, and keep how the last of them ended.

A probe costs a fork, not an order, and what it does is gone with it. So one walk tells at each of its steps how a test
would fare there, and one run of a polluter serves every victim, every cleaner, and every change that may be to blame.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import select
from typing import Any, Callable, Sequence

import _parataxis_process as process
from _parataxis_memory import Record
from _parataxis_view import Views, look

_poll = select.poll  # bound before the suite is imported
NOT_RUN = ord("-")
BEAT = 0.1  # seconds between two signs of life while a probe runs


class Table:
    """How each probe ended, a character each, in memory that outlives who writes it."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._map = mmap.mmap(-1, max(1, rows * columns))
        self._map[:] = bytes([NOT_RUN]) * len(self._map)

    def put(self, row: int, column: int, outcome: str) -> None:
        self._map[row * self.columns + column] = ord(outcome)

    def lines(self) -> list[str]:
        text = self._map[: self.rows * self.columns].decode("ascii")
        return [text[row * self.columns : (row + 1) * self.columns] for row in range(self.rows)]

    def close(self) -> None:
        self._map.close()


class Prober:
    """Runs each of `sequences` (places of tests; None: not there) in a probe of its own, for so many seconds each.

    session: the pytest plugin; views: of the files, for the probes, None where files are not in views.
    """

    def __init__(
        self,
        session: Any,
        sequences: Sequence[Sequence[int | None]],
        table: Table,
        seconds: Sequence[float],
        views: Views | None,
        beat: Callable[[], None],
    ) -> None:
        self.session, self.sequences, self.table = session, sequences, table
        self.seconds, self.views, self.beat = seconds, views, beat
        self.before = look(views.folders, views.layer) if views else None
        self.record = Record(max(map(len, sequences), default=0))

    def probe(self, row: int, undo: Callable[[], None] | None = None) -> None:
        """All sequences, from here; `undo` is called first, in each probe."""
        if self.views and look(self.views.folders, self.views.layer) != self.before:
            self.views.forget()  # they are of the files as they were
        for column, sequence in enumerate(self.sequences):
            if sequence[-1] is not None:
                self.table.put(row, column, self._outcome(column, undo))
            self.beat()

    def ends_as_before(self) -> bool:
        """Whether the probes of row 0 end again as they did."""
        before = self.table.lines()[0]
        self.probe(0)
        return self.table.lines()[0] == before

    def _outcome(self, column: int, undo: Callable[[], None] | None) -> str:
        sequence = self.sequences[column]
        self.record.clear()
        generator = random.getstate()  # CPython seeds it anew in a fork
        parent = os.getpid()
        if self.views:
            self.views.take(0)
        ours = set(process.children(parent))  # what the order's own tests have started stays
        pid = process.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                process.enter_group(parent)
                random.setstate(generator)
                if self.views:
                    with contextlib.suppress(OSError):
                        self.views.enter(0)
                if undo is not None:
                    undo()
                self._run(sequence)
            os._exit(0)
        ending = self._wait(pid, self.seconds[column])
        process.kill_descendants(ours)
        if self.views:
            self.views.leave(0)
        return self.record.outcomes(ending)[len(sequence) - 1]

    def _run(self, sequence: Sequence[int | None]) -> None:
        first = next(self.session.items[place] for place in sequence if place is not None)
        with contextlib.suppress(BaseException):  # a teardown that fails is no failure of the test that comes next
            self.session.session._setupstate.teardown_exact(first)
        self.session.run(sequence, self.record)

    def _wait(self, pid: int, seconds: float) -> str:
        deadline = process.now() + seconds
        fd, watch = process.pidfd(pid), _poll()
        if fd is not None:
            watch.register(fd, select.POLLIN)
        while not process.has_ended(pid) and (left := deadline - process.now()) > 0:
            self.beat()  # else the order would be taken for one that hangs
            watch.poll(1 if fd is None else 1000 * min(left, BEAT, seconds / 8))
        if fd is not None:
            os.close(fd)
        ending = "C" if process.has_ended(pid) else "T"
        process.kill_group(pid)
        process.reap(pid)
        return ending
