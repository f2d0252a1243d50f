import sys
from dataclasses import replace

import pytest

from parataxis.backends import LIBRARIES
from parataxis.errors import BadInput
from parataxis.studies import runner
from parataxis.studies.registry import methods
from parataxis.studies.runner import Task, code_hash, measure, measure_all
from parataxis.studies.store import Store
from planted import NUMBERS, plant

IDS = ["gap", "spread", "any-order", "own-score", "running-mean"]


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in [name for name, module in sys.modules.items() if _is_below(module, tmp_path)]:
        del sys.modules[name]


def _is_below(module, folder):
    return str(getattr(module, "__file__", None)).startswith(str(folder))


@pytest.fixture
def make(tmp_path):
    """Makes a task for a planted method with defects."""

    def make(*defects, name="planted-gap", **more):
        folder = plant(tmp_path / name, *defects, name=name)
        return Task(methods([folder])[name], "toy", 0, tmp_path / "runs.sqlite", **more)

    return make


def run_of(task):
    identity = measure(task)
    with Store(task.store) as store:
        return store.run(identity)


def test_a_study_is_measured_and_kept(make):
    task = make()
    run = run_of(task)
    assert run.finished
    assert run.error == ""
    assert [row.measurement.id for row in run.rows] == IDS
    assert [row.claim_version for row in run.rows] == [1, 2, 0, 0, 0]
    assert all(row.measurement.seconds > 0 for row in run.rows)
    assert run.row("gap").measurement.unit == "points"  # the claim's
    assert [figure.name for figure in run.figures] == ["line"]
    assert [table.name for table in run.tables] == ["numbers"]
    assert run.code == code_hash(task.method)
    assert [each.name for each in task.store.parent.iterdir() if "work" in each.name] == []


def test_a_finished_run_is_not_measured_again_unless_fresh(make):
    task = make()
    first = run_of(task)
    told = []
    assert measure(task, told.append) == first.id
    assert told == []
    assert measure(replace(task, fresh=True), told.append) != first.id
    assert len(told) == 7


SECRET = """
[[data]]
file = "secret.csv"
what = "what nobody may have"
real = true
url = ""
sha256 = ""
licence = "none"
packed = ""
"""
NEEDY = [
    ("paper.toml", 'id = "spread"', 'id = "spread"\nneeds = ["secret.csv"]'),
    ("paper.toml", "[[data]]", f"{SECRET}\n[[data]]"),
    (
        "study.py",
        '    yield Measurement("spread"',
        '    if not ctx.done("spread"):\n        yield Measurement("spread"',
    ),
]


def test_a_claim_whose_file_can_not_be_had_is_left_out_until_it_is_there(make, tmp_path, monkeypatch):
    """The others are decided, and that run goes on once the file is there."""
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    task = replace(make(*NEEDY), scale="quick")
    (tmp_path / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    (first,) = measure_all([task.method], "quick", 0, task.store, backend="threading")
    assert first.finished
    assert [row.measurement.id for row in first.rows] == [each for each in IDS if each != "spread"]
    told = []
    assert measure(task, told.append) == first.id
    assert told == []
    (tmp_path / "planted-gap" / "secret.csv").touch()
    (tmp_path / "planted-gap" / "numbers.txt").write_text("spoiled")
    (failed,) = measure_all([task.method], "quick", 0, task.store, backend="threading")
    assert (failed.id, failed.finished, len(failed.rows)) == (first.id, "", len(first.rows))
    assert "numbers.txt: sha256=" in failed.error
    (tmp_path / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    (again,) = measure_all([task.method], "quick", 0, task.store, backend="threading")
    assert (again.id, {row.measurement.id for row in again.rows}) == (first.id, set(IDS))
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "nowhere"))
    toy = run_of(replace(task, scale="toy"))  # reads no file, so that it lacks none
    assert [row.measurement.id for row in toy.rows] == IDS


