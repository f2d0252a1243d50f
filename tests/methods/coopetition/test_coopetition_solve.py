"""The solver against closed forms, best responses and a direct maximiser; its certificate; what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from parataxis.errors import BadInput
from parataxis.methods.coopetition import Custom, Game, Interdependence, Log, Power, case
from parataxis.methods.coopetition.solve import CHUNK, solve
from parataxis.methods.coopetition.study_inputs import random_game

FORMS = ("log", "power")


def slcd(form="log", **changes):
    return case("slcd").game(form).replaced(**changes)


def even(n, dependence, **parts):
    """n actors who all depend on each other alike."""
    return Game(Interdependence(tuple("abcdefgh"[:n]), dependence * (1 - np.eye(n))), **parts)


@given(st.integers(2, 6), st.floats(0, 1), st.floats(0, 0.9), st.floats(2, 60))
@settings(max_examples=40)
def test_symmetric_actors_log(n, dependence, gamma, theta):
    """(1 + a) / theta = 1 / (1 - k), k = w gamma / N: N counts in it."""
    w = (1 + (n - 1) * dependence) / n
    found = even(n, dependence, gamma=gamma, value=Log(theta)).equilibrium(box=None)
    assert found.actions == pytest.approx(n * [theta / (1 - w * gamma / n) - 1], rel=1e-10)


@given(st.integers(2, 6), st.floats(0, 1), st.floats(0, 0.9), st.floats(0.1, 0.9))
@settings(max_examples=40)
def test_symmetric_actors_power(n, dependence, gamma, beta):
    """a / a0 = (1 - k)^(-1 / (1 - beta)), whatever the scale."""
    w = (1 + (n - 1) * dependence) / n
    found = even(n, dependence, gamma=gamma, value=Power(beta)).equilibrium(box=None)
    alone = beta ** (1 / (1 - beta))
    assert found.actions == pytest.approx(n * [alone * (1 - w * gamma / n) ** (-1 / (1 - beta))], rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.sampled_from(FORMS))
@settings(max_examples=8)
def test_any_game_agrees_with_best_responses_in_any_order(seed, n, form):
    rng = np.random.default_rng(seed)
    game = random_game(rng, n, form)
    a = game.equilibrium().actions
    order = rng.permutation(n).tolist()
    start = rng.uniform(0.01, 100, n)
    assert game.equilibrium(order=order, start=start).actions == pytest.approx(a, rel=1e-10)


def test_updates_all_at_once_end_there_too():
    a = slcd().equilibrium().actions
    assert slcd().equilibrium(order="jacobi", start=(0.02, 90.0)).actions == pytest.approx(a, rel=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_start_does_not_matter(form):
    a = slcd(form).equilibrium().actions
    for start in ((0.01, 0.01), (99.0, 0.5), (100.0, 100.0)):
        assert slcd(form).equilibrium(start=start).actions == pytest.approx(a, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.permutations(list(range(4))), st.sampled_from(FORMS))
@settings(max_examples=20)
def test_relabelling_moves_along(seed, order, form):
    game = random_game(np.random.default_rng(seed), 4, form)
    moved = game.replaced(
        interdependence=game.interdependence.among([game.names[i] for i in order]), alpha=game.alpha[order]
    )
    one, other = game.equilibrium(), moved.equilibrium()
    assert other.actions == pytest.approx(one.actions[order], rel=1e-10)
    assert other.utilities == pytest.approx(one.utilities[order], rel=1e-10)
    assert moved.shapley(other.actions) == pytest.approx(game.shapley(one.actions)[order], rel=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_the_certificate_finds_what_a_wrong_answer_leaves(form):
    found = slcd(form).equilibrium()
    assert found.verify().holds
    other = type(found)(found.game, found.actions * 1.01, 1, True, found.low, found.high)
    assert not other.certificate.holds
    assert "no equilibrium" in str(other.certificate)
    turned = slcd(form, interdependence=slcd().interdependence.transposed()).equilibrium().actions
    assert not type(found)(found.game, turned, 1, True, found.low, found.high).certificate.holds


def test_the_certificate_knows_utilities_only(monkeypatch):
    """A fault in the conditions of first order must not reach it."""
    found = slcd().equilibrium()
    monkeypatch.setattr(Game, "slopes", None)
    monkeypatch.setattr(Log, "slope", None)
    assert found.certificate.holds


def test_rounds_that_end_early_are_not_called_converged(monkeypatch):
    from parataxis.methods.coopetition import responses

    monkeypatch.setattr(responses, "ROUNDS", 2)
    found = slcd().equilibrium(order=(0, 1), start=(1.0, 1.0))
    assert not found.converged
    assert not found.certificate.holds


@pytest.mark.parametrize("form", FORMS)
def test_dependence_of_one_is_the_joint_optimum(form):
    game = slcd(form)
    direct = minimize(lambda x: -game.payoffs(np.exp(x)).sum(), np.zeros(2), method="Nelder-Mead",
                      options={"xatol": 1e-10, "fatol": 1e-14})  # fmt: skip
    assert game.optimum().actions == pytest.approx(np.exp(direct.x), rel=1e-5)
    everyone = game.replaced(interdependence=Interdependence(game.names, 1 - np.eye(2)))
    assert everyone.equilibrium().actions == pytest.approx(game.optimum().actions, rel=1e-14)


def test_without_complementarity_dependence_does_nothing():
    assert slcd(gamma=0.0).equilibrium().actions == pytest.approx([19, 19], rel=1e-14)


@given(st.integers(0, 2**32 - 1), st.sampled_from(FORMS))
@settings(max_examples=30)
def test_nobody_invests_less_when_anything_rises(seed, form):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, form)
    a = game.equilibrium().actions
    matrix = game.interdependence.matrix.copy()
    i, j = rng.permutation(3)[:2]
    matrix[i, j] = min(1.0, matrix[i, j] + 0.1)
    more = game.replaced(interdependence=Interdependence(game.names, matrix))
    assert np.all(more.equilibrium().actions >= a * (1 - 1e-12))
    assert np.all(game.replaced(gamma=game.gamma + 0.05).equilibrium().actions >= a * (1 - 1e-12))


def test_bounds_bind_and_say_so():
    found = slcd().equilibrium(box=(0.01, 26.0))
    assert found.actions.tolist() == [26, 26]
    assert found.binding == ("Samsung", "Sony")
    assert found.residual == 0
    assert found.certificate.holds
    one = slcd().equilibrium(box=((0.01, 0.01), (20.0, 100.0)))
    assert one.binding == ("Samsung",)
    assert one.certificate.holds
    assert slcd(gamma=5.0).equilibrium().actions.tolist() == [100, 100]


def test_an_actor_held_at_zero_leaves_no_synergy():
    """ln 0 at a = 0 must not break it."""
    found = slcd().equilibrium(box=((0.0, 0.0), (0.0, 100.0)))
    assert found.actions == pytest.approx([0, 19])
    assert found.certificate.holds


def test_endowments_may_be_the_box():
    found = slcd(endowments=(25.0, 100.0)).equilibrium(box="endowment")
    assert found.actions[0] == 25
    assert found.binding == ("Samsung",)


@pytest.mark.parametrize("form", FORMS)
def test_near_the_end_of_existence(form):
    """Unbounded, just below gamma = N: still Newton, still the closed form."""
    game = even(3, 1.0, gamma=2.99, value={"log": Log(20.0), "power": Power(0.5)}[form])
    found = game.equilibrium(box=None)
    closed = 20 / (1 - 2.99 / 3) - 1 if form == "log" else 0.25 * (1 - 2.99 / 3) ** -2.0
    assert found.converged
    assert found.actions == pytest.approx(3 * [closed], rel=1e-9)


def test_five_steps_are_enough():
    assert max(slcd(form).equilibrium().iterations for form in FORMS) <= 6


def test_many_games_at_once_are_the_same_as_one_by_one():
    k = np.random.default_rng(0).random((CHUNK + 5, 2)) * 0.4
    at_once = solve(Log(20.0), k, np.full(2, 0.5), 0.01, 100.0)
    assert at_once.converged.all()
    for row in (0, CHUNK - 1, CHUNK, CHUNK + 4):
        alone = solve(Log(20.0), k[row : row + 1], np.full(2, 0.5), 0.01, 100.0)
        assert alone.actions[0] == pytest.approx(at_once.actions[row], rel=1e-12)


# -- other values and synergies ----------------------------------------------------------------------------------------


def test_a_function_of_the_users_own():
    mine = Custom(lambda a: 20 * np.log1p(a), lambda a: 20 / (1 + a))
    found = slcd(value=mine).equilibrium()
    assert found.converged
    assert found.actions == pytest.approx(slcd().equilibrium().actions, rel=1e-10)
    assert found.certificate.holds


def test_a_function_with_two_tops_gives_the_better():
    """It bends twice; the best answer to anything is past the second bend."""
    mine = Custom(lambda a: a + 3 * np.sin(a / 3) - 0.01 * a, lambda a: 1 + np.cos(a / 3) - 0.01)
    found = slcd(value=mine, gamma=0.1).equilibrium(box=(0.01, 30.0))
    assert found.certificate.holds


def test_mean_synergy():
    """f'(a) = 1 - w gamma / N, whatever the others do."""
    found = slcd(synergy="mean").equilibrium()
    assert found.actions == pytest.approx(20 / (1 - found.w * 0.65 / 2) - 1, rel=1e-10)
    assert found.certificate.holds


