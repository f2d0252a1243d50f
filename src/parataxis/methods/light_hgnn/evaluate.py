"""What a user should know before relying on a student: its accuracy on vertices that were seen, and on unseen ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.scores import Estimate, accuracy, confusion, macro_f1
from parataxis.methods.light_hgnn.setting import Production, Setting, said
from parataxis.methods.light_hgnn.split import TRAIN, VALIDATION, split
from parataxis.methods.light_hgnn.teaching import Recipe
from parataxis.nn.device import device_of
from parataxis.nn.fit import named
from parataxis.nn.threads import one_thread

MLP, STUDENT = "MLP", "student"


@dataclass(frozen=True)
class Protocol:
    """teacher: its name. train, validation: vertices of each class. held_out: a share of the test vertices.

    choose: the student's epoch, as in `distill`. merge: equal hyperedges count once. device: of torch.
    """

    teacher: str = "hgnn"
    plus: bool = False
    train: int = TRAIN
    validation: int = VALIDATION
    held_out: float = 0.2
    recipe: Recipe = field(default_factory=Recipe)
    choose: str = "accuracy"
    merge: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Evaluation:
    """accuracies[model][setting]: a share a seed. confusion: of the student on test vertices, all seeds together."""

    data: str
    seeds: int
    accuracies: dict[str, dict[str, list[float]]]
    macro: dict[str, list[float]]
    agreement: list[float]
    isolated: list[float]
    confusion: Any
    classes: Sequence[Any]
    duplicates: int
    merged: bool

    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """In points."""
        return {
            model: {name: Estimate.of([100 * each for each in values]) for name, values in settings.items()}
            for model, settings in self.accuracies.items()
        }

    def gap(self) -> Estimate:
        """Student less teacher on unseen vertices, in points."""
        teacher = next(name for name in self.accuracies if name not in (MLP, STUDENT))
        unseen = (self.accuracies[STUDENT]["unseen"], self.accuracies[teacher]["unseen"])
        return Estimate.of([100 * (a - b) for a, b in zip(*unseen, strict=True)])

    def to_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "seeds": self.seeds,
            "accuracy": {
                model: {name: vars(each) for name, each in settings.items()}
                for model, settings in self.estimates().items()
            },
            "macro_f1": self.macro,
            "unseen_gap": vars(self.gap()),
            "agreement": self.agreement,
            "test_vertices_in_no_hyperedge": self.isolated,
            "confusion": self.confusion.tolist(),
            "classes": list(self.classes),
            "duplicates": self.duplicates,
            "merged": self.merged,
        }


SETTINGS = ("test", "seen", "unseen", "production")  # the last: seen and unseen together


@one_thread()
def evaluate(
    data: Dataset, protocol: Protocol, seeds: int, seed: int, tell: Callable[[int, int, str], None] | None = None
) -> Evaluation:
    """Train MLP, teacher and student as often as there are seeds, with all vertices seen and with some held out."""
    kept: dict[str, dict[str, list[float]]] = {
        model: {name: [] for name in SETTINGS} for model in (MLP, protocol.teacher, STUDENT)
    }
    macro: dict[str, list[float]] = {model: [] for model in kept}
    agreement, isolated, table = [], [], np.zeros((len(data.classes),) * 2, np.int64)
    device_of(protocol.device)
    duplicates, data = data.hypergraph.duplicates, data.merged() if protocol.merge else data
    data = data.by_name()
    for place, found in enumerate(_rounds(data, protocol, seeds, seed)):
        for model, numbers in found.numbers.items():
            for name in SETTINGS:
                kept[model][name].append(numbers[name])
            macro[model].append(numbers["macro"])
        agreement.append(found.agreement)
        isolated.append(found.isolated)
        table += found.table
        if tell:
            tell(place + 1, seeds, "")
    return Evaluation(
        data.name, seeds, kept, macro, agreement, isolated, table, data.classes, duplicates, protocol.merge
    )


@dataclass(frozen=True)
class _Round:
    numbers: dict[str, dict[str, float]]
    agreement: float
    isolated: float
    table: Any


def _rounds(data: Dataset, protocol: Protocol, seeds: int, seed: int) -> Iterator[_Round]:
    for each in range(seed, seed + seeds):
        key, rng = str(each), named(each)
        parts = split(data.labels, data.ids, key, protocol.train, protocol.validation, data.classes)
        whole = Setting.whole(data, parts, rng, protocol.recipe, protocol.device)
        hidden = Production.of(data, parts, rng, key, protocol.held_out, protocol.recipe, protocol.device)
        everyone, seen = (_trained(setting, protocol) for setting in (whole, hidden.observed))
        unseen = hidden.unseen(seen[protocol.teacher], protocol.teacher, {MLP: seen[MLP], STUDENT: seen[STUDENT]})
        test, truth = parts.test, data.labels[parts.test]
        held_out = len(hidden.held_out) / len(test)
        yield _Round(
            {
                model: {
                    "test": whole.right(taught),
                    "seen": (right := hidden.observed.right(seen[model])),
                    "unseen": unseen[model],
                    "production": (1 - held_out) * right + held_out * unseen[model],
                    "macro": macro_f1(truth, said(taught)[test], len(data.classes)),
                }
                for model, taught in everyone.items()
            },
            accuracy(said(everyone[protocol.teacher]), said(everyone[STUDENT])),
            float(data.hypergraph.isolated[test].mean()),
            confusion(truth, said(everyone[STUDENT])[test], len(data.classes)),
        )


def _trained(setting: Setting, protocol: Protocol) -> dict[str, Any]:
    teacher, through = setting.teacher(protocol.teacher)
    reliable = setting.reliable(teacher, through) if protocol.plus else None
    student = setting.student(teacher, reliable, choose=protocol.choose)
    return {MLP: setting.alone(), protocol.teacher: teacher, STUDENT: student}
