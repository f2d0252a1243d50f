"""A study of many projects: tiny ones made here, one broken at each stage, a kill in the middle. No index is asked."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hunts import SMALL, gone, killed_study
from test_journal import HEAD

from nursery import in_child
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests import stages
from parataxis.methods.flaky_tests import unit as units
from parataxis.methods.flaky_tests.flapy import read_passed_failed, read_tests_overview
from parataxis.methods.flaky_tests.journal import Entry, Journal
from parataxis.methods.flaky_tests.many import Tally, hunt_many
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.projects import Project, Unit, read_projects
from parataxis.methods.flaky_tests.stages import Failed, Stages
from parataxis.methods.flaky_tests.unit import Found, run_unit

POLLUTED = "STATE = []\ndef test_reads(): assert not STATE\ndef test_writes(): STATE.append(1)\n"
CLEAN = "def test_one(): pass\n"


@pytest.fixture(autouse=True)
def _own_places(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "HUNT", SMALL + stages.HUNT)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()


@pytest.fixture
def project(tmp_path):
    """`project("name", "text of test_it.py", **columns)`: a project in a folder, by default without environment."""

    def project(name, text=CLEAN, **columns):
        folder = tmp_path / "projects" / name
        folder.mkdir(parents=True)
        (folder / "test_it.py").write_text(text)
        return Project(name, **{"path": str(folder), "install": "-", **columns})

    return project


@pytest.fixture
def asked(tmp_path):
    return lambda project, **settings: Unit(project, tmp_path / "out", **settings)


@pytest.fixture
def no_hunt(monkeypatch):
    """Records which stages are run, in place of running them; `fails` holds the reasons with which they fail."""
    fails, ran = {}, []

    def run(self, resume):
        ran.append((self.project.name, resume))
        reasons = fails.get(self.project.name, [])
        if reasons and (reason := reasons.pop(0)):
            raise reason
        raise Failed("hunt: nothing", limited=True)

    monkeypatch.setattr(Stages, "run", run)
    return fails, ran


def test_a_project_that_breaks_at_any_stage_stops_no_other(tmp_path, sdist, project, monkeypatch):
    monkeypatch.setattr(units, "TRIES", 1)
    (listed := tmp_path / "absent.csv").write_text("name,path\nabsent,nowhere\n")
    projects = [
        replace(sdist, name="altered", sha256="0" * 64),
        Project("gone", url=str(tmp_path / "no.git"), sha="0" * 40, install="-"),
        project("unbuilt", install="--no-index --no-deps not-to-be-found"),
        project("broken", "import not_to_be_found\n"),
        *read_projects(listed),
    ]
    told = []
    found = hunt_many(projects, tmp_path / "out", watch=told.append)
    assert told == found.found
    for each, reason in zip(
        found.found,
        (
            "fetch: packed-1.tar.gz has sha256 ",
            "fetch: fatal: ",
            "build: ERROR: No matching distribution found for not-to-be-found",
            "hunt: error: ",
            f"path={tmp_path / 'nowhere'}: there is no such file or folder",
        ),
        strict=True,
    ):
        assert each.reason.startswith(reason)
        assert "\n" not in each.reason
    lines = str(found).splitlines()
    assert lines[0] == "5 projects: 0 of 0 tests are flaky (0 OD, 0 NOD, 0 infra); 5 could not be measured"
    assert lines[3].split()[:5] == ["altered", "-", "-", "-", "-"]
    assert list((tmp_path / "tmp").glob("parataxis-*/*")) == []
    again = []
    monkeypatch.setattr(Stages, "run", lambda self, resume: again.append(self.project.name))
    hunt_many(projects[:1], tmp_path / "out")
    assert again == ["altered"], "what failed is tried again by the next call"


@pytest.fixture
def sdist(tmp_path):
    (tmp_path / "packed-1").mkdir()
    (tmp_path / "packed-1" / "test_it.py").write_text(POLLUTED + "def test_other(): pass\n")
    path = Path(shutil.make_archive(str(tmp_path / "packed-1"), "gztar", tmp_path, "packed-1"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Project("packed", path=str(path), install="-", sha256=digest, test_args="-k 'not other'")


def test_an_environment_is_built_once_and_has_what_the_row_says(tmp_path, project, asked):
    """A wheel that is called pytest leads to ours, so that nothing is fetched; `--rebuild` builds in each session."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels, "pytest", "9", {"ours.pth": sysconfig.get_path("purelib") + "\n"})
    _wheel(wheels, "needed", "1", {"needed.py": ""})
    text = "import sys, needed\ndef test_where(): assert sys.prefix == sys.argv\n"
    row = project("built", text, install=f"--no-index --find-links {wheels} needed")
    settings = {"folder": tmp_path / "out", "work": tmp_path / "work", "until": time.monotonic() + 60}
    settings["folder"].mkdir()
    built = Stages(asked(row, rebuild=True), **settings)
    built._fetch()
    built._build()
    tmp = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    script = tmp_path / "where.py"
    script.write_text(
        "import importlib.util, needed, sys; assert importlib.util.find_spec('pytest'); print(sys.prefix)"
    )

    def prefix(*words):
        command = [built._python(), *words]
        return subprocess.check_output(command, env=tmp, text=True, stderr=subprocess.DEVNULL).strip()

    assert prefix(script).startswith(str(tmp_path / "tmp" / "environment-"))
    assert prefix("-c", script.read_text()) == str(built.environment), "what only asks builds nothing"


