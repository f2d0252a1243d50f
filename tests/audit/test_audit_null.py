"""The error rate and the power that the audit promises, by simulation (`simulate.py`)."""

import json
import subprocess
import sys
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from parataxis.audit.engine import _Candidate


def simulated(*argv):
    command = [sys.executable, Path(__file__).with_name("simulate.py"), *map(str, argv)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("noise", [0.1, 0.5, 0.8])
def test_the_evidence_of_a_pair_is_fair_whatever_the_noise(noise):
    """Over all that five pairs of runs can give when both orders differ at the same rate, it is worth its share."""
    mean = 0.0
    for runs in product([False, True], repeat=10):
        candidate = _Candidate((1, 0), [None], np.array([True]))
        candidate.share = 0.25
        for x, y in zip(runs[::2], runs[1::2], strict=True):
            candidate.add(np.array([x]), np.array([y]), [None])
        mean += float(candidate.evidence[0]) * noise ** sum(runs) * (1 - noise) ** (10 - sum(runs))
    assert mean == pytest.approx(0.25)


def test_noise_alone_is_not_called_a_dependence():
    """The audit stops as soon as it believes, so this is its error rate at all looks, over all orders and items."""
    rows = [row for rate in (0.1, 0.3, 0.5) for row in simulated(140, 100, 6, rate, rate)]
    rows += simulated(60, 100, 6, 0.2, 0.2, "per-item")
    wrong = sum(row["verdict"] == "order-dependent" or bool(row["base"]) for row in rows) / len(rows)
    assert wrong <= 0.05 + 2 * sqrt(0.05 * 0.95 / len(rows))
    assert len(rows) == 480
    assert sum(row["calls"] for row in rows) > 80 * len(rows)  # they went on looking


@pytest.mark.parametrize(
    ("low", "high", "power", "exact"),
    [(0.02, 0.95, 0.95, 0.85), (0.1, 0.9, 0.95, 0.9), (0.2, 0.8, 0.9, 0.9)],  # of 200: 1, 1, 0.98; 0.95, 0.99, 0.98
)
def test_a_planted_pair_is_found_under_noise(low, high, power, exact):
    rows = simulated(50, 1000, 8, low, high)
    found = [row for row in rows if row["verdict"] == "order-dependent"]
    assert len(found) >= power * len(rows)
    assert sum(row["base"] == [2, 5] and row["minimal"] for row in found) >= exact * len(found)


def test_only_the_items_that_depend_are_blamed():
    rows = simulated(30, 600, 6, 0.1, 0.9, "per-item")
    assert sum(2 in row["found"] for row in rows) >= 27
    wrong = [len(set(row["found"]) - {2}) / max(1, len(row["found"])) for row in rows]
    assert sum(wrong) / len(wrong) <= 0.05 + 2 * sqrt(0.05 / 30)
