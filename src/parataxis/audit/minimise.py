"""Delta debugging: the fewest items, or the order nearest to a given one, that still show a failure.

The idea is Zeller and Hildebrandt's ("Simplifying and isolating failure-inducing input", IEEE TSE 28, 2002): try
something simpler, keep it if it still fails. Every try goes through one gate, `consider`, and what is simpler is one
written order: fewer items, then fewer inversions, then earlier positions. Outcomes are remembered, so no candidate is
run twice before the minimum is replayed. All is sequential and deterministic, given what `fails` says.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import inf
from typing import Any

from parataxis.errors import BadInput

LAST = 4  # single items tried first, from the end: often one item, shortly before, is to blame


@dataclass(frozen=True)
class Minimum:
    """What is left after minimising.

    items: the simplest sequence found that fails.
    calls: how often `fails` was called, replays included.
    minimal: proven by trying: `minimise`: without any one of the items it passes; `reorder_toward`: with any two
        neighbours that are not in base order swapped it passes. False when the budget was spent before.
    replayed: "confirmed" if every replay failed again, else "noisy".
    outcomes: what each replay said, True for a failure.
    """

    items: tuple[Any, ...]
    calls: int
    minimal: bool
    replayed: str
    outcomes: tuple[bool, ...]


def minimise(
    items: Sequence[Any],
    fails: Callable[[tuple[Any, ...]], bool],
    *,
    budget: int | None = None,
    replays: int = 1,
    key: Callable[[Any], Hashable] | None = None,
) -> Minimum:
    """The fewest of the `items`, in their order, for which `fails` says True.

    `budget` is the most calls of `fails`, replays included; when it is spent, the best so far is returned. Items with
    the same `key` may stand for each other: candidates with the same keys share one call. BadInput if the whole does
    not fail. One culprit among n costs at most about 2 log2 n + 8 calls.
    """
    whole = tuple(range(len(items)))
    names = whole if key is None else tuple(map(key, items))
    search = _Search(tuple(items), fails, names, _limit("minimise", budget, replays))
    search.start(whole, "minimise")
    return search.finish(_fewer_items, replays)


def reorder_toward(
    base: Sequence[Any],
    witness: Sequence[Any],
    fails: Callable[[tuple[Any, ...]], bool],
    *,
    budget: int | None = None,
    replays: int = 1,
    key: Callable[[Any], Hashable] | None = None,
) -> Minimum:
    """An order of the items of `witness` that still fails, moved as near to the order of `base` as it will go.

    Both hold the same items, told apart by `key` (by == if it is None). Nearer means fewer inversions: pairs that
    stand the other way round in `base`. BadInput if the items differ or the witness does not fail.
    """
    names = list(base if key is None else map(key, base))
    order = _places(names, list(witness if key is None else map(key, witness)))
    search = _Search(tuple(base), fails, tuple(range(len(names))), _limit("reorder_toward", budget, replays))
    search.start(order, "reorder_toward")
    return search.finish(_nearer_order, replays)


class _Spent(Exception):
    """The budget is spent."""


class _Search:
    """The best candidate so far, and the gate that every other must pass. A candidate is a tuple of positions."""

    def __init__(
        self, items: tuple[Any, ...], fails: Callable[[tuple[Any, ...]], bool], names: tuple[Any, ...], limit: float
    ) -> None:
        self.items, self.fails, self.names, self.limit = items, fails, names, limit
        self.calls = 0
        self.known: dict[tuple[Any, ...], bool] = {}
        self.best: tuple[int, ...] = ()
        self.complexity = _complexity(self.best)

    def start(self, candidate: tuple[int, ...], where: str) -> None:
        if not self._failing(candidate):
            raise BadInput(
                f"{where}: the whole sequence of {len(candidate)} items does not fail, there is nothing to minimise; "
                "give one that fails, and if it fails only at times, repeat it inside fails()"
            )
        self.best, self.complexity = candidate, _complexity(candidate)

    def consider(self, candidate: tuple[int, ...]) -> bool:
        """The gate: accept the candidate if it is strictly simpler than the best and still fails."""
        complexity = _complexity(candidate)
        if complexity >= self.complexity or not self._failing(candidate):
            return False
        self.best, self.complexity = candidate, complexity
        return True

    def finish(self, simplify: Callable[["_Search"], None], replays: int) -> Minimum:
        """Simplify for as long as the budget lasts, then replay the best."""
        try:
            simplify(self)
            minimal = True
        except _Spent:
            minimal = False
        outcomes = tuple(self._run(self.best) for _ in range(replays))
        replayed = "confirmed" if all(outcomes) else "noisy"
        return Minimum(tuple(self.items[i] for i in self.best), self.calls, minimal, replayed, outcomes)

    def _failing(self, candidate: tuple[int, ...]) -> bool:
        name = tuple(self.names[i] for i in candidate)
        if name not in self.known:
            if self.calls >= self.limit:
                raise _Spent
            self.known[name] = self._run(candidate)
        return self.known[name]

    def _run(self, candidate: tuple[int, ...]) -> bool:
        self.calls += 1
        return bool(self.fails(tuple(self.items[i] for i in candidate)))


def _complexity(candidate: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
    """What "simpler" compares: how many items, how many inversions, which positions."""
    passed: list[int] = []
    inversions = 0
    for position in candidate:
        inversions += len(passed) - bisect_left(passed, position)
        insort(passed, position)
    return len(candidate), inversions, candidate


def _fewer_items(search: _Search) -> None:
    """None · one of the last · a half, again and again · without a run of items, to a fixed point.

    The last sweep has accepted nothing, so it has tried every single removal: 1-minimality.
    """
    if search.consider(()):
        return
    any(search.consider((position,)) for position in search.best[: -LAST - 1 : -1])
    while _half(search):
        pass
    while _without_runs(search):
        pass


def _half(search: _Search) -> bool:
    middle = (len(search.best) + 1) // 2
    first, second = search.best[:middle], search.best[middle:]
    return search.consider(first) or search.consider(second)


def _without_runs(search: _Search) -> bool:
    """From the end, take out the longest run of items without which it still fails. True if anything went."""
    before = search.best
    end = len(before)
    while end > 0:
        end -= 1 + _longest(end, partial(_without, search, search.best, end))
    return search.best != before


def _without(search: _Search, whole: tuple[int, ...], end: int, k: int) -> bool:
    return search.consider(whole[: end - k] + whole[end:])


def _nearer_order(search: _Search) -> None:
    """The base order · a stretch put in base order · one item moved, to a fixed point."""
    if search.consider(tuple(sorted(search.best))):
        return
    while _sorted_stretches(search) or _moved_items(search) or _best_places(search):
        pass


def _sorted_stretches(search: _Search) -> bool:
    """From the start, put the longest stretch in base order with which it still fails. True if anything changed."""
    before = search.best
    start = 0
    while start < len(before) - 1:
        start += 1 + _longest(len(before) - 1 - start, partial(_sorted, search, search.best, start))
    return search.best != before


def _sorted(search: _Search, order: tuple[int, ...], start: int, k: int) -> bool:
    end = start + k + 1
    tidy = order[:start] + tuple(sorted(order[start:end])) + order[end:]
    return tidy == search.best or search.consider(tidy)


def _moved_items(search: _Search) -> bool:
    """Move each item to the left, past later ones, as far as it still fails. True if anything changed."""
    before = search.best
    for item in sorted(before):
        order = search.best
        place = order.index(item)
        later = place
        while later > 0 and order[later - 1] > item:
            later -= 1
        _longest(place - later, partial(_moved, search, order, place))
    return search.best != before


def _moved(search: _Search, order: tuple[int, ...], place: int, k: int) -> bool:
    return search.consider((*order[: place - k], order[place], *order[place - k : place], *order[place + 1 :]))


def _best_places(search: _Search) -> bool:
    """Put each item where it has the fewest inversions, to the left or right. True if anything changed.

    Steps to the left alone get stuck: 2 3 0 1, if it must keep 3 before 0, becomes no nearer by any, but 3 0 1 2 is.
    """
    before = search.best
    for item in before:
        others = tuple(other for other in search.best if other != item)
        inversions = list(accumulate((1 if other > item else -1 for other in others), initial=0))  # up to a constant
        place = inversions.index(min(inversions))
        search.consider((*others[:place], item, *others[place:]))
    return search.best != before


def _longest(most: int, works: Callable[[int], bool]) -> int:
    """A length up to `most` that works, while one more does not: try 1 to 4, then double, then bisect.

    It asks about few lengths, so it finds the longest only if every shorter one works too.
    """
    for length in range(1, min(most, 4) + 1):
        if not works(length):
            return length - 1
    if most <= 4:
        return max(most, 0)
    low, high = 4, 8
    while high < most and works(high):
        low, high = high, 2 * high
    if high >= most:
        if works(most):
            return most
        high = most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def _limit(where: str, budget: int | None, replays: int) -> float:
    """How many calls the search may use: what the replays leave."""
    if replays < 1:
        raise BadInput(f"{where}: replays={replays} must be at least 1; a minimum is replayed before it is reported")
    if budget is not None and budget <= replays:
        raise BadInput(f"{where}: budget={budget} must be more than replays={replays}; give a larger budget")
    return inf if budget is None else float(budget - replays)


def _places(base: list[Any], witness: list[Any]) -> tuple[int, ...]:
    """Where in `base` the items of `witness` stand; of equal ones, the first goes to the first."""
    left = list(range(len(base)))
    places = []
    for item in witness:
        place = next((place for place in left if base[place] is item or base[place] == item), None)
        if place is None:
            raise BadInput(f"reorder_toward: witness has {item!r}, which base lacks; give two orders of the same items")
        left.remove(place)
        places.append(place)
    if left:
        raise BadInput(
            f"reorder_toward: base has {base[left[0]]!r}, which witness lacks; give two orders of the same items"
        )
    return tuple(places)
