"""Teach a hypergraph network from labels, then an MLP from its logits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.losses import check_kl, divergence, high_order
from parataxis.methods.light_hgnn.model import Features, VertexMLP, teacher_class
from parataxis.methods.light_hgnn.reliable import perturbed, reliability
from parataxis.nn import incidence
from parataxis.nn.adam import Adam
from parataxis.nn.fit import Checkpoint, Epoch, Fitted, Rng, fit, seeded
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import Propagation
from parataxis.nn.sparse import Sparse

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Recipe:
    """The paper's settings.

    hidden: of the student; teacher_hidden: of the teacher. label_share: lambda, what of the student's loss is the
    labels'. temperature: divides the logits (the original divides probabilities). level, noise: of the perturbation.
    """

    hidden: int = 128
    teacher_hidden: int = 32
    dropout: float = 0.5
    epochs: int = 200
    lr: float = 0.01
    weight_decay: float = 5e-4
    label_share: float = 0.0
    temperature: float = 1.0
    kl: str = "standard"
    level: float = 1.0
    noise: str = "multiplicative"

    def __post_init__(self) -> None:
        check_kl(self.kl)
        if not 0 <= self.label_share <= 1:
            raise BadInput(f"label_share={self.label_share}: expected a share, 0 to 1")
        if not 0 < self.temperature < np.inf:
            raise BadInput(f"temperature={self.temperature}: must be above 0")
        if not 0 <= self.lr < np.inf:
            raise BadInput(f"lr={self.lr}: must not be below 0")
        for name in ("hidden", "teacher_hidden"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected 1 or more units")
        if not np.isfinite(self.level):
            raise BadInput(f"level={self.level}: must be a number")


@dataclass(frozen=True)
class Guide:
    """The labels that are known. train: numbers of the vertices that teach; validation: of those that choose."""

    labels: Int[Tensor, " vertex"]
    train: Int[Tensor, " train"]
    validation: Int[Tensor, " validation"]

    @classmethod
    def of(cls, labels: Any, train: Any, validation: Any, device: str | torch.device = "cpu") -> "Guide":
        """device: where the features are, so that nothing moves later."""
        return cls(*(torch.from_numpy(np.asarray(each, np.int64)).to(device) for each in (labels, train, validation)))


@dataclass(frozen=True)
class Taught:
    """A trained teacher or student. logits: of the vertices it was trained on, detached, computed once."""

    model: Any
    fitted: Fitted
    logits: Float[Tensor, "vertex class"]


@dataclass(frozen=True)
class Reliable:
    """What LightHGNN+ adds. gather: means over the members of hyperedges; rho: how reliable each is."""

    gather: Sparse
    rho: Float[Tensor, " edge"]


def teach(
    name: str,
    x: Features,
    through: Propagation,
    guide: Guide,
    classes: int,
    rng: Rng,
    recipe: Recipe = Recipe(),
    checkpoint: Checkpoint | None = None,
    tell: Tell | None = None,
) -> Taught:
    """Train a teacher on the labels of `guide.train`; the first epoch that is best on `guide.validation` is kept.

    It is trained on the device of x, where `through` and `guide` are as well.
    """
    with seeded(rng("weights")):
        model = teacher_class(name)(x.shape[1], classes, recipe.teacher_hidden, recipe.dropout).to(x.device, x.dtype)
    fitted = _fit(
        model,
        lambda run, batch, epoch: cross_entropy(run(x, through)[guide.train], guide.labels[guide.train]),
        lambda run: _right(run(x, through)[guide.validation], guide),
        guide,
        rng,
        recipe,
        checkpoint,
        tell,
    )
    with torch.no_grad():
        return Taught(model, fitted, model(x, through))


def learn_alone(
    x: Features,
    guide: Guide,
    classes: int,
    rng: Rng,
    recipe: Recipe = Recipe(),
    labelled_only: bool = False,
) -> Taught:
    """The baseline: the student's network, trained on the labels alone.

    As the authors do, BatchNorm sees all vertices; with labelled_only it sees the labelled ones.
    """
    model = _student(x, classes, rng, recipe)
    seen = rows(x, guide.train)

    def logits(run: Any) -> Tensor:
        found: Tensor = run(seen) if labelled_only else run(x)[guide.train]
        return found

    return _finished(
        model,
        x,
        lambda run, batch, epoch: cross_entropy(logits(run), guide.labels[guide.train]),
        _on_validation(x, guide, None, recipe),
        guide,
        rng,
        recipe,
    )


def distill(
    teacher_logits: Float[Tensor, "vertex class"],
    x: Features,
    rng: Rng,
    guide: Guide | None = None,
    reliable: Reliable | None = None,
    recipe: Recipe = Recipe(),
    choose: str = "accuracy",
    checkpoint: Checkpoint | None = None,
    tell: Tell | None = None,
) -> Taught:
    """Train an MLP on any teacher's logits; with `reliable` as LightHGNN+, without as LightHGNN.

    guide: the labels, for the share of the loss that is theirs and for choosing. choose: the epoch by "accuracy" on
    the validation labels, or without labels by "divergence" from the teacher there; without a guide it is the last.
    The student is trained on the device of x, where `guide` and `reliable` are as well; the logits may be anywhere.
    Dropout and masks are drawn in the order of rows and hyperedges: `names` has one that no file decides.
    """
    if not torch.isfinite(teacher_logits).all():
        raise BadInput("teacher_logits: NaN or infinite; give finite numbers, a row a vertex")
    if len(teacher_logits) != x.shape[0]:
        raise BadInput(f"teacher_logits: {len(teacher_logits)} rows for {x.shape[0]} vertices; give one each")
    check_choice(choose)
    if recipe.label_share and guide is None:
        raise BadInput(f"label_share={recipe.label_share}: give a guide, there are no labels without one")
    teacher = (teacher_logits.detach() / recipe.temperature).softmax(1).to(x.device, x.dtype)
    edges = reliable.gather @ teacher if reliable else None

    def loss(run: Any, batch: Any, epoch: Epoch) -> Tensor:
        logits = run(x)
        soft = (logits / recipe.temperature).log_softmax(1)
        value = divergence(teacher, soft, recipe.kl).mean()
        if reliable and edges is not None:
            kept = torch.from_numpy(epoch.rng.random(len(reliable.rho))).to(reliable.rho) < reliable.rho
            value = value + high_order(edges, soft.exp(), reliable.gather, kept, recipe.kl)
        if recipe.label_share and guide:
            hard = cross_entropy(logits[guide.train], guide.labels[guide.train])
            value = recipe.label_share * hard + (1 - recipe.label_share) * value
        return value

    model = _student(x, teacher.shape[1], rng, recipe)
    evaluate = _on_validation(x, guide, teacher, recipe) if guide else None
    wanted = {"accuracy": "accuracy", "divergence": "-divergence"}[choose]
    return _finished(model, x, loss, evaluate, guide, rng, recipe, wanted, checkpoint, tell)


def check_choice(choose: str) -> None:
    if choose not in ("accuracy", "divergence"):
        raise BadInput(f"choose={choose!r}: expected accuracy or divergence")


def find_reliable(
    teacher: Taught, x: Features, hypergraph: Hypergraph, through: Propagation, rng: Rng, recipe: Recipe
) -> Reliable:
    """How reliable each hyperedge is to a trained teacher, in eval mode, under one draw of noise."""
    noise = rng("noise").standard_normal(x.nnz if isinstance(x, Sparse) else tuple(x.shape))
    noisy = perturbed(x, noise, recipe.level, recipe.noise)
    gather = incidence.hgnn_plus(hypergraph, x.dtype, x.device, multiply=False).gather
    teacher.model.eval()
    return Reliable(gather, reliability(lambda each: teacher.model(each, through), x, noisy, gather))


def rows(x: Features, some: Int[Tensor, " some"]) -> Features:
    """Some rows of the features."""
    if not isinstance(x, Sparse):
        return x[some]
    return Sparse(x.scipy()[some.cpu().numpy()], x.dtype, x.device)


def data_hash(*parts: Any) -> str:
    """Of arrays and bytes: what else than model and seed decides a fit."""
    known = hashlib.sha256()
    for each in parts:
        known.update(each if isinstance(each, bytes) else np.ascontiguousarray(each).tobytes())
    return known.hexdigest()


def _student(x: Features, classes: int, rng: Rng, recipe: Recipe) -> VertexMLP:
    with seeded(rng("weights")):
        return VertexMLP(x.shape[1], classes, recipe.hidden, recipe.dropout).to(x.device, x.dtype)


def _right(logits: Tensor, guide: Guide) -> dict[str, float]:
    return {"accuracy": float((logits.argmax(1) == guide.labels[guide.validation]).double().mean())}


def _on_validation(x: Features, guide: Guide, teacher: Tensor | None, recipe: Recipe) -> Any:
    """The student sees one vertex at a time, so only the validation rows are looked at."""
    seen = rows(x, guide.validation)

    def evaluate(model: Any) -> dict[str, float]:
        logits = model(seen)
        found = _right(logits, guide)
        if teacher is not None:
            soft = (logits / recipe.temperature).log_softmax(1)
            found["divergence"] = float(divergence(teacher[guide.validation], soft, recipe.kl).mean())
        return found

    return evaluate


def _fit(
    model: Any,
    loss: Any,
    evaluate: Any,
    guide: Guide | None,
    rng: Rng,
    recipe: Recipe,
    checkpoint: Checkpoint | None,
    tell: Tell | None,
    choose: str = "accuracy",
) -> Fitted:
    chosen = evaluate is not None and guide is not None and len(guide.validation) > 0
    return fit(
        model,
        loss,
        Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay),
        epochs=recipe.epochs,
        rng=rng,
        evaluate=evaluate if chosen else None,
        choose=choose if chosen else "",
        checkpoint=checkpoint,
        tell=tell,
    )


def _finished(
    model: VertexMLP,
    x: Features,
    loss: Any,
    evaluate: Any,
    guide: Guide | None,
    rng: Rng,
    recipe: Recipe,
    choose: str = "accuracy",
    checkpoint: Checkpoint | None = None,
    tell: Tell | None = None,
) -> Taught:
    fitted = _fit(model, loss, evaluate, guide, rng, recipe, checkpoint, tell, choose)
    with torch.no_grad():
        return Taught(model, fitted, model(x))
