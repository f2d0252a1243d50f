"""Where hypergraphs come from, what they are, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array

from parataxis.errors import BadInput
from parataxis.nn.hypergraph import Hypergraph

EDGES = [[2, 0], [1, 2, 3], [0, 2]]
FRAME = pd.DataFrame({"who": ["c", "a", "b", "c", "d", "a", "c"], "paper": ["x", "x", "y", "y", "y", "z", "z"]})


def lists(hypergraph):
    return [each.tolist() for each in hypergraph]


@st.composite
def some(draw):
    n = draw(st.integers(1, 8))
    edges = draw(st.lists(st.sets(st.integers(0, n - 1), min_size=1), max_size=8))
    return edges, n, draw(st.lists(st.floats(0.1, 5), min_size=len(edges), max_size=len(edges)))


def test_what_it_is():
    found = Hypergraph.from_edges(EDGES, 5, weights=[1, 2, 4])
    assert lists(found) == [[0, 2], [1, 2, 3], [0, 2]]
    assert repr(found) == "Hypergraph(5 vertices, 3 hyperedges, 7 memberships)"
    assert found.sizes.tolist() == [2, 3, 2]
    assert found.degrees.tolist() == [5, 2, 7, 2, 0]
    assert found.isolated.tolist() == [False] * 4 + [True]
    assert found.duplicates == 1
    assert lists(found.merged()) == [[0, 2], [1, 2, 3]]
    assert found.merged().weights.tolist() == [2.5, 2], "the mean of 1 and 4, as in DHG"
    dense = [[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert found.incidence().toarray().tolist() == dense


# In the form of the schema of HIF 0.1.0, with all that it allows; edge "c" as XGI writes weights, "d" without any.
HIF = {
    "network-type": "undirected",
    "metadata": {"name": "four meetings"},
    "nodes": [{"node": "ann", "weight": 2, "attrs": {"age": 40}}, {"node": 7}, {"node": "alone"}],
    "edges": [
        {"edge": 1, "weight": 0.5, "attrs": {"room": "A"}},
        {"edge": "c", "attrs": {"weight": 3, "room": "B"}},
    ],
    "incidences": [
        {"edge": 1, "node": 7, "weight": 1, "attrs": {}},
        {"edge": 1, "node": "ann"},
        {"edge": "c", "node": "bob", "attrs": {"role": "chair"}},
        {"edge": "d", "node": "bob"},
        {"edge": "d", "node": "ann"},
    ],
}


def test_without_a_number_of_vertices_the_last_member_tells_it():
    assert Hypergraph.from_edges([[0, 4], [2]]).n == 5
    assert Hypergraph.from_edges([]).n == 0


def test_hif_as_its_schema_has_it(tmp_path):
    path = tmp_path / "given.json"
    path.write_text(json.dumps(HIF))
    found = Hypergraph.from_hif(path)
    assert found.vertex_names == ("ann", 7, "alone", "bob")
    assert (found.edge_names, found.weights.tolist()) == ((1, "c", "d"), [0.5, 3, 1])
    assert lists(found) == [[0, 1], [3], [0, 3]]
    assert found.isolated.tolist() == [False, False, True, False]
    moved = Hypergraph.from_hif(path, vertices=["bob", "alone", "ann", 7])
    assert lists(moved) == [[2, 3], [0], [0, 2]]
    assert lists(Hypergraph.from_hif(path, vertices=["bob", "alone", "ann", "7"])) == lists(moved)  # as tables have it


def test_hif_is_written_for_whom_reads_weights_where(tmp_path):
    """XGI 0.10 reads those of `attrs`, HyperNetX 2.4 those beside them; nothing that the schema does not know."""
    (tmp_path / "given.json").write_text(json.dumps(HIF))
    written = json.loads(Hypergraph.from_hif(tmp_path / "given.json").to_hif(tmp_path / "out.json").read_text())
    assert set(written) == {"network-type", "nodes", "edges", "incidences"}
    assert written["edges"][1] == {"edge": "c", "weight": 3.0, "attrs": {"weight": 3.0}}
    assert {"node": "alone"} in written["nodes"]
    assert {frozenset(each) for each in written["incidences"]} == {frozenset(("edge", "node"))}


def test_isolated_vertices_get_a_singleton_each():
    found = Hypergraph.from_edges([[1, 3]], 4).with_singletons()
    assert lists(found) == [[1, 3], [0], [2]]
    assert found.with_singletons() is found


def test_restricted_to_some_vertices():
    found = Hypergraph.from_edges(EDGES, 5, weights=[1, 2, 4]).restricted(np.array([3, 0, 4]))
    assert lists(found) == [[1], [0], [1]]  # the vertex 0 is now 1, the vertex 3 is now 0
    assert (found.n, found.weights.tolist()) == (3, [1, 2, 4])
    none = Hypergraph.from_edges([[0, 1]], 3).restricted(np.array([2]))
    assert (none.n, len(none)) == (1, 0)


def test_from_each_source_the_same():
    plain = Hypergraph.from_edges([[0, 1], [2, 0, 3], [1, 0]], 4)
    framed = Hypergraph.from_frame(FRAME, "who", "paper", vertices=["c", "a", "b", "d"])
    sparse = Hypergraph.from_incidence(coo_array(plain.incidence().toarray() * 3.0))
    assert lists(framed) == lists(plain) == lists(sparse)
    assert framed.vertex_names == ("c", "a", "b", "d")
    assert framed.edge_names == ("x", "y", "z")
    assert lists(Hypergraph.from_frame(FRAME, "who", "paper")) == lists(plain)  # named as they appear


def test_a_graph_is_its_links_and_its_neighbourhoods():
    found = Hypergraph.from_graph(np.array([[1, 0], [1, 2], [0, 1], [3, 3]]), 4)
    assert lists(found) == [[0, 1], [1, 2], [0, 1], [0, 1, 2], [1, 2]]


@settings(max_examples=25)
@given(some())
def test_files_give_back_what_was_written(tmp_path_factory, some):
    hypergraph = Hypergraph.from_edges(*some)
    folder = tmp_path_factory.mktemp("files")
    back = Hypergraph.from_npz(hypergraph.to_npz(folder / "a.npz"))
    path = hypergraph.to_hif(folder / "a.json")
    hif = Hypergraph.from_hif(path, vertices=range(hypergraph.n))
    for each in (back, hif):
        assert lists(each) == lists(hypergraph)
        assert (each.n, each.weights.tolist()) == (hypergraph.n, hypergraph.weights.tolist())
    assert hif.to_hif(folder / "b.json").read_text() == path.read_text()


@settings(max_examples=25)
@given(some())
def test_pairs_and_incidence_say_the_same(some):
    hypergraph = Hypergraph.from_edges(*some)
    assert hypergraph.incidence().sum() == len(hypergraph.members) == hypergraph.pairs.shape[1]
    assert lists(Hypergraph.from_incidence(hypergraph.incidence())) == lists(hypergraph)
    assert len(hypergraph.merged()) == len({tuple(each) for each in lists(hypergraph)})


def test_weights_of_a_table_are_those_of_its_hyperedges():
    weights = {"x": 1.5, "y": 2.0, "z": 0.25}
    found = Hypergraph.from_frame(FRAME.assign(heavy=FRAME["paper"].map(weights)), "who", "paper", weight="heavy")
    assert found.weights.tolist() == list(weights.values())


def test_names_from_numpy_are_written_and_others_refused(tmp_path):
    found = Hypergraph.of(
        2, np.array([[0, 1], [0, 0]]), 1, vertex_names=list(np.array([7, 8])), edge_names=[np.str_("e")]
    )
    assert Hypergraph.from_hif(found.to_hif(tmp_path / "a.json")).vertex_names == (7, 8)
    with pytest.raises(BadInput, match=r"name 0\.5: HIF names vertices and hyperedges by text or whole numbers"):
        Hypergraph.of(1, np.array([[0], [0]]), 1, vertex_names=[0.5]).to_hif(tmp_path / "b.json")


WRONG = [
    (
        lambda: Hypergraph.from_edges([[0], [1, 4]], 4),
        "hyperedge 1: vertex=4: expected 0 to 3, as there are 4 vertices",
    ),
    (lambda: Hypergraph.from_edges([[-1]], 4), "hyperedge 0: vertex=-1"),
    (lambda: Hypergraph.from_edges([[0], []], 4), "hyperedge 1: has no member; leave it out"),
    (lambda: Hypergraph.from_edges([[2, 1, 2]], 4), "hyperedge 0: vertex 2 stands in it twice"),
    (lambda: Hypergraph.from_edges([[0.5]], 4), "a member is float64"),
    (lambda: Hypergraph.from_edges([[0], [1]], 4, [1, 0]), "hyperedge 1: weight=0.0 must be a number above 0"),
    (lambda: Hypergraph.from_edges([[0]], 4, [float("nan")]), "weight=nan"),
    (lambda: Hypergraph.from_edges([[0]], 4, [1, 1]), "weights: 2 given for 1 hyperedges"),
    (lambda: Hypergraph.from_frame(FRAME, "who", "group"), "no column 'group'; there: 'who', 'paper'"),
    (
        lambda: Hypergraph.from_frame(FRAME, "who", "paper", "abc"),
        "hyperedge 'y': vertex 'd' is not among the 3 vertices",
    ),
    (lambda: Hypergraph.from_frame(FRAME, "who", "paper", "abcda"), "vertex 'a' stands twice among the vertices"),
    (lambda: Hypergraph.from_frame(FRAME.replace("b", None), "who", "paper"), "row 3: who is empty"),
    (
        lambda: Hypergraph.from_frame(pd.concat([FRAME, FRAME[:1]]), "who", "paper"),
        "hyperedge 'x': vertex 'c' stands in it twice",
    ),
    (
        lambda: Hypergraph.of(3, np.array([[0, 1, 2], [0, 1, 2]]), 2, weights=np.ones(2)),
        "hyperedge 2: expected 0 to 1, as there are 2 hyperedges",
    ),
    (lambda: Hypergraph.of(3, np.array([[0], [-1]]), 1), "hyperedge -1: expected 0 to 0"),
    (lambda: Hypergraph.from_edges([[0]], -1), "n=-1: expected how many vertices there are"),
    (
        lambda: Hypergraph.of(2, np.array([[0], [0]]), 1, vertex_names=["a"]),
        "vertex_names: 1 given for 2; give one each",
    ),
    (
        lambda: Hypergraph.from_frame(FRAME.assign(weight=range(1, len(FRAME) + 1)), "who", "paper", weight="weight"),
        "row 2: hyperedge 'x' has another weight above; give all its rows one",
    ),
    (
        lambda: Hypergraph.from_frame(FRAME.assign(weight=-1.0), "who", "paper", weight="weight"),
        "hyperedge 'x': weight=-1.0 must be a number above 0",
    ),
    (lambda: Hypergraph.from_frame(FRAME, "who", "paper", weight="paper"), "no column 'paper' of numbers"),
    (lambda: Hypergraph.from_graph(np.array([[0, 7]]), 4), "link 0, 7: expected vertices from 0 to 3"),
]


@pytest.mark.parametrize(("make", "fragment"), WRONG, ids=[fragment for _, fragment in WRONG])
def test_refused_in_one_line(make, fragment):
    with pytest.raises(BadInput) as refused:
        make()
    assert fragment in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_none(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "cut.json").write_text('{"incidences": [')
    np.savez(tmp_path / "other.npz", x=np.ones(2))
    np.savez(tmp_path / "halves.npz", e_indptr=np.array([0, 1]), e_indices=np.array([0.5]))
    np.savez(tmp_path / "nothing.npz", e_indptr=np.array([], int), e_indices=np.array([], int))
    np.savez(tmp_path / "falling.npz", e_indptr=np.array([0, 2, 1]), e_indices=np.array([0]))
    np.savez(tmp_path / "wrong.npz", e_indptr=np.array([0, 2]), e_indices=np.array([0, 5]), y=np.zeros(3))
    for name, value in {
        "list": [],
        "directed": {"incidences": [], "network-type": "directed"},
        "half": {"incidences": [{"edge": 1}]},
        "nested": {"incidences": [{"edge": [1], "node": 1}]},
        "no_list": {"incidences": [], "edges": None},
        "heavy": {"incidences": [{"edge": 1, "node": 1}], "edges": [{"edge": 1, "weight": "much"}]},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    (tmp_path / "twice.json").write_text(json.dumps({"incidences": [{"edge": 1, "node": 1}] * 2}))
    for file, fragment in {
        "absent.npz": "absent.npz: can't be read: No such file",
        "cut.npz": "cut.npz: can't be read: is not a whole .npz file",
        "other.npz": "other.npz: holds no array 'e_indptr'; there: x",
        "halves.npz": "halves.npz: e_indices is of float64; expected whole numbers",
        "nothing.npz": "nothing.npz: e_indptr: expected numbers that rise from 0 to 0",
        "falling.npz": "falling.npz: e_indptr: expected numbers that rise from 0 to 1",
        "wrong.npz": "wrong.npz: hyperedge 0: vertex=5: expected 0 to 2",
        "absent.json": "absent.json: can't be read: No such file",
        "cut.json": "cut.json: is not JSON",
        "list.json": "list.json: is not HIF",
        "directed.json": "only undirected",
        "half.json": "half.json: incidences[0]={'edge': 1}: expected an object with",
        "nested.json": "nested.json: incidences[0]={'edge': [1], 'node': 1}: expected an object with 'edge' and 'node'",
        "no_list.json": "no_list.json: edges=None: expected a list",
        "heavy.json": "heavy.json: hyperedge 1: weight='much' must be a number above 0",
        "twice.json": "twice.json: hyperedge 1: vertex 1 stands in it twice",
    }.items():
        with pytest.raises(BadInput, match=r"(?s).*") as refused:
            (Hypergraph.from_npz if file.endswith("npz") else Hypergraph.from_hif)(tmp_path / file)
        assert fragment in str(refused.value)
