"""Hypergraph-quality labels from features alone: a hypergraph network taught into an MLP.

    from parataxis.methods.light_hgnn import LightHGNNClassifier

    model = LightHGNNClassifier(plus=True).fit(x, y, hypergraph=hypergraph)  # y = -1: no label
    model.predict(new_x)                                                     # no hypergraph, no torch

The network needs the hyperedges of a vertex to classify it; the student that imitates it needs its features only. How
much that loses on vertices which the teacher never saw is part of every report. Any teacher's logits can be distilled.

Feng, Luo, Ying and Gao, "LightHGNN: Distilling Hypergraph Neural Networks into MLPs for 100x Faster Inference", ICLR
2024, arXiv:2402.04296.
"""

import importlib
from typing import Any

_HOME = {
    "HGNN": "model",
    "HGNNPlus": "model",
    "HNHN": "model",
    "UniGCN": "model",
    "VertexMLP": "model",
    "distill": "teaching",
    "teach": "teaching",
    "reliability": "reliable",
    "topology_score": "scores",
    "LightHGNNClassifier": "estimator",
    "Student": "student",
    "Dataset": "dataset",
    "read_dataset": "dataset",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
