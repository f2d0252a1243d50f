"""One unit of the study: a problem and an arm with one seed, trained and scored, and the numbers that are kept."""

import math
import time
import warnings
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.phi_rom import burgers, diffusion, dino, fitting, pinn, projection
from parataxis.methods.phi_rom.decoders import MFN
from parataxis.methods.phi_rom.metrics import errors
from parataxis.methods.phi_rom.pod import POD
from parataxis.methods.phi_rom.problem import Problem
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.rom import PhiROM
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.study_plan import LEARNED, MODES, shuffled
from parataxis.progress import Tell

Numbers = dict[str, Any]
EQUATIONS = {"burgers": burgers.equation, "diffusion": diffusion.equation}
FRAMES = (0, 1, 2, 5)  # from which a forecast is begun, to see how much that matters
FITTED = 10  # times of the test to which a decoder of sines is fitted, for its floor: each fit costs a descent
SHOWN, PANELS = ("burgers", "diffusion"), 4  # problems whose fields are drawn, at so many times
MOST = 1e6  # an error above it is told as that: the forecast blew up


def measure(kind: str, arm: str, problem: Problem, recipe: Recipe | None) -> Numbers:
    """kind: of the problem. recipe: None for what is not trained. Errors are RNMSE in [0, T_tr] and [T_tr, T_te]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of short trainings and of betas outside: the numbers tell
        if recipe is None:
            return linear(problem, MODES.get(kind, 2))
        looks = [(0, time.process_time())]
        rom = trained(kind, arm, problem, recipe, lambda done, *_: looks.append((done, time.process_time())))
        spent = time.process_time() - looks[0][1]
        found = crom(rom, problem) if arm == "crom" else scored(rom, problem, kind, arm)
    return finite({**found, "cpu": spent, "ms": _step(looks), "steps": recipe.steps, "history": history(rom)})


def finite(numbers: Any) -> Any:
    """What blew up is a large number; a kept row can hold no other."""
    if isinstance(numbers, dict):
        return {name: finite(each) for name, each in numbers.items()}
    if isinstance(numbers, list):
        return [finite(each) for each in numbers]
    return MOST if isinstance(numbers, float) and not math.isfinite(numbers) else numbers


def _step(looks: list[tuple[int, float]]) -> float:
    """CPU milliseconds of one step: the median over chunks, of which the few with compiling in them are no matter."""
    return 1000 * median((end - begun) / (last - first) for (first, begun), (last, end) in pairwise(looks))


def trained(kind: str, arm: str, problem: Problem, recipe: Recipe, tell: Tell) -> PhiROM:
    data, name = problem.train, arm.split()[0]
    if arm.endswith("shuffled"):
        data = shuffled(data, np.random.default_rng([recipe.seed, 11]))
    if name == "phi":
        fitted = fitting.fit(recipe, data, problem.rhs, tell=tell)
    elif name == "dino":
        fitted = dino.fit(recipe, data, tell=tell)
    elif name == "pinn":
        fitted = pinn.fit(recipe, data, EQUATIONS[kind], tell)
    else:
        fitted = pinn.reconstruct(recipe, data, tell)
    return PhiROM.of(recipe, fitted, data)


def scored(rom: PhiROM, problem: Problem, kind: str, arm: str) -> Numbers:
    """floor: the decoder's own best fit to the test's snapshots, or to those amid FITTED parts of the time."""
    test, found = problem.test, forecast_errors(rom, problem.test)
    numbers: Numbers = {"error": halves(found, problem.horizon), "by time": _by_time(found)}
    numbers |= {"t": test.t.tolist(), "horizon": problem.horizon}
    times = np.arange(len(test.t))
    if not isinstance(rom.fitted.decoder, MFN) and len(times) > FITTED:
        times = ((np.arange(FITTED) + 0.5) * len(times) / FITTED).astype(int)
    seen = test.u[:, times]
    best = rom.encode(seen.reshape(-1, *seen.shape[2:]), test.coords).latents
    fitted = errors(rom.decode(best.reshape(*seen.shape[:2], -1), test.coords), seen)
    numbers["floor"] = halves(fitted, int((times < problem.horizon).sum()))
    if problem.outside is not None:
        numbers["outside"] = halves(forecast_errors(rom, problem.outside), problem.horizon)
    if arm in LEARNED and kind == "burgers":
        frames = [n for n in FRAMES if n < problem.horizon]
        numbers["frames"] = {str(n): _from_frame(rom, problem, n) for n in frames}
    if arm == "phi":
        projected = projection.project(rom, problem.rhs, test)
        numbers["projection"] = halves(errors(projected, test.u), problem.horizon)
        numbers["semigroup"] = semigroup(rom, test)
        if kind in SHOWN:
            numbers["shown"] = _shown(rom, test, found)
    return numbers


def _shown(rom: PhiROM, test: Snapshots, found: Any) -> Numbers:
    """For the figures: the forecast of the first test trajectory at some times, and the latents of all."""
    times = np.linspace(0, len(test.t) - 1, PANELS).round().astype(int)
    z = rom.encode(test.u[:, 0], test.coords)
    path = rom.latents(z, test.t - test.t[0], test.params)
    fields = rom.decode(path[:1], test.coords)[0, times]
    return {
        "times": times.tolist(),
        "fields": fields.astype(float).round(5).tolist(),
        "errors": found[0, times].mean(1).tolist(),
        "latents": path.astype(float).round(5).tolist(),
    }


def forecast_errors(rom: PhiROM, test: Snapshots, first: int = 0) -> Float[np.ndarray, "trajectory time channel"]:
    """From that time on, of the forecast from its snapshot. As many times whatever the first, so that one program does
    for all."""
    z = rom.encode(test.u[:, first], test.coords)
    path = rom.latents(z, test.t - test.t[0], test.params)[:, : len(test.t) - first]
    return errors(rom.decode(path, test.coords), test.u[:, first:])


def _from_frame(rom: PhiROM, problem: Problem, first: int) -> float:
    """Error over the same last times, [T_tr, T_te], when the first state seen is that of another frame."""
    return halves(forecast_errors(rom, problem.test, first), problem.horizon - first)["out"]


def _by_time(found: Any) -> list[float]:
    return np.nan_to_num(found.mean((0, 2)), nan=MOST, posinf=MOST).clip(max=MOST).tolist()


def crom(rom: PhiROM, problem: Problem) -> Numbers:
    found = errors(projection.crom(rom, problem.rhs, problem.test), problem.test.u)
    return {"error": halves(found, problem.horizon), "by time": _by_time(found)}


def semigroup(rom: PhiROM, test: Snapshots) -> Numbers:
    """Latents at t1 + t2 at once, against those reached from t1; and, as a null, from one interval later than t1."""
    t = test.t - test.t[0]
    half, params = len(t) // 2, test.params
    z = rom.encode(test.u[:, 0], test.coords)
    whole = rom.latents(z, t, params)
    if not np.isfinite(whole).all():
        return {"gap": MOST, "null": MOST}
    again = {n: rom.latents(whole[:, half + n], t[half:] - t[half], params) for n in (0, 1)}
    size = np.linalg.norm(whole[:, half:])
    gaps = {n: float(np.linalg.norm(each - whole[:, half:]) / size) for n, each in again.items()}
    return {"gap": gaps[0], "null": gaps[1]}


def linear(problem: Problem, k: int) -> Numbers:
    """What needs no training: the projection floor, Galerkin's model, DMD, OpInf, and the mean field."""
    train, test = problem.train, problem.test
    pod = POD.of(train, k)
    found: Numbers = {}
    ways = {
        "floor": lambda: pod.projected(test.u),
        "galerkin": lambda: pod.galerkin(problem.rhs, test),
        "dmd": lambda: pod.dmd(train, test),
        "opinf": lambda: pod.opinf(train, test),
        "mean": lambda: np.broadcast_to(train.u.mean((0, 1)), test.u.shape),
    }
    for name, way in ways.items():
        fields = np.nan_to_num(np.asarray(way(), np.float64), nan=1e9, posinf=1e9, neginf=-1e9)
        each = errors(fields, test.u)
        found[name] = halves(each, problem.horizon)
        if name == "galerkin":
            found["by time"] = _by_time(each)
    return found


