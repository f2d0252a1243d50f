"""Which vertices teach, which choose, which test, and which are held out; by ids, never by places."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput

TRAIN, VALIDATION = 20, 100  # of each class, in the paper


@dataclass(frozen=True)
class Split:
    """Numbers of vertices, rising."""

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


@dataclass(frozen=True)
class Production:
    """The observed vertices, the split among them renumbered by place in `observed`, and those nobody has seen."""

    observed: Int[np.ndarray, " observed"]
    split: Split
    held_out: Int[np.ndarray, " hidden"]


def shuffled(ids: Sequence[Any], key: str) -> Int[np.ndarray, " some"]:
    """An order of the places of the ids that depends on the key and the ids alone, not on where they stand."""
    hashes = [hashlib.blake2b(f"{key}/{each}".encode(), digest_size=8).digest() for each in ids]
    return np.array(sorted(range(len(ids)), key=lambda place: (hashes[place], str(ids[place]))), np.int64)


def classes_of(labels: Int[np.ndarray, " vertex"]) -> int:
    """How many classes there are; -1 is no label. BadInput if they are not numbered 0 to C - 1, or just one."""
    known = np.unique(labels[labels != -1])
    if not np.array_equal(known, np.arange(len(known))):
        wrong = next(iter(np.setdiff1d(known, np.arange(len(known)))))
        raise BadInput(f"y={wrong}: labels must be 0 to {len(known) - 1} for {len(known)} classes, or -1 for none")
    if len(known) < 2:
        raise BadInput(f"y: {len(known)} class only; give labels of at least two classes")
    return len(known)


def check_share(validation: float) -> None:
    if not 0 <= validation < 1:
        raise BadInput(f"validation={validation}: expected a share, from 0 to below 1")


def split(
    labels: Int[np.ndarray, " vertex"],
    ids: Sequence[Any],
    key: str,
    train: int = TRAIN,
    validation: int = VALIDATION,
    names: Sequence[Any] | None = None,
) -> Split:
    """The first `train` and the next `validation` vertices of each class, in the order of hashed ids; test: the rest.

    A class must be larger than both together. names: of the classes, for messages.
    """
    order, parts = shuffled(ids, key), ([], [], [])  # type: tuple[Any, tuple[list[Any], list[Any], list[Any]]]
    for each in range(classes_of(labels)):
        own = order[labels[order] == each]
        if len(own) <= train + validation:
            raise BadInput(
                f"class {each if names is None else repr(names[each])}: {len(own)} vertices; expected more than "
                f"{train + validation}, as {train} train, {validation} choose, and some are left to test"
            )
        for part, vertices in zip(parts, np.split(own, [train, train + validation]), strict=True):
            part.append(vertices)
    return Split(*(np.sort(np.concatenate(each)) for each in parts))


def hold_out(found: Split, ids: Sequence[Any], key: str, share: float) -> Int[np.ndarray, " some"]:
    """A share of the test vertices, the first in the order of hashed ids."""
    n = max(1, round(share * len(found.test))) if 0 < share < 1 else 0
    if not 0 < n < len(found.test):
        raise BadInput(
            f"held_out={share}: expected a share of the {len(found.test)} test vertices, above 0, that leaves some"
        )
    order = shuffled([ids[each] for each in found.test], f"{key}/held out")
    return np.sort(found.test[order[:n]])


def production(labels: Int[np.ndarray, " vertex"], found: Split, held_out: Int[np.ndarray, " hidden"]) -> Production:
    """What is left to learn from when these vertices are unseen. BadInput if a class is left without any."""
    observed = np.setdiff1d(np.arange(len(labels)), held_out)
    if len(gone := np.setdiff1d(labels[labels != -1], labels[observed])):
        raise BadInput(f"class {gone[0]}: every one of its vertices is held out; hold out fewer")
    kept = (
        np.searchsorted(observed, np.setdiff1d(each, held_out)) for each in (found.train, found.validation, found.test)
    )
    return Production(observed, Split(*kept), held_out)
