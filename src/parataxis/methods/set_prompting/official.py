"""The official file format: a JSON list of prompts in, a JSON line for each prompt and condition out.

The names in a line are those of the official tool, so that what reads its output reads ours.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.conditions import OFFICIAL, Condition, conditions
from parataxis.methods.set_prompting.engines import State, read_on
from parataxis.methods.set_prompting.kept import log
from parataxis.methods.set_prompting.prompt import SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter

KEYS = {"prompt", "prompt_metadata"}
OF_A_QUESTION = {"label", "incorrect_answers"}


@dataclass(frozen=True)
class Entry:
    """A prompt of the file, and what the file says of it: `label` and `incorrect_answers`, if it is a question."""

    prompt: SetPrompt
    metadata: dict[str, Any] | None

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.prompt.to_text().encode()).hexdigest()[:32]

    @property
    def candidates(self) -> list[str]:
        """The right answer first; none if the prompt is no question."""
        metadata = self.metadata or {}
        return [metadata["label"], *metadata["incorrect_answers"]] if metadata.keys() >= OF_A_QUESTION else []


def read_prompts(path: Path | str, limit: int | None = None) -> list[Entry]:
    """A JSON list, or JSON lines, of {"prompt": "...<|start_2d|>...", "prompt_metadata": {...}}. Raises BadInput."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not text in UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    found = [_entry(row, where) for where, row in _rows(path, text)]
    if not found:
        raise BadInput(f"{path}: holds no prompt")
    return found[:limit]


def _rows(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    try:
        if path.suffix != ".jsonl":
            rows = json.loads(text)
            if not isinstance(rows, list):
                raise BadInput(f"{path}: holds {type(rows).__name__}, expected a list of prompts")
            yield from ((f"{path}[{place}]", row) for place, row in enumerate(rows))
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", json.loads(line)
    except json.JSONDecodeError as error:
        at = error.lineno if path.suffix != ".jsonl" else number
        raise BadInput(f"{path}:{at}: is not JSON: {error.msg} (column {error.colno})") from None


def _entry(row: Any, where: str) -> Entry:
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise BadInput(f"{where}: expected an object with the text `prompt`")
    if set(row) - KEYS:
        raise BadInput(f"{where}: {sorted(set(row) - KEYS)[0]!r} is unknown; put it into prompt_metadata")
    metadata = row.get("prompt_metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise BadInput(f"{where}: prompt_metadata={metadata!r}: expected an object")
    try:
        prompt = SetPrompt.parse(row["prompt"])
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    if not prompt.sets:
        raise BadInput(f"{where}: the prompt has no set; mark one with <|start_2d|>, <|split_2d|> and <|end_2d|>")
    return Entry(prompt, metadata)


def run(
    entries: Sequence[Entry],
    lm: LanguageModel,
    out: Path,
    *,
    names: Sequence[str] = OFFICIAL,
    max_new_tokens: int = 10,
    top_k: int = 0,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """A line for each prompt and condition, appended to `out`; those that are there already are not asked again.

    top_k: of how many tokens each line holds the probabilities, at every step; 0 is none.
    """
    prompter = cache(lambda edits: SetPrompter(lm.model, lm.tokenizer, edits=edits))
    dtype = str(lm.model.dtype).removeprefix("torch.")
    settings = {
        "model": lm.name,
        "version": lm.version,
        "dtype": dtype,
        "max_new_tokens": max_new_tokens,
        "top_k": top_k,
    }
    found = []
    with log(out) as (lines, before):
        kept = {_key(line): line for line in before}
        for done, entry in enumerate(entries):
            watch(done, len(entries))
            for each in conditions(tuple(names), entry.prompt):
                head = {
                    "prompt_hash": entry.hash,
                    "condition": each.name,
                    "prompt_metadata": entry.metadata,
                    **settings,
                }
                if _key(head) not in kept:
                    line = {**head, **_line(entry, each, prompter(each.edits), max_new_tokens, top_k)}
                    kept[_key(head)] = line
                    lines.append(line)
                found.append(kept[_key(head)])
    watch(len(entries), len(entries))
    return found


def _key(line: dict[str, Any]) -> str:
    """All that a line depends on."""
    names = ("prompt_hash", "condition", "prompt_metadata", "model", "version", "dtype", "max_new_tokens", "top_k")
    return json.dumps([line.get(name) for name in names], sort_keys=True)


def _line(entry: Entry, condition: Condition, prompter: SetPrompter, count: int, top_k: int) -> dict[str, Any]:
    rows = prompter.candidate_ids(entry.candidates) if entry.candidates else []
    special = set(prompter.tokenizer.all_special_ids)
    rows = [[token for token in row if token not in special] for row in rows]
    state = prompter.encode(condition.arrange(entry.prompt))
    steps = _steps(prompter, state, max([count, *map(len, rows)]))
    ids = _until_end(steps[:count].argmax(-1).tolist(), prompter.tokenizer.eos_token_id)
    text = prompter.tokenizer.decode(ids, skip_special_tokens=True)
    edits = condition.edits
    line = {
        "prompt": entry.prompt.to_text(),
        "order_independent_output": edits.positions or edits.attention,
        "edit_position": edits.positions,
        "edit_attention": edits.attention,
        "pad_attention": edits.padded,
        "text_output": text,
    }
    if rows:
        line |= _scored(entry, text, torch.stack([steps[range(len(row)), row].mean() for row in rows]))
    if top_k:
        line["probs"] = _probabilities(steps[: len(ids)], ids, prompter.tokenizer, top_k)
    return line


def _steps(prompter: SetPrompter, state: State, count: int) -> Float[Tensor, "step vocabulary"]:
    """The logits along the model's own greedy text."""
    prompter.able.check(state.layout, count - 1)
    found = [state.logits.float()]
    while len(found) < count:
        state = read_on(prompter.model, state, int(found[-1].argmax()), prompter.able)
        found.append(state.logits.float())
    return torch.stack(found)


def _until_end(ids: list[int], end: int | None) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


def _scored(entry: Entry, text: str, scores: Float[Tensor, " candidate"]) -> dict[str, Any]:
    """The paper's modified accuracy, and whether the text holds the right answer and no other."""
    label, *others = entry.candidates
    return {
        "label_scores": dict(zip(entry.candidates, scores.tolist(), strict=True)),
        "is_correct_answer": bool(scores.argmax() == 0),
        "correct_answer_prob": float(scores.softmax(0)[0]),
        "raw_output_contains_correct_answer_only": label in text and not any(each in text for each in others),
    }


def _probabilities(
    steps: Float[Tensor, "step vocabulary"], ids: list[int], tokenizer: Any, top_k: int
) -> dict[str, Any]:
    shares = steps.softmax(-1)
    best = shares.topk(min(top_k, shares.shape[-1]), -1)

    def named(tokens: list[int]) -> list[str]:
        """Many models have more tokens than their tokenizer."""
        found = tokenizer.convert_ids_to_tokens(tokens)
        return [name or f"<{token}>" for name, token in zip(found, tokens, strict=True)]

    return {
        "token_ids": ids,
        "token_decoded": named(ids),
        "token_probs": shares[range(len(ids)), ids].tolist(),
        "token_probs_dict": [
            dict(zip(named(tokens), values, strict=True))
            for tokens, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ],
        "top_k": top_k,
    }
