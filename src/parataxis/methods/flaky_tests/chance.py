"""Why a test fails by chance: seven kinds of cause, shown by an intervention where one can be made, else seen.

An intervention changes one thing while the test runs: a wait is longer, randomness is the same, the clock starts at the
same time, threads run one after the other. A cause is shown if the test then always passes, or, for what can be set to
a value, always fails with one value and always passes with another, where without it chance decides. What was merely
touched by the test is never a cause.
"""

import json
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.methods.flaky_tests.chance_held import failing_lines, held_where_it_fails
from parataxis.methods.flaky_tests.chance_seen import (
    ALPHA,
    FIXES,
    Runs,
    counted,
    failing_line,
    left_for_good,
    refused_what_is_held,
    seen_along,
)
from parataxis.methods.flaky_tests.diagnosis import Hint
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING
from parataxis.methods.flaky_tests.session import Limits, Order, Session
from parataxis.methods.flaky_tests.suite import find_suite

ALPHA_TWO_WAYS = 0.0005
LEAST, MOST = 8, 160  # failures and passes to see without intervention, and runs for that
GIVE_UP = 60  # runs that all came out the same
LATE = 24  # such runs that waited, where it fails, for what is at work: it was late
BATCH, FIRST = 6, 2  # runs at a time; most plans change nothing, which few runs show
SCAN, CANDIDATES = 30, 3  # values to try
REPAIRS = 1.5  # times the runs without intervention: eight failures in those, none in these, has p < 0.002
WAITS = 8  # places whose waits are made longer, one at a time
SECOND = 10**9  # ns


def explain_chance(
    session: Session, place: int, *, limits: Limits, seeded: Sequence[str] = (), isolate: bool = False, seed: int = 0
) -> list[Hint]:
    """The likely causes of the failures of a test that fails by chance, the likeliest first.

    place: of the test in the session's list; limits, seeded, isolate: as for `Session.run`, which must fork. Empty if
    the test did not both pass and fail here, or if nothing can be said. Raises SessionDied.
    """
    lab = _Lab(session, place, limits, list(seeded), isolate, seed)
    if not lab.measure():
        return []
    for experiment in EXPERIMENTS:
        hint = experiment(lab)
        if hint is not None:
            hints = [hint, *(h for h in seen_along(lab.base) if h.kind != hint.kind)]
            return [*_leak_behind(lab, hint), *hints]
    if hints := seen_along(lab.base) or _where_it_fails(lab, ""):
        return hints
    return counted(lab.run({"counts": True}, len(lab.base.failed)))


def _leak_behind(lab: "_Lab", hint: Hint) -> list[Hint]:
    """What held made the test pass may only have kept it from a path on which something is never given back."""
    if hint.kind == "resource leak":
        return []
    race = hint.kind == "concurrency"  # two that run into each other may well leave two of what should be one
    if not race and lab.base.only_asserted() and (behind := left_for_good(lab.base, files=hint.kind == "async wait")):
        return behind
    if not race and (refused := refused_what_is_held(lab.base)):
        return refused
    return _where_it_fails(lab, hint.kind)


def _where_it_fails(lab: "_Lab", way: str) -> list[Hint]:
    lines = failing_lines(lab.base)
    for plan in ({"held": lines}, {"held": lines, "counts": True}) if lines else ():
        runs = Runs()
        for _ in range(0, MOST, BATCH):
            lab.run(plan, BATCH, runs)
            least = min(runs.failures, runs.passes)
            if least >= LEAST or (not least and len(runs.failed) >= LATE):
                break
        if behind := held_where_it_fails(runs, way):
            return behind
    return []


