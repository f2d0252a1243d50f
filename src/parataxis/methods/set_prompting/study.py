"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.lm.models import LanguageModel, load
from parataxis.methods.set_prompting import study_documents, study_made, study_published, study_questions
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.made import QUESTION, made_model, made_tokenizer
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.questions import Question, read_questions
from parataxis.methods.set_prompting.study_documents import Search, read_searches
from parataxis.methods.set_prompting.study_published import Cell, read_cells

QUESTIONS = {"quick": 24, "full": 400, "paper": 1_000}  # of each data set
SEARCHES = {"quick": 4, "full": 40, "paper": 200}
TWO_SETS = SetPrompt(
    "One of\n", Set(["a bee\n", "the owl\n"]), "and one of\n", Set(["ab\n", "bat\n", "elm\n"]), "Both:"
)
CLOSE = 1e-4  # of logits at a scale of 3, in float32


@dataclass(frozen=True)
class Inputs:
    """model: that is asked; seed: of the made models; real: false for the toy."""

    model: LanguageModel
    data: dict[str, list[Question]]
    searches: list[Search]
    cells: list[Cell]
    seed: int
    real: bool


def toy(rng: np.random.Generator) -> Inputs:
    """A made model, and a handful of made questions, passages and accuracies."""
    seed = int(rng.integers(1_000))
    model = LanguageModel(made_model("llama", seed=seed), made_tokenizer(), "a made model")
    things = ["a bee", "the owl", "bat", "an elm"]
    questions = [
        Question(str(place), f"Which is number {place}?", tuple(things[place % 4 :] + things[: place % 4]), place % 4)
        for place in range(40)
    ]
    searches = [Search(f"which is {thing}", thing, tuple(f"[{each}] it is.\n" for each in things)) for thing in things]
    cells = [
        Cell(f"subject {place}", f"model {which}", value, (value - 0.1, value + 0.1))
        for place, value in enumerate(rng.uniform(0.2, 0.8, 8).tolist())
        for which in range(2)
    ]
    return Inputs(model, {"csqa": questions[:20], "arc": questions[20:]}, searches, cells, seed, real=False)


def load_inputs(ctx: Any) -> Inputs:
    n = QUESTIONS[ctx.scale]
    files = {"csqa": "csqa_dev.jsonl.gz", "arc": "arc_challenge_test.jsonl.gz"}
    drawn = {name: _drawn(read_questions(ctx.data(file)), n, ctx.rng(name)) for name, file in files.items()}
    searches = read_searches(ctx.data("nq_open_oracle.jsonl.gz"), SEARCHES[ctx.scale], ctx.rng("searches"))
    cells = read_cells(ctx.data("mmlu_order_accuracy.csv"))
    seed = int(ctx.rng("models").integers(1_000))
    return Inputs(load(device=ctx.device), drawn, searches, cells, seed, real=True)


def _drawn(questions: Sequence[Question], n: int, rng: np.random.Generator) -> list[Question]:
    return [questions[place] for place in rng.permutation(len(questions))[:n].tolist()]


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries; a part whose claims are kept is not measured again."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load_inputs(ctx)
    label = ctx.progress

    def watch(done: int, total: int) -> None:
        ctx.tell(f"questions {done}/{total}")

    parts = {
        study_published.CLAIMS: lambda: study_published.measure(inputs.cells, ctx.rng("subjects"), inputs.real),
        study_made.CLAIMS: lambda: study_made.measure(ctx.scale, inputs.seed),
        study_questions.CLAIMS: lambda: study_questions.measure(
            inputs.model, inputs.data, ctx.seed, inputs.real, watch
        ),
        study_documents.CLAIMS: lambda: study_documents.measure(inputs.model, inputs.searches, ctx.seed, inputs.real),
    }
    for claims, part in parts.items():
        if not all(map(ctx.done, claims)):
            yield from part()
    for symmetry, system in label(systems(inputs).items(), "symmetries"):
        if not ctx.done(symmetry):
            measured = ctx.audit(symmetry, system, system.items)
            yield measured


def systems(inputs: Inputs) -> dict[str, System]:
    """For each symmetry what it is true of, and a twin that reads the members as an ordinary prompt does."""
    model, tokenizer = made_model("llama", seed=inputs.seed), made_tokenizer()
    given, plain = SetPrompter(model, tokenizer, layout="given"), SetPrompter(model, tokenizer, edits=PLAIN)
    pieces = SetPrompter(model, tokenizer, layout="given", engine="kv")
    members, candidates = list(QUESTION.sets[0].members), [" a bee", " bat", " the owl", " ab"]

    def logits(prompter: SetPrompter, some: Sequence[str]) -> Any:
        return prompter.logits(QUESTION.with_sets([Set(some)])).numpy()

    def second(prompter: SetPrompter, some: Sequence[str]) -> Any:
        return prompter.logits(TWO_SETS.with_sets([TWO_SETS.sets[0], Set(some)])).numpy()

    def keys(prompter: SetPrompter, some: Sequence[str]) -> list[Any]:
        state = prompter.encode(QUESTION.with_sets([Set(some)]))
        return [state.cache.layers[-1].keys[0, :, each.start : each.stop].numpy() for each in state.layout.members]

    def scored(some: Sequence[str]) -> list[float]:
        return given.score(QUESTION, some).tolist()

    def place_counts(some: Sequence[str]) -> list[float]:
        return [score + place for place, score in enumerate(scored(some))]

    def of_sets(some: Sequence[Set]) -> Any:
        return given.logits(TWO_SETS.with_sets(some)).numpy()

    return {
        "members": System(
            lambda some: logits(given, some), members, twin=lambda some: logits(plain, some), compare=CLOSE
        ),
        "members-kv": System(
            lambda some: logits(pieces, some), members, twin=lambda some: logits(plain, some), compare=CLOSE
        ),
        "second-set": System(
            lambda some: second(given, some),
            list(TWO_SETS.sets[1].members),
            twin=lambda some: second(plain, some),
            compare=CLOSE,
        ),
        "keys": System(
            lambda some: keys(given, some), members, twin=lambda some: keys(plain, some), per_item=True, compare=CLOSE
        ),
        "candidates": System(scored, candidates, twin=place_counts, per_item=True, compare=CLOSE),
        "sort": System(
            lambda some: logits(plain, sorted(some)), members, twin=lambda some: logits(plain, some), compare=CLOSE
        ),
        "plain": System(lambda some: logits(plain, some), members, compare=CLOSE),
        "order-of-sets": System(of_sets, list(TWO_SETS.sets), compare=CLOSE),
    }
