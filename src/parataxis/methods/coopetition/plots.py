"""Figures as SVG: the dependency graph, reactions, what counts for whom, sweeps, slopes, the score sheet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from parataxis.audit.plot import svg
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.many import Games
from parataxis.methods.coopetition.solve import solve
from parataxis.methods.coopetition.sweep import games

if TYPE_CHECKING:
    from parataxis.methods.coopetition.game import Game
    from parataxis.methods.coopetition.scoring import ScoreSheet

COLOURS = ("#1e7145", "#b3552e", "#4a6fa5", "#8a6100", "#7b4ea8", "#66645f")
SOFT, INK, PALE = "#8d8a83", "#1c1c1a", "#dcd9d2"
WIDE = 22  # letters of a line in a node
POINTS = 81


def _axes(width: float = 6.4, height: float = 4.0) -> Any:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def _wrapped(name: str) -> str:
    from textwrap import fill

    return fill(name, WIDE)


def _reach(name: str, direction: Any) -> float:
    """Points from the middle of a node to its border, as its letters are set."""
    lines = _wrapped(name).splitlines()
    half = np.array([2.7 * max(map(len, lines)) + 6, 6.0 * len(lines) + 5])
    return float(np.min(half / np.maximum(np.abs(direction), 1e-9))) + 3


def graph(found: Interdependence) -> str:
    """Who depends on whom: an arrow from depender to dependee, as wide as the dependence is strong."""
    from matplotlib.patches import FancyArrowPatch

    n = len(found.names)
    high = 2.2 if n == 2 else 4.8
    ax = _axes(7.2, high)
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n - (np.pi / 2 if n == 2 else 0)
    at = np.stack([-1.5 * np.cos(angle), np.sin(angle)], 1)
    ax.set(xlim=(-2.4, 2.4), ylim=(-0.5, 0.5) if n == 2 else (-1.3, 1.3))
    points = np.array([72 * 7.2 / 4.8, 72 * high / (1.0 if n == 2 else 2.6)])  # a unit of each axis
    for i, j in np.argwhere(found.matrix):
        value = float(found.matrix[i, j])
        along = (at[j] - at[i]) * points
        tail, head = (_reach(found.names[each], along / np.hypot(*along)) for each in (i, j))
        drawn: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9 + 7 * value, "linewidth": 0.7 + 3.5 * value}
        drawn |= {"connectionstyle": "arc3,rad=0.16", "shrinkA": tail, "shrinkB": head, "alpha": 0.8, "zorder": 1}
        ax.add_patch(FancyArrowPatch(tuple(at[i]), tuple(at[j]), color=COLOURS[i % len(COLOURS)], **drawn))
        middle = 0.5 * (at[i] + at[j]) + 0.08 * np.array([along[1], -along[0]]) / points
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
        ax.text(*middle, f"{value:.2f}", fontsize=8, ha="center", va="center", color=INK, bbox=box, zorder=2)
    for i, name in enumerate(found.names):
        edge = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": COLOURS[i % len(COLOURS)]}
        ax.text(*at[i], _wrapped(name), fontsize=9, ha="center", va="center", color=INK, bbox=edge, zorder=3)
    ax.set_axis_off()
    return svg(ax)


def reactions(game: "Game", box: Any = (0.01, 100.0)) -> str:
    """Of the first two actors, the others at the equilibrium: each one's best answer to the other."""
    found = game.equilibrium(box=box)
    a = found.actions
    top = 1.6 * float(a[:2].max())
    x = np.linspace(max(found.low[:2].max(), 1e-6), top, POINTS)
    ax = _axes(5.2, 4.4)
    for i, j in ((0, 1), (1, 0)):
        best = _answers(game, found, i, j, x)
        across, up = (best, x) if i == 0 else (x, best)
        ax.plot(across, up, color=COLOURS[i], linewidth=1.6, label=f"best for {game.names[i]}")
    ax.plot(a[0], a[1], "o", color=INK, markersize=6, zorder=4)
    note = {"textcoords": "offset points", "xytext": (8, -12), "fontsize": 8, "color": INK}
    ax.annotate(f"({a[0]:.3f}, {a[1]:.3f})", (a[0], a[1]), **note)
    ax.set(xlim=(0, top), ylim=(0, top))
    ax.set_xlabel(f"action of {game.names[0]}", fontsize=9)
    ax.set_ylabel(f"action of {game.names[1]}", fontsize=9)
    ax.legend(frameon=False, fontsize=8)
    return svg(ax)