class _Lab:
    """One test, and what it does when left alone."""

    def __init__(
        self, session: Session, place: int, limits: Limits, seeded: list[str], isolate: bool, seed: int
    ) -> None:
        self.session, self.place, self.limits = session, place, limits
        self.seeded, self.isolate, self.seed = seeded, isolate, seed
        self.base = Runs()
        self._count = 0

    def _orders(self, plan: dict[str, Any], n: int, name: str | None) -> Iterator[Order]:
        for _ in range(n):
            self._count += 1
            kind, index = ("chance", self._count) if name is None else (name, 0)
            yield Order(f"{kind}/{self.seed}", index, (self.place,), watch=plan)

    def run(self, plan: dict[str, Any], n: int, into: Runs | None = None, name: str | None = None) -> Runs:
        """`n` runs; those with the same `name` draw the same from generators that the suite did not seed."""
        runs = into if into is not None else Runs()
        orders = self._orders(plan, n, name)
        for done in self.session.run(orders, self.limits, seeded=self.seeded, isolate=self.isolate):
            if done.outcomes in FAILING or done.outcomes in PASSING:
                runs.failed.append(done.outcomes in FAILING)
                runs.seen.append(done.seen or NOTHING_SEEN)
        return runs

    def measure(self) -> bool:
        """Run the test as it is until both outcomes are there often enough; whether they are there at all."""
        for _ in range(0, MOST, BATCH):
            self.run({}, BATCH, self.base)
            least = min(self.base.failures, self.base.passes)
            if least >= LEAST or (not least and len(self.base.failed) >= GIVE_UP):
                break
        return min(self.base.failures, self.base.passes) > 0

    def saw(self, *kinds: str) -> bool:
        return any(kind in seen["sites"] for seen in self.base.seen for kind in kinds)

    # -- experiments -----------------------------------------------------------------------------------------------

    def constant(self, plan: dict[str, Any], failing: bool = False) -> float | None:
        """The exact p (Fisher) of so constant an outcome under the plan; None if it is not, or not rare enough."""
        total, others = len(self.base.failed), self.base.passes if failing else self.base.failures
        most = int(REPAIRS * total) + BATCH
        rare = ((n, comb(total, others) / comb(total + n, others)) for n in range(1, most + 1))
        needed, p = next(((n, p) for n, p in rare if p < ALPHA), (0, 1.0))
        runs = Runs()
        while len(runs.failed) < needed:
            self.run(plan, min(BATCH if runs.failed else FIRST, needed - len(runs.failed)), runs)
            if (runs.passes if failing else runs.failures) or not runs.failed:
                return None
        return p if needed else None

    def repaired(self, plan: dict[str, Any]) -> float | None:
        return self.constant(plan)

    def replayed(
        self, plans: Callable[[int], tuple[dict[str, Any], str | None]]
    ) -> tuple[float, dict[str, Any]] | None:
        """Look for a value of the plan with which the test fails and one with which it passes, then repeat both.

        The p of both constant, and the failing plan, or None. The values are not chosen by anything but one run each.
        """
        share = (self.base.failures + 0.5) / (len(self.base.failed) + 1)
        times = int(np.ceil(np.log(ALPHA_TWO_WAYS / 2) / np.log(share * (1 - share))))
        found: dict[bool, dict[str, Any]] = {}
        tried: Counter[bool] = Counter()
        for value in range(SCAN):
            plan, name = plans(value)
            runs = self.run(plan, 1, name=name)
            outcome = bool(runs.failures)
            if not runs.failed or outcome in found or tried[outcome] >= CANDIDATES:
                continue
            tried[outcome] += 1
            again = self.run(plan, FIRST, name=name)
            if again.failed == [outcome] * FIRST:
                self.run(plan, times - FIRST, again, name)
            if again.failed == [outcome] * times:
                found[outcome] = plan | {"name": name}
            if len(found) == 2:
                p = (share * (1 - share)) ** times * tried[True] * tried[False]
                return (p, found[True]) if p < 4 * ALPHA_TWO_WAYS else None
            if tried[outcome] == CANDIDATES and outcome not in found:
                return None
        return None


NOTHING_SEEN: dict[str, Any] = {
    "sites": {}, "troubles": [], "failure": None, "left": {}, "drawn": [],
    "unjoined": 0, "followed": [], "started": 0, "counts": {}, "held": {},
}  # fmt: skip


WRITING = "a file that another is writing"
MAYBE = 0.05
LOST = ("Empty", "no slot is free")


def _always_passes(says: str) -> str:
    return f"it always passes when {says}"


def _limits(lab: _Lab) -> Hint | None:
    if lab.base.goes_with("leak") > MAYBE:
        return None
    p = lab.repaired({"limits": True})
    name, where = lab.base.trouble("leak")
    fix = "slots" if name in LOST else "limits"
    words = "what was taken and never given back is there again", "it may open as many files as the system allows"
    says = _always_passes(words[fix == "limits"])
    return Hint("resource leak", True, p, says, where or failing_line(lab.base), FIXES[fix]) if p else None


