"""What a hunt found: a class a test with its reason, failure rates with intervals, and how sure that is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from parataxis.audit.statistics import benjamini_hochberg, clopper_pearson, zero_failure_bound
from parataxis.files import write_atomic
from parataxis.methods.flaky_tests.classes import SHUFFLED, Kind, classify
from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis
from parataxis.methods.flaky_tests.journal import Entry, Head, read_journal
from parataxis.methods.flaky_tests.order_tests import same_against_shuffled
from parataxis.methods.flaky_tests.outcomes import ERROR, FAIL, FAILING, PASS, PASSING, Run, outcome_bits
from parataxis.methods.flaky_tests.repeats import ALONE, FILE, needs_others, passes_apart
from parataxis.methods.flaky_tests.session import PUT_BACK, hash_seed_of

if TYPE_CHECKING:
    import pandas as pd

FORM = 1
ALPHA = 0.05
WAYS = (("same",), SHUFFLED)
FLAKY = (Kind.OD, Kind.NOD, Kind.INFRA)


@dataclass(frozen=True)
class Rate:
    """Failures in so many runs, with the 95% interval of Clopper and Pearson."""

    failures: int
    runs: int
    low: float
    high: float

    def __str__(self) -> str:
        span = f" [{100 * self.low:.0f}, {100 * self.high:.0f}]%" if self.runs else ""
        return f"{self.failures}/{self.runs}{span}"


@dataclass(frozen=True)
class Finding:
    """One test.

    same, shuffled: of the runs in file order, and in others; environments: of these, those in which a run failed;
    cause: what is known of the mechanism, or ""; sure: what speaks for the class; p: the probability that chance alone
    would show this, where the class is a matter of probability; q: over all tests that have a p, by Benjamini and
    Hochberg; message: of its first failure; shown_in: the first order in which it came out otherwise than in file
    order; rate_below: a rate of failure excluded with 95%, for a test that passed every run; by_environment: whether
    the environment or its hash seed decides, so that all runs in one count as one.
    """

    nodeid: str
    kind: Kind
    same: Rate
    shuffled: Rate
    environments: Rate
    cause: str = ""
    sure: str = ""
    p: float | None = None
    message: str = ""
    shown_in: str = ""
    rate_below: float | None = None
    by_environment: bool = False
    q: float | None = None

    @property
    def by_chance(self) -> str:
        return "" if self.p is None else f"p = {self.p:.2g}, q = {self.q:.2g}"

    def to_row(self) -> dict[str, Any]:
        row = {"nodeid": self.nodeid, "class": self.kind.value, **asdict(self)}
        del row["kind"]
        for of in ("same", "shuffled", "environments"):
            row |= {f"{of}_{name}": value for name, value in row.pop(of).items()}
        return row


class Report:
    """The result of a hunt, finished or not. Printing it gives a table by class and a paragraph a flaky test."""

    def __init__(
        self, head: Head, entries: Sequence[Entry], diagnoses: Mapping[str, Diagnosis] = MappingProxyType({})
    ) -> None:
        self.head, self.entries, self.diagnoses = head, list(entries), dict(diagnoses)
        self.runs = [entry.run for entry in self.entries]

    @classmethod
    def read(cls, folder: Path | str) -> "Report":
        """The report of the hunt recorded in a folder. Raises BadInput."""
        from parataxis.methods.flaky_tests.explaining import read_diagnoses

        folder = Path(folder)
        return cls(*read_journal(folder), read_diagnoses(folder))

    # -- findings --------------------------------------------------------------------------------------------------

    @cached_property
    def findings(self) -> list[Finding]:
        """Every test, in file order."""
        n = len(self.head.ids)
        kinds = classify(self.runs, n, "paper" if self.head.protocol == "paper" else "default")
        counted = [run for run in self.runs if run.kind in ("same", *SHUFFLED)]
        rates = [_rates([outcome_bits(run.outcomes) for run in counted if run.kind in of], n) for of in WAYS]
        rates.append(_rates(list(_by_iteration(counted).values()), n))
        return _with_q([self._finding(test, kinds[test], *of) for test, of in enumerate(zip(*rates, strict=True))])

    def _finding(self, test: int, kind: Kind, same: Rate, shuffled: Rate, environments: Rate) -> Finding:
        named = self.head.ids[test]
        needing = kind is Kind.NOT_FLAKY and needs_others(self.runs, test)
        failed = [
            entry
            for entry in self.entries
            if entry.run.outcomes[test] in FAILING and (needing or entry.run.kind != FILE)
        ]
        if not failed:
            runs = same.runs + shuffled.runs
            below = float(zero_failure_bound(runs, ALPHA)) if runs else None
            return Finding(named, kind, same, shuffled, environments, rate_below=below)
        cause = _ending({entry.run.outcomes[test] for entry in failed})
        p, shown_in, by_environment = None, "", kind is Kind.INFRA
        if kind is Kind.NOD:
            sure = self._both_ways(test)
        elif kind is Kind.OD:
            sure, p, shown_in = self._by_order(test, same)
        elif kind is Kind.INFRA:
            sure, seeds = self._by_environment(test)
            if seeds:
                kind, cause = Kind.NOD, f"its outcome follows the hash seed: {seeds}"
        elif needing:
            kind = Kind.OD
            sure = f"passes in all {same.runs + shuffled.runs} runs of the suite, fails when only its file is collected"
            cause = "what other modules do when they are imported, or a test of another file that always comes before"
        elif apart := passes_apart(self.runs, test):
            kind, how = Kind.OD, "alone in a new interpreter" if apart == ALONE else "when only its file is collected"
            sure = f"fails in all {same.failures + shuffled.failures} runs of the suite, passes {how}"
            cause = "what other modules do when they are imported, or a test that always comes before"
        elif (runs := same.runs + shuffled.runs) and not same.failures + shuffled.failures:
            kind, by_environment = Kind.INFRA, True
            sure = (
                f"passes in all {runs} runs of the suite, fails in another environment with the hash seed of an old one"
            )
        else:
            sure = "it fails in every run" if runs else ""
        message = next((entry.messages[test] for entry in failed if test in entry.messages), "")
        rates = (same, shuffled, environments)
        return Finding(named, kind, *rates, cause, sure, p, message, shown_in, by_environment=by_environment)

    def _both_ways(self, test: int) -> str:
        """The order, run more than once in one environment, that shows both outcomes."""
        seen: dict[tuple[int, str], list[str]] = {}
        for run in self.runs:
            if run.kind in ("same", "replay", *SHUFFLED) and run.outcomes[test] in PASSING + FAILING:
                name = "same" if run.kind == "same" else run.of or run.name
                seen.setdefault((run.iteration, name), []).append(run.outcomes[test])
        for (_, name), outcomes in seen.items():
            if set(outcomes) & set(PASSING) and set(outcomes) & set(FAILING):
                fails = sum(outcome in FAILING for outcome in outcomes)
                order = "file order" if name == "same" else f"the one order {name}"
                return f"{fails} of {len(outcomes)} runs of {order} fail in one environment"
        return ""

    def _by_order(self, test: int, same: Rate) -> tuple[str, float | None, str]:
        """Replays of an order that shows the other outcome, against file order."""
        usually_fails = same.failures > 0
        ways = PASSING if usually_fails else FAILING
        shown = [run for run in self.runs if run.kind in SHUFFLED and run.outcomes[test] in ways]
        if not shown:
            return "", None, ""
        again = [
            run.outcomes[test]
            for run in self.runs
            if run.kind == "replay" and run.outcomes[test] in PASSING + FAILING and self._shows(run, test, ways)
        ]
        fails = sum(outcome in FAILING for outcome in again)
        usual = same.failures if usually_fails else same.runs - same.failures
        verbs = ("passes", "fails") if usually_fails else ("fails", "passes")
        in_file_order = f"{verbs[1]} in {usual} of {same.runs} runs in file order"
        if not again:
            return f"{verbs[0]} in {len(shown)} other orders, {in_file_order}", None, shown[0].name
        p = float(same_against_shuffled(np.array([[same.failures, fails]]), np.array([[same.runs, len(again)]]))[0])
        other = len(again) - fails if usually_fails else fails
        return f"{verbs[0]} in {other} of {len(again)} repetitions of such an order, {in_file_order}", p, shown[0].name

    def _shows(self, replay: Run, test: int, ways: str) -> bool:
        """Whether the order that a replay repeats came out that way for the test."""
        return any(
            run.name == replay.of and run.iteration == replay.iteration and run.outcomes[test] in ways
            for run in self.runs
        )

    def _by_environment(self, test: int) -> tuple[str, str]:
        """How sure it is, and a hash seed with which it fails and one with which it passes, if its outcome follows
        them into new environments; else it is the environment's."""
        ran = [run for run in self.runs if run.kind != "hash" and run.outcomes[test] in PASSING + FAILING]
        same = [run for run in ran if run.kind == "same"]
        last = {run.iteration: run.outcomes[test] in FAILING for run in same or ran}
        fails = sum(last.values())
        sure = f"fails in {fails} of {len(last)} environments, always there and never in the others"
        trials = [
            (run.outcomes[test] in FAILING, run.index)
            for run in self.runs
            if run.kind == "hash" and run.outcomes[test] in PASSING + FAILING
        ]
        told = {fails: f"PYTHONHASHSEED={hash_seed_of(self.head.seed, iteration)}" for fails, iteration in trials}
        if len(told) < 2 or any(last.get(iteration) is not fails for fails, iteration in trials):
            return sure, ""
        sure = f"the same in all {len(trials)} new environments that were given the hash seed of an old one"
        return sure, f"fails with {told[True]}, passes with {told[False]}"

    # -- summaries -------------------------------------------------------------------------------------------------

    @property
    def flaky(self) -> list[Finding]:
        return [each for kind in FLAKY for each in self.findings if each.kind is kind]

    @property
    def repeating(self) -> list[Diagnosis]:
        """Of tests that passed every run: those that fail when they are run again in the same process."""
        steady = {each.nodeid for each in self.findings if each.kind is Kind.NOT_FLAKY}
        return [each for each in self.diagnoses.values() if each.kind is Dependence.REPEAT and each.nodeid in steady]

    @property
    def failing(self) -> list[str]:
        """Tests that fail in every run, and are not flaky."""
        steady = [each for each in self.findings if each.kind is Kind.NOT_FLAKY]
        return [each.nodeid for each in steady if each.same.failures + each.shuffled.failures]

    @property
    def untried(self) -> int:
        """How many of these were not run alone, where some pass."""
        tried = {test for run in self.runs if run.kind == ALONE for test in run.order}
        return len(set(self.failing) - {self.head.ids[test] for test in tried})

    @property
    def exit_status(self) -> int:
        return 1 if self.flaky else 0

    @property
    def orders(self) -> int:
        return len(self.runs)

    @property
    def seconds(self) -> float:
        """That the orders took, one after another; collection comes on top."""
        return sum(run.seconds for run in self.runs)

    @property
    def put_back(self) -> Path:
        """The folder that holds what was put back, as it had become."""
        return Path(self.head.root) / PUT_BACK

    @property
    def changed(self) -> int:
        """How many of the files in it were there before the orders, with other contents."""
        if self.head.isolation != "snapshot":
            return 0
        return sum(not path.is_dir() or path.is_symlink() for path in (self.put_back / "changed").rglob("*"))

    def counts(self) -> dict[str, int]:
        """How many tests are of each class; those that are not flaky also by what they did."""
        found = {kind.value: sum(each.kind is kind for each in self.findings) for kind in Kind}
        steady = [each for each in self.findings if each.kind is Kind.NOT_FLAKY]
        found["passes every run"] = sum(each.rate_below is not None for each in steady)
        found["non-idempotent"] = len(self.repeating)
        found["fails every run"] = len(self.failing)
        found["never ran"] = len(steady) - found["passes every run"] - found["fails every run"]
        return found

    @property
    def tests(self) -> "pd.DataFrame":
        """A row a test."""
        import pandas as pd

        return pd.DataFrame([each.to_row() for each in self.findings])

    def explain(self, nodeid: str) -> Finding:
        """What the runs say of one test; who did it is in `diagnoses`. Raises BadInput if the hunt did not have it."""
        from parataxis.errors import BadInput

        for each in self.findings:
            if each.nodeid == nodeid:
                return each
        raise BadInput(f"NODEID={nodeid!r}: is not among the {len(self.head.ids)} tests of the hunt")

    # -- forms -----------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from parataxis.methods.flaky_tests.text import text

        return text(self)

    def to_json(self) -> dict[str, Any]:
        """All of it but the single runs, which are in the record."""
        head = {name: value for name, value in asdict(self.head).items() if name not in ("ids", "seeded", "form")}
        return {
            "form": FORM,
            **head,
            "orders": self.orders,
            "seconds": round(self.seconds, 3),
            "changed": self.changed,
            "counts": self.counts(),
            "tests": [each.to_row() for each in self.findings],
            "diagnoses": [each.to_row() for each in self.diagnoses.values()],
        }

    def to_junit(self) -> str:
        """JUnit XML: a flaky test is a failure, one that never ran or always fails is skipped."""
        from parataxis.methods.flaky_tests.junit import junit

        return junit(self)

    def to_html(self) -> str:
        """One page that needs nothing beside it."""
        from parataxis.methods.flaky_tests.html import html

        return html(self)

    def to_flapy_csv(self, folder: Path | str) -> list[Path]:
        """FlaPy's two tables, passed_failed.csv and tests_overview.csv."""
        from parataxis.methods.flaky_tests import flapy

        folder = Path(folder)
        rows = flapy.passed_failed(self.runs, self.head.ids, name=Path(self.head.root).name)
        return [
            flapy.write_passed_failed(rows, folder / "passed_failed.csv"),
            flapy.write_tests_overview(rows, folder / "tests_overview.csv"),
        ]

    def write(self, folder: Path) -> list[Path]:
        """report.json, report.html, report.md and junit.xml."""
        from parataxis.methods.flaky_tests.markdown import markdown

        return [
            write_atomic(folder / "report.json", json.dumps(self.to_json(), indent=1) + "\n"),
            write_atomic(folder / "report.html", self.to_html()),
            write_atomic(folder / "report.md", markdown(self)),
            write_atomic(folder / "junit.xml", self.to_junit()),
        ]


