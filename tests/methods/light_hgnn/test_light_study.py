"""How claims are made of numbers: intervals, counted work, the figure; and what is timed answers alike."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn import study_anchors
from parataxis.methods.light_hgnn.contest import Teacher, check_seconds, contestants, timed
from parataxis.methods.light_hgnn.model import HGNN, VertexMLP
from parataxis.methods.light_hgnn.scores import Estimate
from parataxis.methods.light_hgnn.student import Student
from parataxis.methods.light_hgnn.study import DATA
from parataxis.methods.light_hgnn.study_accuracy import average, by_set, figure, gain
from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.methods.light_hgnn.work import cost, laplacian_size
from parataxis.nn.fit import named
from parataxis.nn.hypergraph import Hypergraph

RNG = np.random.default_rng(0)
EDGES = [RNG.choice(30, size, replace=False) for size in (2, 3, 9, 4, 1, 6)]
HYPERGRAPH = Hypergraph.from_edges(EDGES, 30)
X = csr_array((RNG.random((30, 5)) * (RNG.random((30, 5)) < 0.5)).astype(np.float32))


def test_an_interval_is_students_t():
    """By a table: t = 2.776 at 4 degrees of freedom."""
    found = Estimate.of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.value == 3
    assert found.high - 3 == pytest.approx(2.776445 * np.sqrt(2.5 / 5), abs=1e-5)
    assert str(found) == "3.0 [1.0, 5.0]"
    assert Estimate.of([2.0]).low == 2.0


def test_differences_are_paired_by_seed():
    units = {"a": [{"x": 0.5, "y": 0.4}, {"x": 0.7, "y": 0.6}], "b": [{"x": 0.9, "y": 0.6}, {"x": 0.8, "y": 0.5}]}
    both = by_set(units, gain("x", "y"))
    assert both["a"].value == pytest.approx(10)
    assert both["a"].high - both["a"].low == pytest.approx(0, abs=1e-9)  # though x and y vary by 20 points
    assert average(units, gain("x", "y")).value == pytest.approx(20)


def test_what_is_far_from_its_anchor_is_shown_as_such():
    units = {
        name: [
            {**{model: mean / 100 for model, (mean, _) in cells.items()}, "cpu-seconds": 30.0, "propagated": 0.6}
            | dict.fromkeys(("unseen mlp", "unseen light", "unseen hgnn"), 0.7)
            for _ in range(5)
        ]
        for name, (_, cells) in study_anchors.ANCHORS.items()
    }
    assert set(units) == set(DATA)
    units["dblp_conf"][0]["mlp"] += 0.2  # 4 points of the mean of five
    units["dblp_term"][0]["mlp"] += 0.1  # 2 points: still within
    anchors, beside, cost = study_anchors.tables(units, 200)
    assert anchors.rows[-1][:3] == ["dblp_conf", "2, 5", "64.7 ± 2.2, 68.7: outside, +4.0"]
    assert sum("outside" in str(cell) for row in anchors.rows for cell in row) == 1
    assert "1 of 30 cells" in anchors.caption
    told = ["70.8, 70.0", "-, 70.0"]  # of the HGNN on held-out vertices, and where they have none
    assert [row[-1] for row in beside.rows[:2]] == told
    assert [row[2] for row in beside.rows[:2]] == ["67.9, 60.0: outside, -7.9", "62.8, 60.0: outside, -2.8"]
    assert "of 15 cells" in beside.caption
    assert cost.rows[-1] == ["all, 3 seeds", "", 9.0]
    assert "15 were allowed: kept" in cost.caption
    assert [each.name for each in study_anchors.tables(units, 100)] == ["cost"]  # another recipe has no anchor


def test_the_laplacian_is_counted_not_made():
    h = HYPERGRAPH.incidence().toarray()
    assert laplacian_size(HYPERGRAPH) == int((h @ h.T > 0).sum())
    one = Hypergraph.from_edges([range(1500)], 1500)
    assert laplacian_size(one) == 1500**2


def test_work_by_hand():
    """4 vertices, hyperedges {0, 1} and {1, 2}, vertex 3 alone; 6 non-zeros; 2 and 3 hidden units, 2 classes."""
    found = cost("small", Hypergraph.from_edges([[0, 1], [1, 2]], 4), 6, 2, Recipe(teacher_hidden=2, hidden=3))
    assert (found.laplacian, found.memberships) == (8, 5)
    assert found.materialised == 6 * 2 + 4 * 2 * 2 + 8 * (2 + 2)
    assert found.factorised == found.materialised  # 8 non-zeros are fewer than twice 5
    assert found.student == 6 * 3 + 4 * 3 * 2
    found = cost("large", Hypergraph.from_edges([range(4)], 4), 6, 2, Recipe(teacher_hidden=2, hidden=3))
    assert found.materialised == 6 * 2 + 4 * 2 * 2 + 16 * (2 + 2)
    assert found.factorised == 6 * 2 + 4 * 2 * 2 + 2 * 4 * (2 + 2)


def test_the_figure_is_drawn():
    numbers = {f"{seen}{model}": 0.5 for seen in ("", "unseen ") for model in ("mlp", "light", "hgnn")}
    drawn = figure({"one": [numbers, numbers], "two": [numbers, numbers]})
    assert b"transductive" in drawn.image
    assert b"held-out vertices" in drawn.image


def in_torch(teacher):
    model = HGNN(5, 3, 4).eval()
    with torch.no_grad():
        for own, (weight, bias) in ((model.first, teacher.first), (model.second, teacher.second)):
            own.weight.copy_(torch.from_numpy(weight.T))
            own.bias.copy_(torch.from_numpy(bias))
        return model(torch.from_numpy(teacher.x.toarray()), HGNN.propagation(teacher.hypergraph)).numpy()


@pytest.mark.parametrize("vertex", [0, 7, 29])
def test_all_ways_give_the_teachers_answer(vertex):
    teacher = Teacher.random(HYPERGRAPH, X, 4, 3, named(0)("teacher"))
    expected = in_torch(teacher)
    student = Student.of(VertexMLP(5, 3, 6).eval(), range(3), unit=False)
    for each in contestants(teacher, student, vertex):
        wanted = student.logits(X) if each.name.startswith("student") else expected
        for situation, answer in each.begin().items():
            found = np.asarray(answer())
            whole = found.shape == (30, 3)
            assert np.allclose(found, wanted if whole else wanted[vertex], atol=1e-5), (each.name, situation)


def test_timed_again_and_again():
    teacher = Teacher.random(HYPERGRAPH, X.toarray(), 4, 3, named(0)("teacher"))
    student = Student.of(VertexMLP(5, 3, 6).eval(), range(3), unit=False)
    found = [each for way in contestants(teacher, student, 0) for each in timed(way, 0.001)]
    assert len(found) == 17
    assert all(0 < each.median <= each.high and each.runs >= 3 for each in found)
    with pytest.raises(BadInput, match=r"seconds=0\.0: must be above 0"):
        check_seconds(0.0)
