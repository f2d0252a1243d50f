import itertools
import math

import numpy as np
import pytest
from families import plain, prompter

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt
from parataxis.methods.set_prompting.asking import Likelihood, Written, match
from parataxis.methods.set_prompting.baselines import Answer, Once, Permuted, Pride, sampled
from parataxis.methods.set_prompting.orders import ascending, cyclic, descending, every, read_kind, stream, tried

SLOTS = (1.5, 0.2, 0.0, 0.7)  # log-weight that a made model gives to a slot
WORTH = {"bee": 0.9, "cat": 0.0, "owl": 1.0, "dog": -0.5}
PROMPT, OPTIONS = (
    SetPrompt("Which?\n", Set(["- owl\n", "- bee\n", "- dog\n", "- cat\n"]), "A:"),
    (
        "owl",
        "bee",
        "dog",
        "cat",
    ),
)


class Made:
    """A model that is for an option by its worth and its slot."""

    noisy = False

    def __init__(self, slots=SLOTS):
        self.slots, self.asked = slots, 0

    def __call__(self, prompt, candidates):
        assert tuple(f"- {each}\n" for each in candidates) == prompt.sets[0].members
        self.asked += 1
        return tuple(WORTH[each] + slot - 9 for each, slot in zip(candidates, self.slots, strict=False))

    def ahead(self, questions):
        pass

    def forget(self):
        pass


def permuted(order):
    return PROMPT.ordered(order), [OPTIONS[place] for place in order]


def answers(method):
    """By option, for every order of the prompt."""
    found = []
    for order in itertools.permutations(range(4)):
        prompt, candidates = permuted(order)
        answer = method.answer(prompt, candidates)
        found.append(dict(zip(candidates, answer.scores, strict=True)))
    return found


def shares(scores):
    total = sum(math.exp(each) for each in scores)
    return [math.exp(each) / total for each in scores]


def shared(order):
    """What the made model gives to each option in that order."""
    weights = [WORTH[each] + slot for each, slot in zip(order, SLOTS, strict=True)]
    return dict(zip(order, shares(weights), strict=True))


def test_asking_once_is_by_slot():
    scores = Once("plain", Made()).answer(PROMPT, OPTIONS)
    assert scores == Answer((1.0 + 1.5 - 9, 0.9 + 0.2 - 9, -0.5 - 9, 0.7 - 9), 1)


@pytest.mark.parametrize(("arrange", "first"), [(ascending, "bee"), (descending, "owl")])
def test_sorting_is_invariant_but_favours_a_slot(arrange, first):
    found = answers(Once("sort", Made(), arrange, invariant=True))
    assert all(each == found[0] for each in found)
    assert found[0][first] == WORTH[first] + SLOTS[0] - 9
    assert max(found[0], key=found[0].get) == first  # another for the other way: not symmetric


def test_all_orders_average_the_probabilities():
    found = answers(Permuted("permute-average", Made()))
    expected = dict.fromkeys(OPTIONS, 0.0)
    for order in itertools.permutations(OPTIONS):
        for option, share in shared(order).items():
            expected[option] += share / 24
    for each in found:
        assert each == pytest.approx(expected)


def test_cyclic_orders_put_every_option_into_every_slot():
    method = Permuted("permute-average-cyclic", Made(), cyclic=True)
    answer = method.answer(PROMPT, OPTIONS)
    assert (answer.calls, method.ask.asked) == (4, 4)
    expected = np.zeros(4)
    for shift in range(4):
        order = [OPTIONS[(slot + shift) % 4] for slot in range(4)]
        share = shared(order)
        expected += [share[each] / 4 for each in OPTIONS]
    assert answer.scores == pytest.approx(expected)
    assert all(sorted(slot) == [0, 1, 2, 3] for slot in zip(*cyclic(4), strict=True))
    assert not method.invariant


def test_a_majority_of_all_orders():
    method = Permuted("majority-vote", Made(), vote=True)
    found = answers(method)
    votes = dict.fromkeys(OPTIONS, 0)
    for order in itertools.permutations(OPTIONS):
        votes[max(order, key=lambda each: WORTH[each] + SLOTS[order.index(each)])] += 1
    for each in found:
        assert {option: int(score) for option, score in each.items()} == votes
    assert method.ask.asked == 24 * 24


def test_a_draw_goes_to_the_mean_probability():
    slots = (9.0, 0.0)
    tie = SetPrompt("Q", Set(["- cat\n", "- owl\n"]), "A")
    answer = Permuted("majority-vote", Made(slots), vote=True).answer(tie, ("cat", "owl"))
    assert answer.best(("cat", "owl")) == 1


def test_among_equals_the_order_is_not_seen():
    answer = Answer((2.0, 1.0, 2.0), 1)
    assert answer.best(("b", "c", "a")) == 2
    assert answer.best(("a", "c", "b")) == 0
    assert Answer((0.0, 0.0), 1).best(("a", "b")) is None


# -- PriDe ---------------------------------------------------------------------------------------------------------


def test_pride_recovers_the_slots_of_a_made_model():
    method = Pride(Made(), [(PROMPT, OPTIONS)])
    learnt = np.exp(method.learn()[4])
    assert learnt == pytest.approx(shares(SLOTS))  # worth is the same in every slot, so that it cancels
    other, candidates = SetPrompt("Other?\n", PROMPT.sets[0], "A:"), OPTIONS
    answer = method.answer(other, candidates)
    plain_scores = [WORTH[each] for each in OPTIONS]
    assert np.diff(answer.scores) == pytest.approx(np.diff(plain_scores))


