"""Which events are deaths: patients whose truth is known, densities at which nothing can be known, and bad input."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput

PIXEL = 0.048  # 48 months on 1,000 pixels


@pytest.fixture
def infer():
    from parataxis.methods.therapy_sequence.events import infer_events

    return infer_events


def drawn(seed, n=400, pixel=PIXEL, death=0.006):
    """PFS and OS patients with times at the nearest pixel, and the true kinds of the events."""
    from parataxis.methods.therapy_sequence.made_curves import Rates, made_patients

    made = made_patients(np.random.default_rng(seed), n, Rates(death=death))

    def seen(name):
        time = np.round(made[f"{name}_time"] / pixel) * pixel
        return pd.DataFrame({"time": time, "event": (made[f"{name}_event"] > 0).astype(int)})

    return seen("pfs"), seen("os"), made.pfs_event.to_numpy()


@pytest.mark.parametrize("death", [0.0, 0.006, 0.03])
@pytest.mark.parametrize("seed", range(3))
def test_the_mixture_finds_the_share_of_deaths_and_matching_does_not(seed, death, infer):
    pfs, survival, kind = drawn(seed, death=death)
    truth = (kind == 2).sum() / (kind > 0).sum()
    found, matched = infer(pfs, survival, pixel=PIXEL), infer(pfs, survival, pixel=PIXEL, method="match")
    assert abs(found.share - truth) < 0.1
    assert found.low - 0.03 <= truth <= found.high + 0.03
    assert abs(matched.share - truth) > abs(found.share - truth)
    assert matched.share > truth + 0.08
    assert found.warning == ""
    assert not found.death[pfs.event == 0].any()


def test_true_deaths_are_believed_more(infer):
    pfs, survival, kind = drawn(1, death=0.02)
    found = infer(pfs, survival, pixel=PIXEL)
    assert found.death[kind == 2].mean() > 3 * found.death[kind == 1].mean()


def test_deaths_that_coincide_with_nothing_leave_none(infer):
    pfs = pd.DataFrame({"time": np.arange(1.0, 41), "event": 1})
    survival = pd.DataFrame({"time": np.arange(1.0, 41) + 0.4, "event": 1})
    found = infer(pfs, survival, pixel=0.01)
    assert found.death.max() < 1e-6
    assert found.share < 1e-6


def test_monthly_times_are_said_to_tell_nothing(infer):
    pfs, survival, _ = drawn(0, n=2000, pixel=1.0)
    found = infer(pfs, survival, pixel=PIXEL)
    assert "times lie on a grid of 1, coarser than pixel=0.048" in found.warning
    assert "coincidence can't be told from chance" in found.warning
    assert found.chance > 0.9
    with pytest.raises(BadInput, match=r"matching is meaningless; use the mixture"):
        infer(pfs, survival, pixel=PIXEL, method="match")


def test_labels_are_drawn_as_often_as_believed(infer):
    pfs, survival, _ = drawn(2, death=0.02)
    found = infer(pfs, survival, pixel=PIXEL)
    rng = np.random.default_rng(0)
    mean = np.mean([found.draw(rng) for _ in range(400)], axis=0)
    assert np.abs(mean - found.death).max() < 0.12
    assert mean.sum() == pytest.approx(found.death.sum(), rel=0.05)
    assert list(found.to_frame()) == ["time", "event", "progression", "death"]
    assert (found.to_frame()[["progression", "death"]].sum(axis=1) == pfs.event).all()


@pytest.mark.parametrize("seed", range(2))
def test_patients_in_any_order_get_their_own_labels(seed):
    from parataxis.methods.therapy_sequence.events import infer_events

    pfs, survival, _ = drawn(3, n=60)
    rng = np.random.default_rng(seed)
    first, second = rng.permutation(len(pfs)), rng.permutation(len(survival))
    given_ = infer_events(pfs, survival, pixel=PIXEL)
    moved = infer_events(pfs.iloc[first], survival.iloc[second], pixel=PIXEL)
    by_time = lambda time, death: sorted(zip(time.round(9), death.round(9), strict=True))  # noqa: E731
    assert by_time(given_.time, given_.death) == by_time(moved.time, moved.death)
    assert moved.share == pytest.approx(given_.share, abs=1e-12)


def test_the_density_around_an_event_by_hand():
    """An axis of 80: windows of 2 each side, cut off at its ends; deaths within a pixel of 1 are left out."""
    from parataxis.methods.therapy_sequence.events import likelihood_ratio, local_density

    when, deaths = np.array([0.0, 10.0, 80.0]), np.array([0.5, 1.5, 8.5, 9.5, 10.0, 11.5, 13.5, 79.0])
    density = local_density(when, deaths, 0.6, 80.0)
    assert density == pytest.approx([1.5 / (2 - 0.6), 2.5 / (4 - 1.2), 1.5 / (2 - 0.6)])
    ratio = likelihood_ratio(when, deaths, 0.6, density)
    triangle = np.array([1 - 0.5 / 0.6, (1 - 0.5 / 0.6) + 1, 0.0]) / 0.6
    assert ratio == pytest.approx(triangle / density)


@given(st.permutations(range(9)))
def test_events_at_one_time_share_one_label_wherever_the_thirds_end(order):
    from parataxis.methods.therapy_sequence.events import mixture

    when, ratio = np.array([1.0, 2, 5, 5, 5, 5, 5, 8, 9]), np.array([9.0, 0, 4, 4, 4, 4, 4, 0, 2])
    found = np.empty(9)
    found[list(order)] = mixture(when[list(order)], ratio[list(order)])
    assert np.ptp(found[2:7]) < 1e-12
    assert found == pytest.approx(mixture(when, ratio), abs=1e-12)


def test_the_interval_is_where_the_profile_has_fallen_by_half_chi_squared():
    """Against all shares of the three parts on a grid."""
    from scipy.stats import chi2

    from parataxis.methods.therapy_sequence.events import interval, profile

    rng = np.random.default_rng(5)
    when, ratio = np.arange(30.0), np.where(rng.random(30) < 0.4, rng.exponential(6, 30), 0.05)
    low, high = profile([ratio[:10], ratio[10:20], ratio[20:]])
    grid = np.linspace(0, 1, 101)
    parts = ratio.reshape(3, 10)
    logs = [np.log1p(np.clip(grid, 0, 1 - 1e-9)[:, None] * (part - 1)).sum(1) for part in parts]
    total = sum(np.meshgrid(*logs, indexing="ij"))
    share = sum(np.meshgrid(grid, grid, grid, indexing="ij")) / 3
    inside = share[total >= total.max() - chi2.ppf(0.95, 1) / 2]
    assert low == pytest.approx(inside.min(), abs=0.011)
    assert high == pytest.approx(inside.max(), abs=0.011)
    one = np.log1p(np.clip(grid, 0, 1 - 1e-9)[:, None] * (ratio - 1)).sum(1)
    inside = grid[one >= one.max() - chi2.ppf(0.95, 1) / 2]
    both = interval(when, ratio)
    assert both[0] == pytest.approx(min(low, inside.min()), abs=0.011)
    assert both[1] == pytest.approx(max(high, inside.max()), abs=0.011)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 12), max_size=6), st.lists(st.integers(0, 12), max_size=6))
def test_matching_finds_as_many_pairs_as_there_can_be(events, deaths):
    from parataxis.methods.therapy_sequence.events import matched

    when, dead = np.array(events, float), np.sort(np.array(deaths, float))
    fewer, more = sorted((events, deaths), key=len)
    most = max(
        sum(abs(a - b) <= 1 for a, b in zip(fewer, chosen, strict=True))
        for chosen in itertools.permutations(more, len(fewer))
    )
    assert matched(when, dead, 1.0).sum() == most


BAD = {
    "method": (None, None, {"method": "guess"}, "method='guess': expected one of 'mixture', 'match'"),
    "pixel": (None, None, {"pixel": 0.0}, "pixel=0.0: expected a time above 0"),
    "column": ({"time": [1.0], "status": [1]}, None, {}, "pfs: no column 'event'; there: time, status"),
    "empty": (None, {"time": [], "event": []}, {}, "os: has no patients"),
    "time": ({"time": [1.0, -2.0], "event": [1, 1]}, None, {}, r"pfs\[1\]: time=-2: expected a finite time"),
    "event": (None, {"time": [1.0, 2.0], "event": [1, 3]}, {}, r"os\[1\]: event=3: expected 0"),
    "crossing": (
        {"time": [9.0] * 10, "event": [1] * 10},
        {"time": [*range(1, 11)], "event": [1] * 10},
        {},
        r"pfs: survival 1.000 at time 8 is above os, 0.200: who is free of progression is alive; swapped",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_is_refused(case, infer):
    pfs, survival, options, said = BAD[case]
    good = {"time": [1.0, 2.0, 3.0], "event": [1, 1, 0]}
    with pytest.raises(BadInput, match=said):
        infer(pd.DataFrame(pfs or good), pd.DataFrame(survival or good), **{"pixel": 0.1, **options})
