"""Coopetition: from an i* model to a matrix, an equilibrium, sweeps, the published cases, and who should move first."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.columns import aligned_frame, records
from parataxis.methods.coopetition.cli_options import (
    Alpha,
    AsJson,
    Beta,
    Box,
    Endowment,
    Gamma,
    Model,
    Normalise,
    Normalised,
    Out,
    Synergy,
    Theta,
    ValueForm,
    ValueName,
    box_of,
    numbers,
    opened,
)

if TYPE_CHECKING:
    from parataxis.methods.coopetition.equilibrium import Equilibrium

app = typer.Typer(no_args_is_help=True, help="Who depends on whom, what will each invest, and who should move first?")

PER_PARTNER = "divided by what a partner provides, as the authors' package does: no share of all that is needed"


@app.command("matrix")
def matrix_command(
    model: Model, normalise: Normalised = Normalise.all, out: Out = None, as_json: AsJson = False
) -> None:
    """Who depends on whom, and how much: rows depend on columns.

    --out writes the matrix (.csv, .parquet), or the graph of it (.graphml, .dot).

    Example: parataxis coopetition matrix model.json
    """
    from parataxis.methods.coopetition.reading import read
    from parataxis.methods.coopetition.writing import write_matrix

    found, dependencies = read(model, normalise.value)
    notes = [*(dependencies.notes if dependencies else ()), *([PER_PARTNER] if normalise is not Normalise.all else [])]
    if out:
        write_matrix(found, out)
    rows = [
        {"actor": name, "depends on others": float(found.dependence[i]), "others depend on it": float(found.weight[i])}
        for i, name in enumerate(found.names)
    ]
    value = {"actors": list(found.names), "matrix": found.matrix.tolist(), "strength": rows, "notes": notes}
    value["dependencies"] = records(dependencies.frame()) if dependencies else []
    if as_json:
        print(json.dumps(value, indent=1))
        return
    from pandas import DataFrame

    table = found.frame().rename_axis(columns=None).reset_index()
    told = [
        "rows depend on columns",
        aligned_frame(table),
        "",
        aligned_frame(DataFrame(rows)),
        *(f"note: {each}" for each in notes),
    ]
    print("\n".join([*told, *([f"written: {out}"] if out else [])]))


@app.command("solve")
def solve_command(
    model: Model,
    normalise: Normalised = Normalise.all,
    value: ValueForm = ValueName.log,
    gamma: Gamma = None,
    theta: Theta = 20.0,
    beta: Beta = 0.75,
    alpha: Alpha = None,
    endowment: Endowment = 100.0,
    synergy: Synergy = "geometric",
    box: Box = "0.01,100",
    first: Annotated[
        list[str] | None,
        typer.Option(help="Who moves first; given again, who moves next. The others move last.", show_default=False),
    ] = None,
    slopes: Annotated[bool, typer.Option("--slopes", help="How the actions move with each parameter.")] = False,
    as_json: AsJson = False,
) -> None:
    """What each will invest, what that creates, and who gets what, with the certificate.

    Exit status 1 if a search finds that somebody would move.

    Example: parataxis coopetition solve model.json --gamma 0.65
    """
    game, dependencies = opened(model, normalise, value, gamma, theta, beta, alpha, endowment, synergy)
    bounds = box_of(box)
    found = game.equilibrium(play=tuple(first) if first else "simultaneous", box=bounds)
    best = game.optimum(box=bounds)
    facts = solved_facts(found) | {
        "optimum": best.actions.tolist(),
        "notes": list(dependencies.notes) if dependencies else [],
    }
    told = [aligned_frame(found.frame()), "", *solved_words(found)]
    told.append(f"what all would agree on: {', '.join(f'{each:.3f}' for each in best.actions)}")
    if slopes:
        table = game.sensitivity(box=bounds)
        facts["slopes"] = records(table)
        told += ["", "slopes", aligned_frame(table)]
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))
    if not found.certificate.holds:
        raise typer.Exit(1)


def solved_facts(found: "Equilibrium") -> dict[str, Any]:
    known = found.certificate
    return {
        "actors": records(found.frame()),
        "play": found.play if isinstance(found.play, str) else [list(each) for each in found.play],
        "value": found.value,
        "converged": found.converged,
        "iterations": found.iterations,
        "residual": found.residual,
        "binding": list(found.binding),
        "certificate": {"gain": known.gain, "actor": known.actor, "action": known.action, "allowed": known.allowed,
                        "searched": known.searched, "holds": known.holds},
    }  # fmt: skip


def solved_words(found: "Equilibrium") -> list[str]:
    words = [f"all create {found.value:.4f}; {found.certificate}"]
    if found.play != "simultaneous":
        words.insert(0, "moves: " + ", then ".join(" and ".join(stage) for stage in found.play))
    if found.binding:
        words.append(f"at a bound of the box: {', '.join(found.binding)}; --box sets another")
    return words


@app.command("sweep")
def sweep_command(
    model: Model,
    param: Annotated[
        list[str],
        typer.Option(
            help="NAME=LOW:HIGH:STEP or NAME=A,B,C; again for all combinations. `solve --slopes` lists names."
        ),
    ],
    normalise: Normalised = Normalise.all,
    value: ValueForm = ValueName.log,
    gamma: Gamma = None,
    theta: Theta = 20.0,
    beta: Beta = 0.75,
    alpha: Alpha = None,
    endowment: Endowment = 100.0,
    synergy: Synergy = "geometric",
    box: Box = "0.01,100",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """The equilibrium along parameters, all rows at once. --out writes a .csv or .parquet.

    Example: parataxis coopetition sweep model.json --param gamma=0:1:0.25
    """
    from parataxis.methods.coopetition.sweep import grid
    from parataxis.methods.coopetition.writing import write_table

    game, _ = opened(model, normalise, value, gamma, theta, beta, alpha, endowment, synergy)
    table = game.sweep(grid(dict(steps(each) for each in param)), box_of(box))
    if out:
        write_table(table, out)
    worst = float(table["certificate"].max())
    told = f"{len(table):,} equilibria; the largest gain from moving alone is {max(worst, 0):.1e} of what is allowed"
    if as_json:
        print(json.dumps({"rows": records(table), "worst": worst}, indent=1))
    else:
        print("\n".join([told, f"written: {out}"] if out else [aligned_frame(table), "", told]))
    if worst > 1:
        raise typer.Exit(1)


def steps(text: str) -> tuple[str, list[float]]:
    """The values that a parameter takes; both ends of a range belong to it."""
    from parataxis.errors import BadInput

    name, sign, values = text.rpartition("=")
    if not sign or not values:
        raise BadInput(f"--param={text!r}: expected NAME=LOW:HIGH:STEP or NAME=A,B,C")
    if ":" not in values:
        return name, numbers(values, "--param")
    ends = numbers(values.replace(":", ","), "--param")
    if len(ends) != 3 or ends[2] <= 0 or ends[1] < ends[0] or (ends[1] - ends[0]) / ends[2] > 1e6:
        raise BadInput(f"--param={text!r}: expected LOW:HIGH:STEP with LOW <= HIGH and a STEP above 0")
    count = int((ends[1] - ends[0]) / ends[2] + 1e-9) + 1
    return name, [ends[0] + at * ends[2] for at in range(count)]


@app.command("case")
def case_command(
    name: Annotated[str, typer.Argument(metavar="CASE", help="slcd, symmetric_high, symmetric_medium, asymmetric, "
                                                             "platform_developer.")],
    report: Annotated[Path | None, typer.Option(help="An .html file to write.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """A published case in both forms: equilibria, the score sheet, and the same with the matrix transposed.

    The sheet counts 24 plausibility conditions; it is no accuracy.

    Example: parataxis coopetition case slcd
    """
    from pandas import DataFrame

    from parataxis.methods.coopetition.cases import FORMS, case
    from parataxis.methods.coopetition.report import report as page
    from parataxis.methods.coopetition.score_sheet import score_sheet
    from parataxis.methods.coopetition.writing import written

    found = case(name)
    rows = []
    for form in FORMS:
        for transposed in (False, True):
            game = found.game(form, transposed)
            at_rest, sheet = game.equilibrium(), score_sheet(game)
            actions = {f"a:{actor}": float(each) for actor, each in zip(game.names, at_rest.actions, strict=True)}
            numbers = {"score": int(sheet.score[0]), "cooperation, %": float(sheet.cooperation[0])}
            numbers |= {"value, %": float(sheet.value[0]), "share": float(sheet.share[0])}
            rows.append({"form": form, "D": "transposed" if transposed else "as documented", **actions, **numbers})
    table = DataFrame(rows)
    sheets = {form: str(score_sheet(found.game(form))) for form in FORMS}
    if report:
        written(report, page(found.game("log"), found.title, sheet=score_sheet(found.game("log"))))
    facts: dict[str, Any] = {"case": found.name, "title": found.title, "rows": records(table), "sheets": sheets}
    facts["report"] = str(report) if report else None
    told = [found.title, aligned_frame(table), "", *(f"{form}: {each}" for form, each in sheets.items())]
    told += [f"report: {report}"] if report else []
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))


@app.command("order")
def order_command(
    model: Model,
    normalise: Normalised = Normalise.all,
    value: ValueForm = ValueName.log,
    gamma: Gamma = None,
    theta: Theta = 20.0,
    beta: Beta = 0.75,
    alpha: Alpha = None,
    endowment: Endowment = 100.0,
    synergy: Synergy = "geometric",
    box: Box = "0.01,100",
    as_json: AsJson = False,
) -> None:
    """Who should move first; what an actor adds by its place in the order of joining; what a turned matrix would give.

    Example: parataxis coopetition order model.json
    """
    from parataxis.methods.coopetition.direction import exchanged
    from parataxis.methods.coopetition.sequential import advice, who_first
    from parataxis.methods.coopetition.shares import join_orders

    game, _ = opened(model, normalise, value, gamma, theta, beta, alpha, endowment, synergy)
    bounds = box_of(box)
    led = who_first(game, bounds)
    joined = join_orders(game, game.equilibrium(box=bounds).actions)
    turned = exchanged(game, bounds)
    facts = {"advice": advice(led), "first": records(led), "joining": records(joined), "direction": records(turned)}
    by_place = joined.pivot(index="actor", columns="place", values="mean").rename(columns={0: "all orders"})
    told = [advice(led), "", aligned_frame(led.assign(first=led["first"].replace("", "all at once"))), "",
            "added by place in the order of joining (all orders: Shapley's value)",
            aligned_frame(by_place.rename_axis(columns=None).reset_index()), "",
            "each pair, and were its two dependences exchanged", aligned_frame(turned)]  # fmt: skip
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))


@app.command("report")
def report_command(
    model: Model,
    out: Annotated[Path, typer.Option(help="The .html file.")] = Path("coopetition.html"),
    normalise: Normalised = Normalise.all,
    value: ValueForm = ValueName.log,
    gamma: Gamma = None,
    theta: Theta = 20.0,
    beta: Beta = 0.75,
    alpha: Alpha = None,
    endowment: Endowment = 100.0,
    synergy: Synergy = "geometric",
    box: Box = "0.01,100",
    as_json: AsJson = False,
) -> None:
    """One HTML page of a model: the graph, the equilibrium, who should move first, joining, slopes, direction.

    Example: parataxis coopetition report model.json --out model.html
    """
    from parataxis.methods.coopetition.report import report as page
    from parataxis.methods.coopetition.writing import written

    game, dependencies = opened(model, normalise, value, gamma, theta, beta, alpha, endowment, synergy)
    bounds = box_of(box)
    written(out, page(game, model.stem, dependencies, bounds))
    facts = {"report": str(out), "certificate": str(game.equilibrium(box=bounds).certificate)}
    print(json.dumps(facts, indent=1) if as_json else f"{facts['certificate']}\nreport: {out}")
