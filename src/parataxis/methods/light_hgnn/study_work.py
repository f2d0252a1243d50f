"""The claims about speed, by counted work."""

from collections.abc import Iterator
from typing import Any

from parataxis.claims import Measurement, Table
from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.methods.light_hgnn.work import CLASSES, DIMENSION, N, cost, synthetic

CLAIMS = ("work-materialised", "work-factorised")
NAMED = "dblp_term"  # the data set of the claims


def measure(data: dict[str, Dataset], recipe: Recipe, real: bool, rng: Any) -> Iterator[Measurement | Table]:
    found = [cost(name, each.hypergraph, each.x.nnz, len(each.classes), recipe) for name, each in data.items()]
    if real:
        for size in (10, 100):
            made = synthetic(size, rng("synthetic", size))
            found.append(cost(f"synthetic, edges of {size}", made, N * DIMENSION, CLASSES, recipe))
    rows: list[list[Any]] = [
        [
            each.name,
            each.memberships,
            each.laplacian,
            *(round(number / 1e6, 2) for number in (each.materialised, each.factorised, each.student)),
            round(each.materialised / each.student, 2),
            round(each.factorised / each.student, 2),
        ]
        for each in found
    ]
    columns = (
        *("hypergraph", "memberships", "Laplacian's non-zeros"),
        *("HGNN, Laplacian", "HGNN, factorised", "student"),
        *("Laplacian / student", "factorised / student"),
    )
    caption = (
        f"Millions of multiply-adds of one pass over all vertices; hidden units {recipe.teacher_hidden} in the "
        f"teacher, {recipe.hidden} in the student. Factorised: two steps, or the Laplacian where its non-zeros are no "
        "more than theirs. benchmarks/light_hgnn.py times them."
    )
    yield Table("work", columns, rows, caption)
    chosen = next((each for each in found if each.name == NAMED), found[0])
    for claim, number in zip(CLAIMS, (chosen.materialised, chosen.factorised), strict=True):
        ratio = number / chosen.student
        yield Measurement(claim, ratio, ratio, ratio, 1, real=real, data=chosen.name)
