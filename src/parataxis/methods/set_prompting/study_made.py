"""The claims that need no training: on made models, where every number is exact but for rounding."""

from collections.abc import Iterator
from typing import Any

from parataxis.claims import Measurement, Table
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
POSITIONS = 32
# 74 tokens in 26 positions: 4, then eight members of 8, and 6
MANY = SetPrompt("Any", Set([f"{number} ducks\n"[:8] for number in range(10, 18)]), "Which?")


def measure(scale: str, seed: int) -> Iterator[Measurement | Table]:
    families = list(FAMILIES)[:1] if scale == "toy" else list(FAMILIES)
    made = {(family, how): made_model(family, how, seed) for family in families for how in ("eager", "sdpa")}
    rows: list[list[Any]] = []
    for (family, attention), model in made.items():
        plain = _moved(SetPrompter(model, made_tokenizer(), edits=PLAIN))
        engines = [_moved(SetPrompter(model, made_tokenizer(), layout="given", engine=each)) for each in ("mask", "kv")]
        rows.append([family, attention, plain, *engines])
    columns = ("family", "attention", "ordinary prompt", "sets, one pass", "sets, piece by piece")
    caption = "Largest difference of next-token logits over 24 orders, as a share of their scale; layout as given."
    yield Table("families", columns, rows, caption)
    worst = max(max(row[3:]) for row in rows)
    yield _exact("order-changes-nothing", worst, len(rows) * 2, null=min(row[2] for row in rows))
    yield _texts([model for (_, attention), model in made.items() if attention == "sdpa"], seed, scale)
    model = made["llama", "sdpa"]
    for claim, edits in (("attention-alone", Edits(positions=False)), ("positions-alone", Edits(attention=False))):
        moved, both = (
            _moved(SetPrompter(model, made_tokenizer(), layout="given", edits=e), 1.0) for e in (edits, BOTH)
        )
        yield _exact(claim, moved, 24, null=both, unit="logits")
    yield _saved(seed)


def _moved(prompter: SetPrompter, scale: float | None = None) -> float:
    """Over all orders, as a share of the logits' own scale if none is given."""
    logits = [prompter.logits(prompt) for prompt in orders_of(QUESTION)]
    return spread(logits) / (scale or float(logits[0].abs().max()))


def _texts(models: list[Any], seed: int, scale: str) -> Measurement:
    """The most distinct texts over orders; and of an ordinary prompt, decoded greedily, the fewest."""
    import torch

    def distinct(model: Any, edits: Edits, options: dict[str, Any]) -> int:
        prompter, found = SetPrompter(model, made_tokenizer(), edits=edits), set()
        for prompt in orders_of(QUESTION)[:: 1 if scale in ("full", "paper") else 5]:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                found.add(tuple(map(tuple, prompter.generate_ids(prompter.encode(prompt), **options))))
        return len(found)

    most = max(distinct(model, BOTH, options) for model in models for options in DECODING.values())
    fewest = min(distinct(model, PLAIN, DECODING["greedy"]) for model in models)
    return _exact("one-layout-one-answer", float(most), len(models) * len(DECODING), null=float(fewest), unit="texts")


def _saved(seed: int) -> Measurement:
    from parataxis.errors import BadInput

    model = made_model("gpt2", seed=seed)
    model.config.max_position_embeddings = model.config.n_positions = POSITIONS
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
