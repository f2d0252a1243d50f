"""Positions and masks, worked by hand."""

import pytest
import torch

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt
from parataxis.methods.set_prompting.layout import Edits, additive, lay_out

PROMPT = SetPrompt("ab", Set(["c", "def"]), "g", Set(["hi", "h"]), "j")


def letters(text, first=False):
    """A token a letter, and one before all."""
    return [0] * first + [ord(letter) for letter in text]


def drawn(layout, **options):
    """The mask as a picture: a row a query."""
    return ["".join(".x"[int(seen)] for seen in row) for row in layout.visible(**options)]


def test_positions_and_order():
    layout = lay_out(PROMPT, letters, arrangement="given")
    assert layout.ids.tolist() == letters("abcdefghihj", True)
    assert layout.positions.tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 7, 9]
    assert layout.next_position == 10
    assert [(each.group, each.place, each.start, each.stop) for each in layout.members] == [
        (0, 0, 3, 4), (0, 1, 4, 7), (1, 0, 8, 10), (1, 1, 10, 11),
    ]  # fmt: skip


def test_canonical_sorts_by_ids():
    layout = lay_out(PROMPT, letters)
    assert layout.ids.tolist() == letters("abcdefghhij", True)
    assert layout.positions.tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9]


def test_aligned_at_the_end():
    layout = lay_out(PROMPT, letters, arrangement="given", align="end")
    assert layout.positions.tolist() == [0, 1, 2, 5, 3, 4, 5, 6, 7, 8, 8, 9]
    assert layout.next_position == 10


def test_members_do_not_see_each_other():
    layout = lay_out(SetPrompt("a", Set(["b", "cd"]), "e", Set(["f", "g"]), "h"), letters)
    expected = [
        "x........",
        "xx.......",
        "xxx......",
        "xx.x.....",
        "xx.xx....",
        "xxxxxx...",
        "xxxxxxx..",
        "xxxxxx.x.",
        "xxxxxxxxx",
    ]
    assert drawn(layout) == expected
    assert drawn(layout, first=7) == expected[7:]


def test_a_window_counts_positions():
    """b and d stand at one position: the window hides both from h, or neither."""
    layout = lay_out(SetPrompt("a", Set(["b", "d"]), "eh"), letters)
    assert layout.positions.tolist() == [0, 1, 2, 2, 3, 4]
    assert drawn(layout, window=2) == ["x.....", "xx....", ".xx...", ".x.x..", "..xxx.", "....xx"]


@pytest.mark.parametrize(
    ("edits", "positions"),
    [
        (Edits(padded=True), [0, 1, 2, 3, 4, 2, 3, 4, 5]),
        (Edits(positions=False, attention=False, padded=True), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_pads_are_seen_by_nobody(edits, positions):
    layout = lay_out(SetPrompt("a", Set(["b", "def"]), "e"), letters, edits=edits, arrangement="given", pad=7)
    assert layout.ids.tolist() == [*letters("ab", True), 7, 7, *letters("defe")]
    assert layout.real.tolist() == [True] * 3 + [False] * 2 + [True] * 4
    assert layout.positions.tolist() == positions
    seen = layout.visible()
    pads = ~layout.real
    assert not seen[layout.real][:, pads].any()
    assert seen.any(-1).all()  # a row of nothing would be a softmax of nothing


def test_more_text_after_it():
    layout = lay_out(PROMPT, letters)
    longer = lay_out(SetPrompt(*PROMPT.pieces, "kl"), letters)
    found = layout.and_then(letters("kl"))
    assert found.next_position == longer.next_position
    for name in ("ids", "positions", "group", "segment", "real"):
        assert torch.equal(getattr(found, name), getattr(longer, name))


def test_a_set_at_the_start_stands_after_the_special_tokens():
    layout = lay_out(SetPrompt(Set(["b", "cd"]), "e"), letters)
    assert layout.ids.tolist() == letters("bcde", True)
    assert layout.positions.tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_mask_is_additive_in_the_models_dtype(dtype):
    """A boolean one is right for sdpa and silently wrong for eager."""
    mask = additive(torch.tensor([[True, False], [True, True]]), dtype)
    least = torch.finfo(dtype).min
    assert mask.dtype == dtype
    assert mask.tolist() == [[[[0, least], [0, 0]]]]


@pytest.mark.parametrize(
    "prompt", [SetPrompt("a", Set(["b", "?"]), "c"), SetPrompt("?"), SetPrompt("a", Set("bc"[i] for i in (0, 1)), "?")]
)
def test_what_has_no_tokens_is_refused(prompt):
    with pytest.raises(BadInput, match=r"^prompt: '\?' has no tokens$"):
        lay_out(prompt, lambda text, first: [] if text == "?" else letters(text))
