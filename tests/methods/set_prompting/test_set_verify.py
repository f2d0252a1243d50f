"""`verify` catches a model that does not keep to the mask or the positions; the traps that make a good one such."""

from dataclasses import replace

import pytest
import torch
from families import FAMILIES, QUESTION, model, prompter, tokenizer

from parataxis.methods.set_prompting import OrderDependentError, Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import Edits

ENGINES = ("auto", "mask", "kv")
# Its canonical layout is the given order reversed: comparing these two alone would compare nothing.
BACKWARDS = SetPrompt("Which? ", Set(["the owl", "c", "ab", "a"][::-1]), "Answer:")


def spoiled(monkeypatch, change, attention="sdpa"):
    """A model whose forward pass gets other arguments than it was called with."""
    made = model("llama", attention)
    whole = made.forward

    def forward(input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, **options):
        given = {"attention_mask": attention_mask, "position_ids": position_ids}
        return whole(input_ids=input_ids, past_key_values=past_key_values, **change(given), **options)

    monkeypatch.setattr(made, "forward", forward)
    return made


def no_mask(given):
    """As one that takes padding masks only."""
    mask = given["attention_mask"]
    return {**given, "attention_mask": mask if torch.is_tensor(mask) and mask.ndim == 2 else None}


def no_positions(given):
    return {**given, "position_ids": None}


def packed(given):
    """Repeated positions without a mask are silently taken for several texts."""
    return {**given, "attention_mask": None}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("prompt", "change"), [(QUESTION, no_mask), (BACKWARDS, no_mask), (BACKWARDS, no_positions), (QUESTION, packed)]
)
def test_a_model_that_ignores_them_is_caught(monkeypatch, prompt, change, engine):
    ask = SetPrompter(spoiled(monkeypatch, change), tokenizer(), engine=engine, verify=True)
    for question in (ask.logits, ask.generate, lambda each: list(ask.logits_many([each]))):
        with pytest.raises(
            OrderDependentError, match=r"^another order moves the logits by .* LlamaForCausalLM with attn_"
        ):
            question(prompt)


@pytest.mark.parametrize(("family", "engine"), list(zip(FAMILIES, ENGINES * 3, strict=False)))
def test_a_good_model_passes(family, engine):
    for prompt in (QUESTION, BACKWARDS, SetPrompt("No set.")):
        assert torch.equal(
            prompter(family, engine=engine, verify=True).logits(prompt), prompter(family, engine=engine).logits(prompt)
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_in_other_precisions_too(dtype):
    SetPrompter(model("llama", dtype=dtype), tokenizer(), verify=True).logits(QUESTION)


def test_an_ablation_is_no_set():
    for edits in (Edits(positions=False), Edits(attention=False)):
        with pytest.raises(OrderDependentError, match=r"Edits\(positions="):
            prompter(edits=edits, verify=True).logits(QUESTION)
    prompter(edits=Edits(padded=True), verify=True).logits(QUESTION)


# -- traps ---------------------------------------------------------------------------------------------------------


def boolean(given):
    mask = given["attention_mask"]
    return {**given, "attention_mask": mask == 0 if torch.is_tensor(mask) and mask.ndim == 4 else mask}


def test_a_boolean_mask_is_right_for_sdpa_and_wrong_for_eager(monkeypatch):
    with monkeypatch.context() as patch:
        SetPrompter(spoiled(patch, boolean), tokenizer(), verify=True).logits(QUESTION)
    with pytest.raises(OrderDependentError):
        SetPrompter(spoiled(monkeypatch, boolean, "eager"), tokenizer(), verify=True).logits(QUESTION)


def test_a_difference_to_nan_is_no_small_difference(monkeypatch):
    ask = prompter(engine="mask", verify=True)
    state = ask.encode(QUESTION)
    monkeypatch.setattr(ask.pieces, "read", lambda layout: replace(state, logits=state.logits * torch.nan))
    with pytest.raises(OrderDependentError):
        ask.logits(QUESTION)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_model_always_gets_a_mask_and_positions(engine):
    ask = prompter(engine=engine)
    calls = []
    handle = ask.model.register_forward_pre_hook(lambda module, args, given: calls.append(given), with_kwargs=True)
    try:
        ask.generate(QUESTION)
        ask.score(QUESTION, ["ab", "the owl"])
        ask.score(QUESTION, ["ab", "the owl"], "paper")
    finally:
        handle.remove()
    assert len(calls) > 15
    for given in calls:
        mask = given.get("attention_mask")  # which `generate`, that reads a token at a time, drops if it hides nothing
        assert mask is not None or given["position_ids"].shape == (1, 1)
        assert mask is None or mask.dtype is not torch.bool
