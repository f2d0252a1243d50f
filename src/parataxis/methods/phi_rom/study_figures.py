"""What people look at: errors over time with the end of the training's time, fields beside their forecast, latents."""

from collections.abc import Iterator
from statistics import median

import numpy as np

from parataxis.claims import Figure
from parataxis.methods.phi_rom import plot
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.study_claims import ARMS, PROBLEMS, Found
from parataxis.methods.phi_rom.study_plan import Unit

DRAWN = ("burgers", "diffusion", "kdv", "flow")  # by the first letters of the task, the largest of that kind


def figures(found: Found, problems: dict[str, Problem]) -> Iterator[Figure]:
    """problems: of the tasks whose fields are shown, with the test that was forecast."""
    for name in DRAWN:
        if tasks := {each.task for each in found.units if each.task.startswith(name)}:
            yield over_time(found, max(tasks, key=lambda each: (len(each), each)))
    for task, problem in problems.items():
        yield beside(found, task, problem)
        yield latents(found, task, problem)


def over_time(found: Found, task: str) -> Figure:
    """A curve an arm, the median of its seeds; of Φ-ROM also the range."""
    curves = {}
    for arm, title in ARMS.items():
        if seeds := found.seeds(task, arm):
            curves[title] = np.array([found.units[Unit(task, arm, seed)]["by time"] for seed in seeds])
    first = found.units[Unit(task, "phi", found.seeds(task, "phi")[0])]
    curves["POD-Galerkin"] = np.array([found.units[Unit(task, "pod", 0)]["by time"]])
    ax = plot.curves(np.array(first["t"]), curves, first["t"][first["horizon"] - 1])
    last = "; ".join(f"{name} {median(each[:, -1]):.2g}" for name, each in curves.items())
    name = PROBLEMS.get(task, "KdV 1-D")
    return Figure(
        f"error-{task.split()[0]}",
        plot.png(ax),
        f"{name}: relative error over time, median over seeds; the band is the range of Φ-ROM's, the dotted line T_tr, "
        f"where the training's time ends. At the last time: {last}.",
    )


def beside(found: Found, task: str, problem: Problem) -> Figure:
    """A test trajectory at four times, and Φ-ROM's forecast of it."""
    unit = found.units[Unit(task, "phi", found.seeds(task, "phi")[0])]
    times, data = np.array(unit["shown"]["times"]), problem.test
    forecast = np.full(data.u.shape[1:], np.nan)
    forecast[times] = unit["shown"]["fields"]
    said = ", ".join(f"{data.t[n]:.3g}: {unit['shown']['errors'][i]:.2g}" for i, n in enumerate(times))
    return Figure(
        f"fields-{task}",
        plot.png(plot.fields(data, forecast, times)),
        f"{PROBLEMS[task]}: the first test trajectory beside Φ-ROM's forecast from its first state; the last times lie "
        f"beyond T_tr. Relative error at t = {said}.",
    )


def latents(found: Found, task: str, problem: Problem) -> Figure:
    unit = found.units[Unit(task, "phi", found.seeds(task, "phi")[0])]
    path = np.array(unit["shown"]["latents"])
    t = problem.test.t - problem.test.t[0]
    return Figure(
        f"latents-{task}",
        plot.png(plot.latent_paths(path, t, float(t[problem.horizon - 1]))),
        f"{PROBLEMS[task]}: the largest of Φ-ROM's {path.shape[2]} latents over time, a line a test trajectory; the "
        "dotted line is T_tr.",
    )
