"""Ways to answer which class a vertex has, timed for all vertices, for one that is known, and for one that is new.

All ways have the same teacher's weights and give its logits, but for the student, which gives its own.
"""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.student import Student
from parataxis.nn.hypergraph import Hypergraph

SITUATIONS = ("all vertices", "one known vertex", "one new vertex")
MOST_NONZEROS = 100_000_000  # of a Laplacian that is made for comparison: 0.8 GB and more
Answer = Callable[[], Any]


@dataclass(frozen=True)
class Contestant:
    """A way. begin: what is made once, and gives the answers to the three situations; None where it has none."""

    name: str
    begin: Callable[[], dict[str, Answer]]


@dataclass(frozen=True)
class Timing:
    """Seconds. median, high: of the runs, and their 95 % point."""

    way: str
    situation: str
    setup: float
    median: float
    high: float
    runs: int


@dataclass(frozen=True)
class Teacher:
    """An HGNN's weights in NumPy, and its hypergraph, in float32."""

    hypergraph: Hypergraph
    x: Any  # CSR, or dense
    first: tuple[Any, Any]
    second: tuple[Any, Any]

    @classmethod
    def random(cls, hypergraph: Hypergraph, x: Any, hidden: int, classes: int, rng: np.random.Generator) -> "Teacher":
        """Weights as at the start of training: what they are changes no time."""

        def linear(rows: int, columns: int) -> tuple[Any, Any]:
            scale = rows**-0.5
            weight = rng.uniform(-scale, scale, (rows, columns)).astype(np.float32)
            return weight, rng.uniform(-scale, scale, columns).astype(np.float32)

        return cls(hypergraph.with_singletons(), x, linear(x.shape[1], hidden), linear(hidden, classes))

    def factors(self) -> tuple[Any, Any]:
        """D_e^-1 H' D_v^-1/2 and D_v^-1/2 H W, CSR."""
        from scipy.sparse import csr_array, diags_array

        incidence = self.hypergraph.incidence()
        root = diags_array(self.hypergraph.degrees**-0.5)
        gather = diags_array(1 / self.hypergraph.sizes) @ incidence.T @ root
        scatter = root @ incidence @ diags_array(self.hypergraph.weights)
        return csr_array(gather, dtype=np.float32), csr_array(scatter, dtype=np.float32)


def factorised(teacher: Teacher, vertex: int) -> Contestant:
    """A full pass H(H'X), in torch; for one vertex it is the same pass."""

    def begin() -> dict[str, Answer]:
        import torch

        from parataxis.nn.incidence import hgnn

        through, tensors = hgnn(teacher.hypergraph), _tensors(teacher)

        def answer() -> Any:
            with torch.inference_mode():
                hidden = through(_linear(*tensors[:3])).relu()
                return through(hidden @ tensors[3] + tensors[4])

        return dict.fromkeys(("all vertices", "one known vertex", "one new vertex"), answer)

    return Contestant("HGNN, factorised", begin)


def materialised(teacher: Teacher, vertex: int) -> Contestant:
    """The vertex-by-vertex Laplacian is made once, and multiplied with."""

    def begin() -> dict[str, Answer]:
        import warnings

        import torch

        gather, scatter = teacher.factors()
        product = scatter @ gather
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support", category=UserWarning)
            laplacian = torch.sparse_csr_tensor(
                torch.from_numpy(product.indptr.astype(np.int64)),
                torch.from_numpy(product.indices.astype(np.int64)),
                torch.from_numpy(product.data),
                product.shape,
                check_invariants=False,
            )
        tensors = _tensors(teacher)

        def answer() -> Any:
            with torch.inference_mode():
                hidden = (laplacian @ _linear(*tensors[:3])).relu()
                return laplacian @ (hidden @ tensors[3] + tensors[4])

        return dict.fromkeys(("all vertices", "one known vertex", "one new vertex"), answer)

    return Contestant("HGNN, Laplacian", begin)


def local(teacher: Teacher, vertex: int) -> Contestant:
    """Only what is within two hyperedges of the vertex, in scipy; the degrees are cached."""

    def begin() -> dict[str, Answer]:
        gather, scatter = teacher.factors()
        x, (a, a_bias), (b, b_bias) = teacher.x, teacher.first, teacher.second

        def answer() -> Any:
            edges = scatter[[vertex]]
            near_edges = gather[edges.indices]
            near = np.unique(near_edges.indices)
            far_edges = np.unique(scatter[near].indices)
            far_gather = gather[far_edges]
            far = np.unique(far_gather.indices)
            reached = far_gather[:, far] @ (x[far] @ a + a_bias)
            hidden = np.maximum(scatter[near][:, far_edges] @ reached, 0)
            return (edges.data @ (near_edges[:, near] @ (hidden @ b + b_bias)))[None]

        return {"one known vertex": answer, "one new vertex": answer}

    return Contestant("HGNN, two hyperedges around", begin)