def test_least_synergy_has_many_and_gives_the_greatest():
    """theta / (1 + a) = 1 - w gamma for the less willing, and the other does no more."""
    found = slcd(synergy="min").equilibrium()
    assert found.actions == pytest.approx(2 * [20 / (1 - found.w.min() * 0.65) - 1], rel=1e-9)
    assert found.certificate.holds
    assert found.residual == pytest.approx(0, abs=1e-9)
    lower = slcd(synergy="min").equilibrium(start=(30.0, 30.0), order=(0, 1))
    assert lower.actions == pytest.approx([30, 30])
    assert lower.certificate.holds  # one of many


def test_exponents():
    assert slcd(synergy=(0.5, 0.5)).equilibrium().actions == pytest.approx(slcd().equilibrium().actions, rel=1e-12)
    found = slcd(synergy=(0.3, 0.7)).equilibrium()
    assert found.certificate.holds
    assert found.actions == pytest.approx(slcd(synergy=(0.3, 0.7)).equilibrium(order=(1, 0)).actions, rel=1e-10)


def test_a_parameter_an_actor():
    found = slcd(value=Log(np.array([20.0, 10.0]))).equilibrium()
    assert found.certificate.holds
    assert found.actions == pytest.approx(
        slcd(value=Log(np.array([20.0, 10.0]))).equilibrium(order=(0, 1)).actions, rel=1e-10
    )


