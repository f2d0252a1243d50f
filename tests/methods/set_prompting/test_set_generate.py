"""The library's own `generate`, from the cache of a prompt: one text for all orders, and from the right place on."""

import pytest
import torch
from families import FAMILIES, build, model, orders, pieces_of, plain, prompter, reference_logits, tokenizer

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN

THREE = SetPrompt("Which?\n", Set(["a bee\n", "the owl in the barn\n", "bat\n"]), "Answer:")
NEW = 5
WAYS = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 20},
    "beams": {"num_beams": 3},
    "several": {"num_beams": 4, "num_return_sequences": 2},
    "samples": {"do_sample": True, "num_return_sequences": 3},
}


def written(ask, prompt, **options):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return ask.generate_ids(ask.encode(prompt), max_new_tokens=NEW, **options)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("way", "engine"), [("greedy", "mask"), ("sampled", "mask"), ("beams", "kv")])
def test_one_text_for_all_orders(family, engine, way):
    ask = prompter(family, engine=engine, layout="given")
    assert len({str(written(ask, THREE.ordered(order), **WAYS[way])) for order in orders(3)[::2]}) == 1


@pytest.mark.parametrize("family", ["llama", "qwen3"])
@pytest.mark.parametrize("way", ["greedy", "sampled", "beams"])
def test_an_ordinary_prompt_gives_several_texts(family, way):
    assert len({str(written(plain(family), THREE.ordered(order), **WAYS[way])) for order in orders(3)}) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_is_what_a_loop_without_any_cache_writes(family):
    new = []
    for _ in range(NEW):
        new.append(int(reference_logits(model(family), pieces_of(THREE), new)[-1].argmax()))
    for engine in ("mask", "kv"):
        assert written(prompter(family, engine=engine, layout="given"), THREE) == [new]


@pytest.mark.parametrize(("way", "count"), [("greedy", 1), ("beams", 1), ("several", 2), ("samples", 3)])
def test_as_many_texts_as_asked_for(way, count):
    ask = prompter()
    for prompt in (THREE, SetPrompt("<s>")):  # of one token, which leaves nothing to keep in a cache
        rows = written(ask, prompt, **WAYS[way])
        assert [len(row) for row in rows] == [NEW] * count
    texts = ask.generate(THREE, max_new_tokens=NEW, **WAYS["several"])
    assert texts == ask.tokenizer.batch_decode(written(ask, THREE, **WAYS["several"]), skip_special_tokens=True)


MANY = [
    THREE,
    SetPrompt("Which? ", Set(["ab ", "the owl ", "c"]), "Answer:"),
    SetPrompt("No set at all."),
    SetPrompt("<s>"),  # of one token
    SetPrompt(Set(["x", "yz"]), " and ", Set(["ab", "the"]), "?"),
]


@pytest.mark.parametrize(("family", "batch"), [("llama", 2), ("gemma3_text", 8), ("gpt2", 3)])
def test_many_prompts_write_what_each_alone_writes(family, batch):
    """Side by side, padded on the left, each goes on from its own position."""
    told = []
    ask = prompter(family, layout="given")
    found = list(ask.generate_many(MANY, max_new_tokens=NEW, batch=batch, watch=lambda *done: told.append(done)))
    assert found == [ask.generate(each, max_new_tokens=NEW) for each in MANY]
    assert told[-1] == (5, 5)
    for prompt, (text,) in zip(MANY[:3], found, strict=False):
        new, pieces = [], pieces_of(prompt)
        for _ in range(NEW):
            new.append(int(reference_logits(model(family), pieces, new)[-1].argmax()))
        assert text == ask.tokenizer.decode(new, skip_special_tokens=True)


def test_the_text_is_of_new_tokens_and_not_cut_by_its_length():
    """What is decoded has no <s>, and its members stand in another order than they were given in."""
    ask = prompter()
    (text,) = ask.generate(THREE)
    state = ask.encode(THREE)
    (ids,) = ask.generate_ids(state)
    assert text == ask.tokenizer.decode(ids, skip_special_tokens=True)
    whole = ask.tokenizer.decode([*state.layout.ids.tolist(), *ids], skip_special_tokens=True)
    assert whole.endswith(text)
    marked = SetPrompt("<s>" + THREE.pieces[0], *THREE.pieces[1:])  # the same tokens, three characters more
    assert ask.generate(marked) == [text]
    assert whole[len(marked.plain()) :] != text


