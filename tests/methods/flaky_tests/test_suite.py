import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.suite import Suite, check_python, find_suite


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project" / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").write_text("")
    (tmp_path / "project" / "tests" / "test_a.py").write_text("def test_one(): pass\n")
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("paths", "arguments"),
    [
        (["."], ()),
        (["tests"], ("tests",)),
        (["tests/deep"], ("tests/deep",)),
        (["tests/test_a.py"], ("tests/test_a.py",)),
        (["tests/test_a.py::test_one"], ("tests/test_a.py::test_one",)),
        (["tests/test_a.py::test_one[a/b::c]", "tests"], ("tests/test_a.py::test_one[a/b::c]", "tests")),
    ],
)
def test_the_root_is_the_nearest_folder_with_a_configuration(project, paths, arguments):
    suite = find_suite([project / path for path in paths], ("-x",))
    assert suite.root == project
    assert suite.arguments == (*arguments, "-x")


@pytest.mark.parametrize("name", ["pytest.ini", "tox.ini", "setup.cfg", "setup.py"])
def test_every_configuration_counts(project, name):
    (project / "tests" / name).write_text("")
    assert find_suite([project / "tests" / "deep"]).root == project / "tests"


@pytest.mark.parametrize("path", ["absent", "tests/absent.py::test_one"])
def test_a_path_that_is_not_there_is_named(project, path):
    with pytest.raises(BadInput, match=f"PATH=.*{path}: there is no such file or folder"):
        find_suite([project / path])


def test_the_interpreter_is_the_projects_own(project):
    assert find_suite([project]).python == Path(sys.executable)
    own = project / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    assert find_suite([project]).python == own  # not what it links to: that would be another environment
    assert find_suite([project], python=Path(sys.executable)).python == Path(sys.executable)


@pytest.mark.parametrize("python", ["/absent/python", "/"])
def test_what_is_no_interpreter_is_refused(project, python):
    with pytest.raises(BadInput, match=f"--python {python}: not an interpreter"):
        find_suite([project], python=Path(python))


def test_an_interpreter_that_does_not_start_is_refused(project):
    broken = project / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(BadInput, match="it does not start"):
        check_python(find_suite([project], python=broken))
    check_python(find_suite([project]))


def test_options_are_the_arguments_that_ask_for_no_tests(project):
    options = ("-x", "-k", "tests", "-p", "tests", "--maxfail=3", "-o", "console_output_style=classic")
    suite = find_suite([project / "tests", project / "tests" / "test_a.py::test_one"], options)
    assert suite.options() == options


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("--cov src", "--cov src"),
        ("--junitxml x.xml -x", "--junitxml x.xml -x"),
        ("--ignore tests/test_a.py", "--ignore tests/test_a.py"),
        ("-o addopts= tests", "-o addopts="),
        ("-qx tests", "-qx"),
        ("-n2 tests/test_a.py::test_one --cov=src tests", "-n2 --cov=src"),
        ("--strict-markers tests --cov src tests", "--strict-markers --cov src"),
        ("tests -k src src -xk src", "-k src -xk src"),
    ],
)
def test_an_option_keeps_its_value_though_it_is_a_path(project, words, kept):
    (project / "src").mkdir()
    (project / "x.xml").touch()
    assert find_suite([project / "tests"], tuple(words.split())).options() == tuple(kept.split())
    assert find_suite([project], tuple(words.split())).options() == tuple(kept.split())


def test_no_option_of_the_users_takes_a_test_for_its_value(project):
    """Options of a plugin, one of which may stand without its value, as `--cov` of pytest-cov."""
    (project / "src").mkdir()
    (project / "x.xml").touch()
    (project / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--measured', nargs='?', const='all')\n"
        "def pytest_report_header(config): return f'measured: {config.option.measured}'\n"
    )
    (project / "tests" / "test_b.py").write_text("def test_two(): pass\n")
    for given, measured in (("--measured", "all"), ("--junitxml x.xml --measured src", "src")):
        suite = find_suite([project / "tests"], (*given.split(),))
        for command, passed in (
            (suite.command("tests/test_b.py::test_two", "tests/test_a.py::test_one"), "2 passed"),
            (suite.command_twice("tests/test_a.py::test_one"), "2 passed"),
        ):
            done = subprocess.run(command, shell=True, cwd=suite.root, capture_output=True, text=True, check=False)
            assert f"measured: {measured}\n" in done.stdout, done.stderr
            assert passed in done.stdout


def test_the_command_runs(project):
    suite = find_suite([project / "tests"], ("-q",))
    command = suite.command("tests/test_a.py::test_one")
    done = subprocess.run(command, shell=True, cwd=suite.root, capture_output=True, text=True, check=True)
    assert "1 passed" in done.stdout


def test_the_command_names_the_interpreter_unless_python_is_it(project, monkeypatch):
    """Two environments whose pythons link to the same file are two."""
    for name in ("one", "other"):
        (project / name / "bin").mkdir(parents=True)
        (project / name / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", f"{project / 'one' / 'bin'}:{os.environ['PATH']}")
    assert shutil.which("python") == str(project / "one" / "bin" / "python")
    ours = Suite(project, (), project / "one" / "bin" / "python")
    theirs = Suite(project, (), project / "other" / "bin" / "python")
    assert ours.command().startswith("python -m pytest")
    assert theirs.command().startswith(f"{project}/other/bin/python -m pytest")
