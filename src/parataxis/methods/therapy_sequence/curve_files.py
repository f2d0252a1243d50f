"""The files that a model names: beside it, or in the data folder."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

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
        table = self.table(file)
        if column not in table:
            raise BadInput(f"{file}: no column {column!r}; there: {', '.join(map(str, table.columns))}")
        try:
            return table[column].to_numpy(float)
        except ValueError:
            raise BadInput(f"{file}: column {column!r} is not of numbers") from None

    def by_cycle(self, file: str, column: str) -> Float[np.ndarray, " cycle"]:
        """A column whose first row is cycle 1; a column `cycle`, if there is one, must say so."""
        table = self.table(file)
        values = self.column(file, column)
        if "cycle" in table and not np.array_equal(table["cycle"], np.arange(1, len(table) + 1)):
            place = int(np.argmax(table["cycle"].to_numpy() != np.arange(1, len(table) + 1)))
            raise BadInput(
                f"{file}:{place + 2}: cycle={table['cycle'].iloc[place]}: expected {place + 1}, a row a cycle"
            )
        return values
