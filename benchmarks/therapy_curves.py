"""Patients from curves, ours against two R packages on the same points: seconds, failures, and what they get wrong.

    git clone https://github.com/NaLiuStat/IPDfromKM; git clone https://github.com/giabaio/survHE
    PARATAXIS_DATA=data python benchmarks/therapy_curves.py --ipdfromkm IPDfromKM --survhe survHE

R with its package survival; of the peers only the functions that rebuild are loaded. IPDfromKM's bootstrap of how well
it fits is left out of its time. A curve on which a peer takes more than --limit seconds is stopped and counted.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from parataxis.methods.therapy_sequence.cox import log_hazard_ratio
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.digitise import PIXELS, digitise
from parataxis.methods.therapy_sequence.guyot import reconstruct
from parataxis.methods.therapy_sequence.study_curves_inputs import IPD, KEY, TRIALS, read_groups, read_trials

R = r"""
suppressMessages(library(survival))
args <- commandArgs(TRUE)
tool <- args[1]; folder <- args[2]; limit <- as.numeric(args[4])
require <- function(...) invisible(TRUE)
boot <- function(...) list(t = 0, t0 = 0)
for (file in strsplit(args[3], ",")[[1]]) source(file)
points <- read.csv(file.path(folder, "points.csv")); risk <- read.csv(file.path(folder, "risk.csv"))
run <- list(
  ipdfromkm = function(p, r) {
    sink(nullfile()); on.exit(sink())
    made <- getIPD(preprocess(p[, c("time", "survival")], trisk = r$time, nrisk = r$n, maxy = 1))$IPD
    data.frame(time = made$time, event = made$status)
  },
  survhe = function(p, r) {
    sink(nullfile()); on.exit(sink())
    files <- file.path(folder, c("s.txt", "n.txt", "km.txt", "ipd.txt"))
    write.table(data.frame(k = seq_len(nrow(p)), time = p$time, survival = p$survival), files[1], row.names = FALSE)
    lower <- findInterval(r$time, p$time, left.open = TRUE) + 1
    upper <- c(lower[-1] - 1, nrow(p))
    there <- lower <= upper
    table <- data.frame(k = seq_along(lower), time = r$time, lower = lower, upper = upper, n = r$n)[there, ]
    write.table(table, files[2], row.names = FALSE)
    digitise(files[1], files[2], files[3], files[4])
    made <- read.table(files[4], header = TRUE)
    data.frame(time = made$time, event = made$event)
  })[[tool]]
