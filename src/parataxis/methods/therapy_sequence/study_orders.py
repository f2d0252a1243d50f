"""For each symmetry the system it is true of, and a twin with a mistake that makes position matter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parataxis.claims import System
from parataxis.methods.therapy_sequence.behaviour import CORRECTED
from parataxis.methods.therapy_sequence.bootstrap import Patients
from parataxis.methods.therapy_sequence.calibrate import deaths
from parataxis.methods.therapy_sequence.dependence import HazardRatio
from parataxis.methods.therapy_sequence.economics import Draws
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.example import EXAMPLE
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.order_labels import by_parts, drawn, rows_of, with_first_line
from parataxis.methods.therapy_sequence.parameters import parameters
from parataxis.methods.therapy_sequence.parts import Drug, Strategy
from parataxis.methods.therapy_sequence.psa import revalued
from parataxis.methods.therapy_sequence.simulate import simulate
from parataxis.methods.therapy_sequence.tables import TransitionTable

CYCLES = 12
DEPENDENT = HazardRatio(3.0, 6.0)
CLOSE = 1e-9
FIRST = 4  # rows of a curve that are put in other orders
Pair = tuple[float, float]


def systems(rng: Any) -> dict[str, System]:
    """All on the example, over a few cycles."""
    model = Model.from_file(EXAMPLE, CORRECTED).with_parts(cycles=CYCLES, targets=())
    strategies = [*model.strategies, Strategy(name="A alone", drugs=("A",)), Strategy(name="B alone", drugs=("B",))]
    drugs = [*model.parts.drugs, replace(model.parts.drugs[0], id="C")]
    draws = [np.array(each) for each in rng("draws").normal(size=(12, 4)).tolist()]
    rows = list(zip(rng("rows").integers(1, 6, 12).tolist(), [1, 0, 1] * 4, strict=True))
    sure = [(float(time), 0.5 * event, 0.25 * event) for time, event in rows]
    line = model.line("A", 0)
    causes = [line.progression.values[:CYCLES], line.death.values[:CYCLES]]
    first = model.parts.drugs[0]
    parts = [(1, 2, 3), (4, 5), (6, 7, 8, 9)]
    labelled = rows_of(model.table("A", 0))
    equal = [replace(first, id=name) for name in ("A", "B")]
    return {
        "patients": System(_walked(model), list(range(1, 13)), twin=_walked_by_place(model), per_item=True),
        "strategies": System(_strategies(model), strategies, twin=_strategies_by_place(model), per_item=True),
        "drugs-in-file": System(_drugs(model), drugs, twin=_drugs_by_place(model)),
        "equal-drugs": System(_equal(model), equal, twin=_unequal_luck(model)),
        "causes": System(_causes, causes, twin=_causes_in_turn, per_item=True, compare=CLOSE),
        "draws": System(_draws, draws, twin=_half_of_the_draws, compare=CLOSE),
        "trial-rows": System(_trial, rows, twin=_trial_ties_in_turn, compare=CLOSE),
        "reconstructed-rows": System(_incidences, sure, twin=_incidences_of_most, compare=CLOSE),
        "drug-order": System(_order(model), ["A", "B"]),
        "parts": System(_parts(model), parts, twin=_parts_by_place(model)),
        "curve-rows": System(_rows(model), labelled[:FIRST], twin=_rows_as_they_stand(model)),
        "parameters": System(_drawn(model), model.parts.drugs, twin=_drawn_in_turn(model)),
        "names": System(_named(model), ["one", "other"], twin=_named_by_alphabet(model)),
        "cycle-labels": System(_labelled(model), [1, 2, 3]),
        "within-cycle": System(_asked(model), ["stop", "adverse event"]),
    }


def _walked(model: Model) -> Any:
    plan = model.plan("A first", DEPENDENT)

    def run(patients: Sequence[int]) -> list[Pair]:
        found = simulate(plan, [*patients, 0], 3)  # one more, so that one may be asked for alone
        return list(zip(found.cost[:-1].tolist(), found.qaly[:-1].tolist(), strict=True))

    return run


def _walked_by_place(model: Model) -> Any:
    """The luck of the place in line."""
    run = _walked(model)
    return lambda patients: run(range(1, len(patients) + 1))


def _strategies(model: Model) -> Any:
    return lambda strategies: [_expected(model, each) for each in strategies]


def _strategies_by_place(model: Model) -> Any:
    """Each is simulated on with the seed of its place."""
    return lambda strategies: [
        float(simulate(model.plan(each, DEPENDENT), 20, seed).cost.sum()) for seed, each in enumerate(strategies)
    ]


def _expected(model: Model, strategy: str | Strategy) -> Pair:
    found = Expected.of(model.plan(strategy, DEPENDENT))
    return found.cost, found.qaly


def _drugs(model: Model) -> Any:
    def run(drugs: Sequence[Drug]) -> list[Any]:
        known = {each.id for each in drugs}
        made = model.with_parts(drugs=tuple(drugs), strategies=())
        wanted = [each for each in model.strategies if known >= set(each.drugs)]
        return [(each.name, *_expected(made, each)) for each in wanted]

    return run


def _drugs_by_place(model: Model) -> Any:
    """Looks drugs up by their place in the file."""

    def run(drugs: Sequence[Drug]) -> Any:
        made = model.with_parts(drugs=tuple(drugs), strategies=())
        return _expected(made, Strategy(name="", drugs=(drugs[0].id, drugs[-1].id)))

    return run


def _equal(model: Model, luck: Any = lambda drugs: 1) -> Any:
    """Both drugs alike: costs and QALYs of each patient."""

    def run(drugs: Sequence[Drug]) -> Any:
        made = model.with_parts(drugs=tuple(sorted(drugs, key=lambda each: each.id)), strategies=())
        plan = made.plan(Strategy(name="", drugs=tuple(each.id for each in drugs)), DEPENDENT)
        found, exact = simulate(plan, 40, luck(drugs)), Expected.of(plan)
        return [exact.cost, exact.qaly, found.cost.tolist(), found.qaly.tolist()]

    return run


def _unequal_luck(model: Model) -> Any:
    """Other random numbers in each arm."""
    return _equal(model, lambda drugs: ord(drugs[0].id))


def _causes(causes: Sequence[tuple[float, ...]]) -> list[Any]:
    """Each cause's probabilities, whichever is called progression."""
    rows = [np.array(each) for each in causes]
    if len(rows) == 1:
        rows.append(np.zeros_like(rows[0]))
    table = TransitionTable.from_incidence(rows[0], rows[1])
    progression, death = HazardRatio(2.0, 5.0).tables(table, table.survival())
    return [progression, death][: len(causes)]


