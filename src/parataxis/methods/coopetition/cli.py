"""Coopetition: from an i* model to a matrix, an equilibrium, sweeps, the published cases, and who should move first."""

import json
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.columns import aligned_frame, records
from parataxis.errors import BadInput
from parataxis.methods.coopetition.cli_options import (
    AsJson,
    Asked,
    Model,
    Normalise,
    Normalised,
    Out,
    numbers,
    of_a_game,
    page_at,
)
from parataxis.progress import watching

if TYPE_CHECKING:
    from parataxis.methods.coopetition.equilibrium import Equilibrium

app = typer.Typer(no_args_is_help=True, help="Who depends on whom, what will each invest, and who should move first?")

MOST = 1_000_000  # steps of a range, and rows of a sweep
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
@of_a_game
def solve_command(
    asked: Asked,
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
    game, dependencies = asked.opened()
    bounds = asked.bounds
    found = game.equilibrium(play=tuple(first) if first else "simultaneous", box=bounds)
    best = game.optimum(box=bounds)
    facts = solved_facts(found) | {
        "optimum": best.actions.tolist(),
        "notes": list(dependencies.notes) if dependencies else [],
    }
    told = [aligned_frame(found.frame()), "", *solved_words(found)]
    told.append(f"what all would agree on: {', '.join(f'{each:.3f}' for each in best.actions)}")
    told += [f"note: {each}" for each in facts["notes"]]
    if slopes:
        table = game.sensitivity(box=bounds)
        facts["slopes"] = records(table)
        told += ["", "slopes, where all move at once", aligned_frame(table)]
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
        "residual": found.residual if found.play == "simultaneous" else None,  # a leader's utility has another slope
        "binding": list(found.binding),
        "certificate": {"gain": known.gain, "actor": known.actor, "action": known.action, "allowed": known.allowed,
                        "searched": known.searched, "holds": known.holds},
    }  # fmt: skip


def solved_words(found: "Equilibrium") -> list[str]:
    words = [f"all create {found.value:.4f}; {found.certificate}"]
    if found.play != "simultaneous":
        words.insert(0, "moves: " + ", then ".join(" and ".join(stage) for stage in found.play))
    if not found.converged:
        words.append(f"not at rest after {found.iterations} rounds; what the certificate says is what it is")
    if found.binding:
        words.append(f"at a bound of the box: {', '.join(found.binding)}; --box sets another")
    return words


