"""Choose what a model is trained on next, for the user's own texts, tables of runs and graphs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from parataxis.columns import aligned

app = typer.Typer(no_args_is_help=True, help="Choose what a model is trained on next, by what helps what.")


class MethodName(StrEnum):
    """How a graph is learned: a run a skill, or a run a pair as well."""

    single = "single"
    pairwise = "pairwise"


class By(StrEnum):
    """What decides how much of each skill is drawn."""

    skill_it = "skill-it"
    static = "static"
    stratified = "stratified"
    random = "random"


class Accumulate(StrEnum):
    """The sum of the records in the window, or their mean."""

    sum = "sum"
    mean = "mean"


class EtaSchedule(StrEnum):
    """A constant eta, or one that grows as the losses fall."""

    constant = "constant"
    inverse_loss = "inverse_loss"


class Lone(StrEnum):
    """What becomes of a skill without edges."""

    as_others = "as_others"
    uniform = "uniform"


class Part(StrEnum):
    """A part of the study."""

    lego = "lego"
    addition = "addition"
    languages = "languages"
    regmix = "regmix"


DataPath = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="Texts: .jsonl, .jsonl.gz or .csv, a row a text; a folder of Natural Instructions' tasks."
    ),
]
SkillColumn = Annotated[
    str, typer.Option(help="The column that names the skill; of tasks the fields, by default Categories.")
]
TextColumn = Annotated[str, typer.Option(help="The column with the text.")]
ModelName = Annotated[
    str,
    typer.Option(help="`characters`, a small model of our own; or a causal one: smollm2, a folder, a name on the hub."),
]
Tokens = Annotated[int, typer.Option(min=2, help="A text is cut after so many tokens (causal models).")]
AnswerOnly = Annotated[bool, typer.Option("--answer-only", help="Only what follows `Output:` counts (causal models).")]
Device = Annotated[str, typer.Option(help="Where torch trains: cpu, cuda, cuda:1.")]
GraphFile = Annotated[Path | None, typer.Option("--graph", help="A graph.json.", show_default=False)]
Eta = Annotated[float, typer.Option(help="Step size of the rule.")]
Window = Annotated[int, typer.Option(help="Records, not rounds, whose losses count.")]
AccumulateBy = Annotated[Accumulate, typer.Option(help="How the window's records are put together.")]
Normalize = Annotated[bool, typer.Option("--normalize", help="Divide losses by their first record.")]
Schedule = Annotated[EtaSchedule, typer.Option(help="Whether eta grows as the losses fall.")]
Damping = Annotated[float, typer.Option(help="Factor of the edges between skills at every update; 0.5 halves them.")]
LoneSkills = Annotated[Lone, typer.Option(help="Skills without edges: by the rule, or 1/k each.")]
Seed = Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("graph")
def graph_command(
    data: DataPath,
    skill_column: SkillColumn = "skill",
    text_column: TextColumn = "text",
    model: ModelName = "characters",
    tokens: Tokens = 128,
    answer_only: AnswerOnly = False,
    device: Device = "cpu",
    steps: Annotated[int, typer.Option(min=1, help="Of each run.")] = 100,
    method: Annotated[MethodName, typer.Option(help="A run a skill, or a run a pair as well.")] = MethodName.single,
    seeds: Annotated[int, typer.Option(min=1, help="Of each run; from two on, every edge has an interval.")] = 2,
    target: Annotated[list[str] | None, typer.Option(help="An evaluated skill; by default all are.")] = None,
    keep_harm: Annotated[bool, typer.Option("--keep-harm", help="Keep edges below 0.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="Leave out edges that are weaker, or whose interval holds 0.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The graph.json; a .png is put beside it.")] = Path(
        "graph.json"
    ),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn by short runs how much training on each skill helps each other one.

    Where the texts have a column `split` (train, validation, test) it is kept to; else a hash of the text decides.

    Example: parataxis skills graph texts.jsonl --steps 20 --out graph.json
    """
    from parataxis.methods.skill_it import plot
    from parataxis.methods.skill_it.jobs import Data, learn_graph
    from parataxis.progress import watching

    given = Data(data, skill_column, text_column, model, tokens, answer_only, device)
    with watching("runs") as tell:
        found = learn_graph(given, steps, method.value, seeds, target or [], not keep_harm, seed, tell)
    if threshold is not None:
        found = found.threshold(threshold)
    _keep(found, out, plot.png(found.plot()), as_json)


