"""The figures of the study of curves."""

import numpy as np
from jaxtyping import Float

from parataxis.audit.plot import svg
from parataxis.claims import Figure

INK, GREEN, RED, PALE = "#1c1c1a", "#1e7145", "#a3341f", "#8d8a83"


def event_types(told: dict[str, tuple[float, float, float, float, float]]) -> Figure:
    """For each group the true share of deaths, the mixture's with its interval, and the matching's."""
    from matplotlib.figure import Figure as Canvas

    ax = Canvas(figsize=(6.4, 1.1 + 0.3 * len(told)), layout="constrained").subplots()
    for place, (truth, mixture, low, high, match) in enumerate(told.values()):
        ax.plot([low, high], [place, place], color=GREEN, linewidth=2, alpha=0.5)
        ax.plot(mixture, place, "o", color=GREEN, markersize=5, label="mixture, 95 %" if not place else None)
        ax.plot(match, place, "x", color=RED, markersize=6, label="matching" if not place else None)
        ax.plot(truth, place, "|", color=INK, markersize=11, markeredgewidth=2, label="truth" if not place else None)
    ax.set_yticks(range(len(told)), list(told), fontsize=8)
    ax.set_xlim(0, None)
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.set_xlabel("share of the events of a progression-free curve that are deaths", fontsize=8)
    ax.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    caption = "Deaths among events, told from two pictures of 1,000 pixels, and the truth."
    return Figure("event-types", svg(ax).encode(), caption)


def ratios(published: Float[np.ndarray, " trial"], found: Float[np.ndarray, " trial"]) -> Figure:
    """The published hazard ratios against those of the rebuilt patients, with lines at 10 % to either side."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import NullFormatter

    ax = Canvas(figsize=(4.4, 4.2), layout="constrained").subplots()
    ends = np.array([min(published.min(), found.min()) / 1.1, max(published.max(), found.max()) * 1.1])
    ax.plot(ends, ends, color=INK, linewidth=0.8)
    for factor in (1 / 1.1, 1.1):
        ax.plot(ends, ends * factor, color=PALE, linewidth=0.8, linestyle="--")
    ax.plot(published, found, ".", color=GREEN, markersize=5, alpha=0.6)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    marks = [each for each in (0.25, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 4.0) if ends[0] <= each <= ends[1]]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(marks, [f"{each:g}" for each in marks], fontsize=8)
        axis.set_minor_formatter(NullFormatter())
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("published hazard ratio", fontsize=8)
    ax.set_ylabel("of patients read off and rebuilt", fontsize=8)
    caption = "Hazard ratios of the trials; dashed: 10 % to either side."
    return Figure("hazard-ratios", svg(ax).encode(), caption)
