"""What a paper states, as data: its claims, their rules and symmetries (paper.toml), and what a study measures."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

VERBS = ("measure", "remove", "choose", "model")
OUTCOMES = ("invariant", "equivariant", "may depend")
PACKED = ("", "gz")
SCALES = ("toy", "quick", "full", "paper")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Standing(Enum):
    """What became of a claim or a symmetry; each value is the sentence that says so."""

    HOLDS = "the whole interval obeys the rule"
    FAILS = "the whole interval disobeys the rule"
    UNDECIDED = "the interval crosses the rule, or too little was measured"
    REPORTED = "measured and shown; no rule is applied"


# -- what a study yields -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measurement:
    """One measured claim or symmetry.

    id: of the claim or symmetry. value in [low, high], its interval; low = high where nothing was drawn. n: how many
    independent things were measured (seeds, tests, orders). baseline: what the method is compared with. null: the same
    measure where the claim must fail (paper.toml says how). real: on real data. data: which. seconds: filled in by the
    runner if left at 0. verdict: for a symmetry only, the audit's verdict.
    """

    id: str
    value: float
    low: float
    high: float
    n: int
    unit: str = ""
    baseline: float | None = None
    null: float | None = None
    real: bool = True
    data: str = ""
    seconds: float = 0.0
    note: str = ""
    verdict: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "baseline", "null", "seconds"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"measurement {self.id!r}: {name}={number} must be finite")
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"measurement {self.id!r}: value={self.value} must lie in its interval [{self.low}, {self.high}]"
            )
        if self.n < 1:
            raise ValueError(f"measurement {self.id!r}: n={self.n} must be at least 1")


@dataclass(frozen=True)
class Figure:
    """A picture that belongs to the evidence: the bytes of an SVG or a PNG file."""

    name: str
    image: bytes
    caption: str

    def __post_init__(self) -> None:
        if not (self.is_png or b"<svg" in self.image[:2000]):
            raise ValueError(f"figure {self.name!r}: image={self.image[:20]!r}... must be the bytes of an SVG or PNG")

    @property
    def is_png(self) -> bool:
        return self.image.startswith(b"\x89PNG")


@dataclass(frozen=True)
class Table:
    """A table that belongs to the evidence. Cells are text, numbers or None."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    caption: str

    def __post_init__(self) -> None:
        for place, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name!r}: row {place} has {len(row)} of {len(self.columns)} cells")


@dataclass(frozen=True)
class System:
    """What a symmetry is true of: `run(items in some order)` gives one outcome, or one an item if `per_item`.

    twin: the same system with a planted mistake that makes position matter; the audit must catch it. Owed wherever the
    symmetry is not "may depend". compare: as in `parataxis.audit.audit`; None is equality.
    """

    run: Callable[..., Any]
    items: Sequence[Any]
    twin: Callable[..., Any] | None = None
    per_item: bool = False
    compare: Any = None


# -- what a paper states -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """The numbers that a rule allows: those between two ends, each of which belongs to them or not."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    @classmethod
    @cache
    def parse(cls, text: str) -> "Rule":
        """`>= x`, `> x`, `<= x`, `< x`, `== x` or `in [a, b]`."""
        number = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
        if one := re.fullmatch(rf"\s*(>=|<=|==|>|<)\s*{number}\s*", text):
            sign, bound = one[1], float(one[2])
            low = -math.inf if sign[0] == "<" else bound
            high = math.inf if sign[0] == ">" else bound
            return cls(low, high, sign == ">", sign == "<")
        two = re.fullmatch(rf"\s*in\s*\[\s*{number}\s*,\s*{number}\s*\]\s*", text)
        if two and float(two[1]) <= float(two[2]):
            return cls(float(two[1]), float(two[2]))
        raise ValueError("expected '>= x', '> x', '<= x', '< x', '== x', 'in [a, b]' with a <= b, or '' for no rule")

    def allows(self, value: float) -> bool:
        return not (self._under(value) or self._over(value))

    def judge(self, low: float, high: float) -> Standing:
        """HOLDS if all of [low, high] is allowed, FAILS if none of it is."""
        if self.allows(low) and self.allows(high):
            return Standing.HOLDS
        return Standing.FAILS if self._under(high) or self._over(low) else Standing.UNDECIDED

    def _under(self, value: float) -> bool:
        return value < self.low or (self.open_low and value == self.low)

    def _over(self, value: float) -> bool:
        return value > self.high or (self.open_high and value == self.high)


@dataclass(frozen=True)
class Claim:
    """One claim of a paper, in our words, with the rule that decides it. `expect` "" is only reported.

    figure: the published figure, with its data set. measure, unit: what we measure. null: where the rule must fail.
    silent: what the paper leaves open and what we chose. scale_reason: why our scale is not the paper's, if it is not.
    needs: the data files without a public address that it can't be measured without. least: the smallest scale that
    measures it, of those with real data. A new measure or new data is a new version.
    """

    id: str
    version: int
    says: str
    where: str
    figure: str
    measure: str
    unit: str
    expect: str
    null: str
    silent: str
    scale_reason: str
    min_n: int = 1
    needs: tuple[str, ...] = ()
    least: str = "quick"

    def __post_init__(self) -> None:
        _filled(self, "id", "says", "where", "figure", "measure")
        _one_of(self, "least", SCALES[1:])
        if self.rule and not self.null:
            raise ValueError("null='': a claim with a rule must say where the rule fails (labels shuffled, a baseline)")
        if self.version < 1 or self.min_n < 1:
            raise ValueError(f"version={self.version}, min_n={self.min_n}: both must be at least 1")

    @property
    def rule(self) -> Rule | None:
        try:
            return Rule.parse(self.expect) if self.expect else None
        except ValueError as error:
            raise ValueError(f"expect={self.expect!r}: {error}") from None

    def measured_at(self, scale: str) -> bool:
        """A toy measures all claims, of what it makes itself."""
        return scale == "toy" or SCALES.index(scale) >= SCALES.index(self.least)

    def judge(self, measured: Measurement) -> Standing:
        if self.rule is None:
            return Standing.REPORTED
        return self.rule.judge(measured.low, measured.high) if measured.n >= self.min_n else Standing.UNDECIDED

    def null_fails(self, measured: Measurement) -> bool:
        """Whether the rule can fail: it does at the null. A rule whose null was not measured has not shown it."""
        return self.rule is None or (measured.null is not None and not self.rule.allows(measured.null))


