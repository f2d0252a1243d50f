"""Fetch a project, build its environment, hunt in its suite, explain: each a process of its own that ends with us."""

import contextlib
import ctypes
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.hunting import hunt
from parataxis.methods.flaky_tests.journal import NAME
from parataxis.methods.flaky_tests.projects import LEFT_OUT, NOTHING, Unit

PYTEST = "pytest>=7.4"
PR_SET_PDEATHSIG = 1
HUNT = (
    "import json, sys; from parataxis.methods.flaky_tests.stages import hunt_here; hunt_here(**json.loads(sys.argv[1]))"
)
EXPLAIN = "import sys; from parataxis.methods.flaky_tests.stages import explain_here; explain_here(sys.argv[1])"
# What would have pip or git wait for an answer, or say what nobody asked.
QUIET = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "GIT_TERMINAL_PROMPT": "0"}


class Failed(Exception):
    """A stage failed; the message is one line. limited: it was ended by the limit."""

    def __init__(self, reason: str, limited: bool = False) -> None:
        super().__init__(reason)
        self.limited = limited


def one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, Failed | BadInput) else f"{type(error).__name__}: {text}"


class Stages:
    """Fetch, build, hunt, explain. Each leaves what it made under its last name only when it is whole."""

    def __init__(self, unit: Unit, folder: Path, work: Path, until: float) -> None:
        self.unit, self.project, self.folder, self.work, self.until = unit, unit.project, folder, work, until
        self.source = work / "source" / unit.project.name  # the last part is the name in reports
        self.environment = work / "environment"
        self.source.parent.mkdir(parents=True, exist_ok=True)

    def run(self, resume: bool) -> str:
        """Why the hunt did not come to its end, or ""."""
        if not self.source.exists():
            with self._stage("fetch"):
                self._fetch()
        if self.project.install != NOTHING and not (self.work / "built").exists():
            with self._stage("build"):
                self._build()
        with self._stage("hunt"):
            settings = {
                "root": str(self.source),
                "options": shlex.split(self.project.test_args),
                "protocol": self.unit.protocol,
                "seed": self.unit.seed,
                "python": str(self._python()),
                "out": str(self.folder / "hunt"),
                "resume": resume,
            }
            try:
                self._call([sys.executable, "-c", HUNT, json.dumps(settings)], self.work)
            except Failed as error:
                if not error.limited or not (self.folder / "hunt" / NAME).exists():
                    raise
                return f"hunt: {error}"
        return ""

    def explain(self) -> None:
        """A diagnosis for each test that the hunt has found, kept one by one beside its record."""
        with self._stage("explain"):
            self._call([sys.executable, "-c", EXPLAIN, str(self.folder / "hunt")], self.work)

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        try:
            yield
        except Failed as error:
            raise Failed(f"{name}: {error}", error.limited) from None
        except (OSError, ValueError, shutil.ReadError) as error:
            raise Failed(f"{name}: {one_line(error)}") from None

    def _fetch(self) -> None:
        part = self.work / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        path = Path(self.project.path)
        if self.project.url:
            self._clone(part)
            part.rename(self.source)
        elif self.project.path and path.is_dir():
            shutil.copytree(path, part / "copy", symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
            (part / "copy").rename(self.source)
        else:
            self._unpack(path if self.project.path else self._download(), part)

    def _download(self) -> Path:
        place = self.work / "download"
        wanted = f"{self.project.name}=={self.project.version}"
        # The name, not :all:, which would have what it is built with built from source as well.
        options = ["--no-deps", "--no-binary", self.project.name, "--dest", str(place)]
        self._call([*_pip(), "download", *options, wanted], self.work)
        return next(place.iterdir())

    def _unpack(self, sdist: Path, part: Path) -> None:
        expected = self.project.sha256
        if expected and (found := hashlib.sha256(sdist.read_bytes()).hexdigest()) != expected:
            raise Failed(f"{sdist.name} has sha256 {found}, expected {expected}")
        filters = {} if sdist.suffix == ".zip" else {"filter": "data"}
        shutil.unpack_archive(sdist, part, **filters)  # type: ignore[arg-type]
        held = list(part.iterdir())
        (held[0] if len(held) == 1 else part).rename(self.source)

    def _clone(self, part: Path) -> None:
        git = ["git", "-C", str(part)]
        self._call([*git, "init", "--quiet"], part)
        try:
            self._call([*git, "fetch", "--quiet", "--depth", "1", self.project.url, self.project.sha], part)
        except Failed as error:
            if error.limited:
                raise
            self._call([*git, "fetch", "--quiet", self.project.url, "+refs/*:refs/theirs/*"], part)
        self._call([*git, "checkout", "--quiet", self.project.sha], part)

    def _build(self) -> None:
        shutil.rmtree(self.environment, ignore_errors=True)
        for words in self._builders(str(self.environment)):
            self._call(words, self.source)
        if self.unit.rebuild:
            self._rebuilding()
        (self.work / "built").touch()

    def _builders(self, environment: str) -> list[list[str]]:
        python = os.path.join(environment, "bin", "python")
        return [
            [sys.executable, "-m", "venv", "--without-pip", environment],
            [*_pip("--python", python), "install", "--quiet", *self._wanted(), PYTEST],
        ]

    def _wanted(self) -> list[str]:
        """What the row says, else the project itself and the requirements that lie in its root."""
        if self.project.install:
            return shlex.split(self.project.install)
        wanted = ["."] if any((self.source / name).exists() for name in ("pyproject.toml", "setup.py")) else []
        for file in sorted(self.source.glob("*requirements*.txt")):
            wanted += ["-r", file.name]
        return wanted

    def _rebuilding(self) -> None:
        """A program in the place of Python that builds a new environment first, as the paper did for each iteration.

        Each session of a hunt starts it once; what it builds lies in the session's TMPDIR and goes with it.
        """
        venv, install = (shlex.join(words) for words in self._builders("ENVIRONMENT"))
        fresh = self.work / "fresh" / "bin" / "python"
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = -c ]; then exec {shlex.quote(str(self.environment / "bin" / "python"))} "$@"; fi\n'
            'home=$HOME here=$(mktemp -d "$TMPDIR/environment-XXXXXX") || exit 1\n'
            f"(cd {shlex.quote(str(self.source))} && export HOME={shlex.quote(str(Path.home()))} &&\n"
            f" {venv} && {install}) >&2 || exit 1\n".replace("ENVIRONMENT", '"$here"')
            + 'PATH="$here/bin:$PATH" VIRTUAL_ENV="$here" exec "$here/bin/python" "$@"\n'
        )
        fresh.chmod(0o755)

    def _python(self) -> Path:
        if self.project.install == NOTHING:
            return Path(sys.executable)
        return (self.work / "fresh" if self.unit.rebuild else self.environment) / "bin" / "python"

    def _call(self, words: Sequence[str], cwd: Path) -> None:
        """Run a command; raises Failed with the line of its output that says most about why."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise Failed(f"the limit of {self.unit.limit:g} s was reached", limited=True)
        with open(self.folder / "log.txt", "ab+") as log:
            log.write(f"$ {shlex.join(words)}\n".encode())
            log.flush()
            start = log.tell()
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **QUIET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )
            try:
                status = process.wait(left)
            except subprocess.TimeoutExpired:
                raise Failed(f"the limit of {self.unit.limit:g} s was reached", limited=True) from None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if status:
                log.seek(start)
                raise Failed(_said(log.read().decode(errors="replace"), status))


def _pip(*options: str) -> list[str]:
    return [sys.executable, "-m", "pip", *options]


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with(parent: int) -> None:
    """In the child: have the kernel kill it when its parent ends, even by a kill -9; end if it has ended already."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _said(output: str, status: int) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "fatal"))] or lines
    return errors[-1][:300] if errors else f"ended with status {status}"


def hunt_here(root: str, options: list[str], protocol: str, seed: int, python: str, out: str, resume: bool) -> None:
    """In a process of its own."""
    try:
        hunt([root], options, protocol=protocol, seed=seed, python=Path(python), out=Path(out), resume=resume)
    except BadInput as error:
        sys.exit(f"error: {error}")


def explain_here(folder: str) -> None:
    """In a process of its own."""
    from parataxis.methods.flaky_tests.explaining import explain  # takes longer to load than who fetches has to wait
    from parataxis.methods.flaky_tests.report import Report
    from parataxis.progress import now_and_then

    try:
        explain(Report.read(folder), Path(folder), tell=now_and_then())
    except BadInput as error:
        sys.exit(f"error: {error}")
