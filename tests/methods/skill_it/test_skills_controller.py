"""The rule, against the formula written out by hand, and its exact symmetries."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput

LEGO = np.array([[1, 0, 0, 0, 0], [0.5, 1, 0.5, 0.5, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1.0]])
NAMES = ("a", "b", "c", "d", "e")


def skill_it(matrix=LEGO, names=NAMES, columns=None, **options):
    from parataxis.methods.skill_it import SkillGraph, SkillIt

    return SkillIt(SkillGraph(np.array(matrix), tuple(names), tuple(columns or names)), **options)


def values(weights):
    return np.array(list(weights.values()))


def softmax(x):
    shifted = np.exp(np.array(x) - max(x))
    return shifted / shifted.sum()


def losses(*numbers, names=NAMES):
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def test_first_weights_by_hand():
    # row sums of the authors' graph: 1, 2.5, 1, 1, 1; eta 0.5
    expected = softmax([0.5, 1.25, 0.5, 0.5, 0.5])
    assert values(skill_it().weights) == pytest.approx(expected, abs=1e-15)


def test_a_window_is_of_records_and_forgets():
    found = skill_it(window=2)
    for first in (9.0, 1.0, 2.0):
        found.record(losses(first, 0, 0, 0, 0))
    # 9 is forgotten; S_a = 3: a gets 3, b half of it
    assert values(found.update()) == pytest.approx(softmax([1.5, 0.75, 0, 0, 0]), abs=1e-15)
    assert found.round == 1
    assert list(found.history["records"]) == [0, 3]


def test_a_mean_is_the_sum_with_eta_over_the_window():
    one, other = skill_it(window=3, accumulate="mean", eta=0.6), skill_it(window=3, eta=0.2)
    for row in np.random.default_rng(0).random((3, 5)):
        one.record(losses(*row))
        other.record(losses(*row))
    assert values(one.update()) == pytest.approx(values(other.update()), abs=1e-15)


def test_normalised_losses_have_no_unit():
    one, other = skill_it(normalize=True), skill_it(normalize=True)
    raw = skill_it()
    for row in 1 + np.random.default_rng(0).random((4, 5)):
        one.update(losses(*row))
        other.update(losses(*(100 * row)))
        raw.update(losses(*(100 * row)))
    assert values(one.weights) == pytest.approx(values(other.weights), abs=1e-12)
    assert np.abs(values(one.weights) - values(raw.weights)).max() > 0.1, "without it the unit rescales eta"


def test_eta_by_the_inverse_loss():
    found = skill_it(np.eye(5), window=1, eta_schedule="inverse_loss")
    found.update(losses(1, 1, 1, 1, 1))
    # all losses halved: eta twice 0.5
    assert values(found.update(losses(0.9, 0.4, 0.4, 0.4, 0.4))) == pytest.approx(
        softmax([0.9, 0.4, 0.4, 0.4, 0.4]), abs=1e-15
    )
    assert list(found.history["eta"]) == [0.5, 0.5, 1.0]
    assert np.isfinite(values(found.update(losses(0, 0, 0, 0, 0)))).all(), "a perfect answer is no NaN"
    assert found.history["eta"].iloc[-1] == 1.0


def test_damping_halves_the_other_edges():
    found = skill_it(window=1, damping=0.5)
    assert values(found.update(losses(1, 1, 1, 1, 1))) == pytest.approx(softmax([0.5, 0.875, 0.5, 0.5, 0.5]), abs=1e-15)
    assert values(found.update(losses(1, 1, 1, 1, 1))) == pytest.approx(
        softmax([0.5, 0.6875, 0.5, 0.5, 0.5]), abs=1e-15
    )


def test_lone_skills_keep_their_share():
    found = skill_it(lone="uniform")  # e alone has no edge to or from another
    assert found.weights["e"] == pytest.approx(0.2, abs=1e-15)
    assert values(found.weights)[:4] == pytest.approx(0.8 * softmax([0.5, 1.25, 0.5, 0.5]), abs=1e-15)
    assert values(skill_it(np.eye(5), lone="uniform").weights) == pytest.approx(np.full(5, 0.2), abs=1e-15)
    found.update(losses(1, 2, 3, 4, 5))
    assert found.prior.tolist() == [1.0] * 5, "the prior is not overwritten"


def test_no_edges_and_equal_edges_are_uniform():
    for matrix in (np.zeros((5, 5)), np.full((5, 5), 0.7), np.ones((5, 1)) @ np.arange(5.0)[None]):
        found = skill_it(matrix)
        found.update(losses(1, 2, 3, 4, 5))
        assert values(found.weights) == pytest.approx(np.full(5, 0.2), abs=1e-12)


def test_the_identity_follows_the_losses():
    found = values(skill_it(np.eye(5)).update(losses(0.1, 0.2, 0.3, 0.4, 0.5)))
    assert np.all(np.diff(found) > 0)


def test_a_vanishing_eta_leaves_the_prior():
    prior = losses(1, 2, 3, 4, 0)
    found = skill_it(eta=1e-300, prior=prior)
    found.update(losses(5, 4, 3, 2, 1))
    assert values(found.weights) == pytest.approx(np.array([1, 2, 3, 4, 0]) / 10, abs=1e-15)


def test_one_skill_has_all():
    assert skill_it([[2.0]], "x").update({"x": 3.0}) == {"x": 1.0}


@settings(max_examples=50)
@given(
    scale=st.floats(1e-3, 1e4),
    table=st.lists(st.floats(0, 1), min_size=12, max_size=12),
    numbers=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_weights_are_always_a_mixture(scale, table, numbers):
    found = skill_it(np.array(table).reshape(4, 3), "abcd", "xyz", eta=scale, window=1)
    for weights in (values(found.weights), values(found.update(losses(*numbers, names="xyz")))):
        assert math.fsum(weights) == pytest.approx(1, abs=1e-12)
        assert np.isfinite(weights).all()
        assert (weights > 0).all()


def test_huge_exponents_stay_finite():
    found = skill_it(np.eye(5), eta=1e4).update(losses(1, 0, 0, 0, 0.5))
    assert found["a"] == pytest.approx(1)
    assert all(weight > 0 for weight in found.values())


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_skills_columns_and_records_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    rows, columns = [f"t{n}" for n in range(6)], [f"e{n}" for n in range(4)]
    matrix, table = rng.normal(size=(6, 4)), rng.random((3, 4))
    p, q, w = rng.permutation(6), rng.permutation(4), rng.permutation(3)
    options = {"prior": {name: float(v) for name, v in zip(rows, rng.random(6) + 0.1, strict=True)}, "damping": 0.5}
    one = skill_it(matrix, rows, columns, **options)
    other = skill_it(matrix[p][:, q], [rows[n] for n in p], [columns[n] for n in q], **options)
    for row in table:
        one.record(losses(*row, names=columns))
    for row in table[w]:
        other.record({columns[n]: float(row[n]) for n in q})
    first, second = one.update(), other.update()
    assert list(second) == [rows[n] for n in p]
    assert all(abs(first[name] - second[name]) <= 1e-12 for name in rows)


def test_splitting_a_skill_in_two_doubles_its_mass():
    # a known non-invariance: two halves that are each like the whole
    whole = skill_it(np.eye(2), ["a", "b"]).update({"a": 1.0, "b": 1.0})
    halves = np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    split = skill_it(halves, ["a1", "a2", "b"], ["a", "b"]).update({"a": 1.0, "b": 1.0})
    assert whole["a"] == pytest.approx(1 / 2)
    assert split["a1"] + split["a2"] == pytest.approx(2 / 3)


def test_a_state_goes_on_where_it_was():
    rows = np.random.default_rng(0).random((6, 5))
    whole, first = (
        skill_it(damping=0.5, eta_schedule="inverse_loss"),
        skill_it(damping=0.5, eta_schedule="inverse_loss"),
    )
    for number, row in enumerate(rows):
        whole.record(losses(*row))
        if number % 2:
            whole.update()
    for number, row in enumerate(rows[:3]):
        first.record(losses(*row))
        if number % 2:
            first.update()
    second = skill_it(damping=0.5, eta_schedule="inverse_loss")
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for number, row in enumerate(rows[3:], 3):
        second.record(losses(*row))
        if number % 2:
            second.update()
    assert second.weights == whole.weights
    assert second.history.equals(whole.history)
    with pytest.raises(BadInput, match="another graph or other options"):
        skill_it(eta=0.4).load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: skill_it(eta=0.0), "eta=0.0: expected a number above 0"),
        (lambda: skill_it(eta=float("nan")), "eta=nan"),
        (lambda: skill_it(window=0), "window=0"),
        (lambda: skill_it(damping=2.0), "damping=2.0"),
        (lambda: skill_it(accumulate="max"), "accumulate='max': expected one of sum, mean"),
        (lambda: skill_it(lone="never"), "lone='never'"),
        (lambda: skill_it(prior=losses(0, 0, 0, 0, 0)), "prior: all are 0"),
        (lambda: skill_it(prior=losses(-1, 0, 0, 0, 0)), "prior: skill 'a': -1 must be at least 0"),
        (lambda: skill_it(prior={"a": 1.0}), "prior: skill 'b' is missing"),
        (lambda: skill_it().update(), "no losses have been recorded"),
        (lambda: skill_it().update({"a": 1.0}), "losses: skill 'b' is missing"),
        (lambda: skill_it().update({**losses(1, 1, 1, 1, 1), "z": 1.0}), "losses: skill 'z' is unknown"),
        (lambda: skill_it().update(losses(1, 1, math.nan, 1, 1)), "losses: skill 'c': nan must be finite"),
        (lambda: skill_it().update(losses(1, 1, 1, math.inf, 1)), "losses: skill 'd': inf must be finite"),
        (lambda: skill_it(normalize=True).update(losses(1, 0, 1, 1, 1)), "skill 'b': 0: the first record"),
        (lambda: skill_it(np.eye(4)), r"matrix: shape=\(4, 4\): expected \(5, 5\)"),
        (lambda: skill_it(np.full((5, 5), np.nan)), "edge 'a' -> 'a': nan must be finite"),
        (lambda: skill_it(np.eye(2), ["a", "a"]), "train_skills: skill 'a' stands twice"),
        (lambda: skill_it(np.eye(2), ["a", ""]), r"train_skills\[1\]=''"),
    ],
)
def test_bad_calls_name_the_skill(call, said):
    with pytest.raises(BadInput, match=said):
        call()


def test_no_torch_is_loaded():
    import subprocess
    import sys

    code = (
        "import sys; from parataxis.methods.skill_it import SkillIt, SkillGraph; "
        "SkillIt(SkillGraph([[1.0]], ('a',), ('a',))).update({'a': 1.0}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
