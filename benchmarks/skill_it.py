"""Drawing rounds, large mixtures, and a Trainer's steps: Skill-It's sampler and what it is compared with, in one run.

    python benchmarks/skill_it.py
    python benchmarks/skill_it.py --only draw --rounds 3

draw: a round of examples by weights, from 100,000 rows of 20 skills: `SkillBatchSampler`, its making included, against
`datasets.filter` for each skill and `shuffle` and `select` of what is found, as is done where a round is a new dataset.
large: an update and a round of 100,000 examples, 1,000 skills, a million rows. trainer: steps of transformers' Trainer
with the mixin, against its own random sampler, on the same small model; both validate the same sets after the same
steps, and the time of these callbacks, ours with its updates, is told apart. Ways alternate; the table gives medians of
the CPU seconds of this process, which is one thread.
"""

import argparse
import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parataxis.methods.skill_it import SkillBatchSampler, SkillGraph, SkillIt
from parataxis.methods.skill_it.sampler import Fixed


def seconds(work: Callable[[], Any]) -> float:
    gc.collect()
    gc.disable()
    begun = time.process_time()
    work()
    spent = time.process_time() - begun
    gc.enable()
    return spent


def table(head: str, rows: Sequence[tuple[str, float, str]]) -> None:
    print(f"\n{head}")
    for name, value, word in rows:
        print(f"  {name:48}{value:12.4g} {word}")


def draw(rounds: int) -> None:
    import datasets

    datasets.disable_progress_bars()
    k, n, size, batch = 20, 100_000, 3_200, 32
    column = np.random.default_rng(0).integers(k, size=n)
    names = [f"s{at:02}" for at in range(k)]
    skills = [names[at] for at in column]
    data = datasets.Dataset.from_dict({"skill": skills, "row": list(range(n))})
    weights = dict(zip(names, np.random.default_rng(1).dirichlet(np.ones(k)).tolist(), strict=True))

    def ours() -> None:
        sampler = SkillBatchSampler(skills, Fixed(weights), batch, size)
        assert sum(len(each) for each in sampler.round()) == size

    kept = SkillBatchSampler(skills, Fixed(weights), batch, size)

    def next_round() -> None:
        assert sum(len(each) for each in kept.round()) == size

    def theirs(number: int) -> None:
        parts = []
        for name, weight in weights.items():
            own = data.filter(
                lambda batch, name=name: [each == name for each in batch["skill"]],
                batched=True,
                load_from_cache_file=False,
            )
            parts.append(own.shuffle(seed=number).select(range(min(len(own), int(weight * size)))))
        assert len(datasets.concatenate_datasets(parts).shuffle(seed=number)) > 0.9 * size

    made, later, filtered = [], [], []
    for number in range(rounds):
        made.append(seconds(ours))
        later.append(seconds(next_round))
        filtered.append(seconds(lambda number=number: theirs(number)))
    first, each, other = map(statistics.median, (made, later, filtered))
    table(
        f"draw: a round of {size} from {n} rows of {k} skills, median of {rounds}",
        [
            ("sampler made, and a round", first, "s"),
            ("a further round", each, "s"),
            ("datasets.filter, shuffle, select", other, "s"),
            ("ratio to the sampler made anew", other / first, "times"),
            ("ratio to a further round", other / each, "times"),
        ],
    )


def large(rounds: int) -> None:
    k, n, size = 1_000, 1_000_000, 100_000
    rng = np.random.default_rng(0)
    names = tuple(f"s{at:04}" for at in range(k))
    groups = {name: np.arange(at, n, k) for at, name in enumerate(names)}
    controller = SkillIt(
        SkillGraph(rng.random((k, k)) * (rng.random((k, k)) < 0.1) + np.eye(k), names, names), eta=0.01
    )
    sampler = SkillBatchSampler(groups, controller, 100, size)
    losses = [dict(zip(names, rng.random(k).tolist(), strict=True)) for _ in range(rounds)]
    updates, draws = [], []
    for row in losses:
        updates.append(seconds(lambda row=row: controller.update(row)))
        draws.append(seconds(lambda: sum(len(batch) for batch in sampler.round())))
    both = statistics.median(a + b for a, b in zip(updates, draws, strict=True))
    table(
        f"large: {k} skills, {n} rows, rounds of {size}, median of {rounds}",
        [
            ("update", statistics.median(updates), "s"),
            ("a round", statistics.median(draws), "s"),
            ("both", both, "s"),
        ],
    )


def trainer(rounds: int) -> None:
    import torch
    import transformers

    from parataxis.methods.skill_it.trainer import SkillItCallback, SkillItTrainerMixin

    transformers.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    steps, batch, n = 60, 8, 4_000
    ids = np.random.default_rng(0).integers(200, size=(n, 64))
    rows = [{"input_ids": each.tolist(), "labels": each.tolist()} for each in ids]
    skills = [f"s{at % 5}" for at in range(n)]
    names = tuple(sorted(set(skills)))

    class Timed(SkillItCallback):
        spent = 0.0

        def on_step_end(self, *args: Any, **options: Any) -> None:
            begun = time.process_time()
            super().on_step_end(*args, **options)
            self.spent += time.process_time() - begun

    class Validating(transformers.TrainerCallback):
        """What Skill-It asks of the Trainer, without Skill-It."""

        spent, trainer = 0.0, None

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            begun = time.process_time()
            for name in names if state.global_step % 15 == 0 else ():
                self.trainer.evaluate(eval_dataset=rows[:8], metric_key_prefix=f"eval_{name}")
            self.spent += time.process_time() - begun

    class Ours(SkillItTrainerMixin, transformers.Trainer):
        pass

    def made(own: bool, folder: str) -> tuple[Any, Any]:
        config = transformers.GPT2Config(
            vocab_size=200, n_positions=64, n_embd=128, n_layer=4, n_head=4, bos_token_id=0, eos_token_id=0
        )
        args = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=batch,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        model = transformers.GPT2LMHeadModel(config)
        if not own:
            validating = Validating()
            validating.trainer = transformers.Trainer(model, args, train_dataset=rows, callbacks=[validating])
            return quiet(validating.trainer), validating
        control = SkillIt(SkillGraph(np.eye(5), names, names))
        callback = Timed(control, skills, dict.fromkeys(names, rows[:8]), record_every=15, update_every=30)
        return quiet(Ours(model, args, train_dataset=rows, skills=callback)), callback

    def quiet(found: Any) -> Any:
        found.remove_callback(transformers.PrinterCallback)
        return found

    plain, ours, validation = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            ways = [made(own, folder) for own in ((False, True) if number % 2 else (True, False))]
            spent = {type(callback): seconds(each.train) - callback.spent for each, callback in ways}
            if number:  # the first warms up
                plain.append(spent[Validating] / steps)
                ours.append(spent[Timed] / steps)
                validation.append(next(callback.spent for _, callback in ways if isinstance(callback, Timed)))
    base, mine = statistics.median(plain), statistics.median(ours)
    table(
        f"trainer: {steps} steps of {batch}, one thread, median of {rounds}",
        [
            ("a step, random sampler", 1000 * base, "ms"),
            ("a step, Skill-It, without validation", 1000 * mine, "ms"),
            ("overhead", 100 * (mine / base - 1), "%"),
            ("4 validations of 5 sets of 8, and 2 updates", statistics.median(validation), "s"),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["draw", "large", "trainer"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for each in (draw, large, trainer):
        if arguments.only in (None, each.__name__):
            each(arguments.rounds)


if __name__ == "__main__":
    main()
