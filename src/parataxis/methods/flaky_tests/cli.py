"""The hunt for flaky tests in the user's own suite."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.cli_diagnosis import register, telling

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Report

app = typer.Typer(no_args_is_help=True, help="Find flaky tests in a pytest suite, say why, and how sure that is.")


class ProtocolName(StrEnum):
    """How much is run: a first look, until 95% of flaky tests should have shown themselves, or as in the paper."""

    quick = "quick"
    thorough = "thorough"
    paper = "paper"


class BackendName(StrEnum):
    """What runs the projects of a study: processes here, or a cluster."""

    loky = "loky"
    dask = "dask"
    ray = "ray"


class LevelName(StrEnum):
    """What a shuffle keeps together."""

    klass = "class"
    module = "module"
    nested = "nested"
    all = "global"


class FilesName(StrEnum):
    """How files are kept from the next order: a view of its own for each, put back after each, or not at all."""

    overlay = "overlay"
    snapshot = "snapshot"
    none = "none"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("hunt")
def hunt_command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...] [-- PYTEST OPTIONS]",
            help="Folders, files or node ids of one suite, by default the current folder; then options for pytest.",
        ),
    ] = None,
    protocol: Annotated[ProtocolName, typer.Option(help="How much is run.")] = ProtocolName.quick,
    python: Annotated[
        Path | None,
        typer.Option(
            help="Interpreter of the suite's own environment; by default that of its .venv or venv.", show_default=False
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Orders at a time; tests that share a port or a server want 1.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")] = 0,
    level: Annotated[
        LevelName | None, typer.Option(help="What a shuffle keeps together; by default the class.", show_default=False)
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(min=0.01, help="Seconds that a test is given, unless 10 times its time in file order are more."),
    ] = 10.0,
    enough: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Shuffle no more once each test is flaky, or a failure rate above this is excluded at 95%.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[
        FilesName | None,
        typer.Option(
            help="How files that a test leaves are kept from later orders; by default the first that can be had.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of record and reports; by default .parataxis in the suite.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the hunt recorded there.")] = False,
    look: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Look for the culprits of each order-dependent test.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Run a suite in many orders: name its flaky tests, who makes them so, and a command that proves it.

    Exit status 0 if none is flaky, 1 if some are, 2 if the suite could not be measured.

    Example: parataxis tests hunt
    With options for pytest: parataxis tests hunt tests --jobs 2 -- -o addopts= -m "not slow"
    """
    from parataxis.methods.flaky_tests.explaining import explain
    from parataxis.methods.flaky_tests.hunting import hunt, own_folder
    from parataxis.methods.flaky_tests.suite import find_suite

    paths, options = split(arguments)
    folder = out or own_folder(find_suite([Path(path) for path in paths], options, python).root)
    try:
        with _watching() as watch:
            report = hunt(
                paths,
                options,
                protocol=protocol.value,
                seed=seed,
                jobs=jobs,
                level=level.value if level else None,
                python=python,
                out=folder,
                resume=resume,
                timeout=timeout,
                isolation=files.value if files else None,
                enough=enough,
                watch=watch,
            )
        if look:
            with telling() as tell:
                report = explain(report, folder, jobs=jobs, tell=tell)
    except KeyboardInterrupt:
        print("parataxis: the same command with --resume goes on", file=sys.stderr)
        raise
    written = report.write(folder)
    _show(report, as_json)
    if not as_json:
        print(f"\nreport: {_shortest(written[1])}")
    raise typer.Exit(report.exit_status)


def split(arguments: list[str] | None) -> tuple[list[str], tuple[str, ...]]:
    """Paths, by default the current folder, and pytest's options: from the first word that begins with a hyphen."""
    words = arguments or []
    first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:first] or ["."], tuple(words[first:])


