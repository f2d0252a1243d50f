"""The game on a grid, and what solvers of finite games find there. pygambit and nashpy come with the extra `games`."""

import builtins

import numpy as np
import pytest

from parataxis.errors import BadInput
from parataxis.methods.coopetition import case
from parataxis.methods.coopetition.grid import nfg, points, tables
from parataxis.methods.coopetition.study_inputs import random_game


def slcd():
    return case("slcd").game("log")


def pure(game, grid):
    """Cells where nobody gains by another action of the grid."""
    found = tables(game, grid)
    best = [table == table.max(axis=i, keepdims=True) for i, table in enumerate(found)]
    return [tuple(points(grid)[list(at)]) for at in np.argwhere(np.all(best, axis=0))]


@pytest.mark.parametrize("grid", [51, 101, 201])
def test_the_pure_equilibrium_of_the_grid_is_a_neighbour(grid):
    (found,) = pure(slcd(), grid)
    step = (100 - 0.01) / (grid - 1)
    assert np.abs(np.array(found) - slcd().equilibrium().actions).max() <= step
    if grid == 201:
        assert found == pytest.approx((26.51, 27.51), abs=0.005)


def test_pygambit_finds_the_same_cell():
    pygambit = pytest.importorskip("pygambit")
    found = pygambit.nash.enumpure_solve(slcd().to_gambit(51)).equilibria
    assert len(found) == 1
    chosen = tuple(next(float(action) for action, p in found[0][name] if p == 1) for name in slcd().names)
    assert chosen == pytest.approx(pure(slcd(), 51)[0])


def test_nashpy_finds_the_same_cell():
    pytest.importorskip("nashpy")
    one, other = slcd().to_nashpy(51).lemke_howson(0)
    assert (one.max(), other.max()) == (1, 1)
    assert (points(51)[one.argmax()], points(51)[other.argmax()]) == pytest.approx(pure(slcd(), 51)[0])


def test_the_file_for_gambit_by_hand():
    """Two actions each: outcomes with the first player's action fastest, utilities of both."""
    text = nfg(slcd(), [10.0, 20.0]).splitlines()
    assert text[0] == 'NFG 1 R "coopetition" { "Samsung" "Sony" }'
    assert text[1] == '{ { "10.0" "20.0" } { "10.0" "20.0" } }'
    numbers = [float(each) for each in text[3].split()]
    cells = [(10.0, 10.0), (20.0, 10.0), (10.0, 20.0), (20.0, 20.0)]
    assert numbers == pytest.approx([u for cell in cells for u in slcd().utilities(np.array(cell))])


def test_grids_that_are_refused():
    with pytest.raises(BadInput, match="expected two or more actions that rise"):
        points([2.0, 1.0])
    with pytest.raises(BadInput, match="take fewer actions"):
        tables(random_game(np.random.default_rng(0), 5, "log"), 51)
    with pytest.raises(BadInput, match="nashpy has games of two"):
        random_game(np.random.default_rng(0), 3, "log").to_nashpy(5)


@pytest.mark.parametrize("library", ["pygambit", "nashpy"])
def test_without_the_library_the_remedy_is_told(monkeypatch, library):
    right = builtins.__import__

    def without(name, *arguments):
        if name == library:
            raise ModuleNotFoundError(name=library)
        return right(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    ask = slcd().to_gambit if library == "pygambit" else slcd().to_nashpy
    with pytest.raises(BadInput, match=r"pip install 'parataxis\[games\]'"):
        ask(3)
