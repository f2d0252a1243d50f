"""The published run, on R's own random numbers, and its expectation without Monte Carlo."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.methods.therapy_sequence.exact import Occupancy
from parataxis.methods.therapy_sequence.simulate import MonteCarlo, simulate
from parataxis.methods.therapy_sequence.study_inputs import SETTINGS, Inputs

PUBLISHED = {"none": ("dqaly-none", "icer-none", "icer-error-none"), "dct": ("dqaly-dct", "icer-dct", "icer-error-dct")}
EXACT, STREAM, AGREES = "exact-golden", "stream-golden", "simulation-agrees"
CLAIMS = (*(each for ids in PUBLISHED.values() for each in ids), EXACT, STREAM, AGREES)


def measure(inputs: Inputs, done: Any) -> Iterator[Measurement | Table]:
    for setting, ids in PUBLISHED.items():
        if not all(map(done, ids)):
            yield from _published(inputs, setting, ids, done)
    if not done(EXACT):
        yield _against_golden(inputs, EXACT)
    if not done(STREAM):
        yield _against_golden(inputs, STREAM)
    yield _table(inputs)  # before the last claim, so that a run that is cut off here makes it again
    if not done(AGREES):
        yield _agreement(inputs)


def _published(inputs: Inputs, setting: str, ids: tuple[str, str, str], done: Any) -> Iterator[Measurement]:
    """The differences of the run with seed 1. Null: of the run in the paper's other setting; of the next patients (runs
    whose seeds are near share all but a few: a patient's is the seed plus the patient's number).
    """
    found = _differences(inputs, setting, 1)
    other = _differences(inputs, "dct" if setting == "none" else "none", 1)
    exact = inputs.expected(setting)
    d_qaly, d_cost = exact[1].qaly - exact[0].qaly, exact[1].cost - exact[0].cost
    values = {
        ids[0]: (found[1], other[1], f"expectation {d_qaly:.6f}"),
        ids[1]: (
            found[2],
            _differences(inputs, setting, 1 + inputs.patients)[2],
            f"expectation {d_cost / d_qaly:,.0f}; see its error",
        ),
        ids[2]: (found[3], None, f"the ICER of the run is {found[2]:,.2f}, its expectation {d_cost / d_qaly:,.0f}"),
    }
    for name, (value, null, note) in values.items():
        if not done(name):
            n = inputs.patients
            yield Measurement(name, value, value, value, n, null=null, real=inputs.real, data=inputs.data, note=note)


def _differences(inputs: Inputs, setting: str, seed: int) -> tuple[float, float, float, float]:
    """Of cost and QALYs, the ICER, and its Monte Carlo error (by the delta method)."""
    first, second = inputs.run(setting, seed)
    cost, qaly = second.cost - first.cost, second.qaly - first.qaly
    d_cost, d_qaly = float(second.cost.mean() - first.cost.mean()), float(second.qaly.mean() - first.qaly.mean())
    ratio = d_cost / d_qaly
    error = MonteCarlo.of(cost - ratio * qaly).error / abs(d_qaly)
    return d_cost, d_qaly, ratio, error


def _against_golden(inputs: Inputs, claim: str) -> Measurement:
    """The largest relative difference from the kept results. Null: the other way to have them, exact or walked."""
    exact = {name: [(each.cost, each.qaly) for each in inputs.expected(name)] for name in SETTINGS}
    walked = {name: [(each.cost.mean(), each.qaly.mean()) for each in inputs.run(name)] for name in SETTINGS}
    ours, other = (exact, walked) if claim == EXACT else (walked, exact)
    if inputs.golden:
        kept = inputs.golden["exact_expectation" if claim == EXACT else "bit_exact_R_stream"]
        truth = {name: list(zip(kept[name]["cost"], kept[name]["qaly"], strict=True)) for name in SETTINGS}
    else:
        truth = ours
    value, null = (_largest(each, truth) for each in (ours, other))
    return Measurement(claim, value, value, value, 4 * len(SETTINGS), null=null, real=inputs.real, data=inputs.data)


def _largest(ours: Any, truth: Any) -> float:
    one, other = (np.array([each[name] for name in SETTINGS]) for each in (ours, truth))
    return float(np.abs(one / other - 1).max())


def _agreement(inputs: Inputs) -> Measurement:
    """The largest difference of an occupancy from the exact one, in standard errors. Null: patients of the setting
    without dependence against the expectation with it.
    """
    strategy = inputs.model.strategies[0]
    plan, alone = (
        inputs.model.plan(strategy, inputs.model.dependence(strategy.name, name)) for name in ("dct", "none")
    )
    n = inputs.simulated
    truth = Occupancy.of(plan).trace(plan).to_numpy()
    error = np.sqrt(np.maximum(truth * (1 - truth), 1 / n) / n)
    z, null = (
        float((np.abs(simulate(each, n, inputs.seed).trace().to_numpy() - truth) / error).max())
        for each in (plan, alone)
    )
    return Measurement(AGREES, z, z, z, n, null=null, real=inputs.real, data=inputs.data)


def _table(inputs: Inputs) -> Table:
    rows: list[list[Any]] = []
    for name in SETTINGS:
        d_cost, d_qaly, ratio, error = _differences(inputs, name, 1)
        one, other = inputs.expected(name)
        e_cost, e_qaly = other.cost - one.cost, other.qaly - one.qaly
        walked = (round(d_cost, 2), round(d_qaly, 6), round(ratio, 2), round(error))
        rows.append([name, *walked, round(e_cost, 2), round(e_qaly, 6), round(e_cost / e_qaly)])
    columns = (
        *("setting", "Δ cost, run", "Δ QALYs, run", "ICER, run", "its s.e."),
        *("Δ cost, exact", "Δ QALYs, exact", "ICER, exact"),
    )
    caption = (
        f"{inputs.names[1]} less {inputs.names[0]}, as released: {inputs.patients:,} patients on R's stream, and the "
        "expectation."
    )
    return Table("published", columns, rows, caption)
