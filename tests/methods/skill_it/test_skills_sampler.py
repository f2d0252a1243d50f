"""Draws: exact counts, streams keyed by name, rounds that resume in their middle."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.errors import BadInput

GROUPS = {"a": range(7), "b": range(7, 27), "c": range(27, 127)}


def groups(names="abc"):
    return {name: np.array(GROUPS[name]) for name in names}


def sampler(weights=None, names="abc", controller=None, **options):
    from parataxis.methods.skill_it.sampler import Fixed, SkillBatchSampler

    weights = weights or {"a": 0.2, "b": 0.3, "c": 0.5}
    given = {"batch_size": 5, "round_size": 30, "seed": 3, **options}
    return SkillBatchSampler(groups(names), controller or Fixed({n: weights[n] for n in names}), **given)


def controller():
    from parataxis.methods.skill_it import SkillGraph, SkillIt

    return SkillIt(SkillGraph(np.eye(3), tuple("abc"), tuple("abc")), eta=1.0)


def begun(**options):
    found = sampler(**options)
    next(found.round())
    return found.state_dict()


def masked(rows):
    from parataxis.methods.skill_it.sampler import grouped

    return grouped({"a": rows})


def of(rows):
    """How many of each skill."""
    return Counter(name for name, its in GROUPS.items() for row in rows if row in its)


def flat(batches):
    return [row for batch in batches for row in batch]


@given(
    parts=st.lists(st.floats(0, 1), min_size=1, max_size=9).filter(lambda each: sum(each) > 0.01),
    total=st.integers(0, 1000),
)
def test_counts_sum_and_are_within_one_of_their_share(parts, total):
    from parataxis.methods.skill_it.draws import exact_counts

    weights = np.array(parts) / sum(parts)
    found = exact_counts(weights, total, [f"s{n}" for n in range(len(parts))])
    assert found.sum() == total
    assert np.abs(found - weights * total).max() < 1 + 1e-9
    assert (found[weights == 0] == 0).all(), "a skill without weight is never drawn"


def test_remainders_favour_no_place():
    from parataxis.methods.skill_it.draws import exact_counts

    # 10 of 4 skills: two get 3; by hand as often each. The authors' code gives the last one 4 every time
    names = ["d", "c", "b", "a"]
    table = np.array([exact_counts(np.full(4, 0.25), 10, names, (0, number)) for number in range(400)])
    assert set(table.ravel()) == {2, 3}
    assert np.abs(table.mean(0) - 2.5).max() < 0.1


def test_a_round_has_exact_counts_and_no_example_twice():
    rows = flat(sampler().round())
    assert of(rows) == {"a": 6, "b": 9, "c": 15}
    assert len(set(rows)) == 30
    first = [next(iter(of([row]))) for row in rows[:10]]
    assert len(set(first)) > 1, "the skills are mixed"


def test_a_skill_is_gone_through_before_it_is_shuffled_anew():
    found = sampler({"a": 1.0}, "a", round_size=35)
    rows = flat(found.round())
    assert [sorted(rows[at : at + 7]) for at in range(0, 35, 7)] == [list(range(7))] * 5
    assert len({tuple(rows[at : at + 7]) for at in range(0, 35, 7)}) > 1
    assert found.epochs == {"a": 5.0}
    assert found.drawn == {"a": 35}


@given(order=st.permutations("abc"), seed=st.integers(0, 50))
def test_the_place_of_a_skill_in_the_list_changes_no_draw(order, seed):
    one, other = sampler(seed=seed), sampler(names="".join(order), seed=seed)
    for _ in range(3):
        assert list(one.round()) == list(other.round())


def test_another_skill_beside_it_leaves_a_stream_as_it_was():
    one = flat(sampler({"a": 0.5, "b": 0.5}, "ab", round_size=10).round())
    other = flat(sampler({"a": 0.25, "b": 0.25, "c": 0.5}, round_size=20).round())
    assert [row for row in other if row < 27 and row < 7] == [row for row in one if row < 7]


def test_other_seeds_draw_others():
    assert flat(sampler().round()) != flat(sampler(seed=4).round())


@pytest.mark.parametrize("stop", [0, 1, 4, 6, 9])
def test_it_resumes_in_the_middle_of_a_round(stop):
    def batches(found, rounds=3):
        for _ in range(rounds):
            yield from found.round()

    whole = list(batches(sampler()))
    first = sampler()
    going = batches(first)
    begun = [next(going) for _ in range(stop)]
    second = sampler()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    rest = list(batches(second, 3 - stop // 6))
    assert begun + rest == whole
    assert second.drawn == {"a": 18, "b": 27, "c": 45}


@pytest.mark.parametrize("stop", range(13))
@pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 2), (1, 2)])
def test_it_resumes_anywhere_and_every_rank_alike(stop, rank, world):
    """Rounds of 6 batches whose weights change; a state after a round's last batch waits for the update."""
    losses = {"a": 0.1, "b": 1.0, "c": 3.0}

    def parts(controller, found):
        while controller.round < 3:
            yield from found.round()
            controller.update(losses)

    def made():
        control = controller()
        return control, sampler(controller=control, rank=rank, world=world)

    whole = list(parts(*made()))
    control, first = made()
    going = parts(control, first)
    begun = [batch for _, batch in zip(range(stop // world), going, strict=False)]
    again, second = made()
    again.load_state_dict(json.loads(json.dumps(control.state_dict())))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert begun + list(parts(again, second)) == whole
    assert len(whole) == 18 // world
    assert second.batches == 18


@pytest.mark.parametrize("given", [1, 2, 3])
def test_ranks_that_have_given_as_much_are_in_one_state(given):
    """Else, of weights that nobody updates, one would go on with a round that is over for the other."""
    found = [sampler(rank=rank, world=2) for rank in (0, 1)]
    for each in found:
        going = each.round()
        assert len([next(going) for _ in range(given)]) == given
    assert found[0].state_dict() == found[1].state_dict()


def test_iterating_that_was_resumed_ends_where_it_would_have():
    found = sampler(rounds=3)
    whole = list(sampler(rounds=3))
    going = iter(found)
    begun = [next(going) for _ in range(8)]
    again = sampler(rounds=3)
    again.load_state_dict(found.state_dict())
    assert begun + list(again) == whole
    assert len(list(again)) == 18  # another time over all rounds


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_batches_of_a_round(world):
    whole = list(sampler().round())
    parts = [list(sampler(rank=rank, world=world).round()) for rank in range(world)]
    assert [parts[at % world][at // world] for at in range(6)] == whole


def test_what_was_drawn_ahead_is_put_back_when_the_weights_change():
    control = controller()
    found = sampler(controller=control, rounds=2)
    going = iter(found)
    begun = [next(going) for _ in range(4)]
    control.update({"a": 0.0, "b": 0.0, "c": 50.0})
    rest = list(going)
    assert len(begun) + len(rest) == 12 == len(found)
    assert of(flat(rest)) == {"c": 40}, "the new weights hold from the next batch on"
    given = of(flat(begun))
    assert found.drawn == {"a": given["a"], "b": given["b"], "c": given["c"] + 40}
    rows = [row for row in flat(begun + rest) if row >= 27]
    assert len(rows) == len(set(rows)), "what was put back comes next: nothing is skipped, nothing given twice"


def test_the_state_before_what_was_drawn_ahead():
    control = controller()
    found = sampler(controller=control, rounds=3)
    going = iter(found)
    whole = [next(going) for _ in range(8)]
    again = sampler(controller=controller(), rounds=2)
    again.load_state_dict(found.state_dict(batches=5))
    assert [next(iter(again.round()))] == whole[5:6]


def test_the_plain_loop():
    control = controller()
    found = sampler(controller=control)
    counts = []
    for _ in range(3):
        rows = flat(found.round())
        counts.append(of(rows))
        control.update({"a": 0.1, "b": 0.1, "c": 3.0})
    assert counts[0] == {"a": 10, "b": 10, "c": 10}
    assert counts[1]["c"] > counts[0]["c"]
    assert sum(found.drawn.values()) == 90


def test_a_column_of_skills_serves_as_groups():
    from parataxis.methods.skill_it.sampler import grouped

    found = grouped(["b", "a", "b", "c"])
    assert {name: rows.tolist() for name, rows in found.items()} == {"a": [1], "b": [0, 2], "c": [3]}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sampler(batch_size=0), "batch_size=0"),
        (lambda: sampler(round_size=31), "round_size=31: expected a multiple of batch_size times world, 5; take 30"),
        (lambda: sampler(rank=2, world=2), "rank=2: expected 0 to 1"),
        (
            lambda: list(sampler({"a": 0.5, "b": 0.5}, "ab", replacement=False).round()),
            "skill 'a': 15 examples .* of 7",
        ),
        *(
            (lambda other=other: sampler(**other).load_state_dict(begun()), f"state_dict: {next(iter(other))}=")
            for other in ({"batch_size": 10}, {"round_size": 60}, {"seed": 4})
        ),
        (lambda: masked([True, False, True]), "skill 'a': expected row numbers from 0 on; of a mask, np.flatnonzero"),
        (lambda: masked([3, -1]), "skill 'a': expected row numbers"),
        (lambda: sampler().load_state_dict(begun(names="ab")), "skill 'c' is not in both the state and the controller"),
    ],
)
def test_bad_calls_name_the_skill(call, said):
    with pytest.raises(BadInput, match=said):
        call()


def test_a_skill_without_rows_must_have_no_weight():
    from parataxis.methods.skill_it.sampler import Fixed, SkillBatchSampler

    found = SkillBatchSampler({"a": np.arange(7)}, Fixed({"a": 0.5, "b": 0.5}), 5, 10)
    with pytest.raises(BadInput, match="skill 'b' has no training rows"):
        next(found.round())
    found = SkillBatchSampler({"a": np.arange(7)}, Fixed({"a": 1.0, "b": 0.0}), 5, 10)
    assert len(flat(found.round())) == 10


def test_without_replacement_no_example_is_given_twice_in_a_run():
    found = sampler({"c": 1.0}, "c", replacement=False, round_size=50)
    rows = flat(found.round()) + flat(found.round())
    assert sorted(rows) == list(range(27, 127))
    with pytest.raises(BadInput, match="skill 'c': 50 examples are to be drawn, of 100 there are 0 left"):
        next(found.round())
