"""Trainings with transformers' Trainer, in a process of their own: it leaves signals and environment changed.

Prints JSON: what each gave its model, step by step, and what the callback told.
"""

import json
import os
import sys
import tempfile
import warnings

import numpy as np
import transformers

from parataxis.methods.skill_it import SkillGraph, SkillIt
from parataxis.methods.skill_it.trainer import SkillItCallback, SkillItTrainerMixin

SKILLS = ("a", "b", "c")
STEPS, UPDATE, RECORD, BATCH, ROWS = 12, 4, 2, 2, 20


def rows(skill, n=ROWS):
    return [{"input_ids": [1 + SKILLS.index(skill), 5, 6, 7], "labels": [1, 5, 6, 7]} for _ in range(n)]


class Recording(SkillItTrainerMixin, transformers.Trainer):
    def training_step(self, model, inputs, *more):
        self.batches.append(inputs["input_ids"][:, 0].tolist())
        return super().training_step(model, inputs, *more)


class Stop(transformers.TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step == 6


def trainer(folder, eta=0.5, workers=0, **options):
    control = SkillIt(SkillGraph(np.eye(3), SKILLS, SKILLS), eta=eta)
    skills = SkillItCallback(
        control,
        [skill for skill in SKILLS for _ in range(ROWS)],
        {skill: rows(skill, 2) for skill in SKILLS},
        record_every=RECORD,
        update_every=UPDATE,
        **options,
    )
    config = transformers.GPT2Config(
        vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
    )
    transformers.set_seed(0)
    args = transformers.TrainingArguments(
        output_dir=folder,
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=0.01,
        save_steps=6,
        logging_steps=1000,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_num_workers=workers,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
    data = [row for skill in SKILLS for row in rows(skill)]
    found = Recording(transformers.GPT2LMHeadModel(config), args, train_dataset=data, skills=skills)
    found.batches = []
    return found


def told(found):
    control = found.skills.controller
    return {
        "updates": found.skills.history.to_dict("list"),
        "batches": found.batches,
        "rounds": control.round,
        "records": len(control.records),
        "weights": control.weights,
        "steps": found.state.global_step,
        "drawn": found.skills.sampler.drawn,
    }


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    runs, folder = {}, tempfile.mkdtemp()
    for name, options in {
        "plain": {},
        "exact": {"exact": True},
        "workers": {"workers": 2},
        "sharp": {"eta": 1e4},
    }.items():
        found = trainer(os.path.join(folder, name), **options)
        found.train()
        runs[name] = told(found)
    for exact in (True, False):
        name = f"resumed {'exact' if exact else 'plain'}"
        cut = trainer(os.path.join(folder, name), exact=exact)
        cut.add_callback(Stop())
        cut.train()
        again = trainer(os.path.join(folder, name), exact=exact)
        again.train(resume_from_checkpoint=True)
        runs[name] = told(again)
    json.dump(runs, sys.stdout)


if __name__ == "__main__":
    main()
