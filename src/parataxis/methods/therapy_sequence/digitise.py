"""A survival curve drawn and read off again, for studies: what a careful hand on a raster of pixels can know."""

import numpy as np
from jaxtyping import Float, Shaped

from parataxis.methods.therapy_sequence.curves import KMCurve

PIXELS = (1000, 700)  # of the two axes
ROWS = 8  # numbers at risk, at even times from 0 to the end of the axis


def digitise(
    time: Shaped[np.ndarray, " patient"],
    event: Shaped[np.ndarray, " patient"],
    end: int | float,
    pixels: tuple[int, int] = PIXELS,
    rows: int = ROWS,
) -> tuple[KMCurve, Float[np.ndarray, "row 2"]]:
    """A point a drop, at the nearest pixel of an axis from 0 to `end`; and `rows` numbers at risk."""
    drawn = KMCurve.of(time, event)
    seen = drawn.time <= end
    pixel = end / pixels[0]
    when = np.round(drawn.time[seen] / pixel) * pixel
    survival = np.round(drawn.survival[seen] * pixels[1]) / pixels[1]
    table_times = np.linspace(0, end, rows)
    at_risk = len(time) - np.searchsorted(np.sort(np.asarray(time, float)), table_times, side="left")
    return KMCurve.clean(np.r_[when, end], np.r_[survival, survival[-1]]), np.column_stack([table_times, at_risk])
