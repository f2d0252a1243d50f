"""From outcomes to causes: not flaky, non-order-dependent, order-dependent, infrastructure.

Gruber, Lukasczyk, Kroiß, Fraser, "An Empirical Study of Flaky Tests in Python", ICST 2021, arXiv:2101.09077; the rules
as its tool FlaPy applies them (`PassedFailed.to_tests_overview`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from parataxis.methods.flaky_tests.outcomes import BITS, VERDICTS, Run, outcome_bits

Rules = Literal["paper", "default"]
SHUFFLED = ("random", "reverse", "tuscan")  # every other kind than these, `same` and `replay` is diagnosis

_FLAKY = np.array([verdict == "Flaky" for verdict in VERDICTS])


class Kind(Enum):
    """Why a test is flaky, as far as runs alone can tell."""

    NOT_FLAKY = "not flaky"
    NOD = "non-order-dependent"
    OD = "order-dependent"
    INFRA = "infrastructure"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Kind.NOT_FLAKY: "It came out the same in every run.",
    Kind.NOD: "It passed and failed in one order of one environment: chance decides, not the order.",
    Kind.OD: "Its outcome depends on which tests ran before it.",
    Kind.INFRA: "It was constant within each environment and differed between them.",
}


def paper_class(iterations: Iterable[tuple[str, str]]) -> Kind:
    """The class of one test by the paper's three rules, which are tried in this order:

    1. non-order-dependent, if the same-order runs of one iteration disagree;
    2. order-dependent, if the shuffled runs of one iteration disagree;
    3. infrastructure, if the same-order runs, or the shuffled runs, disagree between iterations.

    iterations: for each, the outcomes in file order and the outcomes in shuffled order, a character a run. A test that
    passes in all file-order runs and fails in all shuffles is not flaky by these rules.
    """
    masks = [[_union(outcomes) for outcomes in pair] for pair in iterations]
    sets = np.array(masks, dtype=np.uint8).reshape(len(masks), 2, 1)
    return _decide(sets[:, 0], sets[:, 1])[0]


def _union(outcomes: str) -> int:
    seen = 0
    for outcome in outcomes:
        seen |= BITS[outcome]
    return seen


def _flaky(sets: UInt8[np.ndarray, "group test"]) -> Bool[np.ndarray, " test"]:
    """Whether any of the groups of runs holds a pass and a failure."""
    return _FLAKY[sets].any(axis=0)


def _decide(
    same: UInt8[np.ndarray, "iteration test"],
    shuffled: UInt8[np.ndarray, "iteration test"],
    repeats: UInt8[np.ndarray, "group test"] | None = None,
) -> list[Kind]:
    """The rules on sets of outcomes; `repeats`, the runs of one and the same order, brings in the default protocol."""
    chance, order = _flaky(same), _flaky(shuffled)
    if repeats is not None:
        chance = chance | _flaky(repeats)
        order = order | _flaky(same | shuffled)
    between = _flaky(np.bitwise_or.reduce(same, axis=0)[None]) | _flaky(np.bitwise_or.reduce(shuffled, axis=0)[None])
    kinds = np.select([chance, order, between], [1, 2, 3], 0)
    return [(Kind.NOT_FLAKY, Kind.NOD, Kind.OD, Kind.INFRA)[kind] for kind in kinds]


def classify(runs: Sequence[Run], n_tests: int, rules: Rules = "default") -> list[Kind]:
    """The class of each of `n_tests` tests. The order in which the runs are given changes nothing.

    paper: the paper's rules on all `same` runs and all random, reverse and Tuscan orders, single runs without replays.
    default: as well, a test is non-order-dependent if repeats of one shuffled order in one iteration disagree, and
    order-dependent if, within one iteration, file order always gives one outcome and shuffles always the other. A
    replay counts with the order that it repeats. Runs of any other kind are diagnosis and are left out.
    """
    same: dict[int, UInt8[np.ndarray, " test"]] = defaultdict(lambda: np.zeros(n_tests, np.uint8))
    shuffled: dict[int, UInt8[np.ndarray, " test"]] = defaultdict(lambda: np.zeros(n_tests, np.uint8))
    repeats: dict[tuple[int, str], UInt8[np.ndarray, " test"]] = defaultdict(lambda: np.zeros(n_tests, np.uint8))
    for run in runs:
        name = run.of if run.kind == "replay" and run.of and rules == "default" else run.name
        kind = name.partition("/")[0]
        if kind != "same" and kind not in SHUFFLED:
            continue
        bits = outcome_bits(run.outcomes)
        assert len(bits) == n_tests, f"{run.name}: {len(bits)} outcomes for {n_tests} tests"
        (same if kind == "same" else shuffled)[run.iteration] |= bits
        repeats[run.iteration, name] |= bits
    iterations = same.keys() | shuffled.keys()
    if not iterations:
        return [Kind.NOT_FLAKY] * n_tests
    groups = np.stack(list(repeats.values())) if rules == "default" else None
    return _decide(np.stack([same[i] for i in iterations]), np.stack([shuffled[i] for i in iterations]), groups)
