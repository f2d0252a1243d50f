"""What the tests share that compile."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _quickly_compiled(tmp_path_factory):
    """Most of the time is the compiler's: let it do less, and nothing twice."""
    import jax
    import optax  # noqa: F401  (absl, which it imports, leaves a finder of modules: before tests are watched)

    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
