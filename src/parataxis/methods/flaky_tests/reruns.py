"""How many clean runs it takes before "not flaky" may be said.

A test that fails in a share p of runs escapes n of them with probability (1-p)**n; all here follows from that.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from parataxis.audit.statistics import zero_failure_bound
from parataxis.errors import BadInput

FLAKY_SHARE = 0.0086  # 7,571 of 876,186 tests: Gruber et al. 2021
LEAST = 1e-15  # a failure rate below which a float can't tell 1 - p from 1
_TIE = 1e-12  # rounding in a logarithm must not ask for one run more than the formula


def _probability(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise BadInput(f"{name}={value}: expected a number above 0 and below 1")


def _rates(rates: Float[np.ndarray, " test"]) -> None:
    if not len(rates):
        raise BadInput("rates=[]: expected the failure rate of at least one test")
    wrong = rates[~((rates >= LEAST) & (rates <= 1))]
    if len(wrong):
        raise BadInput(f"rates hold {wrong[0]}: expected {LEAST:g} to 1; drop tests that never failed")


def runs_for_rate(rate: float, confidence: float = 0.95) -> int:
    """N(p, c) = ceil(ln(1-c) / ln(1-p)): runs after which a test that fails in a share `rate` of them has failed."""
    _rates(np.array([rate], dtype=float))
    _probability("confidence", confidence)
    return 1 if rate == 1 else max(1, math.ceil(math.log1p(-confidence) / math.log1p(-rate) * (1 - _TIE)))


def rerun_curve(
    runs: int | Int[np.ndarray, " count"], rates: Float[np.ndarray, " test"]
) -> Float[np.ndarray, " count"]:
    """D(n) = mean over tests of 1 - (1-p)**n: the share of the tests with these rates that fails within n runs.

    For one number of runs the result has one element.
    """
    _rates(rates)
    return 1 - np.mean((1 - rates) ** np.atleast_1d(runs)[:, None], axis=1)


def _is_enough(n: int, rates: Float[np.ndarray, " test"], confidence: float) -> bool:
    return bool(np.mean((1 - rates) ** n) <= (1 - confidence) * (1 + _TIE))


def runs_for_share(rates: Float[np.ndarray, " test"], confidence: float = 0.95) -> int:
    """n*(c): the fewest runs within which a share `confidence` of the tests with these rates has failed."""
    _rates(rates)
    _probability("confidence", confidence)
    high = 1
    while not _is_enough(high, rates, confidence):
        high *= 2
    low = high // 2  # not enough, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_enough(middle, rates, confidence) else (middle, high)
    return high


def belief(passes: int, rates: Float[np.ndarray, " test"], prior: float = FLAKY_SHARE) -> float:
    """P(sound | n passes) = (1-pi) / ((1-pi) + pi * mean((1-p)**n)).

    prior: pi, the share of tests that are flaky; rates: failure rates of flaky tests of its sort.
    """
    _probability("prior", prior)
    if passes < 0:
        raise BadInput(f"passes={passes}: expected 0 or more")
    escaped = prior * (1 - rerun_curve(passes, rates)[0])
    return float((1 - prior) / (1 - prior + escaped))


def victim_rate(polluters: int, cleaners: int) -> float:
    """k / (k+m+1): how often a victim of k polluters fails in uniform shuffles, if each of m cleaners undoes them all.

    Of the k+m tests and the start of the suite, the one met first going backwards from the victim decides.
    """
    return polluters / (polluters + cleaners + 1)


def brittle_rate(setters: int) -> float:
    """1 / (s+1): how often a brittle with s state-setters fails in uniform shuffles: when it comes before them all."""
    return 1 / (setters + 1)


@dataclass(frozen=True)
class RunsNeeded:
    """The answer of `runs_needed`; what was not asked, or can't be said from what was given, is None.

    runs: clean runs that are needed in all; further: how many are still to come; mean, median: of N(p) over single
    tests; rate_below: after the passes so far, the failure rate is below this; sound: belief that the test is sound.
    """

    confidence: float
    runs: int | None = None
    further: int | None = None
    mean: float | None = None
    median: float | None = None
    rate_below: float | None = None
    sound: float | None = None

    def __str__(self) -> str:
        percent = f"{100 * self.confidence:g}%"
        lines = []
        if self.runs is not None:
            lines.append(f"{self.runs} clean runs are needed at {percent}, {self.further} more.")
        if self.mean is not None:
            lines.append(f"For single tests: {self.mean:.0f} on average, median {self.median:.0f}.")
        if self.rate_below is not None:
            lines.append(f"At {percent}, it fails in less than {100 * self.rate_below:.3g}% of runs.")
        if self.sound is not None:
            lines.append(f"It is sound with probability {100 * self.sound:.4g}%.")
        return "\n".join(lines)


def runs_needed(
    *,
    p: float | None = None,
    after_passes: int | None = None,
    rates: Float[np.ndarray, " test"] | None = None,
    confidence: float = 0.95,
    prior: float = FLAKY_SHARE,
) -> RunsNeeded:
    """How many clean runs it takes to say "not flaky", or what the passes so far allow to say.

    p: the failure rate to be excluded; rates: measured failure rates of flaky tests, of which a share `confidence` is
    to be caught; after_passes: clean runs so far; prior: share of tests that are flaky. Raises BadInput.
    """
    _probability("confidence", confidence)
    if p is not None and rates is not None:
        raise BadInput(f"p={p} and rates: expected one of the two; a single rate is p, measured rates are rates")
    if p is None and rates is None and after_passes is None:
        raise BadInput("p=None, rates=None, after_passes=None: nothing to answer from; give at least one")
    if after_passes is not None and after_passes < 0:
        raise BadInput(f"after_passes={after_passes}: expected 0 or more")
    if after_passes is not None and after_passes > round(1 / LEAST):
        raise BadInput(f"after_passes: has {len(str(after_passes))} digits; expected at most {1 / LEAST:g}")
    passes = after_passes or 0
    runs = mean = median = rate_below = sound = None
    population = np.array([p], dtype=float) if p is not None else rates
    if population is not None:
        runs = runs_for_share(population, confidence)
        if rates is not None:
            single = [runs_for_rate(rate, confidence) for rate in rates.tolist()]
            mean, median = float(np.mean(single)), float(np.median(single))
        if after_passes is not None:
            sound = belief(passes, population, prior)
    if after_passes:
        rate_below = float(zero_failure_bound(after_passes, 1 - confidence))
    further = None if runs is None else max(0, runs - passes)
    return RunsNeeded(confidence, runs, further, mean, median, rate_below, sound)
