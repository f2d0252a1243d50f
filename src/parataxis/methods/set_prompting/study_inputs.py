"""What the study asks, and whom: real questions and a trained model, or for the toy a handful of made ones."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parataxis.lm.models import LanguageModel
from parataxis.lm.models import load as load_model
from parataxis.methods.set_prompting.made import SEEDS, made_model, made_tokenizer
from parataxis.methods.set_prompting.official import read_prompts
from parataxis.methods.set_prompting.questions import Question, read_questions
from parataxis.methods.set_prompting.study_documents import Search, read_searches
from parataxis.methods.set_prompting.study_published import Cell, read_cells

QUESTIONS = {"quick": 20, "full": 400, "paper": 1_000}  # of each data set
SEARCHES = {"quick": 2, "full": 40, "paper": 200}
OF_A_SUBJECT = {"quick": 1, "full": 100, "paper": 100}  # questions of each subject, in 24 orders: it has 100
SUBJECTS = ("abstract_algebra", "global_facts")  # of the twenty that were published, the two with the shortest texts
MMLU = "mmlu_test.jsonl.gz"
FILES = {"csqa": "csqa_dev.jsonl.gz", "arc": "arc_challenge_test.jsonl.gz"}
THINGS = ("bat", "elm", "owl", "bee")


@dataclass(frozen=True)
class Inputs:
    """What stands behind a call is opened where it is needed.

    model: that is asked. subjects: of MMLU; cells: the published accuracies, in a file that has no address. seed: of
    the made models. real: false for the toy.
    """

    model: Callable[[], LanguageModel]
    data: dict[str, list[Question]]
    searches: list[Search]
    subjects: Callable[[], dict[str, list[Question]]]
    cells: Callable[[], list[Cell]]
    seed: int
    real: bool


def load(ctx: Any) -> Inputs:
    n, each = QUESTIONS[ctx.scale], OF_A_SUBJECT[ctx.scale]

    def subjects() -> dict[str, list[Question]]:
        return {name: _drawn(_of_subject(name, ctx), each, ctx.rng("subject", name)) for name in SUBJECTS}

    return Inputs(
        model=functools.cache(lambda: load_model(device=ctx.device)),
        data={name: _drawn(read_questions(ctx.data(file)), n, ctx.rng(name)) for name, file in FILES.items()},
        searches=read_searches(ctx.data("nq_open_oracle.jsonl.gz"), SEARCHES[ctx.scale], ctx.rng("searches")),
        subjects=subjects,
        cells=lambda: read_cells(ctx.data("mmlu_order_accuracy.csv")),
        seed=int(ctx.rng("models").integers(SEEDS)),
        real=True,
    )


def _of_subject(name: str, ctx: Any) -> list[Question]:
    """From MMLU's whole test set if that is here, else the same questions from the paper's own file of the subject."""
    if not ctx.lacks(MMLU):
        return [each for each in read_questions(ctx.data(MMLU)) if each.extra["subject"] == name]
    found = []
    for place, entry in enumerate(read_prompts(ctx.data(f"{name}_test.json"))):
        (options,), label = entry.prompt.sets, entry.candidates[0]
        text = str(entry.prompt.pieces[0])
        found.append(Question(str(place), text, options.members, options.members.index(label)))
    return found


def _drawn(questions: Sequence[Question], n: int, rng: np.random.Generator) -> list[Question]:
    return [questions[place] for place in rng.permutation(len(questions))[:n].tolist()]


def toy(rng: np.random.Generator) -> Inputs:
    """A made model, and a handful of made questions, passages and accuracies."""
    seed = int(rng.integers(SEEDS))
    questions = [
        Question(str(place), f"Which is number {place}?", THINGS[place % 4 :] + THINGS[: place % 4], place % 4)
        for place in range(14)
    ]
    passages = tuple(f"[{thing}] it is.\n" for thing in THINGS)
    values = rng.uniform(0.2, 0.8, 8).tolist()
    cells = [
        Cell(f"subject {place}", f"model {which}", value, (value - 0.1, value + 0.1))
        for place, value in enumerate(values)
        for which in range(2)
    ]
    return Inputs(
        model=lambda: LanguageModel(made_model("llama", seed=seed), made_tokenizer(), "a made model"),
        data={"csqa": questions[:6], "arc": questions[6:12]},
        searches=[Search(f"which is {thing}", thing, passages) for thing in THINGS[:2]],
        subjects=lambda: {name: [question] for name, question in zip(SUBJECTS, questions[12:], strict=True)},
        cells=lambda: cells,
        seed=seed,
        real=False,
    )
