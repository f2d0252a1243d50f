# Planted: four generators that the suite seeds when it is imported; each is drawn from by one test.
# Right: nothing is flaky. CPython reseeds the global generator in a forked child: without care test_global fails at
# random.
import random

import numpy as np

random.seed(42)
OWN = random.Random(3)
np.random.seed(7)
GENERATOR = np.random.default_rng(7)


def test_global():
    assert random.random() == 0.6394267984578837


def test_own():
    assert OWN.random() == 0.23796462709189137


def test_numpy_global():
    assert round(np.random.random(), 9) == 0.076308289


def test_numpy_generator():
    assert round(GENERATOR.random(), 9) == 0.625095467


def test_bystander():
    assert OWN is not None
