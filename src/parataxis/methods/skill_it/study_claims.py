"""From the numbers of all units to the claims, with intervals over seeds; tables, and figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.audit.statistics import student
from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.skill_it import plot
from parataxis.methods.skill_it.study_plan import BY_EXAMPLE, CONTROLS, COUNTED, MIXED, TARGET, TUNED, Unit
from parataxis.methods.skill_it.study_units import Numbers

POINTS = 100  # of a share
LEGO = (
    *("lego-chain", "lego-one-before", "lego-over-random", "lego-over-stratified-end", "lego-over-stratified-half"),
    *("lego-group-curricula", "lego-example-curricula", "lego-controls", "lego-controls-gain"),
    *("lego-learned", "lego-learned-counted"),
    *("lego-target-stratified", "lego-target-only", "addition-over-random", "addition-over-stratified"),
    *("addition-over-curricula", "order-blocked", "order-shuffled"),
)
LANGUAGES = (
    *("language-helps", "language-target-stratified", "language-target-only"),
    *("language-target-stratified-counted", "language-target-only-counted", "language-static"),
)
Units = dict[Unit, Numbers]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, paired where two arms are compared, with its 95 % interval (Student's t)."""

    value: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float] | Float[np.ndarray, " seed"]) -> "Estimate":
        found = np.asarray(values, float)
        return cls(*student(found), tuple(found.tolist()))

    @property
    def signs(self) -> str:
        """How many seeds are above 0, and the exact sign test of that."""
        from scipy.stats import binomtest

        above, n = sum(each > 0 for each in self.values), sum(each != 0 for each in self.values)
        return f"above 0 in {above} of {len(self.values)} seeds" + (
            f", sign test p = {binomtest(above, n).pvalue:.3f}" if n else ""
        )

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


class Arms:
    """The numbers of one task, by arm and seed."""

    def __init__(self, units: Units, task: str) -> None:
        self.found = {unit: numbers for unit, numbers in units.items() if unit.task == task}
        self.task = task

    def seeds(self, *arms: str) -> list[int]:
        """Those that all of these arms were trained with."""
        every = [{unit.seed for unit in self.found if unit.arm == arm} for arm in arms]
        return sorted(set.intersection(*every))

    def has(self, arm: str) -> bool:
        return any(unit.arm == arm for unit in self.found)

    def of(self, arm: str, seed: int) -> Numbers:
        return self.found[Unit(self.task, arm, seed)]

    def right(self, arm: str, seed: int, at: float = 1.0) -> float:
        """Accuracy in points, mean over skills, after this share of the steps."""
        return float(self.curve(arm, seed)[self._place(arm, seed, at)])

    def curve(self, arm: str, seed: int) -> np.ndarray:
        return POINTS * np.mean(list(self.of(arm, seed)["right"].values()), axis=0)

    def loss(self, arm: str, seed: int, skill: str = "") -> np.ndarray:
        """On the test rows, by record; of all skills, or one."""
        table = self.of(arm, seed)["test"]
        return np.array(table[skill]) if skill else np.mean(list(table.values()), axis=0)

    def _place(self, arm: str, seed: int, at: float) -> int:
        return max(0, round(at * len(self.of(arm, seed)["steps"])) - 1)

    def gain(self, over: Sequence[str], arm: str = "skill-it", at: float = 1.0) -> Estimate:
        """Points of accuracy over the best, in the mean over seeds, of the others."""
        seeds = self.seeds(arm, *over)
        mine = {name: np.array([self.right(name, seed, at) for seed in seeds]) for name in (arm, *over)}
        best = max(over, key=lambda name: mine[name].mean())
        return Estimate.of(mine[arm] - mine[best])


