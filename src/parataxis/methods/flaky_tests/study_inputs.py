"""What the study works on: published lists, small made likenesses of them for the toy, and made suites to be run."""

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.flapy import WORDS, passed_failed, read_passed_failed, read_tests_overview
from parataxis.methods.flaky_tests.idoft import (
    Dependence,
    FlakyTest,
    OrderRates,
    read_dependences,
    read_order_rates,
    read_python_tests,
)
from parataxis.methods.flaky_tests.order_tests import pearson
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.projects import Project
from parataxis.methods.flaky_tests.schedules import shuffle

MADE = Path(__file__).parent / "made"
NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"

Culprit = tuple[str, ...]  # a polluter or state-setter, or several tests that do it together in this order


@dataclass(frozen=True)
class Dependent:
    """What is listed, or said, of an order-dependent test.

    kind: "victim" or "brittle"; cleaners: of those culprits for which they were sought; proved: the culprits after
    which it ended otherwise than alone in a fresh interpreter, too.
    """

    kind: str
    culprits: frozenset[Culprit]
    cleaners: dict[Culprit, frozenset[str]] = field(default_factory=dict)
    proved: frozenset[Culprit] = frozenset()

    def facts(self) -> set[object]:
        """Its kind, each culprit, and each culprit with all its cleaners, or with none, where these were sought."""
        return {self.kind, *self.culprits, *self.cleaners.items()}


Tests = dict[str, Dependent]  # the order-dependent ones


@dataclass(frozen=True)
class Listed:
    """A project with the order-dependent tests that it is known to have."""

    project: Project
    tests: Tests


@dataclass(frozen=True)
class Inputs:
    """The lists.

    rows, published: FlaPy's outcomes and its published table of classes; python_tests, dependences, rates: IDoFT's
    lists; projects: those whose order-dependent tests are known, none at the quick scale; ids, runs: a made suite and
    its runs, for the symmetries; real: false for the toy.
    """

    rows: list[dict[str, Any]]
    published: list[dict[str, Any]]
    python_tests: list[FlakyTest]
    dependences: list[Dependence]
    rates: OrderRates
    projects: list[Listed]
    ids: list[str]
    runs: list[Run]
    real: bool


# One made test a line: its class by the paper's rules, and its outcomes in iterations of file order | shuffles.
PLANTED = [
    (Kind.NOT_FLAKY, ["...|...", "...|..."]),
    (Kind.NOT_FLAKY, ["FFF|FFF", "FFF|FFF"]),
    (Kind.NOD, ["...|...", ".F.|..."]),
    (Kind.NOD, ["F..|.F.", "...|.F."]),
    (Kind.OD, ["...|.F.", "...|..F"]),
    (Kind.OD, ["FFF|F.F", "FFF|FFF"]),
    (Kind.INFRA, ["...|...", "EEE|EEE"]),
    (Kind.NOT_FLAKY, ["sss|sss", "...|..."]),
]


def made_runs() -> list[Run]:
    """The runs of the made suite: two iterations of three runs in file order and three shuffles."""
    ids = made_ids()
    runs = []
    for iteration in range(2):
        halves = [outcomes[iteration].split("|") for _, outcomes in PLANTED]
        for index in range(3):
            for half, kind in enumerate(("same", "random")):
                order = tuple(range(len(ids))) if kind == "same" else shuffle(ids, iteration, index)
                runs.append(Run(iteration, kind, index, order, "".join(both[half][index] for both in halves)))
    return runs


def made_ids() -> list[str]:
    return [f"tests/test_{'abc'[place // 3]}.py::test_{place}" for place in range(len(PLANTED))]