def _wheel(folder, name, version, files):
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def test_a_killed_study_goes_on_where_it_was(tmp_path, sdist):
    """Killed (SIGKILL) between two orders: no process is left, no order is run twice.

    A limit that leaves no time for more gives what was found until then, and the next call goes on.
    """
    out = tmp_path / "out"
    status, said, _ = in_child(killed_study, sdist, str(out), stages.HUNT, 2, cwd=tmp_path)
    assert status == -signal.SIGKILL
    (pids,) = json.loads(said)
    assert len(pids) > 2
    assert gone(pids)
    (record,) = out.glob("*/hunt/hunt.jsonl")
    before = record.read_bytes().rpartition(b"\n")[0]
    (found,) = hunt_many([sdist], out, limit=0.1).found
    assert (found.tests, found.limited, found.reason) == (2, True, "hunt: the limit of 0.1 s was reached")
    assert found.orders == before.count(b"\n")

    (_, found) = hunt_many([replace(sdist, name="altered", sha256="0" * 64), sdist], out).found
    assert record.read_bytes().startswith(before)
    rows = map(json.loads, record.read_text().splitlines()[1:])
    names = [(row["iteration"], row["kind"], row["index"]) for row in rows]
    assert len(names) == len(set(names)) > before.count(b"\n"), "the killed study's hunt did not go on by itself"
    assert (found.tests, found.order_dependent, found.reason) == (2, 1, "")
    assert (found.victims, found.brittles, found.explained) == (1, 0, True)
    _written(out, found)
    again = hunt_many([sdist], out)
    assert again.found == [found], "what is done is not done again"
    assert again.exit_status == 1


def _written(out, found):
    with open(out / "study.csv", newline="") as stream:
        assert [(row["project"], row["tests"], row["victims"]) for row in csv.DictReader(stream)] == [
            ("altered", "0", "0"),
            ("packed", "2", "1"),
        ]
    assert {row["Project_Name"] for row in read_passed_failed(out / "passed_failed.csv")} == {"packed"}
    overview = {row["Test_nodeid"]: row["flaky?"] for row in read_tests_overview(out / "tests_overview.csv")}
    assert overview == {"test_it.py::test_reads": "order-dependent", "test_it.py::test_writes": "not flaky"}
    hunt = out / found.folder / "hunt"
    assert "<h1>packed: 1 of 2" in (hunt / "report.html").read_text()
    (diagnosis,) = json.loads((hunt / "report.json").read_text())["diagnoses"]
    assert [chain["tests"] for chain in diagnosis["chains"]] == [["test_it.py::test_writes"]]
    assert "polluter: test_it.py::test_writes" in (hunt / "report.md").read_text()