def _keep(found: Any, out: Path, image: bytes, as_json: bool) -> None:
    from parataxis.files import write_atomic

    found.save(out)
    write_atomic(out.with_suffix(".png"), image)
    print(json.dumps({**found.to_json(), "out": str(out)}, indent=1) if as_json else f"{found.summary()}\ngraph: {out}")


@app.command("fit-table")
def fit_table_command(
    mixtures: Annotated[
        Path, typer.Argument(metavar="MIXTURES", help="A .csv: a row a run, a column a skill, shares.")
    ],
    losses: Annotated[
        Path, typer.Argument(metavar="LOSSES", help="A .csv: the same runs, a column an evaluated skill.")
    ],
    ridge: Annotated[float, typer.Option(help="Pull the edges of a column together: for few runs.")] = 0.0,
    threshold: Annotated[
        float | None,
        typer.Option(help="Leave out edges that are weaker, or whose interval holds 0.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The graph.json; a .png is put beside it.")] = Path(
        "graph.json"
    ),
    as_json: AsJson = False,
) -> None:
    """Fit a graph to finished runs: what each was trained on, and the losses it reached.

    The runs are joined by the column `index`, or else by the first one.

    Example: parataxis skills fit-table mixtures.csv losses.csv --out fitted.json
    """
    from parataxis.methods.skill_it import plot
    from parataxis.methods.skill_it.regmix import read_table
    from parataxis.methods.skill_it.table import fit_table

    found = fit_table(read_table(mixtures), read_table(losses), ridge=ridge).graph
    if threshold is not None:
        found = found.threshold(threshold)
    _keep(found, out, plot.png(found.plot()), as_json)


