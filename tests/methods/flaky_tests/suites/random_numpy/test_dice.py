# Planted: test_generator draws from default_rng(), test_global from NumPy's global state; nobody seeds either; both fail
# with 1/2.
# Right: both are non-order-dependent (randomness).
import numpy as np

GENERATOR = np.random.default_rng()


def test_generator():
    assert GENERATOR.random() < 0.5


def test_global():
    assert np.random.random() < 0.5


def test_bystander():
    assert GENERATOR is not None
