import itertools

import pytest

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt
from parataxis.methods.set_prompting.conditions import OFFICIAL, check, condition, conditions
from parataxis.methods.set_prompting.layout import Edits

PROMPT = SetPrompt("Q ", Set("abc"[i] for i in range(3)), " A ", Set(["x", "y", "z"]), ":")

KNOWN = {  # name: edits of (positions, attention), padded, members of the first set
    "normal": (False, False, False, "abc"),
    "normal_reversed": (False, False, False, "cba"),
    "normal_padded": (False, False, True, "abc"),
    "normal_permuted_201": (False, False, False, "cab"),
    "normal_permuted_2-0-1": (False, False, False, "cab"),
    "order_independent": (True, True, False, "abc"),
    "order_independent_padded": (True, True, True, "abc"),
    "only_parallel_attention": (False, True, False, "abc"),
    "only_parallel_attention_reversed": (False, True, False, "cba"),
    "only_parallel_position": (True, False, False, "abc"),
    "only_parallel_position_reversed_padded": (True, False, True, "cba"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_says_edits_and_order(name):
    positions, attention, padded, members = KNOWN[name]
    found = condition(name)
    assert found.edits == Edits(positions, attention, padded)
    assert "".join(found.arrange(PROMPT).sets[0].members) == members
    if "reversed" in name:
        assert found.arrange(PROMPT).sets[1].members == ("z", "y", "x")  # of every set
    check(name)


def test_permuted_is_every_order_of_the_prompt():
    found = list(conditions((*OFFICIAL, "normal_permuted"), PROMPT))
    assert [each.name for each in found[:3]] == list(OFFICIAL)
    arranged = {"".join(each.arrange(PROMPT).sets[0].members) for each in found[3:]}
    assert arranged == {"".join(each) for each in itertools.permutations("abc")}
    assert len(found) == 9
    check("normal_permuted")


@pytest.mark.parametrize(
    "name", ["", "Normal", "order_independent_twice", "normal_permuted_", "normal_permuted_013", "padded_normal"]
)
def test_unknown_names_are_refused(name):
    with pytest.raises(BadInput, match="condition="):
        condition(name)


def test_too_many_members_for_all_orders():
    with pytest.raises(BadInput, match="name some orders"):
        list(conditions(("normal_permuted",), SetPrompt("Q", Set("abcdefg"[i] for i in range(7)), "A")))
