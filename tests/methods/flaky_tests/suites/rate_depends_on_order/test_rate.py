# Planted: test_throw fails with 1/5, after test_load with 4/5.
# Right: test_throw is non-order-dependent by the rules (NDOD: chance, at a rate that the order decides).
import random

LOADED = []
DICE = random.SystemRandom()


def test_throw():
    assert DICE.random() > (0.8 if LOADED else 0.2)


def test_load():
    LOADED.append(True)


def test_bystander():
    assert DICE is not None
