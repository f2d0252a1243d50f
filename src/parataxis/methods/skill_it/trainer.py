"""Skill-It in transformers' Trainer: a callback that records and updates, and a mixin whose sampler follows it.

    class SkillItTrainer(SkillItTrainerMixin, Trainer): pass

    skills = SkillItCallback(controller, train["skill"], eval_sets, record_every=100, update_every=500)
    SkillItTrainer(model, TrainingArguments(max_steps=3000, ...), train_dataset=train, skills=skills).train()

The lag: when the callback runs, the loader has already drawn the batches that come next: 1, and with workers as many
more as these fetch ahead. New weights hold for what is drawn later; `SkillItCallback.history` says from which step on.
With `exact=True` a round is an epoch of the Trainer with an iterator of its own, and the lag is 0.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import pandas as pd
from torch.utils.data import Sampler
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from parataxis.errors import BadInput
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.sampler import Rows, SkillBatchSampler, grouped

log = logging.getLogger(__name__)


class SkillItCallback(TrainerCallback, ExportableState):
    """Validates every `record_every` steps, updates every `update_every`; belongs to a trainer with the mixin.

    groups: the skill of each training row, or for each skill its rows. eval_sets: a validation set for each evaluated
    skill; its loss is the one that `Trainer.evaluate` gives. What a checkpoint needs to go on is kept in its
    trainer_state.json. Raises BadInput.
    """

    def __init__(
        self,
        controller: SkillIt,
        groups: Sequence[str] | Mapping[str, Rows | Sequence[int]],
        eval_sets: Mapping[str, Any],
        *,
        record_every: int,
        update_every: int,
        seed: int = 0,
        replacement: bool = True,
        exact: bool = False,
    ) -> None:
        if record_every < 1 or update_every < 1 or update_every % record_every:
            raise BadInput(
                f"update_every={update_every}: expected a multiple of record_every={record_every}, both at least 1"
            )
        for name in (*controller.graph.eval_skills, *eval_sets):
            if name not in eval_sets or name not in controller.graph.eval_skills:
                raise BadInput(f"eval_sets: skill {name!r} must be in the graph and have a validation set")
        self.controller, self.groups, self.eval_sets = controller, grouped(groups), dict(eval_sets)
        self.record_every, self.update_every = record_every, update_every
        self.seed, self.replacement, self.exact = seed, replacement, exact
        self.trainer: Any = None
        self.sampler: SkillBatchSampler | None = None
        self.skipped = 0  # examples that a resumed Trainer draws and throws away
        self._updates: list[dict[str, float]] = []

    @property
    def history(self) -> pd.DataFrame:
        """A row an update: the step after which it was made, how many batches had been drawn ahead, the first step
        whose batches follow it, and the weights."""
        columns = ["step", "lag", "applies_from", *self.controller.skills]
        return pd.DataFrame(self._updates, columns=columns)

    # -- what the Trainer calls ------------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.trainer is None:
            raise BadInput("SkillItCallback: give it to a trainer with SkillItTrainerMixin, as skills=...")
        kept = state.stateful_callbacks.get(type(self).__name__)
        if state.global_step and kept and self.sampler is not None:
            self._go_on(kept["attributes"]["kept"], args, state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.record_every == 0:
            self.controller.record(self._validated())
        if state.global_step % self.update_every == 0:
            self.controller.update()
            self._tell(args, state)

    def state(self) -> dict[str, Any]:
        """For trainer_state.json."""
        kept = None
        if self.sampler is not None and self.trainer is not None:
            consumed = self.trainer.state.global_step * _batches_a_step(self.trainer.args)
            kept = {
                "controller": self.controller.state_dict(),
                "sampler": self.sampler.state_dict(consumed),
                "updates": [dict(each) for each in self._updates],
            }
        return {"args": {}, "attributes": {"kept": kept}}

    # -- what the mixin calls --------------------------------------------------------------------------------------

    def make_sampler(self, args: Any) -> "_Indices":
        steps = self.update_every * _batches_a_step(args)
        if not self.exact and args.max_steps < 1:
            raise BadInput(f"max_steps={args.max_steps}: set how many steps are trained, or pass exact=True")
        rounds = 1 if self.exact else math.ceil(args.max_steps / self.update_every)
        batch = args.per_device_train_batch_size * max(1, args.n_gpu)
        self.sampler = SkillBatchSampler(
            self.groups, self.controller, batch, batch * steps, self.seed, self.replacement, rounds=rounds
        )
        return _Indices(self)

    def _validated(self) -> dict[str, float]:
        found = {}
        for name, data in self.eval_sets.items():
            metrics = self.trainer.evaluate(eval_dataset=data, metric_key_prefix=f"eval_{name}")
            found[name] = float(metrics[f"eval_{name}_loss"])
        return found

    def _tell(self, args: Any, state: Any) -> None:
        assert self.sampler is not None
        a_step = _batches_a_step(args)
        drawn = self.sampler.batches
        row = {
            "step": state.global_step,
            "lag": drawn - state.global_step * a_step,
            "applies_from": -(-drawn // a_step) + 1,  # the first step that has no batch of before
        }
        self._updates.append({**row, **self.controller.weights})
        told = ", ".join(f"{name} {weight:.3f}" for name, weight in self.controller.weights.items())
        log.info("weights from step %d on, %d batches after the update: %s", row["applies_from"], row["lag"], told)

    def _go_on(self, kept: Mapping[str, Any], args: Any, state: Any) -> None:
        assert self.sampler is not None
        self.controller.load_state_dict(kept["controller"])
        self.sampler.load_state_dict(kept["sampler"])
        self._updates = [dict(each) for each in kept["updates"]]
        if not args.ignore_data_skip:
            steps = state.global_step % self.update_every if self.exact else state.global_step
            self.skipped = steps * _batches_a_step(args) * self.sampler.batch_size


class SkillItTrainerMixin:
    """Before a Trainer's class; `skills` is its SkillItCallback."""

    def __init__(self, *args: Any, skills: SkillItCallback, **options: Any) -> None:
        self.skills = skills
        super().__init__(*args, **options)
        skills.trainer = self
        self.add_callback(skills)  # type: ignore[attr-defined]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        data = self.train_dataset if train_dataset is None else train_dataset  # type: ignore[attr-defined]
        for name, rows in self.skills.groups.items():
            if len(rows) and not 0 <= min(rows) <= max(rows) < len(data):
                raise BadInput(f"groups: skill {name!r}: row {max(rows)}: the training set has {len(data)} rows")
        return self.skills.make_sampler(self.args)  # type: ignore[attr-defined]


class _Indices(Sampler[int]):
    """The sampler's rows one by one, as the Trainer's own batching wants them."""

    def __init__(self, skills: SkillItCallback) -> None:
        self.skills = skills
        assert skills.sampler is not None
        self.sampler = skills.sampler

    def __len__(self) -> int:
        return self.sampler.rounds * self.sampler.round_size

    def __iter__(self) -> Iterator[int]:
        yield from repeat(0, self.skills.skipped)
        self.skills.skipped = 0
        for batch in self.sampler:
            yield from batch


def _batches_a_step(args: Any) -> int:
    """Of all processes."""
    return int(args.gradient_accumulation_steps * args.world_size)
