"""The suites of flaky_peers.py and the environments that its peers run in, from pinned versions, by pip.

A project's folder holds `suite`, its sources with an environment of its own in `.venv`, and `old`, the environment of
ipflakies, which pins pytest 6.2.5. What is there is used again.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parataxis import data
from parataxis.methods.flaky_tests.projects import Project
from parataxis.methods.flaky_tests.study_inputs import Listed, read_listed
from parataxis.studies.registry import methods

REAL = "real-projects.json"  # in the data folder
MADE = Path(__file__).parent.parent / "tests" / "methods" / "flaky_tests" / "suites" / "many_cleaners"
PEERS = (
    "pytest==9.2.0",
    "detect-test-pollution==1.2.0",
    "pytest-random-order==1.2.0",
    "pytest-find-dependencies==0.6.0",
)
OLD = ("ipflakies==1.1.1",)
OPTIONS = {"arrow": ("pytest-cov==7.1.0",)}  # projects with options of their own in addopts, and what these need


@dataclass(frozen=True)
class Place:
    """A project that is set up.

    root: its sources; tests: the path in them that pytest is given; known: for each order-dependent test that it is
    known to have, the polluters or state-setters each of which suffices; python: of its environment; old: of that of
    ipflakies; options: whether it has some of its own in addopts.
    """

    name: str
    root: Path
    tests: str
    known: dict[str, frozenset[str]]
    python: Path
    old: Path
    options: bool


def listed() -> list[Listed]:
    """A made suite of 41 tests, then the real ones, the largest last."""
    victims = {
        f"test_many.py::test_victim[{n}]": ("victim", frozenset({"test_many.py::test_pollute"})) for n in range(12)
    }
    made = Listed(Project("made", path=str(MADE), test_args="-o addopts= ."), victims)
    return [made, *reversed(read_listed(data.find(methods()["flaky-tests"].paper, REAL)))]


def set_up(each: Listed, folder: Path) -> Place:
    project, here = each.project, folder / each.project.name
    here.mkdir(parents=True, exist_ok=True)
    root, environment, old = here / "suite", here / "suite" / ".venv", here / "old"
    wanted = shlex.split(project.install)
    _once(root, lambda: _sources(project, here, root))
    _once(environment, lambda: _environment(environment, root, [*wanted, *PEERS, *OPTIONS.get(project.name, ())]))
    _once(old, lambda: _environment(old, root, [*wanted, *OLD]))
    *options, tests = shlex.split(project.test_args)
    assert options == ["-o", "addopts="]
    known = {test: culprits for test, (_, culprits) in each.tests.items()}
    place = Place(
        project.name,
        root,
        tests,
        known,
        environment / "bin" / "python",
        old / "bin" / "python",
        project.name in OPTIONS,
    )
    _call([str(place.python), "-m", "pytest", "-q", tests], root, (0, 1))  # bytecode is cached from here on
    return place


def _once(folder: Path, make: Callable[[], None]) -> None:
    """Make a folder, unless it is there as a whole."""
    done = folder.parent / f"{folder.name}.done"
    if not done.exists():
        print(f"# {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        make()
        done.touch()


def _sources(project: Project, here: Path, root: Path) -> None:
    if project.path:
        shutil.copytree(project.path, root, ignore=shutil.ignore_patterns("__pycache__"))
        return
    wanted = [f"{project.name}=={project.version}", "--no-deps", "--no-binary", project.name]
    _call([sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(here), *wanted], here)
    (sdist,) = here.glob("*.tar.gz")
    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    assert found == project.sha256, f"{sdist}: has sha256 {found}, expected {project.sha256}"
    shutil.unpack_archive(sdist, here, filter="data")
    (here / sdist.name.removesuffix(".tar.gz")).rename(root)


def _environment(environment: Path, root: Path, wanted: list[str]) -> None:
    _call([sys.executable, "-m", "venv", str(environment)], root)
    python = environment / "bin" / "python"
    _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], root)


def _call(command: list[str], cwd: Path, allowed: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode in allowed, f"{command}\n{done.stdout}{done.stderr}"


def alike_for_all() -> None:
    """Set in this process, whence every tool has it: bytecode is cached, as it is for a user; addopts are empty."""
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        os.environ.pop(name, None)
    os.environ["PYTEST_ADDOPTS"] = "-o addopts="
