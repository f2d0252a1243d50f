"""inspect-ai: a multiple-choice data set asked in several orders, and what its log says of the order.

    dataset = in_orders(dataset, "two")
    (log,) = eval(Task(dataset, solver=multiple_choice(), scorer=choice()), model=...)
    print(summarise(rows_of(log)).flips)

Nothing of inspect-ai is imported: samples are copied, and logs read, through their fields.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.orders import tried
from parataxis.methods.set_prompting.questions import LETTERS

KEY = "parataxis"  # in a sample's metadata


def in_orders(dataset: Any, kind: str | int = "two", seed: int = 0) -> Any:
    """The data set with each sample once for every order of `orders.tried`, its choices and target rearranged.

    Don't let the solver shuffle the choices as well. Raises BadInput for a sample without choices or with two targets.
    """
    samples = [each for number, sample in enumerate(dataset) for each in _in_orders(sample, number, kind, seed)]
    return type(dataset)(samples, name=dataset.name, location=dataset.location)


def _in_orders(sample: Any, number: int, kind: str | int, seed: int) -> Iterable[Any]:
    name = number + 1 if sample.id is None else sample.id
    target = sample.target[0] if isinstance(sample.target, list) and len(sample.target) == 1 else sample.target
    if not sample.choices or not isinstance(target, str) or target not in LETTERS[: len(sample.choices)]:
        raise BadInput(f"sample {name}: target={sample.target!r}: expected choices, and the letter of one of them")
    answer = LETTERS.index(target)
    for turn, order in enumerate(tried(len(sample.choices), kind, seed, str(name))):
        changed = {
            "id": f"{name}/{turn}",
            "choices": [sample.choices[place] for place in order],
            "target": LETTERS[order.index(answer)],
            "metadata": {**(sample.metadata or {}), KEY: {"sample": str(name), "order": list(order)}},
        }
        yield sample.model_copy(update=changed)


def rows_of(log: Any) -> list[Row]:
    """A row for each sample of a finished evaluation of `in_orders`, for `summary.summarise`.

    Raises BadInput for one that failed or was cut off: a question that was not asked in all orders tells nothing.
    """
    if log.status != "success":
        raise BadInput(f"log: status={log.status!r}: expected an evaluation that ended in success; run it to its end")
    groups: dict[str, list[Any]] = defaultdict(list)
    for sample in log.samples or ():
        if KEY not in (sample.metadata or {}):
            raise BadInput(f"sample {sample.id}: was not put into orders; evaluate what `in_orders` gives")
        groups[sample.metadata[KEY]["sample"]].append(sample)
    return [
        _row(name, sorted(group, key=lambda each: int(each.id.rpartition("/")[2]))) for name, group in groups.items()
    ]


def _row(name: str, group: list[Any]) -> Row:
    orders = tuple(tuple(each.metadata[KEY]["order"]) for each in group)
    first, order = group[0], orders[0]
    choices = tuple(first.choices[order.index(place)] for place in range(len(order)))
    answer = order[LETTERS.index(first.target if isinstance(first.target, str) else first.target[0])]
    slots = [_chosen(each) for each in group]
    chosen = tuple(
        None if slot is None else choices.index(choices[order[slot]]) for slot, order in zip(slots, orders, strict=True)
    )
    return Row(
        id=name,
        question=str(first.input),
        choices=choices,
        answer=choices.index(choices[answer]),
        method="plain",
        orders=orders,
        chosen=chosen,
        scores=tuple(tuple(float(place == each) for place in range(len(choices))) for each in chosen),
        again=(),
        calls=len(group),
        seconds=0.0,
    )


def _chosen(sample: Any) -> int | None:
    """The slot of the letter that the first scorer read; None if it read none, or several."""
    score = next(iter((sample.scores or {}).values()), None)
    letter = (score.answer or "").strip().upper() if score else ""
    return LETTERS.index(letter) if len(letter) == 1 and letter in LETTERS else None
