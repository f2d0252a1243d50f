"""The likelihood of continuations of one prompt, all of them in one batch from the prompt's cache."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


def continuation_log_probs(
    model: Any,
    cache: Any,
    logits: Float[Tensor, " vocabulary"],
    seen: Int[Tensor, " token"],
    next_position: int,
    continuations: Sequence[Sequence[int]],
) -> list[Float[Tensor, " _step"]]:
    """The log-probability of each token of each continuation, teacher-forced.

    cache: of the whole prompt, batch 1; it is not changed. logits: at its last token. seen: 1 for each cached token
    that may be attended to, 0 for padding. next_position: of the first token of a continuation. What one continuation
    gets does not depend on the order of the others: they are computed in the order of their ids.
    """
    order = sorted(range(len(continuations)), key=lambda place: tuple(continuations[place]))
    rows = [list(continuations[place]) for place in order]
    longest = max(map(len, rows))
    first = torch.log_softmax(logits.float(), -1)
    steps = first.expand(len(rows), 1, -1)
    if longest > 1:
        steps = torch.cat([steps, _rest(model, cache, seen, next_position, rows, longest)], 1)
    found: list[Float[Tensor, " _step"]] = [first[:0]] * len(rows)
    for place, row, table in zip(order, rows, steps, strict=True):
        found[place] = table[range(len(row)), row]
    return found


def _rest(
    model: Any, cache: Any, seen: Int[Tensor, " token"], start: int, rows: list[list[int]], longest: int
) -> Float[Tensor, "row step vocabulary"]:
    """Log-probabilities after each token of a row but its last."""
    own = clone(cache)
    own.batch_repeat_interleave(len(rows))
    device = seen.device
    ids = torch.tensor([(row + [row[-1]] * longest)[: longest - 1] for row in rows], device=device)
    real = torch.tensor([[step < len(row) for step in range(longest - 1)] for row in rows], device=device)
    attention = torch.cat([seen.expand(len(rows), -1), real.to(seen.dtype)], 1)
    positions = torch.arange(start, start + longest - 1, device=device).expand(len(rows), -1)
    with torch.inference_mode():
        out = model(input_ids=ids, attention_mask=attention, position_ids=positions, past_key_values=own)
    return torch.log_softmax(out.logits.float(), -1)


def total(log_probs: Sequence[Float[Tensor, " _step"]]) -> Float[Tensor, " continuation"]:
    return torch.stack([each.sum() for each in log_probs])


def mean(log_probs: Sequence[Float[Tensor, " _step"]]) -> Float[Tensor, " continuation"]:
    return torch.stack([each.mean() for each in log_probs])


def clone(cache: Any) -> Any:
    """A cache of its own that shares the tensors, which no model changes in place: it makes longer ones."""
    own = copy.copy(cache)
    own.layers = [copy.copy(layer) for layer in cache.layers]
    return own
