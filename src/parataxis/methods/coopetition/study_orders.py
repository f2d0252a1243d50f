"""For each symmetry the system it is true of, and a twin with a mistake that makes position matter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from parataxis.claims import System
from parataxis.methods.coopetition.cases import CASES
from parataxis.methods.coopetition.dependencies import Dependencies, Dependency
from parataxis.methods.coopetition.game import Game
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.pistar import from_pistar, to_pistar
from parataxis.methods.coopetition.shares import worth
from parataxis.methods.coopetition.study_inputs import made_model
from parataxis.methods.coopetition.study_theory import responded

CLOSE = 1e-10
NAMES = ("a", "b", "c", "d")
ALPHA = dict(zip(NAMES, (0.4, 0.3, 0.2, 0.1), strict=True))
SLCD = CASES["slcd"]


def systems(rng: Any) -> dict[str, System]:
    matrix = rng("matrix").random((4, 4)) * (1 - np.eye(4))
    given = Interdependence(NAMES, matrix)
    rows = [Dependency("a", "b", "x", 2.0), Dependency("b", "a", "y", 1.0, 0.9), Dependency("a", "c", "x", 2.0),
            Dependency("c", "a", "z", 3.0), Dependency("b", "c", "u", 0.5)]  # fmt: skip
    cells = [{"gamma": float(g), "D:Sony:Samsung": float(d)} for g, d in rng("cells").random((3, 2))]
    starts = [np.array([at]) for at in (0.02, 19.0, 99.0)]
    return {
        "relabelling": System(_relabelled(given), list(NAMES), twin=_left_behind(given), per_item=True, compare=CLOSE),
        "pair": System(_pair, list(SLCD.actors), twin=_pair_transposed, per_item=True, compare=CLOSE),
        "dependencies-in-file": System(_in_file, rows, twin=_last_need_only, compare=CLOSE),
        "links-in-file": System(_links, list(range(16)), twin=_links_by_place, compare=CLOSE),
        "sweep-rows": System(_swept, cells, twin=_swept_from_the_last, per_item=True, compare=CLOSE),
        "updates": System(_updated(given, 200), list(NAMES), twin=_updated(given, 1), compare=CLOSE),
        "start": System(_started(given, 200), starts, twin=_started(given, 1), compare=CLOSE),
        "moves": System(_moves, list(SLCD.actors)),
        "joining": System(_joined, ["A", "B", "C"]),
        "direction": System(_direction, ["x", "y"]),
    }


def _game(found: Interdependence) -> Game:
    return Game(found, [ALPHA[name] for name in found.names], renormalise=True)


def _relabelled(given: Interdependence) -> Any:
    """Each actor's action, whatever its number."""

    def run(names: Sequence[str]) -> list[float]:
        if len(names) == 1:
            return [float(_game(given).equilibrium().actions[NAMES.index(names[0])])]
        return _game(given.among(names)).equilibrium().actions.tolist()

    return run


def _left_behind(given: Interdependence) -> Any:
    """The names move, the matrix stays."""

    def run(names: Sequence[str]) -> list[float]:
        n = len(names)
        if n == 1:
            return [0.0]
        return _game(Interdependence(tuple(names), given.matrix[:n, :n])).equilibrium().actions.tolist()

    return run


def _pair(actors: Sequence[str], transposed: bool = False) -> list[float]:
    """S-LCD's two, named in either order."""
    if len(actors) == 1:
        return [0.0]
    game = SLCD.game("log")
    found = game.interdependence.among(actors)
    if transposed:
        found = Interdependence(tuple(actors), game.interdependence.matrix)  # of two, not moved is transposed
    shares = dict(zip(SLCD.actors, SLCD.alpha, strict=True))
    moved = game.replaced(interdependence=found, alpha=[shares[name] for name in actors])
    return moved.equilibrium().actions.tolist()


def _pair_transposed(actors: Sequence[str]) -> list[float]:
    return _pair(actors, transposed=True)


def _in_file(rows: Sequence[Dependency]) -> list[float]:
    found = Dependencies(("a", "b", "c"), tuple(rows)).matrix()
    return [*found.matrix.ravel().tolist(), *Game(found).equilibrium().actions.tolist()]


def _last_need_only(rows: Sequence[Dependency]) -> list[float]:
    """A later need takes the place of an earlier one of the same two."""
    pairs = {frozenset((row.depender, row.dependee)): row for row in rows}
    return _in_file(list(pairs.values()))


def _links(order: Sequence[int], by_place: bool = False) -> list[float]:
    """The links of a piStar file in another order, without the ends that it notes at the dependums."""
    import json

    model = json.loads(to_pistar(made_model()))
    model["links"] = [model["links"][at] for at in order]
    for at, each in enumerate(model["dependencies"]):
        del each["source"], each["target"]
        if by_place:  # the next two links, whosever they are
            for link in model["links"][2 * at : 2 * at + 2]:
                end = "target" if link["target"] in {one["id"] for one in model["dependencies"]} else "source"
                link[end] = each["id"]
    try:
        return from_pistar(model, "made").matrix().matrix.ravel().tolist()
    except ValueError as error:
        return [float(len(str(error)))]


def _links_by_place(order: Sequence[int]) -> list[float]:
    return _links(order, by_place=True)


def _swept(cells: Sequence[dict[str, float]]) -> list[list[float]]:
    found = SLCD.game("log").sweep(pd.DataFrame(list(cells)))
    return found[["a:Samsung", "a:Sony"]].to_numpy().tolist()


def _swept_from_the_last(cells: Sequence[dict[str, float]]) -> list[list[float]]:
    """One round of best responses a row, from where the last row ended."""
    found, a = [], np.full((1, 2), 19.0)
    for cell in cells:
        d = cell["D:Sony:Samsung"]
        pair = Interdependence(SLCD.actors, np.array([[0.0, 0.64], [d, 0.0]]))
        a = responded(SLCD.game("log").replaced(gamma=cell["gamma"], interdependence=pair), a, 1)
        found.append(a[0].tolist())
    return found


def _updated(given: Interdependence, rounds: int) -> Any:
    """Best responses in this order of actors; after one round the order still shows."""

    def run(names: Sequence[str]) -> list[float]:
        game = _game(given.among(names) if len(names) > 1 else given)
        a = responded(game, np.full((1, len(game.names)), 1.0), rounds)[0]
        return [float(a[game.names.index(name)]) for name in sorted(names)]

    return run


def _started(given: Interdependence, rounds: int) -> Any:
    """The first actors start from these actions."""

    def run(starts: Sequence[Any]) -> list[float]:
        a = np.full((1, len(NAMES)), 5.0)
        for at, each in enumerate(starts):
            a[0, at] = float(each[0])
        return responded(_game(given), a, rounds)[0].tolist()

    return run


def _moves(actors: Sequence[str]) -> list[float]:
    """Who moves first."""
    return SLCD.game("log").equilibrium(play=tuple(actors)).actions.tolist()


def _joined(names: Sequence[str]) -> float:
    """What A adds when it joins in this order."""
    game = Game(made_model().matrix())
    v, members = worth(game, game.equilibrium().actions), 0
    for name in names:
        before, members = members, members | 1 << game.names.index(name)
        if name == "A":
            return v(members) - v(before)
    return 0.0


def _direction(ends: Sequence[str]) -> list[float]:
    """The first depends on the second: what x and y do."""
    if len(ends) < 2:
        return []
    found = Dependencies.of([Dependency(ends[0], ends[1], "it")]).matrix()
    return Game(found).equilibrium().actions.tolist()
