"""Therapy sequences: ours against the released R script, against heormodel, and what exact and sensitivity runs take.

    python benchmarks/therapy_sequence.py --script mPC_microsimulation.R --heormodel peers/bin/python

The script is the authors' (github.com/BethHandorf/CEA_therapy_switching), run by Rscript up to its line "Run the
simulation", without the libraries that only plot and fit, for a few hundred patients; what it prints must be what ours
gives on R's stream. The second is the Python of an environment with heormodel 0.7.4, whose model here is a simpler one:
four states, no time in state. Either may be left out. The curves lie in $PARATAXIS_DATA/therapy-sequence.

CPU seconds, one thread; all is run once before it is timed; the collector is off; medians of the rounds.
"""

import argparse
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from parataxis.methods.therapy_sequence.behaviour import CORRECTED
from parataxis.methods.therapy_sequence.curve_files import DATA_FOLDER
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.example import PAPER
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.parts import Curve
from parataxis.methods.therapy_sequence.psa import psa
from parataxis.methods.therapy_sequence.simulate import simulate

SETTING = "dct"
ENDS_AT = "Run the simulation"
TIMED = """
begun <- proc.time()
first <- MicroSim(v.M_1, n.i, n.t, v.n, d.c, d.e, Trt = 1)
second <- MicroSim(v.M_1, n.i, n.t, v.n, d.c, d.e, Trt = 2)
spent <- proc.time() - begun
cat("\\nTIMED", format(c(spent[1] + spent[2], first$tc_hat, first$te_hat, second$tc_hat, second$te_hat), digits = 15))
"""
PEER = """
import gc, json, sys, time
import numpy as np, pandas as pd
from heormodel.models import MicrosimModel

n, cycles, rounds = map(int, sys.argv[1:])
P = {0: (0.004, 0.02), 1: (0.01, 0.04), 2: (0.05, 0.0)}  # death, on to the next state

def transition_probabilities(params, intervention, state, attrs, rng):
    probs = np.zeros((len(state), 4))
    for here, (die, on) in P.items():
        at = state == here
        probs[at, here], probs[at, min(here + 1, 3)] = 1 - die - on, on
        probs[at, 3] += die
    probs[state == 3, 3] = 1.0
    return probs

def state_rewards(params, intervention, state, attrs):
    return np.array([3000.0, 1500.0, 5477.0, 0.0])[state], np.array([0.8, 0.7, 0.62, 0.0])[state]

engine = MicrosimModel.discrete(
    states=("first", "second", "extensive", "dead"), transition_probabilities=transition_probabilities,
    state_rewards=state_rewards, population=n, interventions=["one"], n_cycles=cycles, cycle_correction="none")
draws = pd.DataFrame({"x": [0.0]}, index=pd.RangeIndex(1, name="iteration"))
engine.evaluate(draws)
gc.disable()
times = []
for _ in range(rounds):
    begun = time.process_time(); engine.evaluate(draws); times.append(time.process_time() - begun)
print(json.dumps(times))
"""


def seconds(work: Callable[[], object], rounds: int) -> float:
    """CPU, the median."""
    work()
    gc.collect()
    gc.disable()
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    gc.enable()
    return statistics.median(times)


