"""HIF, the JSON in which hypergraphs are exchanged: its rows, checked one by one."""

from typing import Any

import numpy as np

from parataxis.errors import BadInput


def rows_of(value: dict[str, Any], name: str, *keys: str) -> list[dict[str, Any]]:
    """The objects of one of HIF's lists, which names its vertices and hyperedges by text or whole numbers."""
    rows = value.get(name, [])
    if not isinstance(rows, list):
        raise BadInput(f"{name}={rows!r}: expected a list")
    for place, each in enumerate(rows):
        if not isinstance(each, dict) or not all(isinstance(each.get(key), str | int) for key in keys):
            wanted = " and ".join(map(repr, keys))
            raise BadInput(f"{name}[{place}]={each!r}: expected an object with {wanted}, text or a whole number")
    return rows


def weight_of(edge: dict[str, Any]) -> float:
    attributes = edge.get("attrs")
    found = edge.get("weight", attributes.get("weight", 1.0) if isinstance(attributes, dict) else 1.0)
    if not isinstance(found, int | float):
        raise BadInput(f"hyperedge {edge['edge']!r}: weight={found!r} must be a number above 0")
    return float(found)


def name_of(name: Any) -> Any:
    name = name.item() if isinstance(name, np.generic) else name
    if not isinstance(name, str | int):
        raise BadInput(f"name {name!r}: HIF names vertices and hyperedges by text or whole numbers; make it text")
    return name
