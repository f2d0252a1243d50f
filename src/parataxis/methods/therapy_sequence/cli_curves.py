"""From published curves to patients, event types and incidences by cycle: the commands before a model."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from parataxis.methods.therapy_sequence.curves import KMCurve
    from parataxis.methods.therapy_sequence.extrapolate import Tail

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Plot = Annotated[Path | None, typer.Option(help="An .svg to draw.", show_default=False)]
Patients = Annotated[Path, typer.Argument(metavar="PATIENTS", help="A CSV with columns time, event.")]


class MethodName(StrEnum):
    """By the density of deaths around each event, or one death for one event within a pixel."""

    mixture = "mixture"
    match = "match"


class CensoredName(StrEnum):
    """As the drops of the curve tell, or evenly between two numbers at risk, as Guyot published it."""

    likely = "likely"
    even = "even"


class TailName(StrEnum):
    """How hazards go on: as in the last ten cycles, by the family of least AIC, or by this one."""

    constant = "constant"
    aic = "aic"
    exponential = "exponential"
    weibull = "weibull"
    gompertz = "gompertz"
    log_normal = "log-normal"
    log_logistic = "log-logistic"


class UnitName(StrEnum):
    """Of the times in the file; a month has 30.4 days, as in the paper's code."""

    days = "days"
    weeks = "weeks"
    months = "months"
    years = "years"


def register(app: typer.Typer) -> None:
    """Attach the commands of this file."""
    app.command("made-curves")(made_command)
    app.command("reconstruct")(reconstruct_command)
    app.command("events")(events_command)
    app.command("fit")(fit_command)


def made_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.")],
    seed: Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write made curves to try the commands on: points and numbers at risk of 300 patients, and the truth of each.

    Example: parataxis therapy made-curves curves
    """
    import numpy as np

    from parataxis.methods.therapy_sequence.made_curves import write_example

    written = [str(each) for each in write_example(folder, np.random.default_rng(seed))]
    print(json.dumps({"files": written}, indent=1) if as_json else "\n".join(written))


def reconstruct_command(
    curve: Annotated[Path, typer.Argument(metavar="CURVE", help="Points of DigitizeIt, WebPlotDigitizer, ...")],
    at_risk: Annotated[Path, typer.Option(help="A CSV of times and numbers at risk, from time 0.")],
    events: Annotated[int | None, typer.Option(help="The reported total of events.", show_default=False)] = None,
    name: Annotated[
        str | None, typer.Option("--curve", help="Which, where the file holds several.", show_default=False)
    ] = None,
    censored: Annotated[
        CensoredName, typer.Option(help="When the censored leave: as the drops tell, or evenly, as published.")
    ] = CensoredName.likely,
    out: Annotated[Path, typer.Option(help="A CSV with columns time, event.")] = Path("patients.csv"),
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the patients behind a survival curve, and say how well they give it again.

    Example: parataxis therapy reconstruct pfs.csv --at-risk pfs_at_risk.csv --out pfs_patients.csv
    """
    from parataxis.files import write_atomic
    from parataxis.methods.therapy_sequence.curves import KMCurve
    from parataxis.methods.therapy_sequence.exports import read_at_risk
    from parataxis.methods.therapy_sequence.guyot import reconstruct

    read, table = KMCurve.read(curve, name), read_at_risk(at_risk)
    made = reconstruct(read, table, events, censored.value)
    write_atomic(out, made.to_csv(index=False, float_format="%.10g"))
    if plot:
        from parataxis.methods.therapy_sequence.plot_curves import overlay

        write_atomic(plot, overlay(read, made, table))
    report = _rebuilt(read, table, made) | {"patients_file": str(out)}
    print(json.dumps(report, indent=1) if as_json else _told_rebuilt(report))