NETWORK = (
    ("connect", ("ECONNREFUSED",), "refused connections are tried again"),
    ("port", ("EADDRINUSE",), "a port that is taken is replaced by a free one"),
    ("patience", ("TimeoutError", "timeout", "ETIMEDOUT"), "time-outs of connections are ten times as long"),
    ("receive", (), "what is on its way arrives before it is read"),
)


def _network(lab: _Lab) -> Hint | None:
    if not lab.saw("network"):
        return None
    for name, troubles, says in NETWORK:
        if troubles and not any(any(lab.base.troubled("network", trouble)) for trouble in troubles):
            continue
        if p := lab.repaired({name: True}):
            where = lab.base.trouble("network")[1] or lab.base.first("network")
            return Hint("network", True, p, _always_passes(says), where, FIXES[name])
    return None


FILES = (
    ("listing", ("listing",), "name", "folders are listed by name"),
    ("listing", ("listing",), "name backward", "folders are listed by name, backward"),
    ("listing", ("listing",), "creation", "folders are listed in the order in which files were made"),
    ("listing", ("listing",), "creation backward", "folders are listed from the file made last to the first"),
    ("stamp", ("write",), True, "each file written has a time stamp of its own"),
    ("flush", ("write", "pipe"), True, "nothing is held in a buffer on its way"),
    ("read", ("pipe",), True, "what is on its way arrives before it is read"),
    ("whole", ("pipe",), True, "a pipe takes all that is written"),
    ("steady", ("read",), True, "files are read when nobody else is writing them"),
)


def _files(lab: _Lab) -> Hint | None:
    for name, needs, value, says in FILES:
        if name == "steady" and not any(lab.base.troubled("file", WRITING)):
            continue
        if lab.saw(*needs) and (p := lab.repaired({name: value})):
            return Hint("I/O", True, p, _always_passes(says), lab.base.first(*needs), FIXES[name])
    return None


CLOCKS = ("clock", "stopwatch", "dates")


