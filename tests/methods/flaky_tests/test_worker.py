import ast
import random
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def match(worker):
    return worker("pytest").match


def test_the_worker_needs_the_standard_library_and_pytest_only(worker):
    folder = Path(worker("memory").__file__).parent
    allowed = {*sys.stdlib_module_names, "pytest"}
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names if not name.startswith("_parataxis_")} <= allowed, file


@pytest.mark.parametrize(
    ("wanted", "found", "places"),
    [
        (["a::x", "a::y"], ["a::y", "a::x"], [1, 0]),
        (["a::x", "a::z"], ["a::x"], [0, None]),
        (["a::x", "a::x"], ["a::x", "a::x"], [0, 1]),  # equal names in turn
        (["a::x", "a::x"], ["a::x"], [0, None]),
        (["a::x[at 1]", "a::x[at 2]"], ["a::x[at 7]", "a::x[at 8]"], [0, 1]),  # parameters in turn
        (["a::x[1]", "a::x[at 2]"], ["a::x[at 7]", "a::x[1]"], [1, 0]),  # what is equal comes first
        (["a::x[at 2]"], ["b::x[at 2]"], [None]),
        (["a::K::x[at 2]"], ["a::x[at 3]", "a::K::x[at 3]"], [1]),
        (["d[1]/a::x[2]"], ["d[2]/a::x[2]", "d[1]/a::x[3]"], [1]),  # a bracket in a folder's name is no parameter
        ([], ["a::x"], []),
    ],
)
def test_ids_of_two_processes_are_matched(match, wanted, found, places):
    assert match(wanted, found) == places


def test_what_was_matched_is_matched_once(match):
    ids = ["a::x[0x1]", "a::x[0x2]", "a::x[5]", "a::y", "a::y"]
    found = ["a::y", "a::x[5]", "a::x[0x8]", "a::x[0x9]", "a::y"]
    assert match(ids, found) == [2, 3, 1, 0, 4]


@pytest.fixture
def generators(worker, monkeypatch):
    """The care for a few generators of our own, not for those of the process that runs this test."""
    module, ours = worker("random"), []
    monkeypatch.setattr(module, "_generators", lambda: ours)

    def of(*some):
        ours[:] = some
        return module.Generators()

    return of


def _some(seed):
    legacy = np.random.RandomState(seed)
    return random.Random(seed), np.random.default_rng(seed), np.random.Generator(np.random.Philox(seed)), legacy


def _draw(some):
    return [float(generator.random()) for generator in some]


def test_fingerprints_tell_seeded_from_unseeded(generators):
    first, second = generators(*_some(3)).fingerprints(), generators(*_some(3)).fingerprints()
    assert len(first) == 4
    assert first == second
    assert not set(first) & set(generators(*_some(None)).fingerprints())


def test_seeded_generators_stay_and_the_others_are_drawn_from_the_orders_name(generators):
    seeded, free = _some(3), _some(None)
    care = generators(*seeded, *free)
    keep = set(generators(*_some(3)).fingerprints())
    expected = _draw(_some(3))
    drawn = []
    for name in ("random/1", "random/2", "random/1"):
        seeded[0].seed()  # as Python does to the global one in a fork
        care.prepare(keep, name)
        values = _draw([seeded[0], *free])
        assert values[0] == expected[0]
        drawn.append(values[1:])
    assert _draw(seeded[1:]) == expected[1:]
    assert drawn[0] == drawn[2]
    assert not set(drawn[0]) & set(drawn[1])
    assert len(set(drawn[0])) == 4  # no two generators are seeded alike


def test_a_generator_of_the_operating_system_needs_no_care(generators):
    care = generators(random.SystemRandom())
    assert care.fingerprints() == []
    care.prepare(set(), "random/1")


def test_generators_are_found_wherever_they_are_held(worker):
    held = {"deep": [random.Random(5), (np.random.default_rng(5),)]}
    found = worker("random")._generators()
    assert any(thing is held["deep"][0] for thing in found)
    assert any(thing is held["deep"][1][0] for thing in found)
