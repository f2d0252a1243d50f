"""What must not matter to a model of sequences and what may: asked of the user's own model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.audit import audit
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.order_labels import (
    by_parts,
    drawn,
    expected,
    renamed,
    rows_of,
    swapped_neighbours,
    with_first_line,
)
from parataxis.methods.therapy_sequence.parts import AdverseEvent, Curve, Line, Schedule, Strategy
from parataxis.methods.therapy_sequence.simulate import simulate

PATIENTS = 8
PARTS = 4  # of twelve patients each, a worker each
FEW, DRAWS = 2, 50  # of a sensitivity analysis: where nothing may change, and where it is measured


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


def order_checks(model: Model, seed: int = 0, draws: int = DRAWS) -> list[Check]:
    """Strategies, drugs, patients, parts of them on workers, rows of a curve and parameters in other orders; other
    names; equal drugs in both orders. Then what may matter: the order of lines; stopping asked before adverse events;
    cycles of half the length, or with each other's label; other names in the draws.
    """
    return [
        _permuted(model, "strategies in the file", model.parts.strategies or model.all_orders(), _by_strategy, seed),
        _permuted(model, "drugs in the file", model.parts.drugs, _by_drug, seed),
        _permuted(model, "patients", list(range(1, PATIENTS + 1)), _by_patient, seed),
        _permuted(model, "parts of the patients, a worker each", _parts(), _by_part, seed),
        _permuted(model, "rows of a curve, each with its cycle", rows_of(_first_table(model)), _by_row, seed),
        _permuted(model, "parameters in the file, in every draw", model.parts.drugs, _by_parameter, seed),
        names(model),
        _null(model),
        _lines(model),
        _within_cycle(model),
        _half_cycles(model),
        _cycle_labels(model),
        _drawn_names(model, seed, draws),
    ]


def _permuted(model: Model, what: str, items: Sequence[Any], run: Any, seed: int) -> Check:
    if len(items) < 2:
        return Check(what, True, "invariant", 0.0, 0.0)
    found = audit(lambda each: run(model, each), list(items), seed=seed)
    return Check(what, True, found.verdict.value, 0.0, 0.0)


def _by_strategy(model: Model, strategies: Sequence[Strategy]) -> Any:
    return sorted((each.name, *expected(model.plan(each))) for each in strategies)


def _by_drug(model: Model, drugs: Sequence[Any]) -> Any:
    other = model.with_parts(drugs=tuple(drugs), strategies=model.strategies)
    return sorted((each.name, *expected(other.plan(each))) for each in model.strategies)


def _by_patient(model: Model, patients: Sequence[int]) -> Any:
    found = simulate(model.plan(model.strategies[0]), list(patients))
    return sorted(zip(patients, found.cost.tolist(), found.qaly.tolist(), strict=True))


def _parts() -> list[tuple[int, ...]]:
    return [tuple(range(12 * place + 1, 12 * place + 13)) for place in range(PARTS)]


def _by_part(model: Model, parts: Sequence[Sequence[int]]) -> Any:
    return by_parts(model.plan(model.strategies[0]), parts)


def _first_table(model: Model) -> Any:
    return model.table(model.strategies[0].drugs[0], 0)


def _by_row(model: Model, rows: Sequence[Any]) -> Any:
    first = model.strategies[0]
    return expected(with_first_line(model, first.drugs[0], rows).plan(first))


def _by_parameter(model: Model, drugs: Sequence[Any]) -> Any:
    return drawn(model.with_parts(drugs=tuple(drugs), strategies=model.strategies), FEW).tolist()


def names(model: Model) -> Check:
    """Under other names nothing changes but the names."""
    other = renamed(model)
    one, two = (np.array([expected(made.plan(each)) for each in made.strategies]) for made in (model, other))
    return _measured("names of drugs and strategies", True, two - one)


def _null(model: Model) -> Check:
    """Every drug is the first one: all orders must agree, in expectation and patient by patient."""
    what = "the order of drugs that are equal"
    drug = model.parts.drugs[0]
    first = replace(drug, lines=tuple(replace(each, deaths_of="") for each in drug.lines))
    drugs = tuple(replace(first, id=each.id) for each in model.parts.drugs)
    equal = model.with_parts(drugs=drugs, extensive=replace(model.parts.extensive, own=()))
    strategies = [each for each in equal.strategies if len(each.drugs) == len(equal.strategies[0].drugs)]
    depends = equal.dependence(strategies[0].name)
    plans = [equal.plan(each, depends) for each in strategies]
    exact = np.array([expected(each) for each in plans])
    walked = [simulate(each, 200) for each in plans]
    same = all((each.cost == walked[0].cost).all() and (each.qaly == walked[0].qaly).all() for each in walked)
    spread = np.ptp(exact, axis=0)
    verdict = "invariant" if same and not spread.any() else "order-dependent"
    return Check(what, True, verdict, float(spread[1]), float(spread[0]))


def _lines(model: Model) -> Check:
    """The order of the drugs may matter: that is the question."""
    found = np.array([expected(model.plan(each)) for each in model.strategies])
    spread = np.ptp(found, axis=0)
    verdict = "order-dependent" if spread.any() else "invariant"
    return Check("the order of the drugs", False, verdict, float(spread[1]), float(spread[0]))


def _within_cycle(model: Model) -> Check:
    """Stopping is asked before adverse events, by convention."""
    plans = [model.plan(each) for each in model.strategies]
    here = np.array([expected(each) for each in plans])
    swapped = [Expected.of(each, Occupancy.of(each, stop_first=False)) for each in plans]
    change = np.array([(each.cost, each.qaly) for each in swapped]) - here
    return _measured("stopping before adverse events in a cycle, or after", False, change)


def _half_cycles(model: Model) -> Check:
    """The same hazards in cycles of half the length, both counted by trapezes."""
    half = replace(model.behaviour, cycle_correction="half")
    one, other = model.with_behaviour(half), halved(model).with_behaviour(replace(half, form="cause_specific"))
    names = [each.name for each in model.strategies]
    found = [np.array([expected(made.plan(name)) for name in names]) for made in (one, other)]
    return _measured("cycles of half the length", False, found[1] - found[0])


def _cycle_labels(model: Model) -> Check:
    """When things happen may matter: two neighbouring cycles of a first line with each other's label."""
    here = {each.name: np.array(expected(model.plan(each))) for each in model.strategies}
    change = [
        np.array(expected(made.plan(each))) - here[each.name]
        for drug, made in swapped_neighbours(model)
        for each in model.strategies
        if each.drugs[0] == drug
    ]
    return _measured("labels of two neighbouring cycles in a first line", False, np.array(change).reshape(-1, 2))


