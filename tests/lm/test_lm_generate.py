"""Writing many at once, against a loop that reads the whole text again for every token."""

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE

from parataxis.errors import BadInput
from parataxis.lm.generate import Read, generate

SIZES = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
    "initializer_range": 0.5,
    "bos_token_id": 1,
    "eos_token_id": None,
}
TEXTS = ["a", "which of them flies?", "é owl", "the <s>", "bat or bee"]
NEW = 6


@pytest.fixture(scope="module")
def tokenizer():
    """Bytes, two of them merged; a text begins with <s>, which no decoder writes, and ends with </s>."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<unk>", "<s>", "</s>"]
    made = Tokenizer(BPE({each: n for n, each in enumerate([*special, *letters, "th"])}, [("t", "h")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module", params=[transformers.LlamaConfig, transformers.GPTNeoXConfig])
def model(request, tokenizer):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        config = request.param(**SIZES, vocab_size=len(tokenizer))
        return transformers.AutoModelForCausalLM.from_config(config).eval()


def ids_of(tokenizer, text):
    """With the start's token, once, and without the end's."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids if ids[0] == 1 else [1, *ids]


def loop(model, ids, count=NEW):
    ids = list(ids)
    for _ in range(count):
        with torch.inference_mode():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return tuple(ids[-count:])


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_each_text_is_what_a_loop_without_any_cache_writes(model, tokenizer, batch):
    told = []

    def watch(done, total):
        told.append((done, total))

    found = list(generate(model, tokenizer, TEXTS, max_new_tokens=NEW, batch=batch, watch=watch))
    assert told == [(done, 5) for done in range(1, 6)]
    for text, (written,) in zip(TEXTS, found, strict=True):
        ids = ids_of(tokenizer, text)
        assert written.ids == loop(model, ids)
        assert written.read == len(ids)


def test_the_text_is_of_the_new_tokens_and_nothing_is_cut_by_its_length(model, tokenizer):
    """A prompt's start is not in what is decoded, so that as many characters as it has would be too many."""
    for text in ("<s>which?", "é owl"):
        ((written,),) = generate(model, tokenizer, [text], max_new_tokens=NEW)
        assert written.text == tokenizer.decode(written.ids, skip_special_tokens=True)
        whole = tokenizer.decode([*ids_of(tokenizer, text), *written.ids], skip_special_tokens=True)
        assert whole.endswith(written.text)
    assert whole[len("é owl") :] == written.text
    ((written,),) = generate(model, tokenizer, ["<s>which?"], max_new_tokens=NEW)
    whole = tokenizer.decode([*ids_of(tokenizer, "<s>which?"), *written.ids], skip_special_tokens=True)
    assert whole[len("<s>which?") :] != written.text


def test_what_was_read_before_is_not_read_again(model, tokenizer):
    prompts = []
    for text in TEXTS:
        ids = torch.tensor(ids_of(tokenizer, text))
        with torch.inference_mode():
            cache = model(input_ids=ids[None], use_cache=True).past_key_values
        prompts.append(Read(ids, torch.arange(len(ids)), torch.ones_like(ids), cache))
    shapes = []
    handle = model.register_forward_pre_hook(
        lambda module, args, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    found = list(generate(model, tokenizer, prompts, max_new_tokens=NEW))
    handle.remove()
    assert shapes == [(len(TEXTS), 1)] * NEW
    assert found == list(generate(model, tokenizer, TEXTS, max_new_tokens=NEW))
    assert [each.cache.get_seq_length() for each in prompts] == [len(each.ids) for each in prompts]


def test_each_ends_where_it_ends(model, tokenizer):
    """Those that end before others are padded, which counts as no token."""
    free = [loop(model, ids_of(tokenizer, text)) for text in TEXTS]
    end = free[1][2]
    found = list(generate(model, tokenizer, TEXTS, max_new_tokens=NEW, eos_token_id=end))
    expected = [ids[: ids.index(end) + 1] if end in ids else ids for ids in free]
    assert len(set(map(len, expected))) > 1
    assert [each.ids for (each,) in found] == expected


def test_several_of_each(model, tokenizer):
    found = list(generate(model, tokenizer, TEXTS[:2], max_new_tokens=NEW, num_beams=3, num_return_sequences=2))
    alone = [next(generate(model, tokenizer, [text], max_new_tokens=NEW, num_beams=3, num_return_sequences=2))
             for text in TEXTS[:2]]  # fmt: skip
    assert [len(each) for each in found] == [2, 2]
    assert [[each.ids for each in some] for some in found] == [[each.ids for each in some] for some in alone]


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        (["a"], {"max_new_tokens": 0}, "max_new_tokens=0: expected 1 or more"),
        (["a"], {"attention_mask": 1}, "attention_mask=1: the prompt is in a cache of its own; leave it out"),
    ],
)
def test_what_is_refused(model, tokenizer, prompts, options, message):
    with pytest.raises(BadInput) as refused:
        list(generate(model, tokenizer, prompts, **options))
    assert str(refused.value) == message


def test_an_empty_text_without_a_start_is_refused(model, tokenizer):
    bare = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), eos_token="</s>"
    )
    bare.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    with pytest.raises(BadInput, match=r"^prompt: '' has no tokens$"):
        list(generate(model, bare, [""]))


def test_a_text_may_end_where_the_caller_says(model, tokenizer):
    """The library needs the tokenizer for it; what it pads others with is not written."""
    whole = [each.text for (each,) in generate(model, tokenizer, TEXTS, max_new_tokens=NEW)]
    stop = next(letter for text in whole for letter in text[:-1] if letter.isascii() and letter.isalnum())
    found = [each for (each,) in generate(model, tokenizer, TEXTS, max_new_tokens=NEW, stop_strings=[stop])]
    for text, written in zip(whole, found, strict=True):
        assert text.startswith(written.text)
        assert tokenizer.decode(written.ids, skip_special_tokens=True) == written.text
        assert written.text == text or stop in written.text
    assert any(len(written.ids) < NEW for written in found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_cache": False}, "use_cache=False: the prompt is in a cache of its own"),
        ({"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens=3: .*; write token by token"),
        ({"batch": 0}, "batch=0: expected 1 or more"),
    ],
)
def test_what_would_change_a_greedy_text_is_refused(model, tokenizer, options, said):
    with pytest.raises(BadInput, match=said):
        list(generate(model, tokenizer, TEXTS, **options))