rows <- list(); told <- list()
for (id in unique(points$curve)) {
  p <- points[points$curve == id, ]; r <- risk[risk$curve == id, ]
  begun <- proc.time()
  setTimeLimit(elapsed = limit, transient = TRUE)
  made <- tryCatch(suppressWarnings(run(p, r)), error = function(e) conditionMessage(e))
  setTimeLimit()
  spent <- sum((proc.time() - begun)[1:2])
  bad <- if (is.character(made)) made else ""
  told[[length(told) + 1]] <- data.frame(curve = id, seconds = spent, failed = bad)
  if (bad == "") rows[[length(rows) + 1]] <- data.frame(curve = id, made)
}
write.csv(do.call(rbind, rows), file.path(folder, paste0(tool, ".csv")), row.names = FALSE)
write.csv(do.call(rbind, told), file.path(folder, paste0(tool, "-told.csv")), row.names = FALSE)
"""
SOURCES = {"ipdfromkm": ("R/preprocess.R", "R/getIPD.R"), "survhe": ("R/digitise.R",)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for tool in SOURCES:
        parser.add_argument(f"--{tool}", type=Path, help=f"a checkout of {tool}")
    parser.add_argument("--trials", type=int, default=297, help="how many of the 297 trials")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds a curve")
    asked = parser.parse_args()
    data = Path(os.environ["PARATAXIS_DATA"], "therapy-sequence")
    groups, trials = read_groups(data / IPD), read_trials(data / TRIALS, data / KEY)[: asked.trials]
    curves = dict(drawn(groups, trials))
    found = {"ours": ours(curves, "likely"), "ours, censored evenly": ours(curves, "even")}
    with tempfile.TemporaryDirectory() as folder:
        hand_over(curves, Path(folder))
        for tool, sources in SOURCES.items():
            if checkout := getattr(asked, tool):
                found[tool] = peer(tool, Path(folder), [checkout.absolute() / each for each in sources], asked.limit)
    report(found, groups, trials, curves)


def drawn(groups, trials):
    """Every curve by its name: a group's endpoint, or a trial's arm, read off at pixels."""
    for name, group in groups.items():
        for which in ("pfs", "os"):
            yield f"{name}/{which}", digitise(*group.curve(which), group.end)
    for trial in trials:
        for arm in (0, 1):
            rows = trial.arm == bool(arm)
            yield f"{trial.name}/{arm}", digitise(trial.time[rows], trial.event[rows], float(trial.time.max()))


def ours(curves, censored):
    """Patients and CPU seconds of each curve, after one curve to warm up."""
    reconstruct(*next(iter(curves.values())), censored=censored)
    made = {}
    for name, given in curves.items():
        begun = time.process_time()
        made[name] = (reconstruct(*given, censored=censored), time.process_time() - begun)
    return made, {}


def hand_over(curves, folder):
    points = [pd.DataFrame({"curve": name, "time": c.time, "survival": c.survival}) for name, (c, _) in curves.items()]
    risk = [pd.DataFrame({"curve": name, "time": r[:, 0], "n": r[:, 1]}) for name, (_, r) in curves.items()]
    pd.concat(points).to_csv(folder / "points.csv", index=False)
    pd.concat(risk).to_csv(folder / "risk.csv", index=False)
    (folder / "peer.R").write_text(R)


def peer(tool, folder, sources, limit):
    command = ["Rscript", str(folder / "peer.R"), tool, str(folder), ",".join(map(str, sources)), str(limit)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    told = pd.read_csv(folder / f"{tool}-told.csv", keep_default_na=False)
    rows = dict(list(pd.read_csv(folder / f"{tool}.csv").groupby("curve")))
    seconds = dict(zip(told.curve, told.seconds, strict=True))
    made = {name: (table, seconds[name]) for name, table in rows.items()}
    return made, {name: why for name, why in zip(told.curve, told.failed, strict=True) if why}


def report(found, groups, trials, curves):
    """All tools on the curves that every one of them did, and each on all of its own."""
    common = set.intersection(*(set(made) for made, _ in found.values()))
    print(f"{len(curves)} curves, {sum(len(c.time) for c, _ in curves.values())} points; all did {len(common)}")
    base = np.array([found["ours"][0][name][1] for name in common])
    for tool, (made, failed) in found.items():
        spent = np.array([made[name][1] for name in common])
        ratio = spent.sum() / base.sum()
        print(f"\n{tool}: CPU {spent.sum():.2f} s, {1e3 * spent.mean():.2f} ms a curve, {ratio:.1f} x ours")
        why = pd.Series(failed).str.strip().value_counts() if failed else {}
        print(f"  failed on {len(failed)}" + "".join(f"; {count} x {each!r}" for each, count in why.items()))
        survival, events = wrong(made, groups)
        print(
            f"  {len(survival)} curves of known patients: survival off by {max(survival):.4f} at worst, "
            f"{np.mean(survival):.4f} on average; events by {max(events)} at worst, {np.mean(events):.2f} on average"
        )
        moved = shifts(made, trials)
        middle = np.median(moved)
        print(f"  {len(moved)} trials: log hazard ratio moved by {middle:.4f} (median), {max(moved):.4f} at worst")


def wrong(made, groups):
    survival, events = [], []
    for name, group in groups.items():
        middle = (np.arange(PIXELS[0]) + 0.5) * group.end / PIXELS[0]
        for which in ("pfs", "os"):
            if f"{name}/{which}" in made:
                table = made[f"{name}/{which}"][0]
                time_, event = group.curve(which)
                again = KMCurve.of(table["time"].to_numpy(), table["event"].to_numpy())
                survival.append(np.abs(KMCurve.of(time_, event).at(middle) - again.at(middle)).max())
                events.append(abs(int(table["event"].sum()) - int(event[time_ <= group.end].sum())))
    return survival, events


def shifts(made, trials):
    moved = []
    for trial in trials:
        arms = [made.get(f"{trial.name}/{arm}") for arm in (0, 1)]
        if all(arms):
            time_, event = (np.concatenate([table[each].to_numpy() for table, _ in arms]) for each in ("time", "event"))
            arm = np.repeat([False, True], [len(table) for table, _ in arms])
            before = log_hazard_ratio(trial.time, trial.event, trial.arm)[0]
            moved.append(abs(log_hazard_ratio(time_, event, arm)[0] - before))
    return moved


if __name__ == "__main__":
    main()
