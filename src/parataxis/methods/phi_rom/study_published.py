"""The published errors, as they stand in the data file, beside ours on the same problem where there are such."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from parataxis.claims import Table

FILE = "published_results.csv"
SPANS = {"[0 T_tr]": "[0, T_tr]", "[T_tr T_te]": "[T_tr, T_te]"}


def read(path: Path) -> pd.DataFrame:
    """problem, setting, interval, method, rnmse, source."""
    return pd.read_csv(path, keep_default_na=False)


def tables(path: Path) -> Iterator[Table]:
    """A row a setting and method, the two intervals beside each other; a problem's one error where there is but one."""
    found = read(path)
    found["interval"] = found["interval"].map(lambda each: SPANS.get(each, "one error"))
    wide = found.pivot_table(
        index=["problem", "setting", "method", "source"], columns="interval", values="rnmse", sort=False
    ).reset_index()
    spans = ["[0, T_tr]", "[T_tr, T_te]", "one error"]
    rows = [
        [*map(str, row[:4]), *(None if pd.isna(value) else float(value) for value in row[4:])]
        for row in wide[["problem", "setting", "method", "source", *spans]].itertuples(index=False)
    ]
    columns = ["problem", "setting", "model", "source", *spans]
    caption = "Published RNMSE, at the published scale: from the authors' poster, or from a reading note on the paper."
    yield Table("published", columns, rows, caption)
