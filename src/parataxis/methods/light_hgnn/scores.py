"""How good predictions are, how sure that is, and how smooth embeddings are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from parataxis.audit.statistics import student
from parataxis.nn.sparse import Sparse

Labels = Int[np.ndarray, " vertex"]
Probabilities = Float[np.ndarray, "vertex class"]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student's t)."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        found = np.asarray(values, float)
        return cls(*student(found), len(found))

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def confusion(truth: Labels, said: Labels, classes: int) -> Int[np.ndarray, "class class"]:
    """How many vertices of each true class (rows) are said to be of each class."""
    return np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes)


def accuracy(truth: Labels, said: Labels) -> float:
    """The share that is right; for one label a vertex this is micro-F1 as well."""
    return float(np.mean(truth == said))


def macro_f1(truth: Labels, said: Labels, classes: int) -> float:
    """The mean over classes of 2 right / (true + said); 0 for a class that is neither."""
    table = confusion(truth, said, classes)
    both = table.sum(0) + table.sum(1)
    return float(np.mean(2 * np.diag(table) / np.maximum(both, 1)))


def calibration_error(truth: Labels, probabilities: Probabilities, bins: int = 15) -> float:
    """Expected calibration error: |accuracy - confidence| averaged over bins of equal width of the confidence."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    places = np.minimum((sure * bins).astype(int), bins - 1)
    gap = np.bincount(places, right - sure, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def topology_score(embeddings: Float[Tensor, "vertex d"], gather: Sparse) -> float:
    """The mean over hyperedges of the mean over members of ||z_v - z_e||, z_e the member mean: lower is smoother.

    gather: means over members. Raw values depend on the scale of the embeddings.
    """
    sizes = gather.offsets.diff()
    centres = (gather @ embeddings).repeat_interleave(sizes, 0)
    apart = (embeddings[gather.columns] - centres).norm(dim=1)
    return float((apart / sizes.repeat_interleave(sizes)).sum() / len(sizes))


def relative_topology_score(embeddings: Float[Tensor, "vertex d"], gather: Sparse) -> float:
    """The same over the mean norm of the vertices, so that two networks can be compared."""
    return topology_score(embeddings, gather) / float(embeddings.norm(dim=1).mean())
