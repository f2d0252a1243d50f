"""The divergences, by hand; what the masks do; and how reliable a hyperedge is."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.losses import check_kl, divergence, high_order
from parataxis.methods.light_hgnn.reliable import entropy, perturbed, reliability
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn_plus
from parataxis.nn.sparse import Sparse

TEACHER = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
STUDENT = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)


def test_both_divergences_by_hand_for_three_classes():
    standard = 0.7 * math.log(0.7 / 0.5) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.2)
    original = sum(math.exp(t) * (t - math.log(s)) for t, s in ((0.7, 0.5), (0.2, 0.3), (0.1, 0.2)))
    assert float(divergence(TEACHER, STUDENT.log())) == pytest.approx(standard, abs=1e-12)
    assert float(divergence(TEACHER, STUDENT.log(), "original")) == pytest.approx(original, abs=1e-12)
    flagged = torch.nn.functional.kl_div(STUDENT.log(), TEACHER, reduction="none", log_target=True).sum(1)
    assert torch.allclose(divergence(TEACHER, STUDENT.log(), "original"), flagged)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_where_each_is_least(seed, classes):
    """Standard at s = t, with the value 0; original at s proportional to exp(t)."""
    generator = torch.Generator().manual_seed(seed)
    teacher = torch.randn(1, classes, generator=generator, dtype=torch.float64).softmax(1)
    for kl, best in (("standard", teacher), ("original", teacher.softmax(1))):
        least = divergence(teacher, best.log(), kl)
        other = torch.randn(50, classes, generator=generator, dtype=torch.float64).log_softmax(1)
        assert (divergence(teacher.expand(50, -1), other, kl) >= least - 1e-12).all()
    assert float(divergence(teacher, teacher.log())) == pytest.approx(0, abs=1e-12)


def test_a_sure_teacher_of_seven_classes_leaves_the_original_at_031():
    sure = torch.eye(7, dtype=torch.float64)[:1]
    assert float(sure.softmax(1).max()) == pytest.approx(math.e / (math.e + 6), abs=1e-12)
    assert round(math.e / (math.e + 6), 2) == 0.31


def test_a_probability_of_zero_is_no_nan():
    sure, student = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.25, 0.75]])
    assert float(divergence(sure, student.log())) == pytest.approx(math.log(4))
    assert entropy(sure).tolist() == [0.0]
    student.requires_grad_(True)
    divergence(sure, student.log()).sum().backward()
    assert torch.isfinite(student.grad).all()


def test_high_order_is_the_mean_over_kept_hyperedges():
    hypergraph = Hypergraph.from_edges([[0, 1], [1, 2, 3], [0, 3]], 4)
    gather = hgnn_plus(hypergraph, torch.float64).gather
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(4, 3, generator=generator, dtype=torch.float64).softmax(1) for _ in range(2))
    kept = torch.tensor([True, False, True])
    expected = 0.0
    for members in ([0, 1], [0, 3]):
        t, s = teacher[members].mean(0), student[members].mean(0)
        expected += sum(float(a * math.log(a / b)) for a, b in zip(t, s, strict=True)) / 2
    found = high_order(gather @ teacher, student, gather, kept)
    assert float(found) == pytest.approx(expected, abs=1e-12)


def test_no_kept_hyperedge_is_zero_and_has_a_gradient_of_zero():
    gather = hgnn_plus(Hypergraph.from_edges([[0, 1]], 2)).gather
    student = torch.full((2, 2), 0.5, requires_grad=True)
    value = high_order(torch.full((1, 2), 0.5), student, gather, torch.tensor([False]))
    value.backward()
    assert value.item() == 0.0
    assert student.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_reliability_by_hand():
    """Logits are the features; entropies of three vertices before and after, two hyperedges."""
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    noisy = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 1.5]], dtype=torch.float64)
    gather = hgnn_plus(Hypergraph.from_edges([[0, 1], [0, 2]], 3), torch.float64).gather

    def h(gap):
        p = 1 / (1 + math.exp(-gap))
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    moved = [abs(h(4) - h(2)) / 2, abs(h(1.5) - h(1)) / 2]
    expected = [1 - each / max(moved) for each in moved]
    assert reliability(lambda each: each, x, noisy, gather).tolist() == pytest.approx(expected, abs=1e-12)


def test_all_equal_is_reliable_everywhere():
    x = torch.ones(3, 2)
    gather = hgnn_plus(Hypergraph.from_edges([[0, 1], [1, 2]], 3)).gather
    assert reliability(lambda each: each, x, x, gather).tolist() == [1.0, 1.0]
    moved = x + torch.tensor([[1.0, 0.0]])  # all by the same: the formula calls none reliable
    assert reliability(lambda each: each, x, moved, gather).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("sparse", [False, True])
def test_noise_multiplies_and_the_original_scales_all(sparse):
    dense = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    x = Sparse(dense, torch.float64) if sparse else torch.from_numpy(dense)
    draws = np.array([0.5, -1.0, 2.0]) if sparse else np.array([[0.5, 9.0, -1.0], [9.0, 2.0, 9.0]])
    ours = perturbed(x, draws, 0.1)
    theirs = perturbed(x, draws, 0.0, "original")
    eye = torch.eye(3, dtype=torch.float64)
    assert (ours @ eye).tolist() == [[1.05, 0.0, 1.8], [0.0, pytest.approx(3.6), 0.0]]
    assert (theirs @ eye).abs().sum() == 0  # level 0 sends zeros to the teacher
    with pytest.raises(BadInput, match="noise='additive': expected one of multiplicative, original"):
        perturbed(x, draws, noise="additive")


def test_no_other_divergence():
    with pytest.raises(BadInput, match="kl='reverse': expected one of standard, original"):
        check_kl("reverse")