def lego(units: Units, real: bool) -> Iterator[Measurement | Figure | Table]:
    """Made data, at any scale."""
    lego, tuned = Arms(units, "lego"), Arms(units, "lego tuned")
    yield from _prerequisites(Arms(units, "prerequisites"))
    yield _points("lego-over-random", lego.gain(["random"]), "LEGO")
    end, half = lego.gain(["stratified"]), lego.gain(["stratified"], at=0.5)
    yield _points("lego-over-stratified-end", end, "LEGO")
    yield _points("lego-over-stratified-half", half, "LEGO")
    yield _points("lego-group-curricula", lego.gain(["skill-curriculum", "skill-anticurriculum"]), "LEGO")
    yield _points("lego-example-curricula", lego.gain(list(BY_EXAMPLE)), "LEGO")
    each = "; ".join(f"less {arm} {lego.gain([arm])}" for arm in CONTROLS)
    yield _points("lego-controls", lego.gain(CONTROLS), "LEGO", note=each)
    gains = {arm: lego.gain(["stratified"], arm) for arm in CONTROLS if arm != "stratified"}
    most = max(gains.values(), key=lambda gain: gain.value)
    each = ", ".join(f"{arm} {gain}" for arm, gain in gains.items())
    note = f"the most of {each}, equal edges 0 by construction; {most.signs}"
    yield _told("lego-controls-gain", most, "LEGO", False, note=note)
    yield from _learned(lego)
    yield from _tuned(tuned, "lego", real=False, data="LEGO")
    yield from accuracies(lego, "lego", "LEGO", (*MIXED, *BY_EXAMPLE), real)


def addition(units: Units, real: bool) -> Iterator[Measurement | Figure | Table]:
    """Made data, at any scale; and the order of one multiset."""
    addition = Arms(units, "addition")
    yield _points("addition-over-random", addition.gain(["random"]), "Addition")
    yield _points("addition-over-stratified", addition.gain(["stratified"]), "Addition")
    yield _points(
        "addition-over-curricula",
        addition.gain(["skill-curriculum", "skill-anticurriculum", *BY_EXAMPLE]),
        "Addition",
    )
    arms = ("random", "stratified", "skill-it", *BY_EXAMPLE, "skill-curriculum", "skill-anticurriculum")
    yield from accuracies(addition, "addition", "Addition", arms, real)
    yield _points("order-blocked", addition.gain(["blocked"]), "Addition")
    yield _points("order-shuffled", addition.gain(["shuffled"]), "Addition")


def languages(units: Units, real: bool) -> Iterator[Measurement | Figure | Table]:
    helped, whole = Arms(units, "helped"), Arms(units, "languages")
    target, data = TARGET["languages"], "manpages6" if real else "made texts"
    saved = [
        float(helped.loss("de", seed, target)[-1] - helped.loss("es", seed, target)[-1])
        for seed in helped.seeds("es", "de")
    ]
    found = Estimate.of(saved)
    yield _told("language-helps", found, data, real, null=0.0, note=found.signs)
    yield from _tuned(Arms(units, "languages tuned"), "language", real, data)
    yield from _counted(Arms(units, "languages tuned"), real, data)
    lower = [
        float(whole.loss("stratified", seed)[-1] - whole.loss("static", seed)[-1])
        for seed in whole.seeds("stratified", "static")
    ]
    yield _told("language-static", Estimate.of(lower), data, real, note=Estimate.of(lower).signs)


def _told(claim: str, found: Estimate, data: str, real: bool, **more: Any) -> Measurement:
    return Measurement(claim, found.value, found.low, found.high, len(found.values), real=real, data=data, **more)


def _points(claim: str, found: Estimate, data: str, **more: Any) -> Measurement:
    """The null is the baseline in Skill-It's place, which gains nothing."""
    return _told(claim, found, data, False, null=0.0, **{"note": found.signs, **more})


def _prerequisites(arms: Arms) -> Iterator[Measurement]:
    """Ratios of means over seeds; intervals by resampling the seeds (percentiles). Who does not get there counts
    against the claim: the target alone as if it had at the last step, the others as if in twice as many."""

    def steps(arm: str, seeds: Sequence[int], missed: int) -> tuple[np.ndarray, str]:
        found = [arms.of(arm, seed) for seed in seeds]
        counted = np.array([each["steps"] * (1 if each["reached"] else missed) for each in found], float)
        said = ", ".join(f"{'' if each['reached'] else '>'}{each['steps']}" for each in found)
        return counted, said

    for claim, arm in (("lego-chain", "chain"), ("lego-one-before", "one before")):
        seeds = arms.seeds(arm, "target alone")
        (mine, said), (alone, other) = steps(arm, seeds, 2), steps("target alone", seeds, 1)
        draws = np.random.default_rng(0).integers(len(seeds), size=(2000, len(seeds)))
        low, high = np.percentile(mine[draws].mean(1) / alone[draws].mean(1), (2.5, 97.5))
        value = float(mine.mean() / alone.mean())
        found = Estimate(value, min(float(low), value), max(float(high), value), tuple((mine / alone).tolist()))
        note = f"steps {said}; the target alone {other}"
        yield _told(claim, found, "LEGO", False, null=1.0, baseline=1.0, note=note)


