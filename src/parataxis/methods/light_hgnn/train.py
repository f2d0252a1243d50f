"""The command `train`: a fitted classifier, and what it leaves in its folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.files import write_atomic
from parataxis.methods.light_hgnn.dataset import Dataset, empty_rows
from parataxis.methods.light_hgnn.estimator import LightHGNNClassifier
from parataxis.methods.light_hgnn.plot import confusion_matrix, reliability_histogram
from parataxis.methods.light_hgnn.scores import confusion
from parataxis.nn.threads import one_thread
from parataxis.progress import watching


@one_thread()
def train(data: Dataset, settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """Fit, write model.npz, report.json, history.csv and the figures to the folder; the report.

    What was killed goes on, given the same folder.
    """
    unfinished = out / "unfinished"
    with watching("epochs") as tell:
        model = LightHGNNClassifier(**settings, checkpoints=unfinished, tell=tell)
        model.fit(data.x, data.labels, hypergraph=data.hypergraph, ids=data.ids)
    student = model.student_
    classes = tuple(data.classes[each] for each in model.classes_)
    student = replace(student, classes=classes, columns=data.columns)
    said = student.logits(data.x).argmax(1)
    teacher = model.teacher_.logits.argmax(1).cpu().numpy()
    chosen = model.validation_
    truth = data.labels[chosen]
    report = {
        "data": data.name,
        "vertices": data.x.shape[0],
        "features": data.x.shape[1],
        "vertices_without_features": empty_rows(data.x),
        "labelled": int((data.labels != -1).sum()),
        "hyperedges": len(data.hypergraph),
        "duplicates": model.duplicates_,
        "isolated": model.isolated_,
        "classes": list(data.classes),
        "settings": settings,
        "agreement": float(np.mean(said == teacher)),
        "validation": {
            "n": len(chosen),
            "teacher": float(np.mean(teacher[chosen] == truth)) if len(chosen) else None,
            "student": float(np.mean(said[chosen] == truth)) if len(chosen) else None,
        },
        "best_epoch": model.best_epoch_,
        "reliability_mean": float(model.reliability_.mean()) if settings["plus"] else None,
        "model": str(out / "model.npz"),
    }
    student.save(out / "model.npz")
    write_atomic(out / "report.json", json.dumps(report, indent=1))
    write_atomic(out / "history.csv", model.history_.to_csv())
    table = confusion(truth, said[chosen], len(data.classes))
    write_atomic(out / "confusion.svg", confusion_matrix(table, data.classes))
    (out / "reliability.svg").unlink(missing_ok=True)  # of an earlier run
    if settings["plus"]:
        write_atomic(out / "reliability.svg", reliability_histogram(model.reliability_))
    shutil.rmtree(unfinished)
    return report
