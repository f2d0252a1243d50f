"""The record of a hunt: one file of JSON lines, a head and then a line an order, whole after any kill."""

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.files import JsonLines, locked, read_json_lines
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.session import DAY, Isolation, Limits

FORM = 1
NAME = "hunt.jsonl"
DIAGNOSES = "diagnosis.jsonl"
LOCK = "lock"
PATIENCE = 12  # times the time-out, as long as it is not known how long the suite's tests take
SLOWER = 10  # times its time in file order, a test may take in another


@dataclass(frozen=True)
class Head:
    """What was hunted and how.

    root, arguments: of the suite; ids: node ids in file order, to whose places all runs refer; declared: the places of
    tests whose order the suite declares; seeded: fingerprints of the generators that the suite seeds itself; forks: of
    one collected process, else each order has an interpreter of its own; isolated: each order has its own view of the
    files; because: why not, for either; errors: of collection; parallel: its pytest runs tests in several processes;
    enough: the failure rate that ends the hunt once it is excluded, see `hunt`; unsteady: the places of tests whose ids
    are others in another process.
    """

    root: str
    arguments: list[str]
    protocol: str
    level: str
    seed: int
    timeout: float
    ids: list[str]
    declared: list[int]
    seeded: list[str]
    forks: bool
    isolation: Isolation
    because: list[str]
    errors: list[list[str]]
    interpreter: str
    python: str
    pytest: str
    parataxis: str
    parallel: bool = False
    enough: float | None = None
    unsteady: list[int] = field(default_factory=list)
    form: int = FORM


@dataclass(frozen=True)
class Entry:
    """A run with what its orders' tests said: the reason of a failure, by place; seconds of each test, if kept.

    leaving: places after which the teardown of a shared fixture failed.
    """

    run: Run
    messages: dict[int, str] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)

    def to_row(self) -> dict[str, Any]:
        extra = {name: value for name in ("messages", "durations", "leaving") if (value := getattr(self, name))}
        return {**self.run.to_row(), **extra}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Entry":
        row = dict(row)
        messages = {int(place): text for place, text in row.pop("messages", {}).items()}
        durations, leaving = row.pop("durations", []), row.pop("leaving", [])
        return cls(Run.from_row(row), messages, durations, leaving)


class Journal:
    """The open file of a hunt; what was added is on disk before the next order begins.

    head: None until `begin`, or as it stands in the file of the hunt that goes on (resume).
    """

    def __init__(self, folder: Path, resume: bool) -> None:
        self.path = folder / NAME
        self.head: Head | None = None
        self.entries: list[Entry] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = locked(folder / LOCK)  # held as long as the journal is open
            self._lines = JsonLines(self.path)
        except BlockingIOError:
            raise BadInput(f"--out {folder}: another hunt is at work there; wait, or name another folder") from None
        except OSError as error:
            raise BadInput(f"--out {folder}: can't be written ({error.strerror}); name another folder") from None
        if resume:
            try:
                self.head, self.entries = _parsed(self.path, list(self._lines))
            except BadInput:
                self.close()
                raise

    def begin(self, head: Head) -> None:
        """Only now is the record of an earlier hunt gone: one that collects nothing takes the place of none."""
        self._lines.clear()
        self.path.with_name(DIAGNOSES).unlink(missing_ok=True)
        self.head = head
        self._lines.append(asdict(head))

    def add(self, entry: Entry) -> None:
        self._lines.append(entry.to_row())
        self.entries.append(entry)

    def close(self) -> None:
        self._lines.close()
        self._lock.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def files_of(folder: Path) -> list[Path]:
    """What is written there while orders run, which nobody may put back."""
    return [folder / name for name in (NAME, DIAGNOSES, LOCK)]


def read_journal(folder: Path) -> tuple[Head, list[Entry]]:
    """The head and entries of a hunt, finished or not. Raises BadInput if the folder holds none."""
    path = folder / NAME if folder.is_dir() else folder
    if not path.exists():
        raise BadInput(f"{folder}: holds no {NAME}; `parataxis tests hunt` writes one")
    try:
        rows = list(read_json_lines(path))
    except ValueError:
        rows = []
    head, entries = _parsed(path, rows)
    if head is None:
        raise BadInput(f"{path}: holds no hunt; `parataxis tests hunt` writes one")
    return head, entries


def limits_of(entries: Sequence[Entry], timeout: float) -> Limits:
    """What tests are given, once it is known how long each takes: `timeout` seconds, slow ones a multiple of that."""
    known = [entry for entry in entries if entry.durations]
    if not known:
        return Limits(timeout * PATIENCE, {}, DAY)
    taken: dict[int, float] = {}
    for entry in known:
        for test, seconds in zip(entry.run.order, entry.durations, strict=True):
            taken[test] = max(seconds, taken.get(test, 0.0))
    slow = {test: SLOWER * seconds for test, seconds in taken.items() if SLOWER * seconds > timeout}
    return Limits(timeout, slow, SLOWER * sum(taken.values()) + PATIENCE * timeout)


def _parsed(path: Path, rows: Sequence[Any]) -> tuple[Head | None, list[Entry]]:
    if not rows:
        return None, []
    first, names = rows[0], {each.name for each in fields(Head)}
    needed = {each.name for each in fields(Head) if each.default is MISSING and each.default_factory is MISSING}
    if not isinstance(first, dict) or first.get("form") != FORM or not needed <= set(first) <= names:
        raise BadInput(f"{path}:1: is no head of a hunt that this version reads; hunt anew, without --resume")
    return Head(**first), [Entry.from_row(row) for row in rows[1:]]


def check_same(head: Head, asked: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a hunt that was asked otherwise."""
    for name, value in asked.items():
        if getattr(head, name) != value:
            raise BadInput(
                f"{path}: was begun with {name}={getattr(head, name)!r}, not {value!r}; "
                "ask the same, or start anew without --resume"
            )
