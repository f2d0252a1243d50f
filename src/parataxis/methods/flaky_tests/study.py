"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.methods.flaky_tests import (
    study_chance,
    study_cleaners,
    study_environments,
    study_projects,
    study_published,
)
from parataxis.methods.flaky_tests.classes import classify
from parataxis.methods.flaky_tests.order_tests import order_test
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.schedules import reverse, shuffle
from parataxis.methods.flaky_tests.study_inputs import Inputs, load, toy

__all__ = ["study", "systems", "toy"]

RUN_SUITES = (study_chance, study_cleaners, study_environments, study_projects)


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries; the data sets are whole at every scale but the toy's.

    Each part yields its tables and figures before its last claim, for it is not run again once its claims are kept.
    """
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    for claims, part in study_published.PARTS.items():
        if not all(map(ctx.done, claims)):
            for found in part(inputs, ctx.rng):
                yield replace(found, real=inputs.real) if isinstance(found, Measurement) else found
    for each in RUN_SUITES:
        if not all(map(ctx.done, each.CLAIMS)):
            yield from each.measure(inputs, ctx)
    for symmetry, system in systems(inputs).items():
        if not ctx.done(symmetry):
            yield replace(ctx.audit(symmetry, system, system.items), real=False)


def systems(inputs: Inputs) -> dict[str, System]:
    """For each symmetry what it is true of, and a twin with a mistake that makes the outcome depend on position."""
    ids, runs = inputs.ids, inputs.runs
    histories = [(nodeid, "".join(run.outcomes[test] for run in runs)) for test, nodeid in enumerate(ids)]
    counts = [(7, 20), (1, 30), (2, 20), (0, 40), (1, 20)]  # failures and runs of one test in five orders

    def arrival(arrived: list[Run]) -> list[str]:
        return [kind.value for kind in classify(arrived, len(ids))]

    def iteration_by_place(arrived: list[Run]) -> list[str]:
        return arrival([replace(run, iteration=place // 6) for place, run in enumerate(arrived)])

    def relabelling(tests: list[tuple[str, str]]) -> list[str]:
        told = [
            replace(run, outcomes="".join(history[place] for _, history in tests)) for place, run in enumerate(runs)
        ]
        return [kind.value for kind in classify(told, len(tests))]

    def first_decides(tests: list[tuple[str, str]]) -> list[str]:
        return [relabelling(tests)[0]] * len(tests)

    def collection(collected: list[str]) -> list[str]:
        return [collected[place] for place in shuffle(collected, 0, 0)]

    def by_place(collected: list[str]) -> list[str]:
        return [collected[place] for place in np.random.default_rng(0).permutation(len(collected))]

    def orders(table: list[tuple[int, int]]) -> float:
        failures, passes = np.array(table).T[:, None]
        return float(order_test(failures, passes).p[0])

    def first_order_twice(table: list[tuple[int, int]]) -> float:
        return orders([table[0], *table])

    return {
        "arrival": System(arrival, runs, twin=iteration_by_place),
        "relabelling": System(relabelling, histories, twin=first_decides, per_item=True),
        "collection": System(collection, ids, twin=by_place),
        "orders": System(orders, counts, twin=first_order_twice),
        "reverse": System(lambda collected: [collected[place] for place in reverse(collected)], ids),
    }
