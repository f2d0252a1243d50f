"""The error that the paper reports: relative, of each field by itself, then a mean."""

import numpy as np
from jaxtyping import Float

FLOOR = 1e-3  # of the root mean square of all norms of a channel: a field with a smaller norm is divided by that


def errors(
    found: Float[np.ndarray, "trajectory time channel point"], u: Float[np.ndarray, "trajectory time channel point"]
) -> Float[np.ndarray, "trajectory time channel"]:
    """||found - u|| / ||u|| over the points of one channel at one time; a field of zeros is divided by a floor."""
    norms = np.linalg.norm(u.astype(np.float64), axis=-1)
    return np.linalg.norm(found.astype(np.float64) - u, axis=-1) / np.maximum(norms, _floor(norms))


def rnmse(
    found: Float[np.ndarray, "trajectory time channel point"], u: Float[np.ndarray, "trajectory time channel point"]
) -> float:
    """The mean of `errors` over times, channels and trajectories."""
    return float(errors(found, u).mean())


def floors(u: Float[np.ndarray, "trajectory time channel point"]) -> Float[np.ndarray, " channel"]:
    """What a smaller norm of a field is replaced by, in training as here."""
    return _floor(np.linalg.norm(u.astype(np.float64), axis=-1)).reshape(-1)


def _floor(norms: Float[np.ndarray, "trajectory time channel"]) -> Float[np.ndarray, "1 1 channel"]:
    typical = FLOOR * np.sqrt(np.square(norms).mean((0, 1), keepdims=True))
    return np.where(typical > 0, typical, 1.0)