def _shortest(path: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _watching() -> Any:
    from parataxis.methods.flaky_tests.watch import watching

    return watching()


def _show(report: "Report", as_json: bool) -> None:
    if report.counts()["never ran"] == len(report.head.ids):
        raise BadInput(f"{report.head.root}: none of its {len(report.head.ids)} tests ran; see `pytest` in that folder")
    print(json.dumps(report.to_json(), indent=1) if as_json else report)


@app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a hunt, finished or not.")] = Path(".parataxis"),
    html: Annotated[Path | None, typer.Option(help="Write the HTML page there.", show_default=False)] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML there.", show_default=False)] = None,
    flapy: Annotated[
        Path | None, typer.Option(help="Write FlaPy's two tables into that folder.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a hunt has found, again or while it runs.

    Exit status 0 if no test is flaky, 1 if some are.

    Example: parataxis tests report .parataxis
    """
    from parataxis.files import write_atomic
    from parataxis.methods.flaky_tests.report import Report

    report = Report.read(folder)
    if html:
        write_atomic(html, report.to_html())
    if junit:
        write_atomic(junit, report.to_junit())
    if flapy:
        report.to_flapy_csv(flapy)
    _show(report, as_json)
    raise typer.Exit(report.exit_status)


@app.command("classify")
def classify_command(
    results: Annotated[
        list[str], typer.Argument(help="JUnit XML of old runs: files, folders with all below them, or globs in quotes.")
    ],
    one_environment: Annotated[
        bool,
        typer.Option("--one-environment", help="All runs had the same; by default each folder of files is one."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the record and HTML, JSON and JUnit reports.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name the flaky tests in the results of old CI runs, without running anything.

    A file is a run; the `TEST-*.xml` of one folder are one run together. The order that most runs have counts as file
    order. Exit status 0 if no test is flaky, 1 if some are, 2 if nothing could be read.

    Example: parataxis tests classify ci
    Runs of one machine in folders by date: parataxis tests classify "ci/*/junit.xml" --one-environment
    """
    from dataclasses import asdict

    from parataxis.methods.flaky_tests.ci_runs import from_junit, order_effects, still_needed, text
    from parataxis.methods.flaky_tests.journal import Journal

    report = from_junit(results, one_environment=one_environment)
    if out:
        with Journal(out, resume=False) as journal:
            journal.begin(report.head)
            for entry in report.entries:
                journal.add(entry)
        report.write(out)
    if as_json:
        needed = still_needed(report)
        effects = [asdict(each) for each in order_effects(report)]
        value = {**report.to_json(), "order_test": effects, "runs_needed": asdict(needed) if needed else None}
        print(json.dumps(value, indent=1))
    else:
        print(text(report))
    raise typer.Exit(report.exit_status)


@app.command("study")
def study_command(
    projects: Annotated[Path, typer.Argument(metavar="PROJECTS.CSV", help="A row a project; columns below.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, which the same command goes on with.")],
    jobs: Annotated[int, typer.Option(min=1, help="Projects at a time.")] = 1,
    backend: Annotated[
        BackendName, typer.Option(help="Processes here, or the cluster of DASK_SCHEDULER_ADDRESS or RAY_ADDRESS.")
    ] = BackendName.loky,
    protocol: Annotated[ProtocolName, typer.Option(help="How much is run.")] = ProtocolName.quick,
    seed: Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")] = 0,
    limit: Annotated[float, typer.Option(min=1, help="Seconds that a project may take in all.")] = 3600.0,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="A new environment for each iteration, as in the paper; not one a project."),
    ] = False,
    look: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Look for the culprits of each order-dependent test.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Hunt for flaky tests in many projects, and say why they are flaky.

    Columns: name, and a source: version (an sdist of the package index), path (a folder or an sdist, seen from the
    file), or url and sha (git); sha256 of the sdist; install: words for pip, by default the project and its
    *requirements*.txt, or - to run it with this Python and no environment; test_args: words for pytest. FlaPy's
    Project_Name, Project_URL and Project_Hash do as well. A cell may be empty, a column missing.

    Writes study.csv, FlaPy's passed_failed.csv and tests_overview.csv, and a folder a project with its report and log.
    What failed is tried twice, and again when the command is given again. A project whose explanation fails or does not
    end within its limit keeps its hunt. Sources and environments lie in TMPDIR until a project is done.

    Exit status 0 if no test is flaky, 1 if some are, 2 if no project could be measured.

    Example: parataxis tests study projects.csv --out study
    """
    from parataxis.methods.flaky_tests.many import hunt_many, watching
    from parataxis.methods.flaky_tests.projects import read_projects

    listed = read_projects(projects)
    with watching(len(listed)) as watch:
        found = hunt_many(
            listed,
            out,
            jobs=jobs,
            backend=backend.value,
            protocol=protocol.value,
            seed=seed,
            limit=limit,
            rebuild=rebuild,
            explain=look,
            watch=watch,
        )
    print(json.dumps(found.to_json(), indent=1) if as_json else found)
    if not found.measured:
        raise BadInput(
            f"{projects}: none of {len(listed)} projects could be measured; see the reasons in {out}/study.csv"
        )
    raise typer.Exit(found.exit_status)


@app.command("runs-needed")
def runs_needed_command(
    p: Annotated[float | None, typer.Option("--p", help="Failure rate to be excluded.", show_default=False)] = None,
    after_passes: Annotated[int | None, typer.Option(help="Clean runs so far.", show_default=False)] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Measured rates: the folder of a hunt, or a file with a rate a line.", show_default=False),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Between 0 and 1.")] = 0.95,
    prior: Annotated[float, typer.Option(help="Share of tests that are flaky; Gruber et al.: 0.86%.")] = 0.0086,
    as_json: AsJson = False,
) -> None:
    """Say how many clean runs it takes before a test may be called sound.

    Example: parataxis tests runs-needed --p 0.05 --after-passes 20
    """
    from dataclasses import asdict

    from parataxis.methods.flaky_tests.reruns import LEAST, runs_needed

    if p is None and data is None and after_passes is None:
        raise BadInput("--p, --data, --after-passes: give at least one of them")
    if p is not None and data is not None:
        raise BadInput("--p, --data: give one of the two, a single rate or measured ones")
    if p is not None and not LEAST <= p <= 1:
        raise BadInput(f"--p {p:g}: expected a failure rate of {LEAST:g} to 1")
    for name, value in (("confidence", confidence), ("prior", prior)):
        if not 0 < value < 1:
            raise BadInput(f"--{name} {value:g}: expected a number above 0 and below 1")
    rates = None if data is None else _rates(data)
    answer = runs_needed(p=p, after_passes=after_passes, rates=rates, confidence=confidence, prior=prior)
    print(json.dumps(asdict(answer), indent=1) if as_json else answer)


def _rates(path: Path) -> Any:
    import numpy as np

    if path.is_dir():
        from parataxis.methods.flaky_tests.report import Report

        found = [
            each.shuffled.failures / each.shuffled.runs for each in Report.read(path).flaky if each.shuffled.failures
        ]
        if not found:
            raise BadInput(f"--data {path}: no test of this hunt failed when shuffled; give measured rates in a file")
        return np.array(found)
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--data {path}: can't be read ({error}); give a file with a rate a line") from None
    rates = []
    for place, line in enumerate(lines, 1):
        try:
            rates.append(float(line))
        except ValueError:
            raise BadInput(f"{path}:{place}: {line!r} must be a number; drop the line") from None
    return np.array(rates)


register(app)
