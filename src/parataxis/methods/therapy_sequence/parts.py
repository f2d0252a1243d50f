"""What a model file holds, part by part, as it stands there; each part checks itself."""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

KINDS = ("incidence", "probability")
S = TypeVar("S", bound="Schedule")


def nonnegative(part: Any, *names: str) -> None:
    """ValueError unless these fields are finite numbers from 0."""
    for name in names:
        if not 0 <= getattr(part, name) < math.inf:
            raise ValueError(f"{name}={getattr(part, name)}: expected a number from 0")


def share(part: Any, *names: str) -> None:
    """ValueError unless these fields are within 0 to 1."""
    for name in names:
        if not 0 <= getattr(part, name) <= 1:
            raise ValueError(f"{name}={getattr(part, name)}: expected 0 to 1")


def by_cycle(part: Any) -> None:
    """ValueError unless cost_cycles are numbers from 0, and utility_cycles shares."""
    if bad := [each for each in part.cost_cycles if not 0 <= each < math.inf]:
        raise ValueError(f"cost_cycles={bad[0]}: expected numbers from 0")
    if bad := [each for each in part.utility_cycles if not 0 <= each <= 1]:
        raise ValueError(f"utility_cycles={bad[0]}: expected 0 to 1")


def paid(first: tuple[float, ...], later: float, times: int) -> Float[np.ndarray, " time"]:
    """A payoff by cycle: its first ones, then always the same."""
    return np.array([*first[:times], *[later] * (times - len(first))])


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One cause's curve by cycle: a column of a CSV file, or the values themselves.

    kind: "incidence", cumulative, at the end of cycle 1, 2, ...; "probability", of the event among those who have not
    had it. tail_from: the first cycle of a constant hazard; 0 for none.
    """

    file: str = ""
    column: str = ""
    values: tuple[float, ...] = ()
    kind: str = "incidence"
    tail_from: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r}: expected one of {', '.join(KINDS)}")
        if bool(self.file) == bool(self.values):
            raise ValueError("expected either file and column, or values")
        if self.file and not self.column:
            raise ValueError(f"column='': name the column of {self.file}")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A probability by cycle since the line began: `each` (repeated over `cycles` if it is one), or `total` spread
    over `cycles`; afterwards `then`.
    """

    each: tuple[float, ...] = ()
    total: float = 0.0
    cycles: int = 0
    then: float = 0.0

    def __post_init__(self) -> None:
        if self.each and self.total:
            raise ValueError(f"each={list(self.each)}, total={self.total}: give one of them")
        if self.total and self.cycles < 1:
            raise ValueError(f"total={self.total}: say over how many cycles")
        for value in (*self.begin(), self.then):
            if not 0 <= value <= 1:
                raise ValueError(f"probability={value}: expected 0 to 1")

    def begin(self) -> tuple[float, ...]:
        """Before `then`."""
        if self.total:
            return (self.total / self.cycles,) * self.cycles
        return self.each * self.cycles if len(self.each) == 1 and self.cycles else self.each

    def by_cycle(self, cycles: int) -> Float[np.ndarray, " cycle"]:
        """As long as the horizon."""
        begin = self.begin()[:cycles]
        return np.array([*begin, *[self.then] * (cycles - len(begin))])

    def scaled(self: S, factor: float) -> S:
        """The same with all before `then` times a factor, at most 1 each."""
        return replace(self, each=tuple(min(factor * each, 1.0) for each in self.begin()), total=0.0, cycles=0)


@dataclass(frozen=True, kw_only=True)
class AdverseEvent(Schedule):
    """When it strikes, what it costs and how it feels: in its first cycle, and in each later one."""

    name: str = "adverse event"
    cost: float = 0.0
    cost_first: float | None = None
    utility: float
    utility_first: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        nonnegative(self, "cost")
        share(self, "utility")
        if self.cost_first is not None:
            nonnegative(self, "cost_first")
        if self.utility_first is not None:
            share(self, "utility_first")


