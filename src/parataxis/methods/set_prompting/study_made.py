"""The claims that need no training: on made models, where every number is exact but for rounding."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from parataxis.claims import Measurement, Table
from parataxis.errors import BadInput
from parataxis.methods.set_prompting.layout import BOTH, PLAIN, Edits
from parataxis.methods.set_prompting.made import FAMILIES, QUESTION, made_model, made_tokenizer, orders_of, spread
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter

CLAIMS = ("order-changes-nothing", "one-layout-one-answer", "attention-alone", "positions-alone", "positions-saved")
DECODING: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 0},
    "beam search": {"num_beams": 3},
}
TOKENS = {False: 10, True: 3}  # that are written; on the toy
ATTENTION = ("eager", "sdpa")
ALONE = {"attention-alone": Edits(positions=False), "positions-alone": Edits(attention=False)}
POSITIONS = 32
# 74 tokens in 26 positions: 4, then eight members of 8, and 6
MANY = SetPrompt("Any", Set([f"{number} ducks\n"[:8] for number in range(10, 18)]), "Which?")


def measure(seed: int, ctx: Any) -> Iterator[Measurement | Table]:
    small = ctx.scale == "toy"
    families = list(FAMILIES)[: 1 if small else None]
    prompts = orders_of(QUESTION)[:: 8 if small else 1]
    if not ctx.done(CLAIMS[0]):
        yield from _families([(family, how) for family in families for how in ATTENTION[small:]], prompts, seed)
    if not ctx.done(CLAIMS[1]):
        some = prompts if ctx.scale in ("toy", "full", "paper") else prompts[::5]
        yield _texts([made_model(family, seed=seed) for family in families], some, seed, TOKENS[small])
    for claim, edits in ALONE.items():
        if not ctx.done(claim):
            both = {"layout": "given"}
            moved, still = (
                _moved(SetPrompter(made_model("llama", seed=seed), made_tokenizer(), **options), prompts, 1.0)
                for options in ({"edits": edits}, both)
            )
            yield _exact(claim, moved, len(prompts), null=still, unit="logits")
    if not ctx.done(CLAIMS[-1]):
        yield _saved(seed)


def _families(
    kinds: Sequence[tuple[str, str]], prompts: Sequence[SetPrompt], seed: int
) -> Iterator[Measurement | Table]:
    rows: list[list[Any]] = []
    for family, attention in kinds:
        model = made_model(family, attention, seed)
        plain = _moved(SetPrompter(model, made_tokenizer(), edits=PLAIN), prompts)
        engines = [SetPrompter(model, made_tokenizer(), layout="given", engine=each) for each in ("mask", "kv")]
        rows.append([family, attention, plain, *(_moved(each, prompts) for each in engines)])
    columns = ("family", "attention", "ordinary prompt", "sets, one pass", "sets, piece by piece")
    caption = "Largest difference of next-token logits over 24 orders, as a share of their scale; layout as given."
    yield Table("families", columns, rows, caption)
    worst = max(max(row[3:]) for row in rows)
    yield _exact(CLAIMS[0], worst, len(rows) * 2, null=min(row[2] for row in rows))


def _moved(prompter: SetPrompter, prompts: Sequence[SetPrompt], scale: float | None = None) -> float:
    """Over all orders, as a share of the logits' own scale if none is given."""
    logits = list(prompter.logits_many(prompts, batch=len(prompts)))
    return spread(logits) / (scale or float(logits[0].abs().max()))


def _texts(models: Sequence[Any], prompts: Sequence[SetPrompt], seed: int, tokens: int) -> Measurement:
    """The most distinct texts over orders, laid out as given; and of an ordinary prompt, greedily, the fewest."""

    def distinct(model: Any, edits: Edits, options: dict[str, Any]) -> int:
        prompter, found = SetPrompter(model, made_tokenizer(), edits=edits, layout="given"), set()
        for state in prompter.encode_many(prompts, batch=1):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                found.add(tuple(map(tuple, prompter.generate_ids(state, max_new_tokens=tokens, **options))))
        return len(found)

    most = max(distinct(model, BOTH, options) for model in models for options in DECODING.values())
    fewest = min(distinct(model, PLAIN, DECODING["greedy"]) for model in models)
    return _exact(CLAIMS[1], float(most), len(models) * len(DECODING), null=float(fewest), unit="texts")


def _saved(seed: int) -> Measurement:
    model = copy.deepcopy(made_model("gpt2", seed=seed))
    model.config.n_positions = POSITIONS
    model.transformer.wpe = torch.nn.Embedding.from_pretrained(model.transformer.wpe.weight[:POSITIONS].detach())
    reads = []
    for edits in (BOTH, PLAIN):
        prompter = SetPrompter(model, made_tokenizer(), edits=edits)
        assert len(prompter.lay_out(MANY)) == 74
        try:
            prompter.logits(MANY)
            reads.append(1.0)
        except BadInput:
            reads.append(0.0)
    return _exact("positions-saved", reads[0], 1, null=reads[1], unit="share")


def _exact(claim: str, value: float, n: int, null: float, unit: str = "share of the logits' scale") -> Measurement:
    return Measurement(claim, value, value, value, n, unit, null=null, real=False, data="made models")
