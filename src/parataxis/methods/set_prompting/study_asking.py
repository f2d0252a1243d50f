"""Asking a study's questions on several cores: each question on one, so that no number depends on how many there are.

Threads of the model's own wait for one another some hundred times a prompt, which takes for ever where another program
holds a core. A thread a question waits for nobody.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.asking import Likelihood
from parataxis.methods.set_prompting.baselines import Once
from parataxis.methods.set_prompting.evaluate import Posed, Row, evaluate
from parataxis.methods.set_prompting.prompter import Scoring, SetPrompter
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.templates import DEFAULT_TEMPLATE, pose, template

CORES = min(4, os.cpu_count() or 1)  # more share one memory, from which all weights are read for every question
A = TypeVar("A")
B = TypeVar("B")


def posed(questions: Sequence[Question], layout: str = DEFAULT_TEMPLATE) -> list[Posed]:
    return [Posed(each, *pose(each, template(layout))) for each in questions]


def spread_out(work: Callable[[A], B], items: Sequence[A], ctx: Any) -> Iterator[B]:
    """What is made of each item, in their order. The toy's, which takes no time, are worked on here."""
    if ctx.scale == "toy":
        yield from map(work, items)
        return
    with ThreadPoolExecutor(CORES) as pool:
        yield from pool.map(work, items)


def asked(
    model: LanguageModel,
    name: str,
    some: Sequence[Posed],
    method: str,
    kind: str,
    ctx: Any,
    *,
    scoring: Scoring = "sum",
    **options: Any,
) -> list[Row]:
    """A row a question, answered by a SetPrompter with these options; `method`, `kind`: as in `evaluate`.

    name: of the file in the work folder where rows are kept.
    """
    parts = [some[part::CORES] for part in range(CORES)]

    def ask(part: int) -> list[Row]:
        asker = Likelihood(SetPrompter(model.model, model.tokenizer, **options), scoring)
        return evaluate(
            parts[part], [Once(method, asker)], kind, model=model.name, journal=ctx.work / f"{name}-{part}.jsonl"
        )

    found: list[Row | None] = [None] * len(some)
    for part, rows in enumerate(spread_out(ask, range(CORES), ctx)):
        found[part::CORES] = rows
    return [row for row in found if row is not None]
