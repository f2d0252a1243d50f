"""The International Dataset of Flaky Tests (github.com/TestingResearchIllinois/idoft), and its tests when shuffled.

Read here: `odr-tests.csv` (order-dependent tests with all their polluters, cleaners and state-setters), `py-data.csv`
(flaky Python tests by category) and `tso-iso-rates.csv` (failures per order). Each may be gzip-compressed.
"""

import csv
import gzip
import io
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from parataxis.errors import BadInput


def _rows(path: Path | str, *columns: str) -> list[list[str]]:
    """The named columns of the file, row by row. Raises BadInput if one is missing."""
    data = Path(path).read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    missing = [column for column in columns if column not in header]
    if missing:
        raise BadInput(f"{path}: no column {missing[0]!r}; is it another file, or another version of IDoFT?")
    places = [header.index(column) for column in columns]
    return [[row[place] for place in places] for row in rows]


@dataclass(frozen=True)
class Dependence:
    """An order-dependent test and the tests that decide its outcome.

    kind: `victim`, that a polluter makes fail, or `brittle`, that fails without a state-setter before it;
    causes: each polluter with its cleaners, the tests that undo it; each state-setter with none.
    """

    project: str
    test: str
    kind: str
    causes: dict[str, frozenset[str]]

    def failure_rate(self) -> Fraction:
        """The exact share of all orders of a suite in which the test fails.

        Reading backwards from the test, the start of the suite and the tests that matter come in any order alike. A
        brittle fails if the start is met first. For a victim, a polluter of which no cleaner was met decides for
        failure, the start for a pass, and a cleaner takes its polluters out; what is left is the same question again.
        If all polluters have the same m cleaners, this is k/(k+m+1).
        """
        if self.kind == "brittle":
            return Fraction(1, len(self.causes) + 1)
        polluters = sorted(self.causes)
        cleaned_by: dict[str, frozenset[str]] = {
            cleaner: frozenset(p for p in polluters if cleaner in self.causes[p])
            for cleaner in frozenset().union(*self.causes.values())
        }

        @cache
        def fails(alive: frozenset[str]) -> Fraction:
            cleaners = [c for c, undone in cleaned_by.items() if undone & alive and c not in alive]
            goes_on = sum((fails(alive - cleaned_by[c]) for c in cleaners), Fraction(0))
            return (len(alive) + goes_on) / (len(alive) + len(cleaners) + 1)

        return fails(frozenset(polluters))

    def simulate(self, shuffles: int, rng: np.random.Generator) -> Bool[np.ndarray, " shuffle"]:
        """Whether the test fails in each of so many uniform shuffles, played out test by test."""
        names = sorted({*self.causes, *(c for cleaners in self.causes.values() for c in cleaners)})
        moment = dict(zip(names, rng.random((len(names), shuffles)), strict=True))
        now = rng.random(shuffles)
        if self.kind == "brittle":
            return np.all([moment[setter] > now for setter in self.causes], axis=0)
        fails = np.zeros(shuffles, dtype=bool)
        for polluter, cleaners in self.causes.items():
            polluted = moment[polluter] < now
            for cleaner in cleaners:
                polluted &= ~((moment[polluter] < moment[cleaner]) & (moment[cleaner] < now))
            fails |= polluted
        return fails


def read_dependences(path: Path | str) -> list[Dependence]:
    """`odr-tests.csv`: the order-dependent tests, in the order of the file."""
    columns = (
        *("Project URL", "Module Path", "OD-test", "OD-test-type"),
        *("Relevant-test(if it is VP/BSS)", "Relevant-test(if it is VPC)"),
    )
    causes: dict[tuple[str, str, str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for project, module, test, kind, cause, cleaner in _rows(path, *columns):
        kind = kind.strip()
        if kind not in ("victim", "brittle"):
            raise BadInput(f"{path}: OD-test-type={kind!r}: expected victim or brittle")
        causes[project, module, test, kind][cause] |= {cleaner} - {""}
    return [
        Dependence(project, test, kind, {cause: frozenset(cleaners) for cause, cleaners in found.items()})
        for (project, _, test, kind), found in causes.items()
    ]


@dataclass(frozen=True)
class FlakyTest:
    """A row of `py-data.csv`; category: `OD-Vic`, `OD-Brit`, `OD`, `NOD`, `NIO`, `ID`, `UD`, or empty."""

    project: str
    test: str
    category: str
    commit: str = ""


def read_python_tests(path: Path | str) -> list[FlakyTest]:
    name = "Pytest Test Name (PathToFile::TestClass::TestMethod or PathToFile::TestMethod)"
    return [FlakyTest(*row) for row in _rows(path, "Project URL", name, "Category", "SHA Detected")]


@dataclass(frozen=True)
class OrderRates:
    """`tso-iso-rates.csv`: failures and runs per test and order (0 runs: the test has fewer orders), and the published
    p-value and decision, "less than 0.05", for "the failure rate is the same in every order"."""

    projects: list[str]
    failures: Int[np.ndarray, "test order"]
    runs: Int[np.ndarray, "test order"]
    p: Float[np.ndarray, " test"]
    less: Bool[np.ndarray, " test"]


def read_order_rates(path: Path | str) -> OrderRates:
    columns = (
        *("Project URL", "Number Of Test Failures In Test Suite", "Number Of Test Runs In Test Suite"),
        *("P-Value", "Is P-Value Less Or Greater Than 0.05"),
    )
    projects, failures, runs, p, less = zip(*_rows(path, *columns), strict=True)
    return OrderRates(
        list(projects),
        _padded([_counts(text) for text in failures]),
        _padded([_counts(text) for text in runs]),
        np.array(p, dtype=float),
        np.array([word == "less" for word in less]),
    )


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.strip("()").split(";")]


def _padded(rows: list[list[int]]) -> Int[np.ndarray, "test order"]:
    table = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for row, counts in zip(table, rows, strict=True):
        row[: len(counts)] = counts
    return table
