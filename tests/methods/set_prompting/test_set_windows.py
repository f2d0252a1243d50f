"""Models that look back only so far: the window counts positions, and what would count places is refused."""

import pytest
import torch
from families import build, orders, pieces_of, reference_logits, scale, spread, token_ids, tokenizer

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter

WINDOW = 9
PROMPT = SetPrompt(
    "Which of them?\n", Set(["a bee\n", "the owl in the barn\n", "bat\n"]), "So:"
)  # the window begins inside of the set
SLIDING = {
    "gemma3_text": {},
    "mistral": {},
    "qwen2": {"use_sliding_window": True, "layer_types": ["full_attention", "sliding_attention"]},
}


@pytest.fixture(scope="module", params=[(family, attention) for family in SLIDING for attention in ("eager", "sdpa")])
def sliding(request):
    family, attention = request.param
    return build(family, attention, sliding_window=WINDOW, **SLIDING[family])


@pytest.mark.parametrize("engine", ["auto", "mask", "kv"])
def test_every_order_gives_what_the_definition_gives(sliding, engine):
    ask = SetPrompter(sliding, tokenizer(), engine=engine, layout="given")
    expected = reference_logits(sliding, pieces_of(PROMPT), window=WINDOW)[-1]
    assert spread([expected, *(ask.logits(PROMPT.ordered(order)) for order in orders(3))]) <= 1e-5 * scale(expected)
    everything = reference_logits(sliding, pieces_of(PROMPT))[-1]
    assert spread([expected, everything]) > 1e-3, "the window must make a difference"


def test_an_ordinary_prompt_is_the_models_own(sliding):
    from parataxis.methods.set_prompting.layout import PLAIN

    ask = SetPrompter(sliding, tokenizer(), edits=PLAIN)
    state = ask.encode(PROMPT)
    with torch.inference_mode():
        ordinary = sliding(input_ids=state.layout.ids[None]).logits[0, -1]
    assert spread([ordinary, state.logits]) <= 2e-6 * scale(ordinary)


@pytest.mark.parametrize("scoring", ["sum", "paper"])
def test_scores_are_what_the_definition_gives(sliding, scoring):
    ask = SetPrompter(sliding, tokenizer(), layout="given")
    candidates = ["bat", "the owl", "a"]
    found = torch.stack([ask.score(PROMPT.ordered(order), candidates, scoring) for order in orders(3)[::2]])
    new, steps = [], []
    for _ in range(5):
        steps.append(reference_logits(sliding, pieces_of(PROMPT), new, WINDOW)[-1])
        new.append(int(steps[-1].argmax()))
    for place, row in enumerate(map(token_ids, candidates)):
        logits = reference_logits(sliding, pieces_of(PROMPT), row, WINDOW)[-len(row) - 1 : -1]
        forced = torch.log_softmax(logits, -1)[range(len(row)), row].sum()
        expected = forced if scoring == "sum" else torch.stack(steps)[range(len(row)), row].mean()
        assert float((found[:, place] - expected).abs().max()) <= 1e-5 * max(1.0, abs(float(expected)))


def test_many_prompts_are_as_each_alone(sliding):
    ask = SetPrompter(sliding, tokenizer())
    prompts = [PROMPT, SetPrompt("Or: ", Set(["ab", "the"]), "?"), SetPrompt("Which one?")]
    for prompt, logits in zip(prompts, ask.logits_many(prompts), strict=True):
        assert spread([ask.logits(prompt), logits]) <= 1e-5 * scale(logits)


def test_one_prompt_in_many_orders_is_as_each_alone(sliding):
    """They share the reading of their beginning, of which the window hides some."""
    ask = SetPrompter(sliding, tokenizer(), layout="given")
    questions = [(PROMPT.ordered(order), ["bat"]) for order in orders(3)[::2]]
    for (prompt, candidates), found in zip(questions, ask.score_many(questions), strict=True):
        expected = ask.score_after(ask.encode(prompt), candidates)
        assert spread([expected, found]) <= 1e-5 * scale(expected)


def test_generate_is_refused_by_name(sliding):
    with pytest.raises(BadInput) as refused:
        SetPrompter(sliding, tokenizer()).generate(PROMPT)
    assert str(refused.value) == (
        "prompt: 43 and 10 tokens are more than the model's window of 9, which `generate` counts by place; "
        "shorten it, or use logits or score"
    )
    with pytest.raises(BadInput, match=r"^cache_items: not for .* a prompt longer than the model's window$"):
        SetPrompter(sliding, tokenizer()).cache_items(PROMPT)


@pytest.mark.parametrize("family", SLIDING)
def test_within_the_window_all_works(family):
    made = build(family, sliding_window=64, **SLIDING[family])
    ask = SetPrompter(made, tokenizer(), engine="kv", layout="given")
    room = 64 - len(ask.lay_out(PROMPT)) + 1
    texts = {str(ask.generate(PROMPT.ordered(order), max_new_tokens=room)) for order in orders(3)}
    new = []
    for _ in range(room):
        new.append(int(reference_logits(made, pieces_of(PROMPT), new)[-1].argmax()))
    assert texts == {str(ask.tokenizer.batch_decode([new], skip_special_tokens=True))}
    with pytest.raises(BadInput, match="more than the model's window of 64"):
        ask.generate(PROMPT, max_new_tokens=room + 1)
