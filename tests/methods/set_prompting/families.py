"""The made models of the study as the tests ask them, tokenizers, and a prompt with sets spelled out in loops."""

import copy
import functools
import itertools

import torch
import transformers
from tokenizers import Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE

from parataxis.methods.set_prompting import SetPrompter, made
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.made import QUESTION, SPECIAL, made_model
from parataxis.methods.set_prompting.prompt import Set

FAMILIES = tuple(made.FAMILIES)
BIRDS = QUESTION.sets[0]
spread = made.spread
build = made.build


def orders(count):
    return list(itertools.permutations(range(count)))


# -- models --------------------------------------------------------------------------------------------------------


@functools.cache
def model(family, attention="sdpa", dtype=torch.float32):
    """One model for all tests, which leave it as it is."""
    made = made_model(family, attention)
    return made if dtype is torch.float32 else copy.deepcopy(made).to(dtype)


def token_ids(text):
    """Of a text, or of each of several."""
    return [made.token_ids(each) for each in text] if isinstance(text, tuple) else made.token_ids(text)


def scale(logits):
    return float(logits.abs().max())


def prompter(family="llama", attention="sdpa", **options):
    return SetPrompter(model(family, attention), tokenizer(), **options)


def plain(family="llama", attention="sdpa"):
    return prompter(family, attention, edits=PLAIN)


# -- tokenizers ----------------------------------------------------------------------------------------------------


@functools.cache
def tokenizer(begin=True, end=False):
    """The made one. begin, end: whether a text gets <s> before and </s> after it."""
    own = made.made_tokenizer()
    return own if begin and not end else _finished(Tokenizer.from_str(own.backend_tokenizer.to_str()), begin, end)


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
    bare = Tokenizer(model)
    bare.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bare.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])  # fmt: skip
    return _finished(bare, True, False)


def _finished(bare, begin, end):
    single = " ".join(["<s>"] * begin + ["$A"] + ["</s>"] * end)
    bare.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 1), ("</s>", 2)])
    names = {"unk_token": "<unk>", "eos_token": "</s>", **({"bos_token": "<s>"} if begin else {})}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bare, **names)


# -- the reference -------------------------------------------------------------------------------------------------


def pieces_of(prompt, opening=(1,)):
    """Texts as lists of ids, sets as lists of those; the special tokens before all of it."""
    return [list(opening), *(token_ids(p.members if isinstance(p, Set) else p) for p in prompt.pieces)]


def reference_logits(model, pieces, new=(), window=None):
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
    nothing = torch.zeros(1, 1, len(ids), len(ids), dtype=model.dtype)
    all_of_it, near = (nothing.masked_fill(each, torch.finfo(model.dtype).min) for each in (hidden, hidden | far))
    kinds = getattr(model.config, "layer_types", None) or ()
    both = {"full_attention": all_of_it, "sliding_attention": near}
    with torch.inference_mode():
        out = model(
            input_ids=torch.tensor([ids]),
            attention_mask=both if "sliding_attention" in kinds else near,
            position_ids=position[None],
        )
    return out.logits[0]
