"""What the tests share that compile."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled():
    """Most of the time is the compiler's: let it do less. Other tests get all that it can do."""
    import jax
    import optax  # noqa: F401  (absl, which it imports, leaves a finder of modules: before tests are watched)

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()  # of what was compiled so
