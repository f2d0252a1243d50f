"""A hypergraph: vertices 0 to n - 1, and groups of any number of them. Never a vertex-by-vertex matrix."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parataxis.errors import BadInput

Pairs = Int[np.ndarray, "2 pair"]


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
        shown = _Shown(vertex_names, edge_names)
        shown.outside(vertex, n, edge)
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
        given = np.ones(edges) if weights is None else np.asarray(weights, float)
        if len(given) != edges:
            raise BadInput(f"weights: {len(given)} given for {edges} hyperedges; give one each")
        if len(wrong := np.flatnonzero(~(np.isfinite(given) & (given > 0)))):
            raise BadInput(f"{shown.edge(wrong[0])}: weight={given[wrong[0]]} must be a number above 0")
        names = (None if each is None else tuple(each) for each in (vertex_names, edge_names))
        return cls(n, np.concatenate([[0], np.cumsum(sizes)]), vertex, given, *names)

    @classmethod
    def from_edges(cls, edges: Iterable[Iterable[Any]], n: int, weights: Any = None) -> "Hypergraph":
        """From a list of hyperedges, each a list of vertex numbers below n."""
        lists = [list(each) for each in edges]
        vertex = np.array([member for each in lists for member in each])
        if vertex.dtype.kind not in "iu" and len(vertex):
            raise BadInput(f"edges: a member is {vertex.dtype}; vertices are whole numbers from 0 to n - 1")
        edge = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        return cls.of(n, np.array([vertex.astype(np.int64), edge]), len(lists), weights=_numbers(weights))

    @classmethod
    def from_incidence(cls, incidence: Any, weights: Any = None) -> "Hypergraph":
        """From a scipy sparse matrix, vertex by edge; a stored 0 is no membership, any other value is one."""
        found = incidence.tocoo()
        kept = found.data != 0
        pairs = np.array([found.row[kept], found.col[kept]], np.int64)
        return cls.of(found.shape[0], pairs, found.shape[1], weights=_numbers(weights))

    @classmethod
    def from_frame(cls, frame: Any, vertex: str, edge: str, vertices: Iterable[Hashable] | None = None) -> "Hypergraph":
        """From a table with a row a membership.

        vertex, edge: its columns. vertices: the names in the order of their numbers (that of the feature rows), all of
        them, also those in no hyperedge; by default in order of appearance. Hyperedges are numbered as they appear.
        """
        for name in (vertex, edge):
            if name not in frame.columns:
                raise BadInput(f"no column {name!r}; there: {', '.join(map(repr, frame.columns))}")
            if len(gaps := np.flatnonzero(frame[name].isna())):
                raise BadInput(f"row {gaps[0] + 1}: {name} is empty; give every membership both, or drop the row")
        edge_names = list(dict.fromkeys(frame[edge].tolist()))
        return cls.named(list(zip(frame[vertex].tolist(), frame[edge].tolist(), strict=True)), vertices, edge_names)

    @classmethod
    def named(
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

    # -- what is made of it --------------------------------------------------------------------------------------

    def merged(self) -> "Hypergraph":
        """Without duplicate hyperedges. The first of them stays, with its own weight, as in DHG."""
        return self.only(self._same[0])

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
