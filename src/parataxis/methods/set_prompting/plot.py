"""The figure of an audit: for each method what the order changes, and for each question what became of it."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from parataxis.audit.plot import svg
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.summary import Estimate, Summary

if TYPE_CHECKING:
    from parataxis.methods.set_prompting.report import Report

INK, SOFT, GRID = "#1c1c1a", "#7d7a73", "#e6e3dc"
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
MARKS = dict(zip(COLOURS, "osDv^<>P", strict=True))  # colours alone are not told apart by everybody
KINDS = (  # of questions, with the colour of their column
    ("right in every order", "#1e7145"),
    ("right in some orders", "#dd7a2b"),
    ("wrong, the choice depends on the order", "#f0c79c"),
    ("wrong, always the same choice", "#e3dfd6"),
)
HALF = 0.3  # of a bar's height
WIDTH, ROW = 10.5, 0.5  # inches; a row a method
COLUMNS = 18  # of the grid; a label of nine letters takes one
MOST_LINES = 4  # with intervals: those of more would hide one another


def draw(report: "Report", title: bool = True) -> Any:
    """A matplotlib figure of all methods, but for the twin of `sort`. title: the report's headline above it.

    Above, a row a method: how many answers change, how many are right, how much the slot matters. Below, accuracy by
    slot, and a column a question. Bars and whiskers are 95% intervals from resampling questions.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from parataxis.methods.set_prompting.text import headline

    shown = [each for each in report.summaries if each.method in COLOURS]
    above, below = 1.05 + ROW * len(shown), 2.6 + 0.12 * max(0, len(shown) - 4)
    layout = ConstrainedLayoutEngine(hspace=0.07, wspace=0.03)
    figure = Figure(figsize=(WIDTH, above + below + 0.5), layout=layout, dpi=150)
    if title:
        figure.suptitle(headline(report).replace("$", r"\$"), x=0.012, ha="left", fontsize=13, fontweight="bold")
    grid = figure.add_gridspec(2, COLUMNS, height_ratios=(above, below))
    third = COLUMNS // 3
    changes, right, spread = (figure.add_subplot(grid[0, third * k : third * (k + 1)]) for k in range(3))
    _changes(changes, report, shown)
    _right(right, report, shown)
    _spreads(spread, shown)
    _slots(figure.add_subplot(grid[1, : third - 1]), shown)
    labels = max(len(each.method) for each in shown) // 9
    _questions(figure.add_subplot(grid[1, third + labels :]), report, shown)
    return figure


def picture(report: "Report") -> bytes:
    """As PNG, with the headline above it."""
    image = io.BytesIO()
    draw(report).savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def inline(report: "Report") -> str:
    """As SVG, for where the headline stands already."""
    return svg(draw(report, title=False).axes[0])


# -- a row a method ------------------------------------------------------------------------------------------------


