"""What the commands do: a graph of the user's texts, a training by it, a path of weights without any training."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.skill_it import baselines, plot
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.draws import by_name
from parataxis.methods.skill_it.graph import SkillGraph
from parataxis.progress import Tell, untold

CHARACTERS, SKILL_COLUMN = "characters", "skill"
TEXTS_AT_ONCE = 32  # of a causal model, as the authors'
KINDS = ("skill-it", "stratified", "random", "static")


@dataclass(frozen=True)
class Data:
    """A file of texts and how to read it, or a folder of Natural Instructions' tasks; of the latter, skill_column names
    the fields that make a skill, with commas between them. model: "characters", a small model of our own, or a causal
    one's name. device: of torch, where it is trained."""

    path: Path
    skill_column: str = SKILL_COLUMN
    text_column: str = "text"
    model: str = CHARACTERS
    tokens: int = 128
    answer_only: bool = False
    device: str = "cpu"

    def lines(self) -> Any:
        from parataxis.methods.skill_it.instructions import CATEGORIES, read_tasks
        from parataxis.methods.skill_it.languages import read_lines

        if not self.path.is_dir():
            return read_lines(self.path, skill_column=self.skill_column, text_column=self.text_column)
        fields = CATEGORIES if self.skill_column == SKILL_COLUMN else self.skill_column
        return read_tasks(self.path, [each.strip() for each in fields.split(",")])

    def content(self) -> bytes:
        """What the outcome depends on."""
        files = sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]
        return b"".join(hashlib.sha256(each.read_bytes()).digest() for each in files)

    def task(self) -> Any:
        from parataxis.methods.skill_it.languages import character_task

        lines = self.lines()
        if self.model == CHARACTERS:
            return character_task(lines).on(self.device)
        from parataxis.lm.models import load
        from parataxis.methods.skill_it.causal import causal_task

        found = load(self.model)
        task = causal_task(lines, found.model, found.tokenizer, tokens=self.tokens, answer_only=self.answer_only)
        return task.on(self.device)

    @property
    def recipe(self) -> dict[str, Any]:
        """Batch, step size and clip: the paper's for a causal model."""
        if self.model == CHARACTERS:
            return {"batch": 256, "lr": 2e-3, "warm_up": 20}
        return {"batch": TEXTS_AT_ONCE, "lr": 5e-5, "warm_up": 50}


def learn_graph(
    data: Data, steps: int, method: str, seeds: int, targets: Sequence[str], clip: bool, seed: int, tell: Tell
) -> SkillGraph:
    """A run a skill (single), and a run a pair (pairwise), each of so many steps from the same first weights."""
    from parataxis.methods.skill_it.training import Mixing, Plan, begun, train
    from parataxis.nn.fit import named
    from parataxis.nn.threads import one_thread

    task = data.task()
    for name in targets:
        if name not in task.skills:
            raise BadInput(f"--target={name}: no skill of {data.path}; there: {', '.join(task.skills)}")
    plan = Plan(steps, update_every=steps, record_every=steps, decay=False, **data.recipe)

    def runner(mixture: Mapping[str, float], horizon: int, number: int) -> tuple[dict[str, float], dict[str, float]]:
        rng = named(seed, number)
        with one_thread():
            model = begun(task, rng)
            before = task.evaluate(model)
            source = Mixing(task, baselines.fixed(mixture, task.skills), plan, number)
            _, fitted = train(task, source, plan, rng, model=model)
        after = fitted.history.iloc[-1]
        first, last = ({name: float(each[f"validation {name}"]) for name in task.skills} for each in (before, after))
        return first, last

    return SkillGraph.learn(
        runner,
        task.skills,
        steps,
        method=method,
        seeds=range(seeds),
        eval_skills=targets or None,
        clip=clip,
        tell=tell,
    )


