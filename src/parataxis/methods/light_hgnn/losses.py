"""What the student is taught by: the teacher's probabilities, of vertices and of reliable hyperedges."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.nn.sparse import Sparse

KL = ("standard", "original")
LEAST = 1e-30  # a mean of probabilities below it is taken for it: its logarithm is finite in float32


def check_kl(kl: str) -> None:
    if kl not in KL:
        raise BadInput(f"kl={kl!r}: expected one of {', '.join(KL)}")


def divergence(
    teacher: Float[Tensor, "row class"], log_student: Float[Tensor, "row class"], kl: str = "standard"
) -> Float[Tensor, " row"]:
    """The divergence of each row of the student's log-probabilities from the teacher's probabilities.

    "standard" is sum t (log t - log s), with 0 log 0 = 0; least at s = t. "original" is what the authors' code computes
    by telling the library that the target is in log space while it holds probabilities: sum exp(t) (t - log s), least
    at s proportional to exp(t), so that a sure teacher of C classes is answered with e / (e + C - 1) at most.
    """
    if kl == "original":
        return (teacher.exp() * (teacher - log_student)).sum(1)
    return (torch.special.xlogy(teacher, teacher) - teacher * log_student).sum(1)


def high_order(
    teacher_edges: Float[Tensor, "edge class"],
    student: Float[Tensor, "vertex class"],
    gather: Sparse,
    kept: Bool[Tensor, " edge"],
    kl: str = "standard",
) -> Float[Tensor, ""]:
    """L_ho: the mean divergence of the member means of the kept hyperedges; 0 if none is kept.

    teacher_edges: member means of the teacher's probabilities, the same in every step. gather: means over members.
    """
    log_edges = (gather @ student).clamp_min(LEAST).log()
    each = divergence(teacher_edges, log_edges, kl)
    return (each * kept).sum() / kept.sum().clamp_min(1)  # asks no device how many are kept
