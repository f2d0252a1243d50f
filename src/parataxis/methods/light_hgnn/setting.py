"""What may be seen of a data set: all of it, or what production leaves; and what is trained on that."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.model import teacher_class
from parataxis.methods.light_hgnn.scores import accuracy
from parataxis.methods.light_hgnn.split import Split, hold_out, production
from parataxis.methods.light_hgnn.teaching import (
    Guide,
    Recipe,
    Reliable,
    Taught,
    distill,
    find_reliable,
    learn_alone,
    teach,
)
from parataxis.nn.fit import Rng
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import Propagation
from parataxis.nn.sparse import Sparse


@dataclass(frozen=True)
class Setting:
    """x, structure, labels, split: of the vertices that may be seen; structure may leave some in no hyperedge.

    All is trained on the device of x.
    """

    data: Dataset
    x: Sparse
    structure: Hypergraph
    labels: Any
    split: Split
    rng: Rng
    recipe: Recipe

    @property
    def hypergraph(self) -> Hypergraph:
        return self.structure.with_singletons()

    @property
    def guide(self) -> Guide:
        return Guide.of(self.labels, self.split.train, self.split.validation, self.x.device)

    @classmethod
    def whole(
        cls, data: Dataset, found: Split, rng: Rng, recipe: Recipe, device: str | torch.device = "cpu"
    ) -> "Setting":
        """The transductive one."""
        return cls(data, Sparse(data.features, device=device), data.hypergraph, data.labels, found, rng, recipe)

    def named(self, *names: str) -> Rng:
        return lambda *more: self.rng(*names, *more)

    def teacher(self, name: str = "hgnn") -> tuple[Taught, Propagation]:
        through = teacher_class(name).propagation(self.hypergraph, device=self.x.device)
        classes = len(self.data.classes)
        return teach(name, self.x, through, self.guide, classes, self.named("teacher", name), self.recipe), through

    def alone(self, x: Sparse | None = None, labelled_only: bool = False) -> Taught:
        x = self.x if x is None else x
        return learn_alone(x, self.guide, len(self.data.classes), self.named("alone"), self.recipe, labelled_only)

    def student(self, teacher: Taught, reliable: Reliable | None = None, **options: Any) -> Taught:
        """All students begin with the same weights and the same dropout, so that their differences are paired."""
        recipe = replace(self.recipe, kl=options.pop("kl", self.recipe.kl))
        return distill(teacher.logits, self.x, self.named("student"), self.guide, reliable, recipe, **options)

    def right(self, taught: Taught) -> float:
        return accuracy(self.labels[self.split.test], said(taught)[self.split.test])

    def reliable(self, teacher: Taught, through: Propagation) -> Reliable:
        return find_reliable(teacher, self.x, self.hypergraph, through, self.named("reliable"), self.recipe)


@dataclass(frozen=True)
class Production:
    """observed: what may be seen in training. held_out: the vertices that no model was trained with."""

    observed: Setting
    held_out: Any

    @classmethod
    def of(
        cls,
        data: Dataset,
        whole: Split,
        rng: Rng,
        key: str,
        share: float,
        recipe: Recipe,
        device: str | torch.device = "cpu",
    ) -> "Production":
        """Hold a share of the test vertices out. Hyperedges are restricted to observed members, dropped when empty.

        Features are scaled row by row and BatchNorm sees observed rows only: nothing of a held-out vertex is used.
        """
        hidden = hold_out(whole, data.ids, key, share)
        found = production(data.labels, whole, hidden)
        x = Sparse(data.features[found.observed], device=device)
        structure = data.hypergraph.restricted(found.observed)
        return cls(Setting(data, x, structure, data.labels[found.observed], found.split, rng, recipe), hidden)

    def unseen(self, teacher: Taught, name: str, students: dict[str, Taught]) -> dict[str, float]:
        """Accuracy on the held-out vertices: of the teacher, who is given the whole hypergraph, and of the students."""
        data, device = self.observed.data, self.observed.x.device
        everything = teacher_class(name).propagation(data.hypergraph.with_singletons(), device=device)
        x, truth = data.features, data.labels[self.held_out]
        with torch.no_grad():
            rows = Sparse(x[self.held_out], device=device)
            answers = {key: _classes(each.model(rows)) for key, each in students.items()}
            answers[name] = _classes(teacher.model(Sparse(x, device=device), everything))[self.held_out]
        return {key: accuracy(truth, each) for key, each in answers.items()}


def said(taught: Taught) -> Any:
    """The class that is given to each vertex."""
    return _classes(taught.logits)


def _classes(logits: torch.Tensor) -> Any:
    return logits.argmax(1).cpu().numpy()
