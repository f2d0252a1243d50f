"""From two orders that were found to differ to the fewest items, in two orders, that still do."""

from dataclasses import dataclass, replace
from math import ceil, log
from typing import Any

from parataxis.audit.calls import BudgetSpent, Calls, Order
from parataxis.audit.minimise import minimise, reorder_toward
from parataxis.audit.outcomes import Raised, Same, most_typical
from parataxis.audit.result import Witness
from parataxis.audit.statistics import log_coin_evidence

LEARN = 5  # repeats from which the reference of fewer items is learnt, under noise
MOST_PAIRS = 40  # under noise: pairs of runs after which a candidate is given up
ACCEPT, REJECT = log(200), -log(50)  # dozens of candidates are judged, and none must pass by chance
REPLAYS = 3  # pairs of runs that are kept back to replay a witness without noise
NOISY_REPLAYS, FEWEST = 2.5, 30  # under noise: in terms of the pairs that the suspect took, and at least


@dataclass(frozen=True)
class Suspect:
    """An order that was found to differ from the base order.

    focus: with per_item, the place of the item whose outcome differs. reference, given: what a call gives in base order
    and in this one. base_differ, other_differ: in how many of `pairs` repeats of each the outcome was not the
    reference. noise, rate: how often that is so, by all that is known. steady: repeats have always agreed, so that one
    run tells.
    """

    order: Order
    focus: int | None
    reference: list[Any]
    given: list[Any]
    base_differ: int
    other_differ: int
    pairs: int
    noise: float
    rate: float
    steady: bool


def witness(suspect: Suspect, calls: Calls, same: Same, alpha: float) -> Witness:
    """Minimise, then replay. With too few calls left, the suspect as it is: it has been repeated already.

    A steady suspect whose minimum does not replay was not steady: it is minimised once more, as a noisy one.
    """
    before = calls.count
    search = _Search(suspect, calls, same)
    order, minimal = search.simplest()
    if order == suspect.order and calls.left < search.reserve:
        counts = (suspect.base_differ, suspect.other_differ, suspect.pairs)
        again, replayed = search.outcomes(order), "confirmed"
    else:
        calls.doing = "replaying"
        again, counts, replayed = search.replay(order, alpha)
        if replayed == "noisy" and suspect.steady:
            found = witness(replace(suspect, steady=False), calls, same, alpha)
            return replace(found, calls=calls.count - before)
    base = tuple(sorted(order))
    return Witness(
        base=tuple(calls.items[place] for place in base),
        other=tuple(calls.items[place] for place in order),
        base_places=base,
        other_places=order,
        items=() if suspect.focus is None else search.differing(order),
        outcomes=search.outcomes(order) if suspect.steady or replayed == "noisy" else again,
        again=again,
        base_differ=counts[0],
        other_differ=counts[1],
        repeats=counts[2],
        minimal=minimal,
        calls=calls.count - before,
        replayed=replayed,
    )


