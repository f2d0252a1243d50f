"""Two subjects of MMLU in all 24 orders of their options: is the set-based accuracy among those of the orders?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.claims import Measurement, Table
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.study_asking import asked, posed
from parataxis.methods.set_prompting.summary import resampled

CLAIMS = ("within-all-orders-smollm2", "gap-over-all-orders-smollm2")


def measure(
    opened: Callable[[], LanguageModel], read: Callable[[], dict[str, list[Question]]], real: bool, ctx: Any
) -> Iterator[Measurement | Table]:
    if all(map(ctx.done, CLAIMS)):
        return
    subjects, model = read(), opened()
    right = {name: _right(model, name, questions, ctx) for name, questions in subjects.items()}
    rows: list[list[str | float]] = []
    for name, table in right.items():
        sets, orders = table[:, 0].mean(), table[:, 1:].mean(0)
        among = "yes" if orders.min() <= sets <= orders.max() else "no"
        quartiles = np.quantile(orders, [0, 0.25, 0.5, 0.75, 1]).tolist()
        rows.append([name, len(table), *quartiles, float(orders.mean()), float(sets), among])
    columns = ("subject", "questions", "least", "lower", "middle", "upper", "most", "mean", "sets", "among them")
    yield Table("smollm2-orders", columns, rows, "Accuracy in each of 24 orders, ordinary prompt, and with sets.")
    both = np.concatenate(list(right.values()))
    facts: dict[str, Any] = {"unit": "share of questions", "real": real, "data": f"{' and '.join(right)}, {model.name}"}
    for claim, of in zip(CLAIMS, (_inside, _gap), strict=True):
        found = resampled(both, of, ctx.seed)[0]
        yield Measurement(claim, found.value, found.low, found.high, len(both), **facts)


def _right(
    model: LanguageModel, name: str, questions: Sequence[Question], ctx: Any
) -> Float[np.ndarray, "question column"]:
    """1 where the answer is right: with sets, then by an ordinary prompt in each order."""
    some = posed(questions)
    ctx.tell(f"{name}, {len(some)} questions")
    sets, plain = (
        asked(model, name, some, "set-based", "given", ctx),
        asked(model, name, some, "plain", "all", ctx, edits=PLAIN),
    )
    return np.array([[*one.right, *other.right] for one, other in zip(sets, plain, strict=True)], dtype=float)


def _inside(means: Any) -> Any:
    """How far the first is from the nearer end of all others; below 0 outside."""
    return np.minimum(means[:, 0] - means[:, 1:].min(1), means[:, 1:].max(1) - means[:, 0])[:, None]


def _gap(means: Any) -> Any:
    return (means[:, 0] - means[:, 1:].mean(1))[:, None]
