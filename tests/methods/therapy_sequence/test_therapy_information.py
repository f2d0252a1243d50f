"""Value of knowing one parameter, against closed forms; standard errors of each pair; years in each state."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from therapy_cases import short

from parataxis.methods.therapy_sequence.economics import Draws, pairs
from parataxis.methods.therapy_sequence.information import evppi, spline
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.sequence import SequenceModel

N = 4000


def unit_loss(mean, sd):
    """E max(0, X) - max(0, mean) of a normal X."""
    z = abs(mean) / sd
    return sd * (norm.pdf(z) - z * norm.sf(z))


def drawn(gain, **values):
    """Two strategies whose net benefit at threshold 1 differs by `gain`."""
    zero = np.zeros(len(gain))
    return Draws(("A", "B"), np.column_stack([zero, zero]), np.column_stack([zero, gain])), pd.DataFrame(values)


@pytest.mark.parametrize(("mean", "seed"), [(0.5, 1), (-1.0, 2), (0.0, 3)])
def test_normal_net_benefit_has_a_closed_form(mean, seed):
    """Net benefit mean + 2 x + y: knowing x is worth the unit normal loss of 2 x, knowing both that of the sum."""
    x, y, other = np.random.default_rng(seed).standard_normal((3, N))
    draws, values = drawn(mean + 2 * x + y, x=x, y=y, other=other)
    found = evppi(draws, values, [1.0]).set_index("parameter")
    for name, sd in (("x", 2.0), ("y", 1.0)):
        row = found.loc[name]
        assert abs(row["evppi_1"] - unit_loss(mean, sd)) < 4 * row["error_1"] + 4 * sd / np.sqrt(N)
        assert 0 < row["error_1"] < 0.1
    assert found.loc["other", "evppi_1"] < 0.03
    assert next(iter(found.index)) == "x"
    assert found["evppi_1"].max() < draws.evpi([1.0])["evpi"][0]


def test_a_bend_is_seen():
    """Net benefit x^2 - 1, of mean 0: knowing x is worth E max(0, x^2 - 1) = 2 phi(1), and a line sees nothing."""
    x, noise = np.random.default_rng(4).standard_normal((2, N))
    draws, values = drawn(x**2 - 1 + noise, x=x)
    row = evppi(draws, values, [1.0]).iloc[0]
    assert row["evppi_1"] == pytest.approx(2 * norm.pdf(1), abs=0.06)


def test_splines_are_lines_outside_and_smooth_inside():
    basis = spline(np.linspace(0, 1, 2001))
    assert basis.shape == (2001, 5)
    bend = np.diff(basis, 2, axis=0)
    assert np.abs(bend[[*range(90), *range(-90, 0)]]).max() < 1e-9
    assert np.abs(np.diff(bend, axis=0)).max() < 1e-5
    assert spline(np.full(50, 3.0)).shape == (50, 1)


def test_few_draws_tell_nothing():
    draws, values = drawn(np.arange(10.0), x=np.arange(10.0))
    assert len(evppi(draws, values, [1.0])) == 0


def test_names_and_order_of_the_parameters_do_not_matter():
    x, y = np.random.default_rng(5).standard_normal((2, 300))
    draws, values = drawn(0.3 + x + 0.5 * y, x=x, y=y)
    one = evppi(draws, values, [1.0])
    other = evppi(draws, values[["y", "x"]].rename(columns={"x": "a", "y": "b"}), [1.0])
    assert one["evppi_1"].tolist() == other["evppi_1"].tolist()
    assert other["parameter"].tolist() == ["a", "b"]


def test_values_belong_to_their_draws():
    """Only one number varies: cost and QALYs follow it without noise."""
    model = short(8)
    alone = model.with_parts(uncertainty=replace(model.parts.uncertainty, costs=0.2, utilities=0.0, probabilities=0.0))
    found = psa(alone, 40, 3)
    assert set(found.varied) == set(found.values)
    design = np.column_stack([np.ones(40), found.values.to_numpy()])
    fitted = design @ np.linalg.lstsq(design, found.draws.cost, rcond=None)[0]
    assert fitted == pytest.approx(found.draws.cost, rel=1e-9)


def test_errors_of_each_pair_by_formula():
    rng = np.random.default_rng(0)
    cost, qaly = rng.normal([100, 150, 90], 10, (500, 3)), rng.normal([1, 1.5, 1.2], 0.3, (500, 3))
    found = pairs(("A", "B", "C"), cost, qaly, [50.0]).set_index(["strategy", "against"])
    assert list(found.index) == [("B", "A"), ("C", "A"), ("C", "B")]
    row, c, q = found.loc[("B", "A")], cost[:, 1] - cost[:, 0], qaly[:, 1] - qaly[:, 0]
    assert row["d_nmb_50"] == pytest.approx((50 * q - c).mean())
    assert row["d_nmb_50_error"] == pytest.approx((50 * q - c).std(ddof=1) / np.sqrt(500))
    again = [c[rows].mean() / q[rows].mean() for rows in rng.integers(500, size=(2000, 500))]
    assert row["icer"] == pytest.approx(c.mean() / q.mean())
    assert row["icer_error"] == pytest.approx(np.std(again), rel=0.1)
    assert np.isnan(found.loc[("C", "A"), "icer"])  # cheaper and better
    assert np.isnan(found.loc[("C", "A"), "icer_error"])


def test_each_pair_and_threshold_tells_how_many_it_would_take():
    """By the normal formula, and only where the error hides the difference."""
    rng = np.random.default_rng(0)
    cost, qaly = rng.normal(1000, 100, (50, 3)), rng.normal([1, 1, 6], 0.1, (50, 3))
    table = pairs(["A", "B", "C"], cost, qaly, [20.0, 2000.0])
    for _, row in table.iterrows():
        for level in (20, 2000):
            mean, error, needed = (row[f"d_nmb_{level}{more}"] for more in ("", "_error", "_needed"))
            assert np.isnan(needed) == (error <= abs(mean))
            if error > abs(mean):
                assert needed == np.ceil(50 * (1.96 * error / mean) ** 2)
    told = table[["d_nmb_20_needed", "d_nmb_2000_needed"]].notna().sum(axis=1).tolist()
    assert told[0] > 0  # A and B differ by luck alone
    assert told[1:] == [0, 0]


def test_a_simulated_comparison_has_its_pairs():
    model = SequenceModel(short(8, lines=3))
    found = model.compare(model.simulate(30, 1)).pairs
    assert len(found) == 15
    assert model.compare().pairs is None


def test_years_are_qalys_without_discount_at_full_health():
    model = short(9)
    free = model.with_parts(
        discount=replace(model.parts.discount, qalys=0.0),
        extensive=replace(model.parts.extensive, utility=1.0),
        drugs=tuple(replace(drug, lines=tuple(_well(line) for line in drug.lines)) for drug in model.parts.drugs),
    )
    years, exact = SequenceModel(model).times(), SequenceModel(free).expected()
    assert years["alive"].to_numpy() == pytest.approx(exact["qaly"].to_numpy(), rel=1e-12)
    states = [name for name in years if name not in ("strategy", "alive")]
    assert years[states].sum(axis=1).to_numpy() == pytest.approx(years["alive"].to_numpy())


def _well(line):
    event = replace(line.adverse_event, utility=1.0, utility_first=1.0)
    return replace(line, utility=1.0, utility_stopped=1.0, adverse_event=event)
