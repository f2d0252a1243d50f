"""Where each token of a prompt stands and what it may see: the two edits that make a set a set.

McIlroy-Young et al. 2024. Positions: every member of a set starts where the set starts, and what follows the set goes
on after its longest member. Attention: causal, but no member sees another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.prompt import Set, SetPrompt

Align = Literal["start", "end"]
Arrangement = Literal["canonical", "given"]
OUTSIDE = -1  # of every set


@dataclass(frozen=True)
class Edits:
    """Which of the method's two edits are made; both is the method, neither is an ordinary prompt.

    padded: every member of a set is as long as its longest, the pads seen by nobody.
    """

    positions: bool = True
    attention: bool = True
    padded: bool = False


BOTH = Edits()
PLAIN = Edits(positions=False, attention=False)


@dataclass(frozen=True)
class Member:
    """A member of a set: its tokens are ids[start:stop]."""

    group: int
    place: int
    start: int
    stop: int


@dataclass(frozen=True)
class Layout:
    """A prompt, laid out flat: its pieces in their order, each member of a set after the one before.

    group: which set a token belongs to, OUTSIDE for none; segment: which member, counted over all sets; real: False
    for padding; next_position: of the first generated token; prompt: what was laid out, before more was put after it.
    """

    ids: Int[Tensor, " token"]
    positions: Int[Tensor, " token"]
    group: Int[Tensor, " token"]
    segment: Int[Tensor, " token"]
    real: Bool[Tensor, " token"]
    members: tuple[Member, ...]
    next_position: int
    edits: Edits
    prompt: SetPrompt

    def __len__(self) -> int:
        return len(self.ids)

    def and_then(self, ids: Sequence[int]) -> "Layout":
        """With more text after it."""
        new = torch.tensor(ids)
        return replace(
            self,
            ids=torch.cat([self.ids, new]),
            positions=torch.cat([self.positions, self.next_position + torch.arange(len(new))]),
            group=torch.cat([self.group, torch.full_like(new, OUTSIDE)]),
            segment=torch.cat([self.segment, torch.full_like(new, OUTSIDE)]),
            real=torch.cat([self.real, torch.ones_like(new, dtype=torch.bool)]),
            next_position=self.next_position + len(new),
        )

    def and_set(self, rows: Sequence[Sequence[int]]) -> "Layout":
        """With a set after it: each of these texts goes on from here, and sees no other of them."""
        group = 1 + max((member.group for member in self.members), default=OUTSIDE)
        members: list[Member] = []
        places: list[int] = []
        segments: list[int] = []
        for place, row in enumerate(rows):
            start = len(self) + len(places)
            members.append(Member(group, place, start, start + len(row)))
            places += range(self.next_position, self.next_position + len(row))
            segments += [len(self.members) + place] * len(row)
        new = torch.tensor([token for row in rows for token in row], dtype=torch.long)
        return replace(
            self,
            ids=torch.cat([self.ids, new]),
            positions=torch.cat([self.positions, torch.tensor(places, dtype=torch.long)]),
            group=torch.cat([self.group, torch.full_like(new, group)]),
            segment=torch.cat([self.segment, torch.tensor(segments, dtype=torch.long)]),
            real=torch.cat([self.real, torch.ones_like(new, dtype=torch.bool)]),
            members=(*(self.members if self.edits.attention else ()), *members),
            next_position=self.next_position + max(map(len, rows), default=0),
            edits=replace(self.edits, attention=True),
        )

    def visible(self, window: int | None = None, first: int = 0) -> Bool[Tensor, "query token"]:
        """Which tokens each token from `first` on may see. window: of a model that looks only so many positions back.

        The window counts positions, not places in the layout: counted there it would see the order of a set.
        """
        count = len(self)
        seen = torch.ones(count - first, count, dtype=torch.bool).tril_(first)
        begins: dict[int, int] = {}  # where the first member of each set does
        for member in self.members if self.edits.attention else ():
            begin = begins.setdefault(member.group, member.start)
            seen[max(member.start - first, 0) : max(member.stop - first, 0), begin : member.start] = False
        if window is not None:
            seen &= self.positions[first:, None] < self.positions + window
        if not bool(self.real.all()):
            seen &= self.real | torch.eye(count, dtype=torch.bool)[first:]  # a pad sees itself: no row is empty
        return seen


def additive(seen: Bool[Tensor, "query token"], dtype: torch.dtype) -> Float[Tensor, "1 1 query token"]:
    """The mask as every attention takes it. A boolean one is right for sdpa and silently wrong for eager."""
    hidden = torch.full((), torch.finfo(dtype).min, dtype=dtype)
    return torch.where(seen, torch.zeros((), dtype=dtype), hidden)[None, None]


def lay_out(
    prompt: SetPrompt,
    tokenize: Callable[[str, bool], list[int]],
    *,
    edits: Edits = BOTH,
    arrangement: Arrangement = "canonical",
    align: Align = "start",
    pad: int = 0,
) -> Layout:
    """The layout of a prompt.

    tokenize(text, first): the ids of one piece, with the special tokens of a prompt's start if it is the first. A
    prompt that begins with a set has those before the set: on a member they would tell which is first.
    arrangement: canonical lays the members of a set in the order of their ids, which changes nothing but the rounding:
    sums are taken in one order. align: what of a set's members stands at one position, their starts or their ends.
    """
    builder = _Builder(edits, align, pad)
    if isinstance(prompt.pieces[0], Set):
        builder.add_text(tokenize("", True))
    for place, piece in enumerate(prompt.pieces):
        if isinstance(piece, Set):
            rows = [tokenize(member, False) for member in piece.members]
            if [] in rows:
                raise BadInput(f"prompt: {piece.members[rows.index([])]!r} has no tokens")
            builder.add_set(sorted(rows) if arrangement == "canonical" else rows)
        elif ids := tokenize(piece, not place):
            builder.add_text(ids)
        else:
            raise BadInput(f"prompt: {piece!r} has no tokens")
    return builder.layout(prompt)


class _Builder:
    def __init__(self, edits: Edits, align: Align, pad: int) -> None:
        self.edits, self.align, self.pad = edits, align, pad
        self.columns: dict[str, list[Any]] = {name: [] for name in ("ids", "positions", "group", "segment", "real")}
        self.members: list[Member] = []
        self.at = self.groups = 0

    def add_text(self, ids: Sequence[int]) -> None:
        self._append(ids, self.at, OUTSIDE, OUTSIDE, len(ids))
        self.at += len(ids)

    def add_set(self, rows: Sequence[Sequence[int]]) -> None:
        longest, start = max(map(len, rows)), self.at
        for place, ids in enumerate(rows):
            segment, begin = len(self.members), len(self.columns["ids"])
            row = [*ids, *[self.pad] * (longest - len(ids))] if self.edits.padded else ids
            shift = longest - len(ids) if self.align == "end" and not self.edits.padded else 0
            if self.edits.positions:
                self._append(row, start + shift, self.groups, segment, len(ids))
            else:
                self._append(row, self.at, self.groups, segment, len(ids))
                self.at += len(row)
            self.members.append(Member(self.groups, place, begin, begin + len(row)))
        if self.edits.positions:
            self.at = start + longest
        self.groups += 1

    def _append(self, ids: Sequence[int], position: int, group: int, segment: int, real: int) -> None:
        self.columns["ids"] += ids
        self.columns["positions"] += range(position, position + len(ids))
        self.columns["group"] += [group] * len(ids)
        self.columns["segment"] += [segment] * len(ids)
        self.columns["real"] += [place < real for place in range(len(ids))]

    def layout(self, prompt: SetPrompt) -> Layout:
        tensors = {name: torch.tensor(column) for name, column in self.columns.items()}
        return Layout(**tensors, members=tuple(self.members), next_position=self.at, edits=self.edits, prompt=prompt)
