"""The published accuracies over all 24 orders, read off the official figures: is the set-based one among them?"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table

CLAIMS = ("within-all-orders", "gap-over-all-orders")
DRAWS = 2_000


@dataclass(frozen=True)
class Cell:
    """A model on a subject: its accuracy with sets, and in each order that the figure shows."""

    subject: str
    model: str
    sets: float
    orders: tuple[float, ...]

    def holds(self, accuracy: float) -> bool:
        return min(self.orders) <= accuracy <= max(self.orders)

    @property
    def gap(self) -> float:
        return self.sets - float(np.mean(self.orders))


def read_cells(path: Path) -> list[Cell]:
    with open(path, newline="") as stream:
        return [
            Cell(
                row["subject"],
                row["model"],
                float(row["set_based_accuracy"]),
                tuple(map(float, row["order_accuracies_sorted"].split())),
            )
            for row in csv.DictReader(stream)
        ]


def measure(read: Callable[[], list[Cell]], real: bool, ctx: Any) -> Iterator[Measurement | Table]:
    if all(map(ctx.done, CLAIMS)):
        return
    cells, rng = read(), ctx.rng("subjects")
    models = list(dict.fromkeys(cell.model for cell in cells))
    rows: list[list[str | int | float | None]] = []
    for model in models:
        mine = [cell for cell in cells if cell.model == model]
        inside = sum(cell.holds(cell.sets) for cell in mine)
        width = float(np.mean([max(cell.orders) - min(cell.orders) for cell in mine]))
        rows.append([model, inside, len(mine), width, float(np.mean([cell.gap for cell in mine]))])
    columns = ("model", "inside", "subjects", "mean range over orders", "mean gap to the mean of orders")
    yield Table("mmlu-orders", columns, rows, "Published set-based accuracies among those of all 24 orders, MMLU.")
    all_inside = float(sum(cell.holds(cell.sets) for cell in cells))
    moved = zip(cells, cells[len(models) :] + cells[: len(models)], strict=True)
    null = float(sum(cell.holds(other.sets) for cell, other in moved))
    yield Measurement(CLAIMS[0], all_inside, all_inside, all_inside, len(cells), "cells", null=null, real=real)
    by_subject = defaultdict(list)
    for cell in cells:
        by_subject[cell.subject].append(cell.gap)
    means = np.array([np.mean(gaps) for gaps in by_subject.values()])
    drawn = means[rng.integers(len(means), size=(DRAWS, len(means)))].mean(1)
    value = float(means.mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    yield Measurement(CLAIMS[1], value, min(float(low), value), max(float(high), value), len(cells), "share", real=real)
