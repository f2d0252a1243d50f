"""Exact intervals, tests that may be looked at after every run, and error rates over many of them.

Nothing here is approximate in n. "At every look" is over all numbers of runs at once: one may stop whenever one likes.
"""

from math import log, log1p

import numpy as np
import scipy  # and scipy.special, which takes a quarter of a second, with the first interval
from jaxtyping import Float, Int

from parataxis.errors import BadInput

HALVINGS = 60  # of an interval within [0, 1]: to the last bit of a double


def clopper_pearson(
    k: int | Int[np.ndarray, "..."], n: int | Int[np.ndarray, "..."], alpha: float = 0.05
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """The exact two-sided interval of a rate of which k in n were seen, elementwise; n = 0 gives [0, 1].

    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934.
    """
    k, n = _counted(k, n, alpha)
    low = np.where(k > 0, scipy.special.betaincinv(np.maximum(k, 1), n - k + 1, alpha / 2), 0.0)
    high = np.where(k < n, scipy.special.betaincinv(k + 1, np.maximum(n - k, 1), 1 - alpha / 2), 1.0)
    return low, high


def student(values: Float[np.ndarray, " repeat"], alpha: float = 0.05) -> tuple[float, float, float]:
    """A mean with Student's two-sided interval; of one value the interval is that value."""
    n, mean = len(values), float(values.mean())
    if n == 1:
        return mean, mean, mean
    half = float(scipy.special.stdtrit(n - 1, 1 - alpha / 2) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def zero_failure_bound(n: int | Int[np.ndarray, "..."], alpha: float = 0.05) -> Float[np.ndarray, "..."]:
    """The one-sided upper limit 1 - alpha**(1/n) of a rate of which none in n was seen; 1 for n = 0.

    Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983, make it 3/n.
    """
    _, n = _counted(0, n, alpha)
    return np.where(n > 0, -np.expm1(np.log(alpha) / np.maximum(n, 1)), 1.0)


def benjamini_hochberg(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """q, the lowest false discovery rate at which each test is rejected.

    Benjamini and Hochberg, "Controlling the false discovery rate", J. Royal Statistical Society B 57, 1995.
    """
    falling = np.argsort(-p)
    q = np.empty(len(p))
    q[falling] = np.minimum.accumulate(p[falling] * len(p) / np.arange(len(p), 0, -1))
    return np.minimum(q, 1.0)


def e_benjamini_hochberg(e: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """q from e-values: the false discovery rate is held however the tests depend on one another, at every look.

    Wang and Ramdas, "False discovery rate control with e-values", J. Royal Statistical Society B 84, 2022: BH on 1/e.
    """
    return benjamini_hochberg(1 / np.maximum(e, 1.0))


def log_coin_evidence(
    heads: int | Int[np.ndarray, "..."], tosses: int | Int[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """log E, the evidence against a fair coin; P(E >= 1/alpha at any look) <= alpha if the coin is fair.

    Here a toss is a discordant pair: of two runs, one in the base order and one in another, only one differs from the
    reference outcome. If the order does not matter, either is as likely to be that one.

    E is the wealth of a gambler who starts with 1 and bets at even odds by the Krichevsky-Trofimov rule, that is, the
    likelihood averaged over Beta(1/2, 1/2), against 2**-tosses. Ville's inequality bounds it. Krichevsky and
    Trofimov, "The performance of universal encoding", IEEE Trans. Information Theory 27, 1981; Shafer, "Testing by
    betting", J. Royal Statistical Society A 184, 2021.
    """
    heads, tosses = np.asarray(heads), np.asarray(tosses)
    return np.asarray(scipy.special.betaln(heads + 0.5, tosses - heads + 0.5) - np.log(np.pi) + tosses * np.log(2))


def confidence_sequence(k: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """An interval of a rate of which k in n were seen: all intervals, after 1, 2, ... runs, hold it with 1 - alpha.

    The rates p whose likelihood is above alpha times its average over a uniform prior: Robbins, "Statistical methods
    related to the law of the iterated logarithm", Annals of Mathematical Statistics 41, 1970.
    """
    _counted(k, n, alpha)
    if n == 0:
        return 0.0, 1.0
    least = scipy.special.betaln(k + 1, n - k + 1) + np.log(alpha)
    return _crossing(k, n, least, 0.0), _crossing(k, n, least, 1.0)


def _crossing(k: int, n: int, least: float, end: float) -> float:
    """Where the log-likelihood, going from k / n to `end`, falls to `least`; the result is on the side of `end`."""
    inside, outside = k / n, end

    def log_likelihood(rate: float) -> float:
        return (k * log(rate) if k else 0.0) + ((n - k) * log1p(-rate) if k < n else 0.0)

    if (k == 0 and end == 0) or (k == n and end == 1):
        return end
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if log_likelihood(middle) > least:
            inside = middle
        else:
            outside = middle
    return float(outside)


def _counted(
    k: int | Int[np.ndarray, "..."], n: int | Int[np.ndarray, "..."], alpha: float
) -> tuple[Int[np.ndarray, "..."], Int[np.ndarray, "..."]]:
    k, n = np.asarray(k), np.asarray(n)
    if not 0 < alpha < 1:
        raise BadInput(f"alpha={alpha}: expected a number above 0 and below 1")
    if np.any((k < 0) | (k > n)):
        raise BadInput(f"k={k}, n={n}: expected 0 <= k <= n")
    return k, n