def against_r(script: Path, model: Model, n: int, rounds: int) -> None:
    text = script.read_text().replace("\r", "")
    head = text[: text.index(ENDS_AT)]
    head = re.sub(r"^(library|setwd)\(.*$", "", head, flags=re.MULTILINE)
    head = re.sub(r"n\.i\s*<- 100000", f"n.i <- {n}", head)
    head = re.sub(r'inputdir<-""', "", head)
    curves = Path(os.environ["PARATAXIS_DATA"], DATA_FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.R")
        path.write_text(head.rsplit("\n", 1)[0] + TIMED)
        done = subprocess.run(["Rscript", "--vanilla", path], cwd=curves, capture_output=True, text=True)
    if "TIMED" not in done.stdout:
        raise SystemExit(f"Rscript: {done.stderr[-2000:]}")
    spent, *figures = map(float, done.stdout.rsplit("TIMED", 1)[1].split())
    plans = [model.plan(each, model.dependence(each.name, SETTING)) for each in model.strategies]
    ours = [simulate(each, n, 1, "R") for each in plans]
    mine = [figure for each in ours for figure in (each.cost.mean(), each.qaly.mean())]
    apart = max(abs(a / b - 1) for a, b in zip(mine, figures, strict=True))
    print(f"released R script: {n} patients, 2 strategies; means differ from ours by {apart:.1e} at most")
    theirs = 1e6 * spent / (2 * n)
    print(f"  Rscript                    {theirs:10.2f} us a patient and strategy")
    many = 50_000
    for rng in ("philox", "R"):
        own = 1e6 * seconds(lambda rng=rng: [simulate(each, many, 1, rng) for each in plans], rounds) / (2 * many)
        print(f"  ours, stream {rng:8}      {own:10.2f} us a patient and strategy: {theirs / own:,.0f} times faster")


def against_heormodel(python: Path, model: Model, n: int, rounds: int) -> None:
    call = [python, "-c", PEER, str(n), str(model.parts.cycles), str(rounds)]
    one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=one)
    if done.returncode:
        raise SystemExit(f"heormodel: {done.stderr[-2000:]}")
    theirs = statistics.median(json.loads(done.stdout))
    plan = model.plan("DCT first", model.dependence("DCT first", SETTING))
    ours = seconds(lambda: simulate(plan, n), rounds)
    print(f"heormodel: {n:,} patients, {model.parts.cycles} cycles, one strategy")
    print(f"  heormodel, 4 states        {theirs:10.2f} s")
    print(f"  ours, 8 states             {ours:10.2f} s: {theirs / ours:.1f} times faster")


def curves_of(model: Model) -> Model:
    """The same with its curves in the model, not in files."""

    def inside(curve: Curve) -> Curve:
        if not curve.file:
            return curve
        values = tuple(model.folder.by_cycle(curve.file, curve.column).tolist())
        return replace(curve, file="", column="", values=values)

    drugs = tuple(
        replace(
            drug,
            lines=tuple(
                replace(line, progression=inside(line.progression), death=inside(line.death)) for line in drug.lines
            ),
        )
        for drug in model.parts.drugs
    )
    after = model.parts.extensive
    return model.with_parts(drugs=drugs, extensive=replace(after, death=inside(after.death)))


def alone(model: Model, draws: int, rounds: int) -> None:
    def expected(made: Model) -> None:
        for each in made.strategies:
            Expected.of(made.plan(each, made.dependence(each.name, SETTING)))

    def each_time(make: Callable[[], Model]) -> float:
        """Milliseconds a strategy."""
        return 1e3 * seconds(lambda: [expected(make()) for _ in range(20)], rounds) / (20 * len(model.strategies))

    curves = curves_of(model)
    print(f"exact engine, probabilities of the curves kept: {each_time(lambda: model):.2f} ms a strategy")
    print(f"  made anew from curves in memory:  {each_time(lambda: curves.with_parts()):.2f} ms a strategy")
    print(f"  made anew from the files on disk: {each_time(lambda: model.with_parts()):.2f} ms a strategy")
    took = seconds(lambda: psa(model.with_parts(setting="own"), draws), rounds)
    print(f"sensitivity analysis: {draws:,} draws of {len(model.strategies)} strategies: {took:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", type=Path, help="the released mPC_microsimulation.R")
    parser.add_argument("--heormodel", type=Path, help="the Python of an environment with heormodel")
    parser.add_argument("--patients", type=int, default=300, help="of the R script")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {given.rounds} rounds"
    )
    if given.script:
        against_r(given.script, Model.from_file(PAPER, "released"), given.patients, given.rounds)
    if given.heormodel:
        against_heormodel(given.heormodel, Model.from_file(PAPER, "released"), 100_000, given.rounds)
    alone(Model.from_file(PAPER, CORRECTED), 1000, given.rounds)


if __name__ == "__main__":
    main()
