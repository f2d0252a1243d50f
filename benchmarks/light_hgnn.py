"""How long a hypergraph network and its student take to answer, against the ways in which it can be done.

    python benchmarks/light_hgnn.py                          all, about ten minutes
    python benchmarks/light_hgnn.py --only dblp_term --folder peers     the peers' environment is kept in `peers`

Five baselines (DHG 0.9.7 cold and warm, a factorised full pass, a local pass around the query, cached logits), with
torch-geometric's HypergraphConv and a materialised Laplacian beside them, in three situations: all vertices, one known
vertex, one new vertex (its features are new; if its memberships are, set-up comes on top). One thread, the same weights
for all, the same answers (checked to 1e-4), duplicates merged since DHG can't keep them. 32 hidden units in the
teachers, 128 in the student, as in the paper. Every ratio names what it is over. Peak memory: of set-up and one answer,
over what a process that has done so before holds.
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


def contest(name: str, python: Path | None, seconds: float, rng) -> tuple[list[Line], float | None]:
    """The ways, and how many times the factorised one's time the Laplacian takes, None if it would not fit."""
    hypergraph, x, classes = task(name, rng)
    teacher = Teacher.random(hypergraph, x, HIDDEN, classes, rng("teacher"))
    with seeded(rng("student")):
        student = Student.of(VertexMLP(x.shape[1], classes, STUDENT), range(classes), unit=False)
    vertex = int(np.argsort(hypergraph.degrees)[hypergraph.n // 2])  # of median degree
    size = laplacian_size(teacher.hypergraph)
    kind = "sparse" if isinstance(x, csr_array) else "dense"
    print(
        f"\n{name}: {hypergraph.n} vertices, {len(hypergraph)} hyperedges (largest {hypergraph.sizes.max()}), "
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
    return lines, ratio(ways[LAPLACIAN], ways[FACTORISED], seconds) if LAPLACIAN in ways else None


def table(lines: list[Line]) -> str:
    rows = [["way", "set-up", *(f"{each} (95%)" for each in SITUATIONS), "peak MB", "all: over factorised"]]
    base = next(each for each in lines if each.way == FACTORISED).times[SITUATIONS[0]][0]
    for each in lines:
        cells = [
            f"{_time(each.times[name][0])} ({_time(each.times[name][1])})" if name in each.times else "-"
            for name in SITUATIONS
        ]
        all_of = each.times.get(SITUATIONS[0])
        rows.append(
            [each.way, _time(each.setup), *cells, f"{each.peak:.0f}", f"{all_of[0] / base:.2g}" if all_of else "-"]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return "0" if seconds == 0 else f"{seconds * 1e6:.2g} us"


def targets(found: dict[str, list[Line]], ratios: dict[str, float | None]) -> None:
    """What was promised, and whether it holds here."""
    times = {name: {each.way: each.times for each in lines} for name, lines in found.items()}

    def told(what: str, holds: bool) -> None:
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {what}")

    every, known = SITUATIONS[:2]
    if WARM in times.get("dblp_term", {}):
        over = times["dblp_term"][WARM][every][0] / times["dblp_term"][FACTORISED][every][0]
        told(f"DBLP-term, all vertices: {WARM} over factorised = {over:.3g} (at least 5)", over >= 5)
    for name, ways in times.items():
        if (over := ratios[name]) is not None:
            told(f"{name}, all vertices: Laplacian over factorised, in turns = {over:.3g} (at least 1)", over >= 1)
        for way, most in (("student, NumPy", 20e-6), ("student, torch", 60e-6)):
            median = ways[way][known][0]
            told(f"{name}, one vertex: {way} {_time(median)} (at most {_time(most)})", median <= most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES, help="some of the hypergraphs")
    parser.add_argument("--folder", type=Path, help="keeps the peers' environment; else it is made for this run")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as work, one_thread():
        python = None if given.no_peers else environment((given.folder or Path(work)).absolute())
        found, ratios = {}, {}
        for name in given.only:
            found[name], ratios[name] = contest(name, python, given.seconds, named(0))
            print(table(found[name]), flush=True)
        print()
        targets(found, ratios)


if __name__ == "__main__":
    main()
