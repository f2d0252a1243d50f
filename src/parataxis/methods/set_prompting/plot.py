"""The figure of an audit: accuracy as in the paper, recall by slot, and what became of every question."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from parataxis.audit.plot import svg
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.summary import Summary

if TYPE_CHECKING:
    from parataxis.methods.set_prompting.report import Report

INK, SOFT, GRID = "#1c1c1a", "#8d8a83", "#ece9e2"
COLOURS = {
    "plain": "#b3261e",
    "sort": "#4a6fa5",
    "set-based": "#1e7145",
    "permute-average": "#8a6100",
    "permute-average-cyclic": "#c29a3a",
    "majority-vote": "#7b4ea8",
    "majority-vote-cyclic": "#b39ac9",
    "pride": "#5b8a8a",
}
KINDS = (  # of questions, with the colour of their column
    ("right in every order", "#1e7145"),
    ("right in some orders", "#dd7a2b"),
    ("wrong, the choice depends on the order", "#f0c79c"),
    ("wrong, always the same choice", "#e3dfd6"),
)
HALF = 0.31  # of a bar's width


def draw(report: "Report", title: bool = True) -> Any:
    """A matplotlib figure of all methods, but for the twin of `sort`. title: the report's headline above it."""
    from matplotlib.figure import Figure

    from parataxis.methods.set_prompting.text import headline

    shown = [each for each in report.summaries if each.method in COLOURS]
    strips = 0.35 + 0.28 * len(shown)
    figure = Figure(figsize=(10, 5.0 + strips), layout="constrained", dpi=150)
    if title:
        figure.suptitle(headline(report).replace("$", r"\$"), x=0.012, ha="left", fontsize=12)
    grid = figure.add_gridspec(2, 2, height_ratios=(3.6, strips), width_ratios=(1.5, 1))
    _accuracies(figure.add_subplot(grid[0, 0]), report, shown)
    _slots(figure.add_subplot(grid[0, 1]), shown)
    _questions(figure.add_subplot(grid[1, :]), report, shown)
    return figure


def picture(report: "Report") -> bytes:
    """As PNG, with the headline above it."""
    image = io.BytesIO()
    draw(report).savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def inline(report: "Report") -> str:
    """As SVG, for where the headline stands already."""
    return svg(draw(report, title=False).axes[0])


def _accuracies(ax: Any, report: "Report", shown: list[Summary]) -> None:
    """As in the paper: a bar to the worst of two, a line at the given order, a box on to the best of two."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    for place, each in enumerate(shown):
        own = COLOURS[each.method]
        worst, best = each.worst.value, each.best.value
        ax.bar(place, worst, 2 * HALF, color=own, alpha=0.85)
        ax.bar(place, best - worst, 2 * HALF, worst, facecolor="none", edgecolor=own, hatch="////", linewidth=0.9)
        ax.hlines(each.normal.value, place - HALF, place + HALF, color=INK, linewidth=2.2)
        ax.vlines(place, each.normal.low, each.normal.high, color=INK, linewidth=0.8, alpha=0.7)
        if each.spread and best > worst:
            _box(ax, place + HALF + 0.09, each)
    chance = np.mean([1 / len(row.choices) for row in report.rows])
    ax.axhline(chance, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.annotate("chance", (-0.58, chance), (0, 2), textcoords="offset points", fontsize=7, color=SOFT)
    ax.set_xticks(range(len(shown)), [f"{each.method}\n{_calls(each)}" for each in shown], fontsize=8)
    if len(shown) > 4:
        ax.tick_params(axis="x", rotation=25)
    ax.set_xlim(-0.6, len(shown) - 0.4)
    handles = [
        Patch(color=SOFT),
        Patch(facecolor="none", edgecolor=SOFT, hatch="////"),
        Line2D([], [], color=INK, linewidth=2.2),
        Line2D([], [], color=INK, linewidth=0.8, alpha=0.7),
    ]
    words = ["right in both orders", "right in either", "right in the given order", "its 95 % interval"]
    if any(each.spread for each in shown):
        handles.append(Line2D([], [], color=SOFT, marker="_"))
        words.append(f"least, quartiles, most of {next(each.spread.orders for each in shown if each.spread)} orders")
    ax.legend(handles, words, frameon=False, fontsize=7.5, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    ax.margins(y=0.08)
    _bare(ax)


def _box(ax: Any, x: float, each: Summary) -> None:
    values = [getattr(each.spread, name).value for name in ("least", "lower", "middle", "upper", "most")]
    ax.plot([x] * 5, values, "-", color=SOFT, linewidth=1)
    ax.plot([x] * 5, values, "_", color=SOFT, markersize=6)


def _calls(each: Summary) -> str:
    return "1 call" if each.calls == 1 else f"{each.calls:.3g} calls"


def _slots(ax: Any, shown: list[Summary]) -> None:
    """Of two orders, a slot and its mirror hold the same questions: a method that sees no order is its own mirror."""
    for each in shown:
        known = [slot for slot, value in enumerate(each.slots) if value is not None]
        values = [each.slots[slot] for slot in known]
        ax.plot(known, values, "o-", color=COLOURS[each.method], markersize=4, linewidth=1.4, label=each.method)
    ax.set_xticks(range(len(shown[0].slots)), [str(slot + 1) for slot in range(len(shown[0].slots))])
    ax.set_xlabel("slot in which the right option was given", fontsize=8)
    ax.set_ylim(0, None)
    ax.margins(x=0.1)
    ax.legend(frameon=False, fontsize=7.5, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    _bare(ax)


def _questions(ax: Any, report: "Report", shown: list[Summary]) -> None:
    """A column a question, sorted by what became of it when asked plainly; a row a method."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    table = np.array([[_kind(row) for row in report.rows if row.method == each.method] for each in shown])
    table = table[:, np.lexsort(table[::-1])]
    names, colours = zip(*KINDS, strict=True)
    ax.imshow(table, aspect="auto", cmap=ListedColormap(colours), vmin=0, vmax=3, interpolation="nearest")
    ax.hlines(np.arange(1, len(shown)) - 0.5, -0.5, table.shape[1] - 0.5, color="white", linewidth=3)
    if table.shape[1] <= 250:
        ax.vlines(np.arange(1, table.shape[1]) - 0.5, -0.5, len(shown) - 0.5, color="white", linewidth=0.5)
    ax.set_yticks(range(len(shown)), [each.method for each in shown], fontsize=8)
    ax.set_xticks([])
    ax.set_xlabel(f"the {table.shape[1]} questions, one a column", fontsize=8, loc="left")
    patches = [Patch(color=each) for each in colours]
    ax.legend(patches, names, ncols=4, frameon=False, fontsize=7.5, loc="lower left", bbox_to_anchor=(-0.01, 1.0))
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _kind(row: Row) -> int:
    if all(row.right):
        return 0
    if any(row.right):
        return 1
    return 2 if len(set(row.chosen)) > 1 else 3


def _bare(ax: Any) -> None:
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.tick_params(length=0, labelsize=8)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
