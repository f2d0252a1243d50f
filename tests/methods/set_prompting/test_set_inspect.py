from dataclasses import dataclass, field, replace

import pytest

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.inspect_orders import in_orders, rows_of
from parataxis.methods.set_prompting.summary import summarise


@dataclass
class Sample:
    """The fields of inspect-ai's."""

    input: str
    choices: list[str] | None
    target: str | list[str]
    id: int | str | None = None
    metadata: dict | None = None
    scores: dict = field(default_factory=dict)

    def model_copy(self, update):
        return replace(self, **update)


class Dataset(list):
    def __init__(self, samples, name=None, location=None):
        super().__init__(samples)
        self.name, self.location = name, location


@dataclass
class Answered:
    answer: str


@dataclass
class Log:
    samples: list
    status: str = "success"


GIVEN = Dataset(
    [Sample("Which?", ["w", "x", "y", "z"], "B", "q1", {"from": "here"}), Sample("And?", ["a", "b"], ["A"])], "mine"
)


def test_each_sample_stands_once_for_each_order():
    found = in_orders(GIVEN, "all")
    assert (found.name, len(found)) == ("mine", 24 + 2)
    for each in found[:24]:
        assert each.choices["ABCD".index(each.target)] == "x"
        assert each.metadata["from"] == "here"
    assert len({tuple(each.choices) for each in found[:24]}) == 24
    assert [(each.id, each.choices, each.target) for each in found[24:]] == [
        ("2/0", ["a", "b"], "A"),
        ("2/1", ["b", "a"], "B"),
    ]
    assert GIVEN[0].choices == ["w", "x", "y", "z"]


@pytest.mark.parametrize("status", ["error", "cancelled", "started"])
def test_a_log_that_was_cut_off_is_refused(status):
    with pytest.raises(BadInput, match=f"log: status='{status}': expected an evaluation that ended in success"):
        rows_of(Log([], status))


def test_a_log_becomes_rows():
    asked = in_orders(GIVEN)
    samples = [replace(each, scores={"choice": Answered("A" if each.id != "2/1" else "")}) for each in asked]
    first, second = rows_of(Log(samples[::-1]))[::-1]
    assert (first.id, first.choices, first.answer) == ("q1", ("w", "x", "y", "z"), 1)
    assert first.chosen == (0, 3)  # whatever was first
    assert (second.chosen, second.answer) == ((0, None), 0)
    assert summarise([first, second]).flips.value == 1


@pytest.mark.parametrize(
    "bad", [Sample("?", None, "A"), Sample("?", ["a", "b"], "C"), Sample("?", ["a", "b"], ["A", "B"])]
)
def test_samples_that_are_no_question(bad):
    with pytest.raises(BadInput, match="sample 1: target="):
        in_orders(Dataset([bad]))


def test_a_log_of_something_else():
    with pytest.raises(BadInput, match="was not put into orders"):
        rows_of(Log([Sample("?", ["a"], "A", 1)]))
