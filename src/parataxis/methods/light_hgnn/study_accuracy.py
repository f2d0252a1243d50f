"""From the numbers of all units to the claims about accuracy, with intervals over seeds; tables, and a figure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.light_hgnn.scores import Estimate
from parataxis.methods.light_hgnn.study_units import Numbers

CLAIMS = (
    *("gain-every-set", "gain-average", "gain-over-labelled-mlp", "gain-over-propagated"),
    *("teacher-gap", "agreement", "plus-gain", "reliable-over-uniform", "reliable-over-inverted"),
    *("smoothness", "original-kl-accuracy", "original-kl-agreement", "original-kl-calibration"),
    *("label-free-choice", "no-hyperedge", "unseen-gain", "unseen-gap"),
)
Units = dict[str, list[Numbers]]  # by data set, one a seed
POINTS = 100  # of a share


def by_set(units: Units, number: Callable[[Numbers], float]) -> dict[str, Estimate]:
    return {name: Estimate.of([number(each) for each in seeds]) for name, seeds in units.items()}


def average(units: Units, number: Callable[[Numbers], float]) -> Estimate:
    """Over data sets, then over seeds."""
    return Estimate.of(
        [float(np.mean([number(each) for each in seeds])) for seeds in zip(*units.values(), strict=True)]
    )


def gain(of: str, over: str) -> Callable[[Numbers], float]:
    """In points."""
    return lambda numbers: POINTS * (numbers[of] - numbers[over])


def points(of: str) -> Callable[[Numbers], float]:
    return lambda numbers: POINTS * numbers[of]


def rougher(of: str) -> Callable[[Numbers], float]:
    """How many times the teacher's topology-aware score."""
    return lambda numbers: numbers[f"{of}-topology"] / numbers["teacher-topology"]


def measure(units: Units, more: Units, real: bool) -> Iterator[Measurement | Figure | Table]:
    """more: seeds in the place of those of units, for how the student answers as its teacher does."""

    def told(claim: str, found: Estimate, where: str = "", **options: Any) -> Measurement:
        data = where or f"{len(units)} data sets"
        return Measurement(claim, found.value, found.low, found.high, found.n, real=real, data=data, **options)

    def average_of(claim: str, number: Callable[[Numbers], float], digits: int = 1) -> Measurement:
        return told(claim, average(units, number), note=_each(by_set(units, number), digits))

    def least(
        claim: str, number: Callable[[Numbers], float], digits: int = 1, of: Units = units, **options: Any
    ) -> Measurement:
        found = by_set(of, number)
        name = min(found, key=lambda each: found[each].low)
        return told(claim, found[name], name, note=f"the least of {_each(found, digits)}", **options)

    yield least(CLAIMS[0], gain("light", "mlp"), null=0.0)
    yield average_of(CLAIMS[1], gain("light", "mlp"))
    yield least(CLAIMS[2], gain("light", "mlp-labelled"), null=0.0)
    yield average_of(CLAIMS[3], gain("light", "propagated"))
    gaps = by_set(units, gain("light", "hgnn"))
    worst = max(gaps, key=lambda each: max(abs(gaps[each].low), abs(gaps[each].high)))
    shuffled = by_set(units, gain("shuffled", "hgnn"))[worst].value
    yield told(CLAIMS[4], gaps[worst], worst, null=shuffled, note=f"the widest of {_each(gaps)}")
    asked = units | more
    chance = max(each.value for each in by_set(asked, lambda numbers: numbers["shuffled-agrees"]).values())
    yield least(CLAIMS[5], lambda numbers: numbers["light-agrees"], digits=3, of=asked, null=chance)
    yield average_of(CLAIMS[6], gain("plus", "light"))
    yield average_of(CLAIMS[7], gain("plus", "uniform"))
    yield average_of(CLAIMS[8], gain("plus", "inverted"))
    note = f"{_each(by_set(units, rougher('student')), 2)}; before BatchNorm "
    note += _each(by_set(units, rougher("student-relu")), 2)
    yield told(CLAIMS[9], average(units, rougher("student")), note=note)
    yield average_of(CLAIMS[10], gain("original", "light"))
    yield average_of(CLAIMS[11], gain("original-agrees", "light-agrees"))
    yield average_of(CLAIMS[12], gain("original-error", "light-error"))
    yield average_of(CLAIMS[13], gain("label-free", "light"))
    alone = by_set(units, lambda numbers: numbers["test-isolated"])
    most = max(alone, key=lambda each: alone[each].value)
    yield told(CLAIMS[14], alone[most], most, note=f"the most of {_each(alone, 3)}")
    yield average_of(CLAIMS[15], gain("unseen light", "unseen mlp"))
    yield from tables(units)
    if real:
        yield figure(units)
    yield average_of(CLAIMS[16], gain("unseen light", "unseen hgnn"))


def _each(found: dict[str, Estimate], digits: int = 1) -> str:
    return ", ".join(f"{name} {each.value:.{digits}f}" for name, each in found.items())


TRANSDUCTIVE = {
    "MLP": "mlp",
    "MLP, labelled rows": "mlp-labelled",
    "MLP on L²X": "propagated",
    "HGNN": "hgnn",
    "LightHGNN": "light",
    "LightHGNN+": "plus",
    "+ uniform": "uniform",
    "+ inverted": "inverted",
    "original KL": "original",
    "chosen without labels": "label-free",
}
SEEN = {"observed": "observed test", "unseen": "held out", "production": "both"}


