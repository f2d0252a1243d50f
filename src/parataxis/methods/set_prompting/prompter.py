"""Asking a trained causal model with sets in the prompt: SetPrompter."""

import collections
import functools
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.lm.likelihood import clone, continuation_log_probs, mean, total
from parataxis.methods.set_prompting.engines import (
    Pieces,
    State,
    empty_cache,
    last_logits,
    read_batch,
    read_masked,
    read_on,
)
from parataxis.methods.set_prompting.layout import BOTH, Align, Arrangement, Edits, Layout, lay_out
from parataxis.methods.set_prompting.prompt import Duplicates, SetPrompt
from parataxis.methods.set_prompting.support import abilities

Engine = Literal["auto", "mask", "kv"]
Scoring = Literal["sum", "mean", "pmi", "paper"]
SHORT = 256  # tokens: below, one pass under a mask beats several over pieces, each of which reads all weights
NOT_PIECEWISE = "padding, the mask left unedited, or a prompt longer than the model's window"
SCORINGS = ("sum", "mean", "pmi", "paper")
GENERATE = {  # options of the library's `generate` that would undo what was laid out, and what to do
    **dict.fromkeys(
        ("cache_implementation", "past_key_values", "attention_mask", "position_ids", "inputs", "input_ids"),
        "leave it out",
    ),
    "generation_config": "pass its settings one by one",
}
UNINFORMED = "Answer:"  # the prompt after which `pmi` takes a candidate's own likelihood
TOLERANCE = {  # of the logits' scale, for `verify`
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 5e-2,
}


class OrderDependentError(RuntimeError):
    """`verify` found that the order of a set did change the logits: the model is not one that can be asked so."""


