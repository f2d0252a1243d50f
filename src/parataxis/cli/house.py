"""The house's own commands: what there is, measuring it, and showing what was measured."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from parataxis.errors import BadInput
from parataxis.studies.registry import Method, choose


class Scale(StrEnum):
    """How large a study is: the method's own toy, 60 s on two cores, 20 min, or the published scale."""

    toy = "toy"
    quick = "quick"
    full = "full"
    paper = "paper"


class Backend(StrEnum):
    """What joblib runs the methods on."""

    loky = "loky"
    threading = "threading"
    ray = "ray"
    dask = "dask"


Names = Annotated[list[str] | None, typer.Argument(help="Methods; all of them if none is named.", show_default=False)]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="The file of the evidence; by default in the user's data folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def papers(context: typer.Context, store: StorePath = None, as_json: AsJson = False) -> None:
    """List the papers, with their verbs and what became of their claims.

    Example: parataxis papers
    """
    from parataxis.studies.render import counts, findings

    known: dict[str, Method] = context.obj
    runs = _shown(known, store)
    standing = {name: counts(findings(each.paper, runs[name])) for name, each in known.items()}
    if as_json:
        print(json.dumps([_paper_json(each, standing[name]) for name, each in known.items()], indent=1))
        return
    from rich.table import Table

    table = Table("name", "paper", "verbs", "command", "claims and symmetries")
    for name, each in known.items():
        paper = each.paper
        table.add_row(name, f"{paper.title} ({paper.year})", ", ".join(paper.verbs), paper.command, standing[name])
    _console().print(table)


def _paper_json(method: Method, standing: str) -> dict[str, Any]:
    paper = method.paper
    keys = ("name", "command", "title", "authors", "year", "identifier", "venue", "verbs", "extra", "summary")
    return {**{key: getattr(paper, key) for key in keys}, "ids": paper.ids, "standing": standing}


def run(
    context: typer.Context,
    names: Names = None,
    scale: Annotated[Scale, typer.Option(help="How large.")] = Scale.quick,
    jobs: Annotated[int, typer.Option(min=1, help="Methods at a time.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")] = 0,
    backend: Annotated[Backend, typer.Option(help="What joblib runs the methods on.")] = Backend.loky,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew what has been measured.")] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Measure the claims and symmetries of methods. A run that was cut off goes on where it stopped.

    Without a name, methods whose extra is not installed are left out.

    Exit status 0 if all was measured, whatever became of the claims, else 2.

    Example: parataxis run --scale quick --jobs 2
    """
    from parataxis.studies.render import rich_table, run_json
    from parataxis.studies.runner import measure_all
    from parataxis.studies.store import default_path
    from parataxis.studies.watch import watch

    chosen = choose(names, context.obj) if names else installed(context.obj)
    path = store or default_path()
    with watch(chosen, path):
        runs = measure_all(chosen, scale.value, seed, path, jobs=jobs, backend=backend.value, fresh=fresh)
    if as_json:
        print(json.dumps([run_json(each.paper, run) for each, run in zip(chosen, runs, strict=True)], indent=1))
    else:
        for each, found in zip(chosen, runs, strict=True):
            _console().print(rich_table(each.paper, found))
        print(f"evidence: {path}; `parataxis report` renders it")
    for found in runs:
        if found.error:
            error = found.error.removeprefix(f"{found.method}: ")
            print(f"parataxis: {found.method}: {error}", file=sys.stderr)
    if not all(found.finished for found in runs):
        raise typer.Exit(2)


def installed(known: dict[str, Method]) -> list[Method]:
    """The methods that can be measured here; of the others it is told what they lack."""
    lacking = {name: lacks for name, each in known.items() if (lacks := each.lacks())}
    for lacks in lacking.values():
        print(f"parataxis: left out: {lacks}", file=sys.stderr)
    return [each for name, each in known.items() if name not in lacking]


def report(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("parataxis-report.html"),
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    kept: Annotated[
        Path | None, typer.Option("--evidence", help="A folder of exported runs, for methods not measured here.")
    ] = None,
    store: StorePath = None,
) -> None:
    """Render the evidence as one self-contained HTML file.

    Example: parataxis report --open
    """
    from parataxis.files import write_atomic
    from parataxis.studies.render import read_evidence
    from parataxis.studies.report import html_report

    known: dict[str, Method] = context.obj
    runs = _shown(known, store)
    if kept and not kept.is_dir():
        raise BadInput(f"--evidence={kept}: is no folder; give one that `parataxis evidence export` wrote")
    missing = [name for name, found in runs.items() if found is None]
    elsewhere = {name: read_evidence(kept, known[name].paper) for name in missing} if kept else {}
    runs |= elsewhere
    if not any(runs.values()):
        raise BadInput("nothing has been measured yet; `parataxis run` does")
    page = html_report([(each.paper, runs[name]) for name, each in known.items()], frozenset(elsewhere))
    path = write_atomic(out, page)
    print(path.absolute())
    if show:
        typer.launch(path.absolute().as_uri())


def cite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A method, as `parataxis papers` names it.")],
    as_bibtex: Annotated[bool, typer.Option("--bibtex", help="As a BibTeX entry.")] = False,
) -> None:
    """Print the citation of a method's paper.

    Example: parataxis cite flaky-tests --bibtex
    """
    from parataxis.studies.docs import bibtex, citation

    (method,) = choose([name], context.obj)
    print(bibtex(method.paper) if as_bibtex else citation(method.paper))


def docs(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help="Write what is not as it should be.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say so, with exit status 1.")] = False,
) -> None:
    """Render the README's table and a page a method from paper.toml, docstrings and evidence/. Run in the repository.

    Example: parataxis docs --check
    """
    from parataxis.studies import docs as pages

    if write == check:
        raise BadInput("expected one of --write and --check")
    wanted = pages.rendered(Path.cwd(), context.obj.values())
    changed = pages.write(wanted) if write else pages.stale(wanted)
    for path in changed:
        print(f"{'written' if write else 'not as rendered'}: {path.relative_to(Path.cwd())}")
    if check and changed:
        print("`parataxis docs --write` renders them")
        raise typer.Exit(1)


evidence = typer.Typer(help="Keep evidence in the repository.", no_args_is_help=True)


@evidence.command("export")
def export(
    context: typer.Context,
    names: Names = None,
    out: Annotated[Path, typer.Option(help="The folder.")] = Path("evidence"),
    store: StorePath = None,
) -> None:
    """Write the last full run of each method to evidence/<name>.json.

    Example: parataxis evidence export flaky-tests
    """
    from parataxis.studies.render import write_evidence

    chosen = choose(names or [], context.obj)
    runs = _shown({each.name: each for each in chosen}, store, ("full",))
    missing = [name for name, found in runs.items() if found is None]
    if names and missing:
        raise BadInput(f"{missing[0]}: has no finished full run; `parataxis run {missing[0]} --scale full`")
    for each in chosen:
        if found := runs[each.name]:
            print(write_evidence(out, each.paper, found))


def house(app: typer.Typer) -> None:
    """Register these commands."""
    from parataxis.cli.serve import serve

    for each in (papers, run, report, serve, cite, docs):
        app.command()(each)
    app.add_typer(evidence, name="evidence")


def _shown(known: dict[str, Method], path: Path | None, scales: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The run that speaks for each method, or None; nothing is created where no evidence is."""
    from parataxis.studies.store import SHOWN, Store, default_path

    path = path or default_path()
    if not path.exists():
        return dict.fromkeys(known)
    with Store(path) as store:
        return {name: store.shown(name, scales or SHOWN) for name in known}


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)  # a pipe has no width
