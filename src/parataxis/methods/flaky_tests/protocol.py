"""How often a suite is run, in which orders, and which of them are repeated: quick, thorough, and the paper's own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import SHUFFLED, Rules
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING, Run
from parataxis.methods.flaky_tests.schedules import Level, keep_declared, reverse, shuffle, tuscan_rows
from parataxis.methods.flaky_tests.session import Order

FILES = 40  # of a suite, each of which costs an interpreter of its own


@dataclass(frozen=True)
class Protocol:
    """Each of `iterations` fresh environments runs file order `same` times, then `shuffles` others, then the rest.

    glances: so many more environments, each with file order once: two alone would show only every second test that the
    hash seed decides;
    backwards: file order reversed, once an iteration; tuscan: the rows of a Tuscan square, dealt out over the
    iterations; replays: how often an order is repeated in which a test came out another way than in file order; files:
    of a suite with at most so many, each is also run by itself.
    """

    name: str
    iterations: int
    same: int
    shuffles: int
    glances: int = 0
    backwards: bool = True
    tuscan: bool = True
    replays: int = 3
    files: int = 0
    level: Level = "class"

    @property
    def environments(self) -> int:
        return self.iterations + self.glances

    @property
    def rules(self) -> Rules:
        return "paper" if self.name == "paper" else "default"


PROTOCOLS = {
    "quick": Protocol("quick", iterations=2, same=3, shuffles=10, glances=3, files=FILES),
    # 170 runs in one order and 31 shuffles show 95% of the flaky tests of each kind (Gruber et al. 2021)
    "thorough": Protocol("thorough", iterations=10, same=17, shuffles=4, files=FILES),
    "paper": Protocol(
        "paper", iterations=10, same=20, shuffles=20, backwards=False, tuscan=False, replays=0, level="global"
    ),
}


def find_protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise BadInput(f"protocol={name!r}: expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def schedule(
    protocol: Protocol, ids: Sequence[str], declared: Sequence[int], iteration: int, seed: int, level: Level
) -> Iterator[Order]:
    """The orders of one iteration: a pure function of its arguments. Tests with a declared order keep it."""
    same = tuple(range(len(ids)))
    if iteration >= protocol.iterations:
        yield Order("same", 0, same)
        return
    yield from (Order("same", index, same) for index in range(protocol.same))
    if protocol.backwards and len(ids) > 1:
        yield Order("reverse", 0, keep_declared(reverse(ids), declared))
    for index in range(protocol.shuffles):
        index += iteration * protocol.shuffles
        yield Order("random", index, keep_declared(shuffle(ids, seed, index, level), declared))
    if protocol.tuscan:
        rows = enumerate(tuscan_rows(ids, seed))
        for index, row in islice(rows, iteration, None, protocol.iterations):
            yield Order("tuscan", index, keep_declared(row, declared))


def planned(protocol: Protocol, ids: Sequence[str], seed: int) -> int:
    """How many orders a hunt has, without repetitions."""
    rows = sum(1 for _ in tuscan_rows(ids, seed)) if protocol.tuscan else 0
    each = protocol.same + protocol.shuffles + (protocol.backwards and len(ids) > 1)
    return each * protocol.iterations + rows + protocol.glances


def replays(protocol: Protocol, runs: Sequence[Run], iteration: int) -> list[Order]:
    """What to repeat in an iteration: for each test that passed and failed in it, an order unlike file order.

    As few orders as will do: the one that serves most tests first. Only as far as the last of these tests.
    """
    mine = [run for run in runs if run.iteration == iteration and run.kind in ("same", *SHUFFLED)]
    wanted = _suspects(mine)
    orders: list[Order] = []
    while wanted:
        serves = Counter(place for places in wanted.values() for place in places)
        best = min(serves, key=lambda place: (-serves[place], place))
        run = mine[best]
        served = {test for test, places in wanted.items() if best in places}
        last = max(run.order.index(test) for test in served)
        for _ in range(protocol.replays):
            orders.append(Order("replay", len(orders), run.order[: last + 1], of=run.name))
        wanted = {test: places for test, places in wanted.items() if test not in served}
    return orders if protocol.replays else []


def _suspects(runs: Sequence[Run]) -> dict[int, list[int]]:
    """Tests with both outcomes, each with the places of the runs that came out otherwise than file order did.

    A test that file order itself shows both ways is decided: chance. One that file order never reached is compared
    with what it did most often.
    """
    found: dict[int, list[int]] = {}
    for test in range(len(runs[0].outcomes) if runs else 0):
        passes = [place for place, run in enumerate(runs) if run.outcomes[test] in PASSING]
        fails = [place for place, run in enumerate(runs) if run.outcomes[test] in FAILING]
        if not passes or not fails:
            continue
        usual = [place for place in (*passes, *fails) if runs[place].kind == "same"] or max(passes, fails, key=len)
        if len({place in fails for place in usual}) == 2:
            continue
        other = passes if usual[0] in fails else fails
        found[test] = [place for place in other if runs[place].kind != "same"]
    return found