class SetPrompter:
    """Asks `model` with prompts whose sets have no order. The model is used as it is: never patched, nor changed.

    layout: canonical makes equal sets give the same bits; given keeps the caller's order, which still gives the same
    numbers up to rounding. engine: mask reads in one pass, kv piece by piece, auto chooses. duplicates: what to do with
    a member that stands twice. align: what of the members stands at one position, their starts or their ends. edits:
    the method's two, or fewer for its ablations, whose layout is always given. verify: read every prompt in a second
    order too and raise OrderDependentError if that changes the logits.

    Source: McIlroy-Young et al. 2024, section 3.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        layout: Arrangement = "canonical",
        engine: Engine = "auto",
        duplicates: Duplicates = "keep",
        align: Align = "start",
        edits: Edits = BOTH,
        verify: bool = False,
    ) -> None:
        for name, value, known in (
            ("layout", layout, ("canonical", "given")),
            ("engine", engine, ("auto", "mask", "kv")),
            ("duplicates", duplicates, ("keep", "drop", "error")),
            ("align", align, ("start", "end")),
        ):
            if value not in known:
                raise BadInput(f"{name}={value!r}: expected one of {', '.join(known)}")
        self.model, self.tokenizer = model, tokenizer
        self.arrangement, self.engine, self.duplicates, self.align = layout, engine, duplicates, align
        self.edits, self.verify = edits, verify
        if not (edits.positions and edits.attention):
            self.arrangement = "given"
        self.able = abilities(model)
        if engine == "mask" and not self.able.told:
            raise BadInput(f"engine='mask': {self._attention()} takes no mask of ours; pass 'kv'")
        self.pieces = Pieces(model, self.able)

    # -- reading ---------------------------------------------------------------------------------------------------

    def lay_out(self, prompt: SetPrompt, arrangement: Arrangement | None = None) -> Layout:
        """Token ids, positions and segments of a prompt, and through `visible` the mask."""
        if not isinstance(prompt, SetPrompt):
            raise BadInput(f"prompt: expected a SetPrompt, not a {type(prompt).__name__}; SetPrompt.parse reads text")
        sets = [each.without_repetition(self.duplicates) for each in prompt.sets]
        pad = self.tokenizer.pad_token_id
        return lay_out(
            prompt.with_sets(sets),
            self.tokenize,
            edits=self.edits,
            arrangement=arrangement or self.arrangement,
            align=self.align,
            pad=0 if pad is None else pad,
        )

    def tokenize(self, text: str, first: bool = False) -> list[int]:
        """The ids of a piece; the special tokens of a prompt's start, never those of an end, on the first only.

        A tokenizer that puts a space before whatever it is given does so before the first piece only: any other is
        read behind a line break, which is cut off.
        """
        ids = self._ids(text)
        if first:
            opening, _ = self._habits
            return ids if ids[: len(opening)] == opening else [*opening, *ids]
        _, spaces = self._habits
        if spaces:
            behind, line = self._ids("\n" + text), self._ids("\n")
            ids = behind[len(line) :] if behind[: len(line)] == line else ids
        return ids

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    @functools.cached_property
    def _habits(self) -> tuple[list[int], bool]:
        """The special tokens with which the tokenizer begins a text, and whether it puts a space before it."""
        bare, whole = self._ids("a"), list(self.tokenizer("a")["input_ids"])
        starts = [start for start in range(len(whole)) if whole[start : start + len(bare)] == bare]
        return whole[: starts[0]] if starts else [], self.tokenizer.decode(bare + bare) != "aa"

    def encode(self, prompt: SetPrompt) -> State:
        """The prompt, read: its layout, the cache of all its tokens, and the logits after the last."""
        layout = self._checked(prompt)
        state = self._read(layout)
        if self.verify:
            self._verify(prompt, state)
        return state

    def encode_many(self, prompts: Iterable[SetPrompt], *, batch: int = 8) -> Iterator[State]:
        """The same of each prompt, in their order; short ones are read so many at once, which takes less time."""
        following = iter(prompts)
        while some := list(itertools.islice(following, batch)):
            layouts = [self._checked(prompt) for prompt in some]
            if self.verify or any(len(layout) > SHORT or self._piecewise(layout) for layout in layouts):
                yield from map(self.encode, some)
            else:
                yield from read_batch(self.model, layouts, self.able)

    def _checked(self, prompt: SetPrompt) -> Layout:
        layout = self.lay_out(prompt)
        self.able.check(layout)
        if not (self.able.told or self.pieces.suits(layout)):
            raise BadInput(f"prompt: {self._attention()} can't read {NOT_PIECEWISE}; load the model with 'sdpa'")
        sizes = collections.Counter(member.group for member in layout.members)
        if 1 in sizes.values():
            warnings.warn("prompt: a set of one member is the same as plain text", stacklevel=3)
        return layout

    def _attention(self) -> str:
        return f"attn_implementation={self.model.config._attn_implementation!r}"

    def _piecewise(self, layout: Layout) -> bool:
        if self.engine == "mask" or not self.pieces.suits(layout):
            return False
        return self.engine == "kv" or not self.able.told or len(layout) >= SHORT or self.pieces.holds(layout)

    def _read(self, layout: Layout) -> State:
        return self.pieces.read(layout) if self._piecewise(layout) else read_masked(self.model, layout, self.able)

    def cache_items(self, prompt: SetPrompt) -> None:
        """Read a prompt and keep what was read of its sets.

        A later prompt that begins alike, with any of these members in any order, is then read from its suffix on
        alone (with the engine kv or auto). `forget_items` lets go of all.
        """
        layout = self.lay_out(prompt)
        self.able.check(layout)
        if not self.pieces.suits(layout):
            raise BadInput(f"cache_items: not for {NOT_PIECEWISE}")
        self.pieces.read(layout, keep=True)

    def forget_items(self) -> None:
        self.pieces.forget()

    def _verify(self, prompt: SetPrompt, state: State) -> None:
        """Whichever way it is read, in the given order and in the reverse, the logits are the same."""
        backwards = prompt
        for which, each in enumerate(prompt.sets):
            backwards = backwards.ordered(range(len(each.members))[::-1], which)
        others = []
        for layout in (self.lay_out(prompt, "given"), self.lay_out(backwards, "given")):
            others += [read_masked(self.model, layout, self.able)] if self.able.told else []
            others += [self.pieces.read(layout)] if self.pieces.suits(layout) else []
        scale = float(state.logits.abs().max())
        worst = float((torch.stack([each.logits for each in others]) - state.logits).abs().max())
        if not worst <= TOLERANCE[self.model.dtype] * scale:  # nor is nan
            raise OrderDependentError(
                f"another order moves the logits by {worst:.2g} at a scale of {scale:.2g}; {type(self.model).__name__} "
                f"with {self._attention()} and {self.edits} does not keep to the positions and the mask of a set"
            )

    # -- answers ---------------------------------------------------------------------------------------------------

    def logits(self, prompt: SetPrompt) -> Float[Tensor, " vocabulary"]:
        """After the prompt's last token."""
        return self.encode(prompt).logits

    def generate(self, prompt: SetPrompt, *, max_new_tokens: int = 10, **options: Any) -> list[str]:
        """What the model writes: a text for each returned sequence, new tokens only. options: for its `generate`."""
        ids = self.generate_ids(self.encode(prompt), max_new_tokens=max_new_tokens, **options)
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def generate_ids(self, state: State, *, max_new_tokens: int = 10, **options: Any) -> list[list[int]]:
        """The library's own `generate`, going on from what was read; greedy unless `options` say otherwise."""
        layout, device = state.layout, self.model.device
        if max_new_tokens < 1:
            raise BadInput(f"max_new_tokens={max_new_tokens}: expected 1 or more")
        for name in GENERATE:
            if options.get(name) is not None:
                raise BadInput(f"{name}={options[name]!r}: the prompt is in a cache of its own; {GENERATE[name]}")
        self.able.check(layout, max_new_tokens - 1)
        if self.able.slides(len(layout) + max_new_tokens - 1):
            raise BadInput(
                f"prompt: {len(layout)} and {max_new_tokens} tokens are more than the model's window of "
                f"{self.able.window}, which `generate` counts by place; shorten it, or use logits or score"
            )
        options = {"do_sample": False, "num_beams": 1, "num_return_sequences": 1, **options}
        cache = clone(state.cache) if len(layout) > 1 else empty_cache()
        if len(layout) > 1:
            cache.crop(-1)
            cache.batch_repeat_interleave(max(options["num_beams"], options["num_return_sequences"]))
        with torch.inference_mode():
            out = self.model.generate(
                layout.ids[None].to(device),
                past_key_values=cache,
                attention_mask=state.seen()[None],
                position_ids=layout.positions[None].to(device),
                max_new_tokens=max_new_tokens,
                pad_token_id=_pad_id(self.tokenizer),
                cache_implementation=None,  # whatever the model's own configuration says
                **options,
            )
        return [row[len(layout) :].tolist() for row in getattr(out, "sequences", out)]

    def score(
        self, prompt: SetPrompt, candidates: Sequence[str], scoring: Scoring = "sum"
    ) -> Float[Tensor, " candidate"]:
        """How much the model is for each candidate answer; more is better.

        sum, mean: of the candidate's log-probabilities a token, teacher-forced; pmi: sum less the same after a bare
        "Answer:"; paper: the mean, over its tokens, of the raw logit of the j-th at the j-th step of the model's own
        greedy answer (McIlroy-Young et al. 2024), which is no likelihood.
        """
        return next(self.score_many([(prompt, candidates)], scoring))

    def score_many(
        self, questions: Iterable[tuple[SetPrompt, Sequence[str]]], scoring: Scoring = "sum", *, batch: int = 8
    ) -> Iterator[Float[Tensor, " candidate"]]:
        """One after the other, read so many at once; wrap it in a progress bar of your own."""
        if scoring not in SCORINGS:
            raise BadInput(f"scoring={scoring!r}: expected one of {', '.join(SCORINGS)}")
        following = iter(questions)
        while some := list(itertools.islice(following, batch)):
            rows = [self.candidate_ids(candidates) for _, candidates in some]
            layouts = [self._checked(prompt) for prompt, _ in some]
            if scoring != "paper" and not self.verify and all(map(self._in_one_pass, layouts)):
                yield from self._scores_at_once(layouts, rows, scoring)
                continue
            for state, row in zip(self.encode_many([prompt for prompt, _ in some], batch=batch), rows, strict=True):
                yield self._score(state, row, scoring)

    def score_after(
        self, state: State, candidates: Sequence[str], scoring: Scoring = "sum"
    ) -> Float[Tensor, " candidate"]:
        """The same from a prompt that was read."""
        return self._score(state, self.candidate_ids(candidates), scoring)

    def _in_one_pass(self, layout: Layout) -> bool:
        return self.able.told and len(layout) <= SHORT and not self._piecewise(layout)

    def _scores_at_once(
        self, layouts: Sequence[Layout], rows: Sequence[list[list[int]]], scoring: Scoring
    ) -> Iterator[Float[Tensor, " candidate"]]:
        """Prompts with all their candidates in one pass: after a prompt, these are a set of texts that may follow.

        They are laid out in the order of their ids, so that the order in which they are given changes no bit.
        """
        packed = []
        for layout, row in zip(layouts, rows, strict=True):
            self.able.check(layout, max(map(len, row)) - 1)
            packed.append(layout.and_set([each[:-1] for each in sorted(row) if len(each) > 1]))
        keep = 1 + max(len(whole) - len(layout) for whole, layout in zip(packed, layouts, strict=True))
        for whole, layout, row, logits in zip(
            packed, layouts, rows, last_logits(self.model, packed, self.able, keep), strict=True
        ):
            table = torch.log_softmax(logits[len(layout) - len(whole) - 1 :].float(), -1)
            found, place = {}, 1
            for each in sorted(row):
                steps = [0, *range(place, place + len(each) - 1)]
                found[tuple(each)] = table[steps, each]
                place += len(each) - 1
            yield self._total([found[tuple(each)] for each in row], row, scoring)

    def _score(self, state: State, rows: list[list[int]], scoring: Scoring) -> Float[Tensor, " candidate"]:
        if scoring == "paper":
            return self._paper_score(state, rows)
        return self._total(self._log_probs(state, rows), rows, scoring)

    def _total(
        self, found: list[Float[Tensor, " _step"]], rows: list[list[int]], scoring: Scoring
    ) -> Float[Tensor, " candidate"]:
        """Of the log-probabilities of each candidate's tokens."""
        if scoring == "mean":
            return mean(found)
        return total(found) - total(self._log_probs(self._uninformed, rows)) if scoring == "pmi" else total(found)

    @functools.cached_property
    def _uninformed(self) -> State:
        return self.encode(SetPrompt(UNINFORMED))

    def candidate_ids(self, candidates: Sequence[str]) -> list[list[int]]:
        if not candidates or isinstance(candidates, str):
            raise BadInput(f"candidates={candidates!r}: expected a list of texts")
        rows = [self.tokenize(each) for each in candidates]
        if [] in rows:
            raise BadInput(f"candidates[{rows.index([])}]={candidates[rows.index([])]!r}: has no tokens")
        return rows

    def _log_probs(self, state: State, rows: list[list[int]]) -> list[Float[Tensor, " _step"]]:
        longest = max(map(len, rows)) - 1
        self.able.check(state.layout, longest)
        if self.able.slides(len(state.layout) + longest):
            return [self._one_by_one(state, row) for row in rows]
        return continuation_log_probs(
            self.model, state.cache, state.logits, state.seen(), state.layout.next_position, rows
        )

    def _one_by_one(self, state: State, row: list[int]) -> Float[Tensor, " step"]:
        """Where a mask of a row would let a window cut by place in the layout."""
        found = [torch.log_softmax(state.logits.float(), -1)[row[0]]]
        for token, following in itertools.pairwise(row):
            state = read_on(self.model, state, token, self.able)
            found.append(torch.log_softmax(state.logits.float(), -1)[following])
        return torch.stack(found)

    def _paper_score(self, state: State, rows: list[list[int]]) -> Float[Tensor, " candidate"]:
        special = set(self.tokenizer.all_special_ids)
        rows = [[token for token in row if token not in special] for row in rows]
        if [] in rows:
            raise BadInput(f"candidates[{rows.index([])}]: has special tokens only, which scoring='paper' skips")
        self.able.check(state.layout, max(map(len, rows)) - 1)
        steps = [state.logits.float()]
        while len(steps) < max(map(len, rows)):
            state = read_on(self.model, state, int(state.logits.argmax()), self.able)
            steps.append(state.logits.float())
        table = torch.stack(steps)
        return torch.stack([table[range(len(row)), row].mean() for row in rows])

    def logits_many(self, prompts: Iterable[SetPrompt], *, batch: int = 8) -> Iterator[Float[Tensor, " vocabulary"]]:
        """After each prompt's last token, read so many prompts at once."""
        return (state.logits for state in self.encode_many(prompts, batch=batch))


def _pad_id(tokenizer: Any) -> int | None:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