@app.command("sweep")
@of_a_game
def sweep_command(
    asked: Asked,
    param: Annotated[
        list[str],
        typer.Option(
            help="NAME=LOW:HIGH:STEP or NAME=A,B,C; again for all combinations. `solve --slopes` lists names."
        ),
    ],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """The equilibrium along parameters, all rows at once. --out writes a .csv or .parquet.

    Example: parataxis coopetition sweep model.json --param gamma=0:1:0.25
    """
    from parataxis.methods.coopetition.sweep import grid
    from parataxis.methods.coopetition.writing import write_table

    game, _ = asked.opened()
    along: dict[str, list[float]] = {}
    for each in param:
        name, values = steps(each)
        if name in along:
            raise BadInput(f"--param={each!r}: {name!r} stands twice; name all its values in one")
        along[name] = values
    if (rows := prod(len(each) for each in along.values())) > MOST:
        raise BadInput(f"--param: {rows:,} combinations; expected at most {MOST:,}; take fewer values")
    with watching("equilibria") as tell:
        table = game.sweep(grid(along), asked.bounds, tell)
    if out:
        write_table(table, out)
    worst = float(table["certificate"].max())
    told = f"{len(table):,} equilibria; the largest gain from moving alone is {max(worst, 0):.1e} of what is allowed"
    if as_json:
        print(json.dumps({"rows": records(table), "worst": worst}, indent=1))
    else:
        print("\n".join([told, f"written: {out}"] if out else [aligned_frame(table), "", told]))
    if worst > 1 or not table["converged"].all():
        raise typer.Exit(1)


def steps(text: str) -> tuple[str, list[float]]:
    """The values that a parameter takes; both ends of a range belong to it."""
    name, sign, values = text.rpartition("=")
    if not sign or not values:
        raise BadInput(f"--param={text!r}: expected NAME=LOW:HIGH:STEP or NAME=A,B,C")
    if ":" not in values:
        return name, numbers(values, "--param")
    ends = numbers(values.replace(":", ","), "--param")
    if len(ends) != 3 or not (ends[2] > 0 and 0 <= (ends[1] - ends[0]) / ends[2] <= MOST):
        told = f"expected LOW:HIGH:STEP with LOW <= HIGH, a STEP above 0, and at most {MOST:,} steps"
        raise BadInput(f"--param={text!r}: {told}")
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

    The sheet counts 24 plausibility conditions; it is no accuracy. certificate: what moving alone gains at most, over
    what is allowed. Exit status 1 where that is more than 1.

    Example: parataxis coopetition case slcd
    """
    from pandas import DataFrame

    from parataxis.files import write_atomic
    from parataxis.methods.coopetition.cases import FORMS, case
    from parataxis.methods.coopetition.report import report as page
    from parataxis.methods.coopetition.scoring import score_sheet

    found = case(name)
    if report:
        page_at(report, "--report")
    rows: list[dict[str, Any]] = []
    for form in FORMS:
        for transposed in (False, True):
            game = found.game(form, transposed)
            at_rest, sheet = game.equilibrium(), score_sheet(game)
            actions = {f"a:{actor}": float(each) for actor, each in zip(game.names, at_rest.actions, strict=True)}
            numbers = {"score": int(sheet.score[0]), "cooperation, %": float(sheet.cooperation[0])}
            numbers |= {"value, %": float(sheet.value[0]), "share": float(sheet.share[0])}
            known = {"converged": at_rest.converged, "certificate": at_rest.certificate.of_allowed}
            told_as = "transposed" if transposed else "as documented"
            rows.append({"form": form, "D": told_as, **actions, **numbers, **known})
    table = DataFrame(rows)
    sheets = {form: str(score_sheet(found.game(form))) for form in FORMS}
    if report:
        write_atomic(report, page(found.game("log"), found.title, sheet=score_sheet(found.game("log"))))
    facts: dict[str, Any] = {"case": found.name, "title": found.title, "rows": records(table), "sheets": sheets}
    facts["report"] = str(report) if report else None
    told = [
        found.title,
        aligned_frame(table.drop(columns="converged")),
        "",
        *(f"{form}: {each}" for form, each in sheets.items()),
    ]
    told += [f"report: {report}"] if report else []
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))
    if not (table["converged"].all() and table["certificate"].max() <= 1):
        raise typer.Exit(1)


@app.command("order")
@of_a_game
def order_command(
    asked: Asked,
    as_json: AsJson = False,
) -> None:
    """Who should move first; what an actor adds by its place in the order of joining; what a turned matrix would give.

    certificate: what moving alone gains at most, over what is allowed. Exit status 1 where that is more than 1.

    Example: parataxis coopetition order model.json
    """
    from parataxis.methods.coopetition.direction import exchanged
    from parataxis.methods.coopetition.sequential import advice, who_first
    from parataxis.methods.coopetition.shares import EXACT, ORDERS, by_place, join_orders

    game, _ = asked.opened()
    bounds = asked.bounds
    led = who_first(game, bounds)
    joined = join_orders(game, game.equilibrium(box=bounds).actions)
    turned = exchanged(game, bounds)
    facts = {"advice": advice(led), "first": records(led), "joining": records(joined), "direction": records(turned)}
    few = len(game.names) <= EXACT
    orders = (
        "all orders: Shapley's value" if few else f"{ORDERS:,} drawn orders: about Shapley's value, low to high 95 %"
    )
    shown = led.assign(first=led["first"].replace("", "all at once")).drop(columns="converged")
    told = [advice(led), "", aligned_frame(shown), "",
            f"added by place in the order of joining ({orders})",
            aligned_frame(by_place(joined, len(game.names))), "",
            "each pair, and were its two dependences exchanged", aligned_frame(turned)]  # fmt: skip
    print(json.dumps(facts, indent=1) if as_json else "\n".join(told))
    if not (led["converged"].all() and max(led["certificate"].max(), turned["certificate"].max()) <= 1):
        raise typer.Exit(1)


@app.command("report")
@of_a_game
def report_command(
    asked: Asked,
    out: Annotated[Path, typer.Option(help="The .html file.")] = Path("coopetition.html"),
    as_json: AsJson = False,
) -> None:
    """One HTML page of a model: the graph, the equilibrium, who should move first, joining, slopes, direction.

    Example: parataxis coopetition report model.json --out model.html
    """
    from parataxis.files import write_atomic
    from parataxis.methods.coopetition.report import report as page

    page_at(out, "--out")
    game, dependencies = asked.opened()
    bounds = asked.bounds
    write_atomic(out, page(game, asked.model.stem, dependencies, bounds))
    known = game.equilibrium(box=bounds).certificate
    facts = {"report": str(out), "certificate": str(known)}
    print(json.dumps(facts, indent=1) if as_json else f"{known}\nreport: {out}")
    if not known.holds:
        raise typer.Exit(1)
