"""The conditions that the paper compares, by their names: which of the two edits, and in which order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.layout import Edits
from parataxis.methods.set_prompting.prompt import SetPrompt

EDITS = {  # positions, attention
    "normal": (False, False),
    "order_independent": (True, True),
    "only_parallel_attention": (False, True),
    "only_parallel_position": (True, False),
}
PERMUTED = "normal_permuted"  # in every order
OFFICIAL = ("normal", "normal_reversed", "order_independent")
MOST_PERMUTED = 6  # members of a set, of which `normal_permuted` asks all orders
NAME = re.compile(rf"({'|'.join(EDITS)})(_reversed|_permuted_([\d-]+))?(_padded)?")


@dataclass(frozen=True)
class Condition:
    """order: of the members of each set; None is the given one, () the reversed."""

    name: str
    edits: Edits
    order: tuple[int, ...] | None = None

    def arrange(self, prompt: SetPrompt) -> SetPrompt:
        if self.order is None:
            return prompt
        for which, each in enumerate(prompt.sets):
            prompt = prompt.ordered(self.order or range(len(each.members))[::-1], which)
        return prompt


def condition(name: str) -> Condition:
    """From a name as in the paper's own output: `normal_reversed`, `order_independent_padded`, `normal_permuted_2013`.

    Orders of more than ten members have hyphens between the places. Raises BadInput.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise BadInput(
            f"condition={name!r}: expected one of {', '.join(EDITS)}, and then _reversed or _permuted_2013 or nothing, "
            "and _padded or nothing; normal_permuted is all orders"
        )
    base, order, places, padded = match.groups()
    edits = Edits(*EDITS[base], padded=bool(padded))
    if places:
        numbers = [int(each) for each in (places.split("-") if "-" in places else places) if each]
        if sorted(numbers) != list(range(len(numbers))):
            raise BadInput(f"condition={name!r}: expected each place from 0 on once, as in normal_permuted_2013")
        return Condition(name, edits, tuple(numbers))
    return Condition(name, edits, () if order else None)


def check(name: str) -> None:
    """BadInput if it is the name of no condition."""
    if name != PERMUTED:
        condition(name)


def conditions(names: tuple[str, ...], prompt: SetPrompt) -> Iterator[Condition]:
    """Those of these names; `normal_permuted` is one for every order of the prompt's set."""
    for name in names:
        if name != PERMUTED:
            yield condition(name)
            continue
        sizes = {len(each.members) for each in prompt.sets}
        if len(sizes) > 1 or max(sizes, default=0) > MOST_PERMUTED:
            raise BadInput(
                f"condition='normal_permuted': the sets have {sorted(sizes)} members; at most {MOST_PERMUTED} can be "
                "put into all orders; name some orders, as in normal_permuted_2013"
            )
        for size in sizes:
            yield from (condition(f"{name}_{''.join(map(str, order))}") for order in permutations(range(size)))
