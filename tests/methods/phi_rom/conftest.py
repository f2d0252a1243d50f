"""What the tests share that compile."""

import pytest


@pytest.fixture(autouse=True, scope="package")
def _quickly_compiled(tmp_path_factory):
    """Most of the time is the compiler's: let it do less, and nothing twice. Other tests get all that it can do."""
    import jax
    import optax  # noqa: F401  (absl, which it imports, leaves a finder of modules: before tests are watched)
    from jax.experimental.compilation_cache import compilation_cache

    quick = {
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    before = {name: jax.config.values[name] for name in quick}
    for name, value in quick.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    jax.clear_caches()  # of what was compiled so
