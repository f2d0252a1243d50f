"""The evidence as the page reads it: what speaks for each paper, read anew only where a run has begun or ended."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from parataxis.claims import Standing
from parataxis.studies.registry import Method
from parataxis.studies.render import findings
from parataxis.studies.store import Run, Store

RUNS = 1000  # kept in memory at most; one that is finished does not change
SORTS = ("name", "date", "standing")


class Ledger:
    """One store, for many threads. A store that no run has made yet is made."""

    def __init__(self, path: Path, known: Mapping[str, Method]) -> None:
        self.path, self.known = path, known
        self._one = threading.Lock()
        self._seen: dict[str, list[tuple[int, str]]] = {}
        self._shown: dict[str, Run | None] = dict.fromkeys(known)
        self._kept: dict[tuple[int, str], Run] = {}
        Store(path).close()

    def shown(self) -> dict[str, Run | None]:
        """The run that speaks for each paper, or None."""
        with self._one:
            with sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True) as file:
                found = file.execute("SELECT method, id, finished FROM run ORDER BY id").fetchall()
            file.close()
            seen: dict[str, list[tuple[int, str]]] = {}
            for method, *run in found:
                seen.setdefault(method, []).append((run[0], run[1]))
            changed = [name for name in self.known if seen.get(name) != self._seen.get(name)]
            if changed:
                with Store(self.path) as store:
                    self._shown = {**self._shown, **{name: store.shown(name) for name in changed}}
            self._seen = seen
            return self._shown

    def newest(self, methods: Sequence[str], most: int) -> list[Run]:
        """The finished runs of some methods, the newest first, at most so many; without figures and tables."""
        with self._one, Store(self.path) as store:
            found = store.newest(methods, most)
            for each in found:
                if each not in self._kept:
                    self._kept[each] = store.run(each[0], ("measurement",))
            runs = [self._kept[each] for each in found]
            for each in list(self._kept)[: max(0, len(self._kept) - RUNS)]:
                del self._kept[each]
            return runs

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
