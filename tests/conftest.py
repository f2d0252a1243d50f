"""What every test gets: a guard against leaked state, and a planted method."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

PASSING = ("PYTEST_CURRENT_TEST", "KMP_INIT_AT_FORK")  # set by pytest; by joblib, once, when it is imported


def pytest_addoption(parser):
    parser.addoption("--write-snapshots", action="store_true", help="keep what commands print now as what they should")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that draws from NumPy's global generator changes what the tests after it draw.

    Python's own can't be watched here: beartype draws from it to pick the items that it checks.
    """
    before = repr(np.random.get_state())  # noqa: NPY002
    result = yield
    if repr(np.random.get_state()) != before:  # noqa: NPY002
        pytest.fail("the test left NumPy's global random generator in another state", pytrace=False)
    return result


@pytest.fixture(autouse=True)
def _untouched_process() -> Iterator[None]:
    """cwd and environment are as they were, once every other fixture has cleaned up."""
    folder, before = os.getcwd(), _environment()
    yield
    changed = {name for name, _ in before.items() ^ _environment().items()}
    assert os.getcwd() == folder, "the test left another current folder"
    assert not changed, f"the test left another environment: {', '.join(sorted(changed))}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in PASSING}


@pytest.fixture
def planted(tmp_path):
    """A complete small method in a folder of its own; see planted.py."""
    from planted import plant

    return plant(tmp_path / "methods")
