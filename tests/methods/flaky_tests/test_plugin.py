"""`pytest --flaky-hunt` as a user runs it, in processes of their own; no other plugin is loaded, to be quick."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hunts import taken_over, usage_errors

import parataxis_pytest
from nursery import in_child

# A configuration of pytest's rewrites imports from then on, and leaves files open: it is made in other processes.
PLUGIN = ("-p", "parataxis_pytest")
POLLUTED = """
import sys
STATE = []
def test_reads(): assert not STATE
def test_other(): pass
def test_writes(): STATE.append(1)
def test_light(): assert "parataxis" not in sys.modules
"""

SMALL = """
import sys
if "_parataxis_pytest" not in sys.modules:  # not in the hunt's own pytest
    from parataxis.methods.flaky_tests import protocol
    protocol.PROTOCOLS["quick"] = protocol.Protocol("quick", 1, same=1, shuffles=1, tuscan=False, replays=1)
"""


@pytest.fixture
def run(tmp_path):
    """`run(*options)`: pytest in a folder with a suite; warnings are errors there."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_it.py").write_text(POLLUTED)

    def run(*options, cwd=tmp_path, **environment):
        command = [sys.executable, "-m", "pytest", *options]
        env = {**os.environ, "COLUMNS": "80", **environment}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_hunt_takes_the_sessions_own_arguments_and_goes_on(run, tmp_path):
    """addopts of the suite ask for the hunt: the hunt's own pytest reads them too, and must not hunt in turn."""
    (tmp_path / "conftest.py").write_text(SMALL)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --flaky-hunt=quick\n")
    asked = (*PLUGIN, "-k", "not other", "test_it.py", "--flaky-out", "found")
    done = run(*asked)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == " flaky tests ".center(80, "=")
    assert lines[1] == f"{tmp_path.name}: 1 of 3 tests is flaky"
    assert "test_it.py::test_reads" in lines
    assert "    polluter: test_it.py::test_writes" in lines
    assert lines[-1].strip("=") == f" report: {tmp_path / 'found' / 'report.html'} "
    record = tmp_path / "found" / "hunt.jsonl"
    before = record.read_text()
    head = json.loads(before.splitlines()[0])
    assert (head["protocol"], head["interpreter"]) == ("quick", sys.executable)
    again = in_child(taken_over, *asked, "--flaky-hunt", "--flaky-resume", cwd=tmp_path)
    assert again[0] == 0, again
    assert json.loads(again[1].splitlines()[-1]) == 1
    assert record.read_text() == before
    assert not (tmp_path / ".parataxis").exists()


def test_an_ordinary_run_is_untouched(run):
    """The same lines and exit status with and without the plugin, and parataxis itself is not imported."""
    bare, with_plugin = (run(*options, "-q", "-rA") for options in ((), PLUGIN))
    assert with_plugin.returncode == bare.returncode == 0
    assert "4 passed in" in with_plugin.stdout
    assert with_plugin.stdout.rpartition(" in ")[0] == bare.stdout.rpartition(" in ")[0]


@pytest.fixture
def asked(tmp_path):
    """`asked(folder, *options)`: exit status and stderr of what the plugin does with them."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "below" / "aside").mkdir(parents=True)

    def asked(folder, *options):
        _, told, said = in_child(taken_over, *PLUGIN, "--flaky-hunt", *options, cwd=tmp_path / folder)
        return json.loads(told), said

    return asked


def test_what_cannot_be_measured_is_one_line_and_exit_status_2(asked, tmp_path):
    said = f"parataxis: {tmp_path}: pytest collected no tests; name the folder that holds them\n"
    assert asked(".", "--flaky-jobs=2") == (2, said)


def test_options_whose_paths_would_be_lost_are_refused(asked, tmp_path):
    status, said = asked("below", "--ignore=aside")
    assert status == 2
    assert f"--ignore=aside: is a path seen from {tmp_path / 'below'}; start pytest in {tmp_path}, the root" in said


BAD = {
    "--flaky-hunt=slow": "argument --flaky-hunt: 'slow' is no protocol",
    "--flaky-hunt test_it.py": "before a path write one of --flaky-hunt=quick",
    "--flaky-jobs=0": "argument --flaky-jobs: '0': expected a whole number from 1 on",
    "--flaky-seed=-1": "argument --flaky-seed: '-1': expected a whole number from 0 on",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    status, told, said = in_child(
        usage_errors, [[*PLUGIN, *option.split()] for option in BAD], cwd=tmp_path_factory.mktemp("bad")
    )
    assert status == 0, said
    return dict(zip(BAD, json.loads(told), strict=True))


@pytest.mark.parametrize("option", BAD)
def test_bad_options_are_refused_as_pytest_does(refusals, option):
    assert BAD[option] in refusals[option]


@pytest.mark.parametrize(
    ("words", "asked", "rest"),
    [
        ("--flaky-hunt", "", ""),
        ("--flaky-hunt quick a.py", "a.py", ""),
        ("--flaky-hunt=paper a.py::test_x -x", "a.py::test_x", "-x"),
        ("-x --flaky-hunt --flaky-out a.py a.py", "a.py", "-x"),
        ("--flaky-jobs=2 --flaky-seed 3 --flaky-resume a.py --lf", "a.py", "--lf"),
        ("-k a.py a.py -o x=y", "a.py", "-k a.py -o x=y"),
        ("--pyargs absent.py a.py", "a.py", "--pyargs absent.py"),
    ],
)
def test_the_command_line_is_split(tmp_path, words, asked, rest):
    (tmp_path / "a.py").write_text("")
    paths = {word for word in words.split() if word.partition("::")[0] in ("a.py", "absent.py")}
    assert parataxis_pytest.split(words.split(), paths, tmp_path) == (asked.split(), rest.split())


def test_pytest_finds_the_plugin_and_the_wheel_has_it():
    (found,) = importlib.metadata.entry_points(group="pytest11", name="parataxis_pytest")
    assert found.load() is parataxis_pytest
    assert found.name == found.value, "under another name, `-p parataxis_pytest` would register it twice"
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert '"src/parataxis_pytest.py"' in project
