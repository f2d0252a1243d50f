"""The files that a model names: beside it, or in the data folder."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from parataxis.errors import BadInput

DATA_FOLDER = "therapy-sequence"


@dataclass(frozen=True)
class Folder:
    """Where a model stands."""

    path: Path

    def find(self, file: str) -> Path:
        """Beside the model, else in the data folder; BadInput says where to put it."""
        shared = os.environ.get("PARATAXIS_DATA")
        places = [self.path / file] + ([Path(shared) / DATA_FOLDER / file] if shared else [])
        for each in places:
            if each.is_file():
                return each
        raise BadInput(f"{file} is missing; put it at {places[0]}, or in $PARATAXIS_DATA/{DATA_FOLDER}")

    def table(self, file: str) -> pd.DataFrame:
        """A CSV file whole."""
        path = self.find(file)
        try:
            return pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"{file}: is no CSV table: {str(error).splitlines()[0]}") from None

    def column(self, file: str, column: str) -> Float[np.ndarray, " row"]:
        """One column of numbers."""
        return _numbers(self.table(file), file, column)

    def by_cycle(self, file: str, column: str) -> Float[np.ndarray, " cycle"]:
        """A column, a row a cycle: by the column `cycle`, if there is one, else the first row is cycle 1."""
        table = self.table(file)
        return _numbers(table, file, column)[places_by_cycle(table, f"{file}:")]


def _numbers(table: pd.DataFrame, file: str, column: str) -> Float[np.ndarray, " row"]:
    if column not in table:
        raise BadInput(f"{file}: no column {column!r}; there: {', '.join(map(str, table.columns))}")
    try:
        return table[column].to_numpy(float)
    except ValueError:
        raise BadInput(f"{file}: column {column!r} is not of numbers") from None


def places_by_cycle(table: pd.DataFrame, where: str) -> Int[np.ndarray, " cycle"]:
    """Where the row of cycle 1, 2, ... stands. BadInput unless the column `cycle` has each of them once; where: what
    stands before the number of the row in a message.
    """
    if "cycle" not in table:
        return np.arange(len(table))
    labels = pd.to_numeric(table["cycle"], errors="coerce").to_numpy(float)
    wrong = ~np.isin(labels, np.arange(1, len(table) + 1)) | pd.Series(labels).duplicated().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        told = f"{where}{row + 2}: cycle={table['cycle'].iloc[row]}"
        raise BadInput(f"{told}: expected each of 1 to {len(table)} once, a row a cycle")
    return np.argsort(labels)
