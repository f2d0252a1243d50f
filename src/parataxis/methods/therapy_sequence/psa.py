"""Probabilistic sensitivity analysis: the exact engine under drawn prices, utilities, probabilities and patients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.files import JsonLines
from parataxis.methods.therapy_sequence.bootstrap import Patients
from parataxis.methods.therapy_sequence.calibrate import calibrate, deaths, read_target, target_of
from parataxis.methods.therapy_sequence.dependence import Clayton, Dependence
from parataxis.methods.therapy_sequence.economics import Draws
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.information import evppi
from parataxis.methods.therapy_sequence.model import AFTER, Model
from parataxis.methods.therapy_sequence.parameters import Parameter, parameters, with_values
from parataxis.methods.therapy_sequence.parts import Strategy
from parataxis.progress import Tell, untold

BATCH = 50  # draws to a line of the log
Trial = tuple[Any, Any, int]  # time in cycles, event, cycles to be matched


@dataclass(frozen=True)
class Analysis:
    """draws; values: of the parameters that varied, a row a draw; curves, recalibrated: whether these varied."""

    draws: Draws
    values: pd.DataFrame
    curves: tuple[str, ...]
    recalibrated: bool

    @property
    def varied(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(map(str, self.values))

    def evppi(self, thresholds: Sequence[float]) -> pd.DataFrame:
        """What knowing each of them would be worth (`information.evppi`)."""
        return evppi(self.draws, self.values, thresholds)


def psa(
    model: Model,
    n: int = 1000,
    seed: int = 0,
    strategies: Sequence[Strategy] | None = None,
    recalibrate: bool = False,
    log: Path | None = None,
    tell: Tell = untold,
    trials: Mapping[str, Trial] | None = None,
) -> Analysis:
    """n draws of every strategy (all those of the file if none are given).

    A draw depends on the seed and its number alone; all strategies share it. Costs are gamma, utilities and
    probabilities beta; where a line has `patients`, they are drawn again and so are the kinds of their events.
    recalibrate: in each draw the dependence of strategies with a target is fitted anew, to the trial's patients drawn
    again; trials: these
    patients by strategy, instead of the file's. log: a file by which a run that was cut off goes on.
    """
    if n < 2:
        raise BadInput(f"n={n}: expected at least 2 draws")
    chosen = list(strategies or model.strategies)
    recalibrate = recalibrate or trials is not None
    study = _Study(model, chosen, seed, recalibrate, trials or {})
    done = _kept(log, study.asked()) if log else {}
    writer = JsonLines(log) if log else None
    waiting: dict[int, Any] = {}
    for place in range(n):
        if place not in done:
            done[place] = waiting[place] = study.draw(place)
        if writer and (len(waiting) == BATCH or (place == n - 1 and waiting)):
            writer.append({"draws": {str(key): value for key, value in waiting.items()}})
            waiting = {}
        tell(place + 1, n)
    if writer:
        writer.close()
    table = np.array([done[place] for place in range(n)])
    names = tuple(each.name for each in chosen)
    draws = Draws(names, np.ascontiguousarray(table[:, :, 0]), np.ascontiguousarray(table[:, :, 1]))
    drawn = [list(study.values(place).values()) for place in range(n)]
    values = pd.DataFrame(drawn, columns=[each.name for each in study.known])
    curves = tuple(f"{drug}, line {line + 1}" for drug, line in study.patients)
    return Analysis(draws, values, curves, recalibrate)


def _kept(log: Path, asked: Any) -> dict[int, Any]:
    """The draws of an earlier part of the same work; a log that is new begins with what is asked."""
    with JsonLines(log) as opened:
        rows = list(opened)
        if not rows:
            opened.append({"asked": asked})
    if rows and rows[0].get("asked") != asked:
        raise BadInput(f"{log.name}: holds draws of another model, seed or setting; delete it, or name another file")
    return {int(key): value for row in rows[1:] for key, value in row["draws"].items()}


def _stream(*names: int | str) -> np.random.Generator:
    """Its own for these names, in whatever order the file has them."""
    return np.random.default_rng([each if isinstance(each, int) else crc32(each.encode()) for each in names])


class _Study:
    """What is the same in all draws."""

    def __init__(
        self, model: Model, strategies: list[Strategy], seed: int, recalibrate: bool, trials: Mapping[str, Trial]
    ) -> None:
        self.model, self.strategies, self.seed, self.recalibrate = model, strategies, seed, recalibrate
        self.known = sorted(parameters(model.parts), key=lambda each: (each.name, each.mean))
        self.dependence = {each.name: model.dependence(each.name) for each in strategies}
        self.plans = [model.plan(each, self.dependence[each.name]) for each in strategies]
        self.occupancies = [Occupancy.of(each) for each in self.plans]
        self.patients = dict(self._patients())
        moved = [key for key in model.tables if self._is_drawn(key)]
        self.tables = {key: table for key, table in model.tables.items() if key not in moved}
        self.targets = dict(trials)
        told = {each.strategy for each in model.parts.targets}
        for each in (each for each in strategies if recalibrate and each.name in told - trials.keys()):
            target = target_of(model, each.name)
            self.targets[each.name] = (*read_target(model, target), target.cycles or model.parts.cycles)
        if recalibrate and not self.targets:
            raise BadInput(f"{model.parts.name}: none of the strategies has a [[target]] to calibrate to")

    def _patients(self) -> Iterator[tuple[tuple[str, int], Patients]]:
        used = {(drug, line) for each in self.strategies for line, drug in enumerate(each.drugs)}
        used |= {(self.model.line(*each).deaths_of, each[1]) for each in used if self.model.line(*each).deaths_of}
        for drug, line in sorted(used):
            if given := self.model.line(drug, line).patients:
                yield (drug, line), Patients.read(given, self.model.folder, self.model.parts.cycle_days)

    def _is_drawn(self, key: tuple[str, int]) -> bool:
        """Whether a table hangs on patients that are drawn."""
        if key == AFTER:
            return False
        return key in self.patients or (self.model.line(*key).deaths_of, key[1]) in self.patients

    def asked(self) -> dict[str, Any]:
        """What a draw depends on; of the curves, by what they give."""
        exact = [Expected.of(*each) for each in zip(self.plans, self.occupancies, strict=True)]
        return {
            "model": repr(self.model.parts),
            "behaviour": repr(self.model.behaviour),
            "expected": [[each.name, each.cost, each.qaly] for each in exact],
            "dependence": {name: repr(each) for name, each in self.dependence.items()},
            "seed": self.seed,
            "trials": {name: [len(time), float(np.sum(time))] for name, (time, *_) in self.targets.items()},
        }

    def values(self, place: int) -> dict[Parameter, float]:
        """Of every parameter in a draw."""
        rng = _stream(self.seed, place)
        return {each: each.draw(rng) for each in self.known}

    def draw(self, place: int) -> list[list[float]]:
        """Cost and QALYs of each strategy."""
        model = revalued(self.model, self.values(place))
        model.tables |= self.tables
        for (drug, line), patients in self.patients.items():
            drawn = patients.drawn(_stream(self.seed, place, drug, line))
            model.curves[drug, line] = drawn.incidences(model.parts.cycles)
        found = []
        for strategy, plan, occupancy in zip(self.strategies, self.plans, self.occupancies, strict=True):
            if self.patients or self.recalibrate:
                name = strategy.name
                depends = self._recalibrated(model, strategy, place) if name in self.targets else self.dependence[name]
                result = Expected.of(model.plan(strategy, depends))
            else:
                new = model.repaid(plan)
                result = Expected.of(new, occupancy.split_as(new))
            found.append([result.cost, result.qaly])
        return found

    def _recalibrated(self, model: Model, strategy: Strategy, place: int) -> Dependence:
        time, event, cycles = self.targets[strategy.name]
        rng = _stream(self.seed, place, *strategy.drugs)
        chosen = rng.integers(len(time), size=len(time))
        trial = deaths(time[chosen], event[chosen], min(cycles, model.parts.cycles))
        form = "clayton" if isinstance(self.dependence[strategy.name], Clayton) else "hazard_ratio"
        return calibrate(model, strategy.name, form, trial, ridge=False).dependence


def revalued(model: Model, values: Mapping[Parameter, float]) -> Model:
    """The model with these values of its parameters."""
    return Model(with_values(model.parts, values), model.folder, model.behaviour)
