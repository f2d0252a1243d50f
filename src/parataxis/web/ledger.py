"""The evidence as the page reads it: what speaks for each paper, read anew only when a run has begun or ended."""

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from parataxis.claims import Standing
from parataxis.studies.registry import Method
from parataxis.studies.render import findings
from parataxis.studies.store import Run, Store

SORTS = ("name", "date", "standing")


class Ledger:
    """One store, for many threads. A store that no run has made yet is made."""

    def __init__(self, path: Path, known: Mapping[str, Method]) -> None:
        self.path, self.known = path, known
        self._one = threading.Lock()
        self._seen: list[tuple[int, str]] | None = None
        self._shown: dict[str, Run | None] = {}
        Store(path).close()

    def shown(self) -> dict[str, Run | None]:
        with self._one:
            with sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True) as file:
                seen = file.execute("SELECT id, finished FROM run ORDER BY id").fetchall()
            file.close()
            if seen != self._seen:
                with Store(self.path) as store:
                    self._shown = {name: store.shown(name) for name in self.known}
                self._seen = seen
            return self._shown

    def history(self, method: str) -> list[Run]:
        """The finished runs of a method, the newest first."""
        with Store(self.path) as store:
            return [run for run in reversed(store.runs(method)) if run.finished]

    def progress(self, method: str) -> tuple[int, str]:
        """Of the last run: how many measurements it has, and what it is doing."""
        with Store(self.path) as store:
            return store.state().get(method, (0, ""))

    def found(self, query: str, sort: str) -> list[Method]:
        """The methods in whose name, title, summary or verbs every word of the query stands."""
        words = query.lower().split()
        found = [each for each in self.known.values() if all(word in _text(each) for word in words)]
        if sort == "date":
            found.sort(key=lambda each: each.paper.date, reverse=True)
        elif sort == "standing":
            shown = self.shown()
            found.sort(key=lambda each: _share(each, shown[each.name]), reverse=True)
        return found


def _text(method: Method) -> str:
    paper = method.paper
    return " ".join((paper.name, paper.title, paper.summary, *paper.verbs)).lower()


def _share(method: Method, run: Run | None) -> tuple[bool, float, int]:
    """Of what has a rule, how much holds; papers without a run are last."""
    standing = [each.standing for each in findings(method.paper, run)]
    judged = [each for each in standing if each not in (None, Standing.REPORTED)]
    held = judged.count(Standing.HOLDS)
    return run is not None, held / max(1, len(judged)), held