def run(data: Data, graph: SkillGraph | None, settings: Mapping[str, Any], out: Path, tell: Tell) -> dict[str, Any]:
    """Train; write weights.csv, history.csv, curves.png, model.pt and report.json; the report. Killed, it goes on."""
    from parataxis.methods.skill_it.training import Mixing, Plan, train
    from parataxis.nn.fit import Checkpoint, named
    from parataxis.nn.threads import one_thread

    task = data.task()
    plan = Plan(
        settings["steps"], update_every=settings["update_every"], record_every=settings["record_every"], **data.recipe
    )
    controller = _controller(task, graph, settings)
    source = Mixing(task, controller, plan, settings["seed"], replacement=not settings["no_repeats"])
    known = json.dumps([settings, graph.to_json() if graph else None, str(data)], sort_keys=True)
    identity = hashlib.sha256(known.encode() + data.content()).hexdigest()
    unfinished = out / "unfinished.pt"
    with one_thread():
        model, fitted = train(
            task, source, plan, named(settings["seed"]), checkpoint=Checkpoint(unfinished, identity), tell=tell
        )
    steps = [plan.record_every * (at + 1) for at in range(plan.records)]
    history = fitted.history.set_axis(pd.Index(steps, name="step"))
    weights = pd.DataFrame(source.weights).rename_axis("round")
    last = history.iloc[-1]
    report = {
        "data": str(data.path),
        "skills": {name: len(rows) for name, rows in task.groups.items()},
        "settings": dict(settings),
        "test_loss": {name: float(last[f"test {name}"]) for name in task.test},
        "test_loss_mean": float(np.mean([last[f"test {name}"] for name in task.test])),
        "epochs": {name: round(each, 3) for name, each in source.sampler.epochs.items()},
        "weights": source.weights,
        "graph_steps": graph.steps if graph else 0,
        "out": str(out),
    }
    curves = {name: history[f"test {name}"].to_numpy()[None] for name in task.test}
    write_atomic(out / "weights.csv", weights.to_csv())
    write_atomic(out / "history.csv", history.to_csv())
    write_atomic(out / "curves.png", plot.png(plot.curves(steps, curves, "loss on test texts")))
    write_atomic(out / "weights.png", plot.png(plot.weight_path(source.weights, task.skills)))
    _save(model, out / "model.pt")
    write_atomic(out / "report.json", json.dumps(report, indent=1))
    unfinished.unlink(missing_ok=True)
    return report


def _save(model: Any, path: Path) -> None:
    import io

    import torch

    buffer = io.BytesIO()
    torch.save({name: each.cpu() for name, each in model.state_dict().items()}, buffer)
    write_atomic(path, buffer.getvalue())


def _controller(task: Any, graph: SkillGraph | None, settings: Mapping[str, Any]) -> Any:
    kind = settings["by"]
    if kind in ("stratified", "random"):
        return baselines.stratified(task.skills) if kind == "stratified" else baselines.random(task.groups)
    if graph is None:
        raise BadInput(f"--by={kind}: needs a graph; `parataxis skills graph` makes one, give it with --graph")
    for name in (*graph.train_skills, *graph.eval_skills):
        if name not in task.skills:
            raise BadInput(f"graph: skill {name!r} has no texts; there: {', '.join(task.skills)}")
    if kind == "static":
        return baselines.static(graph, settings["eta"])
    options = {key: settings[key] for key in ("accumulate", "normalize", "eta_schedule", "damping", "lone")}
    return SkillIt(graph, settings["eta"], settings["window"], **options)


def simulate(
    graph: SkillGraph,
    losses: Mapping[str, float],
    rounds: int,
    make: Callable[[SkillGraph], SkillIt],
    tell: Tell = untold,
) -> pd.DataFrame:
    """The path of weights and losses under the model behind the rule, L_j <- L_j (1 - <A_:j, p>); a row a round."""
    if rounds < 1:
        raise BadInput(f"rounds={rounds}: expected at least 1")
    controller = make(graph)
    now = by_name(losses, graph.eval_skills, "losses")
    if wrong := [name for name, value in zip(graph.eval_skills, now, strict=True) if value < 0]:
        raise BadInput(f"losses: skill {wrong[0]!r}: must be at least 0")
    rows = []
    for number in range(rounds):
        weights = controller.weights
        share = np.array([weights[name] for name in graph.train_skills])
        now = np.maximum(now * (1 - share @ graph.matrix), 0.0)
        reached = dict(zip(graph.eval_skills, now.tolist(), strict=True))
        rows.append({**{f"weight {k}": v for k, v in weights.items()}, **{f"loss {k}": v for k, v in reached.items()}})
        controller.update(reached)
        tell(number + 1, rounds)
    return pd.DataFrame(rows).rename_axis("round")
