"""The figures: a graph, the path of the weights, and curves of losses or accuracies with bands."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from parataxis.methods.skill_it.graph import SkillGraph

INK, SOFT, GREEN = "#1c1c1a", "#8d8a83", "#1e7145"
COLOURS = ("#1e7145", "#b3261e", "#4a6fa5", "#a8731f", "#6b4c8a", "#2f8f9d", "#8d8a83", "#1c1c1a")
SHOWN = 12  # skills whose numbers or names are legible


def axes(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, height), layout="constrained", dpi=150).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def png(ax: Any) -> bytes:
    import io

    image = io.BytesIO()
    ax.figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def graph(found: "SkillGraph", ax: Any = None) -> Any:
    """Rows: trained on; columns: evaluated; green helps, red harms. A cross: the interval holds 0."""
    rows, columns = found.matrix.shape
    ax = ax or axes(1.9 + 0.5 * columns, 1.4 + 0.42 * rows)
    most = max(float(np.abs(found.matrix).max()), 1e-12)
    ax.imshow(found.matrix, cmap="PRGn", vmin=-most, vmax=most, aspect="auto")
    unsure = np.zeros(found.matrix.shape, bool)
    if found.low is not None and found.high is not None:
        unsure = (found.low <= 0) & (found.high >= 0) & (found.matrix != 0)
    for (row, column), value in np.ndenumerate(found.matrix):
        if max(rows, columns) <= SHOWN and value:
            colour = "white" if abs(value) > 0.6 * most else INK
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        if unsure[row, column]:
            ax.plot(column, row, "x", color=SOFT, markersize=12)
    ax.set_xticks(range(columns), found.eval_skills, rotation=45, ha="right")
    ax.set_yticks(range(rows), found.train_skills)
    ax.set_xlabel("evaluated", fontsize=8)
    ax.set_ylabel("trained on", fontsize=8)
    return ax


def weight_path(rounds: Sequence[Mapping[str, float]], skills: Sequence[str]) -> Any:
    """The share of each skill in each round, stacked: with many skills, the largest."""
    table = np.array([[each[name] for name in skills] for each in rounds])
    shown = np.sort(np.argsort(-table.mean(0))[:SHOWN])
    ax = axes(6.0, 3.0)
    bottom = np.zeros(len(table))
    for number, place in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        ax.bar(range(len(table)), table[:, place], 0.9, bottom, color=colour, label=skills[place])
        bottom += table[:, place]
    ax.set_ylim(0, 1)
    ax.set_xlabel("round", fontsize=8)
    ax.set_ylabel("share of the examples", fontsize=8)
    ax.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def curves(steps: Sequence[float], runs: Mapping[str, Float[np.ndarray, "run step"]], y: str) -> Any:
    """Means with a band from the least to the most of the runs."""
    ax = axes(6.4, 3.4)
    for number, (name, table) in enumerate(runs.items()):
        colour = COLOURS[number % len(COLOURS)]
        ax.fill_between(steps, table.min(0), table.max(0), color=colour, alpha=0.12, linewidth=0)
        ax.plot(steps, table.mean(0), color=colour, linewidth=1.6, label=name)
    ax.set_xlabel("steps", fontsize=8)
    ax.set_ylabel(y, fontsize=8)
    ax.legend(frameon=False, fontsize=7)
    return ax
