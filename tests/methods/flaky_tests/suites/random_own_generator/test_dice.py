# Planted: test_throw draws from a generator of its own, seeded by the operating system, and fails with 1/2.
# Right: test_throw is non-order-dependent (randomness). A fork copies the generator: without care every child draws the
# same number and chance goes unseen.
import random

DICE = random.Random()


def test_throw():
    assert DICE.random() < 0.5


def test_bystander():
    assert DICE is not None
