"""Who did it: from an order-dependent test to its culprits, what they left behind, and a command that proves it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from parataxis.audit.minimise import minimise
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.diagnosis import Chain, Change, Dependence, Diagnosis
from parataxis.methods.flaky_tests.fixes import some
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING, Run
from parataxis.methods.flaky_tests.repeats import APART
from parataxis.methods.flaky_tests.session import Done, Order

REPLAYS = 3  # of a test alone, of a pair that shows something, of an order to be minimised and of its minimum
PAIRS = 20_000  # probes to try tests after every other; more victims than that allows share what was found for those
CHAINS = 5  # culprits of one test that are looked into: cleaners, changes
PROOFS = 50  # and that are run in a fresh interpreter
BUDGET = 2_000  # orders, to minimise one
CHANGES = 8  # that a culprit left, in a report
FILES = 20  # of a suite, that are imported one by one to see which of them do the same
HELPED = "other modules, once imported, take part"
REFUTED = (
    "with the whole suite collected it does so as well: it may be innocent, and something outlives the forks, as a "
    "file in another place or a server does"
)
BROKEN = "pytest itself ended"  # how the worker's message begins after a runner-breaker


def diagnose(
    lab: Lab,
    tests: Sequence[int],
    runs: Sequence[Run],
    tell: Callable[[str], None] = lambda text: None,
    known: Sequence[Diagnosis] = (),
) -> Iterator[Diagnosis]:
    """One diagnosis for each of `tests` (places in the hunt's list), each as soon as it is there.

    runs: of the hunt; an order among them is taken where no single test explains it. Where there are none, file order
    and its reverse are walked, and the test forked at each step. known: of other tests of the suite, whose culprits
    these may share.
    """
    if not tests:
        return
    everyone = range(len(lab.head.ids))
    tell("alone, and once more")
    alone = ["".join(ends) for ends in zip(*lab.after([()] * REPLAYS, tests), strict=True)]
    again = lab.last([(test, test) for test in tests])
    cold = lab.last([(test,) for test in tests], fresh=True)
    tried = sum(each.searched == len(everyone) for each in known)
    whole = max(0, max(1, PAIRS // len(everyone)) - tried)  # tests that are tried after every other
    lab.tell = partial(_tell_of, tell, "after every other test")
    pairs = _after_each(lab, everyone, tests[:whole], alone)
    places = {nodeid: place for place, nodeid in enumerate(lab.head.ids)}
    chains = [chain for each in known for chain in each.chains]
    culprits = {places[chain.tests[0]] for chain in chains if len(chain.tests) == 1}
    undoers = {places[undoer] for chain in chains for undoer in chain.undone_by}
    for column, test in enumerate(tests):
        lab.tell = partial(_tell_of, tell, f"test {column + 1} of {len(tests)}, {lab.head.ids[test]}")
        case = Case(lab, test, alone[column], cold[column], again[column], runs)
        if column < whole:
            after = dict(enumerate(ends[column] for ends in pairs))
        else:  # too many to try all pairs: most share their culprits with one of the first
            ends = _after_each(lab, sorted(culprits), [test], [alone[column]])
            after = {other: each for other, (each,) in zip(sorted(culprits), ends, strict=True)}
            case.others = sorted(undoers)
        found = case.diagnosis(after)
        culprits |= case.culprits
        undoers |= case.undoers
        yield found


def _after_each(lab: Lab, others: Sequence[int], tests: Sequence[int], alone: Sequence[str]) -> list[list[str]]:
    """A line for each of the others: how each test ends right after it, several times where once was otherwise."""
    if not tests:
        return []
    found = [list(ends) for ends in _once(lab, others, tests)]
    told = [
        row
        for row, ends in enumerate(found)
        if any(differs(end, one) for end, one in zip(ends, alone[: len(tests)], strict=True))
    ]
    repeated = _once(lab, [others[row] for row in told for _ in range(REPLAYS - 1)], tests)
    for place, ends in enumerate(repeated):
        row = found[told[place // (REPLAYS - 1)]]
        row[:] = [sofar + end for sofar, end in zip(row, ends, strict=True)]
    return found


def _once(lab: Lab, others: Sequence[int], tests: Sequence[int]) -> list[str]:
    """As `lab.after` with each of the others; for one test without a probe, in half the forks."""
    if len(tests) == 1:
        return lab.last([(other, tests[0]) for other in others])
    return lab.after([(other,) for other in others], tests)


def differs(end: str, alone: str) -> bool:
    """Whether a test ended otherwise than alone, in the sense of pass or fail."""
    return end in PASSING if alone[0] in FAILING else end in FAILING


def _is_mixed(ends: Iterable[str]) -> bool:
    return bool({*ends} & {*PASSING} and {*ends} & {*FAILING})


def _tell_of(tell: Callable[[str], None], what: str, done: int, of: int) -> None:
    tell(f"{what}: {done} of {of}")


def bisect(lab: Lab, test: int, order: Sequence[int], tell: Callable[[str], None] = lambda text: None) -> Diagnosis:
    """The fewest tests of `order`, in their order, after which `test` ends otherwise than alone. Raises BadInput."""
    if test not in order:
        raise BadInput(f"NODEID={lab.head.ids[test]!r}: is not in the failing order; add it where it fails")
    prefix = tuple(order[: list(order).index(test)])
    (alone,), (cold,) = lab.last([(test,)]), lab.last([(test,)], fresh=True)
    lab.tell = lambda done, of: tell(f"{len(prefix)} tests before it, {lab.forks} orders so far")
    case = Case(lab, test, alone, cold, "", [])
    several = case.fewest([prefix])
    if not several:
        ends = "".join(lab.last([(*prefix, test)] * REPLAYS))
        before = "this test" if len(prefix) == 1 else f"these {len(prefix)} tests"
        case.notes.append(f"after {before} it ends {ends} in {REPLAYS} runs, alone {alone}")
        return case.said(Dependence.UNKNOWN)
    return case.said(case.kind, chains=(case.chain(several),))


class Case:
    """One test, and what is known of it so far. Outcomes are compared as passed or failed.

    alone: how it ends alone, once or several times; cold: in an interpreter that collects only it; again: run twice.
    """

    def __init__(self, lab: Lab, test: int, alone: str, cold: str, again: str, runs: Sequence[Run]) -> None:
        self.lab, self.test, self.alone, self.cold, self.again, self.runs = lab, test, alone, cold, again, runs
        self.forks = lab.forks
        self.notes: list[str] = []
        self.others: Sequence[int] = range(len(lab.head.ids))  # that may undo what a culprit does
        self.culprits, self.undoers = set[int](), set[int]()
        self.refuted: list[Chain] = []
        self.helped: list[Chain] = []  # that a fresh interpreter shows only with the whole suite collected
        self.fails_alone = alone[0] in FAILING
        self.kind = Dependence.BRITTLE if self.fails_alone else Dependence.VICTIM

    def diagnosis(self, after: dict[int, str]) -> Diagnosis:
        """after: how it ends right after each test of the suite, or after some; of those that tell, several times."""
        if said := self.settled_alone():
            return said
        told = {other: ends for other, ends in after.items() if any(map(self.differs, ends)) and other != self.test}
        self.culprits = {other for other, ends in told.items() if all(map(self.differs, ends))}
        if len(unsteady := sorted(told.keys() - self.culprits)) > len(self.culprits):
            return self.by_chance(f"after {self._some(unsteady)} it passes and fails")
        if unsteady:
            self.notes.append(f"not always, and so not counted: after {self._some(unsteady)} it passes and fails")
        modules = self.modules()
        chains: list[tuple[int, ...]] = [(other,) for other in sorted(self.culprits)]
        if len(after) < len(self.lab.head.ids):
            self.notes.append(
                f"culprits were sought among {len(after)}, what undoes them among {len(self.others)} that matter to "
                "other tests; `tests polluters` tries all"
            )
        if not chains and (several := self._several()):
            chains = [several]
            self.culprits = {several[0]} if len(several) == 1 else set()
        if modules and self.fails_alone:  # by itself, as a stranger runs it, it passes: no setter is what it lacks
            self._note_undone(chains)
            return self.said(Dependence.IMPORT, modules=modules, searched=len(after))
        self._note_declared(chains)
        found = [self.chain(chain) for chain in chains[:CHAINS]]
        found += self.confirmed(*chains[CHAINS:PROOFS])
        found += [self.unproved(chain) for chain in chains[PROOFS:]]
        if len(found) > CHAINS:
            self.notes.append(f"cleaners and changes were looked for with the first {CHAINS} of {len(found)}")
        if len(found) > PROOFS:
            self.notes.append(f"the first {PROOFS} of {len(found)} were run in a fresh interpreter")
        searched = len(after)
        if found:
            return self.said(self.kind, chains=tuple(found), modules=modules, searched=searched)
        if modules:
            return self.said(Dependence.IMPORT, modules=modules, searched=searched)
        if self.again in FAILING and not self.fails_alone:
            return self.repeats(searched)
        return self.said(self._unexplained(), searched=searched)

    def settled_alone(self) -> Diagnosis | None:
        """Of a test that has no culprit, for alone it neither passes nor fails, or does both."""
        if _is_mixed(self.alone):
            return self.by_chance(f"alone it ends {self.alone} in {len(self.alone)} runs")
        if self.alone[0] == "T":
            seconds = self.lab.limits.of([self.test])
            self.notes.append(f"alone it is ended after {seconds:g} s: --timeout gives it longer")
        if self.alone[0] in PASSING + FAILING:
            return None
        if self.alone[0] == "s":
            self.notes.append("alone it is skipped")
        return self.said(Dependence.UNKNOWN)

    def by_chance(self, note: str) -> Diagnosis:
        """Of a test whose failures follow no other test: whoever came before would be blamed for them."""
        self.notes.append(note)
        return self.said(Dependence.CHANCE)

    def repeats(self, searched: int = 0) -> Diagnosis:
        """What a test that passes once and then fails leaves behind: it is its own polluter."""
        (own,) = self.confirmed((self.test,))
        command = self.lab.suite.command_twice(self._named(self.test))
        own = replace(own, command=command, changes=self._changes((self.test,)))
        return self.said(Dependence.REPEAT, chains=(own,), searched=searched)

    def said(self, kind: Dependence, **more: Any) -> Diagnosis:
        notes = (*self.notes, *self._unconfirmed())
        base = Diagnosis(self._id(self.test), kind, self.alone[0], self.cold, self.again, notes=notes)
        if modules := more.get("modules"):
            more["command"] = self.lab.suite.command(self._named(self.test), *modules)
        return replace(base, forks=self.lab.forks - self.forks, **more)

    def _some(self, tests: Sequence[int]) -> str:
        return some([self._id(test) for test in tests])

    def _id(self, test: int) -> str:
        return self.lab.head.ids[test]

    def _named(self, test: int) -> str:
        """For a command: where the id of its parameters is another in each process, the function, for all of them."""
        nodeid = self._id(test)
        if test not in self.lab.head.unsteady:
            return nodeid
        note = f"the id {nodeid} is another in each process: the command runs its function with all parameters"
        self.notes += [] if note in self.notes else [note]
        return nodeid.partition("[")[0]

    def _command(self, chain: tuple[int, ...]) -> str:
        return self.lab.suite.command(*dict.fromkeys(map(self._named, (*chain, self.test))))

    def differs(self, end: str) -> bool:
        return differs(end, self.alone)

    # -- several culprits that must come together ------------------------------------------------------------------

    def _several(self) -> tuple[int, ...]:
        """The fewest tests, in order, after which it ends otherwise than alone; from an order that showed it."""
        return self.fewest(self._telling() if self.runs else self._walked())

    def fewest(self, prefixes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
        """Of the first of these that shows it each time, the fewest tests that still do."""
        for prefix in prefixes:
            if all(map(self.differs, self.lab.last([(*prefix, self.test)] * REPLAYS))):
                found = minimise(
                    prefix,
                    lambda tests: self.differs(self.lab.last([(*tests, self.test)])[0]),
                    budget=BUDGET,
                    replays=REPLAYS,
                )
                if found.replayed == "noisy":
                    self.notes.append("the fewest tests found do not show it each time")
                if not found.minimal:
                    self.notes.append(f"the search was ended after {found.calls} orders: fewer tests may do")
                return found.items
        return ()

    def _telling(self) -> list[tuple[int, ...]]:
        """What ran before it in orders in which it ended otherwise than alone; the shortest first, three at most."""
        prefixes = {
            run.order[: run.order.index(self.test)]
            for run in self.runs
            if self.differs(run.outcomes[self.test]) and run.kind not in APART
        }
        return sorted(prefixes - {()}, key=lambda prefix: (len(prefix), prefix))[:3]

    def _walked(self) -> Iterator[tuple[int, ...]]:
        """Of file order and of its reverse, what comes before the first place at which it ends otherwise than alone."""
        everyone = range(len(self.lab.head.ids))
        for order in (everyone, everyone[::-1]):
            others = tuple(other for other in order if other != self.test)
            ends = self.lab.walk(others, self.test)
            if place := next((place for place, end in enumerate(ends) if self.differs(end)), 0):
                yield others[:place]

    def _unexplained(self) -> Dependence:
        replays = (run.outcomes[self.test] for run in self.runs if run.kind == "replay")
        return Dependence.CHANCE if _is_mixed(replays) else Dependence.UNKNOWN

    # -- what is known of a chain ----------------------------------------------------------------------------------

    def unproved(self, chain: tuple[int, ...]) -> Chain:
        return Chain(tuple(map(self._id, chain)), self._command(chain))

    def chain(self, chain: tuple[int, ...]) -> Chain:
        """With what undoes it, what it leaves, and whether a fresh interpreter shows it."""
        others = [other for other in self.others if other not in (*chain, self.test)]
        between = self.lab.between(chain, others, self.test)
        undone = [
            other
            for other, end in zip(others, between, strict=True)
            if end in PASSING + FAILING and not self.differs(end)
        ]
        self.undoers.update(undone)
        (confirmed,) = self.confirmed(chain)
        self._note_breaker(chain)
        return replace(
            confirmed,
            undone_by=tuple(map(self._id, undone)),
            tried=len(others) - between.count("-"),
            changes=self._changes(chain),
        )

    def confirmed(self, *chains: tuple[int, ...]) -> list[Chain]:
        """Each chain, and how it ends in a fresh interpreter that collects nothing else."""
        colds = self.lab.last([(*chain, self.test) for chain in chains], fresh=True)
        found = [replace(self.unproved(chain), cold=cold) for chain, cold in zip(chains, colds, strict=True)]
        for chain, each in zip(chains, found, strict=True):
            if not self.differs(each.cold):
                (whole,) = self.lab.run([Order("lab", 0, (*chain, self.test), fresh=True)])
                shown = whole is not None and self.differs(whole.outcomes[-1])
                (self.helped if shown else self.refuted).append(each)
        return found

    def _unconfirmed(self) -> Iterator[str]:
        """A note of the chains that a fresh interpreter does not show."""
        for chains, says in ((self.helped, HELPED), (self.refuted, REFUTED)):
            if chains:
                last = some([chain.tests[-1] for chain in chains])
                yield f"in an interpreter that collects only these tests, it ends as alone after {last}: {says}"

    def _changes(self, chain: tuple[int, ...]) -> tuple[Change, ...]:
        """What the chain left, and which of it, undone by itself, makes the test end as alone."""
        if not self.lab.head.forks:
            return ()
        (done,) = self.lab.run([Order("lab", 0, chain, probes=((self.test,),), look=True)])
        if done is None:
            return ()
        ends = [line[0] for line in done.probed[1:]]
        shown = [end in PASSING + FAILING and not self.differs(end) for end in ends]
        rows = sorted(zip(done.changes, shown, strict=True), key=lambda row: not row[1])[:CHANGES]
        lines = self._lines(done, [row for row, _ in rows])
        return tuple(
            Change.from_row(row, lines.get((row["kind"], row["name"]), row["where"]), shown) for row, shown in rows
        )

    def _lines(self, done: Done, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
        """File and line of what an order has changed, by kind and name, from the same order traced.

        Nothing where it then ends otherwise: a test may be too slow for that, or trace others itself.
        """
        holders = tuple(dict.fromkeys(tuple(holder) for row in rows for holder in row["holders"]))
        if not holders:
            return {}
        (traced,) = self.lab.run([Order("lab", 0, done.order.order, trace=holders)])
        if traced is None or traced.outcomes != done.outcomes:
            return {}
        return {(row["kind"], row["name"]): row["where"] for row in traced.changes}

    def _note_breaker(self, chain: tuple[int, ...]) -> None:
        """A test that takes pytest itself down looks, from outside, as if the next test had crashed."""
        (done,) = self.lab.run([Order("lab", 0, (*chain, self.test))])
        if done is not None and done.messages.get(len(chain), "").startswith(BROKEN):
            self.notes.append(f"{self._id(chain[-1])} is a runner-breaker: {done.messages[len(chain)]}")

    def _note_declared(self, chains: Sequence[tuple[int, ...]]) -> None:
        declared = set(self.lab.head.declared)
        if self.test in declared and any(declared & set(chain) for chain in chains):
            self.notes.append("the suite declares the order of these tests by a marker")

    # -- import time -----------------------------------------------------------------------------------------------

    def modules(self) -> tuple[str, ...]:
        """The fewest other files with whose collection it ends as it does with all; none if it needs none."""
        if not self.differs(self.cold) or self.cold not in PASSING + FAILING:
            return ()
        own = self._id(self.test).partition("::")[0]
        files = list(dict.fromkeys(nodeid.partition("::")[0] for nodeid in self.lab.head.ids))
        others = [file for file in files if file != own]

        def as_with_all(*several: tuple[str, ...]) -> list[bool]:
            collected = [tuple(file for file in files if file == own or file in chosen) for chosen in several]
            done = self.lab.run([Order("lab", 0, (self.test,), fresh=True, collect=each) for each in collected])
            ends = [each.outcomes[-1] if each else "C" for each in done]
            return [end in PASSING + FAILING and not self.differs(end) for end in ends]

        try:
            found = minimise(others, lambda chosen: as_with_all(chosen)[0], budget=BUDGET, replays=1).items
        except BadInput:  # with every file collected it ends as cold: warm, something else makes the difference
            self.notes.append("it ends otherwise in a fork than in a fresh interpreter, whichever files are collected")
            return ()
        if len(found) == 1 and len(others) <= FILES:
            alike = as_with_all(*((file,) for file in others))
            first, *more = [file for file, same in zip(others, alike, strict=True) if same] or found
            found = (first,)
            if more:
                self.notes.append(f"so it does once any of these is imported: {', '.join(more)}")
        return found

    def _note_undone(self, chains: Sequence[tuple[int, ...]]) -> None:
        if chains:
            names = [", then ".join(map(self._id, chain)) for chain in chains]
            self.notes.append(f"what the import did is undone by {some(names, '; ')}")
