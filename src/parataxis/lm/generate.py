"""Writing on from prompts with the library's own `generate`: several at once, greedy by default, tokens counted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.lm.tokens import Tokens
from parataxis.progress import Tell, untold

TOKENS = 10  # new ones
BATCH = 8
OURS = {  # options of the library's `generate` that would undo how a prompt was read, and what to do
    **dict.fromkeys(
        ("cache_implementation", "past_key_values", "attention_mask", "position_ids", "inputs", "input_ids"),
        "leave it out",
    ),
    "generation_config": "pass its settings one by one",
    **dict.fromkeys(("assistant_model", "prompt_lookup_num_tokens"), "write token by token"),
}


@dataclass(frozen=True)
class Read:
    """A prompt as a model has read it. seen: 1 for each token that what follows may attend to, 0 for padding.

    cache: of all its tokens, batch 1, which is not changed; None if it has yet to be read.
    """

    ids: Int[Tensor, " token"]
    positions: Int[Tensor, " token"]
    seen: Int[Tensor, " token"]
    cache: Any = None


@dataclass(frozen=True)
class Written:
    """What a model wrote: its new tokens, and these as text. read: how many tokens the prompt has."""

    text: str
    ids: tuple[int, ...]
    read: int


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str | Read],
    /,
    *,
    max_new_tokens: int = TOKENS,
    batch: int = BATCH,
    watch: Tell = untold,
    **options: Any,
) -> Iterator[list[Written]]:
    """What the model writes after each prompt, in their order: a list, as `num_return_sequences` may ask for several.

    prompts: texts (a chat is rendered by its template first), or all of them read before. batch: how many go on at
    once; rounding aside, a greedy text does not depend on it. watch: told how many are done. options: for the
    library's `generate`. Raises BadInput for one that would undo how a prompt was read.
    """
    if max_new_tokens < 1:
        raise BadInput(f"max_new_tokens={max_new_tokens}: expected 1 or more")
    if batch < 1:
        raise BadInput(f"batch={batch}: expected 1 or more")
    for name, remedy in OURS.items():
        if options.get(name) is not None:
            raise BadInput(f"{name}={options[name]!r}: the prompt is in a cache of its own; {remedy}")
    if options.get("use_cache") is False:
        raise BadInput("use_cache=False: the prompt is in a cache of its own; leave it out")
    tokens = Tokens(tokenizer)
    options = {"do_sample": False, "num_beams": 1, "num_return_sequences": 1, **options}
    if options.get("stop_strings"):
        options.setdefault("tokenizer", tokenizer)
    if options.get("stop_strings") or options.get("stopping_criteria"):
        batch = 1  # of several the library writes on until the last has ended, and in all of them
    for start in range(0, len(prompts), batch):
        rows = [_unread(tokens, each) if isinstance(each, str) else each for each in prompts[start : start + batch]]
        found = _going_on(model, tokenizer, rows, max_new_tokens, options)
        several = options["num_return_sequences"]
        for place, row in enumerate(rows):
            own = found[place * several : (place + 1) * several]
            texts = tokenizer.batch_decode(own, skip_special_tokens=True)
            yield [Written(text, tuple(ids), int(row.seen.sum())) for text, ids in zip(texts, own, strict=True)]
            watch(start + place + 1, len(prompts))


def _unread(tokens: Tokens, text: str) -> Read:
    ids = tokens(text, first=True)
    if not ids:
        raise BadInput(f"prompt: {text!r} has no tokens")
    return Read(torch.tensor(ids), torch.arange(len(ids)), torch.ones(len(ids), dtype=torch.long))


def _going_on(
    model: Any, tokenizer: Any, rows: Sequence[Read], max_new_tokens: int, options: dict[str, Any]
) -> list[list[int]]:
    """The new tokens of each returned sequence, up to the one that ends it."""
    longest = max(len(row.ids) for row in rows)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    cache = _joined(rows, longest - 1, max(options["num_beams"], options["num_return_sequences"]))

    def stacked(columns: Sequence[Int[Tensor, " _token"]]) -> Int[Tensor, "row token"]:
        """Padded on the left: what is written goes on at the right."""
        return torch.stack([_padded(each.cpu()[:, None], longest)[:, 0] for each in columns]).to(model.device)

    with torch.inference_mode():
        out = model.generate(
            stacked([row.ids for row in rows]),
            past_key_values=cache,
            attention_mask=stacked([row.seen for row in rows]),
            position_ids=stacked([row.positions for row in rows]),
            max_new_tokens=max_new_tokens,
            pad_token_id=pad,
            cache_implementation=None,  # whatever the model's own configuration says
            **options,
        )
    ends = options.get("eos_token_id", getattr(model.generation_config, "eos_token_id", None))
    new = [row[longest:].tolist() for row in getattr(out, "sequences", out)]
    return [_until_end(row, ends if isinstance(ends, list | tuple) else [ends], pad) for row in new]


def _until_end(ids: list[int], ends: Sequence[int | None], pad: int | None) -> list[int]:
    """Where one of several ends before the others, padding follows, which may be that same token."""
    stops = [place for place, token in enumerate(ids) if token in ends]
    written = [place for place, token in enumerate(ids) if token != pad]
    return ids[: stops[0] + 1] if stops else ids[: written[-1] + 1] if written else []


def _joined(rows: Sequence[Read], longest: int, repeats: int) -> Any:
    """One cache of all, each row so many times: but for the last token of each, after which the writing begins."""
    from transformers import DynamicCache

    cache = DynamicCache()  # not told the model's configuration: a window would cut by place, and not by position
    if rows[0].cache is None or not longest:
        return cache
    for number in range(len(rows[0].cache.layers)):
        layers = [row.cache.layers[number] for row in rows]
        keys, values = (
            torch.cat([_padded(getattr(layer, name)[..., :-1, :], longest) for layer in layers])
            for name in ("keys", "values")
        )
        cache.update(keys, values, number)
    cache.batch_repeat_interleave(repeats)
    return cache


def _padded(table: Tensor, longest: int) -> Tensor:
    """On the left of the last axis but one."""
    return torch.nn.functional.pad(table, (0, 0, longest - table.shape[-2], 0))
