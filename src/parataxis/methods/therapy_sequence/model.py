"""A model of therapy sequences: the strategies in its file made ready to run."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.behaviour import COMPAT, CORRECTED, Behaviour
from parataxis.methods.therapy_sequence.curve_files import Folder
from parataxis.methods.therapy_sequence.dependence import Clayton, Dependence, HazardRatio, Tables
from parataxis.methods.therapy_sequence.model_file import ModelFile, of_table
from parataxis.methods.therapy_sequence.parts import Curve, Drug, Line, Strategy, paid
from parataxis.methods.therapy_sequence.plan import Payoffs, Plan, cycle_weights
from parataxis.methods.therapy_sequence.tables import TransitionTable, check_incidence, incidence_of

EVERY = "every"  # in a setting: all strategies
DAYS = 365.0
AFTER = ("", 0)  # among the tables of drugs and lines: after all lines


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Model:
    """Sequences of drugs as a cohort's course, costs and QALYs.

    Build one with `from_file`. compat: "corrected" (default), "released" (as the authors' code), or a Behaviour with
    each of the differences as a switch.
    """

    def __init__(self, parts: ModelFile, folder: Folder, compat: str | Behaviour = CORRECTED) -> None:
        if isinstance(compat, str):
            if compat not in COMPAT:
                raise BadInput(f"compat={compat!r}: expected one of {', '.join(COMPAT)}, or a Behaviour")
            compat = COMPAT[compat]
        self.parts, self.folder, self.behaviour = parts, folder, compat
        self.tables: dict[tuple[str, int], TransitionTable] = {}  # made when first asked for
        self.curves: dict[tuple[str, int], tuple[Any, Any]] = {}  # incidences by cycle, instead of the file's

    @classmethod
    def from_file(cls, path: Path | str, compat: str | Behaviour = CORRECTED, folder: Path | None = None) -> "Model":
        """Of a .toml file or an .xlsx workbook. The files that it names are looked for beside it (or in `folder`), then
        in the data folder.
        """
        path = Path(path)
        if path.suffix.lower() == ".xlsx":
            from parataxis.methods.therapy_sequence.workbook import read_workbook

            table = read_workbook(path)
        else:
            try:
                table = tomllib.loads(path.read_text())
            except OSError as error:
                raise BadInput(f"{path.name}: can't be read: {error.strerror}") from None
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise BadInput(f"{path.name}: is not TOML: {error}") from None
        return cls(of_table(table, f"{path.name}: "), Folder(folder or path.parent), compat)

    def with_behaviour(self, compat: str | Behaviour) -> "Model":
        """The same file, read otherwise."""
        return Model(self.parts, self.folder, compat)

    def with_parts(self, **changes: Any) -> "Model":
        """The same model with other fields of its file."""
        return Model(replace(self.parts, **changes), self.folder, self.behaviour)

    # -- what stands in it -------------------------------------------------------------------------------------------

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """Those of the file; without any, all orders of its drugs."""
        return self.parts.strategies or self.all_orders()

    def all_orders(self) -> tuple[Strategy, ...]:
        """Every order of all drugs, named after them."""
        orders = permutations([each.id for each in self.parts.drugs])
        return tuple(Strategy(name=" then ".join(order), drugs=order) for order in orders)

    def strategy(self, name: str) -> Strategy:
        """The one of that name; BadInput lists those that there are."""
        for each in self.strategies:
            if each.name == name:
                return each
        raise BadInput(f"strategy={name!r} is unknown; known: {', '.join(each.name for each in self.strategies)}")

    def drug(self, identity: str) -> Drug:
        """The one of that id, which a strategy that was checked names."""
        return next(each for each in self.parts.drugs if each.id == identity)

    def line(self, drug: str, place: int) -> Line:
        """place: from 0."""
        found = self.drug(drug)
        if place >= len(found.lines):
            raise BadInput(
                f"drug {drug!r}: nothing on it in line {place + 1}; add a [[drug.line]], or leave it out there"
            )
        return found.lines[place]

    def dependence(self, strategy: str, setting: str | None = None) -> Dependence:
        """Of a strategy, in a setting of the file."""
        name = setting or self.parts.setting
        if not name:
            return HazardRatio(1.0, 1.0)
        if name not in self.parts.settings:
            raise BadInput(f"setting={name!r} is unknown; known: {', '.join(self.parts.settings) or 'none'}")
        table = self.parts.settings[name]
        if not isinstance(table, dict):
            raise BadInput(f"setting {name!r}: {table!r}: expected a table of strategies, or of {EVERY!r}")
        found = next((table[each] for each in (*self._alike(strategy), EVERY) if each in table), None)
        if found is None:
            raise BadInput(f"setting {name!r} says nothing of strategy {strategy!r}; add it, or {EVERY!r}")
        known = {("hazard_ratio", "until"): HazardRatio, ("clayton",): Clayton}
        for keys, kind in known.items():
            if isinstance(found, dict) and sorted(found) == sorted(keys) and all(map(_is_number, found.values())):
                return kind(*(float(found[key]) for key in keys))
        raise BadInput(f"setting {name!r}: {found!r}: expected {{hazard_ratio, until}} or {{clayton}}, numbers each")

    def _alike(self, strategy: str) -> list[str]:
        """Its name, and that which the file has for an order of drugs that is named after them."""
        return [strategy, *(each.name for each in self.parts.strategies if " then ".join(each.drugs) == strategy)]

    # -- made ready --------------------------------------------------------------------------------------------------

    def table(self, drug: str, place: int) -> TransitionTable:
        """Probabilities of a drug in a line (from 0), by cycles since the line began."""
        if (drug, place) not in self.tables:
            line = self.line(drug, place)
            where = f"drug {drug!r}, line {place + 1}: "
            try:
                found = self._table(line.progression, line.death, self.curves.get((drug, place)))
            except BadInput as error:
                raise BadInput(where + str(error)) from None
            if line.deaths_of:
                found = found.with_deaths_of(self.table(line.deaths_of, place))
            self.tables[drug, place] = found
        return self.tables[drug, place]

    def _table(self, progression: Curve, death: Curve, given: tuple[Any, Any] | None = None) -> TransitionTable:
        """given: incidences at the end of each cycle, used up to the tail; else they are read."""
        curves = {"progression": progression, "death": death}
        if given:
            read = dict(zip(curves, given, strict=True))
            tail = {name: each.tail_from for name, each in curves.items() if each.tail_from <= self.parts.cycles}
        else:
            read = {name: self._incidence(each, name) for name, each in curves.items()}
            tail = {name: self._tail(each, len(read[name]), name) for name, each in curves.items()}
        padded = [_padded(values, self.parts.cycles) for values in read.values()]
        tail = {name: start for name, start in tail.items() if start}
        return TransitionTable.from_incidence(padded[0], padded[1], self.behaviour.form, tail)

    def _incidence(self, curve: Curve, name: str) -> Float[np.ndarray, " known"]:
        """At the end of cycle 1, 2, ..., as far as the data go."""
        values = self.folder.by_cycle(curve.file, curve.column) if curve.file else np.array(curve.values)
        if curve.kind == "probability":
            if bad := np.flatnonzero(~((values >= 0) & (values <= 1))).tolist():
                raise BadInput(f"{name}, cycle {bad[0] + 1}: probability={values[bad[0]]:.6g}: expected 0 to 1")
            values = incidence_of(values)
        check_incidence(values, name)
        return values

    def _tail(self, curve: Curve, known: int, name: str) -> int:
        """The first cycle of the tail; 0 for none. Without the behaviour it begins where the data end."""
        start, cycles = curve.tail_from, self.parts.cycles
        if start > known + 1 or (known < cycles and not start):
            raise BadInput(
                f"{name}: the data end at cycle {known}, the horizon is cycles={cycles}; "
                f"give tail_from={known + 1}, or a shorter horizon"
            )
        if start and not self.behaviour.tail:
            start = known + 1
        return start if start <= cycles else 0

    @property
    def after(self) -> TransitionTable:
        """Deaths after all lines, by cycles since; nobody progresses."""
        if AFTER not in self.tables:
            nobody = Curve(values=(0.0,) * self.parts.cycles)
            try:
                self.tables[AFTER] = self._table(nobody, self.parts.extensive.death)
            except BadInput as error:
                raise BadInput(f"extensive.{error}") from None
        return self.tables[AFTER]

    def plan(self, strategy: str | Strategy, dependence: Dependence | None = None) -> Plan:
        """A strategy ready to run. dependence: instead of the setting's."""
        chosen = self.strategy(strategy) if isinstance(strategy, str) else strategy
        depends = dependence or self.dependence(chosen.name)
        tables = [self.table(drug, place) for place, drug in enumerate(chosen.drugs)]
        first = tables[0].survival()
        later = [depends.tables(each, first) for each in tables[1:]]
        return Plan(
            name=chosen.name,
            drugs=chosen.drugs,
            progression=tables[0].progression,
            death=tables[0].death,
            **_later(later, depends.tables(self.after, first)[1]),
            weights_cost=self._weights(self.parts.discount.costs),
            weights_qaly=self._weights(self.parts.discount.qalys) * self.cycle_years,
            **self._payoffs(chosen.name, chosen.drugs),
        )

    def _payoffs(self, name: str, drugs: Sequence[str]) -> dict[str, Any]:
        """The fields of a plan that no curve has a part in."""
        cycles = self.parts.cycles
        after = self.parts.extensive.of(*self._alike(name))
        lines = [self.line(drug, place) for place, drug in enumerate(drugs)]
        own = self.behaviour.adverse_event_arm
        bill = lines if own else [self.line(drugs[0], place) for place in range(len(lines))]
        return {
            "skip": np.array([*(each.skip for each in lines[:-1]), 1.0]),
            "stop": np.stack([each.stop.by_cycle(cycles) for each in lines]),
            "adverse": np.stack([each.adverse_event.by_cycle(cycles) for each in lines]),
            "costs": tuple(self._costs(line, billed) for line, billed in zip(lines, bill, strict=True)),
            "utilities": tuple(self._utilities(line) for line in lines),
            "after_cost": paid(after.cost_cycles, after.cost, cycles + 1),
            "after_utility": paid(after.utility_cycles, after.utility, cycles + 1),
        }

    def repaid(self, plan: Plan) -> Plan:
        """A plan of another model that differs in prices, utilities, stopping and adverse events: with this one's."""
        return replace(plan, **self._payoffs(plan.name, plan.drugs))

    def depending(self, plan: Plan, dependence: Dependence) -> Plan:
        """A plan of this model under another dependence."""
        first = np.concatenate([[1.0], np.cumprod(1 - plan.progression - plan.death)])
        later = [dependence.tables(self.table(drug, place), first) for place, drug in enumerate(plan.drugs) if place]
        after = dependence.tables(self.after, first)[1]
        return replace(plan, **_later(later, after))

    def plans(self, strategies: Sequence[Strategy] | None = None) -> list[Plan]:
        """Of these strategies, or of all in the file."""
        return [self.plan(each) for each in strategies or self.strategies]

    @property
    def cycle_years(self) -> float:
        """The file's, or by days."""
        return self.parts.cycle_years or self.parts.cycle_days / DAYS

    def _weights(self, rate: float) -> Float[np.ndarray, " time"]:
        per_year = self.parts.discount.cycles_per_year or DAYS / self.parts.cycle_days
        times = np.arange(self.parts.cycles + 1)
        return cycle_weights(self.parts.cycles, self.behaviour.cycle_correction) / (1 + rate / per_year) ** times

    def _costs(self, line: Line, billed: Line) -> Payoffs:
        """billed: the line whose adverse event is paid for."""
        event, n = billed.adverse_event, self.parts.cycles + 1
        ill = np.full(n, event.cost)
        if self.behaviour.billed_once:
            ill[1:] = 0.0
        if self.behaviour.first_cycle_cost and event.cost_first is not None:
            ill[0] = event.cost_first
        on = line.cost_always + line.cost
        base = on if self.behaviour.billed_once else line.cost_always
        on_drug = line.cost_always + paid(line.cost_cycles, line.cost, n)
        return Payoffs(on_drug, base + ill, np.full(n, line.cost_always + line.cost_stopped))

    def _utilities(self, line: Line) -> Payoffs:
        event, n = line.adverse_event, self.parts.cycles + 1
        ill = np.full(n, event.utility)
        off = np.full(n, line.utility_stopped)
        gap = line.utility_stopped - line.utility
        if self.behaviour.time_in_state:
            if event.utility_first is not None:
                ill[0] = event.utility_first
            since = np.arange(1, min(line.recovery, n) + 1)
            off[: len(since)] -= gap * (line.recovery - since) / max(line.recovery, 1)
        elif line.recovery:
            off -= gap
        return Payoffs(paid(line.utility_cycles, line.utility, n), ill, off)


def _padded(values: Float[np.ndarray, " known"], cycles: int) -> Float[np.ndarray, " cycle"]:
    """As long as the horizon; what is made up here lies in the tail."""
    return np.concatenate([values[:cycles], np.full(max(cycles - len(values), 0), values[-1])])


def _later(lines: Sequence[Tables], after: Float[np.ndarray, "leaving cycle"]) -> dict[str, Any]:
    """The fields of a plan that depend on the cycle of leaving the first line."""
    none = np.zeros((0, *after.shape))
    return {
        "progression_later": np.stack([each[0] for each in lines]) if lines else none,
        "death_later": np.stack([each[1] for each in lines]) if lines else none,
        "death_after": np.ascontiguousarray(after),
    }


def settings_of(dependence: Mapping[str, Dependence]) -> dict[str, Any]:
    """As a model file has them, by strategy."""
    return {
        name: {"clayton": each.theta}
        if isinstance(each, Clayton)
        else {"hazard_ratio": each.hazard_ratio, "until": each.until}
        for name, each in dependence.items()
    }
