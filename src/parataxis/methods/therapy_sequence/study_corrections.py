"""What each behaviour of the released code decides: corrected one by one, and all together."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.methods.therapy_sequence.behaviour import CORRECTED, RELEASED, Behaviour
from parataxis.methods.therapy_sequence.corrections import corrections
from parataxis.methods.therapy_sequence.exact import Occupancy
from parataxis.methods.therapy_sequence.study_inputs import Inputs

CLAIMS = (
    *("time-in-state", "adverse-event-arm", "all-corrected-none", "all-corrected-dct", "median-pfs", "incidence-sum"),
    "half-cycle",
)


def measure(inputs: Inputs, done: Any) -> Iterator[Measurement | Table]:
    """Exact expectations: nothing is drawn, so every interval is a point."""
    released = inputs.expected("none")
    d_cost, d_qaly = _difference(released)

    def told(claim: str, value: float, null: float | None = None, note: str = "") -> Measurement:
        return Measurement(claim, value, value, value, 1, null=null, real=inputs.real, data=inputs.data, note=note)

    values = {
        CLAIMS[0]: lambda: told(CLAIMS[0], _under(inputs, RELEASED.but("time_in_state"), "none")[1], d_qaly),
        CLAIMS[1]: lambda: told(CLAIMS[1], _under(inputs, RELEASED.but("adverse_event_arm"), "none")[0] / d_cost, 1.0),
        CLAIMS[2]: lambda: told(CLAIMS[2], _under(inputs, CORRECTED, "none")[1]),
        CLAIMS[3]: lambda: told(CLAIMS[3], _under(inputs, CORRECTED, "dct")[1]),
        CLAIMS[4]: lambda: told(CLAIMS[4], _median(inputs, CORRECTED), _median(inputs, RELEASED)),
        CLAIMS[5]: lambda: told(CLAIMS[5], _sum(inputs, 0), _sum(inputs, 1)),
        CLAIMS[6]: lambda: told(CLAIMS[6], _half_cycle(inputs)),
    }
    for claim, value in values.items():
        if claim == CLAIMS[-1]:
            yield _table(inputs)
        if not done(claim):
            yield value()


def _difference(found: Any) -> tuple[float, float]:
    return found[1].cost - found[0].cost, found[1].qaly - found[0].qaly


def _under(inputs: Inputs, behaviour: Behaviour, setting: str) -> tuple[float, float]:
    """Differences of cost and QALYs."""
    return _difference(inputs.expected(setting, inputs.model.with_behaviour(behaviour)))


def _median(inputs: Inputs, behaviour: Behaviour) -> float:
    """Months until half of the second strategy's patients have left the first line; the horizon if fewer do."""
    model = inputs.model.with_behaviour(behaviour)
    held = Occupancy.of(model.plan(model.strategies[1])).lines[0].sum(1)
    below = np.flatnonzero(held < 0.5)
    cycle = float(below[0]) if len(below) else float(len(held) - 1)
    return cycle * model.parts.cycle_days / 30.4


def _sum(inputs: Inputs, place: int) -> float:
    """Of both incidences of a drug's second line at the horizon, as its file has them."""
    model = inputs.model
    line = model.line(model.parts.drugs[place].id, 1)
    curves = [
        model.folder.column(each.file, each.column) if each.file else np.array(each.values)
        for each in (line.progression, line.death)
    ]
    return float(curves[0][-1] + curves[1][-1])


def _half_cycle(inputs: Inputs) -> float:
    """What half-cycle correction does to the difference of QALYs of the corrected model."""
    half = replace(CORRECTED, cycle_correction="half")
    return _under(inputs, half, "none")[1] - _under(inputs, CORRECTED, "none")[1]


def _table(inputs: Inputs) -> Table:
    found = {setting: corrections(inputs.model, setting) for setting in ("none", "dct")}
    rows: list[list[Any]] = []
    for pair in zip(*(each.itertuples(index=False) for each in found.values()), strict=True):
        row: list[Any] = [pair[0].corrected]
        for each in pair:
            row += [round(each.d_cost), round(each.d_qaly, 4), each.icer]
            row.append(f"{each.alive_first:.3f} / {each.alive_second:.3f}")
        rows.append(row)
    shown = ("Δ cost", "Δ QALYs", "ICER", "alive at the end")
    columns = ("behaviour corrected", *(f"{what}, {setting}" for setting in found for what in shown))
    caption = (
        f"{inputs.names[1]} less {inputs.names[0]}, exact expectations; alive at the end: {inputs.names[0]} / "
        f"{inputs.names[1]}. A row corrects what it says, and what a + stands before also the rows above it."
    )
    return Table("corrections", columns, rows, caption)
