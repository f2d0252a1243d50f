"""The figures: a training, the error over time, fields beside each other, the paths of the latents."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.methods.phi_rom.reports import Evaluation
from parataxis.methods.phi_rom.snapshots import Snapshots

INK, SOFT, GREEN = "#1c1c1a", "#8d8a83", "#1e7145"
COLOURS = ("#1e7145", "#b3261e", "#4a6fa5", "#a8731f", "#6b4c8a", "#2f8f9d", "#8d8a83", "#1c1c1a")
SHOWN = 8  # latents, trajectories or times that are told apart


def axes(width: float, height: float, columns: int = 1, rows: int = 1) -> Any:
    """One axes, or an array of them [row, column]."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    found = figure.subplots(rows, columns, squeeze=False)
    for ax in found.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    return found if found.size > 1 else found[0, 0]


def png(ax: Any) -> bytes:
    image = io.BytesIO()
    figure = (ax.flat[0] if isinstance(ax, np.ndarray) else ax).figure
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def training(history: Sequence[Mapping[str, Any]]) -> Any:
    """Both losses, and the condition of the Jacobian, by step."""
    left, right = axes(7.6, 2.8, columns=2)[0]
    steps = [row["step"] for row in history]
    for name, colour in (("reconstruction", GREEN), ("dynamics", COLOURS[1])):
        left.semilogy(steps, [row[name] for row in history], color=colour, linewidth=1.5, label=name)
    right.semilogy(
        steps, [row["condition"] for row in history], color=INK, linewidth=1.5, label="condition of the basis"
    )
    right.semilogy(steps, [row["latent norm"] for row in history], color=SOFT, linewidth=1.5, label="norm of a latent")
    for ax in (left, right):
        ax.set_xlabel("step", fontsize=8)
        ax.legend(frameon=False, fontsize=7)
    return np.array([[left, right]])


def error_over_time(found: Evaluation, others: Mapping[str, Float[np.ndarray, " time"]] | None = None) -> Any:
    """The mean error at each time, its range over trajectories, the decoder's floor, and where training ended.

    others: more curves by name, as of other models.
    """
    ax = axes(6.4, 3.2)
    each = found.errors.mean(2)
    ax.fill_between(found.t, each.min(0), each.max(0), color=GREEN, alpha=0.14, linewidth=0)
    ax.plot(found.t, each.mean(0), color=GREEN, linewidth=1.6, label="forecast, with the range over trajectories")
    ax.plot(
        found.t, found.floor.mean((0, 2)), color=SOFT, linewidth=1.4, linestyle="--", label="best fit of the decoder"
    )
    for number, (name, curve) in enumerate((others or {}).items()):
        ax.plot(found.t, curve, color=COLOURS[1 + number % (len(COLOURS) - 1)], linewidth=1.4, label=name)
    if not found.trained.all():
        ax.axvline(found.span, color=INK, linewidth=0.8, linestyle=":")
        ax.annotate("T_tr", (found.span, 1), (3, -8), ("data", "axes fraction"), "offset points", fontsize=8, color=INK)
    ax.set_yscale("log")
    ax.set_xlabel("time since the observation", fontsize=8)
    ax.set_ylabel("relative error", fontsize=8)
    ax.legend(frameon=False, fontsize=7)
    return ax


