"""No order of a set changes an answer: every order, each family, both engines. Half of the method does not do."""

import itertools

import pytest
import torch
from families import (
    BIRDS,
    FAMILIES,
    QUESTION,
    model,
    orders,
    plain,
    prompter,
    scale,
    spread,
    token_ids,
    tokenizer,
)

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import Edits
from parataxis.methods.set_prompting.made import moved_by_order

ENGINES = ("mask", "kv")
EXACT = 1e-5  # of the logits' scale, in float32

TWO_SETS = SetPrompt("Pair ", Set(["ab", "the owl", "c"]), " with ", Set(["x y z", "ab"]), ".")
PROMPTS = {
    "lengths differ": QUESTION,
    "lengths tie": SetPrompt("Which? ", Set(["ab ", "cd ", "efg", "ghi"]), "Answer:"),
    "one repeated": SetPrompt("Which? ", Set(["ab ", "the owl ", "ab ", "c"]), "Answer:"),
    "set first": SetPrompt(Set(["ab ", "the owl ", "c", "dd"]), "Answer:"),
    "set after set": SetPrompt("Pair ", Set(["ab", "the owl", "c"]), Set(["x y z", "ab"]), "."),
    "two sets": TWO_SETS,
}


def all_orders(prompt):
    """The prompt with each set in each order, independently of the others."""
    for some in itertools.product(*(orders(len(each.members)) for each in prompt.sets)):
        found = prompt
        for which, order in enumerate(some):
            found = found.ordered(order, which)
        yield found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_every_order_gives_the_same_logits(family, attention):
    assert moved_by_order(model(family, attention)) > 0.1, "an ordinary prompt must depend on the order"
    found = {}
    for engine in ENGINES:
        ask = prompter(family, attention, engine=engine, layout="given")
        some = list(all_orders(QUESTION))[:: 1 if engine == "mask" else 5]
        found[engine] = list(ask.logits_many(some, batch=12))
    for logits in found.values():
        assert spread(logits) <= EXACT * scale(logits[0])
    assert spread([found["mask"][0], found["kv"][0]]) <= 2e-6 * scale(found["kv"][0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_canonical_layout_gives_the_same_bits(family, engine):
    ask = prompter(family, engine=engine)
    first = ask.logits(QUESTION)
    assert all(torch.equal(ask.logits(QUESTION.ordered(order)), first) for order in orders(4)[1::9])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("align", ["start", "end"])
@pytest.mark.parametrize("which", PROMPTS)
def test_whatever_the_sets_are(which, align, engine):
    given_layout = prompter(engine=engine, align=align, layout="given")
    logits = [given_layout.logits(each) for each in list(all_orders(PROMPTS[which]))[::7]]
    assert spread(logits) <= EXACT * scale(logits[0])
    canonical = prompter(engine=engine, align=align)
    bits = [canonical.logits(each) for each in list(all_orders(PROMPTS[which]))[1::11]]
    assert spread(bits) == 0
    assert spread([bits[0], logits[0]]) <= EXACT * scale(logits[0])


def test_each_half_of_the_method_alone_depends_on_the_order():
    moved = {}
    for positions, attention in itertools.product([False, True], repeat=2):
        ask = prompter(edits=Edits(positions=positions, attention=attention))
        moved[positions, attention] = spread([ask.logits(each) for each in all_orders(QUESTION)])
    assert moved.pop((True, True)) == 0  # canonical is the default, for the whole method only
    assert min(moved.values()) > 0.1
    given_layout = prompter(layout="given")
    logits = [given_layout.logits(each) for each in all_orders(QUESTION)]
    assert spread(logits) <= EXACT * scale(logits[0])


def test_the_ablations_are_the_same_with_either_engine_where_both_can():
    half = Edits(positions=False)
    logits = [prompter(engine=engine, edits=half).logits(TWO_SETS) for engine in ENGINES]
    assert spread(logits) <= 2e-6 * scale(logits[0])


@pytest.mark.parametrize("edits", [Edits(padded=True), Edits(False, False, True), Edits(True, False, True)])
def test_padding_changes_nothing_for_the_whole_method(edits):
    """Pads are seen by nobody; but in running positions they take up room."""
    logits = [prompter(edits=edits, layout="given").logits(each) for each in all_orders(QUESTION)]
    if edits.positions and edits.attention:
        assert spread(logits) <= EXACT * scale(logits[0])
        assert spread([logits[0], prompter().logits(QUESTION)]) <= EXACT * scale(logits[0])
    else:
        assert spread(logits) > 0.1


def test_what_may_change_the_answer_does():
    """The order of two sets, which text is in a set, a member that stands twice, where the members are aligned."""
    ask = prompter()
    first, second = TWO_SETS.sets
    base = ask.logits(TWO_SETS)
    assert spread([base, ask.logits(TWO_SETS.with_sets([second, first]))]) > 0.01
    assert spread([base, ask.logits(SetPrompt("ab", Set(["Pair ", "the owl", "c"]), " with ", second, "."))]) > 0.01
    assert spread([base, ask.logits(TWO_SETS.with_sets([Set([*first.members, "c"]), second]))]) > 0.01
    assert spread([base, prompter(align="end").logits(TWO_SETS)]) > 0.01


def test_duplicates():
    once, twice = QUESTION, QUESTION.with_sets([Set([*BIRDS.members, "bat\n"])])
    assert torch.equal(prompter(duplicates="drop").logits(twice), prompter().logits(once))
    assert spread([prompter(duplicates="keep").logits(twice), prompter().logits(once)]) > 1e-3
    assert torch.equal(prompter(duplicates="error").logits(once), prompter().logits(once))
    with pytest.raises(
        BadInput, match=r"^Set: member 'bat\\n' stands twice; drop it, or pass duplicates='keep' or 'drop'$"
    ):
        prompter(duplicates="error").logits(twice)


@pytest.mark.parametrize("engine", ENGINES)
def test_half_precision(engine):
    ask = SetPrompter(model("llama", dtype=torch.bfloat16), tokenizer(), engine=engine, layout="given")
    logits = [ask.logits(each).float() for each in list(all_orders(QUESTION))[::3]]
    assert spread(logits) <= 0.05 * scale(logits[0])
    canonical = SetPrompter(model("llama", dtype=torch.bfloat16), tokenizer(), engine=engine)
    assert torch.equal(canonical.logits(QUESTION), canonical.logits(QUESTION.ordered((3, 1, 0, 2))))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
def test_double_precision_has_no_other_cause_of_a_difference(family):
    ask = SetPrompter(model(family, dtype=torch.float64), tokenizer(), layout="given", verify=True)
    logits = [ask.logits(each) for each in list(all_orders(QUESTION))[::6]]
    assert spread(logits) <= 1e-13 * scale(logits[0])


# -- one member or one text, and nothing else ----------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_member_is_read_as_if_it_stood_alone_after_the_prefix(family):
    """Its hidden states and keys move with it, and don't change when others are edited, added or taken out."""
    alone = {member: states_alone(family, member) for member in BIRDS.members}
    others = QUESTION.with_sets([Set([*BIRDS.members[:2], "quite another animal\n", "one more"])])
    for prompt, engine in itertools.product((QUESTION, QUESTION.ordered((3, 1, 0, 2)), others), ENGINES):
        found = states(family, prompt, engine)
        shared = set(found) & set(alone)
        assert len(shared) >= 2
        for member in shared:
            for got, expected in zip(found[member], alone[member], strict=True):
                torch.testing.assert_close(got, expected, rtol=0, atol=EXACT * scale(expected))


def states_alone(family, member):
    """Hidden states after the last layer, keys and values of all layers: of a text, after the prefix, by the model."""
    before, own = [1, *token_ids(QUESTION.pieces[0])], token_ids(member)
    with torch.inference_mode():
        out = model(family).base_model(input_ids=torch.tensor([[*before, *own]]), use_cache=True)
    return parts(out.last_hidden_state[0], out.past_key_values, slice(len(before), None))


def states(family, prompt, engine):
    """The same of each member of a prompt, by its text."""
    ask = prompter(family, layout="given", engine=engine)
    state = ask.encode(prompt)
    with torch.inference_mode():
        out = ask.model.base_model(
            input_ids=state.layout.ids[None],
            attention_mask=ask.able.masks(state.layout, torch.float32),
            position_ids=state.layout.positions[None],
        )
    return {
        text: parts(out.last_hidden_state[0], state.cache, slice(member.start, member.stop))
        for text, member in zip(prompt.sets[0].members, state.layout.members, strict=True)
    }


def parts(hidden, cache, own):
    return [hidden[own], *(each[0, :, own] for layer in cache.layers for each in (layer.keys, layer.values))]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_member_is_an_ordinary_prompt(family, engine):
    prompt = SetPrompt("Which? ", Set(["the owl in the barn"]), "Answer:")
    with pytest.warns(UserWarning, match="^prompt: a set of one member is the same as plain text$"):
        state = prompter(family, engine=engine).encode(prompt)
    with torch.inference_mode():
        ordinary = model(family)(input_ids=state.layout.ids[None]).logits[0, -1]
    assert state.layout.positions.tolist() == list(range(len(state.layout)))
    assert spread([ordinary, state.logits]) <= 2e-6 * scale(ordinary)


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_is_the_ordinary_prompt(family):
    state = plain(family).encode(TWO_SETS)
    with torch.inference_mode():
        ordinary = model(family)(input_ids=state.layout.ids[None]).logits[0, -1]
    assert spread([ordinary, state.logits]) <= 2e-6 * scale(ordinary)
