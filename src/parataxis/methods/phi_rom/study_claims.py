"""From the numbers of all units to the claims; tables of errors with their floors beside, and of what it cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.phi_rom.study_plan import LEARNED, SHUFFLED, Unit, kind
from parataxis.methods.phi_rom.study_units import Numbers

HALVES = ("in", "out")
PUBLISHED_SPARSE = 0.902 / 0.459  # DINo's error at 2 % of the points over that on the full grid, KdV in [0, T_tr]
ARMS = {
    "phi": "Φ-ROM",
    "dino": "DINo",
    "pinn": "PINN-ROM",
    "crom": "CROM",
    "phi shuffled": "Φ-ROM, time labels shuffled",
    "dino shuffled": "DINo, time labels shuffled",
}
LINEAR = {"galerkin": "POD-Galerkin", "dmd": "linear DMD", "opinf": "OpInf", "mean": "mean of training"}
PROBLEMS = {"burgers": "Burgers, unseen β", "diffusion": "diffusion, unseen states", "flow": "Navier-Stokes 32 x 32"}
CLAIMS = (
    *("burgers-in", "burgers-out", "burgers-dino", "burgers-galerkin", "burgers-beyond", "burgers-projection"),
    *("diffusion-in", "diffusion-out", "diffusion-dino-in", "diffusion-dino-out"),
    *("kdv-in", "kdv-dino", "kdv-out", "sparse", "sparse-dino", "data-efficiency"),
    *("flow-in", "flow-out", "shuffled", "shuffled-dino", "semigroup", "first-observation"),
)
Units = dict[Unit, Numbers]


@dataclass(frozen=True)
class Median:
    """The median over seeds, and the range of all of them as its interval."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Median":
        return cls(median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]" if self.n > 1 else f"{self.value:.3f}"


@dataclass(frozen=True)
class Found:
    """The numbers of all units, by task, arm and seed."""

    units: Units
    real: bool

    def seeds(self, task: str, *arms: str) -> list[int]:
        every = [{unit.seed for unit in self.units if (unit.task, unit.arm) == (task, arm)} for arm in arms]
        return sorted(set.intersection(*every))

    def of(self, task: str, arm: str, half: str, key: str = "error") -> list[float]:
        return [self.units[Unit(task, arm, seed)][key][half] for seed in self.seeds(task, arm)]

    def linear(self, task: str, name: str, half: str) -> float:
        return float(self.units[Unit(task, "pod", 0)][name][half])

    def ratio(self, task: str, half: str, arm: str = "phi", other: str = "dino") -> Median:
        """Seed by seed."""
        seeds = self.seeds(task, arm, other)
        pairs = [[self.units[Unit(task, each, seed)]["error"][half] for each in (arm, other)] for seed in seeds]
        return Median.of([mine / theirs for mine, theirs in pairs])

    def told(self, claim: str, found: Median, data: str, **more: Any) -> Measurement:
        return Measurement(claim, found.value, found.low, found.high, found.n, real=False, data=data, **more)


def measure(found: Found) -> Iterator[Measurement | Figure | Table]:
    """What the units are for; paper.toml says which claims a quick run leaves out."""
    trained = {kind(unit.task) for unit in found.units}
    yield from burgers(found)
    if "diffusion" in trained:
        yield from diffusion(found)
        yield from shuffled(found)
    if "kdv" in trained:
        yield from kdv(found)
        yield from sparse(found)
    if "flow" in trained:
        yield from flow(found)
    yield from orders(found)
    yield from tables(found)


def _over(values: Sequence[float], by: float) -> Median:
    return Median.of([each / by for each in values])


def burgers(found: Found) -> Iterator[Measurement]:
    task, data = "burgers", PROBLEMS["burgers"]
    for half in HALVES:
        floors = f"POD-4 floor {found.linear(task, 'floor', half):.3f}, DINo {Median.of(found.of(task, 'dino', half))}"
        yield found.told(
            f"burgers-{half}",
            Median.of(found.of(task, "phi", half)),
            data,
            baseline=found.linear(task, "galerkin", half),
            null=found.linear(task, "mean", half),
            note=f"{floors}; the baseline is POD-Galerkin with 4 modes",
        )
    yield found.told("burgers-dino", found.ratio(task, "out"), data, null=1.0, note=_wins(found, task))
    over = _over(found.of(task, "phi", "out"), found.linear(task, "galerkin", "out"))
    yield found.told("burgers-galerkin", over, data, null=1.0)
    beyond = {arm: Median.of(found.of(task, arm, "out", "outside")) for arm in LEARNED}
    note = f"DINo {beyond['dino']}; in [0, T_tr] Φ-ROM {Median.of(found.of(task, 'phi', 'in', 'outside'))}"
    yield found.told("burgers-beyond", beyond["phi"], data, baseline=beyond["dino"].value, note=note)
    projected = Median.of(found.of(task, "phi", "out", "projection"))
    yield found.told("burgers-projection", projected, data, note="the solver itself on the decoder's own manifold")


