"""Several calls at a time: those that an audit will make next are begun before it asks for them.

Which these are is found by a rehearsal: the same audit once more over the outcomes that are known, where each other is
taken to be as before. A wrong guess costs a call that is never asked for. It changes no number: the audit is given its
outcomes one by one, in its own order, as on one process.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from parataxis.audit.calls import Calls, Journal, Order
from parataxis.audit.outcomes import Raised

Submit = Callable[[list[Any]], Future[Any]]  # of the items in some order: their outcome
Call = tuple[Order, int]  # the order, and how often it has been called, this time included


class Ahead:
    """Where the calls of an audit are made, `jobs` at a time. rehearse: the audit, as a function of its calls."""

    def __init__(self, calls: Calls, submit: Submit, jobs: int, rehearse: Callable[[Calls], object]) -> None:
        self.calls, self.submit, self.jobs, self.rehearse = calls, submit, jobs, rehearse
        self.begun: dict[Call, Future[Any]] = {}

    def outcome(self, order: Order, ordinal: int) -> Any:
        """What `submit` gives, or raises. Others are begun beside it where it is not yet under way."""
        call = (order, ordinal)
        if call not in self.begun:
            for each in [call, *self._next()]:
                if each not in self.begun:
                    self.begun[each] = self.submit(self.calls.ordered(each[0]))
        return self.begun[call].result()

    def _next(self) -> list[Call]:
        rehearsal = _Rehearsal(self.calls, self.begun, self.jobs)
        with suppress(Exception):  # of a comparison that does not take the guess: what has been asked for stands
            self.rehearse(rehearsal)
        return rehearsal.asked


class _Enough(Exception):
    """As many calls are known as there are to be begun."""


class _Rehearsal(Calls):
    """Asks nobody: gives what is known, notes what is not, and guesses that."""

    def __init__(self, calls: Calls, begun: dict[Call, Future[Any]], most: int) -> None:
        super().__init__(calls.system, calls.items, calls.per_item, calls.budget, calls.journal, None)
        self.begun, self.most = begun, most
        self.asked: list[Call] = []
        self.last: dict[Order, Any] = {}  # by order, what its last call gave

    def _outcome(self, order: Order, ordinal: int) -> Any:
        known = self.journal.find(order, ordinal) if self.journal else Journal.ABSENT
        future = self.begun.get((order, ordinal))
        if known is Journal.ABSENT and future is None:
            self.asked.append((order, ordinal))
            if len(self.asked) == self.most:
                raise _Enough
        elif known is Journal.ABSENT and future and future.done():
            known = self._given(future, len(order))
        if known is Journal.ABSENT:
            return self._guess(order)
        self.last[order] = known
        return known

    def _given(self, future: Future[Any], n: int) -> Any:
        try:
            outcome = future.result()
        except Exception as error:
            return Raised.by(error)
        return self._aligned(outcome, n) if self.per_item and not isinstance(outcome, Raised) else outcome

    def _guess(self, order: Order) -> Any:
        """As this order's last outcome, or else that of the given order of these items, or of all items."""
        for source in (order, tuple(sorted(order)), tuple(range(len(self.items)))):
            if source in self.last:
                break
        outcome = self.last.get(source)
        if not self.per_item or isinstance(outcome, Raised):
            return outcome
        if outcome is None:
            return [None] * len(order)
        by_place = dict(zip(source, outcome, strict=True))
        return [by_place[place] for place in order]