def toy(rng: np.random.Generator) -> Inputs:
    """The smallest legal input: the made suite, and a handful of made tests in each of IDoFT's lists."""
    ids, runs = made_ids(), made_runs()
    published = [{"Test_nodeid": nodeid, "flaky?": WORDS[kind]} for nodeid, (kind, _) in zip(ids, PLANTED, strict=True)]
    projects = [f"project-{i % 3}" for i in range(12)]
    python_tests = [
        FlakyTest(project, f"t{i}", ("OD-Vic", "OD-Brit", "OD-Vic", "NOD")[i // 3])
        for i, project in enumerate(projects)
    ]
    causes: list[dict[str, frozenset[str]]]
    causes = [{"p": frozenset()}, {"p": frozenset({"c"})}, {"p": frozenset(), "q": frozenset({"c"})}]
    dependences = [Dependence(f"project-{i}", f"v{i}", "victim", cause) for i, cause in enumerate(causes)]
    dependences.append(Dependence("project-3", "b", "brittle", {f"s{i}": frozenset() for i in range(9)}))
    counts = np.full((6, 4), 50)
    failures = rng.binomial(counts, np.where(np.arange(6)[:, None] < 3, [0.0, 0.0, 0.0, 0.8], 0.02))
    p = pearson(failures, counts)
    rates = OrderRates(projects[:6], failures, counts, p, p < 0.05)
    listed = made_projects()
    return Inputs(passed_failed(runs, ids), published, python_tests, dependences, rates, listed, ids, runs, real=False)


def load(ctx: Any) -> Inputs:
    return Inputs(
        read_passed_failed(ctx.data("flapy-passed-failed-reference.csv")),
        read_tests_overview(ctx.data("flapy-tests-overview-reference.csv")),
        read_python_tests(ctx.data("idoft-py-data.csv")),
        read_dependences(ctx.data("idoft-odr-tests.csv.gz")),
        read_order_rates(ctx.data("idoft-tso-iso-rates.csv")),
        _real_projects(ctx),
        made_ids(),
        made_runs(),
        real=True,
    )


def _real_projects(ctx: Any) -> list[Listed]:
    """None where they are not to be built, or their list is not there: it is in the data folder alone."""
    if ctx.scale == "quick":
        return []
    try:
        return read_listed(ctx.data("real-projects.json"))
    except BadInput:
        return []


def read_listed(path: Path) -> list[Listed]:
    """The projects of a file such as real-projects.json; where one has a path, it is seen from the file's folder."""
    found = []
    for row in json.loads(path.read_text())["projects"]:
        project = Project(
            row["pypi"],
            version=row.get("version", ""),
            path=str(path.parent / row["path"]) if "path" in row else "",
            sha256=row.get("sdist_sha256", ""),
            install=shlex.join(row["install"]),
            test_args=shlex.join(row["test_args"]),
        )
        found.append(Listed(project, {nodeid: _listed(test) for nodeid, test in row["order_dependent"].items()}))
    return found


def _listed(test: dict[str, Any]) -> Dependent:
    culprits = test["polluters" if test["kind"] == "victim" else "state_setters"]
    cleaners: dict[Culprit, frozenset[str]]
    cleaners = {(culprit,): frozenset(names) for culprit, names in test.get("cleaners", {}).items()}
    return Dependent(test["kind"], frozenset((culprit,) for culprit in culprits), cleaners)


def made_projects() -> list[Listed]:
    return read_listed(MADE / "projects.json")


@contextmanager
def suites_in(work: Path, made: str = "") -> Iterator[Path]:
    """An empty folder to run suites in, or one with the suites of `made`, which a run may write to.

    As long as it is there, temporary files lie in `work` as well, where a kill leaves them to whoever clears it, and a
    suite's pytest loads no plugin that happens to be installed beside it.
    """
    folder, temporary = work / "suites", work / "temporary"
    for each in (folder, temporary):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir()
    if made:
        shutil.copytree(MADE / made, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    before = tempfile.tempdir, os.environ.get(NO_PLUGINS)
    tempfile.tempdir, os.environ[NO_PLUGINS] = str(temporary), "1"
    try:
        yield folder
    finally:
        tempfile.tempdir = before[0]
        if before[1] is None:
            del os.environ[NO_PLUGINS]
        else:
            os.environ[NO_PLUGINS] = before[1]
        for each in (folder, temporary):
            shutil.rmtree(each, ignore_errors=True)
