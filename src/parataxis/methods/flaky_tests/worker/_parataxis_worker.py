"""Runs inside the environment of the suite under test: the standard library and that environment's pytest, no more.

The supervisor reads its settings as one JSON line: `arguments` for pytest, `folder` for everything temporary, `jobs`,
`seed` (a text), and `ids`: the node ids whose places the orders name (empty in the first session of a hunt, which
finds them). Then it collects once, says what it found, and runs the orders it is sent:

    {"command": "run", "id": 3, "name": "random/3", "order": [4, 0, ...], "seeded": [fingerprints], "isolate": true,
     "fresh": false, "only": false, "limits": {"test": 10, "tests": {"4": 60}, "order": 120, "start": 60}}

`fresh` asks for an interpreter of its own instead of a fork, `only` has it collect nothing but the order's own tests.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import sys
from typing import Any

import _parataxis_process as process
import _parataxis_random
from _parataxis_memory import Record
from _parataxis_supervisor import Pipes, Supervisor


def main(here: str, arguments: list[str]) -> None:
    if arguments:
        run_fresh(here, arguments[0])
    else:
        supervise(here)


def _plugin_module(here: str) -> Any:
    """The pytest plugin; ImportError says in its message what the environment lacks."""
    sys.path.insert(0, here)
    try:
        return importlib.import_module("_parataxis_pytest")
    except ModuleNotFoundError as error:
        raise ImportError("%s has no %s" % (sys.executable, error.name)) from None
    finally:
        sys.path.remove(here)


def supervise(here: str) -> None:
    pipes = Pipes()
    process.die_with_parent(os.getppid())  # while it collects; later the supervisor itself sees the hunt end
    settings = pipes.wait()
    served = []

    def loop(session: Any) -> None:
        served.append(True)
        _serve(here, pipes, settings, session)

    try:
        plugin = _plugin_module(here)
        status = plugin.pytest.main([*plugin.options(), *settings["arguments"]], plugins=[plugin.Plugin(loop)])
    except ImportError as error:
        pipes.send("failed", reason=str(error))
        return
    if not served:
        pipes.send("failed", reason="pytest ended with status %d before it had collected" % status)


def _serve(here: str, pipes: Pipes, settings: dict[str, Any], session: Any) -> None:
    generators = _parataxis_random.Generators()
    found = session.ids()
    ids = settings["ids"] or found
    places = session.match(ids)

    def fork(command: dict[str, Any], record: Record, folder: str) -> None:
        _make_private(folder, command["isolate"])
        generators.prepare(set(command["seeded"]), "%s/%s" % (settings["seed"], command["name"]))
        session.renew_capture()
        session.run([places[i] for i in command["order"]], record)

    def launch(command: dict[str, Any], record: str, folder: str) -> list[str]:
        file = os.path.join(folder, "command.json")
        with open(file, "w") as stream:
            order = [ids[i] for i in command["order"]]
            fields = {"arguments": settings["arguments"], "only": command["only"], "isolate": command["isolate"]}
            json.dump({**fields, "order": order, "record": record, "parent": os.getpid()}, stream)
        return [sys.executable, here, file]

    pipes.send(
        "collected",
        ids=found,
        missing=[i for i, place in enumerate(places) if place is None],
        declared=session.declared(),
        errors=session.errors,
        threads=process.threads(),
        fork=hasattr(os, "fork") and process.LINUX,
        overlay=_why_no_overlay(settings["folder"]),
        fingerprints=generators.fingerprints(),
        root=session.root(),
        python=platform.python_version(),
        pytest=sys.modules["pytest"].__version__,
    )
    Supervisor(pipes, settings["folder"], settings["jobs"], fork, launch).serve()


def _make_private(folder: str, isolate: bool) -> None:
    """This order's own TMPDIR and, where asked, its own view of the project's files."""
    os.environ["TMPDIR"] = os.path.join(folder, "tmp")
    if isolate:
        process.overlay(os.getcwd(), folder)


def _why_no_overlay(folder: str) -> str:
    """Empty if an overlay can be had here, else the reason; tried in a child, for it can't be undone."""
    if not process.LINUX:
        return "overlay mounts exist on Linux only"
    trial = os.path.join(folder, "trial")
    os.makedirs(trial)
    reader, writer = os.pipe()
    pid = process.fork()
    if pid == 0:
        try:
            process.overlay(os.getcwd(), trial)
        except BaseException as error:
            os.write(writer, str(error).encode() or b"refused")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        why = stream.read().decode()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    process.remove_tree(trial)
    return why


def run_fresh(here: str, file: str) -> None:
    """One order in this interpreter, recorded in a file that the supervisor reads."""
    with open(file) as stream:
        settings = json.load(stream)
    process.die_with_parent(settings["parent"])
    _make_private(os.path.dirname(file), settings["isolate"])
    plugin = _plugin_module(here)
    order = settings["order"]

    def loop(session: Any) -> None:
        session.run(session.match(order), Record(len(order), settings["record"]))

    select = order if settings["only"] else None
    plugin.pytest.main([*plugin.options(), *settings["arguments"]], plugins=[plugin.Plugin(loop, select)])