def _time(lab: _Lab) -> Hint | None:
    """The clock starts at a time near now, drawn as chance would, and goes on from there."""
    if not lab.saw(*CLOCKS):
        return None
    start, chance = 1_700_000_000 * SECOND, np.random.default_rng(lab.seed)
    times = [int(start + chance.uniform(0, 100) * SECOND) for _ in range(SCAN)]
    found = lab.replayed(lambda value: ({"clock": ["start", times[value]]}, None))
    if found is None:
        return None
    p, plan = found
    where = lab.run({"clock": plan["clock"]}, 1).first("clock", "stopwatch")
    moment = np.datetime64(plan["clock"][1] // 1000, "us")
    says = f"it always fails when the clock starts at {moment} UTC, and always passes at another time"
    return Hint("time", True, p, says, where, FIXES["clock"])


def _waits(lab: _Lab, kind: str = "wait") -> Hint | None:
    for site, _ in lab.base.sites(kind).most_common(WAITS):
        if p := lab.repaired({"wait": site}):
            says = _always_passes("the wait here is ten times as long")
            if lab.base.goes_with("network") < ALPHA:
                where = lab.base.trouble("network")[1] or site
                return Hint("network", True, p, says, where, FIXES["network"])
            return _in_turn(lab, site) or Hint("async wait", True, p, says, site, FIXES["wait"])
    return None


def _in_turn(lab: _Lab, site: str) -> Hint | None:
    """A wait after which more is started, and all of it waited for: it was to keep one from running into the other."""
    if not all(site in seen["followed"] and not seen["unjoined"] for seen in lab.base.seen):
        return None
    hint = _threads(lab)
    return hint if hint is not None and hint.kind == "concurrency" else None


def _waits_aside(lab: _Lab) -> Hint | None:
    """In another thread, and after serial threads: a pause between the two halves of a race is no wait for anything."""
    return _waits(lab, "wait aside")


ORDERS = (
    ({"serial": True}, "threads, processes and tasks run one after the other"),
    ({"switch": 100.0}, "threads take turns only where they wait"),
    ({"serial": "backward"}, "threads and tasks run one after the other, the last one first"),
)


def _threads(lab: _Lab) -> Hint | None:
    if not lab.saw("thread", "process", "task"):
        return None
    where = lab.base.first("thread", "process", "task")
    several = max(seen["started"] for seen in lab.base.seen) > 1
    for plan, says in ORDERS if several else ORDERS[:2]:
        if p := lab.repaired(plan):
            if any(seen["unjoined"] for seen in lab.base.seen):
                says = _always_passes("what is started has ended before the test goes on")
                return Hint("async wait", True, p, says, where, FIXES["unjoined"])
            return Hint("concurrency", True, p, _always_passes(says), where, FIXES["serial"])
    return None


def _randomness(lab: _Lab) -> Hint | None:
    drawn = lab.saw("draw") or any(seen["drawn"] for seen in lab.base.seen)
    if not drawn and not lab.saw("name"):
        return None

    def plan(value: int) -> tuple[dict[str, Any], str]:
        return {"random": f"{lab.seed}/{value}"}, f"pinned-{value}"

    found = lab.replayed(plan)
    if found is None:
        return None
    p, failing = found
    if not drawn:
        says = "it always fails with one name of a temporary file and always passes with another"
        return Hint("I/O", True, p, says, lab.base.first("name"), FIXES["name"])
    where = lab.run({"random": failing["random"], "trace": True}, 1, name=failing["name"]).first("draw")
    says = "with what is drawn at random held, it always fails with one draw and always passes with another"
    return Hint("randomness", True, p, says, where, FIXES["random"])


def _garbage(lab: _Lab) -> Hint | None:
    for value, says in (("eager", "garbage is collected at once"), ("never", "garbage is never collected")):
        if p := lab.repaired({"garbage": value}):
            return Hint("resource leak", True, p, _always_passes(says), failing_line(lab.base), FIXES["garbage"])
    return None


def _still_clock(lab: _Lab) -> Hint | None:
    """Not both ways, so weaker: a loop that waits until a deadline also passes when the clock stands still."""
    if not lab.saw(*CLOCKS):
        return None
    for mode, says in (("frozen", "the clock stands still"), ("step", "each reading of the clock is 1 ms later")):
        if p := lab.repaired({"clock": [mode, 1_700_000_000 * SECOND]}):
            where = lab.base.first("clock", "stopwatch")
            polls = lab.saw("thread", "process") and max(lab.base.sites("stopwatch").values(), default=0) > 0
            kind, fix = ("async wait", "wait") if polls and lab.saw("wait") else ("time", "clock")
            return Hint(kind, True, p, _always_passes(says), where, FIXES[fix])
    return None


EXPERIMENTS: tuple[Callable[[_Lab], Hint | None], ...] = (
    _limits, _network, _files, _time, _waits, _threads, _waits_aside, _randomness, _garbage, _still_clock,
)  # fmt: skip


# -- how often it is right -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """A made test: the kind of cause that was planted, and what was said of it."""

    suite: str
    test: str
    kind: str
    hints: list[Hint]
    nodeid: str


def score(
    folder: Path,
    *,
    seed: int = 0,
    suites: Sequence[str] = (),
    tests: Sequence[str] = (),
    done: Container[tuple[str, str]] = (),
) -> Iterator[Scored]:
    """The made tests of the suites in `folder`, or of some of them, each as soon as it is explained.

    `folder/truth.json` holds, by suite, the kind by test or one kind for "*". done: (suite, node id) of those left out.
    """
    truth = json.loads((folder / "truth.json").read_text())
    for suite in suites or truth:
        with Session(find_suite([folder / suite]), 0, seed=seed) as session:
            found = session.collected()
            for place, nodeid in enumerate(found.ids):
                test = nodeid.partition("::")[2].partition("[")[0]
                if (tests and test not in tests) or (suite, nodeid) in done:
                    continue
                limits, isolate = Limits(10.0, {}, 60.0), found.isolation != "none"
                hints = explain_chance(session, place, limits=limits, isolate=isolate, seed=seed)
                yield Scored(suite, test, truth[suite].get(test) or truth[suite]["*"], hints, nodeid)
