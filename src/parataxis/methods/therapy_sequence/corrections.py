"""The released model beside the corrected one: what each behaviour decides, in one table."""

from collections.abc import Iterator

import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED, Behaviour
from parataxis.methods.therapy_sequence.exact import Expected
from parataxis.methods.therapy_sequence.model import Model

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("as released", ()),
    ("utilities know the time in the state", ("time_in_state",)),
    ("adverse events billed by the line's own drug", ("adverse_event_arm",)),
    ("+ first cycle at its own price", ("adverse_event_arm", "first_cycle_cost")),
    ("+ billed once, drug billed on", ("adverse_event_arm", "first_cycle_cost", "billed_once")),
    ("constant hazards beyond the data", ("tail",)),
    ("+ cause-specific probabilities", ("tail", "form")),
)


def behaviours() -> Iterator[tuple[str, Behaviour]]:
    """As released, each correction, and all of them; a + keeps those of the rows above it, up to one without."""
    for words, names in STEPS:
        yield words, RELEASED.but(*names)
    yield "all", CORRECTED


def corrections(model: Model, setting: str | None = None) -> pd.DataFrame:
    """The second strategy less the first, by exact expectation, a row a behaviour. icer: a price in words where it is
    none a QALY gained. alive_first, alive_second: at the horizon.
    """
    if len(model.strategies) < 2:
        raise BadInput(f"{model.parts.name}: one strategy; corrections compare two")
    rows = []
    for words, behaviour in behaviours():
        made = model.with_behaviour(behaviour)
        plans = [made.plan(each, made.dependence(each.name, setting)) for each in made.strategies[:2]]
        first, second = (Expected.of(each) for each in plans)
        d_cost, d_qaly = second.cost - first.cost, second.qaly - first.qaly
        row = {"corrected": words, "d_cost": d_cost, "d_qaly": d_qaly}
        row["icer"] = _price(d_cost, d_qaly, plans[0].name, plans[1].name)
        rows.append(row | {"alive_first": 1 - first.dead[-1], "alive_second": 1 - second.dead[-1]})
    return pd.DataFrame(rows)


def _price(d_cost: float, d_qaly: float, first: str, second: str) -> str:
    if d_cost * d_qaly > 0:
        return f"{d_cost / d_qaly:,.0f}{'' if d_qaly > 0 else ' saved a QALY lost'}"
    return f"{second if d_qaly >= 0 and d_cost <= 0 else first} dominates"
