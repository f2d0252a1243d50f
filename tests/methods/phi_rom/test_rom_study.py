"""What the study trains, and how its numbers become claims."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from rom_cases import spin, untrained, waves

from parataxis.methods.phi_rom import study_plan, study_units
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.solvers import SolverRHS
from parataxis.methods.phi_rom.study_claims import Found, Median, sparse
from parataxis.methods.phi_rom.study_figures import figures
from parataxis.methods.phi_rom.study_plan import BUDGET, COST, EARLIER, RECIPES, SIZES, Unit
from parataxis.paper_file import read_paper


@pytest.mark.parametrize(("task", "arm"), [(task, arm) for task, costs in COST.items() for arm in costs])
def test_every_arm_of_a_problem_has_the_same_cpu_time(task, arm):
    assert study_plan.steps(task, arm) * COST[task][arm] / 1000 == pytest.approx(BUDGET[task], rel=0.02)


def test_a_recipe_is_that_of_the_full_grid_but_for_an_earlier_end_of_the_warm_up():
    full, sparse = (study_plan.recipe(Unit(task, "phi", 0), SIZES["full"], 5) for task in ("kdv 64", "sparse 40 %"))
    assert full.warmup == RECIPES["kdv"].warmup
    assert pytest.approx(0.15) == EARLIER
    assert sparse == study_plan.replace(full, warmup=EARLIER * full.warmup)


def test_units_of_a_quick_study_are_a_part_of_the_full_ones():
    tasks = {scale: {(each.task, each.arm) for each in study_plan.units(SIZES[scale])} for scale in ("quick", "full")}
    assert tasks["quick"] < tasks["full"]
    assert len(study_plan.units(SIZES["full"])) == len(set(study_plan.units(SIZES["full"])))


@pytest.mark.parametrize("scale", ["quick", "full", "paper"])
def test_a_claim_is_measured_where_its_problem_is_trained(scale):
    trained = {study_plan.kind(each.task) for each in study_plan.units(SIZES[scale])}
    of = {
        "kdv": "kdv",
        "sparse": "kdv",
        "data": "kdv",
        "flow": "flow",
        "diffusion": "diffusion",
        "shuffled": "diffusion",
    }
    for claim in read_paper(Path(study_plan.__file__).with_name("paper.toml")).claims:
        wanted = of.get(claim.id.split("-")[0])  # by its first word; all others are quick
        assert claim.measured_at(scale) == (wanted is None or wanted in trained), claim.id


def test_shuffled_labels_keep_the_snapshots():
    data = waves()
    found = study_plan.shuffled(data, np.random.default_rng(0))
    rows = [each.reshape(-1, 24) for each in (data.u, found.u)]
    assert not np.array_equal(*rows)
    np.testing.assert_array_equal(*(each[np.lexsort(each.T)] for each in rows))


def test_halves_are_before_and_after_the_horizon_and_what_blew_up_is_a_large_number():
    found = np.array([[1.0, 3.0, 5.0, np.nan]])[..., None]
    assert study_units.halves(found, 2) == {"in": 2.0, "out": (5 + study_units.MOST) / 2}


def test_a_unit_that_blew_up_can_be_kept(monkeypatch):
    rom = untrained()
    rom.fitted.dynamics = jax.tree.map(lambda leaf: 1e20 * leaf, rom.fitted.dynamics)
    rom.fitted.history[-1]["condition"] = np.inf
    monkeypatch.setattr(study_units, "trained", lambda *_: _looked(rom, _[-1]))
    made = Problem("made", waves(), waves(trajectories=2, times=9, seed=7), SolverRHS.from_rhs(spin))
    found = study_units.measure("kdv", "phi", made, rom.recipe)
    json.dumps(found, allow_nan=False)
    assert found["semigroup"]["gap"] == found["history"]["condition"] == study_units.MOST
    assert found["floor"]["in"] < 1


def _looked(rom, tell):
    tell(1, 2, "")
    return rom


def test_medians_and_the_ratio_of_ratios_by_hand():
    """Φ-ROM 0.2 on the grid and 0.3 on sensors, DINo 0.4 and 1.0: 1.5 over 2.5."""
    values = {
        ("phi", "kdv 64"): 0.2,
        ("phi", "sparse 40 %"): 0.3,
        ("dino", "kdv 64"): 0.4,
        ("dino", "sparse 40 %"): 1.0,
    }
    units = {
        Unit(task, arm, seed): {"error": {"in": value * (1 + seed)}}
        for (arm, task), value in values.items()
        for seed in range(3)
    }
    one, two = sparse(Found(units, real=False))
    assert (one.id, two.id) == ("sparse", "sparse-dino")
    assert (one.value, one.low, one.high, one.n) == pytest.approx((1.5, 1.5, 1.5, 3))
    assert two.value == pytest.approx(0.6)
    assert Median.of([3.0, 1.0, 2.0]) == Median(2.0, 1.0, 3.0, 3)


def test_a_forecast_that_goes_on_is_one_forecast_and_a_late_one_is_another():
    from rom_cases import model

    found = study_units.semigroup(model(), waves(trajectories=2, times=11, seed=7))
    assert found["gap"] < 1e-5
    assert found["null"] > 0.05


def test_figures_tell_in_words_what_they_show():
    test = waves(trajectories=2, times=9, seed=7)
    made = Problem("made", waves(), test, SolverRHS.from_rhs(spin))
    curve = {"by time": [0.1] * 8 + [0.5], "t": test.t.tolist(), "horizon": made.horizon}
    shown = {"times": [0, 8], "fields": test.u[0, [0, 8]].tolist(), "errors": [0.1, 0.5]}
    shown["latents"] = np.ones((2, 9, 4)).tolist()
    units = {
        Unit(task, arm, 0): curve for task in ("burgers", "diffusion", "kdv 64", "flow") for arm in ("dino", "pod")
    }
    units |= {Unit(each.task, "phi", 0): {**curve, "shown": shown} for each in list(units)}
    found = list(figures(Found(units, real=True), {"burgers": made}))
    assert [each.name for each in found] == [
        *(f"error-{name}" for name in ("burgers", "diffusion", "kdv", "flow")),
        "fields-burgers",
        "latents-burgers",
    ]
    assert all(each.is_png for each in found)
    assert "At the last time: Φ-ROM 0.5; DINo 0.5; POD-Galerkin 0.5" in found[0].caption
    assert "Relative error at t = 0: 0.1, 0.4: 0.5" in found[4].caption
    assert "largest of Φ-ROM's 4 latents" in found[5].caption