def _wins(found: Found, task: str) -> str:
    """Who is ahead in [0, T_tr], where no rule is."""
    ratio = found.ratio(task, "in")
    return f"in [0, T_tr] the ratio is {ratio}" + ("; there DINo wins" if ratio.value > 1 else "")


def diffusion(found: Found) -> Iterator[Measurement]:
    task, data = "diffusion", PROBLEMS["diffusion"]
    for half in HALVES:
        floor = found.linear(task, "floor", half)
        yield found.told(
            f"diffusion-{half}",
            _over(found.of(task, "phi", half), floor),
            data,
            null=found.linear(task, "mean", half) / floor,
            note=f"Φ-ROM {Median.of(found.of(task, 'phi', half))}, POD-16 floor {floor:.4f}, "
            f"POD-Galerkin {found.linear(task, 'galerkin', half):.4f}",
        )
    for half in HALVES:
        yield found.told(f"diffusion-dino-{half}", found.ratio(task, half), data, null=1.0)


def kdv(found: Found) -> Iterator[Measurement]:
    sizes = sorted({int(unit.task.split()[1]) for unit in found.units if unit.task.startswith("kdv ")})
    task, data = f"kdv {sizes[-1]}", f"KdV 1-D, {sizes[-1]} trajectories"
    floors = {half: found.linear(task, "floor", half) for half in HALVES}
    galerkin = {half: found.linear(task, "galerkin", half) for half in HALVES}
    for half in ("in", "out"):
        mine, theirs = (Median.of(found.of(task, arm, half)) for arm in LEARNED)
        note = f"POD-24 floor {floors[half]:.3f}, DINo {theirs}; the baseline, POD-Galerkin, wins"
        if mine.value < galerkin[half]:
            note = note.replace(", wins", "")
        null = found.linear(task, "mean", half) if half == "in" else None
        yield found.told(f"kdv-{half}", mine, data, baseline=galerkin[half], null=null, note=note)
    yield found.told("kdv-dino", found.ratio(task, "in"), data, null=1.0)
    each = {size: found.ratio(f"kdv {size}", "in") for size in sizes}
    worst = max(each.values(), key=lambda one: one.value)
    note = "the size where it is largest; " + "; ".join(f"{size} trajectories: {one}" for size, one in each.items())
    yield found.told("data-efficiency", worst, "KdV 1-D", null=1.0, note=note)


def sparse(found: Found) -> Iterator[Measurement]:
    """Each seed's error on sparse points over the same seed's on the full grid; the sparsest that a rule is for."""
    tasks = sorted({unit.task for unit in found.units if unit.task.startswith("sparse")}, reverse=True)
    whole = max((unit.task for unit in found.units if unit.task.startswith("kdv ")), key=lambda t: int(t.split()[1]))
    grown = {
        (task, arm): [a / b for a, b in zip(found.of(task, arm, "in"), found.of(whole, arm, "in"), strict=True)]
        for task in tasks
        for arm in LEARNED
    }
    note = "; ".join(f"{task}, {ARMS[arm]}: {Median.of(each)}" for (task, arm), each in grown.items())
    if found.seeds(tasks[0], "pod"):
        floor = Median.of(found.of(tasks[0], "pod", "in", "floor"))
        note += f"; least squares on POD-24 modes of the whole grid at the sensors of {tasks[0]}: error {floor}"
    data, (mine, theirs) = f"KdV 1-D, {tasks[0]}", (grown[tasks[0], arm] for arm in LEARNED)
    yield found.told("sparse", Median.of(mine), data, null=PUBLISHED_SPARSE, note=note)
    pairs = [one / other for one, other in zip(mine, theirs, strict=True)]
    yield found.told("sparse-dino", Median.of(pairs), data, null=1.0)


def flow(found: Found) -> Iterator[Measurement]:
    for half in HALVES:
        floor = found.linear("flow", "floor", half)
        note = (
            f"POD-24 floor {floor:.3f}; the baseline is DINo; POD-Galerkin {found.linear('flow', 'galerkin', half):.3f}"
        )
        theirs = Median.of(found.of("flow", "dino", half))
        mine = Median.of(found.of("flow", "phi", half))
        yield found.told(f"flow-{half}", mine, PROBLEMS["flow"], baseline=theirs.value, note=note)


