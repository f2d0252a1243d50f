"""The command `bench`: how long each way of answering takes on the user's own vertices and hyperedges."""

import numpy as np

from parataxis.columns import aligned
from parataxis.methods.light_hgnn.contest import SITUATIONS, Teacher, Timing, contestants, timed
from parataxis.methods.light_hgnn.dataset import Dataset, unit_rows
from parataxis.methods.light_hgnn.model import VertexMLP
from parataxis.methods.light_hgnn.student import Student
from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.nn.fit import named, seeded
from parataxis.nn.threads import one_thread

STUDENT = "student, NumPy"  # whose latency the ratios are over


def bench(data: Dataset, hidden: int, seconds: float, seed: int) -> list[Timing]:
    """On one thread, with untrained weights: what they are changes no time."""
    x, rng = unit_rows(data.x).astype(np.float32), named(seed)
    classes, recipe = len(data.classes), Recipe()
    teacher = Teacher.random(data.hypergraph, x, recipe.teacher_hidden, classes, rng("teacher"))
    with seeded(rng("student")):
        student = Student.of(VertexMLP(x.shape[1], classes, hidden), data.classes, unit=True)
    vertex = int(np.argmax(data.hypergraph.degrees))
    with one_thread():
        return [each for way in contestants(teacher, student, vertex) for each in timed(way, seconds)]


def told(found: list[Timing], hidden: int) -> str:
    """A table a situation; ratios name what they are over. hidden: units of the student."""
    parts = [f"one thread, untrained weights; hidden units: {Recipe().teacher_hidden} in HGNN, {hidden} in the student"]
    for situation in SITUATIONS:
        rows = [[situation, "median", "95%", "set-up", f"over {STUDENT}"]]
        some = [each for each in found if each.situation == situation]
        base = next(each.median for each in some if each.way == STUDENT)
        rows += [
            [each.way, _time(each.median), _time(each.high), _time(each.setup), f"{each.median / base:.3g}"]
            for each in some
        ]
        parts.append(aligned(rows))
    return "\n\n".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
