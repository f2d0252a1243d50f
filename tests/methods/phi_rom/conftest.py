"""What the tests share that compile."""

import pytest


@pytest.fixture(scope="session")
def _compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled(_compiled):
    """Most of the time is the compiler's: let it do less, and nothing twice. Other tests get all that it can do."""
    import jax
    import optax  # noqa: F401  (absl, which it imports, leaves a finder of modules: before tests are watched)
    from jax.experimental.compilation_cache import compilation_cache

    quick = {
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": str(_compiled),
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
