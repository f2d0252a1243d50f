"""Figures of an audit, on matplotlib, which loads when one is drawn."""

import io
from typing import Any

import numpy as np

from parataxis.audit.result import Audit, Share

INK, SOFT, SAME, DIFFERS = "#1c1c1a", "#8d8a83", "#e3dfd6", "#b3261e"
MOST_ITEMS = 25  # rows; of more items, those that differ most


def draw(audit: Audit, ax: Any = None) -> Any:
    """How often the outcome differs: in repeats of the given order, in other orders, and each item's own; above, a
    tile an order tried, in turn. A grey stroke in an item's row is its own noise.
    """
    rows = _rows(audit)
    if ax is None:
        ax = _axes(7.2, 1.7 + 0.27 * len(rows))
    for y, (_, share, colour, noise) in enumerate(rows):
        if noise is not None:
            ax.plot(noise, y, "|", color=SOFT, markersize=11, markeredgewidth=2, clip_on=False)
        ax.plot([share.low, share.high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.55)
        ax.plot(share.rate, y, "o", color=colour, markersize=6, clip_on=False, zorder=3)
        ax.annotate(
            f"{share.differ} of {share.orders}",
            (1, y),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=SOFT,
            fontsize=8,
            annotation_clip=False,
        )
    ax.set_yticks(range(len(rows)), [row[0] for row in rows])
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlabel(f"share whose outcome differs from the reference, with {100 * (1 - audit.alpha):g} % interval")
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.tick_params(length=0)
    ax.grid(axis="x", color="#ece9e2", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    _strip(audit, ax, 0.12 / (1.0 + 0.27 * len(rows)))
    return ax


def _rows(audit: Audit) -> list[tuple[str, Share, str, float | None]]:
    """Name, share, colour, noise."""
    rows: list[tuple[str, Share, str, float | None]] = [
        ("given order, repeated", audit.noise, SOFT, None),
        ("other orders", audit.effect, DIFFERS if audit.witness else INK, None),
    ]
    shown = sorted(audit.items, key=lambda each: (-each.found, -each.effect.rate, each.place))[:MOST_ITEMS]
    for each in sorted(shown, key=lambda each: each.place):
        name = str(audit.given[each.place])
        name = name if len(name) <= 24 else f"{name[:22]}..."
        rows.append(
            (f"[{each.place}] {name}".replace("$", r"\$"), each.effect, DIFFERS if each.found else INK, each.noise.rate)
        )
    return rows


def _strip(audit: Audit, ax: Any, height: float) -> None:
    """A tile an order tried: red if anything differs."""
    from matplotlib.colors import ListedColormap

    differs = np.array([[trial.differs.any() for trial in audit.trials]])
    inset = ax.inset_axes((0, 1 + 0.6 * height, 1, height))
    inset.imshow(differs, aspect="auto", cmap=ListedColormap([SAME, DIFFERS]), vmin=0, vmax=1, interpolation="nearest")
    gaps = np.arange(1, differs.shape[1]) - 0.5
    inset.vlines(gaps, -0.5, 0.5, color="white", linewidth=1.2 if len(gaps) < 120 else 0.3)
    inset.set_xticks([])
    inset.set_yticks([])
    inset.set_title(f"{audit.effect.orders} other orders as tried; red: another outcome", fontsize=9, loc="left")
    for spine in inset.spines.values():
        spine.set_visible(False)


def draw_where(audit: Audit, ax: Any = None) -> Any:
    """Where the effect is. Per item: an item's own outcome by the place it stands in. Else: orders by which of two
    items is before the other. A cell that no order fell into is left blank.
    """
    from matplotlib.colors import LinearSegmentedColormap

    n = len(audit.given)
    if ax is None:
        side = min(6.4, 2.2 + 0.22 * n)
        ax = _axes(side + 1.2, side)
    table, x, y, said = _by_slot(audit) if audit.items else _by_pair(audit)
    shades = LinearSegmentedColormap.from_list("differs", [SAME, DIFFERS])
    image = ax.imshow(table, cmap=shades, vmin=0, vmax=1, interpolation="nearest")
    ax.set(xlabel=x, ylabel=y)
    ax.set_title(said, fontsize=9, loc="left")
    step = max(1, n // 12)
    ax.set_xticks(range(0, n, step))
    ax.set_yticks(range(0, n, step))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    bar.outline.set_visible(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _by_slot(audit: Audit) -> tuple[Any, str, str, str]:
    n = len(audit.given)
    differ, tried = np.zeros((n, n)), np.zeros((n, n))
    for trial in audit.trials:
        slot = np.argsort(trial.order)
        differ[np.arange(n), slot] += trial.differs
        tried[np.arange(n), slot] += 1
    said = "Share of orders in which an item's own outcome differs"
    return _ratio(differ, tried), "place in the order", "item", said


def _by_pair(audit: Audit) -> tuple[Any, str, str, str]:
    n = len(audit.given)
    differ, tried = np.zeros((n, n)), np.zeros((n, n))
    for trial in audit.trials:
        slot = np.argsort(trial.order)
        before = slot[:, None] < slot[None, :]
        differ += before * bool(trial.differs.any())
        tried += before
    said = "Share of orders that differ, of those with item i before item j"
    return _ratio(differ, tried), "item j", "item i", said


def _ratio(differ: Any, tried: Any) -> Any:
    return np.divide(differ, tried, out=np.full(differ.shape, np.nan), where=tried > 0)


def _axes(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=150).add_subplot()


def svg(ax: Any) -> str:
    """The figure of the axes; the same bytes in each run."""
    import matplotlib as mpl

    image = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "parataxis", "svg.fonttype": "none"}):
        ax.figure.savefig(image, format="svg", metadata={"Date": None}, transparent=True)
    return image.getvalue()[image.getvalue().index("<svg") :]