@dataclass(frozen=True)
class Symmetry:
    """What is permuted, and whether the outcome stays ("invariant"), moves along ("equivariant") or "may depend"."""

    id: str
    permutes: str
    outcome: str
    says: str

    def __post_init__(self) -> None:
        _filled(self, "id", "permutes", "says")
        _one_of(self, "outcome", OUTCOMES)

    def judge(self, measured: Measurement) -> Standing:
        """By the audit's verdict. A dependence that may be is held by a witness; without one it is undecided."""
        held, broken = "invariant", "order-dependent"
        if self.outcome == "may depend":
            held, broken = "order-dependent", ""
        if measured.verdict == held:
            return Standing.HOLDS
        return Standing.FAILS if measured.verdict and measured.verdict == broken else Standing.UNDECIDED


@dataclass(frozen=True)
class DataFile:
    """A file that a study reads.

    sha256: of the official file at `url`. packed "gz": `file` is the gzip of the official file, which is not packed.
    parts: sha256 of published parts, or of the same in another form, that are accepted in the data folder in place of
    the whole. installed: where a package may have put it: `/usr/share/...`, or `package:path` inside a Python package.
    """

    file: str
    what: str
    real: bool
    url: str
    sha256: str
    licence: str
    packed: str
    parts: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _filled(self, "file", "what", "licence")
        _one_of(self, "packed", PACKED)
        if (self.url or self.installed) and not self.sha256:
            raise ValueError("sha256='': what is fetched must be checked; give the sha256 of the official file")
        for value in (self.sha256, *self.parts):
            if value and not re.fullmatch("[0-9a-f]{64}", value):
                raise ValueError(f"sha256={value!r}: expected 64 hexadecimal digits in lower case")


@dataclass(frozen=True)
class KnownFailure:
    """A common test that the method is known to fail, why, and where that is being mended."""

    test: str
    reason: str
    issue: str

    def __post_init__(self) -> None:
        _filled(self, "test", "reason", "issue")


@dataclass(frozen=True)
class Paper:
    """A paper.toml: the publication, the word that calls it on the command line, and all that it states.

    data_folder: in `$PARATAXIS_DATA`, where it is not called as the method is.
    """

    name: str
    command: str
    title: str
    authors: tuple[str, ...]
    year: int
    date: str
    identifier: str
    venue: str
    verbs: tuple[str, ...]
    extra: str
    summary: str
    data_folder: str = ""
    claims: tuple[Claim, ...] = field(default=(), metadata={"key": "claim"})
    symmetries: tuple[Symmetry, ...] = field(default=(), metadata={"key": "symmetry"})
    data: tuple[DataFile, ...] = ()
    known_failures: tuple[KnownFailure, ...] = field(default=(), metadata={"key": "known_failure"})

    def __post_init__(self) -> None:
        _filled(self, "title", "authors", "date", "identifier", "verbs", "summary")
        for key in ("name", "command"):
            if not SLUG.fullmatch(getattr(self, key)):
                raise ValueError(f"{key}={getattr(self, key)!r}: expected lower case words with hyphens")
        if wrong := [verb for verb in self.verbs if verb not in VERBS]:
            raise ValueError(f"verbs={wrong[0]!r}: expected some of {', '.join(VERBS)}")
        _distinct("id", self.ids)
        _distinct("file", [each.file for each in self.data])
        known = {each.file for each in self.data}
        for claim in self.claims:
            if unknown := sorted(set(claim.needs) - known):
                raise ValueError(f"claim {claim.id!r}: needs={unknown[0]!r} is no file of [[data]]")

    @property
    def ids(self) -> tuple[str, ...]:
        """What a study owes: every claim, then every symmetry."""
        return tuple(each.id for each in self.stated)

    @property
    def stated(self) -> tuple[Claim | Symmetry, ...]:
        return (*self.claims, *self.symmetries)

    def find(self, identity: str) -> Claim | Symmetry:
        return next(each for each in self.stated if each.id == identity)

    def judge(self, measured: Measurement) -> Standing:
        return self.find(measured.id).judge(measured)


def _filled(record: object, *names: str) -> None:
    for name in names:
        if not getattr(record, name):
            raise ValueError(f"{name}={getattr(record, name)!r}: must not be empty")


def _one_of(record: object, name: str, known: Sequence[str]) -> None:
    if getattr(record, name) not in known:
        raise ValueError(f"{name}={getattr(record, name)!r}: expected one of {', '.join(map(repr, known))}")


def _distinct(name: str, values: Sequence[str]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ValueError(f"{name}={value!r}: stands twice; every one must be its own")
