"""The hazard ratio of two arms: Cox's partial likelihood with one covariate of 0 and 1, ties after Efron."""

import math

import numpy as np
from jaxtyping import Float, Shaped

from parataxis.errors import BadInput

ENDLESS = 20.0  # a log hazard ratio that is on its way to infinity
STEPS = 50  # of Newton; three to six are needed


def log_hazard_ratio(
    time: Shaped[np.ndarray, " patient"], event: Shaped[np.ndarray, " patient"], arm: Shaped[np.ndarray, " patient"]
) -> tuple[float, float]:
    """The log hazard ratio of arm 1 against arm 0, and its standard error.

    BadInput where there is none: an arm without events, or arms that the events part wholly.
    """
    time, event, arm = np.asarray(time, float), np.asarray(event, bool), np.asarray(arm, bool)
    for name, chosen in (("0", ~arm), ("1", arm)):
        if not (chosen & event).any():
            raise BadInput(f"arm {name}: {chosen.sum()} patients, no event: expected events in both arms")
    at_risk, ones = _risk_sets(time, event, arm)
    value = 0.0
    for _ in range(STEPS):
        share = ones * math.exp(value) / (at_risk - ones + ones * math.exp(value))
        information = float((share * (1 - share)).sum())
        step = ((arm & event).sum() - share.sum()) / information
        value += float(np.clip(step, -1, 1))
        if abs(step) < 1e-12:
            break
        if abs(value) > ENDLESS:
            raise BadInput("the hazard ratio has no end: the events part the arms wholly")
    return value, 1 / math.sqrt(information)


def _risk_sets(
    time: np.ndarray, event: np.ndarray, arm: np.ndarray
) -> tuple[Float[np.ndarray, " event"], Float[np.ndarray, " event"]]:
    """For each event how many are at risk, and of arm 1; of d tied ones the l-th finds l/d of all d gone."""
    when, place, tied = np.unique(time[event], return_inverse=True, return_counts=True)
    tied_ones = np.bincount(place, weights=arm[event], minlength=len(when))
    sets = [(np.sort(time), tied), (np.sort(time[arm]), tied_ones)]
    which = np.repeat(np.arange(len(when)), tied)
    gone = (np.arange(len(which)) - np.repeat(np.cumsum(tied) - tied, tied)) / tied[which]
    total, ones = (
        (len(each) - np.searchsorted(each, when, side="left"))[which] - gone * deaths[which] for each, deaths in sets
    )
    return total, ones
