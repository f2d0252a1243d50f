"""The figures of the commands: how reliable the hyperedges are, and which classes are taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.audit.plot import svg

INK, GREEN = "#1c1c1a", "#1e7145"


def _axes(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, height), layout="constrained").subplots()
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def reliability_histogram(rho: Float[np.ndarray, " edge"]) -> str:
    """SVG."""
    ax = _axes(5.0, 2.6)
    ax.hist(rho, bins=np.linspace(0, 1, 26), color=GREEN)
    ax.axvline(rho.mean(), color=INK, linewidth=1)
    ax.set_xlabel(f"reliability of {len(rho)} hyperedges, mean {rho.mean():.2f}", fontsize=8)
    ax.set_ylabel("hyperedges", fontsize=8)
    return svg(ax)


def confusion_matrix(table: Int[np.ndarray, "class class"], classes: Sequence[Any]) -> str:
    """SVG; colours are shares of the true class, numbers are vertices."""
    size = 1.6 + 0.45 * len(classes)
    ax = _axes(size, size)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    ax.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.6 else INK
        ax.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    names = [str(each) for each in classes]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("answered", fontsize=8)
    ax.set_ylabel("true", fontsize=8)
    return svg(ax)
