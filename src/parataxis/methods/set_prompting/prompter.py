"""Asking a trained causal model with sets in the prompt: SetPrompter."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.lm.likelihood import clone, continuation_log_probs, mean, total
from parataxis.methods.set_prompting.engines import Pieces, State, read_masked
from parataxis.methods.set_prompting.layout import BOTH, Align, Arrangement, Edits, Layout, lay_out
from parataxis.methods.set_prompting.prompt import Duplicates, SetPrompt
from parataxis.methods.set_prompting.support import abilities

Engine = Literal["auto", "mask", "kv"]
Scoring = Literal["sum", "mean", "pmi", "paper"]
SHORT = 256  # tokens: below, one pass under a mask beats several over pieces, each of which reads all weights
UNINFORMED = "Answer:"  # the prompt after which `pmi` takes a candidate's own likelihood
TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}  # of the logits' scale, for `verify`


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
        self.pieces = Pieces(model, self.able)

    # -- reading ---------------------------------------------------------------------------------------------------

    def lay_out(self, prompt: SetPrompt, arrangement: Arrangement | None = None) -> Layout:
        """Token ids, positions and segments of a prompt, and through `visible` the mask."""
        if not isinstance(prompt, SetPrompt):
            raise BadInput(f"prompt={prompt!r}: expected a SetPrompt; SetPrompt.parse reads one from text")
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
        """The ids of a piece; the special tokens of a prompt's start, never those of an end, on the first only."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        bos = self.tokenizer.bos_token_id
        starts = first and bos is not None and self.tokenizer("a")["input_ids"][0] == bos
        return [bos, *ids] if starts and ids[:1] != [bos] else list(ids)

    def encode(self, prompt: SetPrompt) -> State:
        """The prompt, read: its layout, the cache of all its tokens, and the logits after the last."""
        layout = self.lay_out(prompt)
        self.able.check(layout)
        state = self._read(layout)
        if self.verify:
            self._verify(prompt, state)
        return state

    def _read(self, layout: Layout) -> State:
        if self.engine == "mask" or not self.pieces.suits(layout):
            return read_masked(self.model, layout, self.able)
        if self.engine == "kv" or len(layout) >= SHORT or self.pieces.holds(layout):
            return self.pieces.read(layout)
        return read_masked(self.model, layout, self.able)

    def cache_items(self, prompt: SetPrompt) -> None:
        """Read a prompt and keep what was read of its sets.

        A later prompt that begins alike, with any of these members in any order, is then read from its suffix on
        alone (with the engine kv or auto). `forget_items` lets go of all.
        """
        layout = self.lay_out(prompt)
        self.able.check(layout)
        if not self.pieces.suits(layout):
            raise BadInput("cache_items: not with padding, an ablation, or a prompt longer than the model's window")
        self.pieces.read(layout, keep=True)

    def forget_items(self) -> None:
        self.pieces.forget()

    def _verify(self, prompt: SetPrompt, state: State) -> None:
        backwards = prompt
        for which, each in enumerate(prompt.sets):
            backwards = backwards.ordered(range(len(each.members))[::-1], which)
        given = [self._read(self.lay_out(each, "given")).logits for each in (prompt, backwards)]
        scale = float(state.logits.abs().max())
        worst = float((given[0] - given[1]).abs().max())
        if worst > TOLERANCE[self.model.dtype] * scale:
            raise OrderDependentError(
                f"reversing the sets moves the logits by {worst:.2g} at a scale of {scale:.2g}; "
                f"{type(self.model).__name__} with attn_implementation="
                f"{self.model.config._attn_implementation!r} does not keep to the positions and the mask it is given"
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
        if options.get("cache_implementation") == "quantized":
            raise BadInput("cache_implementation='quantized': rounds the cache; leave it out")
        self.able.check(layout, max_new_tokens)
        if self.able.slides(len(layout) + max_new_tokens):
            raise BadInput(
                f"prompt: {len(layout)} and {max_new_tokens} tokens are more than the model's window of "
                f"{self.able.window}, which `generate` counts by place; shorten it, or use logits"
            )
        cache = clone(state.cache)
        cache.crop(-1)
        options = {"do_sample": False, **options}
        copies = max(options.get("num_beams", 1), options.get("num_return_sequences", 1))
        if copies > 1:
            cache.batch_repeat_interleave(copies)
        with torch.inference_mode():
            out = self.model.generate(
                layout.ids[None].to(device),
                past_key_values=cache,
                attention_mask=state.seen()[None],
                position_ids=layout.positions[None].to(device),
                max_new_tokens=max_new_tokens,
                pad_token_id=_pad_id(self.tokenizer),
                **options,
            )
        return [row[len(layout) :].tolist() for row in out]

    def score(
        self, prompt: SetPrompt, candidates: Sequence[str], scoring: Scoring = "sum"
    ) -> Float[Tensor, " candidate"]:
        """How much the model is for each candidate answer; more is better.

        sum, mean: of the candidate's log-probabilities a token, teacher-forced; pmi: sum less the same after a bare
        "Answer:"; paper: the mean, over its tokens, of the raw logit of the j-th at the j-th step of the model's own
        greedy answer (McIlroy-Young et al. 2024), which is no likelihood.
        """
        if scoring not in ("sum", "mean", "pmi", "paper"):
            raise BadInput(f"scoring={scoring!r}: expected one of sum, mean, pmi, paper")
        rows = self.candidate_ids(candidates)
        state = self.encode(prompt)
        if scoring == "paper":
            return self._paper_score(state, rows)
        found = self._log_probs(state, rows)
        if scoring == "mean":
            return mean(found)
        if scoring == "pmi":
            return total(found) - total(self._log_probs(self.encode(SetPrompt(UNINFORMED)), rows))
        return total(found)

    def candidate_ids(self, candidates: Sequence[str]) -> list[list[int]]:
        if not candidates or isinstance(candidates, str):
            raise BadInput(f"candidates={candidates!r}: expected a list of texts")
        rows = [self.tokenize(each) for each in candidates]
        if [] in rows:
            raise BadInput(f"candidates[{rows.index([])}]={candidates[rows.index([])]!r}: has no tokens")
        return rows

    def _log_probs(self, state: State, rows: list[list[int]]) -> list[Float[Tensor, " step"]]:
        self.able.check(state.layout, max(map(len, rows)) - 1)
        return continuation_log_probs(
            self.model, state.cache, state.logits, state.seen(), state.layout.next_position, rows
        )

    def _paper_score(self, state: State, rows: list[list[int]]) -> Float[Tensor, " candidate"]:
        special = set(self.tokenizer.all_special_ids)
        rows = [[token for token in row if token not in special] for row in rows]
        steps = self._greedy_logits(state, max(map(len, rows)))
        return torch.stack([steps[range(len(row)), row].mean() for row in rows])

    def _greedy_logits(self, state: State, count: int) -> Float[Tensor, "step vocabulary"]:
        cache, logits, seen, found = clone(state.cache), state.logits, state.seen(), [state.logits.float()]
        for step in range(count - 1):
            seen = torch.cat([seen, seen.new_ones(1)])
            with torch.inference_mode():
                out = self.model(
                    input_ids=logits.argmax()[None, None],
                    attention_mask=seen[None],
                    position_ids=torch.tensor([[state.layout.next_position + step]], device=seen.device),
                    past_key_values=cache,
                )
            logits = out.logits[0, -1]
            found.append(logits.float())
        return torch.stack(found)

    # -- many ------------------------------------------------------------------------------------------------------

    def score_many(
        self, questions: Iterable[tuple[SetPrompt, Sequence[str]]], scoring: Scoring = "sum"
    ) -> Iterator[Float[Tensor, " candidate"]]:
        """One after the other; wrap it in a progress bar of your own."""
        return (self.score(prompt, candidates, scoring) for prompt, candidates in questions)


def _pad_id(tokenizer: Any) -> int | None:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
