"""The first culprit, in real processes, over the planted suites: in a class, of several, behind cleaners, or none."""

import pytest
from hunts import SOME_CLEANERS, leaves_elsewhere, open_lab

from parataxis.methods.flaky_tests.diagnosis import Dependence
from parataxis.methods.flaky_tests.nearest import _classes, nearest_culprit


@pytest.mark.parametrize(
    ("name", "test", "kind", "tests", "most"),
    [
        ("victim_and_polluter", "test_price", Dependence.VICTIM, ["test_switch"], 40),
        ("brittle_and_setter", "test_query", Dependence.BRITTLE, ["test_connect"], 40),
        ("joint_polluters", "test_is_sound", Dependence.VICTIM, ["test_open", "test_write"], 60),
        ("many_cleaners", "test_victim[1]", Dependence.VICTIM, ["test_pollute"], 40),  # shown by a pair alone
        ("not_idempotent", "", Dependence.REPEAT, ["test_once"], 40),
    ],
)
def test_the_nearest_culprit_is_found_in_few_orders(lab, warm, name, test, kind, tests, most):
    lab = lab(name, *(SOME_CLEANERS if name == "many_cleaners" else []))
    place = next(place for place, nodeid in enumerate(lab.head.ids) if nodeid.endswith(f"::{test}") or not test)
    found = nearest_culprit(lab, place)
    assert found.kind == kind
    assert [each.rpartition("::")[2] for chain in found.chains for each in chain.tests] == tests
    assert found.forks <= most


def test_one_that_a_fresh_interpreter_confirms_comes_before_one_that_it_does_not(forks, tmp_path):
    """The first that is tried alone is blamed for what an order of all has left in the folder."""
    file = leaves_elsewhere(tmp_path) / "test_left.py"
    file.write_text(file.read_text().replace("def test_write", "def test_first():\n    pass\n\n\ndef test_write"))
    with open_lab(file.parent, ()) as lab:
        found = nearest_culprit(lab, 0)
    assert [chain.tests for chain in found.chains] == [("test_left.py::test_write",)]
    assert ["after test_left.py::test_first: with the whole" in note for note in found.notes] == [True]


def test_the_nearest_classes_come_first():
    ids = ["a.py::X::t", "b.py::Y::t", "b.py::t", "b.py::Z::t", "b.py::Z::u"]
    assert _classes(ids, 4) == [(3,), (1,), (2,), (0,)]
