"""What failing runs hold where they fail and passing runs, at the same line, have given back.

A leak is something taken and not given back. What decides whether it is, a draw, a late answer, a race, is the way to
it: an intervention there makes the test pass, and would name the way for the cause. So once such a way is found, runs
are looked at again at the line that fails (see the worker's `_parataxis_held`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from parataxis.methods.flaky_tests.chance_seen import ALPHA, FIXES, WORDS, Runs, failing_line, p_of_more
from parataxis.methods.flaky_tests.diagnosis import Hint

# What a process holds of the system, and gives back; no test needs more of it in one run than in another.
TAKEN = ("descriptors", "threads", "processes", "handlers", "slots", "tasks", "transactions")
MEMORY = ("objects", "blocks", "kilobytes")  # everything takes some: these count where the test asks for them
FEWEST = 5  # failures and passes that reached the line
MOST_LINES = 40


def failing_lines(runs: Runs) -> list[str]:
    """The lines of the suite's own code that were at work when runs failed: passing runs need not reach the last."""
    failures = [seen["failure"] for seen in runs.seen if seen["failure"]]
    return sorted({site for failure in failures for site in failure["sites"]})[:MOST_LINES]


@dataclass(frozen=True)
class _At:
    """The runs that reached the line, and what they held there; way: the kind of what makes the test pass."""

    failed: Bool[np.ndarray, " run"]
    held: list[dict[str, Any]]
    way: str

    def apart(self, held: Int[np.ndarray, " run"], says: str, fix: str = "slots") -> Iterator[tuple[float, str, str]]:
        """If every failing run holds more than any passing one: the p of that, in words."""
        bad, good = held[self.failed], held[~self.failed]
        if bad.min() > good.max():
            p = p_of_more(bad, good)
            numbers = f"failing runs hold {np.median(bad):.0f} {says}, passing runs {np.median(good):.0f}"
            yield p, f"where they fail, {numbers}", fix

    def thing(self, name: str) -> Int[np.ndarray, " run"]:
        return np.array([each["things"].get(name, 0) for each in self.held])


def held_where_it_fails(runs: Runs, way: str) -> list[Hint]:
    """The likeliest thing not given back. Two that race may leave two of what should be one: after that way, only what
    passing runs gave back in full is a leak."""
    found: list[tuple[float, str, str]] = []
    for line in ("asks", "fails"):
        reached = [line in seen["held"].get("at", ()) for seen in runs.seen]
        failed = np.array(runs.failed, dtype=bool)[reached]
        if min(failed.sum(), (~failed).sum()) >= FEWEST:
            held = [seen["held"] for seen, there in zip(runs.seen, reached, strict=True) if there]
            at = _At(failed, [{**each, "things": each["at"][line]} for each in held], way)
            found += [*_of_the_system(at), *_of_the_suite(at)]
    where = failing_line(runs)
    return [Hint("resource leak", False, p, says, where, FIXES[fix]) for p, says, fix in sorted(found) if p < ALPHA][:1]


def _of_the_system(at: _At) -> Iterator[tuple[float, str, str]]:
    for name in TAKEN:
        held = at.thing(name)
        if at.way != "concurrency" or held[~at.failed].max() <= 0:
            yield from at.apart(held, WORDS.get(name, name), "limits" if name == "descriptors" else "slots")
    files, made = at.thing("files"), at.thing("made")
    if at.way != "I/O" and np.all(made[~at.failed] > files[~at.failed]):  # a test that takes its files away
        yield from at.apart(files, "files", "file")
    if all(each["asked"] for each in at.held):
        for name in MEMORY:
            yield from at.apart(at.thing(name), WORDS.get(name, name))


def _of_the_suite(at: _At) -> Iterator[tuple[float, str, str]]:
    """Its containers and numbers: what goes out and comes back in every passing run, and in no failing one.

    A number that two threads change may end otherwise by their race alone.
    """
    names = set.intersection(*(set(each["moved"]) for each in at.held))
    varying: list[tuple[Any, ...]] = []
    for name in sorted(names):
        start, lowest, highest, end, is_container = np.array([each["moved"][name] for each in at.held], dtype=object).T
        if len(set(end)) > 1 and (is_container.all() or at.way != "concurrency"):
            varying.append((name, start, lowest, highest, end, bool(is_container.all())))
    for name, start, lowest, highest, end, is_container in varying:
        passed = ~at.failed
        for sign, farthest in ((1, highest), (-1, lowest)):
            away, most = sign * (end - start), sign * (farthest - start)
            in_part = is_container and sign > 0 and at.way != "concurrency"
            back = most[passed] > away[passed] if in_part else (away[passed] == 0) & (most[passed] > 0)
            if np.all(back):
                for p, says, fix in at.apart(
                    away.astype(np.int64),
                    f"more in {name} than at first" if sign > 0 else f"fewer in {name} than at first",
                ):
                    yield p * 2 * len(varying), says, fix
