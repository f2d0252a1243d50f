# Planted: test_throw draws from the global generator, which nobody seeds, and fails with 1/2.
# Right: test_throw is non-order-dependent (randomness).
import random


def test_throw():
    assert random.random() < 0.5


def test_bystander():
    assert random.random() < 1
