"""One method under the common checks: what it declares, and the processes in which it is tried."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nursery import LONGEST, Done, command, forked, in_child
from parataxis.studies.context import Context
from parataxis.studies.registry import Method, load_study
from parataxis.studies.runner import Task, measure
from parataxis.studies.store import Run, Store

LIBRARIES = {  # seconds of imports: once, not for each process
    "graph": ("torch", "pandas", "scipy.sparse"),
    "therapy": ("numba", "scipy.optimize", "scipy.stats", "pandas", "openpyxl", "matplotlib.figure"),
    "skills": ("torch", "pandas"),
    "dynamics": ("jax", "equinox", "optax", "diffrax", "exponax", "h5netcdf", "xarray", "matplotlib.figure"),
    "lm": ("torch", "transformers.models.llama.modeling_llama", "transformers.models.gpt2.modeling_gpt2"),
}


@dataclass(frozen=True)
class Case:
    """One method under test. common: its common.py. folders: where the registry looks beside our own.

    root: of the repository with README.md, docs/ and evidence/. folder: an empty one for this check.
    """

    method: Method
    common: Path
    folders: tuple[Path, ...]
    root: Path
    folder: Path

    def declared(self, name: str) -> Any:
        """What common.py says under a name; None if it gives a reason why that does not apply."""
        assert self.common.exists(), f"{self.common.name} is missing"
        values = read_common(self.common, self.method)
        assert name in values, f"common.py declares no {name}, nor a reason why it does not apply"
        value = values[name]
        if isinstance(value, str):
            assert len(value) > 10, f"{name}={value!r} in common.py is no reason"
            return None
        assert value, f"{name} in common.py is empty"
        return value

    def context(self, seed: int = 0) -> Context:
        return Context(self.method.paper, "toy", seed, self.folder)

    def inputs(self) -> Any:
        return load_study(self.method).toy(self.context().rng("toy"))

    def task(self, store: str, seed: int = 0) -> Task:
        return Task(self.method, "toy", seed, self.folder / store)

    def run(self, store: str = "run.sqlite", seed: int = 0) -> Run:
        """The method measured on its toy, in this process; here shapes are checked, which takes its time."""
        task = self.task(store, seed)
        return self._finished(task, measure(task))

    def run_fresh(self, store: str = "run.sqlite", seed: int = 0) -> Run:
        """The same in a fresh process."""
        return self._finished(self.task(store, seed), self.fresh(measured, store, seed))

    def _finished(self, task: Task, identity: int) -> Run:
        with Store(task.store) as opened:
            run = opened.run(identity)
        assert run.finished, f"the study failed: {run.error}"
        return run

    def call(self, *argv: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """`parataxis <argv>` in a fresh process, as in a pipe."""
        code = f"from parataxis.cli import main; main(folders={[str(each) for each in self.folders]})"
        return self.python(code, *argv, cwd=cwd, **environment)

    def python(
        self, code: str, *argv: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *argv],
            cwd=cwd or self.folder,
            env={**os.environ, **self.own(), **environment},
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )

    def own(self) -> dict[str, str]:
        """The environment that is this case's own."""
        return {
            "COLUMNS": "200",
            "XDG_DATA_HOME": str(self.folder / "data-home"),
            "XDG_CACHE_HOME": str(self.folder / "cache-home"),
            "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib")),
            "PYTHONPATH": os.pathsep.join([*map(str, self.folders), *filter(None, sys.path)]),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def fresh(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of a module returns in a process that knows nothing of the method yet; it is given the case
        first.
        """
        libraries = LIBRARIES.get(self.method.paper.extra, ())
        status, out, err = in_child(function, self, *arguments, cwd=self.folder, libraries=libraries, **self.own())
        assert status == 0, err or f"exit status {status}"
        return json.loads(out.splitlines()[-1])

    def calls(self, argvs: Sequence[Sequence[str]], cwd: Path) -> list[subprocess.CompletedProcess[str]]:
        """`parataxis <argv>` for each, as in a pipe, in forks of a fresh process."""
        done = self.fresh(called, [list(each) for each in argvs], cwd)
        return [subprocess.CompletedProcess(list(argv), *each) for argv, each in zip(argvs, done, strict=True)]


def measured(case: Case, store: str, seed: int) -> int:
    return measure(case.task(store, seed))


def called(case: Case, argvs: list[list[str]], cwd: Path) -> list[Done]:
    """Exit status, stdout and stderr of `parataxis <argv>` for each, in forks that share the method's imports."""
    os.chdir(cwd)
    case.method.load("cli")
    return [forked(lambda argv=argv: command(argv, case.folders)) for argv in argvs]


@functools.cache
def read_common(path: Path, method: Method) -> dict[str, Any]:
    values: dict[str, Any] = {"__name__": "common", "__file__": str(path)}
    method.load("study")  # puts a package outside ours on the path
    exec(compile(path.read_text(), str(path), "exec"), values)
    return values


def facts(run: Run) -> list[Any]:
    """All of a run that must be the same when it is repeated: everything but times and machine."""
    rows = [(replace(row.measurement, seconds=0.0), row.claim_version, row.files) for row in run.rows]
    return [rows, list(run.figures), [asdict(table) for table in run.tables]]


def refused(done: subprocess.CompletedProcess[str], fragment: str) -> None:
    """Bad input as it should be told: exit 2, one line on stderr, with the fragment, and no traceback."""
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, f"exit status {done.returncode}, not 2: {done.args}: {done.stderr or done.stdout}"
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, f"{len(lines)} lines on stderr, not 1: {done.stderr}"
    assert lines[0].startswith("parataxis: "), lines[0]
    assert fragment in lines[0], f"{fragment!r} is not in {lines[0]!r}"
