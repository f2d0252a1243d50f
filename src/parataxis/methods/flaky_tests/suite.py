"""The suite under test: where it lives, which interpreter runs it, and what it is called."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from parataxis.errors import BadInput

CONFIGURATION = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py", ".git")
ENVIRONMENTS = (".venv", "venv")
# Words that leave none of pytest's options open: a path behind one asks for tests. Behind any other option it may be a
# value, for which options a suite's plugins add is not known.
CLOSED = re.compile(
    r"(?!-).*|--.+=.*|-[hlqsvxV]+|-[cknmoprW].+|--(exitfirst|verbose|quiet|showlocals|strict|strict-config|strict-markers"
    r"|pyargs|noconftest|runxfail|doctest-modules|keep-duplicates|full-trace|disable-warnings|no-header|no-summary|no-cov)",
    re.DOTALL,
)
QUIET = ("-p", "no:randomly", "-p", "no:random_order", "-p", "no:cacheprovider")  # for commands that prove something
# One session in which each test stands twice, so that fixtures of modules, classes and the session live on.
TWICE = (
    "import copy, pytest, sys; "
    'again = lambda item: (two := copy.copy(item), getattr(two, "_initrequest", int)())[0]; '
    'hook = {"pytest_collection_modifyitems": lambda self, items: items.extend(list(map(again, items)))}; '
    'sys.exit(pytest.main(sys.argv[1:], [type("Twice", (), hook)()]))'
)


@dataclass(frozen=True)
class Suite:
    """A pytest suite.

    root: the folder in which pytest is started; arguments: what stands on pytest's command line, paths and options;
    python: the interpreter of the suite's own environment; parallel: whether its pytest runs tests in several
    processes, which what proves something must not.
    """

    root: Path
    arguments: tuple[str, ...]
    python: Path
    parallel: bool = False

    def command(self, *ids: str) -> str:
        """A line for the shell that runs the given tests, in that order, as a stranger would."""
        return join([self._python_word(), "-m", "pytest", *self._proving(), *ids])

    def command_twice(self, nodeid: str) -> str:
        """A line for the shell that runs a test twice in one session; its exit status is 1 if it fails once."""
        return join([self._python_word(), "-c", TWICE, *self._proving(), nodeid])

    def _proving(self) -> tuple[str, ...]:
        """Ours come last: an option that ends the user's, `--cov` say, would take a node id for its value."""
        return (*self.options(), *QUIET, *(("-n", "0") if self.parallel else ()))

    def options(self) -> tuple[str, ...]:
        """The arguments without the paths that ask for tests, wherever among the options they stand."""
        pairs = zip(("", *self.arguments), self.arguments, strict=False)
        return tuple(word for before, word in pairs if not (CLOSED.fullmatch(before) and self._is_path(word)))

    def _is_path(self, word: str) -> bool:
        return not word.startswith("-") and (self.root / word.split("::")[0]).exists()

    def _python_word(self) -> str:
        found = shutil.which("python")  # an environment's python is a link, often to one that others link to as well
        same = found is not None and Path(found).parent.resolve() == self.python.parent.resolve()
        return "python" if same else str(self.python)


def find_suite(paths: list[Path], options: tuple[str, ...] = (), python: Path | None = None) -> Suite:
    """The suite that `paths` (folders, files or node ids) belong to.

    Its root is the nearest folder above the first path that holds pytest's or Python's project configuration, as pytest
    itself finds it; a path that is the root needs no mention on the command line. The interpreter is `python`, else
    that of a `.venv` or `venv` in the root, else the one that runs us.
    """
    for path in paths:
        if not Path(str(path).split("::")[0]).exists():
            raise BadInput(f"PATH={path}: there is no such file or folder")
    first = Path(str(paths[0]).split("::")[0]).resolve()
    root = _project_root(first)
    arguments = [_relative(path, root) for path in paths if Path(path).resolve() != root]
    return Suite(root, (*arguments, *options), _interpreter(root, python))


def _project_root(path: Path) -> Path:
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        if any((candidate / name).exists() for name in CONFIGURATION):
            return candidate
    return folder


def _relative(path: Path, root: Path) -> str:
    file, separator, test = str(path).partition("::")
    return os.path.relpath(Path(file).resolve(), root) + separator + test


def _interpreter(root: Path, python: Path | None) -> Path:
    if python is not None:
        if not os.access(python, os.X_OK) or python.is_dir():
            raise BadInput(f"--python {python}: not an interpreter; name the python of the suite's own environment")
        return Path(os.path.abspath(python))
    for name in ENVIRONMENTS:
        inside = root / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if inside.exists():
            return inside
    return Path(sys.executable)


def check_python(suite: Suite) -> None:
    """Refuse an interpreter that can't start, before a hunt waits for it."""
    try:
        subprocess.run([suite.python, "-c", ""], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(f"--python {suite.python}: it does not start ({error})") from None
