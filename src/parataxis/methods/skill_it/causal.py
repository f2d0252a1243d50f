"""Texts by skill, and a causal language model that goes on being trained on them."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from parataxis.errors import BadInput
from parataxis.methods.skill_it.languages import PARTS, Line
from parataxis.methods.skill_it.tasks import Scores, Task

IGNORED = -100
AT_ONCE = 32  # texts: their logits are as many numbers as tokens times vocabulary
ANSWER = "Output:"  # in LEGO and Addition, what comes after it is the answer


class Logits(nn.Module):
    """The logits of a causal model, by ids whose padding is -1."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Int[Tensor, "row token"]) -> Float[Tensor, "row token vocabulary"]:
        seen = (ids >= 0).long()
        return self.model(input_ids=ids.clamp(min=0), attention_mask=seen).logits


def causal_task(
    lines: Sequence[Line], model: Any, tokenizer: Any, *, tokens: int = 128, answer_only: bool = False
) -> Task:
    """An example is a text, cut after so many tokens, padded on the right; all are tokenised once.

    answer_only: the loss is that of what follows the last "Output:". A fresh model is a copy of this one. Raises
    BadInput for a skill without text in a part, or a text without an answer.
    """
    ids = torch.full((len(lines), tokens), -1, dtype=torch.long)
    labels = torch.full((len(lines), tokens), IGNORED, dtype=torch.long)
    for row, line in enumerate(lines):
        whole = _ids(tokenizer, line.text)[:tokens]
        start = 0
        if answer_only:
            before, found, _ = line.text.rpartition(ANSWER)
            if not found:
                raise BadInput(
                    f"skill {line.skill!r}: text {line.text[:40]!r}... has no {ANSWER!r}; drop --answer-only"
                )
            start = len(_ids(tokenizer, before + found))
        if len(whole) < max(2, start + 1):
            raise BadInput(
                f"skill {line.skill!r}: text {line.text[:40]!r} has {len(whole)} tokens, too few to learn from"
            )
        ids[row, : len(whole)] = torch.tensor(whole)
        labels[row, start : len(whole)] = ids[row, start : len(whole)]
    groups: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    names = sorted({line.skill for line in lines})
    for part in PARTS:
        for name in names:
            rows = [at for at, line in enumerate(lines) if line.skill == name and line.part == part]
            if not rows:
                raise BadInput(f"skill {name!r}: has no text in the part {part!r}; give it more rows")
            groups[part][name] = torch.tensor(rows).numpy()
    own = Logits(model)
    train, validation, test = (groups[part] for part in PARTS)
    return Task("texts", ids, labels, train, validation, lambda: copy.deepcopy(own), _scores, test, AT_ONCE)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _scores(model: nn.Module, x: Tensor, y: Tensor) -> Scores:
    """Means over the tokens of a text: every text counts alike."""
    logits, wanted = model(x)[:, :-1], y[:, 1:]
    counted = (wanted != IGNORED).to(logits.dtype)
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=IGNORED, reduction="none")
    right = (logits.argmax(-1) == wanted).to(logits.dtype)
    n = counted.sum(1).clamp(min=1)
    return (losses * counted).sum(1) / n, (right * counted).sum(1) / n
