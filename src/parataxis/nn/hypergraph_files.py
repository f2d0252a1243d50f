"""Hypergraphs in files: arrays without pickles (npz), and HIF, the JSON that XGI and HyperNetX exchange."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.nn.hypergraph import Hypergraph

NEEDED = ("e_indptr", "e_indices")


def open_npz(path: Path | str) -> Any:
    """The arrays of a file. BadInput if it can't be read, or holds pickles."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        why = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else "is not a whole .npz file of plain arrays"
        )
        raise BadInput(f"{path}: can't be read: {why}") from None


def read_npz(path: Path | str, arrays: dict[str, Any] | None = None) -> Hypergraph:
    """From `e_indptr`, `e_indices` and, if they are there, `e_weight` and `n` (else the length of `y`, else the most).

    The members of hyperedge i are `e_indices[e_indptr[i]:e_indptr[i + 1]]`. arrays: of the file, if they are known.
    """
    arrays = open_npz(path) if arrays is None else arrays
    for name in NEEDED:
        if name not in arrays:
            raise BadInput(f"{path}: holds no array {name!r}; there: {', '.join(arrays)}")
    offsets, members = arrays["e_indptr"].astype(np.int64), arrays["e_indices"].astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != len(members) or (np.diff(offsets) < 0).any():
        raise BadInput(
            f"{path}: e_indptr: expected numbers that rise from 0 to {len(members)}, the length of e_indices"
        )
    most = len(arrays["y"]) if "y" in arrays else int(members.max(initial=-1)) + 1
    n = int(arrays.get("n", most))
    edges = len(offsets) - 1
    pairs = np.array([members, np.repeat(np.arange(edges), np.diff(offsets))])
    try:
        return Hypergraph.of(n, pairs, edges, weights=arrays.get("e_weight"))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def write_npz(path: Path | str, hypergraph: Hypergraph, **more: Any) -> Path:
    """What `read_npz` reads, and `more` arrays beside it. Names are not kept: HIF keeps them."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        e_indptr=hypergraph.offsets,
        e_indices=hypergraph.members,
        e_weight=hypergraph.weights,
        n=np.array(hypergraph.n),
        **more,
    )
    return write_atomic(path, buffer.getvalue())


def to_hif(hypergraph: Hypergraph) -> dict[str, Any]:
    """As in the Hypergraph Interchange Format: incidences, and every vertex and hyperedge with its weight."""
    nodes = [hypergraph.vertex_name(each) for each in range(hypergraph.n)]
    edges = [hypergraph.edge_name(each) for each in range(len(hypergraph))]
    vertex, edge = hypergraph.pairs
    return {
        "network-type": "undirected",
        "incidences": [{"edge": edges[e], "node": nodes[v]} for v, e in zip(vertex, edge, strict=True)],
        "nodes": [{"node": each} for each in nodes],
        "edges": [{"edge": e, "weight": float(w)} for e, w in zip(edges, hypergraph.weights, strict=True)],
    }


def write_hif(path: Path | str, hypergraph: Hypergraph) -> Path:
    return write_atomic(path, json.dumps(to_hif(hypergraph)) + "\n")


def from_hif(value: Any, vertices: Any = None) -> Hypergraph:
    """From a HIF object. vertices: names in the order of their numbers; by default `nodes`, then as they appear."""
    if not isinstance(value, dict) or not isinstance(value.get("incidences"), list):
        raise BadInput("is not HIF: expected an object with a list 'incidences'")
    if value.get("network-type", "undirected") == "directed":
        raise BadInput("network-type='directed': only undirected hypergraphs are read")
    memberships = []
    for place, each in enumerate(value["incidences"]):
        if not isinstance(each, dict) or not {"edge", "node"} <= each.keys():
            raise BadInput(f"incidences[{place}]={each!r}: expected an object with 'edge' and 'node'")
        memberships.append((each["node"], each["edge"]))
    stated = [each for each in value.get("edges", []) if isinstance(each, dict) and "edge" in each]
    weights = {each["edge"]: each.get("weight", 1.0) for each in stated}
    edges = list(dict.fromkeys([*weights, *(edge for _, edge in memberships)]))
    if vertices is None:
        listed = [each["node"] for each in value.get("nodes", []) if isinstance(each, dict) and "node" in each]
        vertices = dict.fromkeys([*listed, *(node for node, _ in memberships)])
    return Hypergraph.named(memberships, vertices, edges, np.array([weights.get(each, 1.0) for each in edges], float))


def read_hif(path: Path | str, vertices: Any = None) -> Hypergraph:
    try:
        value = json.loads(Path(path).read_text())
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: is not JSON: {error}") from None
    try:
        return from_hif(value, vertices)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
