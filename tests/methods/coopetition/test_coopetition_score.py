"""The score sheet: the published points, the edge of a band, and its baseline."""

import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.coopetition import Game, case, score_sheet
from parataxis.methods.coopetition.cases import CASES
from parataxis.methods.coopetition.game import BOX
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.scoring import EDGE, MOST, TOTAL, _within, score_games
from parataxis.methods.coopetition.sweep import games

EXACT = {
    "slcd": (58, 46),
    "symmetric_high": (56, 42),
    "symmetric_medium": (54, 45),
    "asymmetric": (58, 49),
    "platform_developer": (51, 39),
}


@pytest.mark.parametrize("name", list(EXACT))
def test_scores_of_the_five_cases(name):
    assert tuple(int(score_sheet(case(name).game(form)).score[0]) for form in ("log", "power")) == EXACT[name]


@pytest.mark.parametrize(("form", "points"), [("log", (10, 15, 13, 10, 10)), ("power", (10, 7, 9, 10, 10))])
def test_points_by_category(form, points):
    assert tuple(int(each[0]) for each in score_sheet(case("slcd").game(form)).points.values()) == points


def test_the_sheet_has_24_conditions_and_60_points():
    found = score_sheet(case("slcd").game("log"))
    assert len(found.conditions) == 24
    by_category = found.frame().groupby("category")["points"].sum().to_dict()
    assert by_category == MOST
    assert sum(MOST.values()) == TOTAL == 60  # not 50


def test_the_baseline_has_neither_dependence_nor_complementarity():
    """With gamma kept the rise would be 18.08 %; with V of the baseline at gamma 0 the value's rise another."""
    found = score_sheet(case("slcd").game("log"))
    assert found.cooperation[0] == pytest.approx(42.19, abs=0.005)
    assert found.value[0] == pytest.approx(14.14, abs=0.005)


def test_the_historical_range_is_no_part_of_the_points():
    found = score_sheet(case("slcd").game("log").replaced(gamma=0.75))
    assert found.cooperation[0] > 50
    assert not found.in_history[0]
    assert found.score[0] == 60


def test_a_share_at_the_edge_is_inside_and_nothing_else_moves():
    """The two symmetric power cases: the share is one half but for rounding; 4 points hang on it."""
    for name, points in (("symmetric_high", 42), ("symmetric_medium", 45)):
        found = score_sheet(CASES[name].game("power"))
        assert found.share[0] == pytest.approx(0.5, abs=1e-15)
        assert found.score[0] == points
        assert found.conditions["share .50 to .65"][2][0]
        solver_error = np.array([[1.0 + 1e-5, 1.0]]) * CASES[name].game("power").equilibrium().actions
        with_error = score_games(games(CASES[name].game("power"), {}, 1, BOX), solver_error)
        differs = [key for key in found.conditions if found.conditions[key][2][0] != with_error.conditions[key][2][0]]
        assert differs == ["share .50 to .65"]
    assert _within(np.array([0.5 - EDGE / 2, 0.5 - 2 * EDGE]), 0.5, 0.65).tolist() == [True, False]


def test_the_sheet_is_for_two():
    game = Game(Interdependence(("a", "b", "c"), np.zeros((3, 3))))
    with pytest.raises(BadInput, match="3 actors; it is for two"):
        score_sheet(game)


def test_an_unknown_case_or_form_is_refused():
    with pytest.raises(BadInput, match="expected one of slcd"):
        case("sony")
    with pytest.raises(BadInput, match="form='cubic'"):
        case("slcd").game("cubic")
