"""Batches of row numbers that follow a controller's weights: exact counts a round, repeats counted, resumable."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput
from parataxis.methods.skill_it.draws import Counts, SkillStream, arrangement, checked_names, exact_counts, mixture

Rows = Int[np.ndarray, " _row"]


@runtime_checkable
class Controller(Protocol):
    """What says how much of each skill is drawn: `SkillIt`, or `Fixed`."""

    round: int

    @property
    def weights(self) -> Mapping[str, float]: ...


@dataclass
class Fixed:
    """The same weights in every round."""

    weights: Mapping[str, float]
    round: int = 0


@dataclass(frozen=True)
class Block:
    """What is drawn at once: its number, the global batch it begins with, the controller's round, how many of each
    skill, and how many of each had been drawn before."""

    number: int
    first: int
    version: int
    counts: Counts
    cursors: Counts


class SkillBatchSampler:
    """`for batch in sampler.round(): ...` gives lists of row numbers; `controller.update(losses)` between two rounds.

    groups: the skill of each row, or for each skill its row numbers. round_size: examples a round, a multiple of
    batch_size times world; the counts of the skills are exact in every round. replacement: a skill whose examples are
    used up is shuffled anew and goes on, `epochs` counts how often; without it that is BadInput, as no example is
    then given twice. rank, world: of each round's batches this process is given every world-th, from `rank` on.

    Iterating over the sampler itself, as a DataLoader does with its `batch_sampler`, goes on for `rounds` rounds, and
    follows the controller at once: what was drawn by earlier weights and not yet given is put back.

    Which examples are drawn, and in what order, depends on the seed and on the names and weights of the skills, not on
    their places in a list. Lives in the main process.
    """

    def __init__(
        self,
        groups: Sequence[str] | Mapping[str, Rows | Sequence[int]],
        controller: Controller,
        batch_size: int,
        round_size: int,
        seed: int = 0,
        replacement: bool = True,
        *,
        rounds: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.groups = grouped(groups)
        self.controller, self.seed, self.replacement = controller, seed, replacement
        self.batch_size, self.round_size, self.rounds = batch_size, round_size, rounds
        self.rank, self.world = rank, world
        _check(self)
        self.skills = tuple(controller.weights)
        mixture(dict.fromkeys(self.groups, 1.0), self.skills, "groups")
        self._streams = {name: SkillStream(name, rows, seed) for name, rows in self.groups.items()}
        self._at = 0  # batches given, of all ranks, since the beginning
        self._begun = 0  # what it was as the iterating over all rounds began
        self._resumed = False
        self._blocks: list[Block] = []
        self._labels = np.empty(0, np.int64)  # the last block: a skill's place for each example
        self._rows = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Batches that iterating gives to this process."""
        return self.rounds * self.round_size // (self.batch_size * self.world)

    @property
    def drawn(self) -> dict[str, int]:
        """How many examples of each skill have been given, on all ranks."""
        return dict(zip(self.skills, self._cursors().tolist(), strict=True))

    @property
    def epochs(self) -> dict[str, float]:
        """How often the examples of each skill have been gone through: above 1 there were repeats."""
        return {name: count / max(1, len(self.groups.get(name, ()))) for name, count in self.drawn.items()}

    @property
    def batches(self) -> int:
        """Batches given so far, on all ranks."""
        return self._at

    def round(self) -> Iterator[list[int]]:
        """The batches of one round, by the weights that hold as it begins; or the rest of a round that was resumed,
        which is empty if all had been given and no update been made."""
        if self._left() == 0 and not self._ends_here():
            self._draw()
        self._resumed = False
        while self._left():
            yield from self._next()

    def __iter__(self) -> Iterator[list[int]]:
        if not self._resumed or self._at >= self._begun + self.rounds * self._per_round:
            self._begun = self._at - self._at % self._per_round
        self._resumed = False
        while self._at < self._begun + self.rounds * self._per_round:
            if self._left() == 0 or self._blocks[-1].version != self.controller.round:
                self._draw()
            yield from self._next()

    def state_dict(self, batches: int | None = None) -> dict[str, Any]:
        """As JSON holds it. batches: as it was once so many had been given, where some have been drawn ahead."""
        at = self._at if batches is None else batches
        at = -(-at // self.world) * self.world  # ranks go together: no other state for who comes first
        known = {**self._known, "begun": self._begun}
        blocks = [each for each in self._blocks if each.first <= at]
        if not blocks:
            return {**known, "batches": at, "block": None}
        block = blocks[-1]
        counts, cursors = (dict(zip(self.skills, each.tolist(), strict=True)) for each in (block.counts, block.cursors))
        told = {"number": block.number, "first": block.first, "version": block.version}
        return {**known, "batches": at, "block": {**told, "counts": counts, "cursors": cursors}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the middle of a round. BadInput for other skills, rows, seed, or sizes of batch or round."""
        found = state["block"]
        for name in (*found["counts"], *self.skills) if found else ():
            if name not in found["counts"] or name not in self.skills:
                raise BadInput(f"state_dict: skill {name!r} is not in both the state and the controller")
        for name, value in self._known.items():
            if state.get(name) != value:
                raise BadInput(f"state_dict: {name}={state.get(name)!r}, here it is {value!r}; go on with the same")
        self._at, self._begun, self._blocks = int(state["batches"]), int(state["begun"]), []
        self._resumed = True
        if found:
            counts, cursors = (np.array([found[key][name] for name in self.skills]) for key in ("counts", "cursors"))
            self._fill(Block(found["number"], found["first"], found["version"], counts, cursors))

    @cached_property
    def _known(self) -> dict[str, Any]:
        """What decides the draws, beside the weights."""
        rows = hashlib.sha256()
        for name in sorted(self.groups):
            rows.update(f"{name!r} {len(self.groups[name])} ".encode() + self.groups[name].tobytes())
        sizes = {"batch_size": self.batch_size, "round_size": self.round_size}
        return {"seed": self.seed, **sizes, "rows": rows.hexdigest()[:16]}

    def _ends_here(self) -> bool:
        """Whether a round that was resumed had been given whole, and its controller is yet to be updated."""
        if not (self._resumed and self._blocks and hasattr(self.controller, "update")):
            return False
        return self._blocks[-1].version == self.controller.round

    # -- drawing ---------------------------------------------------------------------------------------------------

    @property
    def _per_round(self) -> int:
        return self.round_size // self.batch_size

    def _left(self) -> int:
        """Batches of the last block that have not been given."""
        return self._blocks[-1].first + self._per_round - self._at if self._blocks else 0

    def _cursors(self) -> Counts:
        """How many of each skill have been given: what was put back has not."""
        if not self._blocks:
            return np.zeros(len(self.skills), np.int64)
        given = (self._at - self._blocks[-1].first) * self.batch_size
        return self._blocks[-1].cursors + np.bincount(self._labels[:given], minlength=len(self.skills))

    def _draw(self) -> None:
        weights = mixture(self.controller.weights, self.skills)
        number = self._blocks[-1].number + 1 if self._blocks else 0
        counts = exact_counts(weights, self.round_size, self.skills, (self.seed, number))
        block = Block(number, self._at, self.controller.round, counts, self._cursors())
        self._see_that_there_are(block)
        self._fill(block)

    def _see_that_there_are(self, block: Block) -> None:
        for name, count, before in zip(self.skills, block.counts.tolist(), block.cursors.tolist(), strict=True):
            rows = len(self.groups.get(name, ()))
            if count and not rows:
                raise BadInput(f"groups: skill {name!r} has no training rows, but {count} of a round are to be of it")
            if not self.replacement and before + count > rows:
                raise BadInput(
                    f"round_size={self.round_size}: skill {name!r}: {count} examples are to be drawn, of {rows} there "
                    f"are {rows - before} left; without replacement take smaller rounds, or allow repeats"
                )

    def _fill(self, block: Block) -> None:
        """A skill's slots in the shuffled round are filled in the order of its stream: so what follows can be put back
        by taking a cursor back."""
        self._labels = arrangement(block.counts, self.skills, self.seed, block.number)
        self._rows = np.empty(len(self._labels), np.int64)
        by_skill = np.argsort(self._labels, kind="stable")
        ends = np.cumsum(block.counts)
        for place, name in enumerate(self.skills):
            if count := int(block.counts[place]):
                slots = by_skill[ends[place] - count : ends[place]]
                self._rows[slots] = self._streams[name].take(int(block.cursors[place]), count)
        self._blocks.append(block)

    def _next(self) -> Iterator[list[int]]:
        """The next batch of all ranks, if it is this rank's."""
        offset = (self._at - self._blocks[-1].first) * self.batch_size
        mine = self._at % self.world == self.rank
        self._at += 1
        if mine:
            yield self._rows[offset : offset + self.batch_size].tolist()


def grouped(groups: Sequence[str] | Mapping[str, Rows | Sequence[int]]) -> dict[str, Rows]:
    """The row numbers of each skill, found once."""
    if isinstance(groups, Mapping):
        checked_names(list(groups), "groups")
        return {name: _numbers(name, np.asarray(rows)) for name, rows in groups.items()}
    column = np.asarray(groups, dtype=object)
    names, inverse = np.unique(column.astype(str), return_inverse=True)
    checked_names(names.tolist(), "groups")
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(names)))[:-1])
    return dict(zip(names.tolist(), parts, strict=True))


def _numbers(name: str, rows: np.ndarray) -> Rows:
    if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0):
        raise BadInput(f"groups: skill {name!r}: expected row numbers from 0 on; of a mask, np.flatnonzero gives them")
    return rows.astype(np.int64)


def _check(sampler: SkillBatchSampler) -> None:
    if sampler.batch_size < 1 or sampler.rounds < 1:
        raise BadInput(f"batch_size={sampler.batch_size}, rounds={sampler.rounds}: both must be at least 1")
    if not 0 <= sampler.rank < sampler.world:
        raise BadInput(f"rank={sampler.rank}: expected 0 to {sampler.world - 1}, as world={sampler.world}")
    unit = sampler.batch_size * sampler.world
    if sampler.round_size < 1 or sampler.round_size % unit:
        raise BadInput(
            f"round_size={sampler.round_size}: expected a multiple of batch_size times world, {unit}; "
            f"take {max(1, round(sampler.round_size / unit)) * unit}"
        )
