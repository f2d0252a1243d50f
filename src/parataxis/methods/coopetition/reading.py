"""Files of dependencies: piStar's JSON, a table of dependencies, a matrix with names. No direction is guessed."""

from pathlib import Path
from typing import Any

import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.coopetition.dependencies import Dependencies, Dependency
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.pistar import from_pistar, read_json

ROLES = ("depender", "dependee")
NEEDED = (*ROLES, "dependum")
OPTIONAL = ("importance", "criticality", "type")
GUESSES = ("source", "target", "from", "to", "tail", "head", "actor", "partner", "src", "dst")
SUFFIXES = (".json", ".csv", ".parquet")


def read(path: Path | str, normalise: str = "all") -> tuple[Interdependence, Dependencies | None]:
    """The matrix of any file that is understood, and its dependencies if it holds them. Raises BadInput."""
    path = Path(path)
    if path.suffix.lower() != ".json":
        table = _table(path)
        if _is_matrix(table):
            return _matrix(table, str(path)), None
    dependencies = read_dependencies(path)
    try:
        return dependencies.matrix(normalise), dependencies
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def read_dependencies(path: Path) -> Dependencies:
    if path.suffix.lower() == ".json":
        return from_pistar(read_json(path), str(path))
    table = _table(path)
    if _is_matrix(table):
        raise BadInput(f"{path}: is a matrix, not a table of dependencies; read it with read_matrix")
    return _dependencies(table, str(path))


def read_matrix(path: Path | str) -> Interdependence:
    """A table whose first column holds the names of the rows; its head says what the rows are, depender or dependee."""
    return _matrix(_table(Path(path)), str(path))


def _is_matrix(table: pd.DataFrame) -> bool:
    """Its first column is headed by what its rows are; a table of dependencies has a column of needs, or both ends."""
    return str(table.columns[0]) in ROLES and not {"dependum", *ROLES} & set(table.columns[1:])


def _table(path: Path) -> pd.DataFrame:
    """Heads without the blanks around them."""
    table = _as_it_stands(path)
    if not len(table.columns):
        raise BadInput(f"{path}: has no columns")
    return table.rename(columns=lambda name: str(name).strip())


def _as_it_stands(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
            return table.reset_index() if table.index.name in ROLES else table
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from None
    except ImportError:
        raise BadInput(f"{path}: no reader of .parquet is installed; pip install pyarrow, or give a .csv") from None
    except ValueError as error:
        raise BadInput(f"{path}: is no table: {' '.join(str(error).split())}") from None
    raise BadInput(f"{path}: expected a file that ends in {', '.join(SUFFIXES)}")


def _dependencies(table: pd.DataFrame, where: str) -> Dependencies:
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        there = ", ".join(map(repr, table.columns))
        guess = next((name for name in table.columns if name.lower() in GUESSES), "")
        why = f"{guess!r} could be either end and is not guessed; " if guess and missing[0] in ROLES else ""
        raise BadInput(
            f"{where}: no column {missing[0]!r}; {why}there: {there}; the depender needs what the dependee provides"
        )
    if unknown := [name for name in table.columns if name not in NEEDED + OPTIONAL]:
        raise BadInput(f"{where}: column {unknown[0]!r} is unknown; known: {', '.join(NEEDED + OPTIONAL)}")
    rows = []
    for number, row in enumerate(table.to_dict("records"), 2):
        try:
            rows.append(_dependency({str(key): value for key, value in row.items()}))
        except BadInput as error:
            raise BadInput(f"{where}:{number}: {error}") from None
    try:
        return Dependencies.of(rows)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _dependency(row: dict[str, Any]) -> Dependency:
    depender, dependee, dependum = (_text(row[name]) for name in NEEDED)
    importance, criticality = (_number(row.get(name, ""), name) for name in OPTIONAL[:2])
    return Dependency(
        depender, dependee, dependum, 1.0 if importance is None else importance, criticality, _text(row.get("type"))
    )


def _text(value: Any) -> str:
    """Empty where nothing is said: in a .parquet that is None or nan."""
    return "" if value is None or value is pd.NA or value != value else " ".join(str(value).split())


def _number(value: Any, name: str) -> float | None:
    """None where nothing is said."""
    if not _text(value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{name}={value!r}: expected a number") from None


def _matrix(table: pd.DataFrame, where: str) -> Interdependence:
    head = str(table.columns[0])
    if head not in ROLES:
        raise BadInput(
            f"{where}: its first column is headed {head!r}; head it 'depender' if rows depend on columns, 'dependee' "
            "if columns depend on rows: the direction is not guessed"
        )
    rows, columns = ([" ".join(str(each).split()) for each in side] for side in (table.iloc[:, 0], table.columns[1:]))
    if sorted(rows) != sorted(columns):
        other = sorted(set(rows) ^ set(columns)) or rows
        raise BadInput(f"{where}: names don't match: {other[0]!r} is not both a row and a column")
    try:
        numbers = table.iloc[:, 1:].to_numpy(dtype=float)
    except ValueError as error:
        raise BadInput(f"{where}: expected numbers from 0 to 1: {error}") from None
    try:
        matrix = numbers[:, [columns.index(name) for name in rows]]
        return Interdependence(tuple(rows), matrix if head == "depender" else matrix.T)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
