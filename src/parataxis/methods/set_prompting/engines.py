"""Reading a prompt into a cache: in one pass under a mask, or piece by piece, so that pieces can be used again."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from parataxis.lm.likelihood import clone
from parataxis.methods.set_prompting.layout import OUTSIDE, Layout, Member
from parataxis.methods.set_prompting.support import Abilities

PART = 320  # tokens read at once under a mask, about; for fewer, the weights are read more often than it saves


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
    """Each token seeing what the layout lets it see: in one pass, a long prompt in several.

    Under a mask of ours, attention is computed for the hidden tokens too, twice what a causal pass computes. Tokens
    that come after a part are not even looked at.
    """
    parts = max(1, round(len(layout) / PART))
    cuts = [len(layout) * part // parts for part in range(parts + 1)]
    state, cache = None, empty_cache()
    for first, stop in itertools.pairwise(cuts):
        part = _until(layout, stop)
        state = _forward(model, part, first, cache, able.masks(part, model.dtype, first))
        cache = state.cache
    assert state is not None
    return state


def read_batch(model: Any, layouts: Sequence[Layout], able: Abilities) -> list[State]:
    """The same of several prompts at once."""
    out, shared, starts = _rows(model, layouts, able, keep=1)
    return [
        State(layout, _cache(_columns(out.past_key_values, row, shared, start)), logits[-1])
        for row, (layout, start, logits) in enumerate(zip(layouts, starts, out.logits, strict=True))
    ]


def last_logits(
    model: Any, layouts: Sequence[Layout], able: Abilities, keep: int
) -> Float[Tensor, "layout {keep} vocabulary"]:
    """After each of the last `keep` tokens of several prompts, read at once; what is no token of a prompt is noise."""
    out, _, _ = _rows(model, layouts, able, keep)
    return out.logits


def _rows(model: Any, layouts: Sequence[Layout], able: Abilities, keep: int) -> tuple[Any, int, list[int]]:
    """Prompts as rows of one pass. With which token all of them have begun to differ, and where each goes on.

    The text with which all of them begin is read once. A row is padded between it and the rest of its own.
    """
    shared = _shared(layouts, keep) if len(layouts) > 1 else 0
    cache = empty_cache()
    if shared:
        first = _until(layouts[0], shared)
        cache = _forward(model, first, 0, cache, able.masks(first, model.dtype)).cache
        cache.batch_repeat_interleave(len(layouts))
    longest = max(map(len, layouts))
    starts = [longest - len(layout) + shared for layout in layouts]
    ids = torch.zeros(len(layouts), longest - shared, dtype=torch.long)
    positions = torch.zeros_like(ids)
    alone = torch.full((longest - shared, longest), torch.finfo(model.dtype).min, dtype=model.dtype)
    alone[:, shared:].fill_diagonal_(0)
    masks = {kind: alone.repeat(len(layouts), 1, 1, 1) for kind in able.kinds or ("",)}  # a pad sees itself
    for row, (layout, start) in enumerate(zip(layouts, starts, strict=True)):
        ids[row, start - shared :], positions[row, start - shared :] = layout.ids[shared:], layout.positions[shared:]
        own = able.masks(layout, model.dtype, shared)
        for kind, mask in masks.items():
            rest = own[kind][0] if isinstance(own, dict) else own[0]
            mask[row, :, start - shared :, :shared] = rest[..., :shared]
            mask[row, :, start - shared :, start:] = rest[..., shared:]
    return _call(model, ids, positions, masks if able.kinds else masks[""], cache, keep), shared, starts


def _shared(layouts: Sequence[Layout], keep: int) -> int:
    """How many tokens all begin with, before any set; the last `keep` of the shortest are not among them."""
    starts = [member.start for layout in layouts for member in layout.members]
    most = max(min([min(map(len, layouts)) - keep, *starts]), 0)
    columns = [torch.stack([each.ids[:most], each.positions[:most], each.real[:most]]) for each in layouts]
    alike = torch.stack([each == columns[0] for each in columns]).all(0).all(0)
    return int(alike.cumprod(0).sum())


def read_on(model: Any, state: State, token: int, able: Abilities) -> State:
    """One token more, which sees all before it but what a window hides. The state stays as it is."""
    layout, first = state.layout.and_then([token]), len(state.layout)
    masks = able.masks(layout, model.dtype, first) if able.slides(len(layout)) else layout.real.long()[None]
    return _forward(model, layout, first, clone(state.cache), masks)


def empty_cache() -> Any:
    from transformers import DynamicCache

    return DynamicCache()  # not told the model's configuration: a window would cut by place in the layout


def _forward(model: Any, layout: Layout, first: int, cache: Any, masks: Any) -> State:
    """Read the tokens from `first` on; the cache, which is changed, holds those before."""
    out = _call(model, layout.ids[None, first:], layout.positions[None, first:], masks, cache)
    return State(layout, out.past_key_values, out.logits[0, -1])


def _call(
    model: Any,
    ids: Int[Tensor, "row token"],
    positions: Int[Tensor, "row token"],
    masks: Any,
    cache: Any,
    keep: int = 1,
) -> Any:
    """The model's own forward pass. Always with a mask: without, repeated positions are taken for several texts."""
    device = model.device
    moved = {kind: mask.to(device) for kind, mask in masks.items()} if isinstance(masks, dict) else masks.to(device)
    with torch.inference_mode():
        return model(
            input_ids=ids.to(device),
            attention_mask=moved,
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )


# -- piece by piece ------------------------------------------------------------------------------------------------

Columns = list[tuple[Tensor, Tensor]]  # keys and values of some tokens, a pair a layer: (1, head, token, dimension)
Key = tuple[bytes, ...]


def _columns(cache: Any, row: int, shared: int, start: int, stop: int | None = None) -> Columns:
    """Of a row: the first `shared`, and from `start` on. Copied, so that the rest of the cache can be let go."""

    def cut(table: Tensor) -> Tensor:
        return torch.cat([table[row : row + 1, :, :shared], table[row : row + 1, :, start:stop]], -2)

    return [(cut(layer.keys), cut(layer.values)) for layer in cache.layers]


def _cache(columns: Columns) -> Any:
    cache = empty_cache()
    for number, (keys, values) in enumerate(columns):
        cache.update(keys, values, number)
    return cache


class Pieces:
    """The engine `kv`: the text before a set is read once, its members each on a copy of that cache, all at once.

    Each piece sees all of the cache before it, so that a mask of a row a prompt is enough, and any implementation of
    attention can be used. What `read(..., keep=True)` read of a set, and of the text before it, is used again by every
    later prompt that begins so, with any of these members in any order.
    """

    def __init__(self, model: Any, able: Abilities) -> None:
        self.model, self.able = model, able
        self._members: dict[Key, Columns] = {}
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
        cache = empty_cache()
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
            seen = torch.ones(1, stop, dtype=torch.long)
            state = _forward(self.model, _until(layout, stop), start, clone(cache), seen)
            cache = state.cache
            if following and keep:
                self._before[key] = clone(cache)
        assert state is not None  # the last piece is a text
        return state

    def _with_members(self, layout: Layout, cache: Any, members: Sequence[Member], keep: bool) -> Any:
        keys = [_member_key(layout, member) for member in members]
        new = {key: member for key, member in zip(keys, members, strict=True) if key not in self._members}
        read = dict(zip(new, self._read_members(layout, cache, list(new.values())), strict=True)) if new else {}
        if keep:
            self._members.update(read)
        parts = [read.get(key) or self._members[key] for key in keys]
        if cache.layers:
            parts.insert(0, [(layer.keys, layer.values) for layer in cache.layers])
        return _cache(
            [
                (torch.cat([keys for keys, _ in pairs], -2), torch.cat([values for _, values in pairs], -2))
                for pairs in zip(*parts, strict=True)
            ]
        )

    def _read_members(self, layout: Layout, cache: Any, members: Sequence[Member]) -> list[Columns]:
        """Each on its own copy of the cache, as one batch, padded on the right."""
        own, before = clone(cache), cache.get_seq_length()
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
        positions.clamp_(max=int(layout.positions.max()))  # of pads, whose states are dropped
        read = _call(self.model, ids, positions, seen, own).past_key_values
        return [
            _columns(read, row, 0, before, before + member.stop - member.start) for row, member in enumerate(members)
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
    return tuple(getattr(layout, name)[:stop].numpy().tobytes() for name in ("ids", "positions", "group", "segment"))


def _member_key(layout: Layout, member: Member) -> Key:
    first = next(each for each in layout.members if each.group == member.group)
    own = slice(member.start, member.stop)
    return (*_key(layout, first.start), layout.ids[own].numpy().tobytes(), layout.positions[own].numpy().tobytes())
