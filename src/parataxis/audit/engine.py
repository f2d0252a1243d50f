"""The audit: learn the noise, vary the order, repeat what differs, minimise it, replay it.

Under the null, the order does not matter: all calls draw their outcomes alike. An order whose outcome differed is then
repeated side by side with the base order. Where just one of the two runs differs from the reference outcome it is
either with equal chance, whatever the noise; `statistics.log_coin_evidence` bets on that. The j-th order to be repeated
gets a share 6 / (pi j)**2 of the evidence, as the average of e-values is one (Vovk and Wang, "E-values: calibration,
combination and applications", Annals of Statistics 49, 2021), and e-BH holds the false discovery rate over items. So
`alpha` holds for the whole audit: at every look, over all orders repeated, over all items.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from math import factorial, pi
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from parataxis.audit import orders
from parataxis.audit.ahead import Ahead, Submit
from parataxis.audit.calls import BudgetSpent, Calls, Journal, Order, Progress, head
from parataxis.audit.coverage import coverage
from parataxis.audit.orders import DESIGNS, Design
from parataxis.audit.outcomes import Raised, Same, comparison, most_typical
from parataxis.audit.result import Audit, ItemEffect, Share, Trial, Verdict, Witness, percent
from parataxis.audit.statistics import confidence_sequence, e_benjamini_hochberg, log_coin_evidence, zero_failure_bound
from parataxis.audit.witness import Suspect, witness
from parataxis.errors import BadInput

FIRST = 20  # orders that are tried before any is repeated: an effect found in one order says little of its size
AHEAD = 16  # calls by which repeating may be ahead of trying: what it takes to confirm a difference without noise
PATIENCE, FADED = 8, 0.25  # an order is given up when, after so many pairs, the two differ in less than this share
MORE = 3  # times as many repeats of the given order are added where the first disagree
HOPELESS = 0.05  # an order whose surprise is less than this is not repeated
MOST_EXHAUSTIVE = 5  # items: auto tries all of 120 orders


def audit(
    system: Callable[[list[Any]], Any],
    items: Sequence[Any],
    *,
    design: str | Design = "auto",
    compare: float | Same | None = None,
    per_item: bool = False,
    budget: int = 1000,
    alpha: float = 0.05,
    resolution: float = 0.05,
    repeats: int = 3,
    seed: int = 0,
    journal: Path | str | None = None,
    progress: Progress | None = None,
    submit: Submit | None = None,
    jobs: int = 1,
) -> Audit:
    """Whether the outcome of `system(items)` depends on the order of the items.

    system: takes a list of the items in some order and gives one outcome, or with per_item a list of one an item, in
        the order it was given. An exception is an outcome. It must leave the items as they are.
    design: auto, a name in `orders.DESIGNS`, or a Design.
    compare: when two outcomes are the same: None, equality; a number, a tolerance relative to max(1, |a|, |b|); or a
        function (a, b) -> bool. With a journal, outcomes are lists where the system gave arrays or tuples.
    budget: the most calls of the system; far fewer are made where it is deterministic.
    alpha: the chance of a false `order-dependent`, at every look; per item, the false discovery rate.
    resolution: with auto and random, `invariant` means that at most this share of all orders differs.
    repeats: of the given order, before any other; more are added where they disagree.
    journal: a file; a killed audit that is given it again goes on, and ends as if it had not been killed.
    submit: calls the system elsewhere: takes the ordered items and gives a `concurrent.futures.Future` of the outcome.
        `jobs` calls are then begun at a time, some of which may turn out not to be needed: they count for nothing.

    Raises BadInput.
    """
    items = list(items)
    _check(items, budget, alpha, resolution, repeats, seed)
    same = comparison(compare)
    plan = _Plan(design, len(items), budget - repeats, alpha, resolution, seed)
    options = {"compare": compare, "alpha": alpha, "resolution": resolution, "repeats": repeats, "seed": seed}
    keep = Journal(journal, head(items, design, per_item=per_item, **options)) if journal is not None else None

    def audited(calls: Calls) -> Audit:
        engine = _Engine(calls, plan, same, alpha, resolution, seed)
        engine.learn(repeats)
        with suppress(BudgetSpent):
            engine.search()
        return engine.report(witness(engine.suspect(), calls, same, alpha) if engine.found.any() else None)

    with keep or nullcontext():
        calls = Calls(system, items, per_item, budget, keep, progress)
        if submit:
            calls.ahead = Ahead(calls, submit, jobs, audited)
        return audited(calls)


def _check(items: list[Any], budget: int, alpha: float, resolution: float, repeats: int, seed: int) -> None:
    if len(items) < 2:
        raise BadInput(f"items: {len(items)} given; there is an order from two on")
    for name, value in (("alpha", alpha), ("resolution", resolution)):
        if not 0 < value < 1:
            raise BadInput(f"{name}={value}: expected a number above 0 and below 1")
    if repeats < 2:
        raise BadInput(f"repeats={repeats}: expected at least 2; a single run says nothing of the noise")
    if budget <= repeats:
        raise BadInput(f"budget={budget}: expected more than repeats={repeats}, or no other order can be tried")
    if seed < 0:
        raise BadInput(f"seed={seed}: expected a whole number of at least 0")


class _Plan:
    """Which orders to try. Iterating gives them; with auto and random it can go on for as long as there are calls."""

    def __init__(self, design: str | Design, n: int, affordable: int, alpha: float, resolution: float, seed: int):
        self.n, self.seed = n, seed
        self.base = tuple(range(n))
        wanted = int(np.ceil(np.log(alpha) / np.log1p(-resolution) * (1 - 1e-12)))  # by zero_failure_bound
        if isinstance(design, Design):
            fixed, self.name = _checked_orders(design, n), design.name
        elif design == "auto":
            fixed, self.name = self._auto(affordable - wanted)
        elif design == "random":
            fixed, self.name = np.empty((0, n), int), design
        else:
            if design not in DESIGNS:
                raise BadInput(f"design={design!r} is not known; use one of auto, {', '.join(DESIGNS)}")
            fixed, self.name = orders.make(design, n, seed=seed).orders, design
        self.fixed = [order for order in map(tuple, fixed.tolist()) if order != self.base]
        self.goes_on = self.name.endswith("random")
        self.drawn = wanted if self.goes_on else 0
        self.exhaustive = n <= orders.MOST_EXHAUSTIVE and len(set(self.fixed)) == factorial(n) - 1
        if not self.size:
            raise BadInput(f"design={self.name!r}: holds no order but the given one")

    def _auto(self, room: int) -> tuple[Int[np.ndarray, "order item"], str]:
        """Few items: all orders. Else the reverse; what covers triples, neighbours and places as far as there is room
        for it, its items renamed at random; and random orders.
        """
        n = self.n
        if n <= MOST_EXHAUSTIVE:
            return orders.exhaustive(n).orders, "exhaustive"
        parts, names = [orders.reverse(n).orders], ["reverse"]
        rng = np.random.default_rng([self.seed, n])
        for name in ("covering", "tuscan"):
            if n < min(room, 37):  # for more items, covering orders must be searched for, and random ones do as well
                table = rng.permutation(n)[orders.make(name, n, seed=self.seed).orders]
                parts, names, room = [*parts, table], [*names, name], room - len(table)
        return np.concatenate(parts), ", ".join([*names, "random"])

    @property
    def size(self) -> int:
        return len(self.fixed) + self.drawn

    def __iter__(self) -> Iterator[Order]:
        yield from self.fixed
        row = 0
        while self.goes_on:
            order = tuple(np.random.default_rng([self.seed, row]).permutation(self.n).tolist())  # as random_orders
            row += 1
            if order != self.base:
                yield order


def _checked_orders(design: Design, n: int) -> Int[np.ndarray, "order item"]:
    table = np.asarray(design.orders)
    if table.ndim != 2 or table.shape[1] != n or not (np.sort(table, axis=1) == np.arange(n)).all():
        raise BadInput(f"design={design.name!r}: expected orders of 0 to {n - 1}, one a row")
    return table


class _Candidate:
    """An order whose outcome differed once, and its repeats. x: of the base order, y: of this one."""

    def __init__(self, order: Order, given: list[Any], differs: Bool[np.ndarray, " cell"]) -> None:
        self.order, self.given, self.differs = order, given, differs
        self.share = 0.0  # of the evidence; given when it is first repeated
        self.pairs = 0
        self.x, self.y, self.heads, self.tosses = (np.zeros(len(given), int) for _ in range(4))
        self.evidence = np.zeros(len(given))
        self.apart = 0

    def add(self, x: Bool[np.ndarray, " cell"], y: Bool[np.ndarray, " cell"], given: list[Any]) -> None:
        self.pairs += 1
        self.x += x
        self.y += y
        self.heads += y & ~x
        self.tosses += x != y
        self.apart = int(abs(self.y - self.x).max())
        self.given = [new if differs else old for new, old, differs in zip(given, self.given, y, strict=True)]
        self.evidence = self.share * np.exp(np.minimum(log_coin_evidence(self.heads, self.tosses), 700.0))


class _Engine:
    def __init__(self, calls: Calls, plan: _Plan, same: Same, alpha: float, resolution: float, seed: int) -> None:
        self.calls, self.plan, self.same = calls, plan, same
        self.alpha, self.resolution, self.seed = alpha, resolution, seed
        self.coin = random.Random(seed)
        self.trials: list[Trial] = []
        self.candidates: list[_Candidate] = []
        self.begun = 0  # candidates that have been repeated
        self.repeated = 0  # calls that this took
        self.any_differ = 0  # repeats of the base order in which anything differs
        self.shaky = False  # one order has given two outcomes

    # -- the noise ------------------------------------------------------------------------------------------------

    def learn(self, repeats: int) -> None:
        """Repeat the given order; what is most typical becomes the reference."""
        self.calls.doing = "repeating the given order"
        runs = [self.calls(self.plan.base) for _ in range(repeats)]
        if not all(self.same(a, b) for run in runs for a, b in zip(runs[0], run, strict=True)):
            more = min(MORE * repeats, self.calls.budget // 4 - repeats)
            runs += [self.calls(self.plan.base) for _ in range(more)]
        if all(isinstance(each, Raised) for run in runs for each in run):
            raise BadInput(f"the system fails on the items as given, {len(runs)} times of {len(runs)}: {runs[0][0]}")
        cells = range(len(runs[0]))
        self.reference = [most_typical([run[cell] for run in runs], self.same) for cell in cells]
        self.differ, self.base_runs = np.zeros(len(cells), int), -1  # the reference is not compared with itself
        for run in runs:
            self._base(run)
        self.any_differ = min(self.any_differ, self.base_runs)  # per item, it may be none of the runs
        self.tried = np.zeros(len(cells), int)
        self.found, self.evidence = np.zeros(len(cells), bool), np.zeros(len(cells))

    def _differs(self, outcomes: list[Any]) -> Bool[np.ndarray, " cell"]:
        return np.array([not self.same(a, b) for a, b in zip(self.reference, outcomes, strict=True)])

    def _base(self, outcomes: list[Any] | None = None) -> Bool[np.ndarray, " cell"]:
        x = self._differs(self.calls(self.plan.base) if outcomes is None else outcomes)
        self.base_runs += 1
        self.differ += x
        self.any_differ += bool(x.any())
        self.shaky |= bool(x.any())
        return x

    # -- the search ------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Try orders and repeat those that differ, until one is confirmed or there is nothing more to do."""
        waiting = iter(self.plan)
        enough = min(FIRST, self.plan.size, self.calls.budget // 4)
        while not self.found.any():
            tried = len(self.trials)
            in_turn = tried >= enough and self.repeated + 2 <= self.calls.count / 2 + AHEAD
            candidate = self._most_promising() if in_turn or tried >= self.plan.size else None
            if candidate:
                self._repeat(candidate)
            elif tried < self.plan.size or self._goes_on():
                self._try(next(waiting))
            else:
                return

    def _goes_on(self) -> bool:
        """Under noise it takes more orders than are planned, unless the noise drowns everything."""
        return self.plan.goes_on and self.shaky and not self.drowned and self.bound() > self.resolution

    @property
    def drowned(self) -> bool:
        return 2 * self.any_differ > self.base_runs

    def _most_promising(self) -> _Candidate | None:
        """The order that seems to be furthest from the base order. Whatever this says, the error rate holds."""
        if not self.candidates:
            return None
        noise = (self.differ + 0.5) / (self.base_runs + 1)
        rate = (self.tried + 1) / (len(self.trials) + 1)
        surprise = (1 - noise) * np.clip(1 - noise / rate, 0.1, 1)  # the share of differences that noise leaves over
        surprise = np.array([each.differs for each in self.candidates]) * surprise
        first = surprise.max(axis=1)
        pairs = np.array([each.pairs for each in self.candidates])
        promise = (np.array([each.apart for each in self.candidates]) + first) / (pairs + 1)
        alive = ((pairs > 0) | (first >= HOPELESS)) & ((pairs < PATIENCE) | (promise >= FADED))
        best = int(np.argmax(promise * alive))
        return self.candidates[best] if alive[best] else None

    def _try(self, order: Order) -> None:
        self.calls.doing = "trying orders"
        base_first = self.coin.random() < 0.5
        if self.shaky and base_first:
            self._base()
        given = self.calls(order)
        differs = self._differs(given)
        self.trials.append(Trial(order, differs))
        self.tried += differs
        if differs.any():
            self.candidates.append(_Candidate(order, given, differs))
        if self.shaky and not base_first:
            self._base()

    def _repeat(self, candidate: _Candidate) -> None:
        """One more pair of runs, in either order, as the machine may drift."""
        self.calls.doing = "repeating what differs"
        if not candidate.pairs:
            self.begun += 1
            candidate.share = 6 / (pi * self.begun) ** 2
        if self.coin.random() < 0.5:
            x, given = self._base(), self.calls(candidate.order)
        else:
            given = self.calls(candidate.order)
            x = self._base()
        y = self._differs(given)
        self.shaky |= bool((y != candidate.differs).any())
        before = candidate.evidence
        candidate.add(x, y, given)
        self.repeated += 2
        self.evidence = self.evidence + candidate.evidence - before
        self.found = e_benjamini_hochberg(self.evidence) <= self.alpha

    def suspect(self) -> Suspect:
        """The order, and with per_item the item, for which the evidence is strongest."""
        candidate = max(self.candidates, key=lambda each: float(np.where(self.found, each.evidence, 0).max()))
        cell = int(np.argmax(np.where(self.found, candidate.evidence, 0)))
        x, y = int(candidate.x[cell]), int(candidate.y[cell])
        return Suspect(
            order=candidate.order,
            focus=cell if self.calls.per_item else None,
            reference=self.reference,
            given=candidate.given,
            base_differ=x,
            other_differ=y,
            pairs=candidate.pairs,
            noise=float((self.differ[cell] + 0.5) / (self.base_runs + 1)),
            rate=(y + 0.5) / (candidate.pairs + 1),
            steady=not self.differ[cell] and y == candidate.pairs,
        )

    # -- what it comes to --------------------------------------------------------------------------------------------

    def bound(self) -> float:
        """At most this share of other orders differs; under noise, by this much more often than repeats do."""
        tried = len(self.trials)
        differ = sum(bool(trial.differs.any()) for trial in self.trials)
        if self.shaky:
            high = confidence_sequence(differ, tried, self.alpha)[1]
            return max(0.0, high - confidence_sequence(self.any_differ, self.base_runs, self.alpha)[0])
        if differ:
            return 1.0
        census = self.plan.exhaustive and tried >= self.plan.size
        return 0.0 if census else float(zero_failure_bound(tried, self.alpha))

    def report(self, found: Witness | None) -> Audit:
        tried = len(self.trials)
        complete = tried >= self.plan.size
        looked = not complete or tried > self.plan.size
        census = self.plan.exhaustive and complete and not self.shaky

        def share(differ: int) -> Share:
            return Share.of(differ, tried, self.alpha, looked=looked, census=census) if tried else Share(0, 0, 0.0, 1.0)

        verdict, reason = self._verdict(found, complete)
        return Audit(
            verdict=verdict,
            reason=reason,
            effect=share(sum(bool(trial.differs.any()) for trial in self.trials)),
            noise=Share.of(self.any_differ, self.base_runs, self.alpha, looked=True),
            bound=None if found else self.bound(),
            witness=found,
            items=tuple(self._items(share)) if self.calls.per_item else (),
            coverage=coverage([self.plan.base, *(trial.order for trial in self.trials)], self.plan.n),
            design=self.plan.name,
            complete=complete,
            calls=self.calls.count,
            alpha=self.alpha,
            seed=self.seed,
            given=self.calls.items,
            trials=tuple(self.trials),
        )

    def _items(self, share: Callable[[int], Share]) -> Iterator[ItemEffect]:
        q = e_benjamini_hochberg(self.evidence)
        for place in range(self.plan.n):
            noise = Share.of(int(self.differ[place]), self.base_runs, self.alpha, looked=True)
            yield ItemEffect(place, share(int(self.tried[place])), noise, float(q[place]), bool(self.found[place]))

    def _verdict(self, found: Witness | None, complete: bool) -> tuple[Verdict, str]:
        differ = sum(bool(trial.differs.any()) for trial in self.trials)
        bound = percent(self.bound())
        if found and found.replayed == "confirmed":
            return Verdict.ORDER_DEPENDENT, f"confirmed over the noise at alpha={self.alpha:g}, minimised and replayed"
        if found:
            return Verdict.NOISY, "a difference was confirmed, but its minimised witness did not replay"
        if self.drowned:
            noise = f"repeats of one order differ in {self.any_differ} of {self.base_runs}"
            return Verdict.NOISY, f"{noise}; a tolerance, or what makes it deterministic, may help"
        if self.shaky and self.bound() <= self.resolution:
            return Verdict.INVARIANT, f"other orders differ at most {bound} more often than repeats of one order"
        if self.shaky:
            return Verdict.NOISY, f"other orders may differ up to {bound} more often than repeats of one order"
        if differ:
            return Verdict.UNDECIDED, f"{differ} orders differ, but the calls were spent before one was confirmed"
        if not complete:
            tried = f"{len(self.trials)} of {self.plan.size} orders"
            return Verdict.UNDECIDED, f"no order tried differs, but the calls were spent after {tried}"
        if self.bound() == 0:
            return Verdict.INVARIANT, "every order was tried"
        return Verdict.INVARIANT, f"at most {bound} of all orders have another outcome"
