"""One unit of the study: a data set and a seed, everything trained on them, and the numbers that are kept."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.model import TEACHERS
from parataxis.methods.light_hgnn.scores import accuracy, calibration_error, macro_f1, relative_topology_score
from parataxis.methods.light_hgnn.setting import Production, Setting, said
from parataxis.methods.light_hgnn.split import Split, split
from parataxis.methods.light_hgnn.teaching import Recipe, Taught
from parataxis.nn.fit import Rng, named
from parataxis.nn.incidence import Propagation, hgnn_plus
from parataxis.nn.sparse import Sparse
from parataxis.nn.threads import one_thread

Numbers = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """train, validation: vertices of each class. held_out: share of the test vertices that production hides."""

    recipe: Recipe
    train: int
    validation: int
    held_out: float
    other_teachers: bool = False
    device: str = "cpu"


def unit(data: Dataset, key: int, plan: Plan) -> Numbers:
    """Accuracies are shares of test vertices. One thread: with another number of them the sums would be others."""
    with one_thread():
        return _unit(data.by_name(), named(key), str(key), plan)


def _unit(data: Dataset, rng: Rng, key: str, plan: Plan) -> Numbers:
    found = split(data.labels, data.ids, key, plan.train, plan.validation, data.classes)
    setting = Setting.whole(data, found, rng, plan.recipe, plan.device)
    return _transductive(setting, plan.other_teachers) | _production(data, found, rng, key, plan)


def imitation(data: Dataset, key: int, plan: Plan) -> Numbers:
    """Of a teacher and its student alone: how the one answers as the other does."""
    with one_thread():
        by_name = data.by_name()
        found = split(by_name.labels, by_name.ids, str(key), plan.train, plan.validation, by_name.classes)
        setting = Setting.whole(by_name, found, named(key), plan.recipe, plan.device)
        teacher, _ = setting.teacher()
        taught, own = said(teacher), said(setting.student(teacher))
        return {"light-agrees": accuracy(taught, own), "shuffled-agrees": _by_chance(taught, own)}


def _transductive(setting: Setting, other_teachers: bool) -> Numbers:
    teacher, through = setting.teacher()
    reliable = setting.reliable(teacher, through)
    even = torch.full_like(reliable.rho, float(reliable.rho.mean()))
    students = {
        "light": setting.student(teacher),
        "plus": setting.student(teacher, reliable),
        "uniform": setting.student(teacher, replace(reliable, rho=even)),
        "inverted": setting.student(teacher, replace(reliable, rho=1 - reliable.rho)),
        "original": setting.student(teacher, kl="original"),
        "label-free": setting.student(teacher, choose="divergence"),
    }
    others = {
        "mlp": setting.alone(),
        "mlp-labelled": setting.alone(labelled_only=True),
        "propagated": setting.alone(_propagated(setting, through)),
        "hgnn": teacher,
    }
    found = {name: setting.right(each) for name, each in {**students, **others}.items()}
    found |= _likeness(setting, students, others, teacher)
    found |= _smoothness(setting, students["light"], teacher, through)
    found["test-isolated"] = float(setting.structure.isolated[setting.split.test].mean())
    return found | (_other_teachers(setting) if other_teachers else {})


def _propagated(setting: Setting, through: Propagation) -> Sparse:
    """L L X, by four sparse products: the mean features of neighbours, without any training."""
    gather, scatter, x = (each.scipy() for each in (through.gather, through.scatter, setting.x))
    return Sparse(scatter @ (gather @ (scatter @ (gather @ x))), device=setting.x.device)


def _likeness(setting: Setting, students: dict[str, Taught], others: dict[str, Taught], teacher: Taught) -> Numbers:
    """How the students answer as the teacher does, and how sure they are; what shuffled answers would reach."""
    test, truth, taught = setting.split.test, setting.labels[setting.split.test], said(teacher)
    found: Numbers = {}
    for name in ("light", "original"):
        probabilities = students[name].logits.softmax(1).double().cpu().numpy()
        found[f"{name}-agrees"] = accuracy(taught, said(students[name]))
        found[f"{name}-error"] = calibration_error(truth, probabilities[test])
        found[f"{name}-sure"] = float(probabilities[test].max(1).mean())
    own = said(students["light"])
    for name, each in {"light": students["light"], "hgnn": teacher, "mlp": others["mlp"]}.items():
        found[f"{name}-macro"] = macro_f1(truth, said(each)[test], len(setting.data.classes))
    found["shuffled-agrees"] = _by_chance(taught, own)
    found["shuffled"] = _by_chance(truth, own[test])
    return found


def _smoothness(setting: Setting, student: Taught, teacher: Taught, through: Propagation) -> Numbers:
    """Of hidden embeddings, in eval mode; the student's as its last map reads them, and before BatchNorm."""
    gather = hgnn_plus(setting.hypergraph, device=setting.x.device, multiply=False).gather
    with torch.no_grad():
        hidden = {"teacher": teacher.model.hidden(setting.x, through), "student": student.model.hidden(setting.x)}
        hidden["student-relu"] = student.model.first(setting.x).relu()
    return {f"{name}-topology": relative_topology_score(each, gather) for name, each in hidden.items()}


def _other_teachers(setting: Setting) -> Numbers:
    found: Numbers = {}
    for name in TEACHERS:
        if name != "hgnn":
            teacher, _ = setting.teacher(name)
            found[f"teacher {name}"] = setting.right(teacher)
            found[f"student of {name}"] = setting.right(setting.student(teacher))
    return found


def _production(data: Dataset, whole: Split, rng: Rng, key: str, plan: Plan) -> Numbers:
    found = Production.of(data, whole, rng, key, plan.held_out, plan.recipe, plan.device)
    teacher, _ = found.observed.teacher()
    students = {"mlp": found.observed.alone(), "light": found.observed.student(teacher)}
    unseen = found.unseen(teacher, "hgnn", students)
    seen = {name: found.observed.right(each) for name, each in {**students, "hgnn": teacher}.items()}
    share = len(found.held_out) / (len(found.held_out) + len(found.observed.split.test))
    numbers: Numbers = {}
    for name in unseen:
        numbers[f"unseen {name}"], numbers[f"observed {name}"] = unseen[name], seen[name]
        numbers[f"production {name}"] = share * unseen[name] + (1 - share) * seen[name]
    return numbers


def _by_chance(a: Any, b: Any) -> float:
    """The expected share of agreements if the second were shuffled among the vertices."""
    size = int(max(a.max(), b.max())) + 1
    return float(np.bincount(a, minlength=size) @ np.bincount(b, minlength=size) / len(a) ** 2)
