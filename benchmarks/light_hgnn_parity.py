"""Our teachers against DHG's layers, weights copied; and DHG's and torch-geometric's logits taught to our student.

    python -m venv both && both/bin/pip install -e '.[graph]' dhg==0.9.7 torch-geometric==2.8.1
    both/bin/python -W ignore benchmarks/light_hgnn_parity.py [cora_coauthorship.npz]

Without a file, on a hypergraph that is drawn (seed 0). Ends with 1 if an answer is more than CLOSE apart.
"""

import sys

import dhg
import dhg.models
import numpy as np
import torch
from torch_geometric.nn import HypergraphConv

from parataxis.methods.light_hgnn.dataset import read_dataset, unit_rows
from parataxis.methods.light_hgnn.model import TEACHERS
from parataxis.methods.light_hgnn.teaching import Recipe, distill
from parataxis.nn.fit import named, seeded
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.sparse import Sparse
from parataxis.nn.threads import one_thread

CLOSE = 1e-5  # float32
HIDDEN, STEPS = 32, 200
PEERS = {"hgnn": "HGNN", "hgnn+": "HGNNP", "hnhn": "HNHN", "unigcn": "UniGCN"}


def task():
    """Features, labels, vertices that teach, and a hypergraph without duplicates (DHG merges them)."""
    if len(sys.argv) > 1:
        data = read_dataset(sys.argv[1])
        rows = named(0)("train").permutation(len(data.labels))[: 20 * len(data.classes)]
        return unit_rows(data.x), data.labels, rows, data.hypergraph.merged().with_singletons()
    rng = named(0)("drawn")
    labels = rng.integers(0, 4, 400)
    edges = [np.flatnonzero((labels == each % 4) & (rng.random(400) < 0.05)) for each in range(300)]
    x = rng.random((400, 40)) + np.eye(40)[labels]
    hypergraph = Hypergraph.from_edges([each for each in edges if len(each)], 400).merged().with_singletons()
    return Sparse(x).scipy(), labels, np.arange(80), hypergraph


def parity(name, x, classes, hypergraph, theirs):
    """The largest difference of two-layer models' logits, ours with the weights of DHG's."""
    with seeded(named(0)("weights", name)):
        peer = getattr(dhg.models, PEERS[name])(x.shape[1], HIDDEN, classes, use_bn=False).eval()
    ours = TEACHERS[name](x.shape[1], classes, HIDDEN).eval()
    order = ["first", "edges_first", "second", "edges_second"] if name == "hnhn" else ["first", "second"]
    weights = dict(
        zip([f"{each}.{part}" for each in order for part in ("weight", "bias")], peer.parameters(), strict=True)
    )
    ours.load_state_dict(weights)
    with torch.no_grad():
        found, expected = ours(Sparse(x), ours.propagation(hypergraph)), peer(dense(x), theirs)
    return float((found - expected).abs().max())


def dense(x):
    return torch.from_numpy(x.toarray()).float()


class Geometric(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.first, self.second = HypergraphConv(features, HIDDEN), HypergraphConv(HIDDEN, classes)

    def forward(self, x, pairs):
        return self.second(self.first(x, pairs).relu(), pairs)


def taught(model, structure, x, labels, rows):
    """Trained as its makers would, then distilled: its accuracy, the student's, and how often they agree."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    given, truth = dense(x), torch.from_numpy(labels)
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(given, structure)[rows], truth[rows]).backward()
        optimizer.step()
    logits = model.eval()(given, structure)
    student = distill(logits, Sparse(x), named(0, "student"), recipe=Recipe())
    rest = np.setdiff1d(np.arange(len(labels)), rows)
    said = [each.argmax(1).numpy() for each in (logits, student.logits)]
    right = [float(np.mean(each[rest] == labels[rest])) for each in said]
    return *right, float(np.mean(said[0] == said[1]))


def main():
    x, labels, rows, hypergraph = task()
    classes = int(labels.max()) + 1
    theirs = dhg.Hypergraph(hypergraph.n, [tuple(each.tolist()) for each in hypergraph])
    worst = 0.0
    for name, peer in PEERS.items():
        apart = parity(name, x, classes, hypergraph, theirs)
        worst = max(worst, apart)
        print(f"{name}, DHG's {peer}: largest difference of logits {apart:.2g}")
    with seeded(named(0)("peers")):
        models = {
            "DHG's HGNN": (dhg.models.HGNN(x.shape[1], HIDDEN, classes), theirs),
            "torch-geometric's HypergraphConv": (Geometric(x.shape[1], classes), torch.from_numpy(hypergraph.pairs)),
        }
        for name, (model, structure) in models.items():
            teacher, student, agree = taught(model, structure, x, labels, rows)
            print(f"{name}: {teacher:.3f} right, its student {student:.3f}, they agree on {agree:.3f}")
    sys.exit(worst > CLOSE)


with one_thread():
    main()
