"""Experiments on a suite: small orders and probes in one session, each asked but once."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from parataxis.methods.flaky_tests.journal import Head
from parataxis.methods.flaky_tests.session import DAY, Done, Limits, Order, Session, SessionDied
from parataxis.methods.flaky_tests.suite import Suite

ITERATION = 1_000  # of the environment: none that a hunt has used
Places = tuple[int, ...]


class Lab:
    """A session to try orders in. Use as a context manager. A session that dies under an order is opened again.

    Where files are put back after each order (a snapshot), the probes of one order share them. session: one that has
    collected the suite; by default, one is started when it is needed.
    """

    def __init__(
        self,
        suite: Suite,
        head: Head,
        limits: Limits,
        jobs: int = 1,
        ignore: Sequence[Path] = (),
        session: Session | None = None,
    ) -> None:
        self.suite, self.head, self.jobs, self.ignore = suite, head, jobs, ignore
        self.limits = Limits(limits.test, limits.tests, DAY)
        self._session = session
        self._count = 0
        self.forks = 0
        self.tell: Callable[[int, int], None] = lambda done, of: None

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def run(self, orders: Iterable[Order]) -> list[Done | None]:
        """What came of each; None where the session died under it. In the given order."""
        numbered = list(orders)
        found: dict[int, Done] = {}
        left = list(range(len(numbered)))
        isolate = self.head.isolation != "none"
        while left:
            named = {self._count + k: place for k, place in enumerate(left)}
            todo = [Order(**{**vars(numbered[place]), "index": index}) for index, place in named.items()]
            self._count += len(todo)
            try:
                for done in self.session().run(todo, self.limits, seeded=self.head.seeded, isolate=isolate):
                    found[named[done.order.index]] = done
                    self.tell(len(found), len(numbered))
                break
            except SessionDied:
                self.__exit__(None, None, None)
                left = [place for place in left if place not in found]
                if len(left) > 1 and self.jobs > 1:  # two were under way and one is to blame: one by one
                    single = {place: self.run([numbered[place]])[0] for place in left}
                    found |= {place: done for place, done in single.items() if done is not None}
                    break
                left = left[1:]  # the first of them was under way
        self.forks += sum(len(o.probes) * (1 + len(o.order) * o.each) + 1 for o in numbered)
        return [found.get(place) for place in range(len(numbered))]

    def session(self) -> Session:
        if self._session is None:
            self._session = Session(
                self.suite,
                ITERATION,
                seed=self.head.seed,
                ids=self.head.ids,
                jobs=self.jobs,
                isolation=self.head.isolation,
                ignore=self.ignore,
            )
            self._session.collected()
        return self._session

    # -- questions -------------------------------------------------------------------------------------------------

    def last(self, orders: Sequence[Places], *, fresh: bool = False) -> list[str]:
        """How the last test of each order ends; `fresh`: in an interpreter that collects these tests alone."""
        fresh_or_not = fresh or not self.head.forks
        done = self.run(Order("lab", 0, order, fresh=fresh_or_not, only=fresh) for order in orders)
        return [each.outcomes[-1] if each else "C" for each in done]

    def after(self, prefixes: Sequence[Places], tests: Sequence[int]) -> list[str]:
        """A character a test: how it ends right after each prefix."""
        if not self.head.forks:
            ends = self.last([(*prefix, test) for prefix in prefixes for test in tests])
            return ["".join(ends[k * len(tests) : (k + 1) * len(tests)]) for k in range(len(prefixes))]
        probes = tuple((test,) for test in tests)
        done = self.run(Order("lab", 0, prefix, probes=probes) for prefix in prefixes)
        return [each.probed[0] if each else "C" * len(tests) for each in done]

    def walk(self, order: Places, test: int) -> str:
        """A character for each place in the order, and its end: how the test, forked from there, ends.

        Where nothing can be forked, from its end only.
        """
        if not self.head.forks:
            return "-" * len(order) + self.last([(*order, test)])[0]
        (done,) = self.run([Order("lab", 0, order, probes=((test,),), each=True)])
        return "".join(done.probed) if done else "-" * (len(order) + 1)

    def between(self, prefix: Places, others: Sequence[int], test: int) -> str:
        """A character for each of the others: how the test ends when that one comes between the prefix and it."""
        if not self.head.forks:
            return "".join(self.last([(*prefix, other, test) for other in others]))
        done = self.run([Order("lab", 0, prefix, probes=tuple((other, test) for other in others))])
        return done[0].probed[0] if done[0] else "C" * len(others)
