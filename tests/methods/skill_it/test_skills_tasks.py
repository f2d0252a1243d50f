"""The generators recover their truth, the baselines their schedules, and a training goes on where it was cut."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.errors import BadInput


def sentences(n, seed=0, **options):
    from parataxis.methods.skill_it import lego

    return lego.sentences(n, np.random.default_rng(seed), **options)


def read(text):
    """The bit of each variable of a LEGO sentence, by following its clauses; and what it is said to be."""
    given, _, answer = text.removeprefix("Input: ").partition(". Output: ")
    clauses = {left: right.split() for left, right in (each.split(" = ") for each in given.split(" , "))}

    def bit(name):
        operator, value = clauses[name]
        found = int(value) if value in "01" else bit(value)
        return 1 - found if operator == "not" else found

    asked, said = answer.split(" = val ")
    return bit(asked), int(said), clauses, asked


@pytest.mark.parametrize("shape", ["chain", "two_chains", "binary_tree"])
def test_a_sentence_says_what_its_clauses_say(shape):
    from parataxis.methods.skill_it import lego

    parents = getattr(lego, shape)(5)
    found = sentences(200, parents=parents)
    asked = np.arange(200) % 5
    for row, text in enumerate(found.texts(asked)):
        true, said, clauses, name = read(text)
        assert true == said == found.bits[row, asked[row]]
        assert len(clauses) == 5
        assert name == lego.ALPHABET[found.names[row, asked[row]]]


def test_a_sentence_by_hand():
    from parataxis.methods.skill_it.lego import Sentences, chain

    one = Sentences(np.array([[1, 0, 2]]), np.array([[1, 0, 0]]), np.array([[2, 0, 1]]), chain(3))
    assert one.texts(np.array([1])) == ["Input: c = val a , b = val 1 , a = not b. Output: a = val 0"]


def test_every_sentence_is_there_once_and_as_likely():
    from parataxis.methods.skill_it.lego import chain, space

    there = space(chain(2), 3)
    assert there == 3 * 2 * 4 * 2
    found = sentences(there, parents=chain(2), names=3)
    rows = {tuple(map(int, np.concatenate(each))) for each in zip(found.names, found.bits, found.order, strict=True)}
    assert len(rows) == there
    few = Counter(sentences(6, seed, parents=chain(2), names=3).names[0].tobytes() for seed in range(300))
    assert len(few) == 6
    assert max(few.values()) < 3 * min(few.values())


@given(n=st.integers(1, 300), there=st.integers(300, 2000))
def test_codes_are_distinct(n, there):
    from parataxis.methods.skill_it.lego import distinct_codes

    found = distinct_codes(n, there, np.random.default_rng(0))
    assert len(set(found.tolist())) == n
    assert 0 <= found.min() <= found.max() < there


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 97, "parents": (-1, 0), "names": 3}, "n=97: there are but 48 different sentences of 2 variables"),
        ({"n": 1, "names": 4}, "names=4: expected from 5"),
        ({"n": 1, "parents": tuple(range(-1, 12))}, "more than 2\\*\\*63 sentences"),
    ],
)
def test_too_small_a_space_is_told_at_once(options, said):
    with pytest.raises(BadInput, match=said):
        sentences(**options)


def test_symbols_tell_clauses_apart():
    """Two sentences have the same symbols, in whatever order of clauses, only if they say the same."""
    from parataxis.methods.skill_it.lego import clause_symbols, symbols_of

    found = sentences(500, names=6)
    asked = np.arange(500) % 5
    symbols = clause_symbols(found, asked, 6)
    assert symbols.min() >= 0
    assert symbols.max() < symbols_of(6)
    texts = found.texts(asked)
    for a, b in pairwise(range(500)):
        alike = sorted(map(tuple, symbols[a, :5].tolist())) == sorted(map(tuple, symbols[b, :5].tolist()))
        assert alike == (
            sorted(texts[a][7:].split(". ")[0].split(" , ")) == sorted(texts[b][7:].split(". ")[0].split(" , "))
        )


def test_addition_adds():
    from parataxis.methods.skill_it import addition

    pairs = np.array([[57, 968], [999, 1]])
    asked = np.array([1, 2])
    assert addition.texts(pairs, asked) == [
        "Input: A = 0 5 7 + 9 6 8 , A 1 = ? Output: 2",
        "Input: A = 9 9 9 + 0 0 1 , A 2 = ? Output: 0",
    ]
    symbols = addition.digit_symbols(pairs, asked)
    assert symbols[0, 0].tolist() == [7, 10 + 8, 20]
    assert symbols.max() < addition.symbols_of()
    with pytest.raises(BadInput, match="n=101: there are but 100 pairs"):
        addition.pairs(101, np.random.default_rng(0), 1)
    every = addition.pairs(100, np.random.default_rng(0), 1)
    assert len(np.unique(every, axis=0)) == 100


def test_group_curricula_go_from_skill_to_skill():
    from parataxis.methods.skill_it.baselines import skill_curriculum

    losses = {"a": 2.0, "b": 1.0, "c": 3.0}
    easy, hard = skill_curriculum(losses), skill_curriculum(losses, hardest_first=True)
    assert [next(name for name, weight in phase.items() if weight == 1) for phase in easy.phases[:3]] == ["b", "a", "c"]
    assert [next(name for name, weight in phase.items() if weight == 1) for phase in hard.phases[:3]] == ["c", "a", "b"]
    easy.round = 7
    assert list(easy.weights.values()) == [pytest.approx(1 / 3)] * 3


def test_curricula_over_examples_draw_from_the_easiest_first():
    from parataxis.methods.skill_it.baselines import curriculum

    rows, losses = np.arange(100, 160), np.arange(60.0)[::-1].copy()
    order = curriculum(rows, losses, 3, np.random.default_rng(0))
    assert len(order) == 60
    for number, part in enumerate(np.split(order, 3), 1):
        assert len(set(part.tolist())) == 20, "without replacement in a round"
        assert part.min() >= 160 - 20 * number, "the first r / T of the sorted list"
    hardest = curriculum(rows, losses, 3, np.random.default_rng(0), hardest_first=True)
    assert set(hardest[:20].tolist()) == set(range(100, 120))
    with pytest.raises(BadInput, match="rounds=61"):
        curriculum(rows, losses, 61, np.random.default_rng(0))


def test_mixtures():
    from parataxis.methods.skill_it import SkillGraph, baselines

    assert baselines.random({"a": np.arange(3), "b": np.arange(1)}).weights == {"a": 0.75, "b": 0.25}
    assert baselines.stratified("abc", ["a", "c"]).weights == {"a": 0.5, "b": 0.0, "c": 0.5}
    weights = baselines.static(SkillGraph(np.array([[1.0], [0.0]]), ("a", "b"), ("a",)), 1.0).weights
    assert weights["a"] == pytest.approx(np.e / (1 + np.e))
    with pytest.raises(BadInput, match="weights: skill 'b': -1 must be at least 0"):
        baselines.fixed({"a": 1.0, "b": -1.0}, "ab")
    with pytest.raises(BadInput, match="weights: skill 'z' is unknown"):
        baselines.fixed({"z": 1.0}, "ab")


def small_task(**options):
    from parataxis.methods.skill_it.tasks import lego_task
    from parataxis.nn.fit import named

    return lego_task(named(0), 60, validation=6, depth=1, width=8, **options)


def test_training_and_validation_share_no_sentence():
    task = small_task()
    parts = [rows for part in (task.groups, task.validation, task.test) for rows in part.values()]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(task.x)))
    assert len({len(rows) for rows in task.groups.values()}) == 1


def trained(stop=None, checkpoint=None):
    from parataxis.methods.skill_it import SkillGraph, SkillIt
    from parataxis.methods.skill_it.training import Mixing, Plan, train
    from parataxis.nn.fit import named

    task, plan = small_task(), Plan(12, 5, 6, 2, warm_up=2)
    control = SkillIt(SkillGraph(np.eye(5), task.skills, task.skills))
    source = Mixing(task, control, plan, 3)
    seen = []

    def watched(epoch):
        for batch in source(epoch):
            seen.append(batch)
            yield batch

    def tell(done, total, word):
        if done == stop:
            raise KeyboardInterrupt

    _, fitted = train(task, watched, plan, named(0), checkpoint=checkpoint, tell=tell)
    return fitted.history, source, seen


def test_a_training_that_was_cut_goes_on_with_the_same_batches(tmp_path):
    from parataxis.nn.fit import Checkpoint

    whole, source, batches = trained()
    keep = Checkpoint(tmp_path / "fit.pt", every=0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(4, keep)
    rest, again, later = trained(checkpoint=keep)
    assert rest.equals(whole)
    assert again.controller.history.equals(source.controller.history)
    assert again.weights == source.weights
    assert later == batches[-len(later) :]
    assert again.sampler.drawn == source.sampler.drawn


def test_records_go_to_the_controller():
    history, source, _ = trained()
    assert source.controller.round == 1, "the last round's records end the training: nothing follows them"
    first = source.controller.records[0]
    assert first == {name: history[f"validation {name}"].iloc[0] for name in source.task.skills}
    assert source.weights[1] == source.controller.weights


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"record_every": 3}, "update_every=400: expected a multiple of record_every=3; take 399"),
        ({"steps": 500}, "steps=500: expected a multiple of update_every=400; take 400"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_bad_plans(options, said):
    from parataxis.methods.skill_it.training import Plan

    with pytest.raises(BadInput, match=said):
        Plan(**options)


def test_characters_know_what_was_before_in_the_line():
    from parataxis.methods.skill_it.languages import Line, character_task

    lines = [
        Line("s", part, text) for part, text in (("train", "ab"), ("train", "b"), ("validation", "a"), ("test", "ba"))
    ]
    task = character_task(lines, context=2)
    a, b = 1, 2
    rows = task.groups["s"]
    assert task.x[rows].tolist() == [[0, 0], [0, a], [0, 0]]
    assert task.y[rows].tolist() == [a, b, b]
    assert task.evaluate(task.build())["test s"] == pytest.approx(np.log(3)), "knowing nothing, of three symbols"


def test_equal_texts_fall_into_one_part(tmp_path):
    from parataxis.methods.skill_it.languages import read_lines

    path = tmp_path / "texts.csv"
    path.write_text("topic,body\n" + "\n".join(f"s,text {n % 40}" for n in range(80)) + "\n")
    lines = read_lines(path, skill_column="topic", text_column="body")
    assert lines[:40] == lines[40:]
    assert {line.part for line in lines} == {"train", "validation", "test"}


def test_natural_instructions_are_grouped_by_their_categories(tmp_path):
    from parataxis.methods.skill_it.instructions import read_tasks
    from parataxis.methods.skill_it.jobs import Data

    for name, categories in (("a", ["Question Generation", "Other"]), ("b", ["Echo"])):
        instances = [{"input": f"{name} {n}", "output": [f"{n}", "another"]} for n in range(60)]
        task = {"Definition": ["Do it."], "Categories": categories, "Input_language": ["Spanish"]}
        (tmp_path / f"{name}.json").write_text(json.dumps({**task, "Instances": instances}))
    lines = read_tasks(tmp_path)
    assert Counter(line.skill for line in lines) == {"Question Generation": 60, "Echo": 60}
    assert "Do it. Input: a 7 Output: 7" in {line.text for line in lines}
    assert {line.part for line in lines} == {"train", "validation", "test"}
    named = read_tasks(tmp_path, ["Categories", "Input_language"])
    assert {line.skill for line in named} == {"Question Generation Spanish", "Echo Spanish"}
    data = Data(tmp_path)
    assert data.task().skills == ("Echo", "Question Generation")
    before = data.content()
    (tmp_path / "b.json").write_text((tmp_path / "b.json").read_text().replace("b 7", "b 70"))
    assert data.content() != before, "another text is another training: it must not go on from this one's checkpoint"
