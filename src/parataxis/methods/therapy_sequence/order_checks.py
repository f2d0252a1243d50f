"""What must not matter to a model of sequences and what may: asked of the user's own model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.audit import audit
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.parts import AdverseEvent, Curve, Line, Schedule, Strategy
from parataxis.methods.therapy_sequence.simulate import simulate

PATIENTS = 8


@dataclass(frozen=True)
class Check:
    """must: nothing may change. changed: what did, in words and as the largest change of QALYs and cost."""

    what: str
    must: bool
    verdict: str
    d_qaly: float
    d_cost: float

    @property
    def broken(self) -> bool:
        """Whether something changed that must not."""
        return self.must and self.verdict != "invariant"


def order_checks(model: Model, seed: int = 0) -> list[Check]:
    """Strategies, drugs and patients in other orders; equal drugs in both orders; the order of lines; stopping asked
    before adverse events; cycles of half the length.
    """
    return [
        _permuted(model, "strategies in the file", model.parts.strategies or model.all_orders(), _by_strategy, seed),
        _permuted(model, "drugs in the file", model.parts.drugs, _by_drug, seed),
        _permuted(model, "patients", list(range(1, PATIENTS + 1)), _by_patient, seed),
        _null(model),
        _lines(model),
        _within_cycle(model),
        _half_cycles(model),
    ]


def _permuted(model: Model, what: str, items: Sequence[Any], run: Any, seed: int) -> Check:
    if len(items) < 2:
        return Check(what, True, "invariant", 0.0, 0.0)
    found = audit(lambda each: run(model, each), list(items), seed=seed)
    return Check(what, True, found.verdict.value, 0.0, 0.0)


def _by_strategy(model: Model, strategies: Sequence[Strategy]) -> Any:
    return sorted((each.name, *_pair(model.plan(each))) for each in strategies)


def _by_drug(model: Model, drugs: Sequence[Any]) -> Any:
    other = model.with_parts(drugs=tuple(drugs), strategies=model.strategies)
    return sorted((each.name, *_pair(other.plan(each))) for each in model.strategies)


def _by_patient(model: Model, patients: Sequence[int]) -> Any:
    found = simulate(model.plan(model.strategies[0]), list(patients))
    return sorted(zip(patients, found.cost.tolist(), found.qaly.tolist(), strict=True))


def _pair(plan: Any) -> tuple[float, float]:
    found = Expected.of(plan)
    return found.cost, found.qaly


def _null(model: Model) -> Check:
    """Every drug is the first one: all orders must agree, in expectation and patient by patient."""
    what = "the order of drugs that are equal"
    drug = model.parts.drugs[0]
    first = replace(drug, lines=tuple(replace(each, deaths_of="") for each in drug.lines))
    equal = model.with_parts(drugs=tuple(replace(first, id=each.id) for each in model.parts.drugs))
    strategies = [each for each in equal.strategies if len(each.drugs) == len(equal.strategies[0].drugs)]
    depends = equal.dependence(strategies[0].name)
    plans = [equal.plan(each, depends) for each in strategies]
    exact = np.array([_pair(each) for each in plans])
    walked = [simulate(each, 200) for each in plans]
    same = all((each.cost == walked[0].cost).all() and (each.qaly == walked[0].qaly).all() for each in walked)
    spread = np.ptp(exact, axis=0)
    verdict = "invariant" if same and not spread.any() else "order-dependent"
    return Check(what, True, verdict, float(spread[1]), float(spread[0]))


def _lines(model: Model) -> Check:
    """The order of the drugs may matter: that is the question."""
    found = np.array([_pair(model.plan(each)) for each in model.strategies])
    spread = np.ptp(found, axis=0)
    verdict = "order-dependent" if spread.any() else "invariant"
    return Check("the order of the drugs", False, verdict, float(spread[1]), float(spread[0]))


def _within_cycle(model: Model) -> Check:
    """Stopping is asked before adverse events, by convention."""
    plans = [model.plan(each) for each in model.strategies]
    here = np.array([_pair(each) for each in plans])
    swapped = [Expected.of(each, Occupancy.of(each, stop_first=False)) for each in plans]
    change = np.array([(each.cost, each.qaly) for each in swapped]) - here
    what = "stopping before adverse events in a cycle, or after"
    return Check(what, False, "order-dependent" if change.any() else "invariant", *_largest(change))


def _half_cycles(model: Model) -> Check:
    """The same hazards in cycles of half the length, both counted by trapezes."""
    half = replace(model.behaviour, cycle_correction="half")
    one, other = model.with_behaviour(half), halved(model).with_behaviour(replace(half, form="cause_specific"))
    names = [each.name for each in model.strategies]
    found = [np.array([_pair(made.plan(name)) for name in names]) for made in (one, other)]
    change = found[1] - found[0]
    return Check(
        "cycles of half the length", False, "order-dependent" if change.any() else "invariant", *_largest(change)
    )


def _largest(change: Any) -> tuple[float, float]:
    """Of QALYs, of cost; with its sign."""
    cost, qaly = (change[np.abs(change[:, n]).argmax(), n] for n in (0, 1))
    return float(qaly), float(cost)


def halved(model: Model) -> Model:
    """The model in cycles of half the length, with the same hazards and prices a day."""
    drugs = tuple(
        replace(drug, lines=tuple(_halved_line(model, drug.id, place) for place in range(len(drug.lines))))
        for drug in model.parts.drugs
    )
    parts = model.parts
    _, death = _curve(model.after.progression, model.after.death)
    settings = {name: {who: _twice(each) for who, each in kept.items()} for name, kept in parts.settings.items()}
    discount = replace(parts.discount, cycles_per_year=2 * parts.discount.cycles_per_year)
    return model.with_parts(
        cycles=2 * parts.cycles,
        cycle_days=parts.cycle_days / 2,
        cycle_years=parts.cycle_years / 2,
        discount=discount,
        drugs=drugs,
        extensive=replace(parts.extensive, cost=parts.extensive.cost / 2, death=death),
        strategies=model.strategies,
        settings=settings,
        targets=(),
    )


def _twice(dependence: dict[str, Any]) -> dict[str, Any]:
    return {key: 2 * value if key == "until" else value for key, value in dependence.items()}


def _halved_line(model: Model, drug: str, place: int) -> Line:
    line, table = model.line(drug, place), model.table(drug, place)
    progression, death = _curve(table.progression, table.death)
    event = line.adverse_event
    once = model.behaviour.billed_once
    return replace(
        line,
        cost=line.cost / 2,
        cost_stopped=line.cost_stopped / 2,
        cost_always=line.cost_always / 2,
        recovery=2 * line.recovery,
        stop=_halved_schedule(line.stop, model.parts.cycles),
        adverse_event=AdverseEvent(
            **vars(_halved_schedule(event, model.parts.cycles)),
            name=event.name,
            cost=event.cost if once else event.cost / 2,
            cost_first=event.cost_first,
            utility=event.utility,
            utility_first=event.utility_first,
        ),
        progression=progression,
        death=death,
        deaths_of="",
        patients=None,
    )


def _halved_schedule(schedule: Schedule, cycles: int) -> Schedule:
    each = 1 - np.sqrt(1 - np.repeat(schedule.by_cycle(cycles), 2))
    return Schedule(each=tuple(each.tolist()), then=0.0)


def _curve(progression: Any, death: Any) -> tuple[Curve, Curve]:
    """Incidences at half cycles, each cause's hazard constant within a cycle."""
    both = np.repeat(progression + death, 2)
    leave = 1 - np.sqrt(1 - both)
    share = np.divide(np.repeat(progression, 2), both, out=np.zeros_like(both), where=both > 0)
    free = np.concatenate([[1.0], np.cumprod(1 - leave)[:-1]])
    rows = np.cumsum(free * leave * share), np.cumsum(free * leave * (1 - share) * (both > 0))
    one, other = (Curve(values=tuple(np.minimum(each, 1.0).tolist())) for each in rows)
    return one, other
