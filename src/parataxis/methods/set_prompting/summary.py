"""What the order of the options decides: rates over questions, with intervals from resampling the questions.

Questions are resampled, not answers: what a model says to one question in several orders is not independent.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import bdtr

from parataxis.audit.statistics import clopper_pearson
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.orders import stream

RESAMPLES, CHUNK = 2000, 100
ALPHA = 0.05
SHUFFLES = 400  # of slots, for what the spread of recall is by chance

Means = Float[np.ndarray, "resample column"]  # of columns with a row a question


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Spread:
    """Accuracies over the orders that were tried, each over all questions: five numbers of a box, and their mean."""

    orders: int
    least: Estimate
    lower: Estimate
    middle: Estimate
    upper: Estimate
    most: Estimate
    mean: Estimate


@dataclass(frozen=True)
class Summary:
    """One method over n questions.

    calls: prompts an answer. normal, backwards: accuracy in the given and in the reversed order; worst, best: right in
    both of these, in either. flips: share of questions whose choice the reversal changes; moved: that some tried order
    changes; steady: right in every tried order. noise: share whose choice changes when the first order is asked again,
    None if that can't be. spread: over orders, None if just two were tried.

    recall: the standard deviation over slots of the accuracy where the right option stands there; by_chance: the 95%
    point of the same if slots did not matter; slots: these accuracies, None where none stood. These and `spread` are of
    the `alike` questions with the commonest number of options.
    """

    method: str
    n: int
    calls: float
    unanswered: float
    normal: Estimate
    backwards: Estimate
    worst: Estimate
    best: Estimate
    flips: Estimate
    moved: Estimate
    steady: Estimate
    noise: Estimate | None
    spread: Spread | None
    alike: int
    recall: Estimate
    by_chance: float
    slots: tuple[Estimate | None, ...]

    @property
    def flips_beyond_noise(self) -> bool:
        """The interval of the flips is above 0, and above what asking again changes."""
        return self.flips.low > (self.noise.high if self.noise else 0.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(rows: Sequence[Row], *, invariant: bool = False, seed: int = 0) -> Summary:
    """Of the rows of one method. invariant: it can't depend on the order, so that no flips are not a matter of luck."""
    right = np.array([row.right[:2] for row in rows])
    flips = np.array([row.chosen[0] != row.chosen[1] for row in rows])
    moved = np.array([len(set(row.chosen)) > 1 for row in rows])
    steady = np.array([all(row.right) for row in rows])
    again = np.array([row.again[0] != row.chosen[0] for row in rows if row.again])
    alike = _alike(rows)
    hits, counts = _by_slot(alike)
    recall = resampled(np.concatenate([hits, counts], 1), _recall_spread, seed)
    return Summary(
        method=rows[0].method,
        n=len(rows),
        calls=sum(row.calls for row in rows) / sum(len(row.orders) for row in rows),
        unanswered=float(np.mean([chosen is None for row in rows for chosen in row.chosen])),
        normal=rate(right[:, 0]),
        backwards=rate(right[:, 1]),
        worst=rate(right[:, 0] & right[:, 1]),
        best=rate(right[:, 0] | right[:, 1]),
        flips=rate(flips, certain=invariant),
        moved=rate(moved, certain=invariant),
        steady=rate(steady),
        noise=rate(again) if len(again) else None,
        spread=_spread(alike, seed),
        alike=len(alike),
        recall=recall[0],
        by_chance=_by_chance(alike, seed),
        slots=_slots(hits, counts, seed),
    )


@dataclass(frozen=True)
class Accuracy:
    """Of one method with one scoring, in the given order. calls: prompts an answer."""

    method: str
    scoring: str
    n: int
    calls: float
    right: Estimate

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def accuracy(rows: Sequence[Row], scoring: str) -> Accuracy:
    right = rate(np.array([row.right[0] for row in rows]))
    return Accuracy(rows[0].method, scoring, len(rows), sum(row.calls for row in rows) / len(rows), right)


def gap(rows: Sequence[Row], plain: Sequence[Row], seed: int = 0) -> Estimate:
    """The accuracy of a method in the given order, less the mean of two orders of `plain`: question by question."""
    ours = np.array([row.right[0] for row in rows], dtype=float)
    theirs = np.array([np.mean(row.right[:2]) for row in plain])
    return resampled((ours - theirs)[:, None], lambda means: means, seed)[0]


def differ(rows: Sequence[Row], others: Sequence[Row]) -> Estimate:
    """The share of questions to which two methods choose otherwise in the given order."""
    return rate(np.array([a.chosen[0] != b.chosen[0] for a, b in zip(rows, others, strict=True)]))


# -- intervals -----------------------------------------------------------------------------------------------------


