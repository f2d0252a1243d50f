"""What was seen of a test that fails by chance: its runs under watch, and what went along with the failures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from parataxis.methods.flaky_tests.diagnosis import Hint

KINDS = ("network", "randomness", "I/O", "time", "async wait", "concurrency", "resource leak")
ALPHA = 0.002  # several experiments are made

FIXES = {
    "limits": "close what is opened: `with open(...) as stream:`, `contextlib.closing`, or a fixture that yields",
    "slots": "give back what was taken whatever happens: `with lock:`, `try: ... finally: pool.put(...)`",
    "garbage": "give it back at once, not when the collector comes round: a `with` block, `close()`, or weakref.ref "
    "in place of the cycle",
    "connect": "wait until the server listens before connecting: call listen() before the thread starts, or retry "
    "until a deadline",
    "port": "let the system choose a free port: bind(('127.0.0.1', 0)), then getsockname()[1]",
    "receive": "read until the message is complete: loop over recv() until the delimiter or the announced length",
    "patience": "raise the time-out, or put a stub in the service's place: it is slow, not wrong",
    "network": "put a stub in the service's place (a local server that the test controls), or retry in the client",
    "listing": "sort what is listed: sorted(os.listdir(...)), sorted(path.glob(...))",
    "stamp": "compare contents or a version, not time stamps; or set them with os.utime(path, ns=...)",
    "flush": "close or flush() the file before it is read",
    "read": "read until the end: loop until os.read() returns b'', or use the process's communicate()",
    "whole": "write until all is taken: loop over what os.write() returns, or let the pipe block",
    "steady": "write to another file and os.replace() it when it is complete, or lock it around reading and writing",
    "name": "take nothing from the name of a temporary file, or give it one of your own: open(tmp_path / 'name')",
    "file": "give the test a folder of its own (tmp_path), and handle files that others remove or hold",
    "clock": "pass the time in: def f(..., now=datetime.now), and give a fixed one in the test; read it once",
    "wait": "wait for the event, not for a while: event.wait(), await the task, thread.join(), or poll until a "
    "generous deadline",
    "unjoined": "wait for the work that was started before asserting: thread.join(), future.result(), await task",
    "serial": "guard what is shared with a lock around the read and the write, or give each worker its own",
    "random": "seed it in the test (random.seed(1), np.random.default_rng(1)), or assert what holds for every draw",
}


@dataclass
class Runs:
    """Runs of the test under one plan."""

    failed: list[bool] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failures(self) -> int:
        return sum(self.failed)

    @property
    def passes(self) -> int:
        return len(self.failed) - self.failures

    def sites(self, kind: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for seen in self.seen:
            found.update(seen["sites"].get(kind, {}))
        return found

    def first(self, *kinds: str) -> str:
        """The most frequent place of the first of the kinds that occurred."""
        return next((site for kind in kinds for site, _ in self.sites(kind).most_common(1)), "")

    def troubled(self, kind: str, name: str | None = None) -> list[bool]:
        return [any(k == kind and name in (None, n) for k, n, _ in seen["troubles"]) for seen in self.seen]

    def marked(self, kind: str) -> list[bool]:
        """The runs that had such trouble, or failed with such an error."""
        chains = [(seen["failure"] or {"chain": []})["chain"] for seen in self.seen]
        failures = [any(family == kind for _, family in chain) for chain in chains]
        return [had or failed for had, failed in zip(self.troubled(kind), failures, strict=True)]

    def goes_with(self, kind: str) -> float:
        """The exact p of such trouble, or of one sort of it, falling on failures."""
        names = {name for seen in self.seen for k, name, _ in seen["troubles"] if k == kind}
        marks = [self.marked(kind), *(self.troubled(kind, name) for name in names)]
        return min(together(self.failed, marked) for marked in marks)

    def trouble(self, kind: str) -> tuple[str, str]:
        """The trouble that most sets failing runs apart, and where it was."""
        both = zip(self.failed, self.seen, strict=True)
        found: Counter[tuple[str, str]] = Counter()
        for failed, seen in both:
            for each in {(name, site) for k, name, site in seen["troubles"] if k == kind}:
                found[each] += 1 if failed else -1
        return found.most_common(1)[0][0] if max(found.values(), default=0) > 0 else ("", "")

    def had_nothing_left_to_do(self) -> bool:
        """Whether failing runs failed in the last thing that they do."""
        return all(seen["failure"].get("last") for seen in self.seen if seen["failure"])

    def only_asserted(self) -> bool:
        """Whether failing runs were not cut short at all: they did all that they do, and it was not as they said."""
        chains = [seen["failure"]["chain"] for seen in self.seen if seen["failure"]]
        return self.had_nothing_left_to_do() and all(chain[:1] == [["AssertionError", ""]] for chain in chains)


def seen_along(runs: Runs) -> list[Hint]:
    """What failing runs showed and passing runs did not; the strongest first."""
    hints = [hint for hint in (*_troubles(runs), *_left(runs)) if hint.p < ALPHA]
    return sorted(hints, key=lambda hint: hint.p)


def _troubles(runs: Runs) -> Iterator[Hint]:
    for kind, family, fix in (
        ("network", "network", "network"),
        ("I/O", "file", "file"),
        ("resource leak", "leak", "limits"),
    ):
        name, where = runs.trouble(family)
        p = runs.goes_with(family)
        yield Hint(
            kind, False, p, f"{name or 'such an error'} in failing runs", where or failing_line(runs), FIXES[fix]
        )


def together(failed: Sequence[bool], marked: Sequence[bool]) -> float:
    """The exact p of marks falling on failures."""
    from scipy.stats import fisher_exact  # takes longer to load than most of our commands take

    pairs = Counter(zip(failed, marked, strict=True))
    table = [[pairs[True, True], pairs[True, False]], [pairs[False, True], pairs[False, False]]]
    return float(fisher_exact(table, "greater").pvalue)


# What a failing test leaves only because it was cut short is less than that.
LEFT = {"held": 3, "threads": 3, "processes": 3, "slots": 3, "kilobytes": 1000}
# What a failing test leaves although nothing was left to be done, and whatever was at work has had time to end.
AT_ITS_END = ("descriptors", "slots", "files", "threads", "processes", "handlers")
# Left by what did end, and well.
NOT_CUT_SHORT = ("tasks", "unclosed")
# The amount varies in passing runs, too, and those with the most fail: what is one of them, and a difference.
BY_AMOUNT = {"descriptors": 1.0, "threads": 1.0, "processes": 1.0, "slots": 1.0, "files": 2.0, "blocks": 50.0}
WORDS = {
    "held": "descriptors",
    "tasks": "pending tasks",
    "unclosed": "things thrown away open",
    "blocks": "blocks of memory",
    "kilobytes": "kilobytes of memory",
}
LARGEST = 2**40  # of a number that counts something
ABOVE, VARIES = 0.95, 0.5  # of pairs, failing above passing; of the difference, in passing runs


def _left(runs: Runs) -> Iterator[Hint]:
    failed = np.array(runs.failed)
    last = runs.had_nothing_left_to_do()
    for name in dict.fromkeys((*NOT_CUT_SHORT, *AT_ITS_END, *LEFT, *BY_AMOUNT)):
        left = np.array([seen["left"].get(name, 0) for seen in runs.seen])
        bad, good = left[failed], left[~failed]
        more = float(np.median(bad) - np.median(good))
        least = 1 if name in NOT_CUT_SHORT or (last and name in AT_ITS_END) else LEFT.get(name, np.inf)
        if more < least and not _by_amount(bad, good, more, BY_AMOUNT.get(name, np.inf)):
            continue
        says = f"failing runs leave {np.median(bad):.0f} {WORDS.get(name, name)}, passing runs {np.median(good):.0f}"
        p = p_of_more(bad, good)
        yield Hint("resource leak", False, p, says, failing_line(runs), FIXES["limits"])


def p_of_more(bad: Int[np.ndarray, " failure"], good: Int[np.ndarray, " pass"]) -> float:
    """Mann and Whitney's p of failing runs having more than passing ones."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(bad, good, alternative="greater").pvalue)


