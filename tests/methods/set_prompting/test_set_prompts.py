"""Prompts: what may be written, what is refused in one line, and the official format in both directions."""

import subprocess
import sys

import pytest
from families import QUESTION, tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt

S, P, E = "<|start_2d|>", "<|split_2d|>", "<|end_2d|>"


def test_neighbouring_texts_are_one():
    assert SetPrompt("a", "b", Set(["c", "d"]), "", "e", "f").pieces == ("ab", Set(["c", "d"]), "ef")
    assert SetPrompt("", Set(["c", "d"]), "e").pieces == (Set(["c", "d"]), "e")


def test_plain_text_holds_no_marker():
    assert QUESTION.plain() == "Which of them flies?\na bee\nthe owl in the barn\nbat\nab heron\nAnswer:"


def test_ordered_takes_an_order_of_one_set():
    prompt = SetPrompt(Set("abc"[i] for i in range(3)), "-", Set(["x", "y"]), ".")
    assert prompt.ordered((2, 0, 1)).plain() == "cab-xy."
    assert prompt.ordered((1, 0), which=1).plain() == "abc-yx."


@pytest.mark.parametrize("text", [f"q{S}a{P}b{E}z", f"{S}a{P}b{E}z", f"q{S}a{P}b{E}{S}c{P}d{E}r{S}e{E}z", "no set"])
def test_the_official_format_reads_back(text):
    assert SetPrompt.parse(text).to_text() == text


TEXT = st.text(st.sampled_from("ab<|_2>\n"), min_size=1)


@given(st.lists(TEXT | st.lists(TEXT, min_size=1, max_size=4), max_size=6), TEXT)
@settings(max_examples=60, deadline=None)
def test_any_prompt_reads_back(pieces, end):
    """Half a marker at the end of a text is no marker."""
    prompt = SetPrompt(*(Set(piece) if isinstance(piece, list) else piece for piece in pieces), end + S[:4])
    assert SetPrompt.parse(prompt.to_text()) == prompt


NO_END = "prompt: nothing stands after its last set; a suffix such as 'Answer:' is needed"
NESTED = "prompt: a set inside a set, at character 1; sets can't be nested"
TAKE_OUT = "; parse it with SetPrompt.parse, or take it out"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Set([]), "Set([]): a set needs a member"),
        (lambda: Set(["a", ""]), "Set.members[1]='': a member must not be empty"),
        (lambda: Set("ab"), "Set('ab'): expected a list of texts"),
        (lambda: Set(["a", f"b{P}c"]), f"Set.members[1]: holds the marker {P}{TAKE_OUT}"),
        (lambda: SetPrompt("a", Set(["b"])), NO_END),
        (lambda: SetPrompt("a", Set(["b"]), ""), NO_END),
        (lambda: SetPrompt(), NO_END),
        (lambda: SetPrompt(f"a{S}b"), f"pieces[0]: holds the marker {S}{TAKE_OUT}"),
        (lambda: SetPrompt("a<|end", "_2d|>b"), f"prompt: holds the marker {E}{TAKE_OUT}"),
        (lambda: SetPrompt.parse(f"ab{S}c{P}d"), f"prompt: {S} at character 2 has no {E}"),
        (lambda: SetPrompt.parse(f"ab{E}c{S}d{E}e"), f"prompt: {E} at character 2 stands outside of a set"),
        (lambda: SetPrompt.parse(f"a{S}b{E}c{P}d"), f"prompt: {P} at character 25 stands outside of a set"),
        (lambda: SetPrompt.parse(f"a{S}b{E}c{E}d"), f"prompt: {E} at character 25 stands outside of a set"),
        (lambda: SetPrompt.parse(f"a{P}b"), f"prompt: {P} at character 1 stands outside of a set"),
        (lambda: SetPrompt.parse(f"a{S}b{S}c{E}d{E}e"), NESTED),
        (lambda: SetPrompt.parse(f"a{S}{E}b"), "prompt: the set at character 1 is empty"),
        (lambda: SetPrompt.parse(f"a{S}b{P}{P}c{E}d"), "prompt: the set at character 1 has an empty member, number 2"),
        (lambda: SetPrompt.parse(f"a{S}b{E}"), NO_END),
        (lambda: QUESTION.ordered((0, 1, 2)), "order=[0, 1, 2]: expected each of 0..3 once"),
        (lambda: QUESTION.ordered((0, 1), which=1), "which=1: the prompt has 1 sets"),
    ],
)  # fmt: skip
def test_what_is_refused(make, message):
    with pytest.raises(BadInput) as refused:
        make()
    assert str(refused.value) == message


WRONG_TYPES = """
class Chats: chat_template, apply_chat_template = "-", None
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
for make in (
    lambda: Set(None), lambda: Set(["a", Set(["b"])]), lambda: SetPrompt("a", None), lambda: SetPrompt(["b"], "c"),
    lambda: SetPrompt.from_messages([{"content": [{"type": "text"}]}], Chats),
):
    try:
        make()
    except ValueError as error:
        print(error)
"""


def test_wrong_types_are_refused_where_no_signature_is_checked():
    done = subprocess.run([sys.executable, "-c", WRONG_TYPES], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "Set(None): expected a list of texts",
        "Set.members[1]=Set(members=('b',)): expected text, or Set([...])",
        "pieces[1]=None: expected text, or Set([...])",
        "pieces[0]=['b']: expected text, or Set([...])",
        "pieces[0]={'type': 'text'}: expected text, or Set([...])",
    ]


# -- chat ----------------------------------------------------------------------------------------------------------

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>{% endfor %}"
    "{% if add_generation_prompt %}<me>{% endif %}"
)


@pytest.fixture
def chatting():
    made = tokenizer()
    made.chat_template = TEMPLATE
    yield made
    made.chat_template = None


@pytest.mark.parametrize(
    "content",
    [f"Which? {S}a{P}b{E} Say:", SetPrompt("Which? ", Set(["a", "b"]), " Say:"), ["Which? ", Set(["a", "b"]), " Say:"]],
)
def test_messages_are_rendered_once_and_split_at_the_markers(chatting, content):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    expected = SetPrompt("<system>Be brief.</><user>Which? ", Set(["a", "b"]), " Say:</><me>")
    assert SetPrompt.from_messages(messages, chatting) == expected
    assert SetPrompt.from_messages(messages, chatting, add_generation_prompt=False).pieces[2] == " Say:</>"


def test_a_message_may_end_with_a_set(chatting):
    made = SetPrompt.from_messages([{"role": "user", "content": ["Sort: ", Set(["a", "b"])]}], chatting)
    assert made.pieces == ("<user>Sort: ", Set(["a", "b"]), "</><me>")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "messages: content=3: expected text, or a list of texts and sets"),
        (None, "messages: content=None: expected text, or a list of texts and sets"),
        (f"a{E}", f"prompt: {E} at character 7 stands outside of a set"),
    ],
)
def test_messages_that_are_refused(chatting, content, message):
    with pytest.raises(BadInput) as refused:
        SetPrompt.from_messages([{"role": "user", "content": content}], chatting)
    assert str(refused.value) == message


def test_messages_need_a_template():
    with pytest.raises(BadInput, match=r"^messages: the tokenizer has no chat template; pass a SetPrompt$"):
        SetPrompt.from_messages([{"role": "user", "content": "a"}], tokenizer())
