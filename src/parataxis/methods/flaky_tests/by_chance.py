"""Why a test fails by chance, whether the order has a say in how often, and if so who has it.

Lam, Winter, Wei, Xie, Marinov and Bell ("A large-scale longitudinal study of flaky tests", OOPSLA 2020) call a test
NDOD if its failure rate depends on the order, NDOI if it does not.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from parataxis.methods.flaky_tests.chance import explain_chance
from parataxis.methods.flaky_tests.classes import SHUFFLED
from parataxis.methods.flaky_tests.diagnose import diagnose
from parataxis.methods.flaky_tests.diagnosis import Chain, Dependence, Diagnosis
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.order_tests import order_test
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING, Run
from parataxis.methods.flaky_tests.session import Order, SessionDied

REPEATS = 20  # of each order
# Of a longer order, the end is repeated: what matters to a test mostly comes soon before it.
LONGEST = 200  # tests
SECONDS = 3.0
ALPHA = 0.01


def by_chance(
    lab: Lab, tests: Sequence[int], runs: Sequence[Run] = (), tell: Callable[[str], None] = lambda text: None
) -> Iterator[Diagnosis]:
    """One diagnosis for each of `tests`, which fail by chance, each as soon as it is there.

    runs: of the hunt; the order among them in which a test came out otherwise most often is repeated as well. Of a test
    that always ends one way alone, and always the other in one of the orders, the culprits are looked for.
    """
    for test in tests:
        lab.tell = lambda done, of: None
        nodeid, before = lab.head.ids[test], lab.forks
        tell(f"{nodeid}: how often it fails, by order")
        alone, note, telling = _rates(lab, test, runs)
        tell(f"{nodeid}: what chance decides")
        hints = []
        if lab.head.forks:
            with suppress(SessionDied):
                hints = explain_chance(
                    lab.session(),
                    test,
                    limits=lab.limits,
                    seeded=lab.head.seeded,
                    isolate=lab.head.isolation != "none",
                    seed=lab.head.seed,
                )
        found = Diagnosis(nodeid, Dependence.CHANCE, alone, "", hints=tuple(hints), notes=(note,))
        for who in diagnose(lab, [test] if telling else [], telling, tell):
            if chains := tuple(chain for chain in who.chains if _decides(lab, chain, test, alone)):
                found = replace(who, chains=chains, hints=found.hints, notes=(note, *who.notes))
        yield replace(found, forks=lab.forks - before)


def _rates(lab: Lab, test: int, runs: Sequence[Run] = ()) -> tuple[str, str, list[Run]]:
    """How it ended alone, each time; what can be said of its failure rate by order; runs of orders that decide it."""
    alone = "".join(lab.last([(test,)] * REPEATS))
    otherwise = PASSING if set(alone) <= {*FAILING} else FAILING
    orders = {"alone": (test,), **_orders(lab, test, _shown(runs, test, otherwise))}
    ends = {name: alone if name == "alone" else "".join(lab.last([order] * REPEATS)) for name, order in orders.items()}
    failures = np.array([[sum(end in FAILING for end in each) for each in ends.values()]])
    times = np.array([[sum(end in FAILING + PASSING for end in each) for each in ends.values()]])
    counts = ", ".join(f"{k} of {n} {name}" for name, k, n in zip(ends, failures[0], times[0], strict=True) if n)
    if np.count_nonzero(times) < 2:
        said = f"whether the order has a say in it is not known: fails {counts or '0 of 0'}, no other order ran"
        return alone, said, []
    if failures.sum() in (0, times.sum()):
        return alone, f"in one interpreter it ends alike each time, whatever the order: fails {counts}", []
    p = float(order_test(failures, times).p[0])
    says = "depends on the order (NDOD)" if p < ALPHA else "does not visibly depend on the order (NDOI)"
    steady = set(alone).isdisjoint(otherwise)
    deciding = [name for name, each in ends.items() if steady and set(each) <= {*otherwise}]
    telling = [_run(lab, test, number, orders[name], ends[name][0]) for number, name in enumerate(deciding)]
    return alone, f"its failure rate {says}: fails {counts}, p = {p:.2g}", telling


def _run(lab: Lab, test: int, number: int, order: tuple[int, ...], end: str) -> Run:
    """As a hunt would have kept it."""
    outcomes = "".join(end if place == test else "-" for place in range(len(lab.head.ids)))
    return Run(0, "random", number, order, outcomes)


def _decides(lab: Lab, chain: Chain, test: int, alone: str) -> bool:
    """Whether after these tests, here and in a fresh interpreter, it always ends otherwise than alone: by no chance."""
    otherwise = FAILING if alone[0] in PASSING else PASSING
    order = (*map(lab.head.ids.index, chain.tests), test)
    return chain.cold in (*otherwise, "") and set("".join(lab.last([order] * REPEATS))) <= {*otherwise}


def _shown(runs: Sequence[Run], test: int, otherwise: str) -> Run | None:
    """The shuffled order in which it most often ended otherwise than alone; of these the one run most, the shortest."""
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        if run.kind in (*SHUFFLED, "replay") and run.outcomes[test] in PASSING + FAILING:
            groups.setdefault((run.iteration, run.of or run.name), []).append(run)
    share = {name: sum(run.outcomes[test] in otherwise for run in same) / len(same) for name, same in groups.items()}
    told = [(share[name], len(same), -same[0].order.index(test), name) for name, same in groups.items() if share[name]]
    return groups[max(told)[-1]][0] if told else None


def _orders(lab: Lab, test: int, shown: Run | None) -> dict[str, tuple[int, ...]]:
    """What is run up to the test, by name, besides the test alone: each order once, and of a long one the end."""
    n = len(lab.head.ids)
    whole = {"in file order": tuple(range(test + 1)), "in reverse": tuple(range(test, n))[::-1]}
    if shown:
        whole[f"in {shown.name}"] = shown.order[: shown.order.index(test) + 1]
    named = {order: name for name, order in reversed(whole.items()) if order != (test,)}  # each once, by its first name
    orders: dict[str, tuple[int, ...]] = {}
    for order, name in reversed(named.items()):
        end = _end_of(lab, order)
        short = f" (its last {len(end)} tests)" if len(end) < len(order) else ""
        orders[name + short] = end
    return orders


def _end_of(lab: Lab, order: tuple[int, ...]) -> tuple[int, ...]:
    """As much of its end as may be run again and again; the test and the one before it at least."""
    end = order[-LONGEST:]
    if len(end) <= 2:
        return end
    (done,) = lab.run([Order("lab", 0, end, fresh=not lab.head.forks)])
    many = int(len(end) * SECONDS / max(done.seconds, SECONDS)) if done else len(end)
    return end[-max(many, 2) :]
