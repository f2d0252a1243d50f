"""One unit of the study: a task's arm trained with one seed, and the numbers that are kept of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.methods.skill_it import addition, baselines, lego
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.graph import SkillGraph
from parataxis.methods.skill_it.sampler import Controller
from parataxis.methods.skill_it.study_plan import (
    BY_EXAMPLE,
    COUNTED,
    ORDERS,
    TARGET,
    Sizes,
    Texts,
    Unit,
    graph_steps,
    plan,
    task,
)
from parataxis.methods.skill_it.tasks import Task
from parataxis.methods.skill_it.training import Listed, Mixing, Plan, Source, begun, train
from parataxis.nn.fit import Epoch, Rng, named
from parataxis.nn.threads import one_thread

ETA = {"lego": 0.5, "lego tuned": 0.5, "addition": 0.1, "languages": 0.5, "languages tuned": 10.0}
WINDOW = 3
SOLVED = 0.1  # the loss of a skill that is learned: how the prerequisites are timed
WARM = 4  # the base model of the learned graph trains a quarter of the steps, alike on all
GRAPH = 20  # and from there on each skill a twentieth of them
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A unit's task, plan and streams."""

    unit: Unit
    task: Task
    plan: Plan
    rng: Rng
    key: int
    horizon: int  # steps on each language for their graph

    def source(self, controller: Controller) -> Mixing:
        return Mixing(self.task, controller, self.plan, self.key)


def measure(unit: Unit, sizes: Sizes, key: int, texts: Texts) -> Numbers:
    """key: of the seed; all arms of a task and seed share examples, initial weights and validation sets.

    One thread: with another number of them the sums would be others.
    """
    begun_at = time.process_time()
    with one_thread():
        rng = named(key)
        found_task = task(unit, sizes, key, texts)
        how = plan(unit, sizes, len(found_task.skills))
        made = Made(unit, found_task, how, rng, key % 2**31, graph_steps(sizes))
        found = _timed(made) if unit.task == "prerequisites" else _curves(made)
    return found | {"cpu": time.process_time() - begun_at}


def _curves(made: Made) -> Numbers:
    source, extra = _source(made)
    _, fitted = train(made.task, source, made.plan, made.rng)
    history = fitted.history
    found: Numbers = {
        "steps": [made.plan.record_every * (at + 1) for at in range(len(history))],
        **{what: {name: history[f"{what} {name}"].tolist() for name in made.task.test} for what in ("test", "right")},
        **extra,
    }
    if isinstance(source, Mixing):
        found["weights"] = [{name: float(each) for name, each in row.items()} for row in source.weights]
    return found


# -- arms ----------------------------------------------------------------------------------------------------------


def _source(made: Made) -> tuple[Source, Numbers]:
    arm, skills = made.unit.arm, made.task.skills
    if arm in BY_EXAMPLE:
        return _by_example(made), {}
    if arm in ORDERS:
        return _same_examples(made), {}
    extra: Numbers = {}
    if arm == "learned":
        graph = learned_graph(made)
        extra = {"graph": graph.to_json()}
        return made.source(SkillIt(graph.scaled(), ETA[made.unit.task], WINDOW)), extra
    makers: dict[str, Callable[[], Controller]] = {
        "random": lambda: baselines.fixed(_random(made.task), skills),
        "stratified": lambda: baselines.stratified(skills),
        "target only": lambda: baselines.fixed({_target(made): 1.0}, skills),
        "skill-it": lambda: _skill_it(made, made.unit.task),
        COUNTED: lambda: _skill_it(made, made.unit.task),
        "static": lambda: baselines.static(language_graph(made).scaled(), 1.0),
        "identity": lambda: SkillIt(SkillGraph(np.eye(len(skills)), skills, skills), ETA[made.unit.task], WINDOW),
        "permuted": lambda: SkillIt(_permuted(made), ETA[made.unit.task], WINDOW),
        "skill-curriculum": lambda: baselines.skill_curriculum(_first_losses(made)),
        "skill-anticurriculum": lambda: baselines.skill_curriculum(_first_losses(made), hardest_first=True),
        "es": lambda: baselines.fixed({"es": 1.0, TARGET["languages"]: 1.0}, skills),
        "de": lambda: baselines.fixed({"de": 1.0, TARGET["languages"]: 1.0}, skills),
    }
    return made.source(makers[arm]()), extra


def _random(task: Task) -> dict[str, float]:
    """The authors' mixture, which is skewed."""
    ratio = lego.RANDOM if task.name == "lego" else addition.RANDOM
    return {name: float(each) for name, each in zip(task.skills, ratio, strict=True)}


def _target(made: Made) -> str:
    return TARGET[made.task.name]


def _published(task: Task) -> SkillGraph:
    found = lego.AUTHORS_GRAPH if task.name == "lego" else addition.AUTHORS_GRAPH
    return SkillGraph(np.array(found), task.skills, task.skills)


def _skill_it(made: Made, name: str) -> SkillIt:
    """With the authors' graph where they published one; a target's column alone in fine-tuning."""
    graph = language_graph(made) if made.task.name == "languages" else _published(made.task)
    if not name.endswith("tuned"):
        return SkillIt(graph, ETA[name], WINDOW)
    target = _target(made)
    column = graph.matrix[:, [graph.eval_skills.index(target)]]
    one = SkillGraph(column, graph.train_skills, (target,))
    return SkillIt(one, ETA[name], WINDOW, accumulate="mean")


