"""How long a hypergraph network and its student take to answer, against the ways in which it can be done.

    python benchmarks/light_hgnn.py --folder peers           all; the peers' environment is kept in `peers`
    python benchmarks/light_hgnn.py --only dblp_term --no-peers

Five baselines (DHG 0.9.7 cold and warm, a factorised full pass, a local pass around the query, cached logits), with
torch-geometric's HypergraphConv and a materialised Laplacian beside them, in three situations: all vertices, one known
vertex, one new vertex (its features are new; if its memberships are, set-up comes on top). One thread, the same weights
for all, the same answers (checked to 1e-4), duplicates merged since DHG can't keep them. 32 hidden units in the
teachers, 128 in the student, as in the paper. Every ratio names what it is over. Peak memory: of set-up and one answer,
over what a process that has done so before holds. Prints Markdown: the three tables of benchmarks/README.md.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array

from parataxis import data
from parataxis.methods.light_hgnn.contest import SITUATIONS, Contestant, Teacher, contestants, timed
from parataxis.methods.light_hgnn.dataset import read_dataset, unit_rows
from parataxis.methods.light_hgnn.model import HGNN, HGNNPlus, VertexMLP
from parataxis.methods.light_hgnn.student import Student
from parataxis.methods.light_hgnn.work import CLASSES, DIMENSION, N, laplacian_size, synthetic
from parataxis.nn.fit import named, seeded
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.threads import one_thread
from parataxis.studies.registry import methods

PEERS = ("torch==2.13.0", "dhg==0.9.7", "torch-geometric==2.8.1")
NAMES = (
    *("synthetic_10", "synthetic_100", "dblp_coauthorship", "dblp_conf", "dblp_term", "dblp_paper"),
    *("cora_coauthorship", "cora_cocitation", "citeseer_cocitation"),
)
HIDDEN, STUDENT = 32, 128
MOST = 60_000_000  # non-zeros of a Laplacian that is made, here and in DHG
CLOSE = 1e-4
WARM, COLD, PYG = "DHG, warm", "DHG, cold", "torch-geometric"
LAPLACIAN, FACTORISED = "HGNN, Laplacian", "HGNN, factorised"


@dataclass
class Line:
    """A way on one hypergraph: set-up, (median, 95 % point) by situation, in seconds; peak memory in MB."""

    way: str
    setup: float
    times: dict[str, tuple[float, float]]
    peak: float


@dataclass
class Row:
    """Of a hypergraph. over: the Laplacian's time over the factorised one's, in turns; None if it did not fit."""

    name: str
    nonzeros: int
    lines: dict[str, Line]
    over: float | None

    def time(self, way: str, situation: str, scale: float) -> str:
        """Median, and in brackets the 95 % point; DHG is cold once."""
        if way not in self.lines:
            return "-"
        median, high = (_short(scale * each) for each in self.lines[way].times[situation])
        return median if way == COLD else f"{median} ({high})"

    def setup(self, way: str) -> str:
        """In ms, and in brackets the peak in MB."""
        return f"{_short(self.lines[way].setup * 1e3)} ({self.lines[way].peak:.0f})" if way in self.lines else "-"

    def ratio(self, way: str, base: str, situation: str) -> str:
        if way not in self.lines:
            return "-"
        return _short(self.lines[way].times[situation][0] / self.lines[base].times[situation][0])


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def task(name: str, rng) -> tuple[Hypergraph, object, int]:
    """Hypergraph, features and number of classes."""
    paper = methods()["light-hgnn"].paper
    if name.startswith("synthetic"):
        made = synthetic(int(name.rpartition("_")[2]), rng(name))
        return made, rng(name, "x").random((N, DIMENSION), np.float32), CLASSES
    if name == "dblp_coauthorship":
        found = Hypergraph.from_npz(data.find(paper, "dblp_coauthorship_structure.npz"))
        return found.merged(), rng(name, "x").random((found.n, DIMENSION), np.float32), CLASSES
    read = read_dataset(data.find(paper, f"{name}.npz"))
    return read.hypergraph.merged(), unit_rows(read.x).astype(np.float32), len(read.classes)


def measured(way: Contestant, seconds: float) -> Line:
    found = list(timed(way, seconds))
    times = {each.situation: (each.median, each.high) for each in found}
    return Line(way.name, found[0].setup, times, peak(way))


def ratio(over: Contestant, base: Contestant, seconds: float) -> float:
    """Median of the ratios of their times for all vertices, run in turns: what slows the machine slows both."""
    answers = [each.begin()[SITUATIONS[0]] for each in (over, base)]
    taken: list[list[float]] = []
    until = time.perf_counter() + seconds
    while len(taken) < 5 or time.perf_counter() < until:
        marks = [time.perf_counter()]
        for answer in answers:
            answer()
            marks.append(time.perf_counter())
        taken.append([after - before for before, after in pairwise(marks)])
    return float(np.median([one / other for one, other in taken[2:]]))


def peak(way: Contestant) -> float:
    """MB that set-up and one answer of each situation add at most, in a fork whose peak is counted anew.

    The fork has done it all once and given back what it could: neither the libraries' own pages, which a fork maps at
    their first use, nor memory that lay free count.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for _ in range(2):
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
            before = _memory("VmRSS")
            for answer in way.begin().values():
                answer()
        os.write(write, f"{_memory('VmHWM') - before}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return float(said)


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


# -- the peers ------------------------------------------------------------------------------------------------------


def environment(folder: Path) -> Path:
    """The interpreter of the peers' environment; it is made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def peer(python: Path, name: str, teacher: Teacher, seconds: float, expected: np.ndarray) -> list[Line]:
    with tempfile.TemporaryDirectory() as work:
        handed, answers = Path(work, "task.npz"), Path(work, "answers.npz")
        x = teacher.x.toarray() if hasattr(teacher.x, "toarray") else teacher.x
        (a, a_bias), (b, b_bias) = teacher.first, teacher.second
        hypergraph = teacher.hypergraph
        arrays = {"x": x, "first": a, "first_bias": a_bias, "second": b, "second_bias": b_bias}
        arrays |= {"offsets": hypergraph.offsets, "members": hypergraph.members, "pairs": hypergraph.pairs}
        np.savez(handed, **arrays)
        script = Path(__file__).with_name("light_hgnn_peers.py")
        command = [str(python), "-W", "ignore", str(script), str(handed), str(answers), name, str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: failed: {done.stderr.strip().splitlines()[-1]}")
            return []
        found = json.loads(done.stdout.splitlines()[-1])
        apart = float(np.abs(np.load(answers)["logits"] - expected).max())
    assert apart <= CLOSE, f"{name} answers otherwise than ours: {apart}"
    warm = (float(np.median(found["warm"])), float(np.quantile(found["warm"], 0.95)))
    if name == "pyg":
        return [Line(PYG, found["setup"], dict.fromkeys(SITUATIONS, warm), found["peak"])]
    cold = found["setup"] + found["cold"]
    return [
        Line(COLD, 0.0, dict.fromkeys(SITUATIONS, (cold, cold)), found["peak"]),
        Line(WARM, cold, dict.fromkeys(SITUATIONS, warm), found["peak"]),
    ]


# -- all ways on one hypergraph -------------------------------------------------------------------------------------


def answers(model_class, teacher: Teacher) -> np.ndarray:
    """Ours, from the modules that are trained: what the peers are compared with."""
    x = torch.from_numpy(teacher.x.toarray() if hasattr(teacher.x, "toarray") else teacher.x)
    model = model_class(x.shape[1], len(teacher.second[1]), HIDDEN).eval()
    with torch.no_grad():
        for own, (weight, bias) in ((model.first, teacher.first), (model.second, teacher.second)):
            own.weight.copy_(torch.from_numpy(weight.T))
            own.bias.copy_(torch.from_numpy(bias))
        return model(x, model_class.propagation(teacher.hypergraph)).numpy()


def contest(name: str, python: Path | None, seconds: float, rng) -> Row:
    hypergraph, x, classes = task(name, rng)
    teacher = Teacher.random(hypergraph, x, HIDDEN, classes, rng("teacher"))
    with seeded(rng("student")):
        student = Student.of(VertexMLP(x.shape[1], classes, STUDENT), range(classes), unit=False)
    vertex = int(np.argsort(hypergraph.degrees)[hypergraph.n // 2])  # of median degree
    size = laplacian_size(teacher.hypergraph)
    kind = "sparse" if isinstance(x, csr_array) else "dense"
    print(
        f"{name}: {hypergraph.n} vertices, {len(hypergraph)} hyperedges (largest {hypergraph.sizes.max()}), "
        f"{len(hypergraph.members)} memberships, {size} non-zeros of the Laplacian; {x.shape[1]} {kind} features",
        flush=True,
    )
    lines = []
    if python is not None:
        if size <= MOST:
            lines += peer(python, "dhg", teacher, seconds, answers(HGNN, teacher))
        else:
            print(f"DHG is left out: more than {MOST} non-zeros")
        lines += peer(python, "pyg", teacher, seconds, answers(HGNNPlus, teacher))
    ways = {each.name: each for each in contestants(teacher, student, vertex)}
    lines += [measured(each, seconds) for each in ways.values()]
    over = ratio(ways[LAPLACIAN], ways[FACTORISED], seconds) if LAPLACIAN in ways else None
    return Row(name, size, {each.way: each for each in lines}, over)


# -- what is printed ------------------------------------------------------------------------------------------------


MS, US = 1e3, 1e6
EVERY, KNOWN, NEW = SITUATIONS
AROUND, CACHED, NUMPY, TORCH = (
    *("HGNN, two hyperedges around", "HGNN, cached logits"),
    *("student, NumPy", "student, torch"),
)


def all_vertices(row: Row) -> dict[str, str]:
    """ms: median (95 % point)."""
    found = {"hypergraph": row.name, "Laplacian's non-zeros": f"{row.nonzeros / 1e6:.2g} M"}
    ways = (COLD, WARM, PYG, LAPLACIAN, FACTORISED, NUMPY, TORCH)
    found |= {way: row.time(way, EVERY, MS) for way in ways}
    found[f"{WARM} / factorised"] = row.ratio(WARM, FACTORISED, EVERY)
    found["Laplacian / factorised"] = "-" if row.over is None else f"{row.over:.2g}"
    found["factorised / student, torch"] = row.ratio(FACTORISED, TORCH, EVERY)
    return found


def one_vertex(row: Row) -> dict[str, str]:
    """Median (95 % point). The cache serves a known vertex only; the peers and a full pass look at all vertices."""
    found = {"hypergraph": row.name}
    found |= {f"{way}, ms": row.time(way, KNOWN, MS) for way in (WARM, PYG, FACTORISED, AROUND)}
    found |= {f"{way}, us": row.time(way, KNOWN, US) for way in (CACHED, NUMPY, TORCH)}
    for way in (WARM, PYG, FACTORISED):
        found[f"{way} / {NUMPY}"] = row.ratio(way, NUMPY, NEW)
    found[f"{FACTORISED} / {TORCH}"] = row.ratio(FACTORISED, TORCH, NEW)
    return found


def set_up(row: Row) -> dict[str, str]:
    """ms (peak memory of it and an answer, MB)."""
    ways = (WARM, PYG, LAPLACIAN, FACTORISED, AROUND, CACHED, NUMPY, TORCH)
    return {"hypergraph": row.name} | {way: row.setup(way) for way in ways}


def markdown(rows: list[Row]) -> str:
    parts = []
    for table in (all_vertices, one_vertex, set_up):
        cells = [table(row) for row in rows]
        lines = [list(cells[0]), ["---"] * len(cells[0]), *(list(each.values()) for each in cells)]
        told = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"**{table.__name__.replace('_', ' ').capitalize()}**: {table.__doc__}\n\n{told}")
    return "\n\n".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds * MS:.3g} ms" if seconds >= 1e-3 else f"{seconds * US:.3g} us"


def targets(rows: list[Row]) -> None:
    """What was promised, and whether it holds here."""

    def told(what: str, holds: bool) -> None:
        print(f"- {'holds' if holds else 'DOES NOT HOLD'}: {what}")

    for row in rows:
        if row.name == "dblp_term" and WARM in row.lines:
            over = row.lines[WARM].times[EVERY][0] / row.lines[FACTORISED].times[EVERY][0]
            told(f"{row.name}, all vertices: {WARM} over factorised = {over:.3g} (at least 5)", over >= 5)
        if row.over is not None:
            says = f"{row.name}, all vertices: Laplacian over factorised, in turns = {row.over:.3g} (at least 1)"
            told(says, row.over >= 1)
        for way, most in ((NUMPY, 20e-6), (TORCH, 60e-6)):
            median = row.lines[way].times[KNOWN][0]
            told(f"{row.name}, one vertex: {way} {_time(median)} (at most {_time(most)})", median <= most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES, help="some of the hypergraphs")
    parser.add_argument("--folder", type=Path, help="keeps the peers' environment; else it is made for this run")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as work, one_thread():
        python = None if given.no_peers else environment((given.folder or Path(work)).absolute())
        rows = [contest(name, python, given.seconds, named(0)) for name in given.only]
    print(f"\n{markdown(rows)}\n")
    targets(rows)


if __name__ == "__main__":
    main()
