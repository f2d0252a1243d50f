"""Methods, questions and orders: who chose what. A row is kept as soon as it is known, and never asked for again."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.asking import Asker, Scores
from parataxis.methods.set_prompting.baselines import Method
from parataxis.methods.set_prompting.kept import log
from parataxis.methods.set_prompting.orders import Order, tried
from parataxis.methods.set_prompting.prompt import SetPrompt
from parataxis.methods.set_prompting.questions import Question

Watch = Callable[[int, int], None]  # questions done, and of how many


@dataclass(frozen=True)
class Posed:
    """A question, its prompt, and a candidate for each of its choices."""

    question: Question
    prompt: SetPrompt
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """What one method chose of one question's choices, in each order that was tried.

    answer, chosen, again: places in `choices`, the first of those that read alike; None: no choice was made. scores:
    one a choice, for each order. again: when the first order was asked once more. calls: in all orders together.
    """

    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    method: str
    orders: tuple[Order, ...]
    chosen: tuple[int | None, ...]
    scores: tuple[Scores, ...]
    again: tuple[int | None, ...]
    calls: int
    seconds: float

    @property
    def right(self) -> list[bool]:
        return [chosen == self.answer for chosen in self.chosen]

    @property
    def slots(self) -> list[int]:
        """Where the right choice stood in each order."""
        return [order.index(self.answer) for order in self.orders]


def evaluate(
    posed: Sequence[Posed],
    methods: Sequence[Method],
    kind: str | int = "two",
    *,
    model: str,
    seed: int = 0,
    noisy: Asker | None = None,
    journal: Path | None = None,
    watch: Watch = lambda done, total: None,
) -> list[Row]:
    """A row for each question and method, in this order.

    kind: of orders, as `orders.tried` has it. model: a name for what was asked, and how: under it rows are looked up
    in the journal. noisy: an asker that may answer otherwise when asked again; it is, once a question, by `plain`.
    """
    found = []
    with ExitStack() as stack:
        lines, before = stack.enter_context(log(journal)) if journal else (None, [])
        kept = _by_key(before, journal)
        for done, each in enumerate(posed):
            watch(done, len(posed))
            orders = tried(len(each.candidates), kind, seed, each.prompt.to_text())
            for method in methods:
                key = _key(each, method, orders, model)
                if key not in kept:
                    row = _row(each, method, orders, noisy if method.name == "plain" else None)
                    kept[key] = asdict(row)
                    if lines:
                        lines.append({"key": key, **kept[key]})
                found.append(_read(kept[key], each.question))
    watch(len(posed), len(posed))
    return found


def _by_key(rows: list[dict[str, Any]], journal: Path | None) -> dict[str, dict[str, Any]]:
    columns = {"key", *(column.name for column in fields(Row))}
    for number, row in enumerate(rows, 1):
        if set(row) != columns:
            raise BadInput(f"{journal}:{number}: is not a row of ours; name another place, or move the file away")
    return {row.pop("key"): row for row in rows}


def _row(each: Posed, method: Method, orders: Sequence[Order], noisy: Asker | None) -> Row:
    start = time.perf_counter()
    chosen, scores, calls = [], [], 0
    again: list[int | None] = []
    try:
        method.ahead([(each.prompt.ordered(order), [each.candidates[at] for at in order]) for order in orders])
        for order in orders:
            choice, answered, cost = _chosen(each, method, order)
            chosen.append(choice)
            scores.append(answered)
            calls += cost
        if noisy:
            noisy.forget()
            again.append(_chosen(each, method, orders[0])[0])
    except BadInput as error:
        raise BadInput(f"question {each.question.id}: {error}") from None
    question = each.question
    facts = (question.id, question.question, question.choices, question.key, method.name)
    seconds = time.perf_counter() - start
    return Row(*facts, tuple(orders), tuple(chosen), tuple(scores), tuple(again), calls, seconds)


def _chosen(each: Posed, method: Method, order: Order) -> tuple[int | None, Scores, int]:
    """The place of the choice, the scores by choice, and the calls."""
    candidates = [each.candidates[place] for place in order]
    answer = method.answer(each.prompt.ordered(order), candidates)
    slot = answer.best(candidates)
    choice = None if slot is None else each.question.place(order[slot])
    return choice, tuple(answer.scores[order.index(place)] for place in range(len(order))), answer.calls


def _key(each: Posed, method: Method, orders: Sequence[Order], model: str) -> str:
    """All that a row depends on."""
    named = method.name + method.depends
    facts: Any = [each.prompt.to_text(), each.candidates, named, [list(order) for order in orders], model]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _read(row: dict[str, Any], question: Question) -> Row:
    """A row as it was kept; the question's name and its key are those of today."""
    columns = {name: _tuples(value) for name, value in row.items()}
    return replace(Row(**columns), id=question.id, answer=question.key)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
