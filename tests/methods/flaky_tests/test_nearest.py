"""The first culprit, in real processes, over the planted suites: in a class, of several, behind cleaners, or none."""

import pytest
from hunts import SOME_CLEANERS

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


def test_the_nearest_classes_come_first():
    ids = ["a.py::X::t", "b.py::Y::t", "b.py::t", "b.py::Z::t", "b.py::Z::u"]
    assert _classes(ids, 4) == [(3,), (1,), (2,), (0,)]
