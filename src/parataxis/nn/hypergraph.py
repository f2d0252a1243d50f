"""A hypergraph: vertices 0 to n - 1, and groups of any number of them. Never a vertex-by-vertex matrix."""

import io
import json
import zipfile
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.nn import hif

Pairs = Int[np.ndarray, "2 pair"]


def open_npz(path: Path | str) -> dict[str, Any]:
    """The arrays of a file. BadInput if it can't be read, or holds pickles."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        told = error.strerror if isinstance(error, OSError) else None
        raise BadInput(f"{path}: can't be read: {told or 'is not a whole .npz file of plain arrays'}") from None


@dataclass(frozen=True, eq=False)
class Hypergraph:
    """Hyperedge e holds the vertices `members[offsets[e]:offsets[e + 1]]`, sorted and distinct.

    n: of vertices. weights: of hyperedges, above 0. vertex_names, edge_names: what the user calls them, if anything.
    Made by the `from_...` constructors or `of`, which check; the constructor itself trusts.
    """

    n: int
    offsets: Int[np.ndarray, " offset"]
    members: Int[np.ndarray, " pair"]
    weights: Float[np.ndarray, " edge"]
    vertex_names: tuple[Any, ...] | None = None
    edge_names: tuple[Any, ...] | None = None

    # -- from where it comes -------------------------------------------------------------------------------------

    @classmethod
    def of(
        cls,
        n: int,
        pairs: Pairs,
        edges: int,
        *,
        weights: Float[np.ndarray, " edge"] | None = None,
        vertex_names: Sequence[Any] | None = None,
        edge_names: Sequence[Any] | None = None,
    ) -> "Hypergraph":
        """From pairs (vertex, edge) in any order. BadInput for a wrong id, a repeated pair, an empty edge, a weight."""
        vertex, edge = (np.asarray(each, np.int64) for each in pairs)
        if n < 0:
            raise BadInput(f"n={n}: expected how many vertices there are")
        for what, count, given in (("vertex_names", n, vertex_names), ("edge_names", edges, edge_names)):
            if given is not None and len(given) != count:
                raise BadInput(f"{what}: {len(given)} given for {count}; give one each")
        shown = _Shown(vertex_names, edge_names)
        shown.outside(vertex, n, edge)
        if len(wrong := np.flatnonzero((edge < 0) | (edge >= edges))):
            raise BadInput(f"hyperedge {edge[wrong[0]]}: expected 0 to {edges - 1}, as there are {edges} hyperedges")
        order = np.lexsort((vertex, edge))
        vertex, edge = vertex[order], edge[order]
        twice = np.flatnonzero((vertex[1:] == vertex[:-1]) & (edge[1:] == edge[:-1]))
        if len(twice):
            raise BadInput(
                f"{shown.edge(edge[twice[0]])}: vertex {shown.vertex(vertex[twice[0]])} stands in it twice; "
                "a member counts once, so drop the repetition"
            )
        sizes = np.bincount(edge, minlength=edges)
        if len(empty := np.flatnonzero(sizes == 0)):
            raise BadInput(f"{shown.edge(empty[0])}: has no member; leave it out")
        if weights is not None and np.asarray(weights).dtype.kind not in "biuf":
            raise BadInput(f"weights: are {np.asarray(weights).dtype}; expected numbers above 0")
        numbers = np.ones(edges) if weights is None else np.asarray(weights, float)
        if len(numbers) != edges:
            raise BadInput(f"weights: {len(numbers)} given for {edges} hyperedges; give one each")
        if len(wrong := np.flatnonzero(~(np.isfinite(numbers) & (numbers > 0)))):
            raise BadInput(f"{shown.edge(wrong[0])}: weight={numbers[wrong[0]]} must be a number above 0")
        names = (None if each is None else tuple(each) for each in (vertex_names, edge_names))
        return cls(n, np.concatenate([[0], np.cumsum(sizes)]), vertex, numbers, *names)

    @classmethod
    def from_edges(cls, edges: Iterable[Iterable[Any]], n: int | None = None, weights: Any = None) -> "Hypergraph":
        """From a list of hyperedges, each a list of vertex numbers below n; without n, no vertex follows the last."""
        lists = [list(each) for each in edges]
        vertex = np.array([member for each in lists for member in each])
        if vertex.dtype.kind not in "iu" and len(vertex):
            raise BadInput(f"edges: a member is {vertex.dtype}; vertices are whole numbers from 0 to n - 1")
        edge = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        n = int(vertex.max(initial=-1)) + 1 if n is None else n
        return cls.of(n, np.array([vertex.astype(np.int64), edge]), len(lists), weights=_numbers(weights))

    @classmethod
    def from_incidence(cls, incidence: Any, weights: Any = None) -> "Hypergraph":
        """From a scipy sparse matrix, vertex by edge; a stored 0 is no membership, any other value is one."""
        found = incidence.tocoo()
        kept = found.data != 0
        pairs = np.array([found.row[kept], found.col[kept]], np.int64)
        return cls.of(found.shape[0], pairs, found.shape[1], weights=_numbers(weights))

    @classmethod
    def from_frame(
        cls, frame: Any, vertex: str, edge: str, vertices: Iterable[Hashable] | None = None, weight: str | None = None
    ) -> "Hypergraph":
        """From a table with a row a membership.

        vertex, edge, weight: its columns; the weight stands in each row of a hyperedge. vertices: the names in the
        order of their numbers (that of the feature rows), all of them, also those in no hyperedge; by default in order
        of appearance. Hyperedges are numbered as they appear.
        """
        for name in (vertex, edge):
            if name not in frame.columns:
                raise BadInput(f"no column {name!r}; there: {', '.join(map(repr, frame.columns))}")
            if len(gaps := np.flatnonzero(frame[name].isna())):
                raise BadInput(f"row {gaps[0] + 1}: {name} is empty; give every membership both, or drop the row")
        edge_names = list(dict.fromkeys(frame[edge].tolist()))
        memberships = list(zip(frame[vertex].tolist(), frame[edge].tolist(), strict=True))
        weights = None if weight is None else _column(frame, edge, weight)
        return cls._named(memberships, vertices, edge_names, weights)

    @classmethod
    def _named(
        cls,
        memberships: list[tuple[Hashable, Hashable]],
        vertices: Iterable[Hashable] | None,
        edge_names: list[Hashable],
        weights: Any = None,
    ) -> "Hypergraph":
        """From (vertex, edge) by name; vertices as in `from_frame`."""
        known = list(dict.fromkeys(name for name, _ in memberships) if vertices is None else vertices)
        numbers, edges = ({name: place for place, name in enumerate(each)} for each in (known, edge_names))
        if len(numbers) < len(known):
            twice = next(name for place, name in enumerate(known) if numbers[name] != place)
            raise BadInput(f"vertex {twice!r} stands twice among the vertices; name each once")
        for name, edge in memberships:
            if name not in numbers:
                raise BadInput(
                    f"hyperedge {edge!r}: vertex {name!r} is not among the {len(known)} vertices; add or drop it"
                )
        pairs = np.array([[numbers[a] for a, _ in memberships], [edges[b] for _, b in memberships]], np.int64)
        return cls.of(len(known), pairs, len(edge_names), weights=weights, vertex_names=known, edge_names=edge_names)

    @classmethod
    def from_graph(cls, links: Int[np.ndarray, "link 2"], n: int) -> "Hypergraph":
        """A plain graph: a hyperedge a link, and one a vertex with its neighbours, as the paper makes of graphs."""
        links = np.unique(np.sort(np.asarray(links, np.int64).reshape(-1, 2), axis=1), axis=0)
        links = links[links[:, 0] != links[:, 1]]
        near: list[set[int]] = [{vertex} for vertex in range(n)]
        for a, b in links.tolist():
            if not 0 <= a <= b < n:
                raise BadInput(f"link {a}, {b}: expected vertices from 0 to {n - 1}")
            near[a].add(b)
            near[b].add(a)
        return cls.from_edges([*links.tolist(), *(sorted(each) for each in near if len(each) > 1)], n)

    @classmethod
    def from_npz(cls, path: Path | str) -> "Hypergraph":
        """From the arrays `e_indptr`, `e_indices` and, if they are there, `e_weight` and `n` (else `y` tells it).

        The members of hyperedge i are `e_indices[e_indptr[i]:e_indptr[i + 1]]`.
        """
        return cls.from_arrays(open_npz(path), path)

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any], path: Path | str) -> "Hypergraph":
        """The same from the arrays of a file that is read already."""
        for name in ("e_indptr", "e_indices"):
            if name not in arrays:
                raise BadInput(f"{path}: holds no array {name!r}; there: {', '.join(arrays)}")
            if arrays[name].dtype.kind not in "iu":
                raise BadInput(f"{path}: {name} is of {arrays[name].dtype}; expected whole numbers")
        offsets, members = arrays["e_indptr"].astype(np.int64), arrays["e_indices"].astype(np.int64)
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(members) or (np.diff(offsets) < 0).any():
            raise BadInput(f"{path}: e_indptr: expected numbers that rise from 0 to {len(members)}, len(e_indices)")
        most = len(arrays["y"]) if "y" in arrays else int(members.max(initial=-1)) + 1
        edges = len(offsets) - 1
        pairs = np.array([members, np.repeat(np.arange(edges), np.diff(offsets))])
        try:
            return cls.of(int(arrays.get("n", most)), pairs, edges, weights=arrays.get("e_weight"))
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None

    @classmethod
    def from_hif(cls, path: Path | str, vertices: Iterable[Hashable] | None = None) -> "Hypergraph":
        """From HIF, the JSON that XGI and HyperNetX exchange.

        vertices: names in the order of their numbers; by default those of `nodes`, then as they appear. XGI lists the
        isolated ones only, and HyperNetX leaves these out: give the names where features go by number. Names that are
        all text, as a table's, also mean the numbers that they write. Weights are those of
        edges, also under `attrs`, where XGI has them; those of nodes and of incidences are left aside.
        """
        try:
            return cls._from_hif(json.loads(Path(path).read_text()), vertices)
        except OSError as error:
            raise BadInput(f"{path}: can't be read: {error.strerror}") from None
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None
        except ValueError as error:
            raise BadInput(f"{path}: is not JSON: {error}") from None

    @classmethod
    def _from_hif(cls, value: Any, vertices: Iterable[Hashable] | None) -> "Hypergraph":
        if not isinstance(value, dict) or not isinstance(value.get("incidences"), list):
            raise BadInput("is not HIF: expected an object with a list 'incidences'")
        if value.get("network-type", "undirected") == "directed":
            raise BadInput("network-type='directed': only undirected hypergraphs are read")
        memberships = [(each["node"], each["edge"]) for each in hif.rows_of(value, "incidences", "edge", "node")]
        weights = {each["edge"]: hif.weight_of(each) for each in hif.rows_of(value, "edges", "edge")}
        edges = list(dict.fromkeys([*weights, *(edge for _, edge in memberships)]))
        if vertices is None:
            listed = [each["node"] for each in hif.rows_of(value, "nodes", "node")]
            vertices = dict.fromkeys([*listed, *(node for node, _ in memberships)])
        known = list(vertices)
        if all(isinstance(each, str) for each in known):
            memberships = [(str(node), edge) for node, edge in memberships]
        return cls._named(memberships, known, edges, np.array([weights.get(each, 1.0) for each in edges], float))

    # -- what it is ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many hyperedges."""
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"Hypergraph({self.n} vertices, {len(self)} hyperedges, {len(self.members)} memberships)"

    @cached_property
    def sizes(self) -> Int[np.ndarray, " edge"]:
        """D_e: how many members each hyperedge has."""
        return np.diff(self.offsets)

    @cached_property
    def degrees(self) -> Float[np.ndarray, " vertex"]:
        """D_v: the weights of the hyperedges that a vertex is in, summed."""
        return np.bincount(self.members, np.repeat(self.weights, self.sizes), minlength=self.n)

    @property
    def pairs(self) -> Pairs:
        """(vertex, edge) of every membership, by edge, then by vertex."""
        return np.array([self.members, np.repeat(np.arange(len(self)), self.sizes)])

    @property
    def isolated(self) -> Bool[np.ndarray, " vertex"]:
        """Which vertices are in no hyperedge."""
        return np.bincount(self.members, minlength=self.n) == 0

    @cached_property
    def _same(self) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " edge"]]:
        """The first of each set of equal hyperedges, and for every hyperedge which of those it equals."""
        seen: dict[bytes, int] = {}
        group = [seen.setdefault(each.tobytes(), len(seen)) for each in self]
        return np.unique(group, return_index=True)[1], np.array(group, np.int64)

    def __iter__(self) -> Any:
        """The members of one hyperedge after the other."""
        return iter(np.split(self.members, self.offsets[1:-1]) if len(self) else [])

    @property
    def duplicates(self) -> int:
        """How many hyperedges have the members of an earlier one."""
        return len(self) - len(self._same[0])

    def incidence(self) -> Any:
        """H, a scipy sparse array, vertex by edge."""
        from scipy.sparse import csc_array

        return csc_array((np.ones(len(self.members)), self.members, self.offsets), shape=(self.n, len(self)))

    def to_npz(self, path: Path | str) -> Path:
        """What `from_npz` reads. Names are not kept: HIF keeps them."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, e_indptr=self.offsets, e_indices=self.members, e_weight=self.weights, n=np.array(self.n)
        )
        return write_atomic(path, buffer.getvalue())

    def to_hif(self, path: Path | str) -> Path:
        """What `from_hif` reads: incidences, every vertex, and every hyperedge with its weight, for XGI twice."""
        vertex, edge = self.pairs
        names = [hif.name_of(self.edge_name(each)) for each in range(len(self))]
        nodes = [hif.name_of(self.vertex_name(each)) for each in range(self.n)]
        value = {
            "network-type": "undirected",
            "incidences": [{"edge": names[e], "node": nodes[v]} for v, e in zip(vertex, edge, strict=True)],
            "nodes": [{"node": each} for each in nodes],
            "edges": [
                {"edge": name, "weight": weight, "attrs": {"weight": weight}}
                for name, weight in zip(names, self.weights.tolist(), strict=True)
            ],
        }
        return write_atomic(path, json.dumps(value) + "\n")

    # -- what is made of it --------------------------------------------------------------------------------------

    def merged(self) -> "Hypergraph":
        """Without duplicate hyperedges: the first of them stays, with the mean of their weights, as in DHG."""
        kept, group = self._same
        weights = np.bincount(group, self.weights) / np.bincount(group)
        return replace(self.only(kept), weights=weights[group[kept]])

    def only(self, edges: Int[np.ndarray, " kept"]) -> "Hypergraph":
        """With these hyperedges, in this order."""
        parts = list(self)
        sizes = self.sizes[edges]
        members = np.concatenate([parts[each] for each in edges]) if len(edges) else np.empty(0, np.int64)
        names = None if self.edge_names is None else tuple(self.edge_names[each] for each in edges)
        return Hypergraph(
            self.n, np.concatenate([[0], np.cumsum(sizes)]), members, self.weights[edges], self.vertex_names, names
        )

    def with_singletons(self) -> "Hypergraph":
        """Every vertex that is in no hyperedge gets one of its own, of weight 1."""
        alone = np.flatnonzero(self.isolated).tolist()
        if not alone:
            return self
        more = self.offsets[-1] + np.arange(1, len(alone) + 1)
        names = self.edge_names
        if names is not None:
            names = (*names, *(f"only {self.vertex_name(each)}" for each in alone))
        return replace(
            self,
            offsets=np.concatenate([self.offsets, more]),
            members=np.concatenate([self.members, alone]),
            weights=np.concatenate([self.weights, np.ones(len(alone))]),
            edge_names=names,
        )

    def restricted(self, vertices: Int[np.ndarray, " kept"]) -> "Hypergraph":
        """The sub-hypergraph of these vertices, renumbered in the order given; empty hyperedges are dropped."""
        place = np.full(self.n, -1)
        place[vertices] = np.arange(len(vertices))
        vertex, edge = self.pairs
        kept = place[vertex] >= 0
        left, edge = np.unique(edge[kept], return_inverse=True)
        return Hypergraph.of(
            len(vertices),
            np.array([place[vertex[kept]], edge]),
            len(left),
            weights=self.weights[left],
            vertex_names=None if self.vertex_names is None else [self.vertex_names[each] for each in vertices],
            edge_names=None if self.edge_names is None else [self.edge_names[each] for each in left],
        )

    def vertex_name(self, vertex: Any) -> Any:
        return int(vertex) if self.vertex_names is None else self.vertex_names[vertex]

    def edge_name(self, edge: Any) -> Any:
        return int(edge) if self.edge_names is None else self.edge_names[edge]


def _numbers(weights: Any) -> Float[np.ndarray, " edge"] | None:
    return None if weights is None else np.asarray(weights, float)


def _column(frame: Any, edge: str, weight: str) -> Float[np.ndarray, " edge"]:
    """The weight of each hyperedge, in the order in which they appear."""
    if weight not in frame.columns or frame[weight].dtype.kind not in "biuf":
        raise BadInput(f"no column {weight!r} of numbers; there: {', '.join(map(repr, frame.columns))}")
    first = frame.drop_duplicates(edge).set_index(edge)[weight]
    told = frame[edge].map(first)
    if len(other := np.flatnonzero((told != frame[weight]) & ~(told.isna() & frame[weight].isna()))):
        name = frame[edge].iloc[other[0]]
        raise BadInput(f"row {other[0] + 1}: hyperedge {name!r} has another {weight} above; give all its rows one")
    return first.to_numpy(float)


class _Shown:
    """How messages name a vertex and a hyperedge."""

    def __init__(self, vertices: Sequence[Any] | None, edges: Sequence[Any] | None) -> None:
        self.vertices, self.edges = vertices, edges

    def vertex(self, number: Any) -> str:
        return str(number) if self.vertices is None else repr(self.vertices[number])

    def edge(self, number: Any) -> str:
        return f"hyperedge {number}" if self.edges is None else f"hyperedge {self.edges[number]!r}"

    def outside(self, vertex: Int[np.ndarray, " pair"], n: int, edge: Int[np.ndarray, " pair"]) -> None:
        if len(wrong := np.flatnonzero((vertex < 0) | (vertex >= n))):
            place = wrong[0]
            raise BadInput(
                f"{self.edge(edge[place])}: vertex={vertex[place]}: expected 0 to {n - 1}, as there are {n} vertices"
            )
