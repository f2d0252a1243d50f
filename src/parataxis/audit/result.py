"""What an audit found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Bool

from parataxis.audit.coverage import Coverage
from parataxis.audit.statistics import clopper_pearson, confidence_sequence


class Verdict(Enum):
    """What can be said of the order."""

    INVARIANT = "invariant"
    ORDER_DEPENDENT = "order-dependent"
    NOISY = "noisy"
    UNDECIDED = "undecided"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Verdict.INVARIANT: "The order of the items does not change the outcome, to the resolution stated.",
    Verdict.ORDER_DEPENDENT: "The order of the items changes the outcome; the witness shows it.",
    Verdict.NOISY: "The outcome differs between repeats of one order, and no effect of the order stands out from that.",
    Verdict.UNDECIDED: "The calls were spent before the order could be judged.",
}


@dataclass(frozen=True)
class Share:
    """In how many of some orders (or repeats) the outcome differs from the reference outcome, with its interval."""

    differ: int
    orders: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        return self.differ / self.orders if self.orders else 0.0

    @classmethod
    def of(cls, differ: int, orders: int, alpha: float, *, looked: bool = False, census: bool = False) -> "Share":
        """looked: the outcomes decided when to stop, so the interval must hold at every look. census: all there are."""
        if census:
            return cls(differ, orders, differ / orders, differ / orders)
        if looked:
            return cls(differ, orders, *confidence_sequence(differ, orders, alpha))
        low, high = clopper_pearson(differ, orders, alpha)
        return cls(differ, orders, float(low), float(high))

    def __str__(self) -> str:
        return f"{self.differ} of {self.orders} ({percent(self.rate)}, {percent(self.low)} to {percent(self.high)})"


def percent(share: float) -> str:
    """Two digits are enough for what was counted in tens or hundreds."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


@dataclass(frozen=True)
class ItemEffect:
    """One item's own outcome: how often it differs in other orders and in repeats, and whether the order is to blame.

    q: the lowest false discovery rate at which it is; found: whether that is at most alpha.
    """

    place: int
    effect: Share
    noise: Share
    q: float
    found: bool


@dataclass(frozen=True)
class Witness:
    """Two orders of the same items with different outcomes.

    base: the items in the order given; other: the same items in the other order; base_places, other_places: where they
    stand in the given items. items: with per_item, the places of the items whose own outcome differs, the one that was
    minimised first. outcomes: of the base and the other order; again: the same when replayed. base_differ,
    other_differ: in how many of `repeats` replays each order's outcome was not the reference, outcomes[0]. minimal:
    without any one item the outcomes are the same, and with any two neighbours of the other order put back in base
    order too; not claimed if the budget ended before. calls: what minimising and replaying took. replayed: "confirmed",
    or "noisy" if the replay disagreed.
    """

    base: tuple[Any, ...]
    other: tuple[Any, ...]
    base_places: tuple[int, ...]
    other_places: tuple[int, ...]
    items: tuple[int, ...]
    outcomes: tuple[Any, Any]
    again: tuple[Any, Any]
    base_differ: int
    other_differ: int
    repeats: int
    minimal: bool
    calls: int
    replayed: str


@dataclass(frozen=True)
class Trial:
    """One order that was tried once. differs: from the reference outcome; with per_item, one an item, by place."""

    order: tuple[int, ...]
    differs: Bool[np.ndarray, " cell"]


@dataclass(frozen=True)
class Audit:
    """The verdict, and what it rests on.

    effect: orders tried whose outcome differs from the reference; noise: repeats of the base order that do. bound: at
    1 - alpha, at most this share of all other orders has another outcome (with noise: differ by this much more often
    than repeats do), None where a difference was found; it takes the orders tried as drawn from all, which they are in
    the designs auto and random. coverage: of the orders tried. complete: the whole design was tried. items: with
    per_item, each item's own effect. calls: of the system. reason: in words, what the verdict rests on.
    """

    verdict: Verdict
    reason: str
    effect: Share
    noise: Share
    bound: float | None
    witness: Witness | None
    items: tuple[ItemEffect, ...]
    coverage: Coverage
    design: str
    complete: bool
    calls: int
    alpha: float
    seed: int
    given: Sequence[Any] = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)

    def __str__(self) -> str:
        from parataxis.audit.render import text

        return text(self)

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row an item with per_item, else a row an order tried."""
        from parataxis.audit.render import frame

        return frame(self)

    def to_dict(self) -> dict[str, Any]:
        """All but the given items, in what JSON has; `format` is its version."""
        from parataxis.audit.render import as_dict

        return as_dict(self)

    def to_json(self) -> str:
        import json

        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_html(self) -> str:
        """A page that needs no other file."""
        from parataxis.audit.page import html

        return html(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw on matplotlib axes, new ones if none are given, and return them."""
        from parataxis.audit.plot import draw

        return draw(self, ax)
