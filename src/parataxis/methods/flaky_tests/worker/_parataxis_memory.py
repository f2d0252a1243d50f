"""The record of one order, in memory that outlives the process that writes it.

A child writes what happened as it happens; a segfault, an `os._exit`, closed descriptors or SIGKILL leave what was
written in place, and the supervisor reads it. Anonymous shared memory serves a forked child, a file one that was
launched afresh.

    header   position now running + 1, positions finished, bytes of messages used, beats (int32 each)
    phases   four bytes a position: setup, call, teardown, leaving (see `PHASES`)
    seconds  one float64 a position
    messages (position int32, length int32, text) one after another
"""

from __future__ import annotations

import mmap
import struct

PHASES = {"setup": 0, "call": 1, "teardown": 2, "leaving": 3}
NOTHING, PASSED, SKIPPED, FAILED = 0, 1, 2, 3  # in rising severity: of several reports of one phase the worst stays
HEADER = struct.Struct("=iiii")
RECORD = struct.Struct("=ii")
MESSAGES = 1 << 16
LONGEST_MESSAGE = 300


class Record:
    """What happened at each position of one order of `n` tests."""

    def __init__(self, n: int, path: str | None = None) -> None:
        self.n = n
        self._phases = HEADER.size
        self._seconds = (self._phases + 4 * n + 7) // 8 * 8
        self._messages = self._seconds + 8 * n
        size = self._messages + MESSAGES
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            with open(path, "a+b") as stream:
                stream.truncate(size)
                self._map = mmap.mmap(stream.fileno(), size)

    def _header(self) -> tuple[int, int, int]:
        running, finished, used, _ = HEADER.unpack_from(self._map, 0)
        return running - 1, finished, used

    # -- written by the child --------------------------------------------------------------------------------------

    def start(self, position: int) -> None:
        struct.pack_into("=i", self._map, 0, position + 1)

    def beat(self) -> None:
        """A sign of life between two positions."""
        struct.pack_into("=i", self._map, 12, self.beats() + 1)

    def clear(self) -> None:
        """Use it again for other tests."""
        self._map[: HEADER.size] = bytes(HEADER.size)
        self._map[self._phases : self._phases + 4 * self.n] = bytes(4 * self.n)

    def finish(self, position: int, seconds: float) -> None:
        struct.pack_into("=d", self._map, self._seconds + 8 * position, seconds)
        struct.pack_into("=i", self._map, 4, position + 1)

    def phase(self, position: int, phase: str, code: int) -> None:
        if phase not in PHASES:  # a plugin's own
            return
        at = self._phases + 4 * position + PHASES[phase]
        self._map[at] = max(code, self._map[at])

    def message(self, position: int, text: str) -> None:
        data = text.encode("utf-8", "replace")[:LONGEST_MESSAGE]
        used = self._header()[2]
        if used + RECORD.size + len(data) > MESSAGES:
            return
        at = self._messages + used
        RECORD.pack_into(self._map, at, position, len(data))
        self._map[at + RECORD.size : at + RECORD.size + len(data)] = data
        struct.pack_into("=i", self._map, 8, used + RECORD.size + len(data))

    # -- read by the supervisor ------------------------------------------------------------------------------------

    def running(self) -> int:
        """The position that was started last, or -1."""
        return self._header()[0]

    def beats(self) -> int:
        return HEADER.unpack_from(self._map, 0)[3]

    def finished(self) -> int:
        """How many positions are finished."""
        return self._header()[1]

    def outcomes(self, ending: str) -> str:
        """One character a position: `.` passed, `F` failed, `E` error, `s` skipped, `-` not run, and `ending`
        (`C` crashed or `T` timed out) where a test was started and never finished."""
        finished, running = self.finished(), self.running()
        marks = "".join(self._outcome(position) for position in range(finished))
        if running >= finished:
            marks = marks.ljust(running, "-") + ending
        return marks.ljust(self.n, "-")

    def _outcome(self, position: int) -> str:
        at = self._phases + 4 * position
        setup, call, teardown = self._map[at], self._map[at + 1], self._map[at + 2]
        if not setup:
            return "-"  # passed over: not there in this session
        if call == FAILED:
            return "F"
        if FAILED in (setup, teardown):
            return "E"
        return "s" if SKIPPED in (setup, call) else "."

    def leaving(self) -> list[int]:
        """The positions after which the teardown of a class, module or session fixture failed."""
        return [p for p in range(self.finished()) if self._map[self._phases + 4 * p + 3] == FAILED]

    def seconds(self) -> list[float]:
        return [round(s, 6) for s in struct.unpack_from("=%dd" % self.n, self._map, self._seconds)]

    def messages(self) -> dict[int, str]:
        """The first message of each position that has one."""
        found: dict[int, str] = {}
        at, end = self._messages, self._messages + self._header()[2]
        while at < end:
            position, length = RECORD.unpack_from(self._map, at)
            at += RECORD.size
            found.setdefault(position, self._map[at : at + length].decode("utf-8", "replace"))
            at += length
        return found

    def close(self) -> None:
        self._map.close()
