"""The planted suites, copied before they are run; the worker's modules, which are no part of the package."""

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hatchery import hatched
from hunts import LEAN, copy_suites, open_lab


@pytest.fixture(autouse=True)
def lean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEAN.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def forks() -> Iterator[None]:
    """Sessions begin as forks of one process; see hatchery.py."""
    with hatched():
        yield


@pytest.fixture
def own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session starts an interpreter of its own, as it does for a user."""
    monkeypatch.setattr("hatchery.FORKS", False)


@pytest.fixture(autouse=True)
def _untouched_protocols() -> Iterator[None]:
    from parataxis.methods.flaky_tests.protocol import PROTOCOLS

    before = dict(PROTOCOLS)
    yield
    assert before == PROTOCOLS, "the test left other protocols"


@pytest.fixture
def suite(tmp_path: Path) -> Callable:
    """`suite("clean", *options)`: that planted suite, in a folder of its own."""
    from parataxis.methods.flaky_tests.suite import find_suite

    def of(name: str, *options: str):
        folder = tmp_path / "suites" / name
        if not folder.exists():
            copy_suites(folder, name)
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
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """`worker("memory")`: that module of the worker.

    None stays imported: with the worker's plugin there, our own plugin takes a process for a hunt's. If this is one,
    that hunt's own come back.
    """
    from parataxis.methods.flaky_tests.session import WORKER

    ours = {name: module for name, module in sys.modules.items() if name.startswith("_parataxis_")}
    for name in ours:
        del sys.modules[name]
    monkeypatch.syspath_prepend(WORKER)
    yield lambda name: importlib.import_module(f"_parataxis_{name}")
    for name in [name for name in sys.modules if name.startswith("_parataxis_")]:
        del sys.modules[name]
    sys.modules.update(ours)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """`lab("clean", *node_ids)`: a lab on a copy of that planted suite, the same for all who ask."""
    labs: dict[tuple[str, ...], Any] = {}

    def lab(*names: str):
        if names not in labs:
            labs[names] = open_lab(copy_suites(tmp_path_factory.mktemp("labs") / names[0], names[0]), names[1:])
        return labs[names]

    yield lab
    for each in labs.values():
        each.__exit__(None, None, None)


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fresh interpreter is not what the test is about, a fork answers in its place."""
    from parataxis.methods.flaky_tests.lab import Lab

    last = Lab.last
    monkeypatch.setattr(Lab, "last", lambda lab, orders, fresh=False: last(lab, orders))
