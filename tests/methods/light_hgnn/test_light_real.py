"""The real hypergraphs, where their files lie in $PARATAXIS_DATA/lighthgnn: they have no public address."""

import os
from pathlib import Path

import pytest

from parataxis.nn.hypergraph import Hypergraph

FOLDER = Path(os.environ.get("PARATAXIS_DATA", "absent"), "lighthgnn")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs $PARATAXIS_DATA/lighthgnn, with no public address")

# vertices, of them in no hyperedge; hyperedges, memberships
COUNTS = {
    "cora_coauthorship": (2708, 320, 1072, 4585),
    "cora_cocitation": (2708, 1274, 1579, 4786),
    "citeseer_cocitation": (3312, 1854, 1079, 3453),
    "dblp_paper": (4057, 0, 14328, 19645),
    "dblp_term": (4057, 0, 7723, 90685),
    "dblp_conf": (4057, 0, 20, 9205),
    "dblp_coauthorship_structure": (41302, 0, 22363, 99561),
}
MERGED = {"dblp_term": 5974, "dblp_coauthorship_structure": 20865}  # hyperedges that DHG 0.9.7 keeps


@pytest.mark.parametrize("name", list(COUNTS))
def test_counts(name):
    found = Hypergraph.from_npz(FOLDER / f"{name}.npz")
    assert (found.n, found.isolated.sum(), len(found), len(found.members)) == COUNTS[name]


@pytest.mark.parametrize("name", list(MERGED))
def test_equal_hyperedges_are_counted_and_merged_as_the_peer_does(name):
    found = Hypergraph.from_npz(FOLDER / f"{name}.npz")
    assert (len(found.merged()), len(found) - found.duplicates) == (MERGED[name], MERGED[name])
    assert len(set(map(bytes, found))) == MERGED[name]