def test_best_response_of_one():
    a = slcd().equilibrium().actions
    assert slcd().best_response("Sony", a) == pytest.approx(a[1], rel=1e-10)
    assert slcd().best_response(0, a) == pytest.approx(a[0], rel=1e-10)


def test_only_w_matters():
    """Shares and dependences that give w = (.838, .923) give one outcome; direction counts through w."""
    other = slcd(alpha=(0.5, 0.5), interdependence=Interdependence(("Samsung", "Sony"),
                 np.array([[0, 0.676], [0.846, 0]])))  # fmt: skip
    assert other.w == pytest.approx(slcd().w, abs=1e-15)
    assert other.equilibrium().actions == pytest.approx(slcd().equilibrium().actions, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"alpha": (0.5, 0.6)}, "sums to 1.1; expected 1, or set renormalise=True"),
        ({"alpha": (0.5, 0.3, 0.2)}, "expected 2 shares"),
        ({"alpha": (1.5, -0.5)}, "expected 2 shares of at least 0"),
        ({"alpha": (0.0, 0.0), "renormalise": True}, "sums to 0"),
        ({"endowments": (100.0, 0.0)}, "expected above 0"),
        ({"endowments": (1.0, 2.0, 3.0)}, "expected one number, or 2, one an actor"),
        ({"endowments": "much"}, "endowments='much': expected numbers"),
        ({"alpha": ("a", "b")}, "expected numbers"),
        ({"gamma": -0.1}, "gamma=-0.1: expected at least 0"),
        ({"gamma": np.nan}, "expected at least 0"),
        ({"value": Log(1.0)}, "theta=1.0: expected above 1; at 1 or below an actor alone invests nothing, a corner"),
        ({"value": Log(np.array([20.0, 0.5]))}, "expected above 1"),
        ({"value": Log(np.array([20.0, 20.0, 20.0]))}, "theta: expected one number, or 2, one an actor"),
        ({"value": Power(0.0)}, "beta=0.0: expected between 0 and 1"),
        ({"value": Power(1.0)}, "beta=1.0: expected between 0 and 1"),
        ({"value": Custom(np.log1p, lambda a: 2 / (1 + a))}, "give f's own derivative"),
        ({"value": Custom(np.log1p, lambda a: 1.0)}, "take an array and give one of the same shape"),
        ({"synergy": "sum"}, "synergy='sum': expected 'geometric', 'min', 'mean', or exponents"),
        ({"synergy": (0.5, 0.6)}, "expected 2 exponents above 0 that sum to 1"),
    ],
)
def test_games_that_are_refused(changes, fragment):
    with pytest.raises(BadInput, match=fragment.replace("(", r"\(")):
        slcd(**changes)


