"""What every test gets: a guard against leaked state, and a planted method."""

import gc
import importlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest

# Set by pytest; by joblib and by scikit-learn, once, when they are imported.
PASSING = ("PYTEST_CURRENT_TEST", "KMP_INIT_AT_FORK", "KMP_DUPLICATE_LIB_OK")
FINDERS = ("tlz", "importlib_metadata")  # theirs come with Dask, which xarray imports where it is installed

# How long a slow machine takes says nothing of the code: no deadline, and no complaint that examples come slowly.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("ours")


def pytest_addoption(parser):
    parser.addoption("--write-snapshots", action="store_true", help="keep what commands print now as what they should")


def pytest_configure(config):
    """What jax has compiled is compiled once for all processes of these tests: it is most of their time."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="compiled-")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def pytest_sessionstart():
    """With the first module of ours, jaxtyping's hook imports jax, which sets variables: before tests are watched."""
    importlib.import_module("parataxis.errors")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that draws from NumPy's global generator changes what the tests after it draw.

    Python's own can't be watched here: beartype draws from it to pick the items that it checks.
    """
    before = _global_generator()
    result = yield
    if _global_generator() != before:
        pytest.fail("the test left NumPy's global random generator in another state", pytrace=False)
    return result


def _global_generator() -> tuple[Any, ...]:
    name, words, *rest = np.random.get_state()  # noqa: NPY002
    return name, words.tobytes(), *rest


@pytest.fixture(autouse=True)
def _untouched_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests share in this process is as it was, once every other fixture has cleaned up."""
    before, modules = _shared(), dict(sys.modules)
    yield
    _end_workers()
    after = _shared()
    changed = [f"{name}: {_told(was, after[name])}" for name, was in before.items() if after[name] != was]
    assert not changed, f"the test left another {'; another '.join(changed)}"
    made = str(tmp_path_factory.getbasetemp())
    other = [name for name, module in modules.items() if sys.modules.get(name) is not module]
    other += [name for name in sys.modules.keys() - modules.keys() if _is_planted(name, made)]
    assert not other, f"the test left other modules: {', '.join(sorted(other))}"


def _shared() -> dict[str, Any]:
    """What is cheap to read of all that a test may change for those after it."""
    root = logging.getLogger()
    # pytest's own handlers come and go with the phases of a test
    handlers = [each for each in root.handlers if not type(each).__module__.startswith("_pytest.")]
    shared = {
        "current folder": os.getcwd(),
        "environment": {name: value for name, value in os.environ.items() if name not in PASSING},
        "sys.path": list(sys.path),
        "sys.meta_path": [each for each in sys.meta_path if type(each).__module__.split(".")[0] not in FINDERS],
        "folder for temporary files": tempfile.gettempdir(),
        "handling of signals": {each: signal.getsignal(each) for each in signal.valid_signals()},
        "logging": (root.level, root.manager.disable, handlers),
        "recursion limit": sys.getrecursionlimit(),
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "default timeout of sockets": socket.getdefaulttimeout(),
        "NumPy": (np.geterr(), np.get_printoptions()),
    }
    if matplotlib := sys.modules.get("matplotlib"):
        shared["settings of matplotlib"] = dict(matplotlib.rcParams)
    return shared


def _told(before: Any, after: Any) -> str:
    if isinstance(before, dict):
        return ", ".join(str(name) for name in {**before, **after} if before.get(name) != after.get(name))
    return f"{after} instead of {before}"


def _is_planted(name: str, made: str) -> bool:
    """The worker's, with which our own plugin takes a process for a hunt's; or from a folder that is a test's own."""
    file = getattr(sys.modules[name], "__file__", None)
    return name.startswith("_parataxis_") or (isinstance(file, str) and file.startswith(made))


def _end_workers() -> None:
    """joblib keeps its processes for whoever asks next, with the environment and folder of the test that began them."""
    pool = sys.modules.get("joblib.externals.loky.reusable_executor")
    if pool is not None and pool._executor is not None:
        pool._executor.shutdown(wait=True, kill_workers=True)
        pool._executor = None


@pytest.fixture
def planted(tmp_path):
    """A complete small method in a folder of its own; see planted.py."""
    from planted import plant

    return plant(tmp_path / "methods")