def shuffled(found: Found) -> Iterator[Measurement]:
    """What shuffled time labels do to trained models."""
    for claim, arm in zip(("shuffled", "shuffled-dino"), SHUFFLED, strict=True):
        ratio = found.ratio("diffusion", "out", arm, arm.split()[0])
        note = f"in [0, T_tr] {found.ratio('diffusion', 'in', arm, arm.split()[0])}"
        yield found.told(claim, ratio, PROBLEMS["diffusion"], note=note)


def orders(found: Found) -> Iterator[Measurement]:
    """Forecasts that go on from one another, and from which state they begin."""
    gaps = {key: found.of("burgers", "phi", key, "semigroup") for key in ("gap", "null")}
    yield found.told("semigroup", Median.of(gaps["gap"]), PROBLEMS["burgers"], null=min(gaps["null"]))
    frames = {
        arm: [found.units[Unit("burgers", arm, n)]["frames"] for n in found.seeds("burgers", arm)] for arm in LEARNED
    }
    spread = {
        arm: Median.of([max(each.values()) / min(each.values()) for each in seen]) for arm, seen in frames.items()
    }
    said = ", ".join(f"frame {n}: {median(each[n] for each in frames['phi']):.3f}" for n in frames["phi"][0])
    note = f"errors by {said}; DINo's ratio {spread['dino']}"
    yield found.told("first-observation", spread["phi"], PROBLEMS["burgers"], note=note)


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(found: Found) -> Iterator[Table]:
    """Every arm beside its floors. Nothing of a toy would be worth a look."""
    if not found.real:
        return
    for task in dict.fromkeys(unit.task for unit in found.units):
        yield _errors(found, task)
    yield _cost(found)


def _errors(found: Found, task: str) -> Table:
    arms = [arm for arm in ARMS if found.seeds(task, arm)]
    rows: list[list[Any]] = []
    for arm in arms:
        cells = [str(Median.of(found.of(task, arm, half))) for half in HALVES]
        first = found.units[Unit(task, arm, found.seeds(task, arm)[0])]
        floors = [str(Median.of(found.of(task, arm, half, "floor"))) if "floor" in first else "" for half in HALVES]
        rows.append([ARMS[arm], len(found.seeds(task, arm)), *cells, *floors])
        if "projection" in first:
            cells = [str(Median.of(found.of(task, arm, half, "projection"))) for half in HALVES]
            rows.append(["ProjectionROM on its decoder", len(found.seeds(task, arm)), *cells, "", ""])
    if task.startswith("sparse"):
        cells = [str(Median.of(found.of(task, "pod", half, "floor"))) for half in HALVES]
        rows.append(["least squares on POD modes at the sensors", len(found.seeds(task, "pod")), *cells, "", ""])
    elif found.seeds(task, "pod"):
        floors = [f"{found.linear(task, 'floor', half):.4f}" for half in HALVES]
        for name, title in LINEAR.items():
            rows.append([title, 1, *(_number(found.linear(task, name, half)) for half in HALVES), *floors])
    columns = ["model", "seeds", "[0, T_tr]", "[T_tr, T_te]", "floor in [0, T_tr]", "floor in [T_tr, T_te]"]
    caption = (
        f"{PROBLEMS.get(task, task)}: RNMSE, median and range over seeds. The floor of a trained model is its "
        "decoder's own best fit to the test's snapshots, of a decoder of sines to ten of its times; that of a linear "
        "one is the projection on as many POD modes."
    )
    return Table(task, columns, rows, caption)


def _number(value: float) -> str:
    return f"{value:.4f}" if value < 1e3 else "blows up"


def _cost(found: Found) -> Table:
    rows: list[list[Any]] = []
    for task, arm in dict.fromkeys((unit.task, unit.arm) for unit in found.units if unit.arm != "pod"):
        trainings = [found.units[Unit(task, arm, seed)] for seed in found.seeds(task, arm)]
        ms, seconds = (median(each[name] for each in trainings) for name in ("ms", "cpu"))
        steps = int(trainings[0]["steps"])
        rows.append([task, ARMS[arm], steps, round(ms, 2), round(ms * steps / 1000, 1), round(seconds, 1)])
    return Table(
        "cost",
        ["problem", "model", "steps", "CPU ms a step", "CPU s of all steps", "CPU s with compiling"],
        rows,
        "CPU time of a training on one thread, the median over seeds; of a step, the median over chunks of them. "
        "What one seed has had compiled, the next takes from a file.",
    )