def test_other_shapes_of_the_answer_and_the_model_as_it_was():
    ask = prompter()
    state = ask.encode(THREE)
    first = ask.generate_ids(state)
    assert ask.generate_ids(state, return_dict_in_generate=True, output_scores=True) == first
    assert state.cache.get_seq_length() == len(state.layout)
    assert len(first[0]) == 10


def test_the_end_ends_it():
    made = build("llama")
    made.generation_config.eos_token_id = None
    ask = SetPrompter(made, tokenizer())
    free = ask.generate_ids(ask.encode(THREE))[0]
    made.generation_config.eos_token_id = free[2]
    ended = ask.generate_ids(ask.encode(THREE))[0]
    assert ended == free[: free.index(free[2]) + 1]


@pytest.mark.parametrize("kind", ["quantized", "static", "hybrid"])
def test_a_cache_that_the_models_configuration_names_is_not_used(kind):
    """Rounded, or cut by place in the layout, it would depend on the order."""
    made = build("llama")
    made.generation_config.cache_implementation = kind
    ask = SetPrompter(made, tokenizer(), layout="given")
    assert ask.generate(THREE) == prompter(layout="given").generate(THREE)


@pytest.mark.parametrize("engine", ["mask", "kv"])
def test_new_tokens_continue_at_the_last_position(engine):
    """Not at the number of tokens, as in the official code for GPT-2."""
    ask = prompter("gpt2", engine=engine)
    state = ask.encode(THREE)
    seen = []
    handle = ask.model.transformer.register_forward_pre_hook(
        lambda module, args, given: seen.append(given["position_ids"][0].tolist()), with_kwargs=True
    )
    try:
        ask.generate_ids(state, max_new_tokens=4)
    finally:
        handle.remove()
    last = state.layout.next_position - 1
    assert last + 1 < len(state.layout)
    assert seen == [[last], [last + 1], [last + 2], [last + 3]]


# -- how much fits -------------------------------------------------------------------------------------------------

LONG = SetPrompt("pre", Set(["member %d of it" % number for number in range(5)]), "s:")  # noqa: UP031


def test_shared_positions_leave_room_for_more_text():
    """Claim 7: with 32 positions, a prompt of 75 tokens runs, and still writes."""
    made = build("gpt2")
    made.config.n_positions = 32
    made.transformer.wpe = torch.nn.Embedding.from_pretrained(made.transformer.wpe.weight[:32].detach())
    ask = SetPrompter(made, tokenizer(), layout="given")
    layout = ask.lay_out(LONG)
    assert len(layout) == 76
    assert int(layout.positions.max()) + 1 == 20
    room = 32 - 20 + 1  # the last new token is not read
    assert len(ask.generate_ids(ask.encode(LONG), max_new_tokens=room)[0]) == room
    assert ask.generate(LONG) == ask.generate(LONG.ordered((4, 2, 0, 1, 3)))
    assert torch.isfinite(ask.score(LONG, ["a" * room])).all()
    refused = r"^prompt: needs 33 positions; the model has 32; shorten a text, or drop some$"
    with pytest.raises(BadInput, match=refused):
        ask.generate(LONG, max_new_tokens=room + 1)
    for scoring in ("sum", "paper"):
        with pytest.raises(BadInput, match=refused):
            ask.score(LONG, ["a" * (room + 1)], scoring)
    ordinary = SetPrompter(made, tokenizer(), edits=PLAIN)
    with pytest.raises(BadInput, match=r"^prompt: needs 76 positions; the model has 32; shorten a text, or drop some$"):
        ordinary.logits(LONG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens=0: expected 1 or more"),
        (
            {"cache_implementation": "quantized"},
            "cache_implementation='quantized': the prompt is in a cache of its own; leave it out",
        ),
        (
            {"past_key_values": "a quantised one"},
            "past_key_values='a quantised one': the prompt is in a cache of its own; leave it out",
        ),
        ({"position_ids": 3}, "position_ids=3: the prompt is in a cache of its own; leave it out"),
        (
            {"generation_config": "x.json"},
            "generation_config='x.json': the prompt is in a cache of its own; pass its settings one by one",
        ),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(BadInput) as refused:
        prompter().generate(THREE, **options)
    assert str(refused.value) == message
