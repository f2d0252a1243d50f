"""Figures of a comparison, as SVG: plane, acceptability, survival, states, tornado, the ridge of a calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from parataxis.audit.plot import svg
from parataxis.methods.therapy_sequence.economics import Draws

COLOURS = ("#1e7145", "#b3552e", "#4a6fa5", "#8a6100", "#7b4ea8", "#66645f")
SOFT, INK = "#8d8a83", "#1c1c1a"
STATES = ("#1e7145", "#7fb893", "#cfe3d6", "#4a6fa5", "#8fa9cc", "#d3deec", "#7b4ea8", "#b79ad6", "#e2d6f0")
PAST, DEAD = "#d08a3e", "#e8e5df"
MOST = 12  # bars of a tornado


def _axes(width: float = 6.4, height: float = 4.0) -> Any:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def plane(draws: Draws, strategy: str, against: str, thresholds: Sequence[float], currency: str) -> str:
    """Differences in cost and QALYs, a point a draw, and the thresholds as lines."""
    ax, table = _axes(), draws.plane(strategy, against)
    x, y = table["d_qaly"].to_numpy(), table["d_cost"].to_numpy()
    ax.axhline(0, color=SOFT, linewidth=0.8)
    ax.axvline(0, color=SOFT, linewidth=0.8)
    ax.plot(x, y, "o", markersize=2.6, color=COLOURS[0], alpha=0.35, markeredgewidth=0, rasterized=False)
    ax.plot(x.mean(), y.mean(), "D", markersize=6, color=INK, zorder=4)
    ax.set_xlim(*_around(x))
    ax.set_ylim(*_around(y))
    ends = np.array(ax.get_xlim())
    for threshold in thresholds:
        ax.plot(ends, threshold * ends, "--", linewidth=0.9, color=COLOURS[1], scalex=False, scaley=False)
        _label(ax, threshold, ends)
    ax.set_xlabel(f"QALYs: {strategy} less {against}", fontsize=9)
    ax.set_ylabel(f"cost{f', {currency}' if currency else ''}", fontsize=9)
    _thousands(ax.yaxis)
    return svg(ax)


def _around(values: Any) -> tuple[float, float]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.08 * (high - low or 1.0)
    return low - room, high + room


def _label(ax: Any, threshold: float, ends: Any) -> None:
    """Where the line leaves the picture, on the right or at the top."""
    top = ax.get_ylim()[1]
    above = threshold > 0 and threshold * ends[1] > top
    x = top / threshold if above else ends[1]
    away = {"xytext": (0, 3), "ha": "center"} if above else {"xytext": (3, 0), "va": "center"}
    words = {"textcoords": "offset points", "fontsize": 7, "color": COLOURS[1], "annotation_clip": False}
    ax.annotate(f"{threshold:,.0f}", (x, threshold * x), **away, **words)


def acceptability(table: pd.DataFrame, names: Sequence[str], currency: str) -> str:
    """Probability to be best by threshold; the frontier is drawn thick."""
    ax = _axes()
    for place, name in enumerate(names):
        ax.plot(table["threshold"], table[name], color=COLOURS[place % len(COLOURS)], linewidth=1.4, label=name)
    ax.plot(table["threshold"], table["frontier"], color=INK, linewidth=3, alpha=0.25, label="frontier (CEAF)")
    ax.set(ylim=(0, 1.02))
    ax.set_xlabel(f"willingness to pay for a QALY{f', {currency}' if currency else ''}", fontsize=9)
    ax.set_ylabel("probability to be best", fontsize=9)
    _thousands(ax.xaxis)
    ax.legend(frameon=False, fontsize=8)
    return svg(ax)


def evpi(table: pd.DataFrame, currency: str) -> str:
    """Value of perfect information by threshold, with a 95 % band over draws."""
    ax = _axes(height=2.8)
    ax.plot(table["threshold"], table["evpi"], color=COLOURS[2], linewidth=1.6)
    low, high = table["evpi"] - 1.96 * table["error"], table["evpi"] + 1.96 * table["error"]
    ax.fill_between(table["threshold"], low, high, color=COLOURS[2], alpha=0.2, linewidth=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("willingness to pay for a QALY", fontsize=9)
    ax.set_ylabel(f"EVPI a patient{f', {currency}' if currency else ''}", fontsize=9)
    _thousands(ax.xaxis)
    _thousands(ax.yaxis)
    return svg(ax)


def survival(alive: dict[str, Any], trials: dict[str, Any]) -> str:
    """Overall survival of each strategy by cycle, over the trial it should match, where there is one."""
    ax = _axes()
    for place, (name, curve) in enumerate(alive.items()):
        colour = COLOURS[place % len(COLOURS)]
        ax.plot(np.arange(len(curve)), curve, color=colour, linewidth=1.8, label=name)
        if name in trials:
            trial = trials[name]
            ax.step(
                np.arange(len(trial)), trial, ":", where="post", color=colour, linewidth=1.6, label=f"{name}: trial"
            )
    ax.set(ylim=(0, 1.02), xlim=(0, None))
    ax.set_xlabel("cycle", fontsize=9)
    ax.set_ylabel("alive", fontsize=9)
    ax.legend(frameon=False, fontsize=8)
    return svg(ax)


def states(trace: pd.DataFrame, name: str) -> str:
    """Share of patients in each state by cycle, one over the other."""
    ax = _axes(height=3.0)
    lines = len(trace.columns) - 2
    colours = [*(STATES[n % len(STATES)] for n in range(lines)), PAST, DEAD]
    ax.stackplot(trace.index, trace.to_numpy().T, labels=list(trace.columns), colors=colours, linewidth=0)
    ax.set(ylim=(0, 1), xlim=(0, trace.index[-1]))
    ax.set_xlabel("cycle", fontsize=9)
    ax.set_title(name, fontsize=9, loc="left")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return svg(ax)


def tornado(table: pd.DataFrame, threshold: float, pair: str, currency: str) -> str:
    """Difference in net benefit with one number at a time at its ends."""
    shown = table.head(MOST)
    ax = _axes(height=0.9 + 0.27 * len(shown))
    base = shown["base"].to_numpy(float)
    for column, colour in (("at_low", COLOURS[2]), ("at_high", COLOURS[1])):
        ax.barh(range(len(shown)), shown[column].to_numpy(float) - base, left=base, color=colour, height=0.6)
    ax.axvline(0, color=SOFT, linewidth=0.8, linestyle="--")
    if len(shown):
        ax.axvline(shown["base"].iloc[0], color=INK, linewidth=0.9)
    ax.set_yticks(range(len(shown)), shown["parameter"], fontsize=7)
    ax.invert_yaxis()
    _thousands(ax.xaxis)
    unit = f", {currency}" if currency else ""
    ax.set_xlabel(f"net benefit at {threshold:,.0f} a QALY{unit}: {pair}", fontsize=8)
    ax.set_title("at the low (blue) and high (red) end of its 95 % interval", fontsize=8, loc="left", color=SOFT)
    return svg(ax)


def ridge(profile: pd.DataFrame, best: float, name: str) -> str:
    """The best squared error at each tau, or theta: flat where the trial does not tell."""
    ax = _axes(height=2.6)
    key = profile.columns[0]
    ax.plot(profile[key], profile["error"], "o-", markersize=3, color=COLOURS[2], linewidth=1.2)
    ax.axhline(best, color=SOFT, linewidth=0.8, linestyle="--")
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(lambda *_: "")
    ax.set_xlabel({"until": "tau, cycles"}.get(key, key), fontsize=9)
    ax.set_ylabel("squared error", fontsize=9)
    ax.set_title(name, fontsize=9, loc="left")
    return svg(ax)
