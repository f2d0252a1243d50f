"""What the common tests need to know of this method."""

import functools
import json

import numpy as np

TRAIN = ["lighthgnn", "train", "vertices.csv", "--hyperedges", "groups.csv", "--plus", "--out", "model"]
EVALUATE = ["lighthgnn", "evaluate", "vertices.csv", "--hyperedges", "groups.csv"]
SMALL = ["--train", "2", "--validation", "2", "--seeds", "2", "--epochs", "20"]
PREDICT_ALL = ["lighthgnn", "predict", "model", "vertices.csv"]
BENCH = ["lighthgnn", "bench", "vertices.csv", "--hyperedges", "groups.csv", "--seconds", "0.05"]
EXPORT = ["lighthgnn", "export", "model", "--out", "student.onnx"]
N = 16


def vertices():
    """Of two kinds, told apart by the first two of four features, and by the groups."""
    rng = np.random.default_rng(0)
    x = rng.random((N, 4)).round(3)
    x[np.arange(N), np.arange(N) % 2] += 2
    return x, np.arange(N) % 2


def groups():
    return [[0, 2, 4, 6], [1, 3, 5, 7], [8, 10, 12], [9, 11, 13], [0, 8], [1, 9], [1, 9]]


def classifier(**options):
    from parataxis.methods.light_hgnn import LightHGNNClassifier
    from parataxis.nn.hypergraph import Hypergraph

    x, y = vertices()
    small = {"epochs": 12, "hidden": 6, "teacher_hidden": 4, "plus": False}
    return LightHGNNClassifier(**{**small, **options}).fit(x, y, hypergraph=Hypergraph.from_edges(groups(), N))


@functools.cache
def _fitted():
    return classifier()


def prepare(folder):
    x, y = vertices()
    head = "vertex,label,a,b,c,d\n"
    lines = [f"v{n},{'xy'[y[n]]}," + ",".join(map(str, x[n])) for n in range(N)]
    pairs = [f"v{member},g{n}" for n, each in enumerate(groups()) for member in each]
    files = {
        "vertices.csv": head + "\n".join(lines),
        "groups.csv": "vertex,edge\n" + "\n".join(pairs),
        "nan.csv": head + "\n".join([lines[0], "v1,y,0.5,,1,1", *lines[2:]]),
        "words.csv": head + "\n".join([lines[0], "v1,y,0.5,red,1,1", *lines[2:]]),
        "one_class.csv": head + "\n".join(line.replace(",y,", ",x,") for line in lines),
        "unlabelled.csv": "vertex,a\nv0,1\n",
        "fewer.csv": "vertex,a,b\nv0,1,2\n",
        "unknown.csv": "vertex,edge\n" + "\n".join([*pairs, "v99,g0"]),
        "twice.csv": "vertex,edge\n" + "\n".join([*pairs, pairs[0]]),
        "nameless.csv": head + "\n".join([lines[0], lines[1][2:], *lines[2:]]),
        "same.csv": head + "\n".join([*lines, lines[0]]),
        "no_edge.csv": "vertex,group\nv0,g0\n",
        "weight.json": json.dumps({"incidences": [{"edge": "g", "node": "v0"}], "edges": [{"edge": "g", "weight": 0}]}),
    }
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    whole = {"x_indptr": np.arange(5), "x_indices": np.zeros(4, int), "x_data": np.ones(4), "x_shape": np.array([4, 2])}
    whole |= {"y": np.array([0, 1, 0, 1]), "e_indptr": np.array([0, 2, 4]), "e_indices": np.array([0, 1, 2, 3])}
    for name, other in {
        "far": {"e_indices": np.array([0, 1, 2, 9])},
        "empty": {"e_indptr": np.array([0, 4, 4])},
        "gap": {"y": np.array([0, 2, 0, 2])},
        "unlike": {"y": np.array([0, 1, 0])},
        "halves": {"x_shape": np.array([4.0, 2.5])},
        "hole": {"x_data": np.array([1.0, np.nan, 1.0, 1.0])},
        "heavy": {"e_weight": np.array(["much", "more"])},
    }.items():
        np.savez(folder / f"{name}.npz", **{**whole, **other})
    np.savez(folder / "no_model.npz", meta="{")
    (folder / "model").mkdir()
    _fitted().save(folder / "model" / "model.npz")


def _trained(value, text):
    share = f"the student answers as the teacher does for {100 * value['agreement']:.1f}% of the vertices"
    counts = f"{N} vertices, {N} labelled, 7 hyperedges, 1 of them duplicates; 2 vertices in none"
    return share in text and counts in text and value["model"] == "model/model.npz"


def _evaluated(value, text):
    found = value["accuracy"]["student"]["unseen"]
    return f"{found['value']:.1f} [{found['low']:.1f}, {found['high']:.1f}]" in text


def _predicted(value, text):
    return [f"{row['vertex']},{row['label']}" for row in value] == [
        line.rpartition(",")[0] for line in text.split()[1:]
    ]


def _timed(value, text):
    return all(row["way"] in text and row["situation"] in text for row in value) and len(value) == 17


HELP_EXAMPLES = [
    (PREDICT_ALL, _predicted),
    (EXPORT, lambda value, text: f"{value['onnx']}: {value['features']} features, 2 classes" in text),
]
IN_ONE_PROCESS = [(TRAIN, _trained), ([*EVALUATE, *SMALL], _evaluated), (BENCH, _timed)]  # each imports torch


