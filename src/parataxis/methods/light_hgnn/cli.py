"""Hypergraph-quality labels from features alone, for the user's own vertices and hyperedges."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from parataxis.columns import aligned
from parataxis.methods.light_hgnn.cli_options import (
    AsJson,
    ChoiceName,
    Choose,
    Data,
    Device,
    Epochs,
    Hidden,
    Hyperedges,
    Kl,
    KlName,
    Merge,
    Model,
    Plus,
    Raw,
    Seed,
    Teacher,
    TeacherName,
    model_file,
)

app = typer.Typer(no_args_is_help=True, help="Teach an MLP what a hypergraph network knows, and ask it without one.")


@app.command("train")
def train_command(
    data: Data,
    hyperedges: Hyperedges = None,
    out: Annotated[Path, typer.Option(help="A folder for model, report and figures.")] = Path("lighthgnn"),
    teacher: Teacher = TeacherName.hgnn,
    plus: Plus = False,
    kl: Kl = KlName.standard,
    choose: Choose = ChoiceName.accuracy,
    hidden: Hidden = 128,
    epochs: Epochs = 200,
    validation: Annotated[float, typer.Option(help="Share of the labels of each class that choose the epoch.")] = 0.2,
    raw: Raw = False,
    merge: Merge = False,
    device: Device = "cpu",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a teacher on hyperedges and labels, then a student that needs neither.

    Writes model.npz, report.json, history.csv, confusion.svg (of the labelled vertices that choose the epoch) and, with
    --plus, reliability.svg. Killed, the same command goes on. How good the student is on vertices that it never saw,
    `evaluate` tells.

    Example: parataxis lighthgnn train vertices.csv --hyperedges groups.csv --plus --out model
    """
    from parataxis.methods.light_hgnn.dataset import read_dataset
    from parataxis.methods.light_hgnn.split import check_share

    found = read_dataset(data, hyperedges)
    check_share(validation)
    from parataxis.methods.light_hgnn.train import train  # torch: not before the input is known to be good

    settings: dict[str, Any] = {"teacher": teacher.value, "plus": plus, "kl": kl.value, "hidden": hidden}
    settings |= {
        "choose": choose.value,
        "epochs": epochs,
        "validation": validation,
        "unit": not raw,
        "merge": merge,
        "device": device,
        "random_state": seed,
    }
    report = train(found, settings, out)
    print(json.dumps(report, indent=1) if as_json else _trained(report))


