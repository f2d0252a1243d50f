"""The page of a model, and its pictures."""

import numpy as np
import pytest

from parataxis.methods.coopetition import Game, Interdependence, case, plots
from parataxis.methods.coopetition.report import report
from parataxis.methods.coopetition.scoring import score_sheet
from parataxis.methods.coopetition.study_inputs import made_model, random_game


@pytest.fixture
def unrendered(monkeypatch):
    """Pictures are made, but not turned into bytes."""
    monkeypatch.setattr(plots, "svg", lambda ax: "<svg>")


SECTIONS = ("Who depends on whom", "What each invests", "Who should move first", "Who joins when", "What moves it")


def test_a_model_has_every_section_and_its_certificate():
    dependencies = made_model()
    page = report(Game(dependencies.matrix()), "buyers & sellers", dependencies)
    assert all(f"<h2>{each}</h2>" in page for each in SECTIONS)
    assert "buyers &amp; sellers" in page
    assert "nobody gains more than" in page
    assert "8 dependencies" in page
    assert page.count("<svg") == 5


def test_a_case_has_its_sheet_and_reactions(unrendered):
    game = case("slcd").game("log")
    page = report(game, "S-LCD", sheet=score_sheet(game))
    assert "58/60: stability 10/10" in page
    assert "It is no accuracy" in page
    assert page.count("<svg") == 7


def test_the_band_reaches_the_games_own_complementarity(unrendered):
    assert "complementarity 0 to 2." in report(case("slcd").game("log").replaced(gamma=2.0), "more")


def test_what_needs_a_product_is_left_out(unrendered):
    page = report(case("slcd").game("log").replaced(synergy="mean"), "mean")
    assert "Who should move first" not in page
    assert "nobody gains more than" in page


def test_a_bound_that_binds_is_told(unrendered):
    page = report(case("slcd").game("log"), "bound", box=(0.01, 20.0))
    assert "At a bound of the box: Samsung, Sony." in page


@pytest.mark.parametrize("n", [2, 9])
def test_any_number_of_actors(n, unrendered):
    game = random_game(np.random.default_rng(n), n, "power")
    assert "<h2>Who joins when</h2>" in report(game, "many")


def test_the_same_picture_twice():
    found = Interdependence(("a", "b"), np.array([[0, 0.5], [0.1, 0]]))
    assert found.plot() == found.plot()
    assert "0.50" in found.plot()