def _rebuilt(curve: "KMCurve", table: "np.ndarray", made: "pd.DataFrame") -> dict[str, Any]:
    from parataxis.methods.therapy_sequence.curves import KMCurve

    time = made["time"].to_numpy()
    again = KMCurve.of(time, made["event"].to_numpy())
    until = float(curve.time[-1])
    rows = [{"time": float(t), "told": int(n), "rebuilt": int((time >= t).sum())} for t, n in table]
    return {
        "curve": curve.source,
        "points": len(curve.time),
        "patients": len(made),
        "events": int(made["event"].sum()),
        "median": None if again.median == float("inf") else again.median,
        "restricted_mean": again.mean(until),
        "until": until,
        "worst_survival_error": float(abs(again.at(curve.time) - curve.at(curve.time)).max()),
        "at_risk": rows,
        "notes": made.attrs["notes"],
    }


def _told_rebuilt(report: dict[str, Any]) -> str:
    median = "not reached" if report["median"] is None else f"{report['median']:.4g}"
    off = [row for row in report["at_risk"] if row["told"] != row["rebuilt"]]
    others = "".join(f", {row['rebuilt']} for {row['told']} at time {row['time']:g}" for row in off)
    lines = [
        f"{report['curve']}: {report['points']} points, {report['patients']} patients, {report['events']} events",
        f"median {median}, restricted mean {report['restricted_mean']:.4g} until {report['until']:.4g}",
        f"survival is given again within {report['worst_survival_error']:.4f} at every point; numbers at risk: "
        f"{len(report['at_risk']) - len(off)} of {len(report['at_risk'])} as told{others}",
        *(f"note: {each}" for each in report["notes"]),
        f"patients: {report['patients_file']}",
    ]
    return "\n".join(lines)