def tables(units: Units) -> Iterator[Table]:
    n = len(next(iter(units.values())))
    columns = ["data", *TRANSDUCTIVE]
    rows: list[list[Any]] = [
        [name, *(_percent(seeds, number) for number in TRANSDUCTIVE.values())] for name, seeds in units.items()
    ]
    yield Table(
        "transductive",
        columns,
        rows,
        f"Test accuracy, %, mean ± standard deviation of {n} seeds; every vertex was seen.",
    )
    names = {"mlp": "MLP", "light": "LightHGNN", "hgnn": "HGNN"}
    columns = ["data", *(f"{model}, {told}" for told in SEEN.values() for model in names.values()), "LightHGNN - HGNN"]
    rows = [
        [
            name,
            *(_percent(seeds, f"{seen} {model}") for seen in SEEN for model in names),
            str(Estimate.of([gain("unseen light", "unseen hgnn")(each) for each in seeds])),
        ]
        for name, seeds in units.items()
    ]
    yield Table(
        "production",
        columns,
        rows,
        f"Test accuracy, %, {n} seeds; the held-out vertices and their memberships were not there in training, and the "
        "teacher is given their hyperedges. Last: points on held-out vertices, with a 95 % interval.",
    )
    yield _likeness(units)
    yield _smoothness(units)
    if others := [key for key in next(iter(units.values()))[0] if key.startswith("teacher ")]:
        names = {key: key for other in others for key in (other, other.replace("teacher", "student of"))}
        rows = [
            [name, *(_percent([each for each in seeds if key in each], key) for key in names)]
            for name, seeds in units.items()
        ]
        tried = sum(others[0] in each for each in next(iter(units.values())))
        caption = (
            "Test accuracy, %, of other teachers and of their students, mean "
            f"{'± standard deviation ' * (tried > 1)}of the first {tried} seeds; every vertex was seen."
        )
        yield Table("teachers", ["data", *names], rows, caption)


def _likeness(units: Units) -> Table:
    columns = {
        "agrees": "light-agrees",
        "original KL agrees": "original-agrees",
        "calibration error": "light-error",
        "of original KL": "original-error",
        "mean top probability": "light-sure",
        "under original KL": "original-sure",
        "macro-F1, MLP": "mlp-macro",
        "macro-F1, HGNN": "hgnn-macro",
        "macro-F1, LightHGNN": "light-macro",
    }
    rows: list[list[Any]] = [
        [name, *(_percent(seeds, number) for number in columns.values())] for name, seeds in units.items()
    ]
    caption = (
        "%: how the student answers as the teacher does (all vertices), and how sure it is (test vertices). Mean ± "
        f"standard deviation of {len(next(iter(units.values())))} seeds."
    )
    return Table("likeness", ["data", *columns], rows, caption)


def _smoothness(units: Units) -> Table:
    columns = {
        "HGNN, after the ReLU": "teacher-topology",
        "student, after the ReLU": "student-relu-topology",
        "student, after BatchNorm": "student-topology",
    }
    rows: list[list[Any]] = [
        [name, *(f"{np.mean([each[number] for each in seeds]):.3f}" for number in columns.values())]
        for name, seeds in units.items()
    ]
    caption = (
        "Topology-aware score over the mean norm of the vertices, lower is smoother; means of "
        f"{len(next(iter(units.values())))} seeds. BatchNorm takes the mean of all vertices away and scales every "
        "unit, which moves the score: only the first two columns are of like embeddings."
    )
    return Table("smoothness", ["data", *columns], rows, caption)


def _percent(seeds: Sequence[Numbers], number: str) -> str:
    values = POINTS * np.array([each[number] for each in seeds])
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" if len(values) > 1 else f"{values.mean():.1f}"


INK = {"mlp": "#8d8a83", "light": "#1e7145", "hgnn": "#4a6fa5"}


def figure(units: Units) -> Figure:
    """What every set loses from the teacher to the student, on vertices that were seen and on those that were not."""
    from matplotlib.figure import Figure as Canvas

    from parataxis.audit.plot import svg

    canvas = Canvas(figsize=(9, 0.9 + 0.62 * len(units)), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True)
    words = {"mlp": "MLP", "light": "LightHGNN", "hgnn": "HGNN"}
    for ax, prefix, title in (
        (left, "", "transductive: test vertices"),
        (right, "unseen ", "production: held-out vertices"),
    ):
        for shift, (model, word) in enumerate(words.items()):
            found = by_set(units, points(prefix + model))
            places = np.arange(len(units)) + 0.22 * (shift - 1)
            values = np.array([[each.value, each.low, each.high] for each in found.values()])
            ax.errorbar(
                values[:, 0],
                places,
                xerr=np.abs(values[:, 1:] - values[:, :1]).T,
                fmt="o",
                markersize=4,
                linewidth=1.2,
                color=INK[model],
                label=word,
            )
        ax.set_title(title, fontsize=9, loc="left")
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel("accuracy, %", fontsize=8)
    left.set_yticks(range(len(units)), list(units), fontsize=8)
    left.invert_yaxis()
    left.legend(frameon=False, fontsize=8)
    return Figure("accuracy", svg(left).encode(), "Accuracy with 95 % intervals over seeds, seen and unseen vertices.")
