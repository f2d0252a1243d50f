"""Published runs: mixtures of the Pile and the losses they led to, for graphs that are fitted to a table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.skill_it.table import fit_table

SETS = ("1m", "60m", "1B")  # parameters of the models whose runs are foretold


def read_table(path: Path, index: str = "index") -> pd.DataFrame:
    """A .csv or .csv.gz with a row a run; the column `index`, or else the first, names the runs. BadInput."""
    try:
        head = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].tolist()
        table = pd.read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BadInput(f"{path}: can't be read: {reason}") from None
    if twice := [name for place, name in enumerate(head) if name in head[:place]]:
        raise BadInput(f"{path}: column {twice[0]!r} stands twice; name each skill once")
    if table.shape[1] < 2:
        raise BadInput(f"{path}: expected a column that names the runs, and one a skill")
    table = table.set_index(index if index in table else table.columns[0])
    if not table.index.is_unique:
        raise BadInput(f"{path}: run {table.index[table.index.duplicated()][0]!r} stands twice")
    return table


def plain(name: str) -> str:
    """`metric/the_pile_arxiv_val_loss` and `train_the_pile_arxiv` are of one domain."""
    return name.removeprefix("metric/").removeprefix("train_").removeprefix("the_pile_").removesuffix("_val_loss")


def read_runs(find: Callable[[str], Path], part: str, size: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mixtures and losses, joined by their index."""
    mixtures, losses = (
        read_table(find(f"regmix/{part}_{what}_{size}.csv.gz")).rename(columns=plain)
        for what in ("mixture", "pile_loss")
    )
    shared = mixtures.index.intersection(losses.index)
    return mixtures.loc[shared], losses.loc[shared]


def foretold(
    train: tuple[pd.DataFrame, pd.DataFrame], test: tuple[pd.DataFrame, pd.DataFrame], ridge: float = 0.0
) -> pd.Series:
    """Of each domain: the rank correlation (Spearman) of the losses that a graph, fitted to some runs, gives others."""
    from scipy.stats import spearmanr

    said = fit_table(*train, ridge=ridge, resamples=0).predict(test[0])
    return pd.Series(
        {name: float(spearmanr(said[name], test[1][name]).statistic) for name in test[1].columns if name in said}
    )


def intervals(
    train: tuple[pd.DataFrame, pd.DataFrame], test: tuple[pd.DataFrame, pd.DataFrame], rng: np.random.Generator, n: int
) -> pd.DataFrame:
    """The same with 95 % intervals over the runs that are foretold: columns value, low, high."""
    from scipy.stats import spearmanr

    said, value = fit_table(*train, resamples=0).predict(test[0]), foretold(train, test)
    drawn = [rng.integers(len(said), size=len(said)) for _ in range(n)]
    rows = {}
    for name in value.index:
        a, b = said[name].to_numpy(), test[1][name].to_numpy()
        found = [float(spearmanr(a[rows_], b[rows_]).statistic) for rows_ in drawn]
        low, high = np.percentile(found, (2.5, 97.5))
        rows[name] = {"value": value[name], "low": min(low, value[name]), "high": max(high, value[name])}
    return pd.DataFrame(rows).T