def test_a_stage_whose_worker_has_died_before_it_began_ends():
    """Killed between the fork and the call that ties the two: the kernel then has no end of a parent to tell of."""
    words = [sys.executable, "-c", "print('goes on')"]
    for parent, said in ((os.getpid(), "goes on\n"), (0, "")):
        tied = partial(stages._end_with, parent)
        assert subprocess.run(words, preexec_fn=tied, capture_output=True, text=True, check=False).stdout == said


def test_a_failure_is_tried_once_more_and_then_told(no_hunt, project, asked):
    fails, ran = no_hunt
    fails["twice"] = [Failed("fetch: no network"), Failed("fetch: still none")]
    assert run_unit(asked(project("twice"))).reason == "fetch: still none"
    assert ran == [("twice", True), ("twice", False)], "the second time, the hunt begins anew"
    fails["odd"] = [OSError(28, "No space left"), OSError(28, "No space left")]
    assert run_unit(asked(project("odd"))).reason == "OSError: [Errno 28] No space left"
    assert run_unit(asked(Project("absent", path="/not/there"))).reason.startswith("path=/not/there: there is no such")


def test_the_limit_is_told_and_a_higher_one_goes_on(no_hunt, project, asked):
    _, ran = no_hunt
    row = asked(project("slow"), limit=5.0)
    assert run_unit(row).reason == "hunt: nothing"
    assert len(ran) == 1, "what was stopped by its limit is not tried again"
    run_unit(row)
    run_unit(replace(row, limit=4.0))
    assert len(ran) == 1
    run_unit(replace(row, limit=6.0))
    assert len(ran) == 2


@pytest.fixture
def recorded_hunt(monkeypatch):
    """A hunt that is recorded in place of being run, in which one of two tests depends on the order."""
    ran = []

    def run(self, resume):
        ran.append(self.project.name)
        with Journal(self.folder / "hunt", resume=False) as journal:
            journal.begin(replace(HEAD, ids=["test_it.py::test_reads", "test_it.py::test_writes"]))
            journal.add(Entry(Run(0, "same", 0, (0, 1), "..", 0.1)))
            journal.add(Entry(Run(0, "reverse", 0, (1, 0), "F.", 0.1)))
        return ""

    monkeypatch.setattr(Stages, "run", run)
    return ran


def test_an_explanation_that_fails_or_takes_too_long_leaves_the_hunt(recorded_hunt, project, asked, monkeypatch):
    row = asked(project("hard"))
    monkeypatch.setattr(stages, "EXPLAIN", "raise SystemExit('error: no luck')")
    failed = run_unit(row)
    assert (failed.tests, failed.order_dependent, failed.explained, failed.limited) == (2, 1, False, False)
    assert failed.reason == "explain: error: no luck"
    assert "1 of 2 tests" in (row.folder() / "hunt" / "report.md").read_text()

    monkeypatch.setattr(stages, "EXPLAIN", "import time; time.sleep(100)")
    late = run_unit(replace(row, limit=0.5))
    assert (late.order_dependent, late.limited, late.reason) == (1, True, "explain: the limit of 0.5 s was reached")
    assert run_unit(replace(row, limit=0.5)) == late
    assert len(recorded_hunt) == 2, "what was stopped by its limit is not tried again"

    monkeypatch.setattr(stages, "EXPLAIN", "pass")
    assert run_unit(row).explained
    assert len(recorded_hunt) == 3


