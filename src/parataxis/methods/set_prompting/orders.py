"""Which orders of a question's options are tried, and what is drawn by name."""

import hashlib
import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from parataxis.errors import BadInput

Order = tuple[int, ...]  # slot i holds option order[i]
MOST_ORDERED = 6  # options that are put into all orders: 720 prompts a question


def given(members: Sequence[str]) -> Order:
    return tuple(range(len(members)))


def ascending(members: Sequence[str]) -> Order:
    return tuple(sorted(range(len(members)), key=lambda place: members[place]))


def descending(members: Sequence[str]) -> Order:
    return ascending(members)[::-1]


def cyclic(count: int) -> list[Order]:
    """Every option in every slot once."""
    return [tuple((place + shift) % count for place in range(count)) for shift in range(count)]


def every(base: Sequence[int]) -> list[Order]:
    """All orders, `base` the first."""
    if len(base) > MOST_ORDERED:
        raise BadInput(
            f"{len(base)} options have {math.factorial(len(base)):,} orders; at most {MOST_ORDERED} options can be put "
            "into all of them; try a number of orders, or cyclic ones"
        )
    return list(permutations(base))


def read_kind(text: str) -> str | int:
    """What `tried` takes, from a word."""
    if text in ("two", "all"):
        return text
    if text.isascii() and text.isdigit() and int(text) >= 2:
        return int(text)
    raise BadInput(f"orders={text!r}: expected two, all, or a number of orders from 2 on")


def tried(count: int, kind: str | int, *names: str | int) -> list[Order]:
    """The orders of so many options: the given one, the reversed one, and then others.

    kind: "given" is the first alone; "two" is the first two; "all" is every order; a number is so many, the others
    drawn by `names` without repetition.
    """
    forth = tuple(range(count))
    first = [forth, forth[::-1]]
    if kind in ("given", "two"):
        return first[: 1 if kind == "given" else 2]
    most = math.factorial(count)
    if kind == "all" or (isinstance(kind, int) and kind >= most):
        return first + [each for each in every(forth) if each not in first]
    assert isinstance(kind, int)
    rng = stream("orders", *names)
    found = dict.fromkeys(first)
    while len(found) < kind:
        found.setdefault(tuple(rng.permutation(count).tolist()))
    return list(found)


def stream(*names: str | int) -> np.random.Generator:
    """A generator of its own for these names: it depends on nothing else."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(names).encode()).digest()))
