"""Moves in turn, joining, shares, slopes and sweeps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.coopetition import Custom, Game, Interdependence, Log, case, sequential
from parataxis.methods.coopetition.direction import exchanged
from parataxis.methods.coopetition.sensitivity import derivatives
from parataxis.methods.coopetition.sequential import advice, who_first
from parataxis.methods.coopetition.shares import added_value, by_place, join_orders, worth
from parataxis.methods.coopetition.study_inputs import made_model, random_game
from parataxis.methods.coopetition.sweep import grid, parameters

BOX = (0.01, 100.0)


def slcd(form="log", **changes):
    return case("slcd").game(form).replaced(**changes)


def buyers():
    return Game(made_model().matrix())


# -- who moves first ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "play", "actions"),
    [
        ("log", "simultaneous", (26.633, 27.399)),
        ("log", ("Samsung", "Sony"), (27.121, 27.488)),
        ("log", ("Sony", "Samsung"), (26.693, 27.770)),
        ("power", "simultaneous", (0.833, 0.877)),
        ("power", ("Samsung", "Sony"), (0.910, 0.906)),
        ("power", ("Sony", "Samsung"), (0.853, 0.936)),
    ],
)
def test_order_of_moves_in_the_published_case(form, play, actions):
    found = slcd(form).equilibrium(play=play)
    assert found.actions == pytest.approx(actions, abs=6e-4)
    assert found.certificate.holds


@pytest.mark.parametrize("form", ["log", "power"])
def test_moving_first_raises_both_and_costs_the_leader(form):
    at_once = slcd(form).equilibrium()
    for i, name in enumerate(at_once.game.names):
        led = slcd(form).equilibrium(play=(name,))
        assert np.all(led.actions > at_once.actions)
        assert led.payoffs[i] < at_once.payoffs[i]
        assert led.utilities[i] > at_once.utilities[i]


def test_a_leader_agrees_with_a_search_of_its_own():
    """By hand: the follower's answer from best responses, the leader's best by a bounded search."""
    from scipy.optimize import minimize_scalar

    game = slcd()

    def worth_of(x):
        answer = game.best_response("Sony", (x, 20.0))
        return -game.utilities(np.array([x, answer]))[0]

    best = minimize_scalar(worth_of, bounds=(20, 40), method="bounded", options={"xatol": 1e-9})
    assert game.equilibrium(play=("Samsung", "Sony")).actions[0] == pytest.approx(best.x, rel=1e-6)


def test_a_leader_may_consider_to_do_nothing():
    """The box of endowments begins at 0, where there is no synergy and ln a is none."""
    found = buyers().equilibrium(play=("A",), box="endowment")
    assert found.certificate.holds
    assert found.actions == pytest.approx(buyers().equilibrium(play=("A",)).actions, rel=1e-7)


def test_a_leader_who_does_not_lead_well_is_caught():
    found = slcd().equilibrium(play=("Samsung", "Sony"))
    a = slcd().equilibrium().actions
    other = type(found)(found.game, a, 1, True, found.low, found.high, found.play)
    assert not other.certificate.holds


def test_leaders_who_do_not_come_to_rest_are_not_called_converged(monkeypatch):
    monkeypatch.setattr(sequential, "ROUNDS", 1)
    found = buyers().equilibrium(play=(("A", "B"), "C"))
    assert not found.converged
    assert not found.certificate.holds


def test_three_stages_and_leaders_together():
    game = buyers()
    three = game.equilibrium(play=("A", "B", "C"))
    assert three.play == (("A",), ("B",), ("C",))
    assert three.certificate.holds
    together = game.equilibrium(play=(("A", "B"), "C"))
    assert together.certificate.holds
    assert together.converged
    assert together.iterations > 1
    assert game.equilibrium(play=("A",)).play == (("A",), ("B", "C"))


@pytest.mark.parametrize(
    ("play", "fragment"),
    [
        ("Samsung", "expected 'simultaneous', or the names"),
        (("Samsung", "Samsung"), "'Samsung' moves twice"),
        (("Sanyo",), "actor 'Sanyo' is not there"),
    ],
)
def test_plays_that_are_refused(play, fragment):
    with pytest.raises(BadInput, match=fragment):
        slcd().equilibrium(play=play)


def test_moves_in_turn_need_a_box_a_product_and_few_stages():
    with pytest.raises(BadInput, match="searches a box"):
        slcd().equilibrium(play=("Sony",), box=None)
    with pytest.raises(BadInput, match="moves in turn need a Log or Power value"):
        slcd(synergy="mean").equilibrium(play=("Sony",))
    game = random_game(np.random.default_rng(0), 5, "log")
    with pytest.raises(BadInput, match="5 stages; expected at most 4"):
        game.equilibrium(play=game.names)


def test_the_report_on_who_is_first():
    table = who_first(slcd(), BOX)
    assert table["first"].tolist() == ["", "Samsung", "Sony"]
    assert 100 * (table["mean action"] / 19 - 1).to_numpy() == pytest.approx([42.19, 43.7, 43.3], abs=0.05)
    assert advice(table).startswith("Samsung should move first")
    alike = who_first(buyers(), BOX)
    assert "it makes no difference who" in advice(alike)


def test_what_is_no_equilibrium_gives_no_advice():
    table = who_first(slcd(), BOX)
    assert table["certificate"].max() <= 1
    assert advice(table.assign(converged=[True, False, True])) == "no advice: no equilibrium was found for Samsung"
    assert advice(table.assign(certificate=[2.0, 0, 0])) == "no advice: no equilibrium was found for all at once"


def test_a_transposed_matrix_shows_in_the_two_orders_of_a_pair():
    """Only the depender minds, so only the depender invests more."""
    for depender, dependee in (("x", "y"), ("y", "x")):
        from parataxis.methods.coopetition import Dependencies, Dependency

        game = Game(Dependencies.of([Dependency(depender, dependee, "it")]).matrix())
        does = dict(zip(game.names, game.equilibrium().actions, strict=True))
        assert does[depender] > does[dependee]
    table = exchanged(slcd(), BOX)
    assert table[["one on other", "other on one"]].to_numpy().tolist() == [[0.64, 0.86]]
    turned = case("slcd").game("log", transposed=True).equilibrium().actions
    assert table[["the other way round", "other, the other way round"]].to_numpy()[0] == pytest.approx(
        turned, rel=1e-12
    )
    assert not len(exchanged(Game(Interdependence(("a", "b"), np.array([[0, 0.5], [0.5, 0]]))), BOX))


# -- who joins when, and shares ----------------------------------------------------------------------------------------


def test_join_order_of_three_alike():
    """63.034 alone, 77.580 as the second, 63.034 as the third: the synergy of three is no more than that of two."""
    game = buyers()
    table = join_orders(game, game.equilibrium().actions)
    first = table[table["actor"] == "A"].set_index("place")["mean"]
    assert first.loc[[1, 2, 3, 0]].to_numpy() == pytest.approx([63.04, 77.58, 63.04, 67.88], abs=0.006)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=6)
def test_shapley_is_the_mean_over_orders_and_sums_to_the_whole(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, "log")
    a = rng.uniform(1, 50, 4)
    table = join_orders(game, a)
    assert table[table["place"] == 0]["mean"].to_numpy() == pytest.approx(game.shapley(a), rel=1e-12)
    assert game.shapley(a).sum() == pytest.approx(game.value_created(a), rel=1e-12)


def test_what_is_created_counts_no_costs():
    """v({i}) = f(a_i): costs are paid in the payoffs, once."""
    game, a = slcd(), np.array([10.0, 20.0])
    v = worth(game, a)
    assert v(0b01) == pytest.approx(20 * np.log(11))
    assert v(0b11) == pytest.approx(game.value_created(a))
    assert added_value(game, a) == pytest.approx(game.value_created(a) - game.value.value(a)[::-1])


def test_more_than_eight_join_in_drawn_orders():
    game = random_game(np.random.default_rng(1), 9, "log")
    a = game.equilibrium().actions
    table = join_orders(game, a, np.random.default_rng(0), orders=4000)
    whole = table[table["place"] == 0]
    inside = (whole["low"].to_numpy() <= game.shapley(a)) & (game.shapley(a) <= whole["high"].to_numpy())
    assert inside.sum() >= 7  # of nine 95 % intervals
    assert (whole["high"] > whole["low"]).all()
    shown = by_place(table, 9)
    assert list(shown)[:5] == ["actor", "drawn orders", "low", "high", 1]
    assert shown["high"].tolist() == whole["high"].tolist()
    assert list(by_place(join_orders(slcd(), np.ones(2)), 2)) == ["actor", "all orders", 1, 2]


def test_shares_by_every_rule():
    game = slcd()
    assert game.shares().tolist() == [0.55, 0.45]
    assert game.shares("equal").tolist() == [0.5, 0.5]
    assert game.shares("power", weights=(3.0, 1.0)).tolist() == [0.75, 0.25]
    assert game.shares("contractual", weights=(0.7, 0.3)).tolist() == [0.7, 0.3]
    value = game.shapley()
    assert game.shares("shapley") == pytest.approx(value / value.sum())


@pytest.mark.parametrize(
    ("method", "weights", "fragment"),
    [
        ("fair", None, "method='fair': expected 'given'"),
        ("power", None, "'contractual' and 'power' need them"),
        ("equal", (1.0, 2.0), "and nothing else does"),
        ("power", (0.0, 0.0), "not all 0"),
        ("power", (1.0,), "expected 2 numbers"),
        ("contractual", (0.7, 0.7), "sum to 1.4; expected 1, or method='power'"),
    ],
)
def test_shares_that_are_refused(method, weights, fragment):
    with pytest.raises(BadInput, match="expected 2 numbers, one an actor"):
        slcd().shapley((1.0, 2.0, 3.0))
    with pytest.raises(BadInput, match="expected 2 numbers, one an actor"):
        slcd().shares("shapley", (1.0,))
    with pytest.raises(BadInput, match=fragment):
        slcd().shares(method, weights=weights)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["log", "power"]))
@settings(max_examples=6)
def test_slopes_are_those_of_finite_differences(seed, form):
    game = random_game(np.random.default_rng(seed), 3, form)
    slopes, h = derivatives(game.equilibrium(box=None)), 1e-5
    for name, at in parameters(game).items():
        if name in slopes and not name.startswith("alpha") and h < at < (1 if name != "theta" else 99) - h:
            two = game.sweep(pd.DataFrame({name: [at - h, at + h]}), box=None)
            measured = two[[f"a:{each}" for each in game.names]].diff().to_numpy()[1] / (2 * h)
            assert slopes[name] == pytest.approx(measured, rel=1e-4, abs=1e-6)


def test_slopes_of_shares_move_one_alone():
    game, h = slcd(), 1e-6
    slopes = derivatives(game.equilibrium())
    for i, name in enumerate(game.names):
        moved = []
        for side in (-h, h):
            w = game.w + side * (np.eye(2)[i] + game.interdependence.matrix[:, i])
            from parataxis.methods.coopetition.solve import solve

            moved.append(solve(game.value, (w * game.gamma / 2)[None], game.c, 0.01, 100.0).actions[0])
        assert slopes[f"alpha:{name}"] == pytest.approx((moved[1] - moved[0]) / (2 * h), rel=1e-5)


def test_slopes_are_zero_at_a_bound():
    slopes = derivatives(slcd().equilibrium(box=((0.01, 0.01), (20.0, 100.0))))
    assert slopes["gamma"][0] == 0
    assert slopes["gamma"][1] > 0


def test_sobol_shares_of_variance():
    """Of a sum of two independent terms, a steep and a flat one, first is total; what does nothing has none."""
    game = slcd()
    found = game.sensitivity({"gamma": (0.1, 0.9), "endowment:Sony": (50.0, 150.0)}, "sobol", n=512)
    assert found["first"].to_numpy() == pytest.approx([1, 0], abs=0.02)
    assert found["total"].to_numpy() == pytest.approx([1, 0], abs=0.02)
    grid_ = game.sensitivity({"gamma": (0.0, 0.65)}, "grid")
    assert grid_["at low"][0] == pytest.approx(19)
    assert grid_["at high"][0] == pytest.approx(27.01626, abs=1e-5)


def test_sweeps_hold_certificates_and_agree_with_single_games():
    table = slcd().sweep(grid({"gamma": [0.0, 0.65], "D:Sony:Samsung": [0.2, 0.86], "theta": [15.0, 20.0]}))
    assert len(table) == 8
    assert table["certificate"].max() <= 1
    assert table["converged"].all()
    row = table.iloc[3]
    one = slcd(
        gamma=row["gamma"],
        value=Log(row["theta"]),
        interdependence=Interdependence(("Samsung", "Sony"), np.array([[0, 0.64], [row["D:Sony:Samsung"], 0]])),
    ).equilibrium()
    assert row[["a:Samsung", "a:Sony"]].to_numpy(float) == pytest.approx(one.actions, rel=1e-12)
    assert row[["U:Samsung", "U:Sony"]].to_numpy(float) == pytest.approx(one.utilities, rel=1e-12)


def test_a_wrong_row_of_a_sweep_fails_its_certificate(monkeypatch):
    from parataxis.methods.coopetition import many

    right = many.solve

    def wrong(*arguments):
        found = right(*arguments)
        return type(found)(found.actions * 1.01, found.iterations, found.converged)

    monkeypatch.setattr(many, "solve", wrong)
    assert slcd().sweep(pd.DataFrame({"gamma": [0.3, 0.6]}))["certificate"].min() > 1


@pytest.mark.parametrize("rows", [2, 600])
def test_a_sweep_of_any_length_is_solved_at_once(monkeypatch, rows):
    from parataxis.methods.coopetition import many

    right, calls, told = many.solve, [], []
    monkeypatch.setattr(many, "solve", lambda *arguments: calls.append(1) or right(*arguments))
    table = slcd().sweep(
        pd.DataFrame({"gamma": np.linspace(0, 1, rows)}), tell=lambda done, total: told.append((done, total))
    )
    assert len(calls) == 1
    assert table["certificate"].max() <= 1
    assert told[-1] == (rows, rows)


def test_a_share_that_is_set_leaves_the_rest_to_the_others():
    table = buyers().sweep(pd.DataFrame({"alpha:A": [1 / 3, 0.8]}))
    assert table["a:A"][1] > table["a:A"][0]
    direct = buyers().replaced(alpha=(0.8, 0.1, 0.1)).equilibrium().actions
    assert table[["a:A", "a:B", "a:C"]].to_numpy()[1] == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize(
    ("table", "fragment"),
    [
        ({"delta": [1.0]}, "parameter 'delta' is unknown; expected one of gamma, theta"),
        ({"beta": [0.5]}, "parameter 'beta' is unknown"),
        ({"D:Sony:Samsung": [1.5]}, "expected a number from 0 to 1"),
        ({"theta": [1.0]}, "expected a number between 1 and inf"),
        ({"gamma": [np.nan]}, "gamma=nan"),
        ({"gamma": ["much"]}, "expected numbers"),
        ({"alpha:Sony": [0.7], "alpha:Samsung": [0.7]}, "shares of a row sum to 1.4"),
        ({}, "no row"),
    ],
)
def test_sweeps_that_are_refused(table, fragment):
    with pytest.raises(BadInput, match=fragment):
        slcd().sweep(pd.DataFrame(table))


def test_sweeps_and_slopes_need_a_product():
    with pytest.raises(BadInput, match="sweep: needs a Log or Power value"):
        slcd(synergy="mean").sweep(pd.DataFrame({"gamma": [0.1]}))
    mine = Custom(np.log1p, lambda a: 1 / (1 + a))
    with pytest.raises(BadInput, match="slopes need a Log or Power value"):
        slcd(value=mine).sensitivity()


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ((None, "morris"), "method='morris'"),
        ((None, "grid"), r"expected {name: \(low, high\)}"),
        (({"gamma": (0.5, 0.1)}, "sobol"), "expected low < high"),
        (({"gamma": 0.5}, "sobol"), r"gamma=0.5: expected \(low, high\)"),
        (({"gamma": ("a", "b")}, "grid"), "expected numbers"),
        ((["delta"], "local"), "parameter 'delta' is unknown"),
    ],
)
def test_sensitivities_that_are_refused(arguments, fragment):
    with pytest.raises(BadInput, match=fragment):
        slcd().sensitivity(*arguments)
    with pytest.raises(BadInput, match="expected a power of 2"):
        slcd().sensitivity({"gamma": (0.1, 0.5)}, "sobol", n=100)