def _trained(report: dict[str, Any]) -> str:
    return (
        f"{report['data']}: {report['vertices']} vertices, {report['labelled']} labelled, {report['hyperedges']} "
        f"hyperedges, {report['duplicates']} of them duplicates; {report['isolated']} vertices in none\n"
        f"the student answers as the teacher does for {100 * report['agreement']:.1f}% of the vertices\n"
        f"validation accuracy: teacher {_percent(report['validation']['teacher'])}, student "
        f"{_percent(report['validation']['student'])}, {report['validation']['n']} vertices, which chose the epoch\n"
        f"model: {report['model']}"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


@app.command("evaluate")
def evaluate_command(
    data: Data,
    hyperedges: Hyperedges = None,
    teacher: Teacher = TeacherName.hgnn,
    plus: Plus = False,
    kl: Kl = KlName.standard,
    choose: Choose = ChoiceName.accuracy,
    hidden: Hidden = 128,
    epochs: Epochs = 200,
    train: Annotated[int, typer.Option(min=1, help="Vertices of each class that teach.")] = 20,
    validation: Annotated[int, typer.Option(min=1, help="Vertices of each class that choose the epoch.")] = 100,
    held_out: Annotated[float, typer.Option(help="Share of the test vertices that training does not see.")] = 0.2,
    seeds: Annotated[int, typer.Option(min=2, help="How often all is trained anew.")] = 3,
    raw: Raw = False,
    merge: Merge = False,
    device: Device = "cpu",
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="A folder for report.json and confusion.svg.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure teacher, student and a plain MLP on test vertices that were there in training, and on held-out ones.

    Example: parataxis lighthgnn evaluate vertices.csv --hyperedges groups.csv --train 2 --validation 2 --seeds 2
    --epochs 20
    """
    from dataclasses import replace

    from parataxis.files import write_atomic
    from parataxis.methods.light_hgnn.dataset import read_dataset
    from parataxis.methods.light_hgnn.plot import confusion_matrix
    from parataxis.methods.light_hgnn.split import hold_out, split
    from parataxis.progress import watching

    found = replace(read_dataset(data, hyperedges), unit=not raw)
    parts = split(found.labels, found.ids, str(seed), train, validation, found.classes)
    hold_out(parts, found.ids, str(seed), held_out)
    from parataxis.methods.light_hgnn.evaluate import Protocol, evaluate
    from parataxis.methods.light_hgnn.teaching import Recipe  # torch: not before the input is known to be good

    recipe = Recipe(hidden=hidden, epochs=epochs, kl=kl.value)
    protocol = Protocol(teacher.value, plus, train, validation, held_out, recipe, choose.value, merge, device)
    with watching("seeds") as tell:
        report = evaluate(found, protocol, seeds, seed, tell)
    if out:
        write_atomic(out / "report.json", json.dumps(report.to_json(), indent=1))
        write_atomic(out / "confusion.svg", confusion_matrix(report.confusion, report.classes))
    print(json.dumps(report.to_json(), indent=1) if as_json else _evaluated(report))


def _evaluated(report: Any) -> str:
    rows = [["accuracy, %", "all seen: test", "some held out: other test", "held out", "both"]]
    rows += [[model, *map(str, settings.values())] for model, settings in report.estimates().items()]
    mean = 100 * sum(report.agreement) / report.seeds
    macro = ", ".join(f"{model} {100 * sum(each) / len(each):.1f}%" for model, each in report.macro.items())
    merged = "merged" if report.merged else "kept; --merge-duplicates merges them"
    return (
        f"{report.data}, {report.seeds} seeds; in brackets 95% intervals over seeds, by Student's t: of few seeds they "
        f"may pass 0 or 100\n\n{aligned(rows)}\n\n"
        f"macro-F1, all seen: {macro}; micro-F1 is the accuracy\n"
        f"{report.duplicates} hyperedges have the members of another, {merged}\n"
        f"student less teacher on held-out vertices: {report.gap()} points\n"
        f"the student answers as the teacher does for {mean:.1f}% of all vertices\n"
        f"{100 * report.isolated[0]:.1f}% of the test vertices are in no hyperedge: there the teacher is an MLP as well"
    )


@app.command("predict")
def predict_command(
    model: Model,
    features: Annotated[
        Path,
        typer.Argument(metavar="FEATURES", help="A table with the columns of training, in any order; or an .npz."),
    ],
    out: Annotated[Path | None, typer.Option(help="A .csv; else it is printed.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Classify vertices by their features alone: no hypergraph, no torch.

    Example: parataxis lighthgnn predict model vertices.csv
    """
    import numpy as np
    import pandas as pd

    from parataxis.files import write_atomic
    from parataxis.methods.light_hgnn.dataset import check_features, read_features
    from parataxis.methods.light_hgnn.student import Student

    student = Student.load(model_file(model))
    ids, x = read_features(features, student.columns)
    check_features(x, ids)
    probabilities = student.probabilities(x)
    said = probabilities.argmax(1)
    table = pd.DataFrame(
        {
            "vertex": ids,
            "label": [student.classes[each] for each in said],
            "probability": np.round(probabilities.max(1), 6),
        }
    )
    if out:
        write_atomic(out, table.to_csv(index=False))
    print(
        table.to_json(orient="records", indent=1) if as_json else table.to_csv(index=False), end="\n" if as_json else ""
    )


@app.command("bench")
def bench_command(
    data: Data,
    hyperedges: Hyperedges = None,
    hidden: Hidden = 128,
    seconds: Annotated[float, typer.Option(help="For each figure.")] = 0.5,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Time ways to answer, on one thread: a teacher made in four ways, and the student.

    For all vertices, for one whose answer may be cached, and for one that is new or has changed.

    Example: parataxis lighthgnn bench vertices.csv --hyperedges groups.csv --seconds 0.05
    """
    from parataxis.methods.light_hgnn.contest import check_seconds
    from parataxis.methods.light_hgnn.dataset import read_dataset

    check_seconds(seconds)
    given = read_dataset(data, hyperedges)
    from parataxis.methods.light_hgnn.bench import bench, told  # torch: not before the input is known to be good

    found = bench(given, hidden, seconds, seed)
    print(json.dumps([vars(each) for each in found], indent=1) if as_json else told(found, hidden))


@app.command("export")
def export_command(
    model: Model,
    out: Annotated[Path, typer.Option(help="The .onnx file.")] = Path("student.onnx"),
    as_json: AsJson = False,
) -> None:
    """Write the student as ONNX: from float32 rows `x`, as in training, to `probabilities` and `label`.

    Example: parataxis lighthgnn export model --out student.onnx
    """
    from parataxis.methods.light_hgnn.student import Student

    student = Student.load(model_file(model))
    path = student.to_onnx(out)
    facts = {"onnx": str(path), "features": student.features, "classes": list(student.classes)}
    told = (
        f"{path}: {student.features} features, {len(student.classes)} classes, label is a place in {facts['classes']}"
    )
    print(json.dumps(facts, indent=1) if as_json else told)