def cached(teacher: Teacher, vertex: int) -> Contestant:
    """A table of answers; whoever is new has none, and the table must be made anew."""

    def begin() -> dict[str, Answer]:
        every = factorised(teacher, vertex).begin()["all vertices"]
        table = every().numpy()
        return {"all vertices": lambda: table, "one known vertex": lambda: table[vertex], "one new vertex": every}

    return Contestant("HGNN, cached logits", begin)


def student_numpy(student: Student, x: Any, vertex: int) -> Contestant:
    """The student in NumPy: rows as they are, dense or sparse."""

    def begin() -> dict[str, Answer]:
        row = x[[vertex]]
        if hasattr(row, "indices"):
            columns, values = row.indices.copy(), row.data.copy()
            one: Answer = partial(student.one_sparse, columns, values)
        else:
            dense = np.ascontiguousarray(row[0])
            one = partial(student.one, dense)
        return {
            "all vertices": lambda: (
                np.maximum(x @ student.a_weight + student.a_bias, 0) @ student.b_weight + student.b_bias
            ),
            "one known vertex": one,
            "one new vertex": one,
        }

    return Contestant("student, NumPy", begin)


def student_torch(student: Student, x: Any, vertex: int) -> Contestant:
    """The student in torch, BatchNorm folded: addmm, clamp, addmm; of a sparse row what is not 0."""

    def begin() -> dict[str, Answer]:
        import torch

        from parataxis.nn.sparse import Sparse

        parts = (student.a_weight, student.a_bias, student.b_weight, student.b_bias)
        a, a_bias, b, b_bias = (torch.from_numpy(each) for each in parts)
        sparse = hasattr(x, "indices")
        every = Sparse(x) if sparse else torch.from_numpy(x)
        row = x[[vertex]]
        columns = torch.from_numpy(row.indices.astype(np.int64)) if sparse else None
        values = torch.from_numpy(row.data[None] if sparse else row)

        def all_vertices() -> Any:
            with torch.inference_mode():
                return torch.addmm(b_bias, (every @ a + a_bias).clamp_min_(0), b)

        def one() -> Any:
            with torch.inference_mode():
                weights = a if columns is None else a.index_select(0, columns)
                return torch.addmm(b_bias, torch.addmm(a_bias, values, weights).clamp_min_(0), b)

        return {"all vertices": all_vertices, "one known vertex": one, "one new vertex": one}

    return Contestant("student, torch", begin)


def contestants(teacher: Teacher, student: Student, vertex: int) -> list[Contestant]:
    """Every way of this package. The Laplacian is left out where it would not fit."""
    from parataxis.methods.light_hgnn.work import laplacian_size

    ways = [factorised, local, cached]
    if laplacian_size(teacher.hypergraph) <= MOST_NONZEROS:
        ways.insert(0, materialised)
    found = [way(teacher, vertex) for way in ways]
    return [*found, student_numpy(student, teacher.x, vertex), student_torch(student, teacher.x, vertex)]


def check_seconds(seconds: float) -> None:
    if not seconds > 0:
        raise BadInput(f"seconds={seconds}: must be above 0")


def timed(contestant: Contestant, seconds: float = 1.0, most: int = 2000) -> Iterator[Timing]:
    """Each situation again and again, for so many seconds or runs, after a warm-up, the garbage collector off.

    One answer to several situations is timed once.
    """
    check_seconds(seconds)
    begun = time.perf_counter()
    answers = contestant.begin()
    setup = time.perf_counter() - begun
    enabled = gc.isenabled()
    gc.disable()
    known: dict[Answer, Float[np.ndarray, " run"]] = {}
    try:
        for situation in SITUATIONS:
            if (answer := answers.get(situation)) is not None:
                if answer not in known:
                    known[answer] = _runs(answer, seconds, most)
                runs = known[answer]
                high = float(np.quantile(runs, 0.95))
                yield Timing(contestant.name, situation, setup, float(np.median(runs)), high, len(runs))
    finally:
        if enabled:
            gc.enable()


def _runs(answer: Answer, seconds: float, most: int) -> Float[np.ndarray, " run"]:
    for _ in range(3):
        answer()
    runs: list[float] = []
    until = time.perf_counter() + seconds
    while len(runs) < 3 or (time.perf_counter() < until and len(runs) < most):
        begun = time.perf_counter()
        answer()
        runs.append(time.perf_counter() - begun)
    return np.array(runs)


def _tensors(teacher: Teacher) -> list[Any]:
    import torch

    from parataxis.nn.sparse import Sparse

    x = Sparse(teacher.x) if hasattr(teacher.x, "indptr") else torch.from_numpy(teacher.x)
    return [x, *(torch.from_numpy(each) for each in (*teacher.first, *teacher.second))]


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight + bias
