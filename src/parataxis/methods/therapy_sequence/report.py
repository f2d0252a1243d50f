"""One HTML page that shows a comparison whole: results, uncertainty, survival, calibration, CHEERS 2022, inputs."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from parataxis.methods.therapy_sequence import plots
from parataxis.methods.therapy_sequence.behaviour import CORRECTED
from parataxis.methods.therapy_sequence.calibrate import Calibration
from parataxis.methods.therapy_sequence.cheers import BLANK, cheers
from parataxis.methods.therapy_sequence.exact import Occupancy
from parataxis.methods.therapy_sequence.information import worthwhile
from parataxis.methods.therapy_sequence.parameters import parameters
from parataxis.methods.therapy_sequence.psa import Analysis
from parataxis.methods.therapy_sequence.sequence import SequenceModel
from parataxis.methods.therapy_sequence.sources import source_table, unsaid
from parataxis.page import page

WORTHIEST = 10  # parameters of which it is told what knowing them is worth
SOURCE = "regression on the draws (Strong, Oakley and Brennan 2014), natural cubic splines"
THRESHOLDS = 61  # points of a curve over the willingness to pay


def thresholds(model: SequenceModel) -> list[float]:
    """From 0 to twice the highest threshold of the file."""
    return np.linspace(0, 2 * max(model.model.parts.thresholds), THRESHOLDS).tolist()


def report(model: SequenceModel, analysis: Analysis, calibrations: Sequence[Calibration] = ()) -> str:
    """The whole page as HTML. calibrations: shown with their ridges, and their trials over the survival."""
    parts, comparison = model.model.parts, model.compare()
    body = [
        f"<h1>{escape(parts.title or parts.name)}</h1>",
        f"<p class=soft>{escape(_headline(model))}</p>",
        *(f"<p><b>{escape(each)}</b></p>" for each in comparison.words),
        *(f"<p>Note: {escape(each)}.</p>" for each in model.misfits()),
        _results(model, comparison.table),
        _uncertainty(model, analysis),
        _survival(model, calibrations),
        *(_calibration(each) for each in calibrations),
        "<h2>CHEERS 2022</h2>",
        _table(cheers(model, comparison, analysis), "Filled in where the model knows the answer."),
        _inputs(model),
    ]
    return page(parts.title or parts.name, "".join(body))


def _headline(model: SequenceModel) -> str:
    parts = model.model.parts
    how = "corrected model" if model.model.behaviour == CORRECTED else f"{model.model.behaviour}"
    return f"{parts.cycles} cycles of {parts.cycle_days:g} days; setting {model.setting or 'independent'}; {how}"


def _results(model: SequenceModel, table: pd.DataFrame) -> str:
    shown = table.rename(columns={"d_cost": "Δ cost", "d_qaly": "Δ QALYs", "icer": "ICER", "qaly": "QALYs"})
    shown = shown.rename(columns=lambda name: f"NMB at {float(name[4:]):,.0f}" if name.startswith("nmb_") else name)
    caption = (
        f"Expectations a patient, without Monte Carlo. Costs in {model.model.parts.currency or 'the file’s unit'}."
    )
    years = _table(model.times(), "Years a patient spends in each state, not discounted.")
    return "<h2>Results</h2>" + _table(shown, caption) + years


def _uncertainty(model: SequenceModel, analysis: Analysis) -> str:
    parts, draws = model.model.parts, analysis.draws
    grid = thresholds(model)
    held = f"patients of {', '.join(analysis.curves)} drawn again" if analysis.curves else "survival curves held fixed"
    body = [
        "<h2>Uncertainty</h2>",
        f"<p class=soft>{len(draws.cost):,} draws of {len(analysis.varied)} parameters; {escape(held)}.</p>",
    ]
    if len(draws.names) > 1:
        first, second = draws.names[1], draws.names[0]
        body.append(
            _figure(
                plots.plane(draws, first, second, parts.thresholds, parts.currency),
                "The plane: a point a draw, the diamond their mean; dashed, what a QALY may cost.",
            )
        )
    body.append(
        _figure(
            plots.acceptability(draws.acceptability(grid), draws.names, parts.currency),
            "Acceptability: the share of draws in which a strategy has the highest net benefit.",
        )
    )
    body.append(
        _figure(
            plots.evpi(draws.evpi(grid), parts.currency),
            "Expected value of perfect information, with a 95 % band over draws.",
        )
    )
    body.append(
        _table(draws.ranking(parts.thresholds[0]), f"Ranked by net benefit at {parts.thresholds[0]:,.0f} a QALY.")
    )
    if len(draws.names) > 1:
        body.append(_worth(analysis.evppi(parts.thresholds)))
    if len(draws.names) > 1 and parameters(parts):
        threshold, pair = parts.thresholds[0], f"{draws.names[1]} less {draws.names[0]}"
        table = model.tornado(draws.names[1], draws.names[0])
        body.append(_figure(plots.tornado(table, threshold, pair, parts.currency), "One number at a time."))
    return "".join(body)


def _worth(table: pd.DataFrame) -> str:
    """Of the parameters that are worth knowing."""
    known = worthwhile(table).head(WORTHIEST)
    if not len(known):
        return f"<p>Knowing one parameter alone would change no choice ({SOURCE}).</p>" if len(table) else ""
    shown = known.rename(columns=lambda name: _worth_head(str(name)))
    return _table(shown, f"What knowing one parameter would be worth a patient: {SOURCE}.")


def _worth_head(name: str) -> str:
    kind, _, threshold = name.partition("_")
    words = {"evppi": "EVPPI", "error": "its s.e."}
    return f"{words[kind]} at {float(threshold):,.0f}" if threshold else name


def _survival(model: SequenceModel, calibrations: Sequence[Calibration]) -> str:
    plans = model.plans()
    held = [Occupancy.of(each) for each in plans]
    alive = {plan.name: 1 - each.dead for plan, each in zip(plans, held, strict=True)}
    trials = {each.strategy: 1 - each.trial for each in calibrations}
    body = [
        "<h2>Survival</h2>",
        _figure(plots.survival(alive, trials), "Overall survival; dotted, the trial that it should match."),
    ]
    for plan, each in zip(plans, held, strict=True):
        body.append(_figure(plots.states(each.trace(plan), plan.name), ""))
    return "".join(body)


def _calibration(found: Calibration) -> str:
    near = found.ridge()
    key = near.columns[0]
    bound = ", at the bound of the search" if found.at_bound else ""
    told = f"{found.dependence}{bound}: squared error {found.error:.4f}, without dependence {found.independent:.4f}."
    if len(near):
        low, high = near[key].min(), near[key].max()
        name = "tau" if key == "until" else key
        told += f" Errors up to twice as large have {name} from {low:.3g} to {high:.3g}."
    picture = plots.ridge(found.profile, found.error, found.strategy)
    return f"<h2>Calibration: {escape(found.strategy)}</h2><p>{escape(told)}</p>" + _figure(picture, "The ridge.")


def _inputs(model: SequenceModel) -> str:
    parts = model.model.parts
    notes = "".join(f"<p>Note: {escape(each)}.</p>" for each in unsaid(parts))
    told = f"All that the model holds, as a whole from: {parts.source or BLANK}"
    return "<h2>Inputs</h2>" + notes + _table(source_table(parts, BLANK), told)


def _table(table: pd.DataFrame, caption: str) -> str:
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    kinds = [" class=number" if each else "" for each in numeric]
    head = "".join(f"<th{kind}>{escape(str(name))}" for name, kind in zip(table, kinds, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{kind}>{_cell(value)}" for value, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<div class=wide><table><caption>{escape(caption)}</caption><tr>{head}</tr>{rows}</table></div>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        if value != value:
            return ""
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    text = escape(str(value))
    return f"<span class=open>{text}</span>" if value == BLANK else text


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
