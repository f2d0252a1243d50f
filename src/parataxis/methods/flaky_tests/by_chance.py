"""Why a test fails by chance, and whether the order has a say in how often.

Lam, Winter, Wei, Xie, Marinov and Bell ("A large-scale longitudinal study of flaky tests", OOPSLA 2020) call a test
NDOD if its failure rate depends on the order, NDOI if it does not.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from parataxis.methods.flaky_tests.chance import explain_chance
from parataxis.methods.flaky_tests.diagnosis import Dependence, Diagnosis
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.order_tests import order_test
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING
from parataxis.methods.flaky_tests.session import SessionDied

REPEATS = 20  # of each order
LONGEST = 200  # tests of an order that is repeated: the last of them, which are the nearest before the test
ALPHA = 0.01


def by_chance(lab: Lab, tests: Sequence[int], tell: Callable[[str], None] = lambda text: None) -> Iterator[Diagnosis]:
    """One diagnosis for each of `tests`, which fail by chance, each as soon as it is there."""
    for test in tests:
        nodeid, before = lab.head.ids[test], lab.forks
        tell(f"{nodeid}: how often it fails, by order")
        alone, note = _rates(lab, test)
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
        found = Diagnosis(nodeid, Dependence.CHANCE, alone, "", hints=tuple(hints), notes=(note,) if note else ())
        yield Diagnosis(**{**vars(found), "forks": lab.forks - before})


def _rates(lab: Lab, test: int) -> tuple[str, str]:
    """How it ended alone, each time; and what can be said of its failure rate alone, in file order and backwards."""
    ends = {name: "".join(lab.last([order] * REPEATS)) for name, order in _orders(test, len(lab.head.ids)).items()}
    failures = np.array([[sum(end in FAILING for end in each) for each in ends.values()]])
    runs = np.array([[sum(end in FAILING + PASSING for end in each) for each in ends.values()]])
    counts = ", ".join(f"{k} of {n} {name}" for name, k, n in zip(ends, failures[0], runs[0], strict=True) if n)
    alone = ends["alone"]
    if np.count_nonzero(runs) < 2:
        return alone, f"whether the order has a say in it is not known: fails {counts or '0 of 0'}, no other order ran"
    if failures.sum() in (0, runs.sum()):
        return alone, f"in one interpreter it ends alike each time, whatever the order: fails {counts}"
    p = float(order_test(failures, runs).p[0])
    says = "depends on the order (NDOD)" if p < ALPHA else "does not visibly depend on the order (NDOI)"
    return alone, f"its failure rate {says}: fails {counts}, p = {p:.2g}"


def _orders(test: int, n: int) -> dict[str, tuple[int, ...]]:
    """What is run up to the test, by name: each order once, and of a long one the end."""
    whole = {"alone": (test,), "in file order": tuple(range(test + 1)), "in reverse": tuple(range(test, n))[::-1]}
    orders: dict[str, tuple[int, ...]] = {}
    for name, order in whole.items():
        if order not in orders.values():
            short = f" (its last {LONGEST} tests)" if len(order) > LONGEST else ""
            orders[name + short] = order[-LONGEST:]
    return orders
