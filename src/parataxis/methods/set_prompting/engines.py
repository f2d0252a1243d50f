"""Reading a prompt into a cache: in one pass under a mask, or piece by piece, so that pieces can be used again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from parataxis.lm.likelihood import clone
from parataxis.methods.set_prompting.layout import OUTSIDE, Layout, Member
from parataxis.methods.set_prompting.support import Abilities


@dataclass(frozen=True)
class State:
    """A prompt that was read: the cache of all its tokens, and the logits after the last."""

    layout: Layout
    cache: Any
    logits: Float[Tensor, " vocabulary"]

    def seen(self) -> Int[Tensor, " token"]:
        """1 for each cached token that what follows may see, 0 for padding."""
        return self.layout.real.long().to(self.logits.device)


def read_masked(model: Any, layout: Layout, able: Abilities) -> State:
    """In one pass, each token seeing what the layout lets it see."""
    return _forward(model, layout, 0, _empty(), able.masks(layout, model.dtype))


def _empty() -> Any:
    from transformers import DynamicCache

    return DynamicCache()  # not told the model's configuration: a window would cut by place in the layout


def _forward(model: Any, layout: Layout, first: int, cache: Any, masks: Any) -> State:
    """Read the tokens from `first` on; the cache, which is changed, holds those before."""
    device = model.device
    moved = {kind: mask.to(device) for kind, mask in masks.items()} if isinstance(masks, dict) else masks.to(device)
    with torch.inference_mode():
        out = model(
            input_ids=layout.ids[None, first:].to(device),
            attention_mask=moved,
            position_ids=layout.positions[None, first:].to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return State(layout, out.past_key_values, out.logits[0, -1])


# -- piece by piece ------------------------------------------------------------------------------------------------

Rows = list[tuple[Tensor, Tensor]]  # keys and values, a pair a layer: (1, head, token, dimension)
Key = tuple[bytes, ...]


class Pieces:
    """The engine `kv`: the text before a set is read once, its members each on a copy of that cache, all at once.

    Each piece sees all of the cache before it, so that a mask of a row a prompt is enough, and any implementation of
    attention can be used. What `read(..., keep=True)` read of a set, and of the text before it, is used again by every
    later prompt that begins so, with any of these members in any order.
    """

    def __init__(self, model: Any, able: Abilities) -> None:
        self.model, self.able = model, able
        self._members: dict[Key, Rows] = {}
        self._before: dict[Key, Any] = {}

    def suits(self, layout: Layout) -> bool:
        """Not where a window cuts by place in the layout, nor for the ablations: these are read in one pass."""
        return layout.edits.attention and not layout.edits.padded and not self.able.slides(len(layout))

    def holds(self, layout: Layout) -> bool:
        """Whether some of this prompt has been kept."""
        return bool(self._members) and any(_member_key(layout, each) in self._members for each in layout.members)

    def forget(self) -> None:
        self._members.clear()
        self._before.clear()

    def read(self, layout: Layout, keep: bool = False) -> State:
        assert self.suits(layout)
        cache = _empty()
        state = None
        for start, stop, members in _pieces(layout):
            if members:
                cache = self._with_members(layout, cache, members, keep)
                continue
            following = stop < len(layout)
            key = _key(layout, stop)
            if following and key in self._before:
                cache = clone(self._before[key])
                continue
            part = _until(layout, stop)
            state = _forward(self.model, part, start, clone(cache), torch.ones(1, stop, dtype=torch.long))
            cache = state.cache
            if following and keep:
                self._before[key] = clone(cache)
        assert state is not None  # the last piece is a text
        return state

    def _with_members(self, layout: Layout, cache: Any, members: Sequence[Member], keep: bool) -> Any:
        keys = [_member_key(layout, member) for member in members]
        new = {key: member for key, member in zip(keys, members, strict=True) if key not in self._members}
        rows = dict(zip(new, self._read_members(layout, cache, list(new.values())), strict=True)) if new else {}
        if keep:
            self._members.update(rows)
        parts = [rows.get(key) or self._members[key] for key in keys]
        joined = _empty()
        for number in range(len(parts[0])):
            before = [(cache.layers[number].keys, cache.layers[number].values)] if cache.layers else []
            pairs = [*before, *(part[number] for part in parts)]
            joined.update(torch.cat([k for k, _ in pairs], -2), torch.cat([v for _, v in pairs], -2), number)
        return joined

    def _read_members(self, layout: Layout, cache: Any, members: Sequence[Member]) -> list[Rows]:
        """Each on its own copy of the cache, as one batch, padded on the right."""
        own, device, before = clone(cache), self.model.device, cache.get_seq_length()
        if before:
            own.batch_repeat_interleave(len(members))
        longest = max(member.stop - member.start for member in members)
        ids = torch.zeros(len(members), longest, dtype=torch.long)
        positions = torch.zeros_like(ids)
        seen = torch.ones(len(members), before + longest, dtype=torch.long)
        for row, member in enumerate(members):
            count = member.stop - member.start
            ids[row, :count] = layout.ids[member.start : member.stop]
            positions[row] = layout.positions[member.start] + torch.arange(longest)
            seen[row, before + count :] = 0
        positions.clamp_(max=(self.able.most or 2**31) - 1)  # of pads, whose states are dropped
        with torch.inference_mode():
            out = self.model(
                input_ids=ids.to(device),
                attention_mask=seen.to(device),
                position_ids=positions.to(device),
                past_key_values=own,
                use_cache=True,
                logits_to_keep=1,
            )
        layers = out.past_key_values.layers
        return [
            [
                tuple(
                    each[row : row + 1, :, before : before + member.stop - member.start].clone()
                    for each in (layer.keys, layer.values)
                )
                for layer in layers
            ]
            for row, member in enumerate(members)
        ]


def _pieces(layout: Layout) -> Iterator[tuple[int, int, list[Member]]]:
    """Texts and sets in their order: (start, stop, the members of the set)."""
    at = 0
    for group in range(1 + max((member.group for member in layout.members), default=OUTSIDE)):
        members = [member for member in layout.members if member.group == group]
        if members[0].start > at:
            yield at, members[0].start, []
        at = members[-1].stop
        yield members[0].start, at, members
    yield at, len(layout), []


def _until(layout: Layout, stop: int) -> Layout:
    """Its first tokens."""
    columns = {name: getattr(layout, name)[:stop] for name in ("ids", "positions", "group", "segment", "real")}
    return replace(layout, **columns) if stop < len(layout) else layout


def _key(layout: Layout, stop: int) -> Key:
    """All that the state of its first tokens depends on."""
    return tuple(getattr(layout, name)[:stop].numpy().tobytes() for name in ("ids", "positions", "segment"))


def _member_key(layout: Layout, member: Member) -> Key:
    first = next(each for each in layout.members if each.group == member.group)
    own = slice(member.start, member.stop)
    return (*_key(layout, first.start), layout.ids[own].numpy().tobytes(), layout.positions[own].numpy().tobytes())
