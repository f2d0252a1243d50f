"""The pictures of the commands: a curve and its rebuilt patients, what events are, how incidences go on."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.audit.plot import svg
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.events import EventTypes
from parataxis.methods.therapy_sequence.incidence import CIF

INK, GREEN, RED, PALE = "#1c1c1a", "#1e7145", "#a3341f", "#c9c7bf"


def _axes(count: int = 1) -> list[Any]:
    from matplotlib.figure import Figure

    drawn = np.atleast_1d(Figure(figsize=(5.2 * count, 3.2), layout="constrained").subplots(1, count, squeeze=False)[0])
    for ax in drawn:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("time", fontsize=8)
    return list(drawn)


def overlay(curve: KMCurve, patients: pd.DataFrame, at_risk: Float[np.ndarray, "row 2"]) -> str:
    """SVG: the clicked points, the Kaplan-Meier curve of the rebuilt patients, and the numbers at risk below."""
    (ax,) = _axes()
    rebuilt = KMCurve.of(patients["time"].to_numpy(), patients["event"].to_numpy())
    ax.plot(curve.time, curve.survival, ".", color=PALE, markersize=4, label="points")
    end = np.r_[rebuilt.time, max(patients["time"].max(), rebuilt.time[-1])]
    ax.step(end, np.r_[rebuilt.survival, rebuilt.survival[-1]], where="post", color=GREEN, linewidth=1, label="rebuilt")
    gone = patients["time"][patients["event"] == 0].to_numpy()
    ax.plot(gone, rebuilt.at(gone), "|", color=GREEN, markersize=4, markeredgewidth=0.5, label="censored")
    for time, number in at_risk:
        ax.annotate(f"{number:.0f}", (time, 0.02), fontsize=7, color=INK, ha="left" if time == 0 else "center")
    ax.set_ylabel("survival; at risk below", fontsize=8)
    ax.legend(fontsize=7, frameon=False)
    return svg(ax)


def kinds(types: EventTypes, cif: CIF) -> str:
    """SVG: the cumulative incidences, and how likely each event is a death."""
    left, right = _axes(2)
    time = np.r_[cif.time, cif.followed]
    for values, colour, name in ((cif.progression, INK, "progression"), (cif.death, RED, "death without it")):
        left.step(time, np.r_[values, values[-1]], where="post", color=colour, linewidth=1, label=name)
    left.set_ylabel("cumulative incidence", fontsize=8)
    left.set_xlabel(f"time, {cif.unit}", fontsize=8)
    left.legend(fontsize=7, frameon=False)
    events = types.event == 1
    right.plot(types.time[events], types.death[events], ".", color=RED, markersize=3)
    right.set_ylabel("probability that the event is a death", fontsize=8)
    right.set_xlabel(f"time, {cif.unit}", fontsize=8)
    return svg(left)


def tails(incidence: pd.DataFrame) -> str:
    """SVG: incidences by cycle, the data's drawn, the tail's dashed. incidence: columns as `fit` writes them."""
    (ax,) = _axes()
    for name, colour in (("progression", INK), ("death", RED)):
        for source, style in (("data", "-"), ("tail", "--")):
            chosen = incidence[incidence["from"] == source]
            if not len(chosen):
                continue
            if source == "tail":
                chosen = incidence.loc[chosen.index[0] - 1 :]
            ax.plot(chosen["cycle"], chosen[name], style, color=colour, linewidth=1, label=f"{name}, {source}")
    ax.set_xlabel("cycle", fontsize=8)
    ax.set_ylabel("cumulative incidence", fontsize=8)
    ax.legend(fontsize=7, frameon=False)
    return svg(ax)
