"""Any teacher's logits into an MLP: what is asked of the teacher, and what the loss is."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.losses import divergence
from parataxis.methods.light_hgnn.model import HGNN, TEACHERS, teacher_class
from parataxis.methods.light_hgnn.teaching import (
    Guide,
    Recipe,
    Reliable,
    distill,
    find_reliable,
    learn_alone,
    teach,
)
from parataxis.nn.fit import Checkpoint, named
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import hgnn_plus
from parataxis.nn.sparse import Sparse

N, D, C = 40, 6, 2
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % C
X = RNG.random((N, D)) * (RNG.random((N, D)) < 0.7) + 2 * np.eye(D)[LABELS]
EDGES = [np.flatnonzero(each % C == LABELS)[RNG.random(N // C) < 0.3] for each in range(12)]
HYPERGRAPH = Hypergraph.from_edges([each for each in EDGES if len(each)], N).with_singletons()
GUIDE = Guide.of(LABELS, np.arange(8), np.arange(8, 20))
SMALL = Recipe(hidden=32, teacher_hidden=8, dropout=0.2, epochs=60)
BRIEF = Recipe(hidden=8, dropout=0.2, epochs=20)


def weights(taught):
    return [each.numpy().tobytes() for each in taught.model.state_dict().values()]


def right(taught):
    return float((taught.logits.argmax(1).numpy() == LABELS).mean())


@pytest.mark.parametrize("name", list(TEACHERS))
def test_every_teacher_learns_and_teaches(name):
    through = teacher_class(name).propagation(HYPERGRAPH)
    taught = teach(name, Sparse(X), through, GUIDE, C, named(0, "teacher"), SMALL)
    assert right(taught) > 0.9
    assert not taught.logits.requires_grad
    student = distill(taught.logits, Sparse(X), named(0, "student"), GUIDE, recipe=SMALL)
    assert right(student) > 0.9


def test_logits_in_double_precision_teach_as_single_ones_do():
    gather = hgnn_plus(HYPERGRAPH).gather
    reliable = Reliable(gather, torch.full((len(HYPERGRAPH),), 0.5))
    logits = torch.from_numpy(X[:, :2])
    taught = [
        distill(each, torch.from_numpy(X).float(), named(0), GUIDE, reliable, BRIEF)
        for each in (logits, logits.float())
    ]
    assert torch.allclose(*(each.logits for each in taught), atol=1e-3)


def test_any_teachers_logits_dense_features_no_labels():
    logits = torch.from_numpy(X[:, :3] - X[:, 3:]).float()  # of no model at all
    student = distill(logits, torch.from_numpy(X).float(), named(0), recipe=SMALL)
    agreement = (student.logits.argmax(1) == logits.argmax(1)).float().mean()
    assert float(agreement) > 0.85
    assert student.fitted.best == SMALL.epochs - 1


def test_sparse_and_dense_features_are_the_same_training():
    logits = torch.from_numpy(X[:, :2]).float()
    brief = Recipe(hidden=8, epochs=5)
    sparse, dense = (
        distill(logits, x, named(0), GUIDE, recipe=brief).logits for x in (Sparse(X), torch.from_numpy(X).float())
    )
    assert torch.allclose(sparse, dense, atol=1e-5)


def test_the_teacher_is_asked_once_and_gets_no_gradient(monkeypatch):
    through = HGNN.propagation(HYPERGRAPH)
    teacher = teach("hgnn", Sparse(X), through, GUIDE, C, named(0), Recipe(teacher_hidden=4, epochs=2))
    reliable = find_reliable(teacher, Sparse(X), HYPERGRAPH, through, named(0), SMALL)
    monkeypatch.setattr(HGNN, "forward", lambda *_: pytest.fail("the teacher was asked again"))
    logits = teacher.logits.clone().requires_grad_(True)
    distill(logits, Sparse(X), named(0), GUIDE, reliable, Recipe(hidden=8, epochs=3))
    assert logits.grad is None


def test_reliability_is_measured_in_eval_mode():
    through = HGNN.propagation(HYPERGRAPH)
    teacher = teach("hgnn", Sparse(X), through, GUIDE, C, named(0), Recipe(teacher_hidden=4, epochs=5))
    teacher.model.train()
    first = find_reliable(teacher, Sparse(X), HYPERGRAPH, through, named(0), SMALL).rho
    teacher.model.train()
    again = find_reliable(teacher, Sparse(X), HYPERGRAPH, through, named(0), SMALL).rho
    assert torch.equal(first, again)  # no dropout moves it; the noise is one draw by name
    assert 0 <= float(first.min()) == 0.0 < float(first.max()) <= 1


def test_the_first_loss_is_as_written_down():
    """One epoch, no dropout, learning rate 0: lambda CE + (1 - lambda)(L_soft + L_ho), all hyperedges kept."""
    recipe = Recipe(hidden=8, dropout=0.0, epochs=1, lr=0.0, weight_decay=0.0, label_share=0.3, temperature=2.0)
    logits = torch.from_numpy(X[:, :2]).float()
    gather = hgnn_plus(HYPERGRAPH).gather
    reliable = Reliable(gather, torch.ones(len(HYPERGRAPH)))
    taught = distill(logits, Sparse(X), named(0), GUIDE, reliable, recipe)
    taught.model.train()
    with torch.no_grad():
        z = taught.model(Sparse(X))
    t, log_s = (logits / 2).softmax(1), (z / 2).log_softmax(1)
    soft = divergence(t, log_s).mean()
    mean = [[each[edge].mean(0) for edge in map(list, HYPERGRAPH)] for each in (t, log_s.exp())]
    ho = torch.stack([(a * (a / b).log()).sum() for a, b in zip(*mean, strict=True)]).mean()
    hard = torch.nn.functional.cross_entropy(z[:8], torch.from_numpy(LABELS[:8]))
    expected = 0.3 * hard + 0.7 * (soft + ho)
    assert taught.fitted.history.loss.iloc[0] == pytest.approx(float(expected), rel=1e-5)


def test_no_reliable_hyperedge_is_lighthgnn():
    """All masks empty: L_ho is 0 in every step, and nothing is NaN."""
    logits, recipe = torch.from_numpy(X[:, :2]).float(), Recipe(hidden=8, epochs=4)
    none = Reliable(hgnn_plus(HYPERGRAPH).gather, torch.zeros(len(HYPERGRAPH)))
    plain, masked = (distill(logits, Sparse(X), named(0), GUIDE, each, recipe) for each in (None, none))
    assert weights(plain) == weights(masked)


def test_masks_are_drawn_anew_in_every_step():
    logits, recipe = torch.from_numpy(X[:, :2]).float(), Recipe(hidden=8, epochs=4, dropout=0.0, lr=0.0)
    half = Reliable(hgnn_plus(HYPERGRAPH).gather, torch.full((len(HYPERGRAPH),), 0.5))
    losses = distill(logits, Sparse(X), named(0), GUIDE, half, recipe).fitted.history.loss
    assert losses.nunique() == 4


def test_chosen_with_and_without_labels():
    logits = torch.from_numpy(X[:, :2]).float()
    by_labels = distill(logits, Sparse(X), named(0), GUIDE, recipe=BRIEF)
    by_teacher = distill(logits, Sparse(X), named(0), GUIDE, recipe=BRIEF, choose="divergence")
    history = by_labels.fitted.history
    assert by_labels.fitted.best == int(history.accuracy.argmax())
    assert by_teacher.fitted.best == int(history.divergence.argmin())  # one training, two choices
    shuffled = Guide.of(LABELS[::-1].copy(), GUIDE.train, GUIDE.validation)
    assert weights(by_teacher) == weights(
        distill(logits, Sparse(X), named(0), shuffled, recipe=BRIEF, choose="divergence")
    )


def test_the_two_mlps():
    """One whose BatchNorm sees all vertices, as the authors', and one that sees the labelled."""
    brief = Recipe(hidden=8, epochs=30)
    all_rows, few = (learn_alone(Sparse(X), GUIDE, C, named(0), brief, each) for each in (False, True))
    seen = Sparse(csr_array(X)[:8])
    moved = X.copy()
    moved[20:] = 7.0
    other = learn_alone(Sparse(moved), GUIDE, C, named(0), brief, True)
    assert weights(few) == weights(other)
    assert weights(all_rows) != weights(learn_alone(Sparse(moved), GUIDE, C, named(0), brief))
    assert seen.shape == (8, D)


