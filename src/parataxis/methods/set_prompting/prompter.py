"""Asking a trained causal model with sets in the prompt: SetPrompter."""

import collections
import functools
import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.lm.generate import BATCH, TOKENS, Read, generate
from parataxis.lm.likelihood import continuation_log_probs, mean, total
from parataxis.lm.tokens import Tokens
from parataxis.methods.set_prompting.engines import Pieces, State, last_logits, read_batch, read_masked, read_on
from parataxis.methods.set_prompting.layout import BOTH, Align, Arrangement, Edits, Layout, lay_out
from parataxis.methods.set_prompting.prompt import Duplicates, SetPrompt
from parataxis.methods.set_prompting.support import abilities
from parataxis.progress import Tell, untold

Engine = Literal["auto", "mask", "kv"]
Scoring = Literal["sum", "mean", "pmi", "paper"]
SHORT = 256  # tokens: below, one pass under a mask beats several over pieces, each of which reads all weights
NOT_PIECEWISE = "padding, the mask left unedited, or a prompt longer than the model's window"
SCORINGS = ("sum", "mean", "pmi", "paper")
UNINFORMED = "Answer:"  # the prompt after which `pmi` takes a candidate's own likelihood
TOLERANCE = {  # of the logits' scale, for `verify`
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 5e-2,
}
Prompt = SetPrompt | Layout  # a prompt, or what `lay_out` made of it
T = TypeVar("T")


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
        self.model, self.tokenizer, self.tokenize = model, tokenizer, Tokens(tokenizer)
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

    def encode(self, prompt: Prompt) -> State:
        """The prompt, read: its layout, the cache of all its tokens, and the logits after the last."""
        return self._encoded(self._checked(prompt))

    def encode_many(self, prompts: Sequence[Prompt], *, batch: int = BATCH, watch: Tell = untold) -> Iterator[State]:
        """The same of each prompt, in their order; short ones are read so many at once, which takes less time.

        watch: told how many are done.
        """
        for some in _batches(prompts, batch, watch):
            yield from self._encoded_many([self._checked(each) for each in some])

    def _encoded_many(self, layouts: Sequence[Layout]) -> Iterator[State]:
        if self.verify or any(len(layout) > SHORT or self._piecewise(layout) for layout in layouts):
            return map(self._encoded, layouts)
        return iter(read_batch(self.model, layouts, self.able))

    def _encoded(self, layout: Layout) -> State:
        state = self._read(layout)
        if self.verify:
            self._verify(state)
        return state

    def _checked(self, prompt: Prompt) -> Layout:
        """Laid out, unless it is."""
        layout = prompt if isinstance(prompt, Layout) else self.lay_out(prompt)
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

    def _verify(self, state: State) -> None:
        """Whichever way it is read, in the given order and in the reverse, the logits are the same."""
        forth = back = state.layout.prompt
        for which, each in enumerate(forth.sets):
            back = back.ordered(range(len(each.members))[::-1], which)
        others = []
        for layout in (self.lay_out(forth, "given"), self.lay_out(back, "given")):
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

    def logits(self, prompt: Prompt) -> Float[Tensor, " vocabulary"]:
        """After the prompt's last token."""
        return self.encode(prompt).logits

    def logits_many(
        self, prompts: Sequence[Prompt], *, batch: int = BATCH, watch: Tell = untold
    ) -> Iterator[Float[Tensor, " vocabulary"]]:
        """After each prompt's last token, read so many prompts at once."""
        return (state.logits for state in self.encode_many(prompts, batch=batch, watch=watch))

    def generate(self, prompt: Prompt, *, max_new_tokens: int = TOKENS, **options: Any) -> list[str]:
        """What the model writes: a text for each returned sequence, new tokens only. options: for its `generate`."""
        return next(self.generate_many([prompt], max_new_tokens=max_new_tokens, **options))

    def generate_many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int = TOKENS,
        batch: int = BATCH,
        watch: Tell = untold,
        **options: Any,
    ) -> Iterator[list[str]]:
        """The same after each prompt, read and written on so many at once: `parataxis.lm.generate`."""
        for some in _batches(prompts, batch, watch):
            states = list(self._encoded_many([self._checked(each) for each in some]))
            rows = [self._going_on(state, max_new_tokens) for state in states]
            found = generate(self.model, self.tokenizer, rows, max_new_tokens=max_new_tokens, batch=batch, **options)
            yield from ([each.text for each in several] for several in found)

    def generate_ids(self, state: State, *, max_new_tokens: int = TOKENS, **options: Any) -> list[list[int]]:
        """The tokens of the same, going on from what was read; greedy unless `options` say otherwise."""
        rows = [self._going_on(state, max_new_tokens)]
        (several,) = generate(self.model, self.tokenizer, rows, max_new_tokens=max_new_tokens, **options)
        return [list(each.ids) for each in several]

    def _going_on(self, state: State, more: int) -> Read:
        layout = state.layout
        self.able.check(layout, more - 1)
        if self.able.slides(len(layout) + more - 1):
            raise BadInput(
                f"prompt: {len(layout)} and {more} tokens are more than the model's window of "
                f"{self.able.window}, which `generate` counts by place; shorten it, or use logits or score"
            )
        return Read(layout.ids, layout.positions, state.seen(), state.cache)

    def score(self, prompt: Prompt, candidates: Sequence[str], scoring: Scoring = "sum") -> Float[Tensor, " candidate"]:
        """How much the model is for each candidate answer; more is better.

        sum, mean: of the candidate's log-probabilities a token, teacher-forced; pmi: sum less the same after a bare
        "Answer:"; paper: the mean, over its tokens, of the raw logit of the j-th at the j-th step of the model's own
        greedy answer (McIlroy-Young et al. 2024), which is no likelihood.
        """
        return next(self.score_many([(prompt, candidates)], scoring))

    def score_many(
        self,
        questions: Sequence[tuple[Prompt, Sequence[str]]],
        scoring: Scoring = "sum",
        *,
        batch: int = BATCH,
        watch: Tell = untold,
    ) -> Iterator[Float[Tensor, " candidate"]]:
        """One after the other, read so many at once. watch: told how many are done."""
        if scoring not in SCORINGS:
            raise BadInput(f"scoring={scoring!r}: expected one of {', '.join(SCORINGS)}")
        for some in _batches(questions, batch, watch):
            rows = [self.candidate_ids(candidates) for _, candidates in some]
            layouts = [self._checked(prompt) for prompt, _ in some]
            if scoring != "paper" and not self.verify and all(map(self._in_one_pass, layouts)):
                yield from self._scores_at_once(layouts, rows, scoring)
                continue
            for state, row in zip(self._encoded_many(layouts), rows, strict=True):
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


def _batches(items: Sequence[T], batch: int, watch: Tell) -> Iterator[Sequence[T]]:
    if batch < 1:
        raise BadInput(f"batch={batch}: expected 1 or more")
    for start in range(0, len(items), batch):
        yield items[start : start + batch]
        watch(min(start + batch, len(items)), len(items))
