"""Models that can't be asked with sets are refused by name, in one line."""

import pytest
import torch
import transformers
from families import QUESTION, build, model, prompter, scale, spread, tokenizer
from transformers import AttentionInterface, AttentionMaskInterface

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN, Edits
from parataxis.methods.set_prompting.made import USUAL
from parataxis.methods.set_prompting.support import abilities

TINY = {"vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 2}
PLACES = ", which counts places and not position ids; a model that heeds position ids is needed"
LAYERS = " layers, which can't be told what to see; a model of full attention is needed"

UNFIT = [
    (transformers.BloomConfig(vocab_size=16, hidden_size=16, n_layer=1, n_head=2), f"has ALiBi{PLACES}"),
    (transformers.MptConfig(vocab_size=16, d_model=16, n_layers=1, n_heads=2), f"has ALiBi{PLACES}"),
    (transformers.FalconConfig(**TINY, num_attention_heads=2, alibi=True), f"has ALiBi{PLACES}"),
    (transformers.GPTNeoConfig(**USUAL, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]]),
     f"has a local attention{PLACES}"),
    (transformers.T5Config(vocab_size=16, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2),
     "is an encoder-decoder; a causal language model is needed"),
    (transformers.BertConfig(**TINY, num_attention_heads=2, intermediate_size=16),
     "reads in both directions (is_decoder=False); a causal language model is needed"),
    (transformers.MambaConfig(**TINY, state_size=4), f"has linear{LAYERS}"),
    (transformers.RwkvConfig(**TINY, attention_hidden_size=16), f"has recurrent{LAYERS}"),
    (transformers.FalconH1Config(**USUAL, mamba_d_ssm=16, mamba_n_heads=2, mamba_d_head=8), f"has hybrid{LAYERS}"),
    (transformers.Lfm2Config(**{**USUAL, "layer_types": ["conv", "full_attention"]}), f"has conv{LAYERS}"),
    (transformers.Qwen3NextConfig(**{**USUAL, "layer_types": ["linear_attention", "full_attention"]}),
     f"has linear{LAYERS}"),
    (transformers.Llama4TextConfig(**{**USUAL, "head_dim": 8, "layer_types": ["chunked_attention"] * 2}),
     f"has chunked{LAYERS}"),
    (transformers.BartConfig(vocab_size=16, d_model=16, is_decoder=True, is_encoder_decoder=False),
     "takes no position_ids; a model that takes them is needed"),
    (transformers.OpenAIGPTConfig(vocab_size=16, n_embd=16, n_layer=1, n_head=2),
     "takes no past_key_values; a model that takes them is needed"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "why"), UNFIT, ids=[config.model_type for config, _ in UNFIT])
def test_a_model_that_cannot_work_is_refused(config, why):
    with torch.device("meta"):
        kind = transformers.T5ForConditionalGeneration if config.is_encoder_decoder else None
        made = kind(config) if kind else transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(BadInput) as refused:
        SetPrompter(made.eval(), tokenizer())
    assert str(refused.value) == f"model {type(made).__name__}: {why}"


def test_a_model_in_training_is_refused():
    made = build("gpt2").train()
    with pytest.raises(BadInput, match=r"^model GPT2LMHeadModel: is being trained, .*; call model.eval\(\)$"):
        SetPrompter(made, tokenizer())


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4, "original_max_position_embeddings": 64},
        {
            "rope_type": "longrope",
            "factor": 4.0,
            "rope_theta": 1e4,
            "original_max_position_embeddings": 64,
            "short_factor": [1.0] * 4,
            "long_factor": [2.0] * 4,
        },
    ],
    ids=["dynamic", "longrope"],
)
@pytest.mark.parametrize("engine", ["mask", "kv"])
def test_frequencies_that_depend_on_the_length(rope, engine):
    """Safe while the prompt, and what is written, keep to the length at which they begin to."""
    ask = SetPrompter(build("llama", rope_parameters=rope), tokenizer(), engine=engine, align="end")
    used = ask.lay_out(QUESTION).next_position
    room = 64 - used + 1
    assert len(ask.generate_ids(ask.encode(QUESTION), max_new_tokens=room)[0]) == room
    refused = (
        r"^prompt: needs 65 positions; beyond 64 the model's rotary frequencies depend on the length, "
        r"and its answer on the order; shorten it$"
    )
    with pytest.raises(BadInput, match=refused):
        ask.generate(QUESTION, max_new_tokens=room + 1)
    with pytest.raises(BadInput, match=refused):
        ask.score(QUESTION, ["a" * (room + 1)])


def test_an_attention_that_takes_no_mask_of_ours_reads_by_pieces(monkeypatch):
    """As flash attention, which needs a machine of its own."""
    AttentionInterface.register("rows_only", _rows_only)
    AttentionMaskInterface.register("rows_only", transformers.masking_utils.sdpa_mask)
    made = build("llama", "rows_only")
    ask = SetPrompter(made, tokenizer(), verify=True)
    expected = prompter().logits(QUESTION)
    assert spread([expected, ask.logits(QUESTION), *ask.logits_many([QUESTION])]) <= 2e-6 * scale(expected)
    with pytest.raises(BadInput) as refused:
        SetPrompter(made, tokenizer(), engine="mask")
    assert str(refused.value) == "engine='mask': attn_implementation='rows_only' takes no mask of ours; pass 'kv'"
    for edits in (PLAIN, Edits(padded=True)):
        with pytest.raises(BadInput, match=r"^prompt: attn_implementation='rows_only' can't read padding, .*'sdpa'$"):
            SetPrompter(made, tokenizer(), edits=edits).logits(QUESTION)


def _rows_only(module, query, key, value, attention_mask, **options):
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    assert attention_mask is None or attention_mask.dtype is torch.bool, "a mask of ours"
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def test_what_a_model_can_do():
    able = abilities(model("gemma3_text"))
    assert (able.kinds, able.window, able.most) == (("sliding_attention", "full_attention"), 4096, 256)
    assert abilities(model("mistral")).window is None
    assert abilities(model("qwen2")).kinds is None
    assert abilities(model("gpt2")).most == 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "sorted"}, "layout='sorted': expected one of canonical, given"),
        ({"engine": "fast"}, "engine='fast': expected one of auto, mask, kv"),
        ({"duplicates": "no"}, "duplicates='no': expected one of keep, drop, error"),
        ({"align": "left"}, "align='left': expected one of start, end"),
    ],
)
def test_unknown_options(options, message):
    import jaxtyping

    # A type checker, where there is one, is before us.
    with pytest.raises((BadInput, jaxtyping.TypeCheckError)) as refused:
        prompter(**options)
    assert isinstance(refused.value, jaxtyping.TypeCheckError) or str(refused.value) == message
