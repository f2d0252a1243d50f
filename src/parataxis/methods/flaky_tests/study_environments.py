"""What depends on the environment of an iteration, and what only seems to: a made suite, hunted in as any other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.claims import Measurement
from parataxis.methods.flaky_tests.classes import Kind, classify
from parataxis.methods.flaky_tests.hunting import hunt
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING, Run
from parataxis.methods.flaky_tests.study_inputs import Inputs, suites_in

CLAIMS = ("environment-infrastructure", "hash-order-chance")
ENVIRONMENT, HASH = "test_environment.py", "test_hash.py"
HUNTS = {"quick": 1, "full": 4}
DEALS = 20  # of the runs among the iterations; the null is the mean


@dataclass(frozen=True)
class Hunted:
    """What a hunt said of each test, and its runs; rules on runs pass over those with a pinned hash seed."""

    ids: list[str]
    kinds: list[Kind]
    runs: list[Run]

    def of(self, file: str) -> list[int]:
        return [test for test, nodeid in enumerate(self.ids) if nodeid.startswith(file)]

    def varies(self, test: int) -> bool:
        ends = {run.outcomes[test] for run in self.runs if run.kind == "same"}
        return bool(ends & {*PASSING}) and bool(ends & {*FAILING})

    def by_the_paper(self) -> list[Kind]:
        return classify(self.runs, len(self.ids), "paper")

    def dealt_anew(self, chance: np.random.Generator) -> list[Kind]:
        """The classes if the runs are dealt out to the iterations anew."""
        iterations = chance.permutation([run.iteration for run in self.runs]).tolist()
        dealt = [replace(run, iteration=iteration) for run, iteration in zip(self.runs, iterations, strict=True)]
        return classify(dealt, len(self.ids))


def measure(inputs: Inputs, ctx: Any) -> Iterator[Measurement]:
    hunts = [made_hunt()] if ctx.scale == "toy" else list(_hunts(ctx))
    chance = ctx.rng("iterations")
    right, null = list[bool](), list[bool]()
    for each in hunts:
        tests = each.of(ENVIRONMENT)
        right += [each.kinds[test] is Kind.INFRA for test in tests]
        for _ in range(DEALS):
            dealt = each.dealt_anew(chance)
            null += [dealt[test] is Kind.INFRA for test in tests]
    yield _share(CLAIMS[0], right, null)

    right, null = [], []
    for each in hunts:
        tests = [test for test in each.of(HASH) if each.varies(test)]
        right += [each.kinds[test] is Kind.NOD for test in tests]
        null += [each.by_the_paper()[test] is Kind.NOD for test in tests]
    yield _share(CLAIMS[1], right, null)


def _share(claim: str, right: Sequence[bool], null: Sequence[bool]) -> Measurement:
    """Of made tests, whose outcomes nothing but the seed decides: the interval is a point."""
    value = float(np.mean(right))
    return Measurement(claim, value, value, value, len(right), null=float(np.mean(null)), real=False)


def _hunts(ctx: Any) -> Iterator[Hunted]:
    for number in ctx.progress(range(HUNTS.get(ctx.scale, HUNTS["full"])), "environments"):
        seed = int(ctx.rng("environments", number).integers(2**32))
        with suites_in(ctx.work, "environments") as folder:
            report = hunt([folder], seed=seed, jobs=ctx.jobs, out=ctx.work / "hunt")
        yield Hunted(report.head.ids, [each.kind for each in report.findings], report.runs)


def made_hunt() -> Hunted:
    """For the toy: a test of each sort in four environments, three times in each, told apart by the hash seed."""
    ids = [f"{ENVIRONMENT}::test_left", f"{HASH}::test_set"]
    ends = [".F", "FF", "F.", "FF"]
    runs = [Run(iteration, "same", index, (0, 1), end) for iteration, end in enumerate(ends) for index in range(3)]
    return Hunted(ids, [Kind.INFRA, Kind.NOD], runs)
