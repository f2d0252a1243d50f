# Planted: test_throw fails with 1/3, after test_load with 2/3.
# Right: test_throw is non-order-dependent by the rules (NDOD: chance, at a rate that the order decides).
import random

LOADED = []
DICE = random.Random()


def test_throw():
    assert DICE.random() > (2 / 3 if LOADED else 1 / 3)


def test_load():
    LOADED.append(True)


def test_bystander():
    assert DICE is not None
