"""Writers: dependencies as piStar's JSON or a table; a matrix as a table, GraphML or DOT."""

import io
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.coopetition.dependencies import Dependencies
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.pistar import to_pistar

GRAPHML = "http://graphml.graphdrawing.org/xmlns"


def write_dependencies(dependencies: Dependencies, path: Path) -> Path:
    """.json for piStar, .csv or .parquet for a table."""
    if path.suffix.lower() == ".json":
        return write_atomic(path, to_pistar(dependencies))
    return write_table(dependencies.frame(), path)


def write_matrix(found: Interdependence, path: Path) -> Path:
    """.csv or .parquet, .graphml or .dot; an edge goes from depender to dependee."""
    suffix = path.suffix.lower()
    if suffix == ".graphml":
        return write_atomic(path, graphml(found))
    if suffix in (".dot", ".gv"):
        return write_atomic(path, dot(found))
    return write_table(found.frame().rename_axis(columns=None).reset_index(), path)


def write_table(table: pd.DataFrame, path: Path) -> Path:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return write_atomic(path, table.to_csv(index=False))
    if suffix == ".parquet":
        image = io.BytesIO()
        try:
            table.to_parquet(image, index=False)
        except ImportError:
            raise BadInput(f"{path}: no writer of .parquet is installed; pip install pyarrow, or name a .csv") from None
        return write_atomic(path, image.getvalue())
    raise BadInput(f"out={str(path)!r}: its ending is not known; see the help for those that are")


def edges(found: Interdependence) -> list[tuple[str, str, float]]:
    """Depender, dependee and how much, where it is more than 0."""
    names = found.names
    return [
        (names[i], names[j], float(value)) for i, row in enumerate(found.matrix) for j, value in enumerate(row) if value
    ]


def graphml(found: Interdependence) -> str:
    """Nodes are named as the actors; the edges' attribute is `weight`."""
    top = ElementTree.Element("graphml", xmlns=GRAPHML)
    of_edges = {"for": "edge", "attr.name": "weight", "attr.type": "double"}
    ElementTree.SubElement(top, "key", {"id": "weight", **of_edges})
    graph = ElementTree.SubElement(top, "graph", edgedefault="directed")
    for name in found.names:
        ElementTree.SubElement(graph, "node", id=name)
    for depender, dependee, value in edges(found):
        edge = ElementTree.SubElement(graph, "edge", source=depender, target=dependee)
        ElementTree.SubElement(edge, "data", key="weight").text = repr(value)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def dot(found: Interdependence) -> str:
    """For Graphviz; a line is as wide as the dependence is strong."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"  {quoted(name)};" for name in found.names]
    for depender, dependee, value in edges(found):
        drawn = f'[label="{value:.2f}", penwidth={1 + 4 * value:.2f}, weight={value!r}]'
        lines.append(f"  {quoted(depender)} -> {quoted(dependee)} {drawn};")
    return "\n".join(["digraph interdependence {", "  node [shape=box];", *lines, "}"]) + "\n"
