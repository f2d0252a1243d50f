"""Runs that were asked for on the page: one at a time, each a process of its own, kept over the server's death.

The queue lies beside the evidence. A study that was running when the server died is waited for if its process still
lives; then it is asked for again, which measures only what the evidence does not hold yet.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from parataxis.errors import BadInput
from parataxis.files import locked

COMMAND = (sys.executable, "-m", "parataxis")
SCALES = ("quick", "full")
WAITING = 16  # at most that many wait
KEPT = 100  # ended ones are kept, with their logs
POLL = 0.1  # seconds between two looks at a process
GRACE = 5.0  # seconds that a cancelled study has to end by itself
TAIL = 64 * 1024  # bytes of a log that are shown
SCHEMA = """CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, scale TEXT NOT NULL, state TEXT NOT NULL, asked TEXT NOT NULL,
    ended TEXT NOT NULL DEFAULT '', process TEXT NOT NULL DEFAULT '')"""


class Full(Exception):
    """So many wait that no more is taken."""


@dataclass(frozen=True)
class Job:
    """A run that was asked for. state: waiting, running, done, failed or cancelled. process: which, while it runs."""

    id: int
    method: str
    scale: str
    state: str
    asked: str
    ended: str
    process: str

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "running")


class Queue:
    """The queue of one evidence file; another server with the same one is refused.

    command: how `parataxis` is called.
    """

    def __init__(self, store: Path, command: Sequence[str] = COMMAND) -> None:
        self.store, self.command = Path(store).absolute(), tuple(command)
        self.logs = self.store.with_name(self.store.name + ".logs")
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._lock = locked(self.logs / "lock")
        except BlockingIOError:
            raise BadInput(f"--store={store}: another `parataxis serve` has it; stop that or give another") from None
        except OSError as error:
            raise BadInput(f"--store={store}: can't be used: {error.strerror}; give another file") from None
        try:
            self._file = sqlite3.connect(self.logs / "queue.sqlite", isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(SCHEMA)
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise BadInput(f"{self.logs}/queue.sqlite: is no queue: {error}; remove it") from None
        self._one, self._wake, self._closing = threading.RLock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop looking after the queue; a study that runs is ended, and goes on when the queue is opened again."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._file.close()
        self._lock.close()

    # -- from the page -------------------------------------------------------------------------------------------------

    def ask(self, method: str, scale: str) -> Job:
        """Put a run in the queue; the one that is there, if it waits or runs already."""
        assert scale in SCALES, scale
        with self._one:
            same = self._all("method = ? AND scale = ? AND state IN ('waiting', 'running')", method, scale)
            if same:
                return same[0]
            if len(self._all("state = 'waiting'")) >= WAITING:
                raise Full
            row = (method, scale, _now())
            self._file.execute("INSERT INTO job (method, scale, state, asked) VALUES (?, ?, 'waiting', ?)", row)
            self._prune()
            made = self.jobs()[0]
        self._wake.set()
        return made

    def cancel(self, identity: int) -> None:
        """End it if it is not over; what it has measured is kept."""
        with self._one:
            self._file.execute(
                "UPDATE job SET state = 'cancelled', ended = ? WHERE id = ? AND state IN ('waiting', 'running')",
                (_now(), identity),
            )

    def job(self, identity: int) -> Job | None:
        return next(iter(self._all("id = ?", identity)), None)

    def jobs(self) -> list[Job]:
        """The newest first."""
        return self._all("1")

    def log(self, identity: int) -> str:
        """The end of what it wrote."""
        try:
            with open(self._log(identity), "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
                return stream.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _all(self, where: str, *values: object) -> list[Job]:
        with self._one:
            rows = self._file.execute(f"SELECT * FROM job WHERE {where} ORDER BY id DESC", values).fetchall()
        return [Job(*row) for row in rows]

    def _log(self, identity: int) -> Path:
        return self.logs / f"{identity}.txt"

    def _prune(self) -> None:
        for job in [job for job in self.jobs() if job.over][KEPT:]:
            self._log(job.id).unlink(missing_ok=True)
            self._file.execute("DELETE FROM job WHERE id = ?", (job.id,))

    # -- the thread that works on it -----------------------------------------------------------------------------------

    def _work(self) -> None:
        for job in self._all("state = 'running'"):  # when the last server died
            while _lives(job.process) and not self._closing.is_set() and not self._cancelled(job):
                time.sleep(POLL)
            if self._closing.is_set():
                return
            if self._cancelled(job):
                _end(job.process)
            self._set(job, "waiting")
        while not self._closing.is_set():
            self._wake.clear()
            waiting = self._all("state = 'waiting'")
            if waiting:
                self._run(waiting[-1])
            else:
                self._wake.wait()

    def _run(self, job: Job) -> None:
        run = ["run", job.method, "--scale", job.scale, "--store", str(self.store)]
        with open(self._log(job.id), "ab") as log:
            child = subprocess.Popen(
                [*self.command, *run], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        process = _process(child.pid)
        self._set(job, "running", process)
        while child.poll() is None:
            if self._closing.is_set() or self._cancelled(job):
                _interrupt(child)
            time.sleep(POLL)
        if self._closing.is_set() and child.returncode:
            self._set(job, "waiting")
        else:
            self._set(job, "failed" if child.returncode else "done")

    def _cancelled(self, job: Job) -> bool:
        now = self.job(job.id)
        return now is None or now.state == "cancelled"

    def _set(self, job: Job, state: str, process: str = "") -> None:
        """What was cancelled stays so."""
        ended = "" if state in ("waiting", "running") else _now()
        with self._one:
            self._file.execute(
                "UPDATE job SET state = ?, process = ?, ended = ? WHERE id = ? AND state != 'cancelled'",
                (state, process, ended, job.id),
            )


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C in a terminal, so that it ends its own workers; killed with them if it does not."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
            return


def _end(process: str) -> None:
    """The same for one that an earlier server started."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        if _lives(process):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(process.split()[0]), sign)
        until = time.monotonic() + GRACE
        while _lives(process) and time.monotonic() < until:
            time.sleep(POLL)


def _process(pid: int) -> str:
    """The process as `pid start`, as a pid alone may be another's by now; "" if it is gone."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else f"{pid} {rest[18]}"


def _lives(process: str) -> bool:
    return bool(process) and _process(int(process.split()[0])) == process


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