def test_pride_counts_what_it_reads():
    questions = [(SetPrompt(f"{n}?\n", PROMPT.sets[0], "A:"), OPTIONS) for n in range(20)]
    method = Pride(Made(), questions[:1])
    found = [method.answer(*each) for each in questions]
    assert sum(each.calls for each in found) == method.ask.asked == 23
    assert 23 / 20 == 1.15  # a twentieth in four orders, the others once
    assert found[0].scores == Permuted("", Made(), cyclic=True).answer(*questions[0]).scores


def test_pride_leaves_sizes_that_it_has_not_seen():
    short = (SetPrompt("Q", Set(["- owl\n", "- bee\n"]), "A"), ("owl", "bee"))
    scores = Pride(Made(), [(PROMPT, OPTIONS)]).answer(*short).scores
    assert np.exp(scores) == pytest.approx(shares([1.0 + 1.5, 0.9 + 0.2]))


def test_the_sample_is_a_twentieth_of_each_size_and_no_matter_of_places():
    keys = [f"q{n}" for n in range(60)]
    sizes = [4] * 40 + [3] * 20
    found = sampled(keys, sizes)
    assert sum(place < 40 for place in found) == 2
    assert sum(place >= 40 for place in found) == 1
    backwards = sampled(keys[::-1], sizes[::-1])
    assert {keys[::-1][place] for place in backwards} == {keys[place] for place in found}
    assert sampled(keys, sizes, seed=1) != found


# -- orders --------------------------------------------------------------------------------------------------------


def test_the_given_order_first_then_the_reversed():
    assert tried(3, "two") == [(0, 1, 2), (2, 1, 0)]
    assert tried(3, "given") == [(0, 1, 2)]
    assert sorted(tried(3, "all")) == sorted(itertools.permutations(range(3)))
    assert tried(3, "all")[:2] == tried(3, "two")
    assert tried(2, "all") == tried(2, 9) == [(0, 1), (1, 0)]
    some = tried(5, 10, 0, "a question")
    assert len(set(some)) == 10
    assert some[:2] == [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)]
    assert tried(5, 12, 0, "a question")[:10] == some
    assert tried(5, 10, 0, "another") != some


@pytest.mark.parametrize("kind", ["one", "1", "0", "-3", "²"])
def test_other_orders_are_refused(kind):
    with pytest.raises(BadInput, match="expected two, all, or a number"):
        read_kind(kind)


def test_too_many_orders_are_refused():
    assert len(every(range(6))) == 720
    with pytest.raises(BadInput, match="7 options have 5,040 orders"):
        tried(7, "all")


def test_a_stream_depends_on_its_names_alone():
    assert stream("a", 1).random() == stream("a", 1).random() != stream("a", 2).random()


@pytest.mark.parametrize(
    ("prompt", "candidates", "told"),
    [
        (SetPrompt("Q"), ("a",), "has 0 sets"),
        (SetPrompt("Q", Set(["a"]), "and", Set(["b"]), "A"), ("a",), "has 2 sets"),
        (PROMPT, ("a",), "there are 1, and 4 options"),
    ],
)
def test_prompts_that_are_no_question(prompt, candidates, told):
    for method in (Once("plain", Made()), Permuted("", Made()), Pride(Made(), [])):
        with pytest.raises(BadInput, match=told):
            method.answer(prompt, candidates)


# -- who is asked --------------------------------------------------------------------------------------------------


def test_all_orders_of_a_set_are_one_reading():
    sets, flat = Likelihood(prompter()), Likelihood(plain())
    for ask, readings in ((sets, 1), (flat, 24)):
        found = answers(Once("", ask))
        assert ask.asked == readings
        same = all(each == found[0] for each in found)
        assert same == (readings == 1)
    direct = prompter().score(PROMPT, sorted(OPTIONS)).tolist()
    assert [found_by[each] for found_by in [answers(Once("", sets))[5]] for each in sorted(OPTIONS)] == direct


def test_what_was_read_is_forgotten_in_time(monkeypatch):
    monkeypatch.setattr("parataxis.methods.set_prompting.asking.MOST_KEPT", 2)
    ask = Likelihood(prompter())
    for letter in "abca":
        ask(SetPrompt(letter, Set(["x", "y"]), "z"), ("x", "y"))
    assert ask.asked == 4
    ask(SetPrompt("a", Set(["y", "x"]), "z"), ("y", "x"))
    assert ask.asked == 4


CHOICES = ("Paris", "New York", "York", "-5", "5", "Dr. No")


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ("Paris", "Paris"),
        ('"paris".', "Paris"),
        ("- Paris", "Paris"),
        ("The answer is **New  York**.", "New York"),
        ("York, of course; not Paris", "York"),
        ("Answer: -5", "-5"),
        ("5", "5"),
        ("dr. no", "Dr. No"),
        ("It is Paris or York.", None),
        ("Parisian", None),
        ("", None),
        ("None of these", None),
    ],
)
def test_what_was_written_is_matched(written, chosen):
    assert match(written, CHOICES) == chosen
    assert match(written, CHOICES[::-1]) == chosen


def test_an_endpoint_is_asked_for_text():
    class Endpoint:
        def ask(self, messages):
            (message,) = messages
            return message["content"].splitlines()[1]  # whatever stands first

    ask = Written(Endpoint())
    assert ask(PROMPT, OPTIONS) == (1.0, 0.0, 0.0, 0.0)
    assert Permuted("majority-vote", ask, vote=True).answer(PROMPT, OPTIONS).scores == pytest.approx((6.25,) * 4)
    ask.forget()
    assert ask(PROMPT, ("x", "y", "z", "w")) == (0.0,) * 4
