"""Each piece is tokenised alone: the special tokens of a start once, those of an end never, and no space in between."""

import pytest
import torch
from families import QUESTION, model, prompter, spacing_tokenizer, token_ids, tokenizer

from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter

# Joined before they are tokenised, "a" and "b" are one token.
PROMPT = SetPrompt("Which? xa", Set(["b a", "b\n", "\nthe"]), " Answer:")


def laid_out(made, prompt=PROMPT):
    return SetPrompter(model("llama"), made, layout="given").lay_out(prompt)


@pytest.mark.parametrize("made", [tokenizer(), tokenizer(begin=False), tokenizer(end=True), spacing_tokenizer()])
def test_the_pieces_together_are_the_text(made):
    layout = laid_out(made)
    ids = layout.ids.tolist()
    assert made.decode(ids, skip_special_tokens=True).removeprefix(" ") == PROMPT.plain()
    assert ids.count(1) == (made.bos_token is not None)
    assert 2 not in ids
    assert ids != made(PROMPT.plain())["input_ids"]
    assert len(layout.members) == 3


def test_a_piece_has_its_own_tokens():
    before, members, after = token_ids(PROMPT.pieces[0]), token_ids(PROMPT.sets[0].members), token_ids(PROMPT.pieces[2])
    assert laid_out(tokenizer()).ids.tolist() == [1, *before, *members[0], *members[1], *members[2], *after]


def test_the_start_may_be_in_the_text_already():
    """As chat templates write it."""
    assert laid_out(tokenizer(), SetPrompt("<s>Which? ", *PROMPT.pieces[1:])).ids.tolist().count(1) == 1


def test_a_set_at_the_start_gets_the_special_tokens_before_it():
    first = laid_out(tokenizer(), SetPrompt(*PROMPT.pieces[1:]))
    assert first.ids[0] == 1
    assert first.members[0].start == 1
    assert laid_out(tokenizer(begin=False), SetPrompt(*PROMPT.pieces[1:])).members[0].start == 0


def test_a_tokenizer_that_adds_a_space_does_so_at_the_start_only():
    made = spacing_tokenizer()
    ask = SetPrompter(model("llama"), made)
    tokens = made.convert_ids_to_tokens
    assert tokens(made("ab", add_special_tokens=False)["input_ids"]) == ["▁a", "b"]
    assert tokens(ask.tokenize("ab")) == ["ab"]
    assert tokens(ask.tokenize(" ab")) == ["▁a", "b"]
    assert tokens(ask.tokenize("\nab")) == ["<0x0A>", "ab"]
    assert tokens(ask.tokenize("ab", first=True)) == ["<s>", "▁a", "b"]
    assert [tokens(row) for row in ask.candidate_ids([" ab", "ab"])] == [["▁a", "b"], ["ab"]]


@pytest.mark.parametrize("made", [tokenizer(begin=False), spacing_tokenizer()])
@pytest.mark.parametrize("engine", ["mask", "kv"])
def test_without_a_start_or_with_spaces_the_order_does_not_matter(made, engine):
    for prompt in (QUESTION, SetPrompt(*QUESTION.pieces[1:])):
        ask = SetPrompter(model("llama"), made, engine=engine, layout="given", verify=True)
        assert ask.generate(prompt, max_new_tokens=3) == ask.generate(prompt.ordered((3, 1, 0, 2)), max_new_tokens=3)


def test_one_warning_for_one_member():
    with pytest.warns(UserWarning, match="^prompt: a set of one member is the same as plain text$") as caught:
        prompter(duplicates="drop").logits(SetPrompt("Which? ", Set(["ab", "ab"]), "Answer:"))
    assert len(caught) == 1
    assert torch.is_tensor(prompter().logits(SetPrompt("Which?")))  # nor a word about a prompt without a set
