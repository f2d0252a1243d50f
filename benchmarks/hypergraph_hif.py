"""Hypergraphs as HIF to XGI and to HyperNetX and back: what comes back as it went.

    pip install --target peers --no-deps xgi==0.10.2 xopen backports.zstd hypernetx==2.4.3 fastjsonschema decorator \
        heapdict igraph texttable 'concepts<0.10' bitsets graphviz features fileconfig
    PYTHONPATH=peers python -W ignore benchmarks/hypergraph_hif.py --schema hif_schema.json

The packages stand beside the environment, none in it is changed. HyperNetX checks each file against the schema, which
it fetches: the release is at github.com/pszufe/HIF_validators, schemas/hif_schema_v0.1.0.json; --schema takes a file of
it instead. Ends with 1 if a hyperedge, a member or a weight is not as it was.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from parataxis.nn.fit import named
from parataxis.nn.hypergraph import Hypergraph


def made():
    """With names and weights; with numbers; and one that is drawn."""
    pairs = np.array([[0, 1, 1, 2, 0, 3], [0, 0, 1, 1, 2, 2]])
    options = {"vertex_names": ["ann", "bob", "eve", "dan", "alone"], "edge_names": ["a", "b", "c"]}
    yield "names and weights", Hypergraph.of(5, pairs, 3, weights=np.array([0.5, 2.0, 1.0]), **options)
    yield "numbers", Hypergraph.from_edges([[0, 1, 2], [2, 3], [0]], 5)
    rng = named(0)("drawn")
    edges = [rng.choice(200, rng.integers(1, 9), replace=False) for _ in range(150)]
    yield "drawn, with duplicates", Hypergraph.from_edges([*edges, edges[0]], 200, rng.uniform(0.1, 3, 151))


def by_xgi(given, back):
    import xgi

    xgi.write_hif(xgi.read_hif(given), back)


def by_hypernetx(given, back):
    import hypernetx

    found = hypernetx.from_hif(filename=given)
    assert hypernetx.to_hif(found, filename=back) is not None, "HyperNetX's own file is not of the schema"


def known(hypergraph):
    """name of a hyperedge: its members by name, and its weight."""
    return {
        hypergraph.edge_name(edge): ({hypergraph.vertex_name(each) for each in members}, hypergraph.weights[edge])
        for edge, members in enumerate(hypergraph)
    }


def tried(way, hypergraph, folder):
    """Whether hyperedges and weights came back, and how many of the isolated vertices did."""
    given, back = str(hypergraph.to_hif(folder / "given.json")), str(folder / "back.json")
    way(given, back)
    found = Hypergraph.from_hif(back)
    names = {found.vertex_name(each) for each in range(found.n)}
    alone = [hypergraph.vertex_name(each) for each in np.flatnonzero(hypergraph.isolated)]
    whole = Hypergraph.from_hif(back, [hypergraph.vertex_name(each) for each in range(hypergraph.n)])
    same = known(found) == known(hypergraph) == known(whole) and whole.n == hypergraph.n
    return same, sum(each in names for each in alone), len(alone)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", type=Path, help="the schema's file; else HyperNetX fetches it")
    given = parser.parse_args()
    if given.schema:
        import hypernetx.hif

        text = given.schema.read_text()
        hypernetx.hif.requests = SimpleNamespace(get=lambda _: SimpleNamespace(text=text))
    right = True
    for name, hypergraph in made():
        for peer, way in (("XGI", by_xgi), ("HyperNetX", by_hypernetx)):
            with tempfile.TemporaryDirectory() as folder:
                same, kept, alone = tried(way, hypergraph, Path(folder))
            right = right and same
            told = "as they were" if same else "NOT as they were"
            print(f"{name}: {peer}: hyperedges and weights {told}; {kept} of {alone} isolated vertices came back")
    sys.exit(not right)


main()
