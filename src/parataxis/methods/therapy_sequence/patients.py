"""Tables of patients, as the commands hand them on: time, event, and how likely the event is a death."""

from pathlib import Path

import pandas as pd

from parataxis.errors import BadInput


def read_patients(path: Path | str, *more: str) -> pd.DataFrame:
    """A CSV with columns `time`, `event` and those of `more`, all numbers. BadInput with file, line and column."""
    path, wanted = Path(path), ("time", "event", *more)
    try:
        table = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BadInput(f"{path}: can't be read: {reason}") from None
    if missing := [each for each in wanted if each not in table]:
        raise BadInput(f"{path}: no column {missing[0]!r}; there: {', '.join(map(str, table)) or 'none'}")
    if not len(table):
        raise BadInput(f"{path}: has no patients")
    for column in wanted:
        values = pd.to_numeric(table[column], errors="coerce")
        if values.isna().any():
            place = int(values.isna().to_numpy().argmax())
            raise BadInput(f"{path}:{place + 2}: {column}={table[column].iloc[place]!r} must be a number")
        if column == "event" and not values.isin((0, 1)).all():
            place = int((~values.isin((0, 1))).to_numpy().argmax())
            raise BadInput(f"{path}:{place + 2}: event={values.iloc[place]:g}: expected 0 (censored) or 1 (event)")
        if column == "time" and (values < 0).any():
            place = int((values < 0).to_numpy().argmax())
            raise BadInput(f"{path}:{place + 2}: time={values.iloc[place]:g} must not be below 0")
        if column == "death" and not values.between(0, 1).all():
            place = int((~values.between(0, 1)).to_numpy().argmax())
            raise BadInput(f"{path}:{place + 2}: death={values.iloc[place]:g}: expected a share in [0, 1]")
        table[column] = values
    return table
