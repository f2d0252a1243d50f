"""Processes as fresh as a new interpreter, without its second of imports: forks of one that has imported the house."""

import atexit
import contextlib
import functools
import importlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HOUSE = ("joblib", "parataxis.audit", "parataxis.studies.runner")
LONGEST = 600  # seconds that one child may take

Done = tuple[int, str, str]  # exit status, stdout, stderr


class _Nursery:
    def __init__(self, libraries: tuple[str, ...] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "error", "-c", f"import nursery; nursery.serve({libraries})"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        atexit.register(self.process.communicate)

    def ask(self, *asked: Any) -> Done:
        print(*(pickle.dumps(each).hex() for each in (sys.path, asked)), file=self.process.stdin, flush=True)
        return tuple(json.loads(self.process.stdout.readline()))


_nursery = functools.cache(_Nursery)


def in_child(
    function: Callable[..., Any], *arguments: Any, cwd: Path, libraries: tuple[str, ...] = (), **environment: str
) -> Done:
    """Exit status, stdout and stderr of a child that calls a module's function and prints what it returns as JSON.

    Warnings are errors there. The environment is this process's with what is given. libraries: other people's, that
    the child finds imported; those who ask for the same share a nursery.
    """
    return _nursery(libraries).ask(function, arguments, cwd, {**os.environ, **environment})


def serve(libraries: tuple[str, ...] = ()) -> None:
    """The nursery's own work, as long as somebody asks."""
    for each in (*HOUSE, *libraries):
        importlib.import_module(each)
    for argv in (["run", "--help"], ["papers"], ["run", "nonsense"]):  # what these import late
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), contextlib.suppress(SystemExit):
            command(argv, [])
    for line in sys.stdin:

        def work(line: str = line) -> None:
            signal.alarm(LONGEST)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            path, asked = map(bytes.fromhex, line.split())
            sys.path[:] = pickle.loads(path)  # where what is asked for is found
            function, arguments, cwd, environment = pickle.loads(asked)
            os.environ.clear()
            os.environ.update(environment)
            tempfile.tempdir = None  # which may be another in this environment
            os.chdir(cwd)
            print(json.dumps(function(*arguments)))

        print(json.dumps(forked(work)), flush=True)


def forked(work: Callable[[], None]) -> Done:
    """Exit status, stdout and stderr of what is done in a fork of this process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            status = 1
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                work()
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return status, texts[0], texts[1]


def command(argv: Sequence[str], folders: Sequence[Path]) -> None:
    """`parataxis <argv>`."""
    from parataxis.cli import main

    sys.argv = ["parataxis", *argv]
    main(folders=folders)
