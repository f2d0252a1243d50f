"""The real i* models from end to end: the graph, what each actor does, who should move first, who joins when."""

from collections.abc import Iterator
from typing import Any

from parataxis.claims import Figure, Table
from parataxis.methods.coopetition.dependencies import Dependencies
from parataxis.methods.coopetition.game import BOX, Game
from parataxis.methods.coopetition.plots import graph
from parataxis.methods.coopetition.sequential import advice, who_first
from parataxis.methods.coopetition.shares import join_orders

COLUMNS = ["model", "actors", "dependencies", "mean action", "over alone, %", "who should move first",
           "added by the first to join", "by the second", "by the last", "certificate, of what is allowed"]  # fmt: skip


def shown(models: dict[str, Dependencies]) -> Iterator[Figure | Table]:
    """A graph of each model, and a table with a row a model. Equal shares, logarithmic value."""
    for title, each in models.items():
        name = "graph-" + title.lower().replace(" ", "-")
        yield Figure(name, graph(each.matrix()).encode(), f"{title}: an arrow goes from the depender to the dependee.")
    rows = [_row(title, each) for title, each in models.items()]
    caption = "i* models as they are: importance 1, criticality 1 over the number of providers; equal shares, log."
    yield Table("models", COLUMNS, rows, caption)


def _row(title: str, dependencies: Dependencies) -> list[Any]:
    game = Game(dependencies.matrix())
    found = game.equilibrium()
    mean = float(found.actions.mean())
    joined = join_orders(game, found.actions).groupby("place")["mean"].mean()
    added = [round(float(joined[place]), 3) for place in (1, 2, len(game.names))]
    return [title, len(game.names), len(dependencies.rows), round(mean, 4), round(100 * (mean / 19 - 1), 2),
            advice(who_first(game, BOX)), *added, float(f"{found.certificate.of_allowed:.1e}")]  # fmt: skip
