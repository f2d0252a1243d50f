"""Does the order matter to a test that fails at random?

Pearson's chi-square on the failures and passes of each order, without continuity correction. Its approximation does not
hold where an expected count is under 5; there a permutation test takes its place: the runs of a test keep their
outcomes, and which of them belong to which order is shuffled.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from parataxis.audit.statistics import benjamini_hochberg
from parataxis.errors import BadInput

FEWEST_EXPECTED = 5.0
DRAWS = 9_999  # with (b+1) / (m+1), p-values are then multiples of 1/10,000
STATES = 200_000  # more intermediate states than this, and sampling is cheaper than counting


@dataclass(frozen=True)
class OrderTests:
    """For each test: the p-value of "the failure rate is the same in every order", and q over all tests.

    how: `pearson`, `exact` (permutation test, all cases counted) or `sampled` (permutation test, some drawn).
    """

    p: Float[np.ndarray, " test"]
    q: Float[np.ndarray, " test"]
    how: list[str]


def _checked(failures: Int[np.ndarray, "test order"], runs: Int[np.ndarray, "test order"]) -> None:
    wrong = np.argwhere((failures < 0) | (failures > runs))
    if len(wrong):
        test, order = wrong[0]
        given = f"failures={failures[test, order]}, runs={runs[test, order]}"
        raise BadInput(f"test {test}, order {order}: {given}; expected 0 <= failures <= runs")


def _expected(
    failures: Int[np.ndarray, "test order"], runs: Int[np.ndarray, "test order"]
) -> Float[np.ndarray, "2 test order"]:
    """Failures and passes of each order, if all runs of a test failed at one rate."""
    rate = failures.sum(axis=1) / np.maximum(runs.sum(axis=1), 1)
    return np.stack([runs * rate[:, None], runs * (1 - rate[:, None])])


def pearson(
    failures: Int[np.ndarray, "test order"], runs: Int[np.ndarray, "test order"], *, yates: bool = False
) -> Float[np.ndarray, " test"]:
    """The p-value of Pearson's chi-square for each test, whatever the expected counts; an order of 0 runs is no order.

    yates: with exactly two orders, move each count by up to a half towards its expectation. That is what
    `scipy.stats.chi2_contingency` does unless told otherwise, and the p-values of IDoFT's `tso-iso-rates.csv` have it.
    A test that always or never failed, or that has one order, gets 1.
    """
    from scipy.special import chdtrc

    _checked(failures, runs)
    sorting = np.lexsort((failures, runs), axis=1)  # the last digit of a sum must not depend on the order of orders
    failures, runs = np.take_along_axis(failures, sorting, axis=1), np.take_along_axis(runs, sorting, axis=1)
    expected = _expected(failures, runs)
    distance = np.abs(np.stack([failures, runs - failures]) - expected)
    freedom = np.count_nonzero(runs, axis=1) - 1
    if yates:
        distance -= np.minimum(0.5, distance) * (freedom == 1)[:, None]
    terms = np.divide(distance**2, expected, out=np.zeros_like(expected), where=expected > 0)
    return np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), terms.sum(axis=(0, 2))), 1.0)


def _few_expected(
    failures: Int[np.ndarray, "test order"], runs: Int[np.ndarray, "test order"]
) -> Bool[np.ndarray, " test"]:
    expected = np.where(runs > 0, _expected(failures, runs), np.inf)
    return expected.min(axis=(0, 2)) < FEWEST_EXPECTED


def permutation(
    failures: Int[np.ndarray, " order"], runs: Int[np.ndarray, " order"], *, seed: int = 0
) -> tuple[float, str]:
    """The permutation p-value of chi-square for one test, and `exact` or `sampled`.

    Given all its runs, chi-square rises and falls with the sum of failures**2 / runs over the orders, whose law under
    shuffling is counted order by order; where that takes too many states, `DRAWS` shuffles are drawn. The draws depend
    on the seed and the counts alone, not on the place of the test or of an order in the table.
    """
    kept = np.lexsort((failures, runs))
    kept = kept[runs[kept] > 0]
    failures, runs = failures[kept], runs[kept]
    total = int(failures.sum())
    if len(runs) < 2 or total in (0, int(runs.sum())):
        return 1.0, "exact"
    observed = float(np.sum(failures**2 / runs)) * (1 - 1e-9)  # a tie in exact arithmetic is to stay one
    law = _law(total, runs)
    if law is not None:
        statistic, probability = law
        return min(1.0, float(probability[statistic >= observed].sum())), "exact"
    rng = np.random.default_rng([seed, total, *runs.tolist()])
    drawn = rng.multivariate_hypergeometric(runs, total, size=DRAWS, method="marginals")
    return float(1 + np.count_nonzero(np.sum(drawn**2 / runs, axis=1) >= observed)) / (1 + DRAWS), "sampled"


def _law(
    total: int, runs: Int[np.ndarray, " order"]
) -> tuple[Float[np.ndarray, " state"], Float[np.ndarray, " state"]] | None:
    """The values of the statistic when `total` failures fall on any runs alike, with their probabilities."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, runs.sum() + 1)))])

    def log_choose(n: Int[np.ndarray, "..."] | int, k: Int[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return log_factorial[n] - log_factorial[k] - log_factorial[n - k]

    left = np.array([total])  # a state: failures that are left for the orders to come, and the statistic so far
    statistic: Float[np.ndarray, " state"] = np.zeros(1)
    probability: Float[np.ndarray, " state"] = np.ones(1)
    rest = int(runs.sum())
    for n in runs.tolist():
        here = np.arange(min(total, n) + 1)
        if len(left) * len(here) > STATES:
            return None
        state, take = np.nonzero((left[:, None] >= here) & (left[:, None] - here <= rest - n))
        after = left[state] - here[take]
        log = log_choose(n, here[take]) + log_choose(rest - n, after) - log_choose(rest, left[state])
        values = np.round(statistic[state] + here[take] ** 2 / n, 9)
        merged, where = np.unique(after + 1j * values, return_inverse=True)
        probability = np.bincount(where, weights=probability[state] * np.exp(log))
        left, statistic = merged.real.astype(int), merged.imag
        rest -= n
    return statistic, probability


def order_test(
    failures: Int[np.ndarray, "test order"], runs: Int[np.ndarray, "test order"], *, seed: int = 0
) -> OrderTests:
    """Test for each test whether its failure rate depends on the order; Benjamini and Hochberg's q over the tests.

    failures, runs: counts a test and an order; an order that a test was not run in has 0 runs. Raises BadInput.
    """
    p = pearson(failures, runs)
    how = ["pearson"] * len(p)
    for test in np.flatnonzero(_few_expected(failures, runs)):
        p[test], how[test] = permutation(failures[test], runs[test], seed=seed)
    return OrderTests(p, np.asarray(benjamini_hochberg(p), dtype=float), how)


def same_against_shuffled(
    failures: Int[np.ndarray, "test 2"], runs: Int[np.ndarray, "test 2"]
) -> Float[np.ndarray, " test"]:
    """Fisher's exact test, two-sided, for each test: failures in file order against failures in shuffled orders."""
    from scipy.stats import fisher_exact

    _checked(failures, runs)
    tables, place = np.unique(np.hstack([failures, runs - failures]), axis=0, return_inverse=True)
    p = np.array([fisher_exact(table.reshape(2, 2)).pvalue for table in tables])
    return p[place.reshape(-1)]