def _drawn_names(model: Model, seed: int, draws: int) -> Check:
    """A parameter's luck hangs on its name, not on its place: under other names the draws are others of the same."""
    one, two = (drawn(made, draws, seed).mean(0) for made in (model, renamed(model)))
    return _measured(f"names of drugs, in the means of {draws} draws", False, two - one)


def _measured(what: str, must: bool, change: Any) -> Check:
    """change: cost and QALYs, a row a comparison."""
    verdict = "order-dependent" if change.any() else "invariant"
    return Check(what, must, verdict, *(_largest(change) if len(change) else (0.0, 0.0)))


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
        extensive=replace(
            parts.extensive,
            **_twice_paid(parts.extensive),
            death=death,
            own=tuple(replace(each, **_twice_paid(each)) for each in parts.extensive.own),
        ),
        strategies=model.strategies,
        settings=settings,
        targets=(),
    )


def _twice(dependence: dict[str, Any]) -> dict[str, Any]:
    return {key: 2 * value if key == "until" else value for key, value in dependence.items()}


def _twice_paid(part: Any) -> dict[str, Any]:
    """Each cycle's payoffs in two halves."""
    return {
        "cost": part.cost / 2,
        "cost_cycles": tuple(each / 2 for each in part.cost_cycles for _ in range(2)),
        "utility_cycles": tuple(each for each in part.utility_cycles for _ in range(2)),
    }


def _halved_line(model: Model, drug: str, place: int) -> Line:
    line, table = model.line(drug, place), model.table(drug, place)
    progression, death = _curve(table.progression, table.death)
    event = line.adverse_event
    once = model.behaviour.billed_once
    return replace(
        line,
        **_twice_paid(line),
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