class _Search:
    """Judges candidates. A candidate is an order of some of the places; it fails if its outcome in this order is not
    that in base order: the focus item's own outcome, if there is a focus.
    """

    def __init__(self, suspect: Suspect, calls: Calls, same: Same) -> None:
        self.suspect, self.calls, self.same = suspect, calls, same
        self.replays = REPLAYS if suspect.steady else max(FEWEST, ceil(NOISY_REPLAYS * suspect.pairs))
        self.reserve = 2 * self.replays
        self.known: dict[Order, bool] = {suspect.order: True}
        self.base = tuple(sorted(suspect.order))
        self.seen: dict[Order, list[Any]] = {self.base: suspect.reference, suspect.order: suspect.given}
        self.raises = any(isinstance(each, Raised) for each in self.outcomes(suspect.order))
        self.spent = False

    def simplest(self) -> tuple[Order, bool]:
        """The fewest items, then the nearest order, to a fixed point; and whether that was reached.

        Items first: each that is left out makes all later calls cheaper. Under noise, what passed is judged anew each
        time around, as it may have passed by chance.
        """
        self.calls.doing = "minimising"
        order = self.suspect.order
        while True:
            if not self.suspect.steady:
                self.known = {each: fails for each, fails in self.known.items() if fails}
            fewer = minimise(order, self.fails).items
            nearer = reorder_toward(sorted(fewer), fewer, self.fails).items
            if nearer == order or self.spent:
                return nearer, not self.spent
            order = nearer

    def fails(self, order: Order) -> bool:
        base = tuple(sorted(order))
        focus = self.suspect.focus
        if order == base or (focus is not None and focus not in order):
            return False
        if order not in self.known:
            try:
                self.known[order] = (
                    self._differ(self._cell(base), self._cell(order))
                    if self.suspect.steady
                    else self._noisy(base, order)
                )
            except BudgetSpent:
                self.spent = True
                return False
        return self.known[order]

    def outcomes(self, order: Order) -> tuple[Any, Any]:
        """What the base order of the same items and this order gave when they were judged."""
        return self._cell(tuple(sorted(order))), self._cell(order)

    def differing(self, order: Order) -> tuple[int, ...]:
        """The places whose own outcome differs, the focus first; under noise one run says nothing of the others."""
        base = tuple(sorted(order))
        focus = self.suspect.focus
        assert focus is not None, "only with per_item"
        if not self.suspect.steady:
            return (focus,)
        both = zip(base, self.seen[base], self.seen[order], strict=True)
        return (focus, *(place for place, a, b in both if place != focus and not self.same(a, b)))

    def replay(self, order: Order, alpha: float) -> tuple[tuple[Any, Any], tuple[int, int, int], str]:
        """Run both orders again: their most typical outcomes, how often each order's was not that of the base order,
        in how many pairs of runs, and whether they differ as they did.
        """
        base = tuple(sorted(order))
        reference = self._cell(base)
        heads = tosses = 0
        runs: list[tuple[Any, Any]] = []
        enough = False
        while not enough and len(runs) < self.replays and self.calls.left >= 2:
            a, b = self._asked(base, self.calls(base)), self._asked(order, self.calls(order))
            runs.append((a, b))
            x, y = not self.same(reference, a), not self.same(reference, b)
            heads, tosses = heads + (y and not x), tosses + (x != y)
            if self.suspect.steady:
                enough = heads == self.replays
            else:
                enough = float(log_coin_evidence(heads, tosses)) >= log(1 / alpha)
        again = (most_typical([a for a, _ in runs], self.same), most_typical([b for _, b in runs], self.same))
        base_differ, other_differ = (sum(not self.same(again[0], run[k]) for run in runs) for k in (0, 1))
        return again, (base_differ, other_differ, len(runs)), "confirmed" if enough else "noisy"

    def _asked(self, order: Order, outcomes: list[Any]) -> Any:
        focus = self.suspect.focus
        return outcomes[0 if focus is None else sorted(order).index(focus)]

    def _cell(self, order: Order) -> Any:
        """The outcome that is asked about, of a first call that may have been made before."""
        if order not in self.seen:
            self.seen[order] = self._run(order)
        return self._asked(order, self.seen[order])

    def _run(self, order: Order) -> list[Any]:
        """A call, unless it is one of those that are kept back for the replay."""
        if self.calls.left <= self.reserve:
            raise BudgetSpent
        return self.calls(order)

    def _differ(self, a: Any, b: Any) -> bool:
        """A run that raises on fewer items is another fault than the one found, if that raised nowhere."""
        other_fault = not self.raises and (isinstance(a, Raised) or isinstance(b, Raised))
        return not other_fault and not self.same(a, b)

    def _noisy(self, base: Order, order: Order) -> bool:
        """Accepted by exact evidence, rejected by Wald's sequential test: do both orders differ at the rates of the
        suspect, or both at one and the same of them? The rates may be off, so this alone must not accept.

        Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16, 1945.
        """
        if base not in self.seen:
            learnt = [self._run(base) for _ in range(LEARN)]
            self.seen[base] = most_typical(learnt, lambda a, b: self.same(self._asked(base, a), self._asked(base, b)))
        low, high = self.suspect.noise, self.suspect.rate
        heads = tosses = 0
        apart = mirrored = both_low = both_high = 0.0  # mirrored: what was learnt is the rarer outcome
        for _ in range(MOST_PAIRS):
            x = self._differ(self._cell(base), self._asked(base, self._run(base)))
            given = self._run(order)
            y = self._differ(self._cell(base), self._asked(order, given))
            if y or order not in self.seen:
                self.seen[order] = given
            heads, tosses = heads + (y and not x), tosses + (x != y)
            if float(log_coin_evidence(heads, tosses)) >= ACCEPT:
                return True
            apart += _log_likelihood(x, low) + _log_likelihood(y, high)
            mirrored += _log_likelihood(x, high) + _log_likelihood(y, low)
            both_low += _log_likelihood(x, low) + _log_likelihood(y, low)
            both_high += _log_likelihood(x, high) + _log_likelihood(y, high)
            if max(apart, mirrored) - max(both_low, both_high) <= REJECT:
                return False
        return False


def _log_likelihood(differs: bool, rate: float) -> float:
    return log(rate if differs else 1 - rate)
