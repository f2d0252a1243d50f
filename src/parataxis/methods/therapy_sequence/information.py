"""What knowing one parameter for sure would be worth (EVPPI), from the draws alone, by regression.

Strong, Oakley and Brennan, "Estimating multiparameter partial expected value of perfect information from a
probabilistic sensitivity analysis sample: a nonparametric regression approach", Medical Decision Making 34, 2014,
311-326: the net benefit expected under a parameter's value is a smooth curve through the draws. Ours is a natural cubic
spline with five knots, at the quantiles of Harrell, "Regression Modeling Strategies", 2015, table 2.3.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.methods.therapy_sequence.economics import Draws

KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)  # quantiles of the parameter
CURVES = 200  # that fit as well, for the standard error
FEWEST = 30  # draws: fewer tell nothing of a curve with five coefficients
UNDRAWN = 1e-12  # of a parameter's size: one that does not vary


def evppi(draws: Draws, values: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """A row a parameter, the worthiest over all thresholds first: `evppi` a patient and its standard error (by the
    uncertainty of the curves) at each threshold. values: a row a draw, a column a parameter.
    """
    rows = []
    if len(draws.cost) >= FEWEST:
        for name in values:
            basis = spline(values[name].to_numpy(float))
            row: dict[str, Any] = {"parameter": name}
            for threshold in thresholds:
                worth, error = _worth(basis, draws.net_benefit(threshold))
                row |= {f"evppi_{threshold:g}": worth, f"error_{threshold:g}": error}
            rows.append(row)
    heads = [f"{kind}_{threshold:g}" for threshold in thresholds for kind in ("evppi", "error")]
    table = pd.DataFrame(rows, columns=["parameter", *heads])
    order = np.argsort(-table[heads[::2]].to_numpy(float).sum(axis=1), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def worthwhile(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table of `evppi`, the parameters that are worth knowing at some threshold."""
    return table[table.filter(like="evppi_").sum(axis=1) > 0]


def spline(values: Float[np.ndarray, " draw"]) -> Float[np.ndarray, "draw basis"]:
    """One, the value, and a cubic that is a line beyond the outer knots, for each inner knot."""
    spread = np.ptp(values)
    if spread <= UNDRAWN * max(np.abs(values).max(), UNDRAWN):
        return np.ones((len(values), 1))
    x = (values - values.min()) / spread
    knots = np.unique(np.quantile(x, KNOTS))
    if len(knots) < 3:
        return np.column_stack([np.ones_like(x), x])
    last, before = knots[-1], knots[-2]

    def bent(knot: float) -> Float[np.ndarray, " draw"]:
        return np.asarray(np.maximum(x - knot, 0) ** 3)

    columns = [
        bent(knot) - bent(before) * (last - knot) / (last - before) + bent(last) * (before - knot) / (last - before)
        for knot in knots[:-2]
    ]
    return np.column_stack([np.ones_like(x), x, *columns])


def _worth(basis: Float[np.ndarray, "draw basis"], benefit: Float[np.ndarray, "draw strategy"]) -> tuple[float, float]:
    """Mean of the best under the fitted curves less the best mean; and its standard error."""
    gain = benefit - benefit[:, [int(benefit.mean(0).argmax())]]
    q = np.linalg.qr(basis)[0]
    coefficients = q.T @ gain
    fitted = q @ coefficients
    residual = gain - fitted
    freedom = max(len(gain) - q.shape[1], 1)
    spread = _root(residual.T @ residual / freedom)
    rng = np.random.default_rng(0)  # the same noise for every parameter: their order does not hang on it
    noise = rng.standard_normal((CURVES, q.shape[1], gain.shape[1])) @ spread.T
    others = np.einsum("db,cbs->cds", q, coefficients + noise)
    told = others.max(2).mean(1) - others.mean(1).max(1)
    return float(max(fitted.max(1).mean() - fitted.mean(0).max(), 0.0)), float(told.std(ddof=1))


def _root(matrix: Float[np.ndarray, "strategy strategy"]) -> Float[np.ndarray, "strategy strategy"]:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0.0))