@app.command("train")
def train_command(
    data: DataPath,
    graph: GraphFile = None,
    by: Annotated[By, typer.Option(help="What decides how much of each skill is drawn.")] = By.skill_it,
    skill_column: SkillColumn = "skill",
    text_column: TextColumn = "text",
    model: ModelName = "characters",
    tokens: Tokens = 128,
    answer_only: AnswerOnly = False,
    device: Device = "cpu",
    steps: Annotated[int, typer.Option(min=1, help="In all.")] = 600,
    update_every: Annotated[int, typer.Option(min=1, help="Steps of a round.")] = 100,
    record_every: Annotated[int, typer.Option(min=1, help="Steps between two validations.")] = 20,
    eta: Eta = 0.5,
    window: Window = 3,
    accumulate: AccumulateBy = Accumulate.sum,
    normalize: Normalize = False,
    eta_schedule: Schedule = EtaSchedule.constant,
    damping: Damping = 1.0,
    lone: LoneSkills = Lone.as_others,
    no_repeats: Annotated[bool, typer.Option("--no-repeats", help="Never draw an example twice.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder.")] = Path("skills"),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a model on what the rule draws; or, to compare, stratified or as the data has them.

    Writes weights.csv (a row a round), history.csv, curves.png, weights.png, model.pt and report.json. Killed, the same
    command goes on.

    Example: parataxis skills train texts.jsonl --graph graph.json --steps 40 --update-every 10 --record-every 5
    """
    from parataxis.methods.skill_it.graph import SkillGraph
    from parataxis.methods.skill_it.jobs import Data, run
    from parataxis.progress import watching

    found = SkillGraph.load(graph) if graph else None
    settings = {
        "by": by.value,
        "steps": steps,
        "update_every": update_every,
        "record_every": record_every,
        "seed": seed,
        "eta": eta,
        "window": window,
        "accumulate": accumulate.value,
        "normalize": normalize,
        "eta_schedule": eta_schedule.value,
        "damping": damping,
        "lone": lone.value,
        "no_repeats": no_repeats,
    }
    given = Data(data, skill_column, text_column, model, tokens, answer_only, device)
    with watching("records") as tell:
        report = run(given, found, settings, out, tell)
    print(json.dumps(report, indent=1) if as_json else _trained(report))


def _trained(report: dict[str, Any]) -> str:
    rows = [["skill", "test loss", "share, first round", "last round", "epochs"]]
    first, last = report["weights"][0], report["weights"][-1]
    for name, loss in report["test_loss"].items():
        rows.append([name, f"{loss:.4f}", f"{first[name]:.3f}", f"{last[name]:.3f}", f"{report['epochs'][name]:.2f}"])
    cost = f"; its graph took {report['graph_steps']} steps more" if report["graph_steps"] else ""
    return (
        f"{report['data']}: {report['settings']['steps']} steps by {report['settings']['by']}{cost}\n\n"
        f"{aligned(rows)}\n\n"
        f"mean test loss {report['test_loss_mean']:.4f}\nout: {report['out']}"
    )


@app.command("simulate")
def simulate_command(
    graph: Annotated[Path, typer.Option("--graph", help="A graph.json.")],
    losses: Annotated[Path, typer.Option(help="A .csv with the columns skill and loss: where the losses begin.")],
    rounds: Annotated[int, typer.Option(min=1, help="How many.")] = 6,
    eta: Eta = 0.5,
    window: Window = 3,
    accumulate: AccumulateBy = Accumulate.sum,
    normalize: Normalize = False,
    eta_schedule: Schedule = EtaSchedule.constant,
    damping: Damping = 1.0,
    lone: LoneSkills = Lone.as_others,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .csv; else it is printed.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The path of the weights if losses fell as the model behind the rule has it; nothing is trained.

    Example: parataxis skills simulate --graph fitted.json --losses start.csv --rounds 3
    """
    from parataxis.errors import BadInput
    from parataxis.files import write_atomic
    from parataxis.methods.skill_it.controller import SkillIt
    from parataxis.methods.skill_it.graph import SkillGraph
    from parataxis.methods.skill_it.jobs import simulate
    from parataxis.methods.skill_it.regmix import read_table

    table = read_table(losses, "skill")
    if "loss" not in table:
        raise BadInput(f"{losses}: no column 'loss'; there: {', '.join(map(str, table.columns))}")
    for name, value in table["loss"].items():
        if not isinstance(value, int | float):
            raise BadInput(f"{losses}: skill {name!r}: loss={value!r} must be a number")
    start = {str(name): float(value) for name, value in table["loss"].items()}

    def make(found: SkillGraph) -> SkillIt:
        options: dict[str, Any] = {"accumulate": accumulate.value, "normalize": normalize, "damping": damping}
        return SkillIt(found, eta, window, eta_schedule=eta_schedule.value, lone=lone.value, **options)

    path = simulate(SkillGraph.load(graph), start, rounds, make)
    text = path.round(6).to_csv()
    if out:
        write_atomic(out, text)
    print(path.round(6).to_json(orient="records", indent=1) if as_json else text, end="\n" if as_json else "")


@app.command("study")
def study_command(
    part: Annotated[Part, typer.Argument(metavar="PART", help="lego, addition, languages or regmix.")],
    scale: Annotated[str, typer.Option(help="quick, full or paper.")] = "quick",
    seeds: Annotated[int | None, typer.Option(min=1, help="By default those of the scale.", show_default=False)] = None,
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure one part of the study and print its tables; `parataxis run skill-it` measures and keeps all of it.

    Example: parataxis skills study regmix
    """
    from parataxis.methods.skill_it.study_parts import measure_part

    found = measure_part(part.value, scale, seeds, seed, jobs)
    print(json.dumps(found, indent=1) if as_json else _told(found))


def _told(found: dict[str, Any]) -> str:
    parts = [
        f"{name}: {row['value']:.4g} [{row['low']:.4g}, {row['high']:.4g}] {row['unit']}, n = {row['n']}"
        for name, row in found["claims"].items()
    ]
    for table in found["tables"]:
        rows = [list(map(str, table["columns"])), *([str(cell) for cell in row] for row in table["rows"])]
        parts.append(f"\n{table['caption']}\n{aligned(rows)}")
    return "\n".join(parts)
