"""Sequences of therapy: from a model file to costs, QALYs, uncertainty and a report."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.columns import aligned_frame, records
from parataxis.methods.therapy_sequence import cli_curves
from parataxis.methods.therapy_sequence.cli_options import (
    AsJson,
    Calibrated,
    Compat,
    CompatName,
    Correct,
    CorrectionName,
    CycleCorrection,
    Dependence,
    DependenceName,
    ModelFile,
    Orders,
    Out,
    RngName,
    Seed,
    Setting,
    opened,
    upright,
    write_tables,
)

if TYPE_CHECKING:
    import pandas as pd

    from parataxis.methods.therapy_sequence.psa import Analysis
    from parataxis.methods.therapy_sequence.sequence import SequenceModel
    from parataxis.methods.therapy_sequence.simulate import Simulated

SHOWN = 8  # rows of a long table on a terminal
app = typer.Typer(no_args_is_help=True, help="Which drug first? Costs, QALYs and survival of drugs in either order.")


@app.command("template")
def template_command(
    path: Annotated[Path, typer.Argument(metavar="MODEL", help="The .toml or .xlsx file to write.")],
    paper: Annotated[bool, typer.Option("--paper", help="The published case, without its unlicensed curves.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model to start from: an example that runs by itself, or the published case.

    Example: parataxis therapy template example.toml
    """
    from parataxis.methods.therapy_sequence.example import write_template

    written = [str(each) for each in write_template(path, paper)]
    print(json.dumps({"written": written}, indent=1) if as_json else "\n".join(f"written: {each}" for each in written))


@app.command("check")
def check_command(
    model: ModelFile, setting: Setting = None, compat: Compat = CompatName.corrected, as_json: AsJson = False
) -> None:
    """Read a model, all its curves included, and say what it holds.

    Example: parataxis therapy check model.toml
    """
    from parataxis.methods.therapy_sequence.checking import check_all
    from parataxis.methods.therapy_sequence.model import Model  # needs no compiler
    from parataxis.methods.therapy_sequence.sources import unsaid

    found = Model.from_file(model, compat.value)
    found = found.with_parts(setting=setting) if setting else found
    check_all(found)
    parts, plans = found.parts, found.plans()
    facts = {
        "model": parts.name,
        "cycles": parts.cycles,
        "cycle_days": parts.cycle_days,
        "drugs": [each.id for each in parts.drugs],
        "strategies": [each.name for each in plans],
        "settings": list(parts.settings),
        "targets": [each.strategy for each in parts.targets],
        "states": list(plans[0].states),
        "notes": (notes := unsaid(parts)),
    }
    told = (
        f"{parts.name}: {len(parts.drugs)} drugs, {len(plans)} strategies of {plans[0].lines} lines, {parts.cycles} "
        f"cycles of {parts.cycle_days:g} days; settings: {', '.join(parts.settings) or 'none'}\n"
        "nothing is wrong with it"
    )
    print(json.dumps(facts, indent=1) if as_json else "\n".join([told, *(f"note: {each}" for each in notes)]))


