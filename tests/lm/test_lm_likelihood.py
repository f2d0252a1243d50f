"""The likelihood of continuations, against one pass a continuation over the whole text."""

import itertools

import pytest
import torch
import transformers

from parataxis.lm.likelihood import clone, continuation_log_probs, mean, total

PROMPT = [3, 1, 4, 1, 5]
CONTINUATIONS = [[9, 2, 6], [5], [3, 5, 8, 9], [9, 2], [5]]
SIZES = {
    "vocab_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "initializer_range": 0.5,
}


@pytest.fixture(scope="module", params=[transformers.LlamaConfig, transformers.GPTNeoXConfig])
def model(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = request.param(**SIZES, intermediate_size=16, max_position_embeddings=32)
        return transformers.AutoModelForCausalLM.from_config(config).eval()


def read(model, pads=0):
    """A prompt, with padding before it that nobody sees."""
    seen = torch.tensor([0] * pads + [1] * len(PROMPT))
    with torch.inference_mode():
        out = model(
            input_ids=torch.tensor([[7] * pads + PROMPT]),
            attention_mask=seen[None],
            position_ids=torch.tensor([[0] * pads + list(range(len(PROMPT)))]),
            use_cache=True,
        )
    return out.past_key_values, out.logits[0, -1], seen


def log_probs(model, continuations, pads=0):
    cache, logits, seen = read(model, pads)
    return continuation_log_probs(model, cache, logits, seen, len(PROMPT), continuations)


def brute_force(model, row):
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([PROMPT + row])).logits[0, len(PROMPT) - 1 : -1]
    return torch.log_softmax(logits, -1)[range(len(row)), row]


@pytest.mark.parametrize("pads", [0, 3])
def test_each_is_what_a_pass_of_its_own_gives(model, pads):
    found = log_probs(model, CONTINUATIONS, pads)
    for each, row in zip(found, CONTINUATIONS, strict=True):
        torch.testing.assert_close(each, brute_force(model, row), rtol=0, atol=1e-5)
    torch.testing.assert_close(total(found), torch.stack([brute_force(model, row).sum() for row in CONTINUATIONS]))
    torch.testing.assert_close(mean(found), torch.stack([brute_force(model, row).mean() for row in CONTINUATIONS]))


def test_all_continuations_of_a_length_are_a_distribution(model):
    rows = [list(row) for row in itertools.product(range(16), repeat=2)]
    assert float(total(log_probs(model, rows)).exp().sum()) == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_others_changes_no_bit(model):
    found = log_probs(model, CONTINUATIONS)
    for order in itertools.islice(itertools.permutations(range(5)), 0, None, 23):
        other = log_probs(model, [CONTINUATIONS[i] for i in order])
        assert all(torch.equal(each, found[i]) for each, i in zip(other, order, strict=True))


def test_the_cache_is_left_as_it_was(model):
    cache, logits, seen = read(model)
    keys = [layer.keys for layer in cache.layers]
    copies = [each.clone() for each in keys]
    continuation_log_probs(model, cache, logits, seen, len(PROMPT), CONTINUATIONS)
    assert all(layer.keys is each for layer, each in zip(cache.layers, keys, strict=True))
    assert all(torch.equal(each, copy) for each, copy in zip(keys, copies, strict=True))


def test_a_clone_shares_tensors_and_no_layer(model):
    cache, *_ = read(model)
    own = clone(cache)
    assert own.layers[0].keys is cache.layers[0].keys
    own.crop(-2)
    assert (own.get_seq_length(), cache.get_seq_length()) == (3, 5)


def test_tokens_alone_need_no_pass(model):
    cache, logits, seen = read(model)
    found = continuation_log_probs(None, cache, logits, seen, len(PROMPT), [[2], [7]])
    assert torch.equal(total(found), torch.log_softmax(logits, -1)[[2, 7]])


def test_half_precision_is_summed_in_full(model):
    assert log_probs(model.bfloat16(), CONTINUATIONS)[0].dtype == torch.float32
    model.float()
