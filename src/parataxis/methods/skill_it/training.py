"""Training a task's model on what a source gives, by the one fitting loop: an epoch of it is the time of a record."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from parataxis.errors import BadInput
from parataxis.methods.skill_it.clauses import no_decay
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.sampler import Controller, SkillBatchSampler
from parataxis.methods.skill_it.tasks import Task, losses_of
from parataxis.nn.adam import AdamW
from parataxis.nn.fit import Checkpoint, Epoch, Fitted, Rng, fit, seeded

Source = Callable[[Epoch], Iterator[Any]]  # batches of an epoch of `fit`, by the rows of the epochs before it


@dataclass(frozen=True)
class Plan:
    """How long and how. record_every, update_every: steps between two records, two updates. decay: of the learning
    rate to 0, linearly; without it, it stays."""

    steps: int = 2400
    batch: int = 64
    update_every: int = 400
    record_every: int = 100
    lr: float = 1e-3
    warm_up: int = 50
    decay: bool = True
    weight_decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.update_every, self.record_every) < 1:
            raise BadInput(
                f"steps={self.steps}, batch={self.batch}, update_every={self.update_every}, "
                f"record_every={self.record_every}: all must be at least 1"
            )
        if self.update_every % self.record_every:
            raise BadInput(
                f"update_every={self.update_every}: expected a multiple of record_every={self.record_every}; take "
                f"{max(1, self.update_every // self.record_every) * self.record_every}"
            )
        if self.steps % self.update_every:
            raise BadInput(
                f"steps={self.steps}: expected a multiple of update_every={self.update_every}; take "
                f"{max(1, self.steps // self.update_every) * self.update_every}"
            )

    @property
    def rounds(self) -> int:
        return self.steps // self.update_every

    @property
    def records(self) -> int:
        return self.steps // self.record_every


class Mixing:
    """Batches by a controller that is given the records of the epochs before. What an epoch gives depends on those
    alone: a fit that goes on from a checkpoint replays them first."""

    def __init__(self, task: Task, controller: Controller, plan: Plan, seed: int, **options: Any) -> None:
        self.task, self.controller, self.plan = task, controller, plan
        groups = {name: rows for name, rows in task.groups.items() if name in controller.weights}
        self.sampler = SkillBatchSampler(
            groups, controller, plan.batch, plan.batch * plan.update_every, seed, **options
        )
        self.weights: list[dict[str, float]] = []  # of each round begun
        self._seen = 0  # records
        self._round: Iterator[list[int]] = iter(())

    def __call__(self, epoch: Epoch) -> Iterator[list[int]]:
        while self._seen < epoch.number:
            for _ in range(self.plan.record_every if self._behind() else 0):
                self._next()
            self._record(epoch.history[self._seen])
        for _ in range(self.plan.record_every):
            yield self._next()

    def _behind(self) -> bool:
        """Whether the batches of the epoch whose record comes next are yet to be drawn: after a resume."""
        return self.sampler.batches <= self._seen * self.plan.record_every

    def _record(self, row: Mapping[str, float]) -> None:
        self._seen += 1
        if isinstance(self.controller, SkillIt):
            self.controller.record(losses_of(row, self.controller.graph.eval_skills))
        if self._seen * self.plan.record_every % self.plan.update_every == 0:
            if isinstance(self.controller, SkillIt):
                self.controller.update()
            else:
                self.controller.round += 1

    def _next(self) -> list[int]:
        batch = next(self._round, None)
        if batch is None:
            self.weights.append(dict(self.controller.weights))
            self._round = self.sampler.round()
            batch = next(self._round)
        return batch


class Listed:
    """Batches of a list of rows in its own order, as curricula over examples make it."""

    def __init__(self, rows: Int[np.ndarray, " row"], plan: Plan) -> None:
        if len(rows) != plan.steps * plan.batch:
            raise BadInput(f"rows: {len(rows)} given; expected steps times batch, {plan.steps * plan.batch}")
        self.rows, self.plan = rows, plan

    def __call__(self, epoch: Epoch) -> Iterator[list[int]]:
        size = self.plan.batch
        start = epoch.number * self.plan.record_every
        for at in range(start, start + self.plan.record_every):
            yield self.rows[at * size : (at + 1) * size].tolist()


def begun(task: Task, rng: Rng) -> nn.Module:
    """A fresh model; the same for all that are compared on one seed."""
    with seeded(rng("weights")):
        return task.build()


def train(
    task: Task,
    source: Source,
    plan: Plan,
    rng: Rng,
    *,
    model: nn.Module | None = None,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[int, int, str], None] | None = None,
) -> tuple[nn.Module, Fitted]:
    """The trained model, and a history with a row a record. model: goes on from this one, which is changed."""
    model = begun(task, rng) if model is None else model
    optimizer = AdamW(no_decay(model, plan.weight_decay), lr=plan.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, plan))

    def loss(run: nn.Module, rows: list[int], epoch: Epoch) -> Tensor:
        at = torch.tensor(rows)
        return task.scores(run, task.x[at], task.y[at])[0].mean()

    fitted = fit(
        model,
        loss,
        optimizer,
        epochs=plan.records,
        rng=rng,
        batches=source,
        evaluate=task.evaluate,
        schedule=schedule,
        clip=plan.clip,
        checkpoint=checkpoint,
        tell=tell,
    )
    return model, fitted


def _rate(step: int, plan: Plan) -> float:
    """A linear warm-up, then, with decay, linearly to 0."""
    if step < plan.warm_up:
        return (step + 1) / plan.warm_up
    return (plan.steps - step) / max(1, plan.steps - plan.warm_up) if plan.decay else 1.0