def rate(values: Bool[np.ndarray, " question"], certain: bool = False) -> Estimate:
    """The share of questions. What resampling would give is known: the quantiles of a binomial.

    Where all questions are alike no resample differs: then the exact interval, unless it is certain to be so.
    """
    n, k = len(values), int(values.sum())
    if 0 < k < n:
        below = bdtr(np.arange(n + 1), n, k / n)
        low, high = np.searchsorted(below, [ALPHA / 2, 1 - ALPHA / 2]) / n
    else:
        low, high = (k / n, k / n) if certain else clopper_pearson(k, n, ALPHA)
    return Estimate(k / n, float(low), float(high))


def resampled(
    table: Float[np.ndarray, "question column"],
    measure: Callable[[Means], Float[np.ndarray, "resample measure"]],
    seed: int,
) -> list[Estimate]:
    """Measures of the means of columns; their intervals by the percentiles of resamples of the questions.

    Resampling makes a spread larger, so that an interval may lie above its value: it is widened to hold it. All of one
    seed and number of questions share their resamples, so that they can be compared.
    """
    n = len(table)
    rng = stream("resample", seed, n)
    drawn = [measure(rng.multinomial(n, np.full(n, 1 / n), CHUNK) @ table / n) for _ in range(RESAMPLES // CHUNK)]
    low, high = np.nanquantile(np.concatenate(drawn), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    values = measure(table.mean(0, keepdims=True))[0]
    ends = zip(values, np.minimum(low, values), np.maximum(high, values), strict=True)
    return [Estimate(*map(float, each)) for each in ends]


# -- over orders and slots -----------------------------------------------------------------------------------------


def _alike(rows: Sequence[Row]) -> list[Row]:
    """Those with the commonest number of options, of several the largest."""
    counts = Counter(len(row.choices) for row in rows)
    common = max(counts, key=lambda size: (counts[size], size))
    return [row for row in rows if len(row.choices) == common]


def _spread(rows: Sequence[Row], seed: int) -> Spread | None:
    """Only where every question was asked in the same orders."""
    if len(rows[0].orders) == 2 or any(row.orders != rows[0].orders for row in rows):
        return None

    def five(means: Means) -> Float[np.ndarray, "resample measure"]:
        return np.concatenate([np.quantile(means, [0, 0.25, 0.5, 0.75, 1], axis=1).T, means.mean(1)[:, None]], 1)

    right = np.array([row.right for row in rows], dtype=float)
    return Spread(right.shape[1], *resampled(right, five, seed))


def _by_slot(rows: Sequence[Row]) -> tuple[Float[np.ndarray, "question slot"], Float[np.ndarray, "question slot"]]:
    """In how many orders the right option stood in a slot, and was chosen there."""
    counts = np.zeros((len(rows), len(rows[0].choices)))
    hits = np.zeros_like(counts)
    for place, row in enumerate(rows):
        np.add.at(counts[place], row.slots, 1)
        np.add.at(hits[place], row.slots, row.right)
    return hits, counts


def _recall(means: Means) -> Float[np.ndarray, "resample slot"]:
    """From hits and counts side by side. NaN for a slot in which no right option stood."""
    hits, counts = np.split(means, 2, axis=1)
    return np.divide(hits, counts, out=np.full(hits.shape, np.nan), where=counts > 0)


def _recall_spread(means: Means) -> Float[np.ndarray, "resample measure"]:
    """Slots in which no right option stood are left out."""
    return np.nanstd(_recall(means), axis=1, keepdims=True)


def _slots(
    hits: Float[np.ndarray, "question slot"], counts: Float[np.ndarray, "question slot"], seed: int
) -> tuple[Estimate | None, ...]:
    known = counts.sum(0) > 0
    found = iter(resampled(np.concatenate([hits[:, known], counts[:, known]], 1), _recall, seed))
    asked = (counts > 0).sum(0).tolist()
    return tuple(_exact(next(found), n) if n else None for n in asked)


def _exact(found: Estimate, n: int) -> Estimate:
    """Of n questions that were all right, or all wrong, no resample differs: then Clopper and Pearson's interval."""
    if 0 < found.value < 1:
        return found
    return Estimate(found.value, *map(float, clopper_pearson(round(found.value * n), n, ALPHA)))


def _by_chance(rows: Sequence[Row], seed: int) -> float:
    """The 95% point of the spread when the slots of each question change places at random.

    A slot and its mirror stay mirrors: in two orders the right option stands in both, so that they are right together.
    """
    both, size = np.stack(_by_slot(rows)), len(rows[0].choices)
    half, rng = size // 2, stream("slots", seed, len(rows))
    drawn = []
    for _ in range(SHUFFLES // CHUNK):
        first = rng.permuted(np.broadcast_to(np.arange(half), (CHUNK, len(rows), half)), axis=2)
        first = np.where(rng.random(first.shape) < 0.5, first, size - 1 - first)
        middle = np.full((*first.shape[:2], size % 2), half)
        places = np.concatenate([first, middle, size - 1 - first[..., ::-1]], 2)
        moved = [np.take_along_axis(each[None], places, 2).sum(1) for each in both]
        drawn.append(_recall_spread(np.concatenate(moved, 1)))
    return float(np.quantile(drawn, 1 - ALPHA))