def test_a_hunt_without_explanation_can_be_explained_later(recorded_hunt, project, asked, monkeypatch):
    monkeypatch.setattr(stages, "EXPLAIN", "raise SystemExit('error: not asked for')")
    row = asked(project("plain"), explain=False)
    assert (run_unit(row).explained, run_unit(row).reason) == (False, "")
    assert len(recorded_hunt) == 1, "nothing is missing"
    monkeypatch.setattr(stages, "EXPLAIN", "pass")
    assert run_unit(replace(row, explain=True)).explained
    assert run_unit(row).explained
    assert len(recorded_hunt) == 2, "what is known is not forgotten"


def test_a_unit_is_named_by_what_is_asked(project, asked):
    row = project("one")
    names = [asked(row).folder().name, asked(row, seed=1).folder().name, asked(row, protocol="paper").folder().name]
    names.append(asked(replace(row, test_args="-x")).folder().name)
    assert asked(row, limit=7.0).folder().name == names[0]
    (asked(row).out.parent / "projects" / "one" / "test_it.py").write_text(POLLUTED)
    names.append(asked(row).folder().name)
    assert len(set(names)) == len(names)


def test_flapys_list_and_real_projects_map_to_the_columns(tmp_path):
    file = tmp_path / "projects.csv"
    file.write_text(f"Project_Name,Project_URL,Project_Hash\naaargh,https://github.com/wbolster/aaargh,{'f' * 40}\n")
    assert read_projects(file) == [Project("aaargh", url="https://github.com/wbolster/aaargh", sha="f" * 40)]
    file.write_text('pypi,version,sha256,install,test_args\nlogzero,1.5.0,ab,. mock,"-o addopts= tests"\n')
    wanted = Project("logzero", version="1.5.0", sha256="ab", install=". mock", test_args="-o addopts= tests")
    assert read_projects(file) == [wanted]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: expected a column 'name'"),
        ("name,colour\n", ":1: no column 'colour' is known; there are install, name, path"),
        ("name,version\n", "holds no project"),
        ("name,version\na,1\nb\n", ":3: expected as many cells as in line 1"),
        ("name,version\na/b,1\n", ":2: name='a/b': expected letters"),
        ("name,version\na,\n", ":2: a has no source; expected one of"),
        ("name,version,path\na,1,.\n", ":2: a has version and path; expected one of"),
        ("name,url\na,https://x\n", ":2: sha='': expected the commit of https://x"),
        ("name,version,install\na,1,'x\n", ':2: install="\'x": No closing quotation'),
        ("name,version\na,1\na,1\n", ":3: is the same as line 2; drop one"),
    ],
)
def test_a_bad_list_is_refused(tmp_path, text, said):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_projects(tmp_path / "p.csv")
    assert said in str(caught.value)


def test_a_backend_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(
        BadInput, match=r"--backend=dask: needs dask.*, which is not installed; pip install 'parataxis\[dask\]'"
    ):
        hunt_many([Project("a", version="1")], tmp_path / "out", backend="dask")


def test_flapys_tables_are_joined_under_one_head(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for table in ("passed_failed.csv", "tests_overview.csv"):
            (tmp_path / name / table).write_text(f"head\nof {name}\n")
    Tally([Found("a", "a", tests=1), Found("c", "c", reason="no"), Found("b", "b", tests=1)]).write(tmp_path)
    assert (tmp_path / "tests_overview.csv").read_text() == "head\nof a\nof b\n"


def test_projects_are_measured_by_workers_too(tmp_path):
    """With several jobs, each unit in a process of its own; the order of the list is kept."""
    rows = [Project(name, path=str(tmp_path / name)) for name in ("a", "b", "c")]
    found = hunt_many(rows, tmp_path / "out", jobs=2)
    assert [each.project for each in found.found] == ["a", "b", "c"]
    assert [each.reason for each in found.found] == [
        f"path={each.path}: there is no such file or folder" for each in rows
    ]
    assert found.exit_status == 0
