"""Made models of seven families and a made tokenizer: what the study proves the symmetry on, and where it is broken.

Their weights are drawn, then scaled until the order of an ordinary prompt moves the logits: where attention is nearly
flat, nothing would depend on the order, and a test of it would show nothing.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.methods.set_prompting.prompt import Set, SetPrompt

SPECIAL = ("<unk>", "<s>", "</s>")
# "ab" and "the" are tokens: texts joined before they are tokenised give other tokens than texts joined after.
MERGES = [("a", "b"), ("t", "h"), ("th", "e")]
SIZES = {"vocab_size": 384, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2}
USUAL = {
    **SIZES,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": USUAL,
    "mistral": {**USUAL, "sliding_window": None},
    "qwen2": USUAL,
    "qwen3": {**USUAL, "head_dim": 8},
    "gemma3_text": {**USUAL, **GEMMA},
    "gpt2": {**SIZES, "n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": {**USUAL, "rotary_pct": 0.5},
}
MOVED = 0.2  # by the order of an ordinary prompt, in units of the logits' scale or of 1
FACTORS = (4.0, *[1.25] * 20)  # by which drawn weights are multiplied, one after the other, until it is
DRAWS, SEEDS = 10, 1_000  # of weights, if none of the factors will do; how many seeds are told apart

QUESTION = SetPrompt(
    "Which of them flies?\n", Set(["a bee\n", "the owl in the barn\n", "bat\n", "ab heron\n"]), "Answer:"
)


def orders_of(prompt: SetPrompt) -> list[SetPrompt]:
    """The prompt with its first set in every order, the given one first."""
    return [prompt.ordered(order) for order in itertools.permutations(range(len(prompt.sets[0].members)))]


def spread(logits: Sequence[Float[Tensor, " vocabulary"]]) -> float:
    """The largest difference between any two."""
    table = torch.stack(list(logits))
    return float((table.amax(0) - table.amin(0)).max())


@functools.cache
def made_model(family: str, attention: str = "sdpa", seed: int = 0) -> Any:
    """A small model of a family of transformers. The same one for all who ask, who leave it as it is."""
    return build(family, attention, seed)


def build(family: str, attention: str = "sdpa", seed: int = 0, **settings: Any) -> Any:
    """One of one's own; settings: of its configuration, in place of the usual ones."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **{**FAMILIES[family], **settings})
    for draw in range(DRAWS):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + draw * SEEDS)
            model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
        weights = [weight for weight in model.parameters() if weight.ndim > 1]
        for factor in FACTORS:
            for weight in weights:
                weight.data.mul_(factor)
            if moved_by_order(model) > MOVED:
                return model
    raise AssertionError(f"{family}: the order of an ordinary prompt does not move the logits")


def moved_by_order(model: Any) -> float:
    """How far the order of three ordinary prompts moves the logits, absolutely or in units of their scale: the less."""
    rows = []
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
        pieces = QUESTION.ordered(order).pieces
        texts = [text for piece in pieces for text in (piece.members if isinstance(piece, Set) else (piece,))]
        rows.append([token for text in texts for token in token_ids(text)])
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor(rows), use_cache=False, logits_to_keep=1).logits[:, -1]
    return spread(list(logits)) / max(1.0, float(logits.abs().max()))


def token_ids(text: str) -> list[int]:
    return list(made_tokenizer()(text, add_special_tokens=False)["input_ids"])


@functools.cache
def made_tokenizer() -> Any:
    """Bytes, some of them merged; a prompt begins with <s>."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [*SPECIAL, *letters, *("".join(pair) for pair in MERGES)]
    made = Tokenizer(BPE({token: number for number, token in enumerate(vocabulary)}, MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