@app.command("run")
def run_command(
    model: ModelFile,
    setting: Setting = None,
    compat: Compat = CompatName.corrected,
    correct: Correct = None,
    cycle_correction: CycleCorrection = CorrectionName.none,
    calibrated: Calibrated = False,
    dependence: Dependence = DependenceName.hazard_ratio,
    orders: Orders = False,
    patients: Annotated[int, typer.Option(min=0, help="Simulate so many besides; 0: the exact engine alone.")] = 0,
    seed: Seed = 0,
    rng: Annotated[RngName, typer.Option(help="Of the simulation.")] = RngName.philox,
    corrections: Annotated[
        bool, typer.Option("--corrections", help="Also what each behaviour of the released code decides.")
    ] = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Costs and QALYs of each strategy, dominance in words, and net benefit.

    Example: parataxis therapy run model.toml
    """
    found = opened(model, setting, compat, correct, cycle_correction, calibrated, dependence)
    comparison = found.compare(orders=orders)
    simulated = found.simulate(patients, seed, rng.value, orders) if patients else []
    walked = found.compare(simulated) if simulated else None
    decided: pd.DataFrame | None = None
    if corrections:
        from parataxis.methods.therapy_sequence.corrections import corrections as each_correction

        decided = each_correction(found.model)
    if out:
        traces = {f"trace {each}": found.trace(each).reset_index() for each in found.strategies}
        more = {f"patients {each.name}": each.patients() for each in simulated}
        if walked:
            more["simulated"] = walked.table
            more |= {f"simulated {each.name}": _shares(each) for each in simulated}
        times = {"years in each state": found.times(orders)}
        if walked and walked.pairs is not None:
            more["pairs"] = walked.pairs
        if decided is not None:
            more["corrections"] = decided
        write_tables(out, {"results": comparison.table, **times, **traces, **more, **_inputs(found)})
    notes = found.misfits()
    value: dict[str, Any] = {"results": records(comparison.table), "words": comparison.words, "notes": notes}
    value["years"] = records(found.times(orders))
    told = "\n".join([f"{aligned_frame(comparison.table)}\n\n{comparison}", *(f"note: {each}" for each in notes)])
    if walked:
        value["simulated"] = {"results": records(walked.table), "words": walked.words, "note": walked.note}
        told += f"\n\nsimulated\n{aligned_frame(walked.table)}\n\n{walked}"
        if walked.pairs is not None:
            value["simulated"]["pairs"] = records(walked.pairs)
            told += f"\n\nMonte Carlo standard errors, each pair\n{upright(walked.pairs)}"
    if decided is not None:
        value["corrections"] = records(decided)
        told += f"\n\n{found.strategies[1]} less {found.strategies[0]}, by what is corrected\n{aligned_frame(decided)}"
    print(json.dumps(value, indent=1) if as_json else told)


def _shares(walked: "Simulated") -> "pd.DataFrame":
    """Share in each state by cycle, each with its Monte Carlo error."""
    return walked.trace().join(walked.trace_errors().add_suffix("_error")).reset_index()


def _inputs(model: "SequenceModel") -> dict[str, "pd.DataFrame"]:
    """For the record of a result: all that the file holds, and where its numbers are from."""
    from parataxis.methods.therapy_sequence.sources import source_table
    from parataxis.methods.therapy_sequence.workbook import inputs_table

    return {"inputs": inputs_table(model.model.parts), "sources": source_table(model.model.parts)}


@app.command("calibrate")
def calibrate_command(
    model: ModelFile,
    dependence: Annotated[DependenceName, typer.Option(help="What is fitted.")] = DependenceName.hazard_ratio,
    compat: Compat = CompatName.corrected,
    correct: Correct = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Fit the dependence between lines to each target trial, and show the ridge: what the trial does not tell.

    Example: parataxis therapy calibrate model.toml
    """
    from parataxis.methods.therapy_sequence.model import settings_of

    found = opened(model, None, compat, correct)
    fitted = [found.calibrate(each.strategy, dependence.value) for each in found.model.parts.targets]
    if not fitted:
        found.calibrated()  # says that there is no target
    values = [
        {
            "strategy": each.strategy,
            **settings_of({each.strategy: each.dependence})[each.strategy],
            "error": each.error,
            "independent": each.independent,
            "at_bound": each.at_bound,
            "note": each.cut,
            "ridge": records(each.ridge()),
        }
        for each in fitted
    ]
    if out:
        from pandas import DataFrame

        best = DataFrame([{key: value for key, value in row.items() if key != "ridge"} for row in values])
        write_tables(out, {"calibration": best, **{f"ridge {each.strategy}": each.profile for each in fitted}})
    told = []
    for each in fitted:
        bound = ", at the bound of the search" if each.at_bound else ""
        cut = f"\nnote: {each.cut}" if each.cut else ""
        told.append(
            f"{each.strategy}: {each.dependence}{bound}\nsquared error {each.error:.4f}, without dependence "
            f"{each.independent:.4f}; errors up to twice as large:\n{aligned_frame(each.ridge())}{cut}"
        )
    print(json.dumps(values, indent=1) if as_json else "\n\n".join(told))


@app.command("psa")
def psa_command(
    model: ModelFile,
    draws: Annotated[int, typer.Option(min=2, help="How many.")] = 1000,
    setting: Setting = None,
    compat: Compat = CompatName.corrected,
    calibrated: Calibrated = False,
    dependence: Dependence = DependenceName.hazard_ratio,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Fit the dependence anew in each draw, to patients drawn again.")
    ] = False,
    orders: Orders = False,
    seed: Seed = 0,
    log: Annotated[
        Path | None, typer.Option(help="A .jsonl by which a killed run goes on.", show_default=False)
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Probabilistic sensitivity analysis: who is best, how surely, and what knowing better would be worth.

    Example: parataxis therapy psa model.toml --draws 200
    """
    from parataxis.methods.therapy_sequence.cheers import cheers
    from parataxis.progress import watching

    found = opened(model, setting, compat, calibrated=calibrated, dependence=dependence)
    with watching("draws") as tell:
        analysis = found.psa(draws, seed, orders, recalibrate=recalibrate, log=log, tell=tell)
    levels = found.model.parts.thresholds
    tables = {
        "ranking": analysis.draws.ranking(levels[0]),
        "acceptability": analysis.draws.acceptability(levels),
        "evpi": analysis.draws.evpi(levels),
        "evppi": analysis.evppi(levels),
    }
    if out:
        more = {"draws": analysis.draws.table(), "parameters": analysis.values, "pairs": analysis.draws.pairs(levels)}
        more |= {"CHEERS 2022": cheers(found, found.compare(), analysis)}
        if len(names := found.strategies) > 1 and analysis.varied:
            more["tornado"] = found.tornado(names[1], names[0])
        write_tables(out, tables | more)
    notes = [] if recalibrate else found.misfits()
    value: dict[str, Any] = {"draws": draws, "varied": analysis.varied, "curves": analysis.curves, "notes": notes}
    value |= {name: records(table) for name, table in tables.items()}
    told = [_drawn(analysis, levels[0], tables), *(f"note: {each}" for each in notes)]
    print(json.dumps(value, indent=1) if as_json else "\n".join(told))


def _drawn(analysis: "Analysis", threshold: float, tables: dict[str, "pd.DataFrame"]) -> str:
    from parataxis.methods.therapy_sequence.information import worthwhile

    curves = f"patients of {', '.join(analysis.curves)} drawn again" if analysis.curves else "curves held fixed"
    heads = (f"by net benefit at {threshold:,.0f} a QALY", "probability to be best", "value of perfect information")
    shown = [f"{head}\n{aligned_frame(table)}" for head, table in zip(heads, tables.values(), strict=False)]
    if len(known := worthwhile(tables["evppi"]).head(SHOWN)):
        shown.append(f"value of knowing one parameter, by regression; the worthiest\n{aligned_frame(known)}")
    elif len(tables["evppi"]):
        shown.append("knowing one parameter alone would change no choice, by regression")
    n = len(analysis.draws.cost)
    return "\n\n".join([f"{n:,} draws of {len(analysis.varied)} parameters; {curves}", *shown])


@app.command("report")
def report_command(
    model: ModelFile,
    out: Annotated[Path, typer.Option(help="The .html file.")] = Path("therapy.html"),
    draws: Annotated[int, typer.Option(min=2, help="Of the sensitivity analysis.")] = 1000,
    setting: Setting = None,
    compat: Compat = CompatName.corrected,
    calibrated: Calibrated = False,
    dependence: Dependence = DependenceName.hazard_ratio,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """One HTML page: results, plane, acceptability, survival over the trials, calibration, CHEERS 2022, inputs.

    Example: parataxis therapy report model.toml --draws 50
    """
    from parataxis.files import write_atomic
    from parataxis.methods.therapy_sequence.report import report
    from parataxis.progress import watching

    found = opened(model, setting, compat, calibrated=calibrated, dependence=dependence)
    with watching("draws") as tell:
        analysis = found.psa(draws, seed, tell=tell)
    fitted = [found.calibrate(each.strategy, dependence.value) for each in found.model.parts.targets]
    write_atomic(out, report(found, analysis, fitted))
    words, notes = found.compare().words, found.misfits()
    facts = {"report": str(out), "draws": draws, "words": words, "notes": notes}
    told = [*words, *(f"note: {each}" for each in notes), f"report: {out}"]
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))


@app.command("audit")
def audit_command(
    model: ModelFile,
    setting: Setting = None,
    compat: Compat = CompatName.corrected,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Ask the model what must not matter to it, and what may: orders of strategies, drugs, patients, events, cycles.

    Exit status 1 if something matters that must not.

    Example: parataxis therapy audit model.toml
    """
    from pandas import DataFrame

    from parataxis.methods.therapy_sequence.order_checks import order_checks

    checks = order_checks(opened(model, setting, compat).model, seed)
    rows = [{"what": each.what, "must not matter": each.must, "verdict": each.verdict} for each in checks]
    changes = [{"d_qaly": each.d_qaly, "d_cost": each.d_cost} for each in checks]
    table = DataFrame([row | change for row, change in zip(rows, changes, strict=True)])
    print(json.dumps(records(table), indent=1) if as_json else aligned_frame(table))
    if any(each.broken for each in checks):
        raise typer.Exit(1)


cli_curves.register(app)  # the commands before a model: from curves to incidences
