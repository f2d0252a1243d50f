"""The CHEERS 2022 checklist, filled where the model knows the answer, its blanks marked for the author.

Husereau et al., "Consolidated Health Economic Evaluation Reporting Standards 2022 (CHEERS 2022) statement", BMJ 2022.
"""

import pandas as pd

from parataxis.methods.therapy_sequence.inputs import inputs
from parataxis.methods.therapy_sequence.model_file import ModelFile
from parataxis.methods.therapy_sequence.psa import Analysis
from parataxis.methods.therapy_sequence.sequence import Comparison, SequenceModel
from parataxis.methods.therapy_sequence.sources import price_year, sources_of, unsaid

BLANK = "(to be filled in by the authors)"
ITEMS = (
    *("Title", "Abstract", "Background and objectives", "Health economic analysis plan", "Study population"),
    *("Setting and location", "Comparators", "Perspective", "Time horizon", "Discount rate", "Selection of outcomes"),
    *("Measurement of outcomes", "Valuation of outcomes", "Measurement and valuation of resources and costs"),
    *("Currency, price date, and conversion", "Rationale and description of model", "Analytics and assumptions"),
    *("Characterizing heterogeneity", "Characterizing distributional effects", "Characterizing uncertainty"),
    *("Approach to engagement with patients and others affected by the study", "Study parameters"),
    *("Summary of main results", "Effect of uncertainty", "Effect of engagement with patients and others"),
    *("Study findings, limitations, generalizability, and current knowledge", "Source of funding"),
    "Conflicts of interest",
)


def cheers(model: SequenceModel, comparison: Comparison, analysis: Analysis | None = None) -> pd.DataFrame:
    """Columns item, topic, reported; a row each of the 28 items."""
    known = _known(model, comparison) | (_uncertainty(model, analysis) if analysis else {})
    rows = [
        {"item": place, "topic": topic, "reported": known.get(topic) or BLANK} for place, topic in enumerate(ITEMS, 1)
    ]
    return pd.DataFrame(rows)


def _known(model: SequenceModel, comparison: Comparison) -> dict[str, str]:
    parts = model.model.parts
    years = parts.cycles * parts.cycle_days / 365
    discount, behaviour = parts.discount, model.model.behaviour
    names = {drug.id: drug.name or drug.id for drug in parts.drugs}
    strategies = [
        f"{each.name}: {', then '.join(names[drug] for drug in each.drugs)}" for each in model.model.strategies
    ]
    dependence = "; ".join(f"{name}: {model.model.dependence(name)}" for name in model.strategies)
    return {
        "Title": parts.title,
        "Study population": parts.population,
        "Comparators": "; ".join(strategies),
        "Perspective": parts.perspective,
        "Time horizon": f"{parts.cycles} cycles of {parts.cycle_days:g} days ({years:.1f} years)",
        "Discount rate": f"{100 * discount.costs:g} % a year on costs, {100 * discount.qalys:g} % on QALYs",
        "Selection of outcomes": "quality-adjusted life years (QALYs), overall survival",
        "Measurement of outcomes": _from("survival curves", sources_of(parts, "curve") or parts.source),
        "Valuation of outcomes": _from("utilities", sources_of(parts, "utility")),
        "Measurement and valuation of resources and costs": _from("costs", sources_of(parts, "cost")),
        "Currency, price date, and conversion": _prices(parts),
        "Rationale and description of model": (
            "semi-Markov cohort of lines of therapy: in each line on the drug, with an adverse event, or stopped; "
            "extensive disease; death. Later lines depend on the time in the first"
        ),
        "Analytics and assumptions": (
            f"expectations by an exact engine; probabilities {behaviour.form.replace('_', '-')}; cycle correction "
            f"{behaviour.cycle_correction}; dependence: {dependence}"
        ),
        "Study parameters": "; ".join(["values, distributions and sources: the table of inputs", *unsaid(parts)]),
        "Summary of main results": "; ".join(comparison.words),
    }


def _from(what: str, source: str) -> str:
    return f"{what}: {source}" if source else ""


def _prices(parts: ModelFile) -> str:
    known = [each for each in inputs(parts) if each.place.kind == "cost"]
    years = sorted({price_year(each, parts) for each in known} - {0, parts.price_year})
    ways = dict.fromkeys(each.entry.conversion for each in known if each.entry.conversion)
    others = [f"some prices of {', '.join(map(str, years))}"] if years else []
    others += [f"prices without a year {BLANK}"] if any(not price_year(each, parts) for each in known) else []
    return "; ".join(filter(None, [parts.currency, str(parts.price_year or ""), *others, *ways]))


def _uncertainty(model: SequenceModel, analysis: Analysis) -> dict[str, str]:
    n = len(analysis.draws.cost)
    spread = model.model.parts.uncertainty
    curves = f"patients of {', '.join(analysis.curves)} drawn again" if analysis.curves else "curves held fixed"
    told = any(each.distribution or each.standard_error for each in model.model.parts.parameters)
    others = ", others as the table of inputs has them" if told else ""
    fitted = "; dependence fitted anew in each draw" if analysis.recalibrated else ""
    threshold = model.model.parts.thresholds[0]
    rank = analysis.draws.ranking(threshold)
    return {
        "Characterizing uncertainty": (
            f"{n:,} draws of {len(analysis.varied)} parameters: costs gamma (standard error {100 * spread.costs:g} % "
            f"of the mean), utilities beta ({spread.utilities:g}), probabilities beta "
            f"({100 * spread.probabilities:g} %){others}; {curves}{fitted}"
        ),
        "Effect of uncertainty": (
            f"at {threshold:,.0f} a QALY {rank['strategy'].iloc[0]} is best in "
            f"{100 * rank['best'].iloc[0]:.1f} % of draws"
        ),
    }
