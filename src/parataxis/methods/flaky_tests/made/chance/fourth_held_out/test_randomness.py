# Planted: draws that are not pinned, and expectations that do not hold for each of them.
import os
import random
import uuid

import numpy as np


def test_sample_is_representative():
    ages = random.sample(range(18, 90), 12)
    assert 45 < sum(ages) / len(ages) < 63


def test_no_outlier_is_flagged():
    noise = np.random.default_rng().normal(size=60)
    assert np.abs(noise).max() < 2.6


def test_identifier_is_a_name():
    assert uuid.uuid4().hex[0].isalpha()


def minimise(function, tries):
    return min(function(random.uniform(-1, 1)) for _ in range(tries))


def test_search_comes_close():
    assert minimise(lambda x: x * x, tries=20) < 0.002


def test_nonce_is_printable_without_escapes():
    nonce = os.urandom(8)
    assert b"\\" not in nonce
    assert all(byte > 20 for byte in nonce)