def test_a_claim_is_left_to_the_scale_that_can_measure_it(make, tmp_path, monkeypatch):
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path))
    task = make(("paper.toml", 'id = "spread"', 'id = "spread"\nleast = "full"'), NEEDY[-1])
    (tmp_path / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    told = {}
    for scale in ("toy", "quick", "full"):
        (run,) = measure_all([task.method], scale, 0, task.store, backend="threading")
        told[scale] = [row.measurement.id for row in run.rows]
        assert run.finished, run.error
    assert told == {"toy": IDS, "quick": [each for each in IDS if each != "spread"], "full": IDS}


def test_data_files_are_kept_with_each_row(make, tmp_path, monkeypatch):
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path))
    (tmp_path / "planted-gap").mkdir(exist_ok=True)
    (tmp_path / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    task = replace(make(), scale="quick")
    run = run_of(task)
    sha = task.method.paper.data[0].sha256
    assert [row.files for row in run.rows] == [{"numbers.txt": sha}] * 5
    assert run.row("gap").measurement.value == pytest.approx(0.995)  # the mean of 0.80, 0.81, ..., 1.19


FAILURES = [
    ('Measurement("spread", spread, low', 'Measurement("gap", spread, low', "AssertionError: study yields 'gap' twice"),
    (
        'Measurement("spread", spread, low',
        'Measurement("more", spread, low',
        "AssertionError: study yields 'more', which",
    ),
    (
        'yield Measurement("spread"',
        'Measurement("spread"',
        "AssertionError: study ends without spread, which paper.toml",
    ),
    ("    spread = float", "    raise ValueError('no luck\\nat all')\n    spread = float", "ValueError: no luck"),
    ("    spread = float", "    raise KeyboardInterrupt\n    spread = float", None),
    ("    spread = float", "    assert False\n    spread = float", "AssertionError"),
    (
        "    spread = float",
        "    ctx.data('else.txt')\n    spread = float",
        "planted-gap: data file 'else.txt' is not in",
    ),
    (
        "import numpy as np",
        "import numpy as np\nimport absent_library",
        "ModuleNotFoundError: No module named 'absent_lib",
    ),
]


@pytest.mark.parametrize(("old", "new", "line"), FAILURES)
def test_a_failure_is_kept_as_one_line_with_what_came_before_it(make, old, new, line):
    task = make(("study.py", old, new))
    if line is None:
        with pytest.raises(KeyboardInterrupt):  # a person's wish, no failure of the study
            measure(task)
        line = ""
    else:
        measure(task)
    with Store(task.store) as store:
        (run,) = store.runs("planted-gap")
    assert run.error.startswith(line)
    assert "\n" not in run.error
    assert not run.finished
    assert "absent" in line or run.row("gap")


def test_a_run_that_failed_goes_on_where_it_stopped(make, tmp_path):
    trap = """
    if not (ctx.work / 'sprung').exists():
        (ctx.work / 'sprung').touch()
        raise OSError('full')
    spread = float"""
    task = make(("study.py", "    spread = float", trap))
    first = run_of(task)
    assert first.error == "OSError: full"
    assert [row.measurement.id for row in first.rows] == ["gap"]
    told = []
    assert measure(task, told.append) == first.id
    assert [each.id for each in told if hasattr(each, "id")] == IDS[1:]
    whole = run_of(replace(task, fresh=True, store=tmp_path / "other" / "runs.sqlite"))
    assert whole.error == "OSError: full"  # a new run has a work folder of its own


def test_what_another_code_left_in_the_work_folder_is_not_gone_on_from(make):
    """Though the store was removed, and the numbers of its runs are given out again."""
    lines = {"planted-gap": "(ctx.work / 'old').touch()", "planted-other": "assert not (ctx.work / 'old').exists()"}
    for name, line in lines.items():
        trap = ("study.py", "def study(ctx):", f"def study(ctx):\n    {line}\n    raise OSError('full')")
        task = make(trap, name=name)
        assert run_of(task).error == "OSError: full"
        task.store.unlink()


def test_a_study_may_skip_what_is_done(make):
    skipping = 'if not ctx.done("gap"):\n        yield Measurement("gap"'
    trap = "    if not ctx.done('gap'):\n        raise OSError('full')\n    spread = float"
    task = make(("study.py", 'yield Measurement("gap"', skipping), ("study.py", "    spread = float", trap))
    assert run_of(task).error == "OSError: full"
    run = run_of(task)
    assert run.finished
    assert [row.measurement.id for row in run.rows] == IDS


def test_changed_code_or_claims_begin_another_run(make):
    task = make()
    first = run_of(task)
    for file in ("gap.py", "paper.toml"):
        path = task.method.folder / file
        path.write_text(path.read_text() + "\n# changed\n")
        changed = run_of(task)
        assert changed.id > first.id
        assert changed.code != first.code
        first = changed
    (task.method.folder / "notes.txt").write_text("no code")
    assert run_of(task).id == first.id


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_methods_side_by_side_and_one_after_the_other_agree(make, tmp_path, backend):
    chosen = [make(name=f"{backend}-{name}").method for name in "abc"]
    both = [measure_all(chosen, "toy", 0, tmp_path / f"{jobs}.sqlite", jobs=jobs, backend=backend) for jobs in (1, 2)]
    for runs in both:
        assert [run.method for run in runs] == [method.name for method in chosen]
        assert all(run.finished for run in runs)
    numbers = [[[row.measurement.value for row in run.rows] for run in runs] for runs in both]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_method_that_fails_or_dies_stops_no_other(make, tmp_path, jobs):
    raising = ("study.py", "    spread = float", "    raise ValueError('no luck')\n    spread = float")
    dying = ("study.py", "    spread = float", "    import os; os.kill(os.getpid(), 11)\n    spread = float")
    chosen = [
        make(raising, name=f"raising-{jobs}").method,
        make(dying, name=f"dying-{jobs}").method,
        make(name=f"sound-{jobs}").method,
    ]
    runs = measure_all(chosen, "toy", 0, tmp_path / "runs.sqlite", jobs=jobs)
    assert [run.error for run in runs] == ["ValueError: no luck", "its process died: a crash, or out of memory", ""]
    assert [bool(run.finished) for run in runs] == [False, False, True]
    assert [len(run.rows) for run in runs] == [1, 1, 5]


def test_programs_that_a_study_starts_hear_ctrl_c(make, tmp_path):
    listening = """
    import subprocess, sys
    code = "import signal; print(signal.getsignal(2) is signal.default_int_handler, signal.pthread_sigmask(0, ()))"
    heard = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert heard == "True set()\\n", heard
    spread = float"""
    method = make(("study.py", "    spread = float", listening), name="listening").method
    assert measure_all([method], "toy", 0, tmp_path / "runs.sqlite")[0].error == ""


@pytest.mark.parametrize(("backend", "remedy"), [("ray", r"pip install 'parataxis\[ray\]'"), ("dask", "pip install")])
def test_a_missing_backend_is_told_with_its_remedy(make, tmp_path, backend, remedy, monkeypatch):
    for name in (backend, LIBRARIES[backend]):  # which a test before may have imported
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=rf"--backend={backend}: needs {backend}.*, which is not installed; {remedy}"):
        measure_all([make().method], "toy", 0, tmp_path / "runs.sqlite", backend=backend)


def test_code_that_no_number_comes_from_is_not_hashed(make, tmp_path, monkeypatch):
    package = tmp_path / "parataxis"
    files = [
        "claims.py",
        "audit/orders.py",
        "audit/covering3.txt",
        "studies/context.py",
        "studies/report.py",
        "cli/x.py",
    ]
    for file in files:
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_text("before")
    monkeypatch.setattr(runner, "PACKAGE", package)
    method, changes = make().method, {}
    for file in files:
        before = code_hash(method)
        (package / file).write_text("after")
        changes[file] = code_hash(method) != before
    assert changes == dict(zip(files, [True, True, True, True, False, False], strict=True))


def test_what_is_finished_starts_no_worker(make, tmp_path, monkeypatch):
    method, path = make(name="finished-once").method, tmp_path / "runs.sqlite"
    first = measure_all([method], "toy", 0, path)
    monkeypatch.setattr(runner, "_spread", lambda *_: pytest.fail("a worker was started"))
    assert measure_all([method], "toy", 0, path) == first
