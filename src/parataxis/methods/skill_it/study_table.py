"""The claims about published runs: how a graph that is fitted to a table foretells other runs; and two by hand."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.methods.skill_it.controller import SkillIt
from parataxis.methods.skill_it.graph import SkillGraph
from parataxis.methods.skill_it.regmix import SETS, foretold, intervals

CLAIMS = ("runs-foretold", "runs-foretold-resampled", "runs-foretold-larger", "split-mass", "unit-of-loss")


def measure(runs: Mapping[str, Any], real: bool, rng: np.random.Generator) -> Iterator[Measurement | Table]:
    train, test = runs["train"], runs["1m"]
    data = "RegMix, 1M" if real else "made runs"
    found = foretold(train, test)
    least = str(found.idxmin())
    shuffled = (train[0].sample(frac=1, random_state=int(rng.integers(2**31))).set_axis(train[0].index), train[1])
    null = float(foretold(shuffled, test).min())
    note = f"the least of {len(found)} domains, {least}; n is the runs foretold"
    value = float(found.min())
    yield Measurement("runs-foretold", value, value, value, len(test[0]), real=real, data=data, null=null, note=note)
    spread = intervals(train, test, rng, 500 if real else 20)
    lowest = str(spread["low"].idxmin())
    value, low, high = (float(each) for each in spread.loc[lowest].to_numpy())
    note = f"the domain whose interval reaches lowest, {lowest}"
    yield Measurement("runs-foretold-resampled", value, low, high, len(test[0]), real=real, data=data, note=note)
    larger = {size: foretold(train, runs[size]) for size in SETS}
    value = float(larger["1B"].min())
    note = "; ".join(
        f"{size}: {each.min():.2f} to {each.max():.2f}, mean {each.mean():.2f}" for size, each in larger.items()
    )
    yield Measurement(
        "runs-foretold-larger", value, value, value, len(runs["1B"][0]), real=real, data="RegMix, 1B", note=note
    )
    rows = [[name, *(float(round(larger[size][name], 3)) for size in SETS)] for name in found.index]
    yield Table(
        "runs",
        ["domain", *(f"{size}: {len(runs[size][0])} runs" for size in SETS)],
        rows,
        f"Rank correlation of foretold and measured losses; the graph is of {len(train[0])} runs of 1M parameters.",
    )
    yield _by_hand("split-mass", split_mass(), "one skill of two, split into identical halves")
    yield _by_hand("unit-of-loss", unit_of_loss(), "losses in bits in place of nats, identity, losses 1 and 2 nats")


def _by_hand(claim: str, value: float, data: str) -> Measurement:
    return Measurement(claim, value, value, value, 1, real=False, data=data)


def split_mass() -> float:
    """The odds of a skill against the other, when it is split into halves that are like it, over those when whole."""
    losses = {"a": 1.0, "b": 1.0}
    whole = SkillIt(SkillGraph(np.eye(2), ("a", "b"), ("a", "b"))).update(losses)
    halves = SkillGraph(np.array([[1.0, 0], [1, 0], [0, 1]]), ("a1", "a2", "b"), ("a", "b"))
    split = SkillIt(halves).update(losses)
    return ((split["a1"] + split["a2"]) / split["b"]) / (whole["a"] / whole["b"])


def unit_of_loss() -> float:
    """How much a weight changes when losses are given in bits."""
    graph = SkillGraph(np.eye(2), ("a", "b"), ("a", "b"))
    nats, bits = (SkillIt(graph).update({"a": unit, "b": 2 * unit}) for unit in (1.0, 1 / np.log(2)))
    return bits["b"] - nats["b"]
