"""The planted suites, copied before they are run; the worker's modules, which are no part of the package."""

import importlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SUITES = Path(__file__).parent / "suites"


@pytest.fixture
def suite(tmp_path: Path) -> Callable:
    """`suite("clean", *options)`: that planted suite, in a folder of its own."""
    from parataxis.methods.flaky_tests.suite import find_suite

    def of(name: str, *options: str):
        folder = tmp_path / "suites" / name
        if not folder.exists():
            shutil.copytree(SUITES / name, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        return find_suite([folder], options)

    return of


@pytest.fixture
def written(tmp_path: Path) -> Callable:
    """`written(test_a="def test(): ...", conftest="...")`: a suite of these files, in a folder of its own."""
    from parataxis.methods.flaky_tests.suite import find_suite

    def of(*options: str, **files: str):
        folder = tmp_path / "written"
        folder.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return find_suite([folder], options)

    return of


@pytest.fixture
def lean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suites' pytest loads no plugin of our own environment: it starts in half the time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """`worker("memory")`: that module of the worker.

    None stays imported: with the worker's plugin there, our own plugin takes a process for a hunt's.
    """
    from parataxis.methods.flaky_tests.session import WORKER

    monkeypatch.syspath_prepend(WORKER)
    yield lambda name: importlib.import_module(f"_parataxis_{name}")
    for name in [name for name in sys.modules if name.startswith("_parataxis_")]:
        del sys.modules[name]
