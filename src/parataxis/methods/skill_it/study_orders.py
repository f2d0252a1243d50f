"""For each symmetry the system it is true of, and a twin with a mistake that makes position matter."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from parataxis.claims import System
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.graph import SkillGraph
from parataxis.methods.skill_it.sampler import Fixed, SkillBatchSampler
from parataxis.methods.skill_it.tasks import Task, lego_task
from parataxis.methods.skill_it.training import Listed, Plan, begun, train
from parataxis.nn.fit import named
from parataxis.nn.threads import one_thread

EXACT, CLOSE = 1e-12, 1e-6
TRAIN, EVALUATED, ROWS = 6, 4, 40
Row = Float[np.ndarray, " value"]  # a skill: its number and its edges; or its number, loss and edges


def systems(rng: Any) -> dict[str, System]:
    """Items are rows of the graph, columns with their losses, records, names of skills, or rows of examples."""
    matrix = rng("matrix").normal(size=(TRAIN, EVALUATED))
    losses = rng("losses").uniform(0.1, 2, EVALUATED)
    skills = [np.array([at, *row]) for at, row in enumerate(matrix)]
    columns = [np.array([at, losses[at], *column]) for at, column in enumerate(matrix.T)]
    records = list(rng("records").uniform(0.1, 2, (4, EVALUATED)))
    names = ["a", "b", "c", "d", "e"]
    examples = list(range(8))
    found = {
        "skills": System(_by_skill, skills, twin=_prior_by_place, per_item=True, compare=EXACT),
        "columns": System(_by_column, columns, twin=_losses_by_place, compare=EXACT),
        "records": System(_by_record, records, twin=_shorter_window, compare=EXACT),
        "draws": System(_draws, names, twin=_streams_by_place),
        "validation": System(_validated, examples, twin=_weighted_by_place, compare=CLOSE),
        "training": System(_trained, examples),
    }
    return {name: replace(each, run=_alone(each.run), twin=_alone(each.twin)) for name, each in found.items()}


def _alone(run: Any) -> Any:
    """On one thread."""
    return None if run is None else one_thread()(run)


def _fixed_matrix(rows: int, columns: int) -> Float[np.ndarray, "row column"]:
    return np.sin(np.arange(rows * columns, dtype=float)).reshape(rows, columns)


def _controller(matrix: Any, rows: Any, columns: Any, **options: Any) -> SkillIt:
    named_rows, named_columns = (
        tuple(f"{kind}{int(each)}" for each in its) for kind, its in (("t", rows), ("e", columns))
    )
    return SkillIt(SkillGraph(np.asarray(matrix, float), named_rows, named_columns), **options)


def _by_skill(rows: Sequence[Row], by_place: bool = False) -> list[float]:
    table = np.stack(list(rows)).astype(float)
    prior = {f"t{int(number)}": 1.0 + place for place, number in enumerate(table[:, 0])} if by_place else None
    control = _controller(table[:, 1:], table[:, 0], range(EVALUATED), prior=prior)
    return list(control.update({f"e{at}": 0.5 + at for at in range(EVALUATED)}).values())


def _prior_by_place(rows: Sequence[Row]) -> list[float]:
    return _by_skill(rows, by_place=True)


def _by_column(columns: Sequence[Row], by_place: bool = False) -> list[float]:
    table = np.stack(list(columns)).astype(float)
    control = _controller(table[:, 2:].T, range(TRAIN), table[:, 0])
    losses = 0.5 + np.arange(len(table)) if by_place else table[:, 1]
    found = control.update({f"e{int(number)}": float(each) for number, each in zip(table[:, 0], losses, strict=True)})
    return list(found.values())


def _losses_by_place(columns: Sequence[Row]) -> list[float]:
    return _by_column(columns, by_place=True)


def _by_record(records: Sequence[Row], shorter: bool = False) -> list[float]:
    control = _controller(
        _fixed_matrix(TRAIN, EVALUATED), range(TRAIN), range(EVALUATED), window=len(records) - shorter
    )
    for record in records:
        control.record({f"e{at}": float(each) for at, each in enumerate(record)})
    return list(control.update().values())


def _shorter_window(records: Sequence[Row]) -> list[float]:
    return _by_record(records, shorter=True)


def _draws(names: Sequence[str], by_place: bool = False) -> list[Any]:
    """Two rounds; how much of each skill, and what rows it has, is a matter of its name."""
    keys = [f"{place}" for place in range(len(names))] if by_place else list(names)
    numbers = [ord(name) for name in names]
    groups = {key: np.arange(100 * number, 100 * number + 20) for key, number in zip(keys, numbers, strict=True)}
    weights = {key: float(number % 7 + 1) for key, number in zip(keys, numbers, strict=True)}
    total = sum(sorted(weights.values()))
    sampler = SkillBatchSampler(groups, Fixed({key: each / total for key, each in weights.items()}), 4, 16)
    return [batch for _ in range(2) for batch in sampler.round()]


def _streams_by_place(names: Sequence[str]) -> list[Any]:
    return _draws(names, by_place=True)


@cache
def _task() -> Task:
    return lego_task(named(0, "orders"), ROWS, validation=4, depth=1, width=8)


def _validated(rows: Sequence[int], by_place: bool = False) -> float:
    task = _task()
    some = replace(task, validation={"all": np.array(list(rows))}, test={})
    loss = some.evaluate(begun(task, named(0)))["validation all"]
    return loss * (1 + 0.01 * rows[0]) if by_place else loss


def _weighted_by_place(rows: Sequence[int]) -> float:
    return _validated(rows, by_place=True)


def _trained(rows: Sequence[int]) -> list[float]:
    """The losses of a model that was trained on these examples, once, in this order."""
    plan = Plan(2, len(rows) // 2, 2, 2, lr=0.05, warm_up=0)
    task = replace(_task(), validation={"first": np.arange(1)}, test={})  # a fit validates; nobody asks for this
    model, _ = train(task, Listed(np.array(list(rows)), plan), plan, named(0))
    with torch.no_grad():
        return [float(each) for each in task.losses(model, np.arange(8))[0]]