def _answers(game: "Game", found: Any, i: int, j: int, x: Any) -> Any:
    a = np.tile(found.actions, (len(x), 1))
    a[:, j] = x
    if not game.scalar:
        return np.array([game.best_response(i, row, (found.low, found.high)) for row in a])
    low, high = a.copy(), a.copy()
    low[:, i], high[:, i] = found.low[i], found.high[i]
    return solve(game.value, np.broadcast_to(game.k, a.shape), game.c, low, high).actions[:, i]


def shares_of_synergy(game: "Game") -> str:
    """What counts for each: its own share, and what it minds of the others'. w is both."""
    n = len(game.names)
    ax = _axes(6.4, 0.9 + 0.45 * n)
    y = np.arange(n)
    ax.barh(y, game.alpha, color=COLOURS[0], height=0.6, label="its own share")
    ax.barh(y, game.w - game.alpha, left=game.alpha, color="#7fb893", height=0.6, label="what it minds of the others'")
    ax.set_yticks(y, [_wrapped(name) for name in game.names])
    ax.set(ylim=(n - 0.4, -0.6), xlim=(0, 1))
    ax.set_xlabel("w: the part of the synergy that counts for the actor", fontsize=9)
    ax.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return svg(ax)


def band(game: "Game", name: str, low: float, high: float, box: Any = (0.01, 100.0)) -> str:
    """Actions as one parameter goes from low to high; between the least and the most active a band."""
    x = np.linspace(low, high, POINTS)
    found: Games = games(game, {name: x}, POINTS, box)
    a = found.solved.actions
    ax = _axes(5.6, 3.4)
    ax.fill_between(x, a.min(1), a.max(1), color=PALE, alpha=0.6, linewidth=0)
    for i, actor in enumerate(game.names):
        ax.plot(x, a[:, i], color=COLOURS[i % len(COLOURS)], linewidth=1.4, label=actor)
    ax.set_xlabel(name, fontsize=9)
    ax.set_ylabel("action", fontsize=9)
    ax.legend(frameon=False, fontsize=8)
    return svg(ax)


def tornado(slopes: pd.DataFrame, most: int = 12) -> str:
    """How much the mean action moves a unit of each parameter; the steepest first."""
    rows = slopes.loc[slopes["mean action"].abs().sort_values(ascending=False).index][:most]
    ax = _axes(6.4, 0.8 + 0.3 * len(rows))
    values = rows["mean action"].to_numpy()
    ax.barh(
        np.arange(len(rows)), values, color=[COLOURS[0] if each >= 0 else COLOURS[1] for each in values], height=0.62
    )
    ax.axvline(0, color=SOFT, linewidth=0.8)
    ax.set_yticks(np.arange(len(rows)), rows["parameter"], fontsize=7)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlabel("change of the mean action a unit of the parameter", fontsize=9)
    return svg(ax)


def sheet(found: "ScoreSheet") -> str:
    """The conditions by category: met or not, with what each is worth."""
    rows = found.frame()
    ax = _axes(6.4, 0.6 + 0.2 * len(rows))
    colours = [COLOURS[0] if met else COLOURS[1] for met in rows["met"]]
    ax.barh(np.arange(len(rows)), rows["points"], color=colours, height=0.66)
    ax.set_yticks(np.arange(len(rows)), [f"{row.category}: {row.condition}" for row in rows.itertuples()], fontsize=7)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlabel(f"points; {int(found.score[0])} of 60 are met (green)", fontsize=9)
    return svg(ax)


def joining(table: pd.DataFrame, names: Sequence[str]) -> str:
    """What each adds by its place in the order of joining; a bar for the mean over all orders, Shapley's value."""
    ax = _axes(6.4, 3.4)
    n = len(names)
    for i, name in enumerate(names):
        its = table[table["actor"] == name].sort_values("place")
        by_place = its[its["place"] > 0]
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(by_place["place"], by_place["mean"], "o-", color=colour, linewidth=1.3, markersize=4, label=name)
        ax.fill_between(by_place["place"], by_place["least"], by_place["most"], color=colour, alpha=0.10, linewidth=0)
        ax.axhline(float(its[its["place"] == 0]["mean"].iloc[0]), color=colour, linewidth=0.8, linestyle=":")
    ax.set_xticks(range(1, n + 1))
    ax.set_xlabel("place in the order of joining (dotted: the mean of all orders)", fontsize=9)
    ax.set_ylabel("value added", fontsize=9)
    ax.legend(frameon=False, fontsize=8)
    return svg(ax)
