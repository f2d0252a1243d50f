"""The study on its toy, and what of it can be checked against the published file."""

import json

import numpy as np
import pytest
from coopetition_cases import FOLDER, needs_data

from parataxis.methods.coopetition import plots, study, study_form, study_published, study_theory
from parataxis.methods.coopetition.cases import CASES, FORMS
from parataxis.methods.coopetition.monte_carlo import contest, design, gamma_scores, noise, null_contest
from parataxis.methods.coopetition.pistar import to_pistar
from parataxis.methods.coopetition.scoring import score_sheet
from parataxis.methods.coopetition.study_inputs import example, made_model
from parataxis.methods.coopetition.study_models import shown

RESULTS = FOLDER / "tr1_results_official.json"


@pytest.fixture(scope="module")
def inputs():
    return study.toy(np.random.default_rng(0))


@pytest.mark.parametrize("part", [*study_published.PARTS, *study_form.PARTS, *study_theory.PARTS])
def test_each_part_measures_its_own_claim(inputs, part):
    found = (study_published.PARTS | study_form.PARTS | study_theory.PARTS)[part](inputs)
    assert found.id == part


def test_an_example_of_pistar_alone_or_among_all(tmp_path):
    """piStar keeps its examples as objects in a program."""
    alone = to_pistar(made_model())
    other = alone.replace("need", "want")
    (tmp_path / "alone.json").write_text(alone)
    text = "istar.models = istar.models || {};\n\n"
    text += f"istar.models.other = {other.strip()};\n\nistar.models.wanted = {alone.strip()};\n"
    (tmp_path / "all.json").write_text(text)
    assert example(tmp_path / "alone.json", "wanted") == example(tmp_path / "all.json", "wanted")
    assert example(tmp_path / "all.json", "other").rows[0].dependum == "want 0"


def test_models_are_shown_with_a_graph_each_and_who_is_first(inputs, monkeypatch):
    monkeypatch.setattr(plots, "svg", lambda ax: "<svg>")
    graph, table = shown(inputs.models)
    assert graph.name == "graph-buyer-driven-e-commerce"
    (row,) = table.rows
    assert row[1:5] == [3, 8, 22.3766, 17.77]
    assert "it makes no difference who" in row[5]
    assert row[6:9] == [63.035, 77.58, 63.035]
    assert row[9] <= 1


def test_tables_have_all_cases_and_noises(inputs):
    assert len(study_published.score_table(inputs).rows) == 2 * len(CASES)
    assert len(study_published.noise_table(inputs).rows) == 2 * len(study_published.NOISES)


@needs_data
def test_the_published_sweeps_are_those_of_the_exact_equilibria():
    kept = json.loads(RESULTS.read_text())["exp6_sensitivity"]
    for form in FORMS:
        along = gamma_scores(CASES["slcd"].game(form), np.array(kept["gamma"]["values"]))
        assert along.score.tolist() == kept["gamma"][f"{form}_scores"]


@needs_data
def test_the_published_noise_is_reproduced_to_the_last_digit():
    kept = json.loads(RESULTS.read_text())["exp2_monte_carlo"]
    found = contest(CASES["slcd"], 0.15)
    for ours, theirs in ((found.log, kept["logarithmic"]), (found.power, kept["power"])):
        assert ours.score.mean() == pytest.approx(theirs["mean"], abs=1e-12)
        assert ours.score.std() == pytest.approx(theirs["std"], abs=1e-12)
        assert 100 * ours.in_history.mean() == theirs["historical_alignment_pct"]


@pytest.mark.parametrize(
    ("h", "transposed", "effect"),
    [
        (0.05, False, 19.44475149380258),
        (0.10, False, 7.5749),
        (0.15, False, 7.07),
        (0.01, False, np.inf),
        (0.05, True, np.inf),
        (0.10, True, 13.99),
        (0.15, True, 9.83),
    ],
)
def test_d_tells_the_noise(h, transposed, effect):
    assert contest(CASES["slcd"], h, transposed=transposed).effect == pytest.approx(effect, abs=0.006)


def test_noise_is_of_the_legacy_generator():
    assert noise(3, 0.15)[0, 0] == pytest.approx(1 + 0.15 * (2 * 0.3745401188473625 - 1), abs=1e-15)


def test_draws_of_no_history_score_as_well():
    found = null_contest(np.random.default_rng(5), 4000)
    assert found.log.score.mean() == pytest.approx(54.2, abs=0.5)
    assert found.power.score.mean() == pytest.approx(45.8, abs=0.5)


def test_the_design_varies_what_it_says():
    drawn, found = design(np.random.default_rng(0), 512)
    assert set(drawn) == {"D12", "D21", "alpha", "gamma", "theta", "beta"}
    assert all(len(np.unique(each)) == 512 for each in drawn.values())
    assert len(found.difference) == 512


def test_the_power_form_reaches_full_marks_with_another_gamma():
    gammas = np.arange(101) / 100
    best = gammas[gamma_scores(CASES["slcd"].game("power"), gammas).score == 60]
    assert (best.min(), best.max()) == (0.14, 0.25)
    log = gammas[gamma_scores(CASES["slcd"].game("log"), gammas).score == 60]
    assert (log.min(), log.max()) == (0.68, 0.82)


def test_the_score_does_not_see_a_transposed_matrix():
    for form, points in (("log", 58), ("power", 46)):
        for transposed in (False, True):
            assert score_sheet(CASES["slcd"].game(form, transposed)).score.tolist() == [points]
