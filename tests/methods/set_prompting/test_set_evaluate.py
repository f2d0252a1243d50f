import json

import pytest
from families import plain, prompter

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.asking import Likelihood
from parataxis.methods.set_prompting.baselines import Once, Permuted
from parataxis.methods.set_prompting.evaluate import Posed, evaluate
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.templates import TEMPLATES, pose

QUESTIONS = [
    Question("a", "Which flies?", ("a bee", "the owl", "bat", "ab heron"), 1),
    Question("b", "Which swims?", ("an eel", "the bat", "a cab"), 0),
]
POSED = [Posed(each, *pose(each, TEMPLATES["list"])) for each in QUESTIONS]


class Slot:
    """For whatever stands in one slot."""

    noisy = False

    def __init__(self, slot):
        self.slot, self.asked = slot, 0

    def __call__(self, prompt, candidates):
        self.asked += 1
        return tuple(float(place == self.slot) for place in range(len(candidates)))

    def ahead(self, questions):
        pass

    def forget(self):
        pass


def test_choices_are_places_in_the_question_whatever_the_order():
    (first, second) = evaluate(POSED, [Once("plain", Slot(0))], "all", model="m")
    assert len(first.orders) == 24
    assert first.chosen == tuple(order[0] for order in first.orders)
    assert first.slots == [order.index(1) for order in first.orders]
    assert first.right == [order[0] == 1 for order in first.orders]
    assert all(scores[order[0]] == 1 for scores, order in zip(first.scores, first.orders, strict=True))
    assert (first.calls, second.calls, len(second.orders)) == (24, 6, 6)


def test_an_audit_of_all_orders_reads_a_set_once():
    sets, flat = Likelihood(prompter()), Likelihood(plain())
    methods = [Once("plain", flat), Permuted("permute-average", flat), Once("set-based", sets, invariant=True)]
    rows = evaluate(POSED, methods, "all", model="tiny")
    assert (sets.asked, flat.asked) == (2, 24 + 6)
    by_method = {each.method: each for each in rows if each.id == "a"}
    assert len(set(by_method["set-based"].scores)) == 1
    assert len(set(by_method["plain"].scores)) == 24
    assert by_method["permute-average"].calls == 24 * 24  # what it costs whoever has no audit to share


def test_a_prompt_is_laid_out_once(monkeypatch):
    """For its place among what was read, and to be read."""
    ask, laid_out = prompter(), []
    monkeypatch.setattr(ask, "lay_out", lambda prompt: laid_out.append(prompt) or SetPrompter.lay_out(ask, prompt))
    for scoring in ("sum", "paper"):
        asked = [(POSED[0].prompt, POSED[0].candidates), (POSED[1].prompt, POSED[1].candidates)]
        Likelihood(ask, scoring).ahead(asked)
        assert laid_out == [each.prompt for each in POSED]
        laid_out.clear()


def test_choices_that_read_alike_do_not_flip():
    twice = Question("t", "Which?", ("a bee", "a bee", "bat"), 1)
    rows = evaluate([Posed(twice, *pose(twice, TEMPLATES["list"]))], [Once("plain", Slot(0))], "two", model="m")
    assert (rows[0].chosen, rows[0].answer, rows[0].right) == ((0, 2), 0, [True, False])
    rows = evaluate([Posed(twice, *pose(twice, TEMPLATES["list"]))], [Once("plain", Slot(1))], "all", model="m")
    assert set(rows[0].chosen) == {0, 2}


def test_rows_are_kept_and_not_asked_for_again(tmp_path):
    journal = tmp_path / "out" / "rows.jsonl"
    ask = Slot(0)
    told = []
    first = evaluate(POSED, [Once("plain", ask)], model="m", journal=journal, watch=lambda *done: told.append(done))
    assert (ask.asked, told) == (4, [(0, 2), (1, 2), (2, 2)])
    with open(journal, "a") as stream:
        stream.write('{"key": "cut of')
    again = evaluate(POSED, [Once("plain", ask)], model="m", journal=journal)
    assert again == first
    assert ask.asked == 4
    for options in ({"model": "other"}, {"kind": 3, "model": "m"}):
        evaluate(POSED, [Once("plain", ask)], journal=journal, **options)
    assert ask.asked == 4 + 4 + 6
    assert [json.loads(line)["method"] for line in journal.read_text().splitlines()] == ["plain"] * 6


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    class Killed(Exception):
        pass

    def watch(done, total):
        if done == 1:
            raise Killed

    ask, journal = Slot(0), tmp_path / "rows.jsonl"
    with pytest.raises(Killed):
        evaluate(POSED, [Once("plain", ask)], model="m", journal=journal, watch=watch)
    rows = evaluate(POSED, [Once("plain", ask)], model="m", journal=journal)
    assert ask.asked == 4
    assert [row.id for row in rows] == ["a", "b"]


def test_a_corrected_key_needs_no_new_answers(tmp_path):
    ask, journal = Slot(0), tmp_path / "rows.jsonl"
    evaluate(POSED, [Once("plain", ask)], model="m", journal=journal)
    mended = Question("a", "Which flies?", QUESTIONS[0].choices, 0)
    (row,) = evaluate(
        [Posed(mended, *pose(mended, TEMPLATES["list"]))], [Once("plain", ask)], model="m", journal=journal
    )
    assert (ask.asked, row.answer, row.right) == (4, 0, [True, False])


def test_noise_is_asked_for_once_a_question_by_plain_alone():
    class Fickle(Slot):
        noisy = True

        def __call__(self, prompt, candidates):
            self.slot = self.asked % 3
            return super().__call__(prompt, candidates)

    ask = Fickle(0)
    rows = evaluate(POSED, [Once("plain", ask), Once("sort", ask)], model="m", noisy=ask)
    assert [len(row.again) for row in rows] == [1, 0, 1, 0]
    assert ask.asked == 2 * (3 + 2)
    assert rows[0].chosen[0] != rows[0].again[0]


def test_a_prompt_that_does_not_fit_names_its_question():
    long = Question("too long", "a" * 300, ("b", "c"), 0)
    with pytest.raises(BadInput, match=r"question too long: prompt: needs \d+ positions"):
        evaluate([Posed(long, *pose(long, TEMPLATES["list"]))], [Once("plain", Likelihood(plain()))], model="m")