def _permuted(made: Made) -> SkillGraph:
    """The authors' graph with the skills renamed, so that none keeps its row."""
    graph, rng = _published(made.task), made.rng("permuted graph")
    k = len(graph.train_skills)
    order = (np.arange(k) + int(rng.integers(1, k))) % k
    return replace(graph, matrix=graph.matrix[np.ix_(order, order)])


def _first_losses(made: Made) -> dict[str, float]:
    found = made.task.evaluate(begun(made.task, made.rng))
    return {name: found[f"validation {name}"] for name in made.task.skills}


def learned_graph(made: Made) -> SkillGraph:
    """`single`, from a base model that was first trained alike on all skills: one that knows nothing yet shows few
    edges. Learned on the validation sets, not on the tests."""
    stop = max(1, made.plan.steps // WARM)
    warm = Plan(stop, made.plan.batch, stop, stop, lr=made.plan.lr, warm_up=made.plan.warm_up, decay=False)
    base, _ = train(
        made.task, Mixing(made.task, baselines.stratified(made.task.skills), warm, made.key), warm, made.rng
    )
    steps = max(1, made.plan.steps // GRAPH)
    return replace(_single(made, steps, base.state_dict()), steps=stop + steps * len(made.task.skills))


def language_graph(made: Made) -> SkillGraph:
    """`single`, from a model that knows nothing."""
    return _single(made, made.horizon, None)


def _single(made: Made, steps: int, weights: Any) -> SkillGraph:
    whole = Plan(steps, made.plan.batch, steps, steps, lr=made.plan.lr, warm_up=max(1, steps // 5), decay=False)

    def runner(mixture: Any, horizon: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        model = begun(made.task, made.rng)
        if weights is not None:
            model.load_state_dict(weights)
        before = made.task.evaluate(model)
        source = Mixing(made.task, baselines.fixed(mixture, made.task.skills), whole, made.key)
        _, fitted = train(made.task, source, whole, made.rng, model=model)
        after = fitted.history.iloc[-1]
        return tuple({name: float(each[f"validation {name}"]) for name in made.task.skills} for each in (before, after))  # type: ignore[return-value]

    return SkillGraph.learn(runner, made.task.skills, steps, method="single", clip=False)


def _by_example(made: Made) -> Listed:
    """Over the raw data: as many examples as are trained on, skills as the random mixture has them."""
    total = made.plan.steps * made.plan.batch
    skills = made.task.skills
    raw = Mixing(made.task, baselines.fixed(_random(made.task), skills), made.plan, made.key)
    pool = np.concatenate([np.array(batch) for batch in _all(raw, made.plan)])
    assert len(pool) == total
    model = begun(made.task, made.rng)
    losses = made.task.losses(model, pool)[0].numpy()
    hardest = made.unit.arm == "anticurriculum"
    order = baselines.curriculum(
        np.arange(total), losses, made.plan.rounds, made.rng("curriculum"), hardest_first=hardest
    )
    return Listed(pool[order], made.plan)


def _same_examples(made: Made) -> Listed:
    """The examples that Skill-It drew with this seed, in another order: shuffled, or skill by skill."""
    drawing = made.source(_skill_it(made, made.unit.task))
    train(made.task, drawing, made.plan, made.rng)
    again = made.source(baselines.Schedule(drawing.weights))
    rows = np.concatenate([np.array(batch) for batch in _all(again, made.plan)])
    rows = made.rng("another order").permutation(rows)
    if made.unit.arm == "blocked":
        place = np.empty(len(made.task.x), np.int64)
        for at, its in enumerate(made.task.groups.values()):
            place[its] = at
        rows = rows[np.argsort(place[rows], kind="stable")]
    return Listed(rows, made.plan)


def _all(source: Mixing, plan: Plan) -> Iterator[list[int]]:
    """The batches of all epochs, nothing being trained."""
    for number in range(plan.records):
        yield from source(Epoch(number, np.random.default_rng(0), [{}] * number))


# -- prerequisites ---------------------------------------------------------------------------------------------------


class Reached(Exception):
    """The target is learned."""


def _timed(made: Made) -> Numbers:
    """Steps until the target's loss falls below SOLVED; if it does not, as many as there were. Nothing else is
    validated: there are 50 records, and no other loss is asked for."""
    skills, target = made.task.skills, _target(made)
    task = replace(made.task, validation={target: made.task.validation[target]}, test={})
    at = skills.index(target)
    mixtures = {
        "target alone": {target: 1.0},
        "one before": dict.fromkeys(skills[at - 1 : at + 1], 1.0),
        "chain": dict.fromkeys(skills[: at + 1], 1.0),
    }
    inner = made.source(baselines.fixed(mixtures[made.unit.arm], skills))

    def until(epoch: Epoch) -> Iterator[Any]:
        if epoch.history and epoch.history[-1][f"validation {target}"] < SOLVED:
            raise Reached(epoch.number)
        yield from inner(epoch)

    try:
        _, fitted = train(task, until, made.plan, made.rng)
        reached = bool(fitted.history[f"validation {target}"].iloc[-1] < SOLVED)
        steps = made.plan.steps
    except Reached as found:
        steps, reached = found.args[0] * made.plan.record_every, True
    return {"steps": steps, "reached": reached}