def test_names_of_the_package_are_what_they_name_whatever_was_imported_before():
    """A module of the same name would stand in its place as soon as anything imports it."""
    package = importlib.import_module("parataxis.methods.light_hgnn")
    importlib.import_module("parataxis.methods.light_hgnn.estimator")
    assert package.distill is distill
    found = {name: getattr(package, name) for name in package.__all__}
    assert all(callable(each) for each in found.values())
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert not modules & set(found)


WRONG = [
    ({"teacher_logits": torch.full((N, 2), float("nan"))}, "teacher_logits: NaN or infinite"),
    ({"teacher_logits": torch.zeros(3, 2)}, "teacher_logits: 3 rows for 40 vertices"),
    ({"choose": "loss"}, "choose='loss': expected accuracy or divergence"),
    ({"guide": None, "recipe": Recipe(label_share=0.5)}, "label_share=0.5: give a guide"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[said for _, said in WRONG])
def test_refused(options, said):
    given = {"teacher_logits": torch.zeros(N, 2), "x": Sparse(X), "rng": named(0), "guide": GUIDE}
    with pytest.raises(BadInput, match=said):
        distill(**{**given, **options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("label_share", 1.5), ("temperature", 0.0), ("kl", "other"), ("hidden", 0), ("teacher_hidden", 0)),
        *(("lr", -1.0), ("lr", float("nan")), ("level", float("nan")), ("level", float("inf"))),
    ],
)
def test_no_such_recipe(name, value):
    with pytest.raises(BadInput, match=f"{name}="):
        Recipe(**{name: value})


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    logits = torch.from_numpy(X[:, :2]).float()
    whole = distill(logits, Sparse(X), named(0), GUIDE, recipe=Recipe(hidden=8, epochs=6))
    path = Checkpoint(tmp_path / "student.pt")
    distill(logits, Sparse(X), named(0), GUIDE, recipe=Recipe(hidden=8, epochs=2), checkpoint=path)
    resumed = distill(logits, Sparse(X), named(0), GUIDE, recipe=Recipe(hidden=8, epochs=6), checkpoint=path)
    assert weights(resumed) == weights(whole)
