"""The commands on files, in this process; what each leaves behind."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from parataxis.cli import main

COMMON = runpy.run_path(str(Path(__file__).with_name("common.py")))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`call(argv)`: status, stdout and stderr, in a folder of the common files."""
    COMMON["prepare"](tmp_path)
    monkeypatch.chdir(tmp_path)

    def of(argv):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return of


@pytest.mark.parametrize("place", range(3), ids=["train", "evaluate", "bench"])
def test_the_helps_example_runs(call, place):
    argv, agrees = COMMON["IN_ONE_PROCESS"][place]
    status, told, _ = call([*argv[:2], "--help"])
    assert status == 0
    assert "parataxis " + " ".join(argv) in " ".join(told.replace("│", " ").split())
    (status, text, err), (again, value, _) = call(argv), call([*argv, "--json"])
    assert (status, again, "\x1b" in text + err) == (0, 0, False)
    assert agrees(json.loads(value), text)


def test_train_leaves_a_model_a_report_and_figures(call, tmp_path):
    call([*COMMON["TRAIN"], "--epochs", "5"])
    report = json.loads((tmp_path / "model" / "report.json").read_text())
    assert report["validation"]["n"] == 2
    assert report["classes"] == ["x", "y"]
    for figure in ("reliability.svg", "confusion.svg"):
        assert (tmp_path / "model" / figure).read_text().startswith("<svg")
    assert (tmp_path / "model" / "history.csv").read_text().startswith("epoch,loss,accuracy,divergence")
    status, told, _ = call(["lighthgnn", "predict", "model", "vertices.csv", "--out", "said.csv"])
    assert status == 0
    assert told == (tmp_path / "said.csv").read_text()
    assert {line.split(",")[1] for line in told.split()[1:]} <= {"x", "y"}  # the user's own names


def reordered(path):
    """The columns backwards, one that nobody asked for among them, and no labels."""
    import pandas as pd

    frame = pd.read_csv(path).drop(columns="label")
    frame.insert(0, "extra", 9.0)
    return frame[frame.columns[::-1]]


def test_features_are_found_by_their_names(call, tmp_path):
    """Classifying by place would give whoever has their columns in another order wrong labels, without a word."""
    call([*COMMON["TRAIN"], "--epochs", "30"])
    _, expected, _ = call(["lighthgnn", "predict", "model", "vertices.csv"])
    reordered(tmp_path / "vertices.csv").to_csv(tmp_path / "other.csv", index=False)
    assert call(["lighthgnn", "predict", "model", "other.csv"])[:2] == (0, expected)
    reordered(tmp_path / "vertices.csv").drop(columns="c").to_csv(tmp_path / "less.csv", index=False)
    status, _, err = call(["lighthgnn", "predict", "model", "less.csv"])
    assert status == 2
    assert "less.csv: no column 'c', a feature that the model was trained with" in err


def test_files_in_another_order_teach_the_same(call, tmp_path):
    import pandas as pd

    options = ["--hyperedges", "groups.csv", "--plus", "--epochs", "4", "--json"]
    found = []
    for _ in range(2):
        call(["lighthgnn", "train", "vertices.csv", *options, "--out", "model"])
        with np.load(tmp_path / "model" / "model.npz") as arrays:
            model = {name: arrays[name].tolist() for name in arrays.files}
        told = call(["lighthgnn", "evaluate", "vertices.csv", *options, *COMMON["SMALL"][:-2]])[1]
        found.append(
            (model, json.loads(told), sorted(call(["lighthgnn", "predict", "model", "vertices.csv"])[1].split()))
        )
        for name in ("vertices.csv", "groups.csv"):
            pd.read_csv(tmp_path / name).sample(frac=1, random_state=1).to_csv(tmp_path / name, index=False)
    assert found[0] == found[1]


def test_features_alone_are_enough(call, tmp_path):
    x, _ = COMMON["vertices"]()
    rows = csr_array(x)
    parts = {"indptr": rows.indptr, "indices": rows.indices, "data": rows.data, "shape": np.array(rows.shape)}
    np.savez(tmp_path / "new.npz", **{f"x_{name}": each for name, each in parts.items()})
    status, told, _ = call(["lighthgnn", "predict", "model", "new.npz", "--json"])
    _, named, _ = call(["lighthgnn", "predict", "model", "vertices.csv", "--json"])
    labels = [[row["label"] for row in json.loads(each)] for each in (told, named)]
    assert (status, labels[0]) == (0, labels[1])


def test_evaluate_names_seen_and_unseen(call, tmp_path):
    small = [*COMMON["EVALUATE"], *COMMON["SMALL"][:-1], "8", "--plus"]
    argv = [*small, "--merge-duplicates", "--out", "told"]
    _, text, _ = call(argv)
    head = next(line for line in text.splitlines() if line.startswith("accuracy"))
    assert all(each in head for each in ("all seen: test", "some held out: other test", "both"))
    assert "student less teacher on held-out vertices" in text
    assert "of the test vertices are in no hyperedge" in text
    assert "1 hyperedges have the members of another, merged" in text
    report = json.loads((tmp_path / "told" / "report.json").read_text())
    assert set(report["accuracy"]) == {"MLP", "hgnn", "student"}
    for found in report["accuracy"].values():
        seen, unseen, both = (found[name]["value"] for name in ("seen", "unseen", "production"))
        assert min(seen, unseen) <= both <= max(seen, unseen)
    raw = json.loads(call([*small, "--raw", "--json"])[1])
    assert raw["accuracy"]["student"] != report["accuracy"]["student"]
    assert (tmp_path / "told" / "confusion.svg").exists()


def test_the_epoch_is_chosen_without_labels_if_asked(call, tmp_path):
    import pandas as pd

    assert call([*COMMON["TRAIN"], "--epochs", "12", "--choose", "divergence"])[0] == 0
    report = json.loads((tmp_path / "model" / "report.json").read_text())
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert report["best_epoch"] == history.divergence.idxmin() != history.accuracy.idxmax()
    both = [[*COMMON["EVALUATE"], *COMMON["SMALL"][:-1], "6", "--choose", each] for each in ("accuracy", "divergence")]
    assert len({call(argv)[1] for argv in both}) == 2


def test_every_ratio_names_what_it_is_over(call):
    _, text, _ = call(COMMON["BENCH"])
    assert text.count("over student, NumPy") == 3
    assert "hidden units: 32 in HGNN, 128 in the student" in text


def test_the_same_seed_the_same_model(call, tmp_path):
    models = []
    for seed in ("3", "3", "4"):
        call([*COMMON["TRAIN"], "--epochs", "5", "--seed", seed])
        models.append((tmp_path / "model" / "history.csv").read_text())
    assert models[0] == models[1] != models[2]
