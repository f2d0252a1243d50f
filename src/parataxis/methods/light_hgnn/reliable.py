"""Which hyperedges a teacher is sure of: those whose mean entropy noise in the features hardly moves."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.model import Features
from parataxis.nn.sparse import Sparse

NOISE = ("multiplicative", "original")


def entropy(probabilities: Float[Tensor, "vertex class"]) -> Float[Tensor, " vertex"]:
    """- sum p log p in nats, with 0 log 0 = 0."""
    return -torch.special.xlogy(probabilities, probabilities).sum(1)


def perturbed(
    x: Features, draws: Float[np.ndarray, "..."], level: float = 1.0, noise: str = "multiplicative"
) -> Features:
    """X * (1 + level * draws), elementwise; "original" is level * X * (1 + draws), as in the authors' code.

    draws: standard normal, one a value of a dense X, one a stored value of a Sparse in the order of its rows; where X
    is 0 the noise is 0 as well.
    """
    if noise not in NOISE:
        raise BadInput(f"noise={noise!r}: expected one of {', '.join(NOISE)}")
    factor = 1 + level * draws if noise == "multiplicative" else level * (1 + draws)
    if isinstance(x, Sparse):
        return x.scaled(factor)
    return x * torch.from_numpy(factor).to(x)


def reliability(
    logits: Callable[[Features], Float[Tensor, "vertex class"]],
    x: Features,
    noisy: Features,
    gather: Sparse,
) -> Float[Tensor, " edge"]:
    """rho_e = 1 - delta_e / max delta; delta_e: how far the noise moves the mean entropy of e.

    logits: of the trained teacher, in eval mode, whatever it is. gather: means over members. If nothing moves at all,
    every hyperedge is reliable; if all move by the same, none is, as the formula has it. NaN where the teacher's
    answers under this noise are no numbers.
    """
    with torch.no_grad():
        before, after = (entropy(logits(each).softmax(1))[:, None] for each in (x, noisy))
        moved = (gather @ after - gather @ before).squeeze(1).abs()
        most = moved.max()
        return torch.where(most == 0, torch.ones_like(moved), 1 - moved / most)  # asks no device whether it is