@pytest.mark.parametrize("order", [(0, 0), (0,), "gauss", (5, 1), (0, 1, 2), 1, ("a", 0)])
def test_orders_that_are_none_of_all_places_are_refused(order):
    with pytest.raises(BadInput, match="expected 'jacobi', or each of the places 0 to 1 once"):
        slcd().equilibrium(order=order)


@pytest.mark.parametrize("start", [(np.nan, 1.0), (-1.0, 1.0), (1.0,), "top", (np.inf, 1.0)])
def test_starts_that_are_no_actions_are_refused(start):
    for more in ({}, {"order": (1, 0)}):
        with pytest.raises(BadInput, match="start="):
            slcd().equilibrium(start=start, **more)


@pytest.mark.parametrize("more", [{"order": (1, 0)}, {"start": (1.0, 1.0)}])
def test_moves_in_turn_take_neither_start_nor_order(more):
    with pytest.raises(BadInput, match="start and order are for moves all at once"):
        slcd().equilibrium(play=("Sony",), **more)


@pytest.mark.parametrize(("actor", "a"), [(5, (1.0, 2.0)), (-1, (1.0, 2.0)), (0, (1.0,)), (0, (1.0, np.nan))])
def test_best_responses_of_nobody_or_to_nothing_are_refused(actor, a):
    with pytest.raises(BadInput, match=r"expected a name, or a place from 0 to 1|expected 2 numbers, one an actor"):
        slcd().best_response(actor, a)


def test_shares_are_divided_by_their_sum_where_asked():
    assert slcd(alpha=(1.1, 0.9), renormalise=True).alpha.tolist() == [0.55, 0.45]


@pytest.mark.parametrize(
    ("box", "fragment"),
    [((1.0, 0.5), "expected 0 <= low <= high"), ((-1.0, 5.0), "expected 0 <= low"), ("purse", "expected 'endowment'")],
)
def test_boxes_that_are_refused(box, fragment):
    with pytest.raises(BadInput, match=fragment):
        slcd().equilibrium(box=box)


def test_complementarity_of_n_needs_a_box():
    with pytest.raises(BadInput, match="gamma=2: expected below 2 where actions are unbounded"):
        slcd(gamma=2.0).equilibrium(box=None)
    assert slcd(gamma=1.99).equilibrium(box=None).converged
    assert slcd(gamma=2.0).equilibrium().binding == ("Samsung", "Sony")


def test_a_wrong_shape_is_an_error():
    with pytest.raises(Exception, match=r"shape|Type-check"):
        solve(Log(20.0), np.zeros(3), np.full(2, 0.5), 0.01, 100.0)
