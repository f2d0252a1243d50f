"""Tiny random models of seven families, tiny tokenizers, and what a prompt with sets is, spelled out in loops."""

import functools
import itertools

import torch
import transformers
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN

SPECIAL = ("<unk>", "<s>", "</s>")
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
# "ab" and "th" are tokens, so that texts joined before they are tokenised give other tokens than texts joined after.
MERGES = [("a", "b"), ("t", "h"), ("th", "e")]
VOCABULARY = 384

SIZES = {"vocab_size": VOCABULARY, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2}
USUAL = {
    **SIZES,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "layer_types": ["sliding_attention", "full_attention"]}
CONFIGS = {
    "llama": (transformers.LlamaConfig, USUAL),
    "mistral": (transformers.MistralConfig, {**USUAL, "sliding_window": None}),
    "qwen2": (transformers.Qwen2Config, USUAL),
    "qwen3": (transformers.Qwen3Config, {**USUAL, "head_dim": 8}),
    "gemma3": (transformers.Gemma3TextConfig, {**USUAL, **GEMMA}),
    "gpt2": (transformers.GPT2Config, {**SIZES, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    "gpt_neox": (transformers.GPTNeoXConfig, {**USUAL, "rotary_pct": 0.5}),
}
FAMILIES = tuple(CONFIGS)

BIRDS = Set(["a bee\n", "the owl in the barn\n", "bat\n", "ab heron\n"])
QUESTION = SetPrompt("Which of them flies?\n", BIRDS, "Answer:")


def orders(count):
    return list(itertools.permutations(range(count)))


# -- models --------------------------------------------------------------------------------------------------------


def model(family, attention="sdpa", dtype=torch.float32):
    """One model for all tests, which leave it as it is. Its attention is not flat: the order matters to it."""
    return _model(family, attention, dtype)


@functools.cache
def _model(family, attention, dtype):
    return build(family, attention).to(dtype)


def build(family, attention="sdpa", **settings):
    config_class, usual = CONFIGS[family]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = config_class(**{**usual, **settings})
        made = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    weights = [weight for weight in made.parameters() if weight.ndim > 1]
    for factor in (4, *[1.25] * 12):
        for weight in weights:
            weight.data.mul_(factor)
        if moved_by_order(made) > 0.15:
            return made
    raise AssertionError(f"{family}: the order moves the logits by {moved_by_order(made)} only")


def moved_by_order(made):
    """How far the order moves the logits of ordinary prompting, absolutely and in units of their scale; the less."""
    before, members, after = [token_ids(text) for text in (QUESTION.pieces[0], BIRDS.members, QUESTION.pieces[2])]
    rows = [
        [*before, *(token for place in order for token in members[place]), *after]
        for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1))
    ]
    with torch.inference_mode():
        found = made(input_ids=torch.tensor(rows)).logits[:, -1]
    return spread(found) / max(1.0, scale(found))


def token_ids(text):
    """Of a text, or of each of several."""
    if isinstance(text, tuple):
        return [token_ids(each) for each in text]
    return tokenizer()(text, add_special_tokens=False)["input_ids"]


def spread(logits):
    """The largest difference to the first."""
    return max(float((each - logits[0]).abs().max()) for each in logits)


def scale(logits):
    return float(logits.abs().max())


def prompter(family="llama", attention="sdpa", **options):
    return SetPrompter(model(family, attention), tokenizer(), **options)


def plain(family="llama", attention="sdpa"):
    return prompter(family, attention, edits=PLAIN)


# -- tokenizers ----------------------------------------------------------------------------------------------------


@functools.cache
def tokenizer(begin=True, end=False):
    """Bytes, some of them merged. begin, end: whether a text gets <s> before and </s> after it."""
    vocabulary = [*SPECIAL, *LETTERS, *("".join(pair) for pair in MERGES)]
    made = Tokenizer(BPE({token: number for number, token in enumerate(vocabulary)}, MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return _finished(made, begin, end)


@functools.cache
def spacing_tokenizer():
    """As sentencepiece's of Llama 2: a space stands before whatever it is given."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["▁", *(chr(code) for code in range(33, 127) if chr(code) not in "<>")]
    vocabulary = [*SPECIAL, *pieces, *letters, "▁a", "ab", "▁▁"]
    model = BPE(
        {token: number for number, token in enumerate(vocabulary)},
        [("▁", "a"), ("a", "b"), ("▁", "▁")],
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    made = Tokenizer(model)
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])  # fmt: skip
    return _finished(made, True, False)


def _finished(made, begin, end):
    single = " ".join(["<s>"] * begin + ["$A"] + ["</s>"] * end)
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 1), ("</s>", 2)])
    names = {"unk_token": "<unk>", "eos_token": "</s>", **({"bos_token": "<s>"} if begin else {})}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names)


# -- the reference -------------------------------------------------------------------------------------------------


def pieces_of(prompt, opening=(1,)):
    """Texts as lists of ids, sets as lists of those; the special tokens before all of it."""
    return [list(opening), *(token_ids(p.members if isinstance(p, Set) else p) for p in prompt.pieces)]


def reference_logits(made, pieces, new=(), window=None):
    """All logits of one pass over the tokens, and nothing cached: the two edits by their definition."""
    ids, positions, pieces_of_ids, members, at = [], [], [], [], 0
    for number, piece in enumerate([*pieces, list(new)]):
        rows = piece if piece and isinstance(piece[0], list) else [piece]
        for member, row in enumerate(rows):
            ids += row
            positions += [at + step for step in range(len(row))]
            pieces_of_ids += [number] * len(row)
            members += [member] * len(row)
        at += max(map(len, rows))
    place, position, piece, member = map(torch.tensor, (range(len(ids)), positions, pieces_of_ids, members))
    hidden = place[:, None] < place
    hidden |= (piece[:, None] == piece) & (member[:, None] != member)
    far = position[:, None] - position >= (window or len(ids))
    nothing = torch.zeros(1, 1, len(ids), len(ids), dtype=made.dtype)
    all_of_it, near = (nothing.masked_fill(each, torch.finfo(made.dtype).min) for each in (hidden, hidden | far))
    kinds = getattr(made.config, "layer_types", None) or ()
    both = {"full_attention": all_of_it, "sliding_attention": near}
    with torch.inference_mode():
        out = made(
            input_ids=torch.tensor([ids]),
            attention_mask=both if "sliding_attention" in kinds else near,
            position_ids=position[None],
        )
    return out.logits[0]
