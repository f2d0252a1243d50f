"""The four scores of candidate answers, each against a reference of one pass a candidate, without any cache."""

import pytest
import torch
from families import (
    FAMILIES,
    QUESTION,
    model,
    orders,
    pieces_of,
    prompter,
    reference_logits,
    scale,
    spread,
    token_ids,
    tokenizer,
)

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN, Edits

CANDIDATES = ["bat", "the owl", "a", "ab", "the owl in the barn"]
SCORINGS = ("sum", "mean", "pmi", "paper")


def log_probs(made, pieces):
    """Of each token of each candidate after a prompt."""
    found = []
    for row in map(token_ids, CANDIDATES):
        logits = reference_logits(made, pieces, row)[-len(row) - 1 : -1]
        found.append(torch.log_softmax(logits, -1)[range(len(row)), row])
    return found


def paper(made, pieces):
    """The mean logit of the j-th token at the j-th step of the model's own greedy answer."""
    rows, steps, new = list(map(token_ids, CANDIDATES)), [], []
    while len(steps) < max(map(len, rows)):
        steps.append(reference_logits(made, pieces, new)[-1])
        new.append(int(steps[-1].argmax()))
    return torch.stack([torch.stack(steps)[range(len(row)), row].mean() for row in rows])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_is_what_one_pass_a_candidate_gives(family):
    made, pieces = model(family), pieces_of(QUESTION)
    forced, bare = log_probs(made, pieces), log_probs(made, [[1], token_ids("Answer:")])
    expected = {
        "sum": torch.stack([each.sum() for each in forced]),
        "mean": torch.stack([each.mean() for each in forced]),
        "pmi": torch.stack([each.sum() - before.sum() for each, before in zip(forced, bare, strict=True)]),
        "paper": paper(made, pieces),
    }
    for scoring in SCORINGS:
        assert len({round(value, 4) for value in expected[scoring].tolist()}) == len(CANDIDATES)
        for engine in ("mask", "kv"):
            found = prompter(family, engine=engine).score(QUESTION, CANDIDATES, scoring)
            assert spread([expected[scoring], found]) <= 1e-5 * scale(expected["sum"])


@pytest.mark.parametrize("scoring", SCORINGS)
def test_neither_the_order_of_the_candidates_matters_nor_that_of_the_set(scoring):
    ask = prompter()
    found = ask.score(QUESTION, CANDIDATES, scoring)
    for order in orders(5)[::17]:
        other = ask.score(QUESTION.ordered((2, 3, 0, 1)), [CANDIDATES[i] for i in order], scoring)
        assert torch.equal(other, found[list(order)])


def test_candidates_of_one_token_need_no_second_pass():
    ask = prompter()
    state = ask.encode(QUESTION)
    found = ask.score(QUESTION, ["a", "c", "a"])
    expected = torch.log_softmax(state.logits, -1)[[token_ids(c)[0] for c in ("a", "c", "a")]]
    assert torch.equal(found, expected)


def test_padding_is_not_seen_by_the_candidates():
    padded = prompter(edits=Edits(padded=True))
    for scoring in SCORINGS:
        expected = prompter().score(QUESTION, CANDIDATES, scoring)
        assert spread([padded.score(QUESTION, CANDIDATES, scoring), expected]) <= 1e-5 * scale(expected)
    assert padded.generate(QUESTION) == prompter().generate(QUESTION)


def test_special_tokens_are_skipped_in_the_papers_score_only():
    ask = prompter()
    assert torch.equal(ask.score(QUESTION, ["bat</s>"], "paper"), ask.score(QUESTION, ["bat"], "paper"))
    assert ask.score(QUESTION, ["bat</s>"]) < ask.score(QUESTION, ["bat"])


@pytest.mark.parametrize(
    ("candidates", "scoring", "message"),
    [
        ([], "sum", "candidates=[]: expected a list of texts"),
        ("ab", "sum", "candidates='ab': expected a list of texts"),
        (["a", ""], "sum", "candidates[1]='': has no tokens"),
        (["a", "</s>"], "paper", "candidates[1]: has special tokens only, which scoring='paper' skips"),
    ],
)
def test_what_is_refused(candidates, scoring, message):
    with pytest.raises(BadInput) as refused:
        prompter().score(QUESTION, candidates, scoring)
    assert str(refused.value) == message


