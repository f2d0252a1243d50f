"""Sines and cosines taken side by side, against NumPy's in double precision."""

import jax
import numpy as np
import pytest

from parataxis.methods.phi_rom import waves

EXACT = {"sin": (waves.sin, np.sin, np.cos), "cos": (waves.cos, np.cos, lambda x: -np.sin(x))}


@pytest.mark.parametrize("name", EXACT)
def test_they_and_their_slopes_miss_by_a_rounding(name):
    found, exact, slope = EXACT[name]
    x = np.concatenate([np.linspace(-20, 20, 4001), np.linspace(-1e4, 1e4, 1001)]).astype(np.float32)
    value, gradient = jax.jit(jax.vmap(jax.value_and_grad(found)))(x)
    np.testing.assert_allclose(value, exact(x.astype(np.float64)), atol=1.2e-7, rtol=0)
    np.testing.assert_allclose(gradient, slope(x.astype(np.float64)), atol=1.2e-7, rtol=0)


@pytest.mark.parametrize("name", EXACT)
def test_what_has_no_phase_stays_bounded_and_what_is_not_finite_is_told(name):
    found = np.asarray(jax.jit(EXACT[name][0])(np.array([1e7, -3e12, 1e38, np.inf, np.nan], np.float32)))
    assert (np.abs(found[:3]) <= 1).all()
    assert np.isnan(found[3:]).all()
