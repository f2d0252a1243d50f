"""DHG's HGNN and torch-geometric's HypergraphConv on what light_hgnn.py hands over, in the peers' own environment.

    python light_hgnn_peers.py task.npz answers.npz PEER SECONDS

Prints JSON: set-up, the times of the first (cold) and of later (warm) passes in seconds, peak memory in MB. Loads
nothing of Parataxis. answers.npz: the logits, so that the caller can compare them.
"""

import ctypes
import gc
import itertools
import json
import sys
import time

import numpy as np
import torch

torch.set_num_threads(1)


def memory(name):
    """VmHWM or VmRSS of this process, MB."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def load(module, weight, bias):
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight.T))
        if bias is not None:
            module.bias.copy_(torch.from_numpy(bias))


def dhg_way(task):
    """DHG caches the vertex-by-vertex Laplacian in the hypergraph: the first pass makes it."""
    import dhg
    from dhg.models import HGNN

    hidden, classes = task["first"].shape[1], task["second"].shape[1]
    model = HGNN(task["x"].shape[1], hidden, classes, use_bn=False).eval()
    for layer, name in zip(model.layers, ("first", "second"), strict=True):
        load(layer.theta, task[name], task[f"{name}_bias"])
    offsets, members = task["offsets"], task["members"]
    edges = [tuple(members[a:b].tolist()) for a, b in itertools.pairwise(offsets)]
    x = torch.from_numpy(task["x"])

    def begin():
        hypergraph = dhg.Hypergraph(len(x), edges)
        return lambda: model(x, hypergraph)

    return begin


def pyg_way(task):
    """Row-normalised both ways (as HGNN+), bias after the passing: given here to the input of the second layer only."""
    from torch_geometric.nn import HypergraphConv

    first, second = (HypergraphConv(*task[name].shape, bias=False).eval() for name in ("first", "second"))
    for layer, name in ((first, "first"), (second, "second")):
        load(layer.lin, task[name], None)
    x, pairs = torch.from_numpy(task["x"]), torch.from_numpy(task["pairs"])
    a, b = (torch.from_numpy(task[f"{name}_bias"]) for name in ("first", "second"))

    def begin():
        # means of rows that sum to 1 leave a constant as it is: the bias may come after them
        return lambda: second((first(x, pairs) + a).relu(), pairs) + b

    return begin


def main():
    path, answers, peer, seconds = sys.argv[1:]
    task = dict(np.load(path))
    begin = {"dhg": dhg_way, "pyg": pyg_way}[peer](task)
    gc.disable()
    begun = time.perf_counter()
    answer = begin()
    setup = time.perf_counter() - begun
    runs = []
    with torch.no_grad():
        until = time.perf_counter() + float(seconds)
        while len(runs) < 4 or time.perf_counter() < until:
            begun = time.perf_counter()
            logits = answer()
            runs.append(time.perf_counter() - begun)
        np.savez(answers, logits=logits.numpy())
        del answer, logits
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")  # the peak is counted anew
        before = memory("VmRSS")
        answer = begin()
        answer()
    peak = memory("VmHWM") - before
    print(json.dumps({"setup": setup, "cold": runs[0], "warm": runs[1:], "peak": peak}))


main()
