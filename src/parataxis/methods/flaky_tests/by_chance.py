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
from parataxis.methods.flaky_tests.session import Order, SessionDied

REPEATS = 20  # of each order
# Of a longer order, the end is repeated: what matters to a test mostly comes soon before it.
LONGEST = 200  # tests
SECONDS = 3.0
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
    orders = _orders(lab, test)
    ends = {name: "".join(lab.last([order] * REPEATS)) for name, order in orders.items()}
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


def _orders(lab: Lab, test: int) -> dict[str, tuple[int, ...]]:
    """What is run up to the test, by name: each order once, and of a long one the end."""
    n = len(lab.head.ids)
    whole = {"alone": (test,), "in file order": tuple(range(test + 1)), "in reverse": tuple(range(test, n))[::-1]}
    orders: dict[str, tuple[int, ...]] = {}
    for name, order in whole.items():
        if order not in orders.values():
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
