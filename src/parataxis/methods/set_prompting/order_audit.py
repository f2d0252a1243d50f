"""The audit of multiple-choice questions: how much the order of the options decides, and what each remedy costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from parataxis.errors import BadInput
from parataxis.lm.endpoint import Endpoint
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.asking import Asker, Likelihood, Written
from parataxis.methods.set_prompting.baselines import Method, Once, Permuted, Pride, sampled
from parataxis.methods.set_prompting.evaluate import Posed, Watch, evaluate
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.orders import ascending, descending
from parataxis.methods.set_prompting.prompter import TOLERANCE, Scoring, SetPrompter
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.report import Report, Symmetry
from parataxis.methods.set_prompting.summary import Accuracy, accuracy, differ, gap, summarise
from parataxis.methods.set_prompting.templates import DEFAULT_TEMPLATE, pose, template

SIDE_BY_SIDE = ("plain", "sort", "set-based")
WRITTEN = ("plain", "sort", "majority-vote-cyclic")  # of a model that can't be opened
PROVED_ON = 5  # questions, laid out as given in two orders


@dataclass(frozen=True)
class Asked:
    """What a method may ask: plainly, and with sets if the model can be opened. sample: for PriDe."""

    plain: Asker
    sets: Asker | None
    sample: Callable[[], Sequence[Posed]]


METHODS: dict[str, Callable[[str, Asked], Method]] = {
    "plain": lambda name, asked: Once(name, asked.plain),
    "sort": lambda name, asked: Once(name, asked.plain, ascending, invariant=True),
    "sort-descending": lambda name, asked: Once(name, asked.plain, descending, invariant=True),
    "set-based": lambda name, asked: Once(name, _opened(name, asked.sets), invariant=True),
    "permute-average": lambda name, asked: Permuted(name, _likely(name, asked)),
    "permute-average-cyclic": lambda name, asked: Permuted(name, _likely(name, asked), cyclic=True),
    "majority-vote": lambda name, asked: Permuted(name, asked.plain, vote=True),
    "majority-vote-cyclic": lambda name, asked: Permuted(name, asked.plain, cyclic=True, vote=True),
    "pride": lambda name, asked: Pride(
        _likely(name, asked), [(each.prompt, each.candidates) for each in asked.sample()]
    ),
}


def order_audit(
    questions: Sequence[Question],
    model: LanguageModel | Endpoint,
    *,
    names: Sequence[str] = (),
    kind: str | int = "two",
    layout: str = DEFAULT_TEMPLATE,
    scoring: Scoring = "sum",
    seed: int = 0,
    journal: Path | None = None,
    title: str = "questions",
    watch: Watch = lambda done, total: None,
) -> Report:
    """Ask every question in the orders of `kind` ("two", "all", or a number) by each method of these names.

    names: of METHODS; by default plain, sort and set-based side by side, and of an endpoint what can be asked of it.
    layout: a name of TEMPLATES. journal: a file of rows, which a later call with the same goes on with.
    """
    start = time.perf_counter()
    local = isinstance(model, LanguageModel)
    names = list(dict.fromkeys(names or (SIDE_BY_SIDE if local else WRITTEN)))
    if "sort" in names and "sort-descending" not in names:
        names.insert(names.index("sort") + 1, "sort-descending")  # its twin: would the other way do as well?
    layout = layout if local else "chat"
    posed = _posed(questions, model, layout)
    asked, methods = _methods(names, posed, model, scoring, seed)
    rows = evaluate(
        posed,
        methods,
        kind,
        model=_identity(model, layout, scoring, seed),
        seed=seed,
        noisy=asked.plain if asked.plain.noisy else None,
        journal=journal,
        watch=watch,
    )
    by_name = {each.name: [row for row in rows if row.method == each.name] for each in methods}
    plain, sets = by_name.get("plain"), by_name.get("set-based")
    return Report(
        title=title,
        model=model.name,
        template=layout,
        scoring=scoring if local else "written",
        orders=str(kind),
        seed=seed,
        summaries=[summarise(by_name[each.name], invariant=each.invariant, seed=seed) for each in methods],
        gap=gap(sets, plain, seed) if plain and sets else None,
        twin=differ(by_name["sort"], by_name["sort-descending"]) if "sort" in by_name else None,
        symmetry=_symmetry(model, posed[:PROVED_ON], scoring) if sets and isinstance(model, LanguageModel) else None,
        asked=asked.plain.asked + (asked.sets.asked if asked.sets else 0),
        threads=torch.get_num_threads() if local else 0,
        seconds=time.perf_counter() - start,
        rows=rows,
    )


def accuracies(
    questions: Sequence[Question],
    model: LanguageModel,
    *,
    names: Sequence[str] = (),
    layout: str = DEFAULT_TEMPLATE,
    scorings: Sequence[Scoring] = ("sum", "mean", "pmi"),
    seed: int = 0,
    journal: Path | None = None,
    watch: Watch = lambda done, total: None,
) -> list[Accuracy]:
    """Ask every question once, as its options are given, by each method and scoring; arguments as of `order_audit`."""
    names = list(dict.fromkeys(names or SIDE_BY_SIDE))
    posed = _posed(questions, model, layout)
    found = []

    def part(place: int) -> Watch:
        return lambda done, total: watch(place * total + done, len(scorings) * total)

    for place, scoring in enumerate(scorings):
        _, methods = _methods(names, posed, model, scoring, seed)
        rows = evaluate(
            posed,
            methods,
            "given",
            model=_identity(model, layout, scoring, seed),
            seed=seed,
            journal=journal,
            watch=part(place),
        )
        found += [accuracy([row for row in rows if row.method == name], scoring) for name in names]
    return found


def _posed(questions: Sequence[Question], model: LanguageModel | Endpoint, layout: str) -> list[Posed]:
    tokenizer = model.tokenizer if isinstance(model, LanguageModel) else None
    return [Posed(each, *pose(each, template(layout), tokenizer)) for each in questions]


def _identity(model: LanguageModel | Endpoint, layout: str, scoring: str, seed: int) -> str:
    """What rows are kept under: all that an answer depends on beside question, method and order."""
    if isinstance(model, Endpoint):
        return model.name
    return f"{model.name} {model.version} {model.model.dtype} {layout} {scoring} {seed}"


def _methods(
    names: Sequence[str], posed: Sequence[Posed], model: LanguageModel | Endpoint, scoring: Scoring, seed: int
) -> tuple[Asked, list[Method]]:
    for name in names:
        if name not in METHODS:
            raise BadInput(f"method={name!r}: expected one of {', '.join(METHODS)}")
    asked = Asked(*_askers(model, scoring), lambda: _sample(posed, seed))
    return asked, [METHODS[name](name, asked) for name in names]


def _askers(model: LanguageModel | Endpoint, scoring: Scoring) -> tuple[Asker, Asker | None]:
    if isinstance(model, Endpoint):
        return Written(model), None
    plain = SetPrompter(model.model, model.tokenizer, edits=PLAIN)
    return Likelihood(plain, scoring), Likelihood(SetPrompter(model.model, model.tokenizer), scoring)


def _sample(posed: Sequence[Posed], seed: int) -> list[Posed]:
    keys = [each.prompt.to_text() for each in posed]
    return [posed[place] for place in sampled(keys, [len(each.candidates) for each in posed], seed)]


def _opened(name: str, asker: Asker | None) -> Asker:
    if asker is None:
        raise BadInput(f"method={name!r}: needs a model that can be opened, not an endpoint; use {', '.join(WRITTEN)}")
    return asker


def _likely(name: str, asked: Asked) -> Asker:
    _opened(name, asked.sets)
    return asked.plain


def _symmetry(model: LanguageModel, posed: Sequence[Posed], scoring: Scoring) -> Symmetry:
    """How far scores move when a set is reversed and laid out as given: what no sorting could hide."""
    given = SetPrompter(model.model, model.tokenizer, layout="given")
    moved, scale = 0.0, 0.0
    for each in posed:
        backwards = each.prompt.ordered(range(len(each.candidates))[::-1])
        one, two = (given.score(prompt, each.candidates, scoring) for prompt in (each.prompt, backwards))
        moved = max(moved, float((one - two).abs().max()))
        scale = max(scale, float(one.abs().max()))
    return Symmetry(len(posed), moved, scale, TOLERANCE[model.model.dtype])
