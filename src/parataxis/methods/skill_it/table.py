"""A skills graph from a table of finished runs: what each was trained on, and the losses it reached."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.skill_it.draws import stream
from parataxis.methods.skill_it.graph import PERCENTILES, SkillGraph

OFF = 0.01  # by how much the shares of a run may miss 1: published tables are rounded
Table = Float[np.ndarray, "run skill"]


@dataclass(frozen=True)
class TableFit:
    """L_j = c_j - sum_i B_ij p_i. graph: B. intercept: c, the loss after training on what helps j least."""

    graph: SkillGraph
    intercept: Float[np.ndarray, " evaluated"]

    def predict(self, mixtures: pd.DataFrame) -> pd.DataFrame:
        """The loss of each evaluated skill after each mixture."""
        shares = mixtures[list(self.graph.train_skills)].to_numpy(float)
        return pd.DataFrame(
            self.intercept - shares @ self.graph.matrix, index=mixtures.index, columns=self.graph.eval_skills
        )


def fit_table(mixtures: pd.DataFrame, losses: pd.DataFrame, *, ridge: float = 0.0, resamples: int = 200) -> TableFit:
    """Fit the losses of measured runs by least squares in their mixtures; intervals by resampling the runs.

    mixtures: a row a run, a column a skill trained on; rows sum to 1. losses: the same runs, in any order, a column an
    evaluated skill. As shares sum to 1, c_j and B_ij are known but for what is added to both, on which the rule does
    not depend: of each column the least entry is 0, so that none is below it. ridge: pulls the entries of a column
    together, where there are few runs. resamples: 0, no intervals.

    Raises BadInput.
    """
    _check(mixtures, losses, ridge)
    shares, reached = mixtures.to_numpy(float), losses.loc[mixtures.index].to_numpy(float)
    shares = shares / shares.sum(1, keepdims=True)
    matrix, intercept = _solve(shares, reached, ridge)
    low = high = None
    if resamples:
        rng = stream(0, "rows", len(shares))
        drawn = [rng.integers(len(shares), size=len(shares)) for _ in range(resamples)]
        low, high = np.percentile(
            [_solve(shares[rows], reached[rows], ridge)[0] for rows in drawn], PERCENTILES, axis=0
        )
    graph = SkillGraph(matrix, tuple(map(str, mixtures.columns)), tuple(map(str, losses.columns)), low, high)
    return TableFit(graph, intercept)


def _solve(shares: Table, losses: Float[np.ndarray, "run evaluated"], ridge: float) -> tuple[np.ndarray, np.ndarray]:
    centre, level = shares.mean(0), losses.mean(0)
    p, drop = shares - centre, level - losses
    if ridge:  # as so many more rows
        p = np.concatenate([p, np.sqrt(ridge * len(shares)) * np.eye(p.shape[1])])
        drop = np.concatenate([drop, np.zeros((shares.shape[1], drop.shape[1]))])
    found = np.linalg.lstsq(p, drop, rcond=None)[0]
    found = found - found.min(0)
    return found, level + centre @ found


def _check(mixtures: pd.DataFrame, losses: pd.DataFrame, ridge: float) -> None:
    if not (np.isfinite(ridge) and ridge >= 0):
        raise BadInput(f"ridge={ridge}: expected a number of at least 0")
    if other := sorted(map(str, set(mixtures.index) ^ set(losses.index))):
        raise BadInput(f"mixtures, losses: not of the same runs: {other[0]!r} is in one of them only; leave it out")
    if len(mixtures) < 2:
        raise BadInput(f"mixtures: {len(mixtures)} runs; give at least two")
    for what, table, least in (("mixtures", mixtures, 0.0), ("losses", losses, -np.inf)):
        for name, column in table.items():
            if not pd.api.types.is_numeric_dtype(column):
                raise BadInput(f"{what}: skill {name!r}: is not of numbers")
            for run, value in zip(table.index, column, strict=True):
                if not np.isfinite(value):
                    raise BadInput(f"{what}: skill {name!r}, run {run!r}: {value} must be finite")
                if value < least:
                    raise BadInput(f"{what}: skill {name!r}, run {run!r}: {value} must be at least 0")
    for run, total in zip(mixtures.index, mixtures.sum(axis=1), strict=True):
        if abs(total - 1) > OFF:
            raise BadInput(f"mixtures: run {run!r}: the shares sum to {total:.3f}; expected 1")
