"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import transformers.processing_utils  # noqa: F401  (what it does to the process that imports it: before the study begins)

from parataxis.claims import Figure, Measurement, System, Table
from parataxis.methods.set_prompting import (
    study_documents,
    study_made,
    study_published,
    study_questions,
    study_subjects,
)
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.made import QUESTION, made_model, made_tokenizer
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.study_inputs import Inputs, load, toy
from parataxis.nn.threads import one_thread

__all__ = ["study", "systems", "toy"]

TWO_SETS = SetPrompt(
    "One of\n", Set(["a bee\n", "the owl\n"]), "and one of\n", Set(["ab\n", "bat\n", "elm\n"]), "Both:"
)
CLOSE = 1e-4  # of logits at a scale of 3, in float32


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries; a part whose claims are kept is not measured again.

    What was answered is kept question by question in the work folder, so that a run that was cut off asks none twice.
    """
    with one_thread():  # `study_asking` says why
        inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
        yield from study_made.measure(inputs.seed, ctx)
        yield from study_questions.measure(inputs.model, inputs.data, inputs.real, ctx)
        yield from study_documents.measure(inputs.model, inputs.searches, inputs.real, ctx)
        for symmetry, system in ctx.progress(systems(inputs).items(), "symmetries"):
            if not ctx.done(symmetry):
                yield replace(ctx.audit(symmetry, system), real=False)
        yield from study_published.measure(inputs.cells, inputs.real, ctx)
        yield from study_subjects.measure(inputs.model, inputs.subjects, inputs.real, ctx)


def systems(inputs: Inputs) -> dict[str, System]:
    """For each symmetry what it is true of, and a twin that reads the members as an ordinary prompt does."""
    model, tokenizer = made_model("llama", seed=inputs.seed), made_tokenizer()
    given, plain = SetPrompter(model, tokenizer, layout="given"), SetPrompter(model, tokenizer, edits=PLAIN)
    pieces = SetPrompter(model, tokenizer, layout="given", engine="kv")
    members = list(QUESTION.sets[0].members)[: 4 if inputs.real else 3]
    candidates = [" a bee", " bat", " the owl", " ab"][: len(members)]

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
