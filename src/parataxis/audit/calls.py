"""Calling the system: counted, remembered, and written down so that a killed audit goes on where it was."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parataxis.audit.orders import Design
from parataxis.audit.outcomes import ADDRESS, Raised, from_json, to_json
from parataxis.errors import BadInput
from parataxis.files import JsonLines, read_json_lines

if TYPE_CHECKING:
    from parataxis.audit.ahead import Ahead

VERSION = 1  # of the journal; a journal of another version is refused

Order = tuple[int, ...]  # places in the given items, in the order in which the system gets them
Progress = Callable[[str, int, int], None]  # what is being done, calls so far, the most calls


class BudgetSpent(Exception):
    """There is no call left."""


class Calls:
    """The system as a function of an order, at most `budget` times.

    A call gives a list of outcomes: one in all, or, with `per_item`, one an item, sorted by the item's place in
    `items`, not in the order. The same order may be called again: `journal` tells calls apart by the order and by
    how often it was called before.
    """

    def __init__(
        self,
        system: Callable[[list[Any]], Any],
        items: Sequence[Any],
        per_item: bool,
        budget: int,
        journal: "Journal | None",
        progress: Progress | None,
    ) -> None:
        self.system, self.items, self.per_item, self.budget = system, items, per_item, budget
        self.journal, self.progress = journal, progress
        self.doing = ""
        self.count = 0
        self.times: Counter[Order] = Counter()
        self.ahead: Ahead | None = None

    @property
    def left(self) -> int:
        return self.budget - self.count

    def __call__(self, order: Order) -> list[Any]:
        if self.left < 1:
            raise BudgetSpent
        if self.progress:
            self.progress(self.doing, self.count, self.budget)
        self.count += 1
        self.times[order] += 1
        outcome = self._outcome(order, self.times[order])
        if isinstance(outcome, Raised):
            return [outcome] * (len(order) if self.per_item else 1)
        if not self.per_item:
            return [outcome]
        by_place = sorted(zip(order, outcome, strict=True), key=lambda pair: pair[0])
        return [each for _, each in by_place]

    def _outcome(self, order: Order, ordinal: int) -> Any:
        if self.journal is None:
            return self._run(order, ordinal)
        known = self.journal.find(order, ordinal)
        return known if known is not Journal.ABSENT else self.journal.keep(order, ordinal, self._run(order, ordinal))

    def _run(self, order: Order, ordinal: int) -> Any:
        try:
            outcome = self.ahead.outcome(order, ordinal) if self.ahead else self.system(self.ordered(order))
        except BrokenExecutor:  # no word of the system's
            raise
        except Exception as error:
            return Raised.by(error)
        return self._aligned(outcome, len(order)) if self.per_item and not isinstance(outcome, Raised) else outcome

    def ordered(self, order: Order) -> list[Any]:
        return [self.items[place] for place in order]

    def _aligned(self, outcome: Any, n: int) -> list[Any]:
        try:
            outcomes = list(outcome)
        except TypeError:
            kind = type(outcome).__name__
            raise BadInput(f"per_item=True: the system gave {kind}, expected a list of one outcome an item") from None
        if isinstance(outcome, str | dict) or len(outcomes) != n:
            raise BadInput(
                f"per_item=True: the system gave {type(outcome).__name__} of {len(outcomes)} for {n} items, "
                "expected a list of one outcome an item, in the order of the items it was given"
            )
        return outcomes


class Journal:
    """A file of JSON lines: what is audited and how, then a line a call."""

    ABSENT = object()

    def __init__(self, path: Path | str, head: dict[str, Any]) -> None:
        self.path = Path(path)
        self.known: dict[tuple[Order, int], Any] = {}
        head = {"parataxis-audit": VERSION, **head}
        try:
            self._read(head)
            self.log = JsonLines(self.path)
        except OSError as error:
            raise BadInput(f"journal={self.path}: can't be used: {error.strerror}; give a file to write to") from None
        if not self.path.stat().st_size:
            self.log.append(head)

    def _read(self, head: dict[str, Any]) -> None:
        if not self.path.exists():
            return
        remedy = "give another journal, or delete this one to begin anew"
        try:
            lines = list(read_json_lines(self.path))
            first, rows = lines[:1], lines[1:]
            self.known = {(tuple(row["order"]), row["ordinal"]): row["outcome"] for row in rows}
        except (ValueError, KeyError, TypeError):
            raise BadInput(f"journal={self.path}: is not the journal of an audit; {remedy}") from None
        if not first and self.path.read_bytes()[:1] not in (b"", b"{"):
            raise BadInput(f"journal={self.path}: is not the journal of an audit; {remedy}")
        if first and first[0] != head:
            other = next((key for key in head if not isinstance(first[0], dict) or first[0].get(key) != head[key]), "")
            was = first[0].get(other) if isinstance(first[0], dict) else first[0]
            raise BadInput(
                f"journal={self.path}: belongs to another audit ({other}={was!r}, not {head.get(other)!r}); {remedy}"
            )

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()

    def find(self, order: Order, ordinal: int) -> Any:
        found = self.known.get((order, ordinal), Journal.ABSENT)
        return found if found is Journal.ABSENT else from_json(found)

    def keep(self, order: Order, ordinal: int, outcome: Any) -> Any:
        """Write it down; what comes back is what a resumed audit would read."""
        try:
            plain = to_json(outcome)
            self.log.append({"order": list(order), "ordinal": ordinal, "outcome": plain})
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(
                f"journal={self.path}: JSON can't hold the outcome ({error}); return numbers, text, lists or "
                "mappings, or audit without a journal"
            ) from None
        return from_json(plain)


def head(items: Sequence[Any], design: str | Design, **options: Any) -> dict[str, Any]:
    """What makes an audit the same audit: the items, and all options but the budget."""
    if isinstance(design, Design):
        design = f"{design.name} {_digest(np.asarray(design.orders).tolist())}"
    options = {name: getattr(value, "__qualname__", value) for name, value in options.items()}
    return {"items": _digest(list(items)), "n": len(items), "design": design, **options}


def _digest(value: Any) -> str:
    text = ""
    with suppress(TypeError, ValueError, RecursionError):
        text = json.dumps(to_json(value))
    return hashlib.sha256((text or ADDRESS.sub("0x...", repr(value))).encode()).hexdigest()[:16]
