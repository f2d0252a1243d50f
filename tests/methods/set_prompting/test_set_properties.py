"""Any prompt, any model of the seven families, any precision: what holds of all of them, and how nearly."""

import warnings

import torch
from families import FAMILIES, model, scale, tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter
from parataxis.methods.set_prompting.layout import PLAIN

# Of the scale: of what the precision can't hold, ten times what 1,000 prompts showed, of bfloat16 four times.
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-13, torch.bfloat16: 0.05}
ENGINES = ("mask", "kv")

TEXT = st.text(st.sampled_from("ab the\nxy"), min_size=1, max_size=12)
MEMBERS = st.lists(TEXT, min_size=2, max_size=5)
PIECES = st.tuples(
    st.text(st.sampled_from("ab the"), max_size=8), MEMBERS, st.lists(TEXT, min_size=2, max_size=3), TEXT
)
MODELS = st.tuples(st.sampled_from(FAMILIES), st.sampled_from(["eager", "sdpa"]), st.sampled_from(list(CLOSE)))
FEW = settings(max_examples=8, deadline=None)


def prompt_of(pieces):
    """Not made by the strategy: what checks shapes draws numbers of its own, which hypothesis forbids there."""
    before, members, more, after = pieces
    return SetPrompt(before, Set(members), " and ", Set(more), after)


def asking(which, **options):
    return SetPrompter(model(*which), tokenizer(), **options)


def close(one, other, which):
    """Eager attention takes its softmax in float32, whatever the weights are in."""
    _, attention, dtype = which
    bound = CLOSE[torch.float32 if (attention, dtype) == ("eager", torch.float64) else dtype]
    one, other = one.double(), other.double()
    return float((one - other).abs().max()) <= bound * max(1.0, scale(one))


@given(PIECES, MODELS, st.sampled_from(ENGINES), st.sampled_from(["start", "end"]), st.data())
@FEW
def test_no_order_of_any_set_changes_the_logits(pieces, which, engine, align, data):
    prompt = prompt_of(pieces)
    other = prompt
    for place, each in enumerate(prompt.sets):
        other = other.ordered(data.draw(st.permutations(range(len(each.members)))), place)
    given_layout = asking(which, engine=engine, align=align, layout="given")
    assert close(given_layout.logits(prompt), given_layout.logits(other), which)
    canonical = asking(which, engine=engine, align=align)
    assert torch.equal(canonical.logits(prompt), canonical.logits(other))


@given(PIECES, MODELS, st.sampled_from(["start", "end"]))
@FEW
def test_the_engines_agree(pieces, which, align):
    prompt = prompt_of(pieces)
    one, other = (asking(which, engine=engine, align=align, layout="given") for engine in ENGINES)
    assert close(one.logits(prompt), other.logits(prompt), which)


@given(PIECES, MODELS, st.sampled_from(ENGINES), TEXT, st.data())
@FEW
def test_a_member_does_not_see_what_is_made_of_another(pieces, which, engine, text, data):
    """Its keys and values stay, and those of what stands before all."""
    prompt = prompt_of(pieces)
    members = list(prompt.sets[0].members)
    edited = data.draw(st.integers(0, len(members) - 1))
    other = prompt.with_sets([Set([*members[:edited], text, *members[edited + 1 :]]), prompt.sets[1]])
    ask = asking(which, engine=engine, layout="given")
    before, after = (ask.encode(each) for each in (prompt, other))
    untouched = [place for place in range(len(members)) if place != edited]
    for layer, same in zip(before.cache.layers, after.cache.layers, strict=True):
        for name in ("keys", "values"):
            for place in untouched:
                here, there = before.layout.members[place], after.layout.members[place]
                one = getattr(layer, name)[0, :, here.start : here.stop]
                assert close(one, getattr(same, name)[0, :, there.start : there.stop], which)


@given(TEXT, TEXT, TEXT, MODELS, st.sampled_from(ENGINES))
@FEW
def test_a_set_of_one_is_an_ordinary_prompt(before, member, after, which, engine):
    prompt = SetPrompt(before, Set([member]), after)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which tells so
        logits = asking(which, engine=engine).logits(prompt)
        plain = asking(which, edits=PLAIN).logits(prompt)
    assert close(logits, plain, which)
