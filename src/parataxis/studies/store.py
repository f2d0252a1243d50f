"""The evidence: one SQLite file, a row a measurement, safe against kill -9.

A run is one method at one scale with one seed and one state of the code. It goes on where it was cut off as long as
all of these stay; else another run begins, so that rows of two versions of a claim never stand in one run.
"""

import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parataxis import __version__
from parataxis.claims import Figure, Measurement, Table
from parataxis.errors import BadInput

SCHEMA_VERSION = 1
WAIT = 60  # seconds, for another writer
MEASURED = ", ".join(f'"{each.name}"' for each in fields(Measurement))
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, scale TEXT NOT NULL, seed INTEGER NOT NULL, code TEXT NOT NULL,
    parataxis TEXT NOT NULL, machine TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', doing TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS measurement (
    run NOT NULL REFERENCES run, claim_version, files, {MEASURED}, UNIQUE (run, id)
);
CREATE TABLE IF NOT EXISTS figure (run NOT NULL REFERENCES run, name, image, caption, UNIQUE (run, name));
CREATE TABLE IF NOT EXISTS sheet (run NOT NULL REFERENCES run, name, content, caption, UNIQUE (run, name));
PRAGMA user_version = {SCHEMA_VERSION};
"""
KINDS = ("measurement", "figure", "sheet")  # what a run has
SHOWN = ("paper", "full", "quick")  # of several finished runs, the one of the largest scale is shown


@dataclass(frozen=True)
class Row:
    """A measurement as it is kept. claim_version: 0 for a symmetry. files: sha256 of each data file read so far."""

    measurement: Measurement
    claim_version: int
    files: dict[str, str]


@dataclass(frozen=True)
class Run:
    """One method, measured. finished: the time, or "". error: the line with which it failed, or ""."""

    id: int
    method: str
    scale: str
    seed: int
    code: str
    parataxis: str
    machine: dict[str, Any]
    started: str
    finished: str = ""
    error: str = ""
    doing: str = ""
    rows: tuple[Row, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()

    def row(self, identity: str) -> Row | None:
        return next((row for row in self.rows if row.measurement.id == identity), None)


def machine() -> dict[str, Any]:
    """What a timing depends on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu, "cores": cores, "python": platform.python_version(), "platform": platform.platform()}


def default_path() -> Path:
    import platformdirs

    return platformdirs.user_data_path("parataxis") / "evidence.sqlite"


