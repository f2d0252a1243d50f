"""What a user does with a model: expectations, patients, calibration, sensitivity, and the comparison of strategies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, Behaviour
from parataxis.methods.therapy_sequence.calibrate import Calibration, calibrate, misfit
from parataxis.methods.therapy_sequence.economics import icer_table, in_words, net_benefit, pairs
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.model import Model, settings_of
from parataxis.methods.therapy_sequence.parameters import parameters
from parataxis.methods.therapy_sequence.parts import Strategy
from parataxis.methods.therapy_sequence.plan import Plan, cycle_weights
from parataxis.methods.therapy_sequence.psa import Analysis, psa, revalued
from parataxis.methods.therapy_sequence.simulate import MonteCarlo, Simulated, simulate

TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Comparison:
    """table: as `economics.icer_table`, with the net benefit at each threshold. words: every strategy against the one
    before it on the list. pairs: of simulated patients, as `economics.pairs`; else None.
    """

    table: pd.DataFrame
    words: tuple[str, ...]
    note: str
    pairs: pd.DataFrame | None = None

    def __str__(self) -> str:
        return "\n".join([*self.words, *([self.note] if self.note else [])])


class SequenceModel:
    """Sequences of drugs, from a model file.

    compat: "corrected", "released" (as the authors' code does it), or a Behaviour with single switches. setting: which
    of the file's dependences between lines; by default the file's own choice.
    """

    def __init__(self, model: Model, setting: str | None = None) -> None:
        self.model = model
        self.setting = setting or model.parts.setting
        if setting:
            self.model = model.with_parts(setting=setting)
        for each in model.strategies:
            self.model.dependence(each.name)

    @classmethod
    def from_file(
        cls, path: Path | str, compat: str | Behaviour = CORRECTED, setting: str | None = None
    ) -> "SequenceModel":
        """Of a .toml file or an .xlsx workbook (`Model.from_file`)."""
        return cls(Model.from_file(path, compat), setting)

    @property
    def strategies(self) -> list[str]:
        """Their names."""
        return [each.name for each in self.model.strategies]

    def plans(self, orders: bool = False) -> list[Plan]:
        """What the engines are given, a strategy each."""
        return self.model.plans(self._chosen(orders))

    def _chosen(self, orders: bool) -> Sequence[Strategy]:
        return self.model.all_orders() if orders else self.model.strategies

    def expected(self, orders: bool = False) -> pd.DataFrame:
        """Cost and QALYs a patient, without Monte Carlo. orders: of every order of all drugs, not the file's
        strategies.
        """
        found = [Expected.of(each) for each in self.plans(orders)]
        rows = [{"strategy": each.name, "cost": each.cost, "qaly": each.qaly} for each in found]
        return pd.DataFrame(rows)

    def trace(self, strategy: str) -> pd.DataFrame:
        """Share of patients in each state at the start of cycle 0, 1, ..."""
        plan = self.model.plan(strategy)
        return Occupancy.of(plan).trace(plan)

    def times(self, orders: bool = False) -> pd.DataFrame:
        """Years that a patient spends in each state, not discounted: a row a strategy; `alive`: in all of them."""
        weights = cycle_weights(self.model.parts.cycles, self.model.behaviour.cycle_correction)
        rows = []
        for plan in self.plans(orders):
            years = self.model.cycle_years * (weights @ Occupancy.of(plan).trace(plan).to_numpy()[:, :-1])
            known = dict(zip(plan.states[:-1], years.tolist(), strict=True))
            rows.append({"strategy": plan.name, **known, "alive": float(years.sum())})
        return pd.DataFrame(rows)

    def simulate(self, n: int, seed: int = 0, rng: str = "philox", orders: bool = False) -> list[Simulated]:
        """n patients through each strategy, each with the same luck in all of them."""
        return [simulate(each, n, seed, rng) for each in self.plans(orders)]

    def calibrate(self, strategy: str, dependence: str = "hazard_ratio") -> Calibration:
        """The dependence that makes the strategy's deaths match its target trial's."""
        return calibrate(self.model, strategy, dependence)

    def calibrated(self, dependence: str = "hazard_ratio") -> "SequenceModel":
        """The same model with the dependence of every strategy that has a target fitted to it."""
        fitted = {
            each.strategy: self.calibrate(each.strategy, dependence).dependence for each in self.model.parts.targets
        }
        if not fitted:
            raise BadInput(f"{self.model.parts.name}: no [[target]] to calibrate to")
        known = {each: self.model.dependence(each) for each in self.strategies}
        settings = self.model.parts.settings | {"calibrated": settings_of(known | fitted)}
        return SequenceModel(self.model.with_parts(settings=settings), "calibrated")

    def misfits(self) -> list[str]:
        """A line for each target trial that the setting's dependence matches worse than none would."""
        found = []
        for target in self.model.parts.targets:
            fit = misfit(self.model, target, self.model.dependence(target.strategy))
            if fit and fit[0] > fit[1]:
                found.append(
                    f"setting {self.setting!r} matches the trial of {target.strategy!r} worse than no dependence does "
                    f"(squared error {fit[0]:.3f}, {fit[1]:.3f}): fit it anew (--calibrated)"
                )
        return found

    def psa(self, n: int = 1000, seed: int = 0, orders: bool = False, **options: Any) -> Analysis:
        """Probabilistic sensitivity analysis (`psa.psa`)."""
        return psa(self.model, n, seed, self._chosen(orders), **options)

    def compare(self, simulated: Sequence[Simulated] | None = None, orders: bool = False) -> Comparison:
        """By the exact engine, or by simulated patients, whose Monte Carlo error is then told."""
        found = pd.DataFrame([each.summary() for each in simulated]) if simulated else self.expected(orders)
        parts = self.model.parts
        names, cost, qaly = found["strategy"].tolist(), found["cost"].tolist(), found["qaly"].tolist()
        table = icer_table(names, cost, qaly)
        if simulated:
            errors = found.set_index("strategy")[["cost_error", "qaly_error"]]
            table = table.join(errors, on="strategy")
        for threshold in parts.thresholds:
            table[f"nmb_{threshold:g}"] = net_benefit(table["cost"], table["qaly"], threshold)
            if simulated:
                of = {each.name: MonteCarlo.of(net_benefit(each.cost, each.qaly, threshold)) for each in simulated}
                table[f"nmb_{threshold:g}_error"] = [of[each].error for each in table["strategy"]]
        words = tuple(
            in_words(names[i], names[i - 1], cost[i] - cost[i - 1], qaly[i] - qaly[i - 1], parts.currency)
            for i in range(1, len(names))
        )
        if not simulated or len(simulated) < 2:
            return Comparison(table, words, "")
        paid, felt = (np.column_stack([getattr(each, kind) for each in simulated]) for kind in ("cost", "qaly"))
        found = pairs(names, paid, felt, parts.thresholds)
        return Comparison(table, words, _luck(found, len(paid), parts.thresholds), found)

    def tornado(self, strategy: str, against: str, threshold: float | None = None) -> pd.DataFrame:
        """Difference in net benefit with one number at a time at the 2.5 % and 97.5 % of its distribution; the widest
        first.
        """
        level = self.model.parts.thresholds[0] if threshold is None else threshold
        plans = [self.model.plan(each) for each in (strategy, against)]
        held = [Occupancy.of(each) for each in plans]

        def difference(values: dict[Any, float]) -> float:
            model = revalued(self.model, values)
            made = [model.repaid(each) for each in plans]
            found = [Expected.of(new, each.split_as(new)) for new, each in zip(made, held, strict=True)]
            one, other = (net_benefit(each.cost, each.qaly, level) for each in found)
            return float(one - other)

        base = difference({})
        rows = []
        for each in parameters(self.model.parts):
            low, high = (each.quantile(share) for share in TAILS)
            row = {"parameter": each.name, "mean": each.mean, "low": low, "high": high, "base": base}
            rows.append(row | {"at_low": difference({each: low}), "at_high": difference({each: high})})
        table = pd.DataFrame(rows, columns=["parameter", "mean", "low", "high", "base", "at_low", "at_high"])
        order = np.argsort(-np.abs(table["at_high"] - table["at_low"]), kind="stable")
        return table.iloc[order].reset_index(drop=True)


def _luck(found: pd.DataFrame, n: int, thresholds: Sequence[float]) -> str:
    """The errors of the first pair; and of every pair and threshold with too few patients, how many it would take."""
    first, level = found.iloc[0], thresholds[0]
    lines = [
        f"{n:,} patients: Monte Carlo s.e. of the difference {first['d_cost_error']:,.0f} in cost, "
        f"{first['d_qaly_error']:.4f} QALYs, {first[f'd_nmb_{level:g}_error']:,.0f} in net benefit at {level:,.0f}"
    ]
    for row in found.to_dict("records"):
        for each in thresholds:
            key = f"d_nmb_{each:g}"
            if row[f"{key}_needed"] == row[f"{key}_needed"]:
                lines.append(
                    f"{row['strategy']} less {row['against']} at {each:,.0f}: s.e. {row[f'{key}_error']:,.0f}, larger "
                    f"than the difference ({row[key]:,.0f}): {row[f'{key}_needed']:,.0f} patients needed, or the exact "
                    "engine"
                )
    return "\n".join(lines)
