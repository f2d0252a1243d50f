"""Vertices with features, labels and hyperedges, from the user's own files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn import names
from parataxis.methods.light_hgnn.split import classes_of
from parataxis.nn.hypergraph import Hypergraph, open_npz

VERTEX, LABEL, EDGE, WEIGHT = "vertex", "label", "edge", "weight"  # columns of tables
BLANK = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]  # as a feature; of a vertex or class they are names
NONE = ("-1", "-1.0")  # as a label of a table: none, as -1 is in arrays


@dataclass(frozen=True)
class Dataset:
    """x: CSR, vertex by feature, as given. labels: 0 to C - 1, or -1. ids: of the vertices. classes: their names.

    columns: the names of the features, where these have any. unit: whether each row is to be scaled to sum 1.
    """

    name: str
    x: Any
    labels: Int[np.ndarray, " vertex"]
    hypergraph: Hypergraph
    ids: Sequence[Any]
    classes: tuple[Any, ...]
    columns: tuple[str, ...] = ()
    unit: bool = True

    def __post_init__(self) -> None:
        n = self.x.shape[0]
        for what, number in (("y", len(self.labels)), ("hypergraph", self.hypergraph.n)):
            if number != n:
                raise BadInput(f"{self.name}: {what} has {number} vertices, the features {n}; give each both")
        check_features(self.x, self.ids)

    @property
    def features(self) -> Any:
        """CSR, as models read them."""
        return unit_rows(self.x) if self.unit else self.x

    def by_name(self) -> "Dataset":
        """The same in the order of names: what is drawn for its rows then depends on no place in a file."""
        order = names.by_name(self.ids)
        hypergraph, _ = names.arranged(self.hypergraph, order)
        ids = [self.ids[each] for each in order]
        return replace(self, x=self.x[order], labels=self.labels[order], hypergraph=hypergraph, ids=ids)

    def merged(self) -> "Dataset":
        """Without duplicate hyperedges, as DHG does."""
        return replace(self, hypergraph=self.hypergraph.merged())


def check_features(x: Any, ids: Sequence[Any] | None = None) -> None:
    if len(wrong := np.flatnonzero(~np.isfinite(x.data))):
        row = int(np.searchsorted(x.indptr, wrong[0], side="right")) - 1
        raise BadInput(
            f"vertex {row if ids is None else ids[row]!r}: feature {x.indices[wrong[0]]}={x.data[wrong[0]]} must be "
            "finite; fill it in or drop the column"
        )


def unit_rows(x: Any) -> Any:
    """CSR, every row over the sum of its absolute values. A row of zeros stays: there is nothing to scale."""
    from scipy.sparse import csr_array, diags_array

    sums = np.asarray(abs(x).sum(1)).ravel()
    return csr_array(diags_array(1 / np.where(sums > 0, sums, 1)) @ x)


def empty_rows(x: Any) -> int:
    """How many vertices have no feature that is not 0."""
    return int(np.sum(np.asarray(abs(x).sum(1)).ravel() == 0))


def read_dataset(path: Path | str, hyperedges: Path | str | None = None) -> Dataset:
    """One .npz that holds all, or a table of vertices and a file of hyperedges.

    The .npz holds x_indptr, x_indices, x_data, x_shape (CSR), y, e_indptr, e_indices. The table (.csv, .parquet) has a
    row a vertex: the columns `vertex` and `label` (empty or -1: none), every other a feature. The hyperedges: a table
    with a row a membership, columns `vertex`, `edge` and, if it is there, `weight`; or HIF, as JSON.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if hyperedges is not None:
            raise BadInput(f"--hyperedges={hyperedges}: {path} holds hyperedges of its own; leave one of them out")
        return _from_arrays(path)
    if hyperedges is None:
        raise BadInput(f"{path}: holds vertices only; give their hyperedges with --hyperedges FILE")
    ids, labels, classes, columns, x = _vertices(path)
    edges = Path(hyperedges)
    try:
        if edges.suffix == ".json":
            hypergraph = Hypergraph.from_hif(edges, ids)
        else:
            frame = _frame(edges)
            hypergraph = Hypergraph.from_frame(frame, VERTEX, EDGE, ids, WEIGHT if WEIGHT in frame.columns else None)
    except BadInput as error:
        raise BadInput(str(error) if str(edges) in str(error) else f"{edges}: {error}") from None
    return Dataset(path.stem, x, labels, hypergraph, ids, classes, columns)


def _csr(path: Path, arrays: dict[str, Any]) -> Any:
    from scipy.sparse import csr_array

    for name in ("x_indptr", "x_indices", "x_data", "x_shape"):
        if name not in arrays:
            raise BadInput(f"{path}: holds no array {name!r}; there: {', '.join(arrays)}")
    try:
        parts = (arrays["x_data"].astype(float), arrays["x_indices"], arrays["x_indptr"])
        x = csr_array(parts, shape=tuple(arrays["x_shape"].tolist()))
        x.check_format()
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: x is no CSR matrix: {error}") from None
    return x