@dataclass(frozen=True, kw_only=True)
class PatientFile:
    """Reconstructed patients of a drug in a line, a row each, for the bootstrap: time to the first event, and how
    surely that was a progression, and a death (0 to 1 each, at most 1 together; both 0: censored).
    """

    file: str
    time: str = "time"
    progression: str = "progression"
    death: str = "death"
    unit_days: float = 1.0

    def __post_init__(self) -> None:
        if not self.unit_days > 0:
            raise ValueError(f"unit_days={self.unit_days}: expected days, above 0; a month has 30.4")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A drug in one line. cost, utility: a cycle on it. cost_cycles, utility_cycles: in the first cycles of the line,
    instead (an adverse event's cycles bill `cost`). cost_always: whatever the patient's state in this line.
    recovery: cycles over which the utility climbs from `utility` to `utility_stopped`. skip: share of those who
    progress that goes past all further lines. deaths_of: the drug whose deaths in this line are taken instead.
    patients: for sensitivity analysis; without, the curves are held fixed.
    """

    cost: float
    cost_cycles: tuple[float, ...] = ()
    cost_stopped: float = 0.0
    cost_always: float = 0.0
    utility: float
    utility_cycles: tuple[float, ...] = ()
    utility_stopped: float
    recovery: int = 0
    skip: float = 0.0
    deaths_of: str = ""
    stop: Schedule
    adverse_event: AdverseEvent
    progression: Curve
    death: Curve
    patients: PatientFile | None = None

    def __post_init__(self) -> None:
        nonnegative(self, "cost", "cost_stopped", "cost_always", "recovery")
        share(self, "utility", "utility_stopped", "skip")
        by_cycle(self)


@dataclass(frozen=True, kw_only=True)
class Drug:
    """lines: how it does in the first line, the second, ..."""

    id: str
    name: str = ""
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Own:
    """Payoffs after all lines of one strategy, where they are others than those of all."""

    strategy: str
    cost: float
    cost_cycles: tuple[float, ...] = ()
    utility: float
    utility_cycles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        nonnegative(self, "cost")
        share(self, "utility")
        by_cycle(self)


@dataclass(frozen=True, kw_only=True)
class Extensive:
    """The state after all lines: its payoffs a cycle, and deaths by cycles since it was entered. cost_cycles,
    utility_cycles: in the first cycles, instead. own: of single strategies.
    """

    cost: float
    cost_cycles: tuple[float, ...] = ()
    utility: float
    utility_cycles: tuple[float, ...] = ()
    death: Curve
    own: tuple[Own, ...] = ()

    def __post_init__(self) -> None:
        nonnegative(self, "cost")
        share(self, "utility")
        by_cycle(self)

    def of(self, *names: str) -> "Extensive | Own":
        """What a strategy of one of these names pays and feels."""
        return next((each for each in self.own if each.strategy in names), self)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """drugs: by id, the first line's first."""

    name: str
    drugs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.drugs:
            raise ValueError(f"strategy {self.name!r}: drugs=[]: expected at least one drug")


@dataclass(frozen=True, kw_only=True)
class Discount:
    """Rates a year."""

    costs: float = 0.03
    qalys: float = 0.03
    cycles_per_year: float = 0.0  # 0: 365 over the days of a cycle

    def __post_init__(self) -> None:
        nonnegative(self, "costs", "qalys", "cycles_per_year")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A trial's overall survival, which a strategy's deaths are to match up to a cycle. A CSV file, a row a patient."""

    strategy: str
    file: str
    time: str = "time"
    event: str = "event"
    unit_days: float = 1.0
    cycles: int = 0

    def __post_init__(self) -> None:
        if not self.unit_days > 0:
            raise ValueError(f"unit_days={self.unit_days}: expected days, above 0; a month has 30.4")
        nonnegative(self, "cycles")


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Standard errors for sensitivity analysis: of costs (gamma) and probabilities (beta) over the mean, of utilities
    (beta) as they are. 0 holds them fixed.
    """

    costs: float = 0.0
    utilities: float = 0.0
    probabilities: float = 0.0

    def __post_init__(self) -> None:
        nonnegative(self, "costs", "utilities", "probabilities")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is told of inputs: how unsure they are, and where their numbers are from.

    what: the keys that they have in the file: "cost", "adverse_event.utility", "stop", "progression",
    "extensive.cost", ... drug, line (from 1): only there; "" and 0: everywhere. distribution: instead of the kind's
    own (`inputs.DISTRIBUTIONS`); standard_error: in the number's unit, instead of what [uncertainty] says. price_year:
    of a cost's price; conversion: how it was brought there, or to the model's currency.
    """

    what: tuple[str, ...]
    drug: str = ""
    line: int = 0
    distribution: str = ""
    standard_error: float = 0.0
    source: str = ""
    price_year: int = 0
    conversion: str = ""

    def __post_init__(self) -> None:
        if not self.what:
            raise ValueError("what=[]: expected at least one key of an input")
        nonnegative(self, "standard_error", "line", "price_year")