def _learned(lego: Arms) -> Iterator[Measurement | Figure]:
    """With a graph of its own: what it cost is left out, then counted."""
    yield _points("lego-learned", lego.gain(["stratified"], "learned"), "LEGO")
    seeds = lego.seeds("learned", "stratified")
    cost = int(lego.of("learned", seeds[0])["graph"]["steps"])
    steps = lego.of("learned", seeds[0])["steps"][-1]
    share = max(0.0, 1 - cost / steps)
    counted = [lego.right("learned", seed, share) - lego.right("stratified", seed) for seed in seeds]
    note = f"the graph took {cost} of {steps} steps; {Estimate.of(counted).signs}"
    yield _told("lego-learned-counted", Estimate.of(counted), "LEGO", False, note=note)


def _tuned(arms: Arms, name: str, real: bool, data: str) -> Iterator[Measurement]:
    """The target's loss: over stratified as a ratio; below the best record of training on the target only."""
    target = TARGET["lego" if name == "lego" else "languages"]
    seeds = arms.seeds(*TUNED)
    last = {arm: np.array([arms.loss(arm, seed, target)[-1] for seed in seeds]) for arm in TUNED}
    best = np.array([arms.loss("target only", seed, target).min() for seed in seeds])
    over = {arm: Estimate.of(POINTS * (last[arm] / last["stratified"] - 1)) for arm in ("skill-it", "target only")}
    alone = over["target only"]
    yield _told(
        f"{name}-target-stratified",
        over["skill-it"],
        data,
        real,
        baseline=alone.value,
        null=alone.value,
        note=f"the target alone: {alone} %",
    )
    found = Estimate.of(best - last["skill-it"])
    yield _told(f"{name}-target-only", found, data, real, null=0.0, note=found.signs)


def _counted(arms: Arms, real: bool, data: str) -> Iterator[Measurement]:
    """The same where Skill-It has the steps only that its graph leaves it; the others have all."""
    target, seeds = TARGET["languages"], arms.seeds(COUNTED, *TUNED)
    steps, whole = (arms.of(arm, seeds[0])["steps"][-1] for arm in (COUNTED, "stratified"))
    mine = np.array([arms.loss(COUNTED, seed, target)[-1] for seed in seeds])
    other = np.array([arms.loss("stratified", seed, target)[-1] for seed in seeds])
    best = np.array([arms.loss("target only", seed, target).min() for seed in seeds])
    note = f"{steps} of {whole} steps; the graph took the others"
    yield _told("language-target-stratified-counted", Estimate.of(POINTS * (mine / other - 1)), data, real, note=note)
    found = Estimate.of(best - mine)
    yield _told("language-target-only-counted", found, data, real, note=f"{note}; {found.signs}")


def accuracies(arms: Arms, name: str, title: str, wanted: Sequence[str], real: bool) -> Iterator[Table | Figure]:
    """Means with intervals at several budgets, and the curves."""
    shown = [arm for arm in wanted if arms.has(arm)]
    shares: dict[str, float] = {"quarter": 0.25, "half": 0.5, "three quarters": 0.75, "end": 1.0}
    rows: list[list[Any]] = []
    for arm in shown:
        seeds = arms.seeds(arm)
        cells = [str(Estimate.of([arms.right(arm, seed, at) for seed in seeds])) for at in shares.values()]
        rows.append([arm, len(seeds), *cells])
    steps = arms.of(shown[0], arms.seeds(shown[0])[0])["steps"]
    yield Table(
        name,
        ["trained on", "seeds", *shares],
        rows,
        f"{title}: accuracy on test examples, mean over skills, %, with 95 % intervals over seeds, after shares of "
        f"{steps[-1]} steps.",
    )
    if not real:  # the toy: what it drew would be nothing to see
        return
    few = [arm for arm in shown if arm not in ("identity", "permuted", "curriculum", "anticurriculum")]
    curves = {arm: np.stack([arms.curve(arm, seed) for seed in arms.seeds(arm)]) for arm in few}
    image = plot.curves(
        steps, {arm: table for arm, table in curves.items() if table.shape[1] == len(steps)}, "accuracy, %"
    )
    yield Figure(name, _svg(image), f"{title}: accuracy by step, mean of the seeds and all of them as a band.")


def _svg(ax: Any) -> bytes:
    from parataxis.audit.plot import svg

    return svg(ax).encode()


PARTS = {"lego": lego, "addition": addition, "languages": languages}