def _from_arrays(path: Path) -> Dataset:
    arrays = open_npz(path)
    x = _csr(path, arrays)
    if "y" not in arrays or arrays["y"].dtype.kind not in "iu":
        raise BadInput(f"{path}: y: expected an array of whole numbers, -1 for no label; there: {', '.join(arrays)}")
    labels = arrays["y"].astype(np.int64)
    if len(labels) != x.shape[0]:
        raise BadInput(f"{path}: y has {len(labels)} vertices, the features {x.shape[0]}; give each both")
    try:
        classes = tuple(range(classes_of(labels)))
        return Dataset(path.stem, x, labels, Hypergraph.from_arrays(arrays, path), range(len(labels)), classes)
    except BadInput as error:
        raise BadInput(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _frame(path: Path) -> Any:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            return frame.astype({name: "str" for name in (VERTEX, EDGE, LABEL) if name in frame.columns})
        text = dict.fromkeys((VERTEX, EDGE, LABEL), str)
        blank = {name: [""] if name in text else BLANK for name in pd.read_csv(path, nrows=0).columns}
        return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=blank)
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from None
    except ImportError:
        raise BadInput(f"{path}: no reader of .parquet is installed; pip install pyarrow, or give a .csv") from None
    except ValueError as error:
        raise BadInput(f"{path}: is no table: {str(error).splitlines()[0]}") from None


def _vertices(path: Path) -> tuple[list[Any], Int[np.ndarray, " vertex"], tuple[Any, ...], tuple[str, ...], Any]:
    frame = _frame(path)
    for name in (VERTEX, LABEL):
        if name not in frame.columns:
            raise BadInput(f"{path}: no column {name!r}; there: {', '.join(map(str, frame.columns))}")
    if len(gaps := np.flatnonzero(frame[VERTEX].isna())):
        raise BadInput(f"{path}: row {gaps[0] + 1}: {VERTEX} is empty; name the vertex, or drop the row")
    if len(twice := np.flatnonzero(frame[VERTEX].duplicated())):
        raise BadInput(f"{path}: row {twice[0] + 1}: vertex {frame[VERTEX][twice[0]]!r} stands twice; name each once")
    frame[LABEL] = frame[LABEL].where(~frame[LABEL].isin(NONE))
    classes = tuple(sorted(frame[LABEL].dropna().unique().tolist()))
    numbers = {name: place for place, name in enumerate(classes)}
    labels = np.array([numbers.get(each, -1) for each in frame[LABEL]], np.int64)
    if len(classes) < 2:
        raise BadInput(f"{path}: {len(classes)} class in column {LABEL!r}; expected two or more")
    columns = tuple(str(name) for name in frame.columns if name not in (VERTEX, LABEL))
    return frame[VERTEX].tolist(), labels, classes, columns, features_of(path, frame)


def features_of(path: Path, frame: Any, columns: Sequence[str] = ()) -> Any:
    """CSR of these columns, in their order; without any of every column but `vertex` and `label`."""
    from scipy.sparse import csr_array

    columns = columns or [name for name in frame.columns if name not in (VERTEX, LABEL)]
    if missing := [name for name in columns if name not in frame.columns]:
        raise BadInput(
            f"{path}: no column {missing[0]!r}, a feature that the model was trained with; there: "
            f"{', '.join(map(str, frame.columns))}"
        )
    values = []
    for name in columns:
        if frame[name].dtype.kind not in "biuf":
            raise BadInput(f"{path}: column {name!r} is not of numbers; encode it or drop it")
        values.append(frame[name].to_numpy(float))
    if not values:
        raise BadInput(f"{path}: no column of features beside {VERTEX!r} and {LABEL!r}")
    table = np.column_stack(values)
    if len(wrong := np.argwhere(~np.isfinite(table))):
        row, column = wrong[0].tolist()
        raise BadInput(
            f"{path}:{row + 2}: {columns[column]}={table[row, column]} must be finite; fill it in or drop the row"
        )
    return csr_array(table)


def read_features(path: Path | str, columns: Sequence[str] = ()) -> tuple[Sequence[Any], Any]:
    """Ids and CSR features of vertices to be classified: a table with a column `vertex`, or an .npz with x.

    columns: names of a table's features in the order of training; others are left aside.
    """
    path = Path(path)
    if path.suffix == ".npz":
        x = _csr(path, open_npz(path))
        return range(x.shape[0]), x
    frame = _frame(path)
    ids = frame[VERTEX].tolist() if VERTEX in frame.columns else list(range(len(frame)))
    return ids, features_of(path, frame, columns)
