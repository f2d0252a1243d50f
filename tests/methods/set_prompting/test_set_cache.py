"""Documents read once: any of them, in any order, give what reading all anew gives, and are not read again."""

import pytest
import torch
from families import FAMILIES, QUESTION, model, orders, prompter, scale, spread, tokenizer

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN, Edits

DOCUMENTS = ("One bee.\n", "Two owls, and the barn.\n", "Three bats.\n", "ab heron\n")
BEFORE, AFTER = "Read: ", "Answer:"


def prompt(*chosen, after=AFTER):
    return SetPrompt(BEFORE, Set([DOCUMENTS[i] for i in chosen]), after)


@pytest.fixture
def tokens_read():
    """How many tokens the model was given, row by row, in each call."""
    made, read = model("llama"), []
    handle = made.register_forward_pre_hook(
        lambda module, args, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    yield read
    handle.remove()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["given", "canonical"])
def test_any_order_and_subset_is_as_if_read_anew(family, layout):
    ask = prompter(family, layout=layout)
    ask.cache_items(prompt(0, 1, 2, 3))
    cold = prompter(family, layout="given", engine="mask")
    for chosen in [*orders(4)[::9], (1, 3), (3, 1), (2, 0, 0)]:
        expected = cold.logits(prompt(*chosen))
        assert spread([expected, ask.logits(prompt(*chosen))]) <= 2e-6 * scale(expected)


def test_what_was_kept_is_not_read_again(tokens_read):
    ask = prompter()
    suffix = len(ask.tokenize(AFTER))
    before = len(ask.tokenize(BEFORE, first=True))
    ask.cache_items(prompt(0, 1))
    assert [rows for rows, _ in tokens_read] == [1, 2, 1]
    ask.cache_items(prompt(2, 1))  # adds to what is there
    tokens_read.clear()
    ask.logits(prompt(2, 0, 1))
    assert tokens_read == [(1, suffix)]
    tokens_read.clear()
    ask.logits(prompt(3, 0, after=AFTER * 2))  # one that was not kept: it alone is read
    assert tokens_read == [(1, len(ask.tokenize(DOCUMENTS[3]))), (1, len(ask.tokenize(AFTER * 2)))]
    tokens_read.clear()
    ask.forget_items()
    ask.logits(prompt(0, 1))
    assert tokens_read == [(1, before + len(ask.tokenize(DOCUMENTS[0] + DOCUMENTS[1])) + suffix)]


def test_after_another_beginning_nothing_kept_is_used(tokens_read):
    ask = prompter()
    ask.cache_items(prompt(0, 1))
    tokens_read.clear()
    other = SetPrompt("Rate: ", Set(DOCUMENTS[:2]), AFTER)
    assert torch.equal(ask.logits(other), prompter().logits(other))
    assert {rows for rows, _ in tokens_read} == {1}


@pytest.mark.parametrize("edits", [Edits(), Edits(positions=False)])
def test_the_same_texts_in_other_sets_are_not_taken_for_each_other(edits):
    """Two sets of one member, or one of two: what stands after may differ, however alike the tokens are."""
    ask = prompter(engine="kv", edits=edits)
    together = SetPrompt("x", Set(["ab", "the"]), "y", Set(["c", "d"]), "z")
    apart = SetPrompt("x", Set(["ab"]), Set(["the"]), "y", Set(["c", "d"]), "z")
    ask.cache_items(together)
    with pytest.warns(UserWarning, match="one member"):
        found = ask.logits(apart)
    with pytest.warns(UserWarning, match="one member"):
        expected = prompter(engine="mask", edits=edits).logits(apart)
    assert spread([expected, found]) <= 2e-6 * scale(expected)


def test_the_cache_of_an_answer_is_its_own():
    """Neither generating nor scoring changes what was kept, or what was read."""
    ask = prompter()
    ask.cache_items(prompt(0, 1, 2))
    state = ask.encode(prompt(0, 1, 2))
    kept = [layer.keys.clone() for layer in state.cache.layers]
    first = (ask.generate_ids(state), ask.score(prompt(0, 1, 2), ["ab", "the owl"]).tolist())
    again = (
        ask.generate_ids(state, num_beams=2),
        ask.generate_ids(state),
        ask.score(prompt(0, 1, 2), ["ab", "the owl"]).tolist(),
    )
    assert again[1:] == first
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(state.cache.layers, kept, strict=True))


def test_half_precision():
    made = model("llama", dtype=torch.bfloat16)
    ask = SetPrompter(made, tokenizer())
    ask.cache_items(prompt(0, 1, 2, 3))
    expected = SetPrompter(made, tokenizer(), engine="mask").logits(prompt(3, 1)).float()
    assert spread([expected, ask.logits(prompt(1, 3)).float()]) <= 0.05 * scale(expected)


@pytest.mark.parametrize("edits", [PLAIN, Edits(attention=False), Edits(padded=True)])
def test_what_is_read_in_one_pass_cannot_be_kept(edits):
    with pytest.raises(
        BadInput, match=r"^cache_items: not for padding, the mask left unedited, or a prompt longer than"
    ):
        prompter(edits=edits).cache_items(QUESTION)


def test_shorter_members_at_the_end_of_the_positions():
    """Their pads, which are dropped, must not ask for positions that are not there."""
    ask = prompter("gpt2", engine="kv", align="end")
    long = SetPrompt("x" * 225, Set(["ab", "the" * 17]), "y" * 3)
    assert ask.lay_out(long).next_position == 1 + 225 + 17 + 3
    expected = prompter("gpt2", engine="mask", align="end").logits(long)
    assert spread([expected, ask.logits(long)]) <= 2e-6 * scale(expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", [1000, 7])
def test_a_long_prompt_read_in_parts_is_as_if_read_at_once(family, part, monkeypatch):
    monkeypatch.setattr("parataxis.methods.set_prompting.engines.PART", part)
    ask, pieces = (prompter(family, layout="given", engine=engine) for engine in ("mask", "kv"))
    for each in (prompt(0, 1, 2), prompt(2, 1, 0)):
        found, expected = ask.encode(each), pieces.encode(each)
        assert spread([expected.logits, found.logits]) <= 2e-6 * scale(expected.logits)
        assert found.cache.get_seq_length() == len(found.layout)


def test_a_long_prompt_is_read_in_parts_of_about_a_size(tokens_read, monkeypatch):
    monkeypatch.setattr("parataxis.methods.set_prompting.engines.PART", 10)
    ask = prompter(engine="mask")
    layout = ask.encode(prompt(0, 1, 2, 3)).layout
    assert sum(tokens for _, tokens in tokens_read) == len(layout)
    assert len(tokens_read) == round(len(layout) / 10)
    assert max(tokens_read)[1] - min(tokens_read)[1] <= 1
