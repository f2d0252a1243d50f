"""The common checks over every method of the registry. What a method is known to fail is in its paper.toml."""

import importlib
from pathlib import Path

import pytest
from cases import Case
from checks import CHECKS

from parataxis.studies.registry import load_study, methods

HERE = Path(__file__).parent
METHODS = methods()
for each in METHODS.values():
    load_study(each)  # some libraries change a process when they are imported: before any test


def cases():
    for method in METHODS.values():
        known = {each.test: each for each in method.paper.known_failures}
        for check in CHECKS:
            failure = known.get(check.__name__)
            reason = f"{failure.reason} ({failure.issue})" if failure else ""
            marks = [pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)] if failure else []
            yield pytest.param(method, check, marks=marks, id=f"{method.name}-{check.__name__}")


@pytest.mark.parametrize(("method", "check"), list(cases()))
def test_every_method(method, check, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a suite's pytest then starts in half the time
    common = HERE / method.folder.name / "common.py"
    check(Case(method, common, (), HERE.parent.parent, tmp_path))


def test_there_are_sixteen_checks_and_a_method():
    assert [check.__name__[6:8] for check in CHECKS] == [f"{k:02}" for k in range(1, 17)]
    assert METHODS


@pytest.mark.parametrize("name", list(METHODS))
def test_what_a_method_exports_is_no_module_of_it(name):
    """Once imported, a module is an attribute of its package: it would stand in the place of what has its name."""
    package = importlib.import_module(f"parataxis.methods.{METHODS[name].folder.name}")
    assert not {*package.__all__} & {path.stem for path in METHODS[name].folder.iterdir()}


@pytest.mark.parametrize("name", list(METHODS))
def test_known_failures_name_a_check(name):
    known = {each.test for each in METHODS[name].paper.known_failures}
    assert known <= {check.__name__ for check in CHECKS}