def _causes_in_turn(causes: Sequence[tuple[float, ...]]) -> list[Any]:
    """The second is asked of those whom the first has left."""
    one, *other = _causes(causes)
    return [one, *(each / (1 - one) for each in other)]


def _draws(rows: Sequence[Any]) -> list[float]:
    table = np.stack([*rows, *rows]).astype(float)  # two draws at least
    draws = Draws(("one", "other"), 1e3 * table[:, :2], table[:, 2:])
    accepted, worth = draws.acceptability([0.0, 1e3, 5e3]), draws.evpi([1e3, 5e3])
    return [*accepted["one"].tolist(), *accepted["frontier"].tolist(), *worth["evpi"].tolist()]


def _half_of_the_draws(rows: Sequence[Any]) -> list[float]:
    """As if the second half were a burn-in."""
    return _draws(rows[: (len(rows) + 1) // 2])


def _trial(rows: Sequence[tuple[int, int]]) -> Any:
    time, event = np.array(rows, float).T
    return deaths(time, event, 6)


def _trial_ties_in_turn(rows: Sequence[tuple[int, int]]) -> Any:
    """Ties one after another, as the file has them."""
    time, event = np.array(rows, float).T
    return deaths(time + 1e-6 * np.arange(len(time)), event, 6)


def _incidences(rows: Sequence[tuple[float, float, float]]) -> list[Any]:
    time, progression, death = np.array(rows, float).T
    return list(Patients(time, progression, death).incidences(6))


def _incidences_of_most(rows: Sequence[tuple[float, float, float]]) -> list[Any]:
    """Forgets the last row."""
    return _incidences(rows[: max(len(rows) - 1, 1)])


def _order(model: Model) -> Any:
    return lambda drugs: _expected(model, Strategy(name="", drugs=tuple(drugs)))


def _asked(model: Model) -> Any:
    """QALYs by what is asked first within a cycle."""
    plan = model.plan("A first", DEPENDENT)
    return lambda asked: Expected.of(plan, Occupancy.of(plan, stop_first=asked[0] == "stop")).qaly


def _parts(model: Model) -> Any:
    """Patients in parts, a worker each."""
    plan = model.plan("A first", DEPENDENT)
    return lambda parts: by_parts(plan, parts)


def _parts_by_place(model: Model) -> Any:
    """Each part with a seed of its place."""
    plan = model.plan("A first", DEPENDENT)
    return lambda parts: sorted(row for seed, part in enumerate(parts) for row in by_parts(plan, [part], seed))


def _rows(model: Model) -> Any:
    """The first rows of a curve as they are given, the others after them."""
    rest = rows_of(model.table("A", 0))[FIRST:]
    return lambda rows: _expected(with_first_line(model, "A", [*rows, *rest]), "A first")


def _rows_as_they_stand(model: Model) -> Any:
    """Without a look at the cycle that each row names."""
    run = _rows(model)
    return lambda rows: run([(place, *each[1:]) for place, each in enumerate(rows, 1)])


def _drawn(model: Model) -> Any:
    """Two draws, the drugs and all their parameters in another order in the file."""
    return lambda drugs: drawn(model.with_parts(drugs=tuple(drugs)), 2).tolist()


def _drawn_in_turn(model: Model) -> Any:
    """One stream of numbers, dealt to the parameters as they stand in the file."""

    def run(drugs: Sequence[Drug]) -> Any:
        made, rng = model.with_parts(drugs=tuple(drugs)), np.random.default_rng(0)
        values = {each: each.draw(rng) for each in parameters(made.parts)}
        return _expected(revalued(made, values), "A first")

    return run


def _named(model: Model) -> Any:
    """The first drug of the file under one name, the second under the other, and the first of them first."""

    def run(names: Sequence[str]) -> Any:
        drugs = tuple(replace(each, id=name) for each, name in zip(model.parts.drugs, names, strict=True))
        return _expected(model.with_parts(drugs=drugs, strategies=()), Strategy(name="", drugs=tuple(names)))

    return run


def _named_by_alphabet(model: Model) -> Any:
    """Whose name is first in the alphabet is given first."""

    def run(names: Sequence[str]) -> Any:
        drugs = tuple(replace(each, id=name) for each, name in zip(model.parts.drugs, names, strict=True))
        return _expected(model.with_parts(drugs=drugs, strategies=()), Strategy(name="", drugs=tuple(sorted(names))))

    return run


def _labelled(model: Model) -> Any:
    """QALYs with these labels on the first cycles of a curve."""
    rows = rows_of(model.table("A", 0))

    def run(labels: Sequence[int]) -> float:
        given = [(label, *each[1:]) for label, each in zip(labels, rows, strict=False)]
        return _expected(with_first_line(model, "A", [*given, *rows[len(labels) :]]), "A first")[1]

    return run