def seen_by_sensors(problem: Problem, seen: Snapshots, k: int) -> Numbers:
    """floor: of the test's states by sensors alone, each found by least squares on the k POD modes of the whole grid.

    seen: the test at the sensors. A reduced model that is trained on sensors knows no more of a snapshot than they
    tell, and has to find its modes besides.
    """
    from scipy.interpolate import CubicSpline

    pod, axis = POD.of(problem.train, k), problem.train.coords[:, 0]
    extent = axis[-1] + axis[1] - axis[0]
    rows = np.concatenate([np.stack([pod.mean, *pod.modes.T]), np.stack([pod.mean, *pod.modes.T])[:, :1]], axis=1)
    there = CubicSpline(np.append(axis, extent), rows, axis=1, bc_type="periodic")(seen.coords[:, 0])
    wanted = (seen.u[:, :, 0] - there[0]).reshape(-1, len(seen.coords))
    a = np.linalg.lstsq(there[1:].T, wanted.T, rcond=None)[0].T
    found = pod.decode(a.reshape(*seen.u.shape[:2], k))
    return {"floor": halves(errors(found, problem.test.u), problem.horizon)}


def halves(found: Any, horizon: int) -> dict[str, float]:
    """The mean error in [0, T_tr] and in [T_tr, T_te]."""
    found = np.nan_to_num(found, nan=MOST, posinf=MOST).clip(max=MOST)
    return {"in": float(found[:, :horizon].mean()), "out": float(found[:, horizon:].mean())}


def history(rom: PhiROM) -> Numbers:
    """The last of what training told."""
    return {name: value for name, value in rom.fitted.history[-1].items() if name not in ("seconds", "step")}


def toy_recipe(seed: int) -> Recipe:
    """Some steps of the smallest networks."""
    return Recipe(2, "mfn", 4, 2, omega=1.0, dynamics=(4,), gamma=1.0, batch=4, steps=4, warmup=0.0, seed=seed)