# -- many ----------------------------------------------------------------------------------------------------------

MANY = [
    QUESTION,
    SetPrompt("Which? ", Set(["ab ", "the owl ", "c"]), "Answer:"),
    SetPrompt("No set at all."),
    SetPrompt(Set(["x", "yz"]), " and ", Set(["ab", "the"]), "?"),
    SetPrompt("a" * 300, Set(["b", "c"]), "d"),  # too long for one pass under a mask
    SetPrompt("Say ", Set(["this\n", "that\n"]), "Answer:"),
]


@pytest.mark.parametrize(("family", "batch"), [("llama", 1), ("llama", 2), ("gemma3_text", 8), ("gpt2", 3)])
def test_many_prompts_are_as_each_alone(family, batch):
    ask = SetPrompter(model(family), tokenizer())
    prompts = [each for each in MANY if len(each.plain()) < 250]
    for state, prompt in zip(ask.encode_many(prompts, batch=batch), prompts, strict=True):
        alone = ask.encode(prompt)
        assert spread([alone.logits, state.logits]) <= 1e-5 * scale(alone.logits)
        assert ask.generate_ids(state) == ask.generate_ids(alone)
        assert state.cache.get_seq_length() == len(alone.layout)
        for mine, theirs in zip(state.cache.layers, alone.cache.layers, strict=True):
            torch.testing.assert_close(mine.keys, theirs.keys, rtol=0, atol=1e-5 * scale(theirs.keys))
            torch.testing.assert_close(mine.values, theirs.values, rtol=0, atol=1e-5 * scale(theirs.values))


HALVES = ({"edits": Edits(padded=True)}, {"edits": Edits(False)})


@pytest.mark.parametrize(("family", "more"), [("llama", HALVES), ("gemma3_text", ()), ("gpt2", ())])
def test_prompts_that_begin_alike_share_its_reading(family, more):
    """One question in several orders, one with other candidates, one that differs from the first token on."""
    some = [QUESTION.ordered(order) for order in orders(4)[::7]]
    questions = [(each, CANDIDATES) for each in some]
    questions += [(QUESTION, CANDIDATES[2:]), (QUESTION, CANDIDATES[:2]), (QUESTION, ["a"])]
    questions.append((SetPrompt("x", Set(["bat", "a"]), "y"), CANDIDATES))
    for options in ({"layout": "given"}, {"edits": PLAIN}, *more):
        ask = prompter(family, **options)
        states = [ask.encode(prompt) for prompt, _ in questions]
        alone = [ask.score_after(state, each) for state, (_, each) in zip(states, questions, strict=True)]
        for part in (slice(-1), slice(-4, -2), slice(None)):
            batch = questions[part]
            for expected, found in zip(alone[part], ask.score_many(batch, batch=len(batch)), strict=True):
                assert spread([expected, found]) <= 1e-5 * scale(expected)
        for expected, state in zip(states[: len(some)], ask.encode_many(some), strict=True):
            for mine, theirs in zip(state.cache.layers, expected.cache.layers, strict=True):
                torch.testing.assert_close(mine.keys, theirs.keys, rtol=0, atol=1e-5 * scale(theirs.keys))


def test_many_questions_of_any_length():
    from families import build

    ask = SetPrompter(build("llama", max_position_embeddings=512), tokenizer())
    questions = [(prompt, CANDIDATES[: 2 + place % 3]) for place, prompt in enumerate(MANY)]
    for scoring in SCORINGS:
        found = list(ask.score_many(questions, scoring, batch=4))
        for each, (prompt, candidates) in zip(found, questions, strict=True):
            expected = ask.score(prompt, candidates, scoring)
            assert spread([expected, each]) <= 1e-5 * scale(expected)
    for prompt, logits in zip(MANY, ask.logits_many(MANY), strict=True):
        assert spread([ask.logits(prompt), logits]) <= 1e-5 * scale(logits)
    assert list(ask.score_many([])) == list(ask.encode_many([])) == []


def test_one_bad_prompt_among_many_is_named():
    with pytest.raises(
        BadInput, match=r"^prompt: needs 303 positions; the model has 256; shorten a text, or drop some$"
    ):
        list(prompter().logits_many(MANY))