def _changes(ax: Any, report: "Report", shown: list[Summary]) -> None:
    """Answers that the reversal changes; of `sort`, hollow, those that sorting the other way does."""
    for y, each in enumerate(shown):
        _interval(ax, y, each.flips, COLOURS[each.method], MARKS[each.method])
        if each.noise:
            ax.plot(each.noise.value, y, "|", color=SOFT, markersize=13, markeredgewidth=2, zorder=2, clip_on=False)
        if each.method == "sort" and report.twin:
            _interval(ax, y, report.twin, COLOURS["sort"], MARKS["sort"], hollow=True)
            ax.annotate(
                "sorted the other way",
                (report.twin.value, y),
                (0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=COLOURS["sort"],
            )
    ax.set_yticks(range(len(shown)), [f"{each.method}\n{_calls(each)}" for each in shown], fontsize=9)
    ax.set_xlim(0, 1)
    noisy = any(each.noise for each in shown)
    note = "grey stroke: when asked again" if noisy else "whiskers: 95 %, questions resampled"
    _rows(ax, "Answers that change\nwhen the options are reversed", len(shown), note)


def _right(ax: Any, report: "Report", shown: list[Summary]) -> None:
    """As in the paper, lying down: a bar to the worst of two, a line at the given order, a box on to the best."""
    for y, each in enumerate(shown):
        own, worst, best = COLOURS[each.method], each.worst.value, each.best.value
        ax.barh(y, worst, 2 * HALF, color=own, alpha=0.85, linewidth=0)
        if best > worst:
            ax.barh(y, best - worst, 2 * HALF, worst, facecolor="none", edgecolor=own, hatch="////", linewidth=0.9)
        ax.vlines(each.normal.value, y - HALF, y + HALF, color=INK, linewidth=2.4)
        ax.hlines(y, each.normal.low, each.normal.high, color=INK, linewidth=0.9)
        if each.spread and best > worst:
            _box(ax, y + HALF + 0.1, each)
    chance = np.mean([1 / len(row.choices) for row in report.rows])
    ax.axvline(chance, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.annotate(
        "chance", (chance, 1), (2, -1), xycoords=ax.get_xaxis_transform(), textcoords="offset points", va="top",
        fontsize=7, color=SOFT,
    )  # fmt: skip
    ax.set_xlim(0, min(1.0, 1.06 * max(each.best.high for each in shown)))
    orders = next((each.spread.orders for each in shown if each.spread), 0)
    note = "line: the given order, with its interval" + (f"\ngrey: all {orders} orders, quartiles" if orders else "")
    _rows(ax, "Right answers: filled in both orders,\nhatched in one of the two", len(shown), note)


def _spreads(ax: Any, shown: list[Summary]) -> None:
    for y, each in enumerate(shown):
        _interval(ax, y, each.recall, COLOURS[each.method], MARKS[each.method])
        ax.vlines(each.by_chance, y - HALF, y + HALF, color=SOFT, linewidth=1.4)
    ax.set_xlim(0, None)
    note = "grey stroke: by chance less, 95 times of 100"
    _rows(ax, "Spread over slots: standard\ndeviation of the accuracies below", len(shown), note)


def _interval(ax: Any, y: int, found: Estimate, colour: str, mark: str, hollow: bool = False) -> None:
    ax.plot([found.low, found.high], [y, y], color=colour, linewidth=2.2, alpha=0.5, solid_capstyle="butt")
    face = "white" if hollow else colour
    ax.plot(found.value, y, mark, color=colour, markerfacecolor=face, markersize=6.5, zorder=3, clip_on=False)


def _box(ax: Any, y: float, each: Summary) -> None:
    values = [getattr(each.spread, name).value for name in ("least", "lower", "middle", "upper", "most")]
    ax.plot(values, [y] * 5, "-|", color=SOFT, linewidth=1, markersize=6)


def _calls(each: Summary) -> str:
    return "1 call" if each.calls == 1 else f"{each.calls:.3g} calls"


def _rows(ax: Any, title: str, count: int, note: str) -> None:
    ax.set_title(title, fontsize=9, loc="left")
    ax.set_ylim(count - 0.4, -0.75)
    if not ax.get_yticklabels() or ax.get_subplotspec().colspan.start:
        ax.set_yticks([])
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.set_xlabel(note, fontsize=7.5, color=SOFT, loc="left")
    _bare(ax, "x")


# -- slots, and questions ------------------------------------------------------------------------------------------


def _slots(ax: Any, shown: list[Summary]) -> None:
    """Of two orders, a slot and its mirror hold the same questions: a method that sees no order is its own mirror."""
    count, few = len(shown[0].slots), len(shown) <= MOST_LINES
    for place, each in enumerate(shown):
        known = [(slot, found) for slot, found in enumerate(each.slots) if found]
        aside = 0.07 * (place - (len(shown) - 1) / 2) if few else 0.0
        places = [slot + aside for slot, _ in known]
        own = COLOURS[each.method]
        ax.plot(
            places, [found.value for _, found in known], "-", marker=MARKS[each.method], color=own, markersize=4.5,
            linewidth=1.4,
        )  # fmt: skip
        if few:
            ax.vlines(places, [f.low for _, f in known], [f.high for _, f in known], color=own, linewidth=1, alpha=0.55)
    ax.set_xticks(range(count), [str(slot + 1) for slot in range(count)])
    ax.set_xlabel("slot in which the right option was given", fontsize=8)
    ax.set_xlim(-0.35, count - 0.65)
    ax.set_ylim(0, None)
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.set_title("Accuracy by slot, marks as above", fontsize=9, loc="left")
    _bare(ax, "y")


def _questions(ax: Any, report: "Report", shown: list[Summary]) -> None:
    """A column a question, sorted by what became of it when asked plainly; a row a method."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    table = np.array([[_kind(row) for row in report.rows if row.method == each.method] for each in shown])
    table = table[:, np.lexsort(table[::-1])]
    names, colours = zip(*KINDS, strict=True)
    ax.imshow(table, aspect="auto", cmap=ListedColormap(colours), vmin=0, vmax=3, interpolation="nearest")
    ax.hlines(np.arange(1, len(shown)) - 0.5, -0.5, table.shape[1] - 0.5, color="white", linewidth=4)
    if table.shape[1] <= 60:
        ax.vlines(np.arange(1, table.shape[1]) - 0.5, -0.5, len(shown) - 0.5, color="white", linewidth=0.6)
    ax.set_yticks(range(len(shown)), [each.method for each in shown], fontsize=8)
    ax.yaxis.set_in_layout(False)  # else what stands above would move aside for the labels
    ax.set_xticks([])
    ax.set_title(f"What became of the {table.shape[1]} questions, one a column", fontsize=9, loc="left", pad=30)
    legend = ax.legend(
        [Patch(color=each) for each in colours], names, ncols=2, frameon=False, fontsize=7.5, loc="lower left",
        bbox_to_anchor=(-0.02, 0.99), columnspacing=1.2, handlelength=1.4, borderaxespad=0.2,
    )  # fmt: skip
    legend.set_in_layout(False)  # it stands between the title and the columns
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _kind(row: Row) -> int:
    if all(row.right):
        return 0
    if any(row.right):
        return 1
    return 2 if len(set(row.chosen)) > 1 else 3


def _bare(ax: Any, grid: str) -> None:
    ax.tick_params(length=0, labelsize=8)
    if grid == "x":
        ax.tick_params(axis="y", labelsize=9, pad=9)  # room for a mark at 0
    ax.grid(axis=grid, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left" if grid == "y" else "bottom"):
        ax.spines[side].set_visible(False)