def refused_what_is_held(runs: Runs) -> list[Hint]:
    """The error of every failing run, and of no passing one, says that what it asks for is not given back."""
    both = zip(runs.seen, runs.failed, strict=True)
    chains = [(seen["failure"] or {"chain": []})["chain"] for seen, failed in both if failed]
    if not all(any(family == "leak" for _, family in chain) for chain in chains):
        return []
    return [hint for hint in _troubles(runs) if hint.kind == "resource leak" and hint.p < ALPHA]


def left_for_good(runs: Runs, files: bool = False) -> list[Hint]:
    """What every failing run leaves more of than any passing one. Tasks that a loop threw away had no time to end."""
    failed = np.array(runs.failed)
    hints = []
    for name in AT_ITS_END:
        left = np.array([seen["left"].get(name, 0) for seen in runs.seen])
        tasks = np.array([seen["left"].get("tasks", 0) for seen in runs.seen])
        if (name == "files" and not files) or left[failed].min() <= left[~failed].max() or tasks[failed].any():
            continue
        hints += [hint for hint in _left(runs) if f" {name}, " in hint.says and hint.p < ALPHA]
    return hints[:1]


def _by_amount(bad: Int[np.ndarray, " failure"], good: Int[np.ndarray, " pass"], more: float, least: float) -> bool:
    above = np.mean(bad[:, None] >= good)
    return bool(more >= least and above >= ABOVE and np.ptp(good) >= max(VARIES * more, least))


def counted(runs: Runs) -> list[Hint]:
    """What the suite's own objects count, if it varies in passing runs and failing runs have most of it, or least."""
    failed, hints = np.array(runs.failed), []
    names = set.intersection(*(set(seen["counts"]) for seen in runs.seen)) if runs.seen else set()
    numbers = {name: np.array([min(seen["counts"][name], LARGEST) for seen in runs.seen]) for name in sorted(names)}
    varying = {name: counts for name, counts in numbers.items() if np.ptp(counts)}
    for name, counts in varying.items():
        for sign in (1, -1):
            bad, good = sign * counts[failed], sign * counts[~failed]
            if not (bad.size and good.size and _by_amount(bad, good, float(np.median(bad) - np.median(good)), 1.0)):
                continue
            p = p_of_more(bad, good) * 2 * len(varying)
            says = f"failing runs leave {name} at {np.median(counts[failed]):.0f}, "
            says += f"passing runs at {np.median(counts[~failed]):.0f}"
            hints.append(Hint("resource leak", False, p, says, failing_line(runs), FIXES["slots"]))
    return sorted((hint for hint in hints if hint.p < ALPHA), key=lambda hint: hint.p)[:1]


def failing_line(runs: Runs) -> str:
    lines = Counter(seen["failure"]["site"] for seen in runs.seen if seen["failure"] and seen["failure"]["site"])
    return lines.most_common(1)[0][0] if lines else ""
