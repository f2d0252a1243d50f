"""Hypergraph-quality labels from features alone: a hypergraph network taught into an MLP.

    from parataxis.methods.light_hgnn import LightHGNNClassifier

    model = LightHGNNClassifier(plus=True).fit(x, y, hypergraph=hypergraph)  # y = -1: no label
    model.predict(new_x)                                                     # no hypergraph, no torch

The network needs the hyperedges of a vertex to classify it; the student that imitates it needs its features only. How
much that loses on vertices which the teacher never saw is part of every report. Any teacher's logits can be distilled.

Feng, Luo, Ying and Gao, "LightHGNN: Distilling Hypergraph Neural Networks into MLPs for 100x Faster Inference", ICLR
2024, arXiv:2402.04296.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "model": ["HGNN", "HGNNPlus", "HNHN", "UniGCN", "VertexMLP"],
        "teaching": ["distill", "teach"],
        "reliable": ["reliability"],
        "scores": ["topology_score"],
        "estimator": ["LightHGNNClassifier"],
        "student": ["Student"],
        "dataset": ["Dataset", "read_dataset"],
    },
)