class Store:
    """The open file. Every call is one transaction: what it wrote is on disk when it returns."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            self._file.row_factory = sqlite3.Row
            self._log_ahead()
            with self._transaction():
                self._create()
        except (sqlite3.DatabaseError, OSError) as error:
            raise BadInput(f"--store={self.path}: can't be used for evidence: {error}; give another file") from None

    def _log_ahead(self) -> None:
        """WAL; SQLite does not wait for the lock here, so that two that create the file at once must try again."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                self._file.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _create(self) -> None:
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise BadInput(
                f"--store={self.path}: holds evidence of form {version}, this parataxis reads {SCHEMA_VERSION}; "
                "give another file"
            )
        if version == 0:
            for statement in SCHEMA.split(";"):
                self._file.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ---------------------------------------------------------------------------------------------------

    def begin(self, method: str, scale: str, seed: int, code: str, fresh: bool = False) -> Run:
        """The last run of just this, finished or to go on with; else, or if `fresh`, a new one."""
        key = (method, scale, seed, code, __version__)
        with self._transaction():
            found = self._last(key)
            if found is None or fresh:
                started = self._file.execute(
                    "INSERT INTO run (method, scale, seed, code, parataxis, machine, started) VALUES (?,?,?,?,?,?,?)",
                    (*key, json.dumps(machine()), _now()),
                )
                return self.run(started.lastrowid or 0)
            self._file.execute("UPDATE run SET error = '', doing = '' WHERE id = ?", (found,))
        return self.run(found)

    def finished(self, method: str, scale: str, seed: int, code: str) -> int | None:
        """The last run of just this, if it is finished."""
        found = self._last((method, scale, seed, code, __version__))
        return found if found and self.run(found).finished else None

    def _last(self, key: tuple[str, str, int, str, str]) -> int | None:
        found = self._file.execute(
            "SELECT max(id) FROM run WHERE (method, scale, seed, code, parataxis) = (?, ?, ?, ?, ?)", key
        )
        return found.fetchone()[0]

    def add(self, run: int, found: Measurement | Figure | Table, version: int, files: dict[str, str]) -> bool:
        """Keep what a study yielded; whether it is new. What the run has already is left as it is."""
        if isinstance(found, Measurement):
            values = (run, version, json.dumps(files), *asdict(found).values())
            columns = f"measurement (run, claim_version, files, {MEASURED})"
        elif isinstance(found, Figure):
            columns, values = "figure (run, name, image, caption)", (run, found.name, found.image, found.caption)
        else:
            content = json.dumps({"columns": list(found.columns), "rows": [list(row) for row in found.rows]})
            columns, values = "sheet (run, name, content, caption)", (run, found.name, content, found.caption)
        places = ", ".join("?" * len(values))
        return self._file.execute(f"INSERT OR IGNORE INTO {columns} VALUES ({places})", values).rowcount == 1

    def measured_on(self, run: int, where: dict[str, Any]) -> None:
        """The machine of the run is that of its first measurement: on a cluster, not the one that began it."""
        first = "id = ? AND NOT EXISTS (SELECT 1 FROM measurement WHERE run = ?)"
        self._file.execute(f"UPDATE run SET machine = ? WHERE {first}", (json.dumps(where), run, run))

    def tell(self, run: int, doing: str) -> None:
        self._file.execute("UPDATE run SET doing = ? WHERE id = ?", (doing, run))

    def finish(self, run: int) -> None:
        self._file.execute("UPDATE run SET finished = ?, doing = '' WHERE id = ?", (_now(), run))

    def fail(self, run: int, error: str) -> None:
        """The run failed; it counts as unfinished, and the next one with its key goes on with it."""
        self._file.execute("UPDATE run SET error = ?, finished = '', doing = '' WHERE id = ?", (error, run))

    # -- reading ---------------------------------------------------------------------------------------------------

    def run(self, identity: int, kinds: tuple[str, ...] = KINDS) -> Run:
        """kinds: what of it is read; the rest is left empty."""
        head = dict(self._file.execute("SELECT * FROM run WHERE id = ?", (identity,)).fetchone())
        head["machine"] = json.loads(head["machine"])
        parts = dict.fromkeys(KINDS, ()) | {
            kind: self._file.execute(f"SELECT * FROM {kind} WHERE run = ? ORDER BY rowid", (identity,)).fetchall()
            for kind in kinds
        }
        return Run(
            **head,
            rows=tuple(_row(dict(each)) for each in parts["measurement"]),
            figures=tuple(Figure(each["name"], each["image"], each["caption"]) for each in parts["figure"]),
            tables=tuple(
                Table(each["name"], **json.loads(each["content"]), caption=each["caption"]) for each in parts["sheet"]
            ),
        )

    def runs(self, method: str) -> list[Run]:
        """Every run of a method, the oldest first."""
        found = self._file.execute("SELECT id FROM run WHERE method = ? ORDER BY id", (method,))
        return [self.run(each["id"]) for each in found.fetchall()]

    def shown(self, method: str, scales: tuple[str, ...] = SHOWN) -> Run | None:
        """The finished run that speaks for a method: of the largest scale the last."""
        found = self._file.execute("SELECT id, scale FROM run WHERE method = ? AND finished != ''", (method,))
        finished = [each for each in found.fetchall() if each["scale"] in scales]
        best = max(finished, key=lambda each: (-scales.index(each["scale"]), each["id"]), default=None)
        return self.run(best["id"]) if best else None

    def newest(self, methods: Sequence[str], most: int) -> list[tuple[int, str]]:
        """Of the finished runs of some methods, the newest first and at most so many: id, and when it was finished."""
        places = ", ".join("?" * len(methods))
        found = self._file.execute(
            f"SELECT id, finished FROM run WHERE finished != '' AND method IN ({places}) "
            "ORDER BY finished DESC, id DESC LIMIT ?",
            (*methods, most),
        )
        return [(each["id"], each["finished"]) for each in found.fetchall()]

    def last(self) -> int:
        """The place of the newest measurement, to be given to `since`."""
        return self._file.execute("SELECT coalesce(max(rowid), 0) FROM measurement").fetchone()[0]

    def since(self, last: int) -> list[tuple[int, str, Measurement]]:
        """Place, method and measurement of whatever came after the place `last`."""
        found = self._file.execute(
            "SELECT m.rowid AS place, r.method, m.* FROM measurement m JOIN run r ON r.id = m.run WHERE m.rowid > ? "
            "ORDER BY m.rowid",
            (last,),
        )
        rows = [dict(each) for each in found.fetchall()]
        return [(row.pop("place"), row.pop("method"), _row(row).measurement) for row in rows]

    def state(self) -> dict[str, tuple[int, str]]:
        """Of each method's last run: how many measurements it has, and the last word about progress."""
        found = self._file.execute(
            "SELECT method, doing, (SELECT count(*) FROM measurement WHERE run = run.id) AS rows FROM run "
            "WHERE id IN (SELECT max(id) FROM run GROUP BY method)"
        )
        return {each["method"]: (each["rows"], each["doing"]) for each in found.fetchall()}


def _row(values: dict[str, Any]) -> Row:
    del values["run"]
    version, files = values.pop("claim_version"), json.loads(values.pop("files"))
    return Row(Measurement(**{**values, "real": bool(values["real"])}), version, files)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
