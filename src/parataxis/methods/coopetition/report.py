"""One HTML page that shows a model whole: the graph, the equilibrium, the order of moves and of joining, slopes."""

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from parataxis.methods.coopetition import plots
from parataxis.methods.coopetition.dependencies import Dependencies
from parataxis.methods.coopetition.direction import exchanged
from parataxis.methods.coopetition.game import BOX, Game
from parataxis.methods.coopetition.sequential import advice, who_first
from parataxis.methods.coopetition.shares import EXACT, ORDERS, added_value, by_place, join_orders, shapley
from parataxis.methods.coopetition.values import Log
from parataxis.page import page

if TYPE_CHECKING:
    from parataxis.methods.coopetition.equilibrium import Equilibrium
    from parataxis.methods.coopetition.scoring import ScoreSheet


def report(
    game: Game, title: str, dependencies: Dependencies | None = None, box: Any = BOX, sheet: "ScoreSheet | None" = None
) -> str:
    """The whole page as HTML. dependencies: where the matrix came from; sheet: for a published case."""
    found = game.equilibrium(box=box)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=soft>{escape(_headline(game))}</p>",
        _words(found),
        _dependence(game, dependencies),
        _equilibrium(game, found),
        *([_moves(game, box)] if game.scalar else []),
        _joining(game, found),
        *([_slopes(game, box)] if game.scalar else []),
        _direction(game, box),
        *([_sheet(sheet)] if sheet else []),
    ]
    return page(title, "".join(body))


def _headline(game: Game) -> str:
    value = f"{game.value.theta:g} ln(1 + a)" if isinstance(game.value, Log) else f"{game.value}"
    synergy = game.synergy if isinstance(game.synergy, str) else "product"
    return f"{len(game.names)} actors; value {value}; complementarity {game.gamma:g}; synergy {synergy}"


def _words(found: "Equilibrium") -> str:
    certificate = found.certificate
    kind = "good" if certificate.holds else "bad"
    words = [f"<p class={kind}>{escape(str(certificate))}</p>"]
    if found.binding:
        words.append(f"<p>At a bound of the box: {escape(', '.join(found.binding))}.</p>")
    return "".join(words)


def _dependence(game: Game, dependencies: Dependencies | None) -> str:
    body = ["<h2>Who depends on whom</h2>", _figure(plots.graph(game.interdependence),
            "An arrow goes from the depender to the dependee; its number is how much.")]  # fmt: skip
    if dependencies:
        body += [f"<p>Note: {escape(each)}.</p>" for each in dependencies.notes]
        body.append(f"<details><summary>{len(dependencies.rows)} dependencies</summary>")
        body.append(_table(dependencies.frame(), "As they were read; criticality as it counts.") + "</details>")
    return "".join(body)


def _equilibrium(game: Game, found: "Equilibrium") -> str:
    best = game.optimum((found.low, found.high)).actions
    table = found.frame().assign(**{"what all would agree on": best})
    caption = f"All create {found.value:.4f}. w is the part of the synergy that counts for the actor."
    body = ["<h2>What each invests</h2>", _table(table, caption),
            _figure(plots.shares_of_synergy(game), "What makes an actor invest more than alone.")]  # fmt: skip
    if len(game.names) == 2:
        body.append(_figure(plots.reactions(game, (found.low, found.high)), "Each one's best answer to the other."))
    return "".join(body)


def _moves(game: Game, box: Any) -> str:
    if box is None:
        return ""
    led = who_first(game, box)
    shown = led.assign(first=led["first"].replace("", "all at once"))
    said = advice(led)
    caption = "Whoever is first knows how the others will answer. Gains are over moving all at once."
    return f"<h2>Who should move first</h2><p><b>{escape(said[0].upper() + said[1:])}.</b></p>" + _table(shown, caption)


def _joining(game: Game, found: "Equilibrium") -> str:
    if len(game.names) > 20:
        return ""
    table = join_orders(game, found.actions)
    values = shapley(game, found.actions)
    wide = by_place(table, len(game.names)).assign(**{"Shapley's share": values / values.sum()})
    wide["added to all others"] = added_value(game, found.actions)
    told = "every order" if len(game.names) <= EXACT else f"{ORDERS:,} drawn orders, low to high a 95 % interval"
    caption = f"What each adds to the value by its place in the order of joining, at these actions; {told}."
    return ("<h2>Who joins when</h2>" + _figure(plots.joining(table, game.names), "The band: least and most.")
            + _table(wide, caption))  # fmt: skip


def _slopes(game: Game, box: Any) -> str:
    table, top = game.sensitivity(box=box), max(1.0, game.gamma)
    body = ["<h2>What moves it</h2>", _figure(plots.tornado(table), "Slopes at the equilibrium, exact; the steepest."),
            _figure(plots.band(game, "gamma", 0.0, top, box), f"Actions, complementarity 0 to {top:g}.")]  # fmt: skip
    return "".join(body)


def _direction(game: Game, box: Any) -> str:
    table = exchanged(game, box)
    if not len(table):
        return ""
    caption = "A matrix that was read the wrong way round shows in the two orders of a pair: ask which needs the other."
    return "<h2>Were it the other way round</h2>" + _table(table, caption)


def _sheet(sheet: "ScoreSheet") -> str:
    caption = "24 conditions of plausibility, bands tuned to the case among them. It is no accuracy."
    return f"<h2>The score sheet</h2><p>{escape(str(sheet))}</p>" + _figure(plots.sheet(sheet), caption)


def _table(table: pd.DataFrame, caption: str) -> str:
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    kinds = [" class=number" if each else "" for each in numeric]
    head = "".join(f"<th{kind}>{escape(str(name))}" for name, kind in zip(table, kinds, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{kind}>{_cell(value)}" for value, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<div class=wide><table><caption>{escape(caption)}</caption><tr>{head}</tr>{rows}</table></div>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if value != value else f"{value:,.4f}"
    return escape(str(value))


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