def _by_iteration(runs: Sequence[Run]) -> dict[int, UInt8[np.ndarray, " test"]]:
    """What the tests showed in each environment: the union of its runs."""
    shown: dict[int, UInt8[np.ndarray, " test"]] = {}
    for run in runs:
        shown[run.iteration] = shown.get(run.iteration, 0) | outcome_bits(run.outcomes)
    return shown


def _rates(sets: Sequence[UInt8[np.ndarray, " test"]], n: int) -> list[Rate]:
    """Of each of n tests, how many of the sets of outcomes hold a failure, among those that hold a pass or one."""
    table = np.array(sets, dtype=np.uint8).reshape(-1, n)
    failures = np.count_nonzero(table & (FAIL | ERROR), axis=0)
    runs = np.count_nonzero(table & (PASS | FAIL | ERROR), axis=0)
    low, high = clopper_pearson(failures, np.maximum(runs, 1), ALPHA)
    columns = zip(failures.tolist(), runs.tolist(), low.tolist(), high.tolist(), strict=True)
    return [Rate(*column) for column in columns]


def _with_q(findings: Sequence[Finding]) -> list[Finding]:
    """Each p with its q over all that there are."""
    q = iter(benjamini_hochberg(np.array([each.p for each in findings if each.p is not None], dtype=float)).tolist())
    return [each if each.p is None else replace(each, q=next(q)) for each in findings]


def _ending(outcomes: set[str]) -> str:
    """What a test does that never fails in an orderly way."""
    if outcomes <= {"C"}:
        return "it ends the process"
    return "it hangs" if outcomes <= {"T"} else ""
