"""Trainings with transformers' Trainer, in a process of their own: it leaves signals and environment changed.

Prints JSON: what each gave its model, step by step, and what the callback told.
"""

import json
import os
import sys
import tempfile
import warnings
from types import SimpleNamespace

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


def trainer(folder, eta=0.5, workers=0, accumulate=1, **options):
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
        gradient_accumulation_steps=accumulate,
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


def causal():
    """The paper's set-up in small: LEGO as text, tokenised, padded, the loss on the answer alone."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from parataxis.methods.skill_it import baselines, lego
    from parataxis.methods.skill_it.causal import IGNORED, causal_task
    from parataxis.methods.skill_it.languages import PARTS, Line
    from parataxis.methods.skill_it.training import Mixing, Plan, train
    from parataxis.nn.fit import named, seeded

    found = lego.sentences(36, np.random.default_rng(0), names=6)
    asked = np.arange(36) % 2
    pairs = zip(asked.tolist(), found.texts(asked), strict=True)
    lines = [Line(f"hop {skill}", PARTS[at // 2 % 3], text) for at, (skill, text) in enumerate(pairs)]
    split = pre_tokenizers.Whitespace()
    words = sorted({word for line in lines for word, _ in split.pre_tokenize_str(line.text)})
    known = Tokenizer(models.WordLevel({word: at for at, word in enumerate(["?", *words])}, unk_token="?"))
    known.pre_tokenizer = split
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=known, unk_token="?")
    config = transformers.GPT2Config(
        vocab_size=len(words) + 1, n_positions=48, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    with seeded(named(0)("weights")):
        model = transformers.GPT2LMHeadModel(config)
    task = causal_task(lines, model, tokenizer, tokens=48, answer_only=True)
    plan = Plan(6, 4, 6, 2, lr=1e-2, warm_up=0)
    before = task.evaluate(task.build())
    _, fitted = train(task, Mixing(task, baselines.stratified(task.skills), plan, 0), plan, named(0))
    return {
        "counted": sorted(set((task.y != IGNORED).sum(1).tolist())),
        "padded": bool((task.x < 0).any()),
        "losses": [before["test hop 0"], *fitted.history["test hop 0"]],
        "skills": list(task.skills),
        "said": said(lambda: causal_task([Line("s", "train", "no answer")], model, tokenizer, answer_only=True)),
    }


class Stream:
    def __init__(self, skill, n):
        self.skill, self.n, self.epochs = skill, n, []

    def set_epoch(self, epoch):
        self.epochs.append(epoch)

    def __iter__(self):
        yield from ({"skill": self.skill, "at": at} for at in range(self.n))


def streams():
    from parataxis.methods.skill_it import interleave_skills

    def control():
        return SkillIt(SkillGraph(np.eye(3), SKILLS, SKILLS), eta=5.0)

    own, given = control(), {name: Stream(name, 4 if name == "a" else 100) for name in SKILLS}
    mixed = iter(interleave_skills(given, own, round_size=12, rounds=2))
    first = [next(mixed)["skill"] for _ in range(12)]
    own.update({"a": 5.0, "b": 0.0, "c": 0.0})
    rest = [(each["skill"], each["at"]) for each in mixed]
    found = {"first": first, "rest": rest, "epochs": given["a"].epochs}
    for name, sets, size in (
        ("empty", {name: Stream(name, 0 if name == "b" else 9) for name in SKILLS}, 9),
        ("absent", {name: Stream(name, 9) for name in "ab"}, 9),
        ("unknown", {"z": Stream("z", 1)}, 9),
        ("round", {}, 0),
    ):
        found[name] = said(
            lambda sets=sets, size=size: list(interleave_skills(sets, control(), round_size=size, rounds=1))
        )
    return found


def refused():
    """What is said to those who call it wrongly."""
    control, sets = SkillIt(SkillGraph(np.eye(3), SKILLS, SKILLS)), {skill: [] for skill in SKILLS}
    args = SimpleNamespace(max_steps=-1, gradient_accumulation_steps=1, world_size=1)

    def callback(groups=("a",), given=sets, record_every=2, update_every=4):
        return SkillItCallback(control, groups, given, record_every=record_every, update_every=update_every)

    def outside():
        found = SkillItTrainerMixin.__new__(SkillItTrainerMixin)
        found.skills, found.train_dataset = callback({"a": [1, 5]}), [0, 1, 2]
        found._get_train_sampler()

    return {
        "records": said(lambda: callback(record_every=3)),
        "steps": said(lambda: callback().make_sampler(args)),
        "eval_sets": said(lambda: callback(given={"a": [], "b": []})),
        "mixin": said(lambda: callback().on_train_begin(None, None, None)),
        "rows": said(outside),
    }


def said(call):
    from parataxis.errors import BadInput

    try:
        call()
    except BadInput as error:
        return str(error)
    return ""


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    runs, folder = {}, tempfile.mkdtemp()
    for name, options in {
        "plain": {},
        "exact": {"exact": True},
        "workers": {"workers": 2},
        "sharp": {"eta": 1e4},
        "sharp accumulated": {"eta": 1e4, "accumulate": 2},
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
    json.dump({**runs, "causal": causal(), "streams": streams(), "refused": refused()}, sys.stdout)


if __name__ == "__main__":
    main()