def curves(
    t: Float[np.ndarray, " time"], found: Mapping[str, Float[np.ndarray, "seed time"]], span: float | None = None
) -> Any:
    """The median error over time of some models, a range about the first; a dotted line where training ended."""
    ax = axes(6.4, 3.2)
    for number, (name, each) in enumerate(found.items()):
        colour = COLOURS[number % len(COLOURS)]
        if number == 0:
            ax.fill_between(t, each.min(0), each.max(0), color=colour, alpha=0.14, linewidth=0)
        ax.plot(t, np.median(each, axis=0), color=colour, linewidth=1.6 if number == 0 else 1.2, label=name)
    if span is not None and t[-1] > span:
        ax.axvline(span, color=INK, linewidth=0.8, linestyle=":")
        ax.annotate("T_tr", (span, 1), (3, -8), ("data", "axes fraction"), "offset points", fontsize=8, color=INK)
    ax.set_yscale("log")
    ax.set_xlabel("time", fontsize=8)
    ax.set_ylabel("relative error", fontsize=8)
    ax.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def fields(
    data: Snapshots,
    forecast: Float[np.ndarray, "time channel point"],
    times: Int[np.ndarray, " shown"],
    trajectory: int = 0,
    channel: int = 0,
) -> Any:
    """A trajectory of `data` above its forecast at some times; in one dimension, as curves."""
    truth, found = data.u[trajectory, :, channel], forecast[:, channel]
    if data.coords.shape[1] == 1:
        return _curves(data, truth, found, times)
    rows = {"data": truth, "forecast": found, "error": found - truth}
    grid = axes(1.6 * len(times) + 0.8, 4.8, columns=len(times), rows=len(rows))
    grid = np.reshape(grid, (len(rows), len(times)))
    low, high = truth[times].min(), truth[times].max()
    width = max(float(np.abs((found - truth)[times]).max()), 1e-12)
    for row, (name, values) in enumerate(rows.items()):
        limits = (-width, width) if name == "error" else (low, high)
        for column, time in enumerate(times):
            ax = grid[row, column]
            _field(ax, data, values[time], limits, "PRGn" if name == "error" else "viridis")
            if row == 0:
                ax.set_title(f"t = {data.t[time]:.3g}", fontsize=8)
            if column == 0:
                ax.set_ylabel(name, fontsize=8)
    return grid


def _curves(data: Snapshots, truth: Any, found: Any, times: Any) -> Any:
    ax = axes(6.4, 3.2)
    order, x = np.argsort(data.coords[:, 0]), np.sort(data.coords[:, 0])
    for number, time in enumerate(times):
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(x, truth[time][order], color=colour, linewidth=3, alpha=0.25)
        ax.plot(x, found[time][order], color=colour, linewidth=1.2, label=f"t = {data.t[time]:.3g}")
    ax.set_xlabel("x; broad: data, narrow: forecast", fontsize=8)
    ax.legend(frameon=False, fontsize=7)
    return ax


def _field(ax: Any, data: Snapshots, values: Any, limits: tuple[float, float], colours: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    if data.gridded and len(data.shape) == 2:
        assert data.grid is not None
        x, y = data.grid
        box = (x[0], x[-1], y[0], y[-1])
        ax.imshow(
            values.reshape(data.shape).T, origin="lower", extent=box, vmin=limits[0], vmax=limits[1], cmap=colours
        )
    else:  # scattered, or of three dimensions seen from above
        ax.scatter(data.coords[:, 0], data.coords[:, 1], c=values, s=4, vmin=limits[0], vmax=limits[1], cmap=colours)
        ax.set_aspect("equal")


def latent_paths(
    path: Float[np.ndarray, "trajectory time k"], t: Float[np.ndarray, " time"], span: float | None = None
) -> Any:
    """The largest latents over time, a line a trajectory; a dotted line where training ended."""
    size = np.square(path).mean((0, 1))
    shown = np.sort(np.argsort(-size)[:SHOWN])
    ax = axes(6.4, 3.2)
    for number, latent in enumerate(shown):
        for trajectory in path[:SHOWN]:
            ax.plot(t, trajectory[:, latent], color=COLOURS[number % len(COLOURS)], linewidth=0.8, alpha=0.7)
        ax.plot([], [], color=COLOURS[number % len(COLOURS)], label=f"latent {latent}")
    if span is not None and t[-1] > span:
        ax.axvline(span, color=INK, linewidth=0.8, linestyle=":")
    ax.set_xlabel("time since the observation", fontsize=8)
    ax.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
