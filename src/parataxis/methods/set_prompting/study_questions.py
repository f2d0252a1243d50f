"""The claims about real questions: what the order of the options decides, and what a set costs and keeps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parataxis.claims import Measurement
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.made import spread
from parataxis.methods.set_prompting.orders import Order, every
from parataxis.methods.set_prompting.prompt import SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.study_asking import asked, posed, spread_out
from parataxis.methods.set_prompting.summary import Estimate, gap, rate, resampled

OF_EACH = ("between-worst-and-best", "cost", "order-flips-plain", "order-flips-sets")
CLAIMS = (
    "order-changes-nothing-smollm2",
    *(f"{claim}-{name}" for claim in OF_EACH for name in ("csqa", "arc")),
    "between-worst-and-best-csqa-paper",
)
PROVED_ON = {"toy": 1, "quick": 1, "full": 10, "paper": 10}  # questions of four options
ORDERS = every(range(4))
OFFICIAL = {"toy": 2, "quick": 3, "full": 100, "paper": 1_000}  # questions in the paper's layout, and by its score
REREAD = 6  # questions of each data set, or a tenth, whose set-based answer is read anew in both orders, as given


@dataclass(frozen=True)
class Asked:
    """Rows of one data set: an ordinary prompt and sets, in two orders; and sets once more, laid out as given."""

    plain: list[Row]
    sets: list[Row]
    given: list[Row]


def measure(
    opened: Callable[[], LanguageModel], data: dict[str, list[Question]], real: bool, ctx: Any
) -> Iterator[Measurement]:
    if all(map(ctx.done, CLAIMS)):
        return
    model = opened()
    facts: dict[str, Any] = {"real": real}
    if not ctx.done(CLAIMS[0]):
        of_four = [each for each in data["arc"] if len(each.choices) == 4][: PROVED_ON[ctx.scale]]
        moved, plain = _moved(model, of_four, ORDERS[: 3 if ctx.scale == "toy" else None], ctx)
        own = {**facts, "data": f"arc, {model.name}"}
        yield Measurement(CLAIMS[0], moved, moved, moved, len(of_four), "share of the logits' scale", null=plain, **own)
    for name, questions in data.items():
        if not all(ctx.done(f"{claim}-{name}") for claim in OF_EACH):
            own = {**facts, "data": f"{name}, {model.name}"}
            yield from _of_each(name, ask(model, name, questions, ctx), ctx.seed, own)
    if not ctx.done(CLAIMS[-1]):
        some = posed(data["csqa"][: OFFICIAL[ctx.scale]], "csqa")
        options = {"name": "official", "some": some, "kind": "two", "ctx": ctx, "scoring": "paper"}
        sets, both = (
            asked(model, method="official-set-based", **options),
            asked(model, method="official-plain", edits=PLAIN, **options),
        )
        own = {**facts, "data": f"csqa, {model.name}"}
        yield _of(CLAIMS[-1], _inside(sets, both, ctx.seed), len(some), **own)


def _of_each(name: str, found: Asked, seed: int, facts: dict[str, Any]) -> Iterator[Measurement]:
    """The claims about one data set."""
    n, again = len(found.plain), len(found.given)
    inside = _inside(found.sets, found.plain, seed)
    yield _of(f"between-worst-and-best-{name}", inside, n, **facts)
    yield _of(f"cost-{name}", gap(found.sets, found.plain, seed), n, **facts)
    flips, none = _flips(found.plain), _flips(found.given)
    yield _of(f"order-flips-plain-{name}", flips, n, null=none.value, **facts)
    held = Estimate(none.value, none.value, none.value)  # what is proved: it is no matter of luck
    yield _of(f"order-flips-sets-{name}", held, again, null=flips.value, **facts)


def ask(model: LanguageModel, name: str, questions: Sequence[Question], ctx: Any) -> Asked:
    some = posed(questions)
    again = some[: max(REREAD, len(some) // 10)]
    ctx.tell(f"{name}, {len(some)} questions")
    return Asked(
        asked(model, name, some, "plain", "two", ctx, edits=PLAIN),
        asked(model, name, some, "set-based", "two", ctx),
        asked(model, name, again, "given", "two", ctx, layout="given"),
    )


def _of(claim: str, found: Estimate, n: int, **facts: Any) -> Measurement:
    return Measurement(claim, found.value, found.low, found.high, n, "share of questions", **facts)


def _flips(rows: Sequence[Row]) -> Estimate:
    return rate(np.array([row.chosen[0] != row.chosen[1] for row in rows]))


def _inside(sets: Sequence[Row], plain: Sequence[Row], seed: int) -> Estimate:
    """How far the set-based accuracy is from the nearer end of [worst of two, best of two]; below 0 outside."""
    right = np.array([row.right[0] for row in sets], dtype=float)
    both = np.array([[all(row.right[:2]), any(row.right[:2])] for row in plain], dtype=float)

    def nearer(means: Any) -> Any:
        return np.minimum(means[:, 0] - means[:, 1], means[:, 2] - means[:, 0])[:, None]

    return resampled(np.column_stack([right, both]), nearer, seed)[0]


def _moved(
    model: LanguageModel, questions: Sequence[Question], orders: Sequence[Order], ctx: Any
) -> tuple[float, float]:
    """Over orders of each question, laid out as given: the largest differences with sets, and without."""

    def moved(prompt: SetPrompt, options: dict[str, Any]) -> float:
        prompter = SetPrompter(model.model, model.tokenizer, **options)
        logits = list(prompter.logits_many(list(map(prompt.ordered, orders)), batch=len(orders)))
        return spread(logits) / float(logits[0].abs().max())

    prompts = [each.prompt for each in posed(questions)]
    work = [(prompt, options) for options in ({"layout": "given"}, {"edits": PLAIN}) for prompt in prompts]
    found = list(spread_out(lambda each: moved(*each), work, ctx))
    return max(found[: len(prompts)]), max(found[len(prompts) :])