def _bad(file, fragment, *more):
    return (["lighthgnn", "evaluate", file, *more], fragment)


BAD_INPUTS = [
    _bad("absent.csv", "absent.csv: can't be read: No such file", "--hyperedges", "groups.csv"),
    _bad("vertices.csv", "vertices.csv: holds vertices only; give their hyperedges with --hyperedges FILE"),
    _bad("vertices.csv", "class 'x': 8 vertices; expected more than 120", "--hyperedges", "groups.csv"),
    _bad("nan.csv", "nan.csv:3: b=nan must be finite", "--hyperedges", "groups.csv"),
    _bad("words.csv", "column 'b' is not of numbers; encode it or drop it", "--hyperedges", "groups.csv"),
    _bad("nameless.csv", "nameless.csv: row 2: vertex is empty; name the vertex", "--hyperedges", "groups.csv"),
    _bad("same.csv", "same.csv: row 17: vertex 'v0' stands twice; name each once", "--hyperedges", "groups.csv"),
    _bad("one_class.csv", "one_class.csv: 1 class in column 'label'", "--hyperedges", "groups.csv"),
    _bad("unlabelled.csv", "no column 'label'; there: vertex, a", "--hyperedges", "groups.csv"),
    _bad(
        "vertices.csv", "unknown.csv: hyperedge 'g0': vertex 'v99' is not among the 16", "--hyperedges", "unknown.csv"
    ),
    _bad("vertices.csv", "twice.csv: hyperedge 'g0': vertex 'v0' stands in it twice", "--hyperedges", "twice.csv"),
    _bad("vertices.csv", "no_edge.csv: no column 'edge'; there: 'vertex', 'group'", "--hyperedges", "no_edge.csv"),
    _bad(
        "vertices.csv", "weight.json: hyperedge 'g': weight=0.0 must be a number above 0", "--hyperedges", "weight.json"
    ),
    _bad("far.npz", "far.npz: hyperedge 1: vertex=9: expected 0 to 3, as there are 4 vertices"),
    _bad("empty.npz", "empty.npz: hyperedge 1: has no member; leave it out"),
    _bad("gap.npz", "gap.npz: y=2: labels must be 0 to 1 for 2 classes, or -1 for none"),
    _bad("unlike.npz", "unlike.npz: y has 3 vertices, the features 4"),
    _bad("halves.npz", "halves.npz: x is no CSR matrix"),
    _bad("hole.npz", "hole.npz: vertex 1: feature 0=nan must be finite; fill it in or drop the column"),
    _bad("heavy.npz", "heavy.npz: weights: are <U4; expected numbers above 0"),
    _bad("far.npz", "--hyperedges=groups.csv: far.npz holds hyperedges of its own", "--hyperedges", "groups.csv"),
    ([*EVALUATE, *SMALL, "--held-out", "1.5"], "held_out=1.5: expected a share of the 8 test vertices"),
    ([*EVALUATE, *SMALL, "--held-out", "0.99"], "held_out=0.99: expected a share of the 8 test vertices"),
    ([*EVALUATE, "--teacher", "gcn"], "'gcn' is not one of 'hgnn', 'hgnn+', 'hnhn', 'unigcn'"),
    ([*EVALUATE, "--seeds", "1"], "--seeds"),
    ([*TRAIN, "--validation", "1"], "validation=1.0: expected a share, from 0 to below 1"),
    ([*EVALUATE, *SMALL, "--device", "card"], "device='card': can't be used: "),
    ([*TRAIN, "--device", "card"], "device='card': can't be used: "),
    ([*BENCH[:-1], "0"], "seconds=0.0: must be above 0"),
    (["lighthgnn", "predict", "model", "fewer.csv"], "x has 2 features, the model was trained with 4"),
    (["lighthgnn", "predict", "far.npz", "vertices.csv"], "far.npz: is no model of `parataxis lighthgnn train`"),
    (["lighthgnn", "predict", "no_model.npz", "vertices.csv"], "no_model.npz: is no model of"),
    (["lighthgnn", "export", "absent"], "absent: can't be read: No such file"),
]


def _kl(kl):
    """A sure teacher of three classes, and a student that says (.5, .25, .25)."""
    import torch

    from parataxis.methods.light_hgnn.losses import divergence

    teacher, student = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.25, 0.25]])
    return float(divergence(teacher.double(), student.double().log(), kl)[0])


GOLDEN = [
    ("by hand: 1 ln(1 / .5)", lambda: _kl("standard"), np.log(2), 1e-12),
    ("by hand: e (1 + ln 2) + 2 (0 + ln 4), as the authors' flag has it", lambda: _kl("original"), 7.3751, 1e-4),
]


def _predict(rows):
    return _fitted().predict(np.array(rows))


PREDICT = (_predict, list(vertices()[0]))


def save(folder):
    classifier().save(folder / "model.npz")
    return load(folder)


def load(folder):
    from parataxis.methods.light_hgnn import LightHGNNClassifier

    return LightHGNNClassifier.load(folder / "model.npz").predict_proba(vertices()[0]).tolist()


SAVE = (save, load)
