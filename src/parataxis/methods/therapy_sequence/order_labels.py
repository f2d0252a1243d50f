"""Names, labels and parts: how a model is written down and its work cut up. Only which cycle is which may matter."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from parataxis.methods.therapy_sequence.curve_files import places_by_cycle
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.model import EVERY, Model
from parataxis.methods.therapy_sequence.parts import Strategy
from parataxis.methods.therapy_sequence.plan import Plan
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.simulate import simulate
from parataxis.methods.therapy_sequence.tables import TransitionTable

Row = tuple[int, float, float]  # a cycle's label, its probabilities of progression and of death


def expected(plan: Plan) -> tuple[float, float]:
    """Cost and QALYs."""
    found = Expected.of(plan)
    return found.cost, found.qaly


def by_parts(plan: Plan, parts: Sequence[Sequence[int]], seed: int = 0) -> list[tuple[int, float, float]]:
    """Patients' numbers, costs and QALYs, each part walked by a worker of its own; sorted by patient."""

    def walk(part: Sequence[int]) -> list[tuple[int, float, float]]:
        found = simulate(plan, [*part, 0], seed)  # one more, so that one may be asked for alone
        return list(zip(part, found.cost.tolist(), found.qaly.tolist(), strict=False))

    with ThreadPoolExecutor(len(parts)) as workers:
        return sorted(row for rows in workers.map(walk, parts) for row in rows)


def rows_of(table: TransitionTable) -> list[Row]:
    """A row a cycle."""
    return list(zip(range(1, len(table.death) + 1), table.progression.tolist(), table.death.tolist(), strict=True))


def with_first_line(model: Model, drug: str, rows: Sequence[Row]) -> Model:
    """The model with these rows, in whatever order, for a drug's first line."""
    table = pd.DataFrame(rows, columns=["cycle", "progression", "death"])
    table = table.iloc[places_by_cycle(table, "row ")]
    made = model.with_parts()
    own = TransitionTable(table["progression"].to_numpy(), table["death"].to_numpy(), model.behaviour.form)
    made.tables = model.tables | {(drug, 0): own}
    return made


def swapped_neighbours(model: Model) -> Iterator[tuple[str, Model]]:
    """A first drug and the model in which two of its neighbouring cycles have each other's label."""
    for drug in dict.fromkeys(each.drugs[0] for each in model.strategies):
        rows = rows_of(model.table(drug, 0))
        for place in range(len(rows) - 1):
            one, other = rows[place : place + 2]
            swapped = [(other[0], *one[1:]), (one[0], *other[1:])]
            yield drug, with_first_line(model, drug, [*rows[:place], *swapped, *rows[place + 2 :]])


def drawn(model: Model, n: int, seed: int = 0) -> Any:
    """Costs and QALYs [draw, strategy, 2] of a sensitivity analysis."""
    found = psa(model, n, seed).draws
    return np.stack([found.cost, found.qaly], axis=2)


def renamed(model: Model) -> Model:
    """Other names for drugs and strategies, in the reverse alphabetical order."""
    parts, known = model.parts, model.strategies
    drugs = _others([each.id for each in parts.drugs])
    names = _others([each.name for each in known])
    orders = {each.name: " then ".join(drugs[drug] for drug in each.drugs) for each in model.all_orders()}
    keys = orders | names | {EVERY: EVERY}
    lines = {
        each.id: tuple(replace(line, deaths_of=drugs.get(line.deaths_of, "")) for line in each.lines)
        for each in parts.drugs
    }
    return model.with_parts(
        drugs=tuple(replace(each, id=drugs[each.id], lines=lines[each.id]) for each in parts.drugs),
        strategies=tuple(
            Strategy(name=names[each.name], drugs=tuple(drugs[drug] for drug in each.drugs)) for each in known
        ),
        extensive=replace(
            parts.extensive,
            own=tuple(replace(each, strategy=keys.get(each.strategy, each.strategy)) for each in parts.extensive.own),
        ),
        settings={
            name: {keys.get(who, who): value for who, value in table.items()} for name, table in parts.settings.items()
        },
        parameters=tuple(replace(each, drug=drugs.get(each.drug, "")) for each in parts.parameters),
        targets=tuple(replace(each, strategy=names[each.strategy]) for each in parts.targets),
    )


def _others(names: Sequence[str]) -> dict[str, str]:
    return {name: f"{place:03} of {len(names)}" for place, name in enumerate(sorted(names, reverse=True), 1)}
