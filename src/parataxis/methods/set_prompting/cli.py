"""Prompts whose order should not matter: what the order decides now, and asking without it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.methods.set_prompting.cli_options import (
    AsJson,
    Dtype,
    DtypeName,
    Limit,
    Questions,
    ScoringName,
    Seed,
    Template,
    TemplateName,
    Threads,
    find,
    load,
)
from parataxis.methods.set_prompting.cli_prompts import register

if TYPE_CHECKING:
    from parataxis.lm.endpoint import Endpoint
    from parataxis.lm.models import LanguageModel

app = typer.Typer(no_args_is_help=True, help="Ask a language model so that the order of the options can't matter.")

KEY = "OPENAI_API_KEY"
METHODS = (
    "Any of plain, sort, sort-descending, set-based, permute-average, permute-average-cyclic, majority-vote, "
    "majority-vote-cyclic, pride; may be given again. By default plain, sort and set-based."
)
Method = Annotated[list[str] | None, typer.Option(help=METHODS, show_default=False)]


@app.command("audit")
def audit_command(
    questions: Questions,
    model: Annotated[
        str, typer.Option(help="smollm2, a folder, a .gguf file, a name on the hub, or the URL of an endpoint.")
    ] = "smollm2",
    orders: Annotated[str, typer.Option(help="two (given and reversed), all, or how many for each question.")] = "two",
    method: Method = None,
    scoring: Annotated[ScoringName, typer.Option(help="How a choice is scored.")] = ScoringName.sum,
    template: Template = TemplateName.list,
    limit: Limit = None,
    seed: Seed = 0,
    dtype: Dtype = DtypeName.float32,
    threads: Threads = None,
    served: Annotated[
        str | None, typer.Option(help="The model's name at the endpoint, if it has several.", show_default=False)
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable that holds the endpoint's key.")
    ] = KEY,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for page, figure and rows; the same command goes on there.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how much the order of the options decides, and what it costs to take that away.

    An endpoint is asked in a chat, with plain, sort and the votes; what it writes is matched to the options.

    Exit status 0 if plain prompting shows no dependence on the order, 1 if it does, 2 for bad input.

    Example: parataxis prompts audit questions.jsonl --limit 20 --out audit
    """
    from dataclasses import replace

    from parataxis.methods.set_prompting.kept import writable
    from parataxis.methods.set_prompting.order_audit import order_audit
    from parataxis.methods.set_prompting.orders import read_kind
    from parataxis.methods.set_prompting.questions import read_questions, repeated
    from parataxis.progress import watching

    kind = read_kind(orders)
    if out:
        writable(out / "rows.jsonl")
    path = find(questions)
    asked = read_questions(path, limit)
    opened = _opened(model, served, key, dtype, threads, scoring, template)
    with watching("questions") as watch:
        report = order_audit(
            asked,
            opened,
            names=method or (),
            kind=kind,
            layout=template.value,
            scoring=scoring.value,
            seed=seed,
            journal=out / "rows.jsonl" if out else None,
            title=path.name.partition(".")[0],
            watch=watch,
        )
    report = replace(report, repeated=repeated(asked))
    files = report.write(out) if out else []
    print(json.dumps(report.to_json(), indent=1, allow_nan=False) if as_json else report)
    if files and not as_json:
        print(f"\nreport: {files[0]}")
    raise typer.Exit(report.exit_status)


def _opened(
    model: str,
    served: str | None,
    key: str,
    dtype: DtypeName,
    threads: int | None,
    scoring: ScoringName,
    template: TemplateName,
) -> "LanguageModel | Endpoint":
    """BadInput for an option that this kind of model has no use for."""
    from parataxis.errors import BadInput

    if not model.startswith(("http://", "https://")):
        for name, value in (("--served", served), ("--key", key if key != KEY else None)):
            if value:
                raise BadInput(f"{name}={value}: is for an endpoint, not for a model that is opened; leave it out")
        return load(model, dtype, threads)
    from parataxis.lm.endpoint import Endpoint

    unused = {"dtype": dtype != DtypeName.float32, "threads": threads, "scoring": scoring != ScoringName.sum}
    unused["template"] = template not in (TemplateName.list, TemplateName.chat)
    if given := [name for name, value in unused.items() if value]:
        raise BadInput(f"--{given[0]}: is not for an endpoint, which is asked in a chat and writes; leave it out")
    return Endpoint(model, served, key=key)


@app.command("score")
def score_command(
    questions: Questions,
    model: Annotated[str, typer.Option(help="smollm2, a folder, a .gguf file, or a name on the hub.")] = "smollm2",
    method: Method = None,
    scoring: Annotated[
        list[ScoringName] | None,
        typer.Option(
            help="How a choice is scored; may be given again. By default sum, mean and pmi.", show_default=False
        ),
    ] = None,
    template: Template = TemplateName.list,
    limit: Limit = None,
    seed: Seed = 0,
    dtype: Dtype = DtypeName.float32,
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON lines, a row a question and method; the same command goes on there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer questions in the order in which their options are given, and count the right answers.

    Example: parataxis prompts score questions.jsonl --limit 20 --method set-based --method pride
    """
    from parataxis.methods.set_prompting.kept import writable
    from parataxis.methods.set_prompting.order_audit import accuracies
    from parataxis.methods.set_prompting.questions import read_questions
    from parataxis.methods.set_prompting.text import accuracy_table
    from parataxis.progress import watching

    if out:
        writable(out)
    asked = read_questions(find(questions), limit)
    opened = load(model, dtype, threads)
    scorings: list[Any] = [each.value for each in scoring or (ScoringName.sum, ScoringName.mean, ScoringName.pmi)]
    with watching("answers") as watch:
        found = accuracies(
            asked,
            opened,
            names=method or (),
            layout=template.value,
            scorings=scorings,
            seed=seed,
            journal=out,
            watch=watch,
        )
    print(json.dumps([each.to_json() for each in found], indent=1) if as_json else accuracy_table(found))


register(app)