def events_command(
    pfs: Annotated[Path, typer.Argument(metavar="PFS", help="Patients of the progression-free curve: time, event.")],
    os: Annotated[Path, typer.Argument(metavar="OS", help="Patients of the survival curve of the same arm.")],
    pixel: Annotated[float, typer.Option(help="Time that a pixel shows: length of the axis over its pixels.")],
    method: Annotated[MethodName, typer.Option(help="How deaths are told.")] = MethodName.mixture,
    unit: Annotated[UnitName, typer.Option(help="Of time in both files.")] = UnitName.months,
    out: Annotated[Path, typer.Option(help="A CSV with columns time, event, progression, death.")] = Path("events.csv"),
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Tell which events of a progression-free curve are deaths, as probabilities.

    A model names what is written for its bootstrap: patients = { file = "events.csv", unit_days = 30.4 }.

    Example: parataxis therapy events pfs_patients.csv os_patients.csv --pixel 0.048 --out events.csv
    """
    from parataxis.files import write_atomic
    from parataxis.methods.therapy_sequence.events import infer_events
    from parataxis.methods.therapy_sequence.incidence import CIF
    from parataxis.methods.therapy_sequence.patients import read_patients

    types = infer_events(read_patients(pfs), read_patients(os), pixel=pixel, method=method.value)
    cif = CIF.of(types.time, types.event, types.death, unit.value)
    write_atomic(out, types.to_frame().to_csv(index=False, float_format="%.10g"))
    if plot:
        from parataxis.methods.therapy_sequence.plot_curves import kinds

        write_atomic(plot, kinds(types, cif))
    report = {
        "patients": len(types.time),
        "events": int(types.event.sum()),
        "deaths": float(types.death.sum()),
        "share": types.share,
        "low": types.low,
        "high": types.high,
        "chance": types.chance,
        "method": types.method,
        "progression_incidence": float(cif.progression[-1]),
        "death_incidence": float(cif.death[-1]),
        "warning": types.warning,
        "events_file": str(out),
    }
    print(json.dumps(report, indent=1) if as_json else _told_events(report))


def _told_events(report: dict[str, Any]) -> str:
    lines = [
        f"{report['events']} events of {report['patients']} patients: {report['deaths']:.1f} deaths, "
        f"{report['share']:.1%} [{report['low']:.1%}, {report['high']:.1%}] of the events ({report['method']})",
        f"a death of somebody else lies beside {report['chance']:.0%} of the events by chance",
        f"incidence at the end of the data: progression {report['progression_incidence']:.3f}, "
        f"death without it {report['death_incidence']:.3f}",
        *([f"warning: {report['warning']}"] if report["warning"] else []),
        f"events: {report['events_file']}",
    ]
    return "\n".join(lines)


def fit_command(
    patients: Annotated[Path, typer.Argument(metavar="EVENTS", help="A CSV with columns time, event, death.")],
    cycles: Annotated[int, typer.Option(min=1, help="How many cycles the model runs.")],
    days_per_cycle: Annotated[float, typer.Option(help="The length of a cycle.")] = 21.0,
    unit: Annotated[UnitName, typer.Option(help="Of time in the file.")] = UnitName.months,
    tail: Annotated[TailName | None, typer.Option(help="How hazards go on after the data.", show_default=False)] = None,
    out: Annotated[Path, typer.Option(help="A CSV: cycle, progression, death, from.")] = Path("incidence.csv"),
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Cumulative incidences by cycle, beyond the data only by a tail that is asked for.

    A model names what is written: progression = { file = "incidence.csv", column = "progression" }.

    Example: parataxis therapy fit events.csv --cycles 87 --tail aic --out incidence.csv
    """
    import numpy as np
    import pandas as pd

    from parataxis.files import write_atomic
    from parataxis.methods.therapy_sequence.extrapolate import constant, extend, fitted
    from parataxis.methods.therapy_sequence.incidence import CIF, DAYS
    from parataxis.methods.therapy_sequence.patients import read_patients

    table = read_patients(patients, "death")
    time, event, death = (table[each].to_numpy(float) for each in ("time", "event", "death"))
    cif = CIF.of(time, event, death, unit.value)
    chosen: Tail | None = None
    if tail is None:
        progression, dead = cif.on_cycles(cycles, days_per_cycle)
    else:
        chosen = constant(cif, days_per_cycle) if tail is TailName.constant else fitted(time, event, death, tail.value)
        progression, dead = extend(cif, chosen, cycles, days_per_cycle)
    known = np.arange(cycles + 1) * days_per_cycle <= cif.followed * DAYS[unit.value] * (1 + 1e-9)
    incidence = pd.DataFrame(
        {"cycle": range(cycles + 1), "progression": progression, "death": dead, "from": np.where(known, "data", "tail")}
    )[1:]
    write_atomic(out, incidence.to_csv(index=False, float_format="%.10g"))
    if plot:
        from parataxis.methods.therapy_sequence.plot_curves import tails

        write_atomic(plot, tails(incidence))
    report = {
        "patients": len(time),
        "cycles": cycles,
        "of_data": int(known.sum()) - 1,
        "progression": float(progression[-1]),
        "death": float(dead[-1]),
        "tail": tail.value if tail else None,
        "hazards": _hazards(chosen),
        "incidence_file": str(out),
    }
    print(json.dumps(report, indent=1) if as_json else _told_fit(report))


def _hazards(tail: "Tail | None") -> list[dict[str, Any]]:
    """What was tried for each cause, the chosen one marked."""
    if tail is None:
        return []
    found = []
    for cause, chosen, fits in zip(("progression", "death"), (tail.progression, tail.death), tail.fits, strict=True):
        for each in fits or (chosen,):
            aic = None if each.aic != each.aic else each.aic
            found.append({"cause": cause, "family": each.family, "aic": aic, "chosen": each is chosen})
    return found


def _told_fit(report: dict[str, Any]) -> str:
    lines = [f"{report['patients']} patients, {report['of_data']} of {report['cycles']} cycles from the data"]
    for each in report["hazards"]:
        aic = "" if each["aic"] is None else f", AIC {each['aic']:.1f}"
        lines.append(f"{each['cause']}: {each['family']}{aic}{' (chosen)' if each['chosen'] else ''}")
    lines.append(
        f"incidence at cycle {report['cycles']}: progression {report['progression']:.3f}, death {report['death']:.3f}"
    )
    lines.append(f"incidence: {report['incidence_file']}")
    return "\n".join(lines)
