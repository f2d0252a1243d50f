"""Runs inside the environment of the suite under test: the standard library and that environment's pytest, no more.

`FOLDER/settings.json` holds `arguments` for pytest, `jobs`, `seed` (a text), and `ids`: the node ids whose places the
orders name (empty in the first session of a hunt, which finds them). `private` are the folders whose files an isolated
order changes for no other: by `isolation`, or where that is null by the best that can be had; for a snapshot, see
there, also `aside`, `ignore` and `ours`. The worker collects once, says what it found, and runs the orders it is sent:

    {"command": "run", "id": 3, "name": "random/3", "order": [4, 0, ...], "seeded": [fingerprints], "isolate": true,
     "fresh": false, "only": false, "limits": {"test": 10, "tests": {"4": 60}, "order": 120, "start": 60}}
    {"command": "cancel"}      drop every order, those under way included

`fresh` asks for an interpreter of its own instead of a fork, `only` has it collect nothing but the order's own tests,
`collect` these files. `probes`, `each` and `look` are described at `_Orders._probe`, `trace` at `_Orders._trace`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import sys
import tempfile
from typing import Any

import _parataxis_process as process
import _parataxis_random
from _parataxis_guardian import guard
from _parataxis_memory import Record
from _parataxis_patterns import Patterns
from _parataxis_probe import Prober, Table
from _parataxis_snapshot import Snapshot
from _parataxis_supervisor import ANSWER, MOST_CHANGES, Pipes, Supervisor, redirect
from _parataxis_view import Views, private_view, why_no_private_view

PATTERNS = "patterns.pickle"  # in the order's folder
STORE = "store"  # in the session's folder
_spawn, _chdir = os.posix_spawn, os.chdir  # bound before the suite is imported


def main(here: str, path: str) -> None:
    if os.path.isdir(path):
        supervise(here, path)
    else:
        run_fresh(here, path)


def _plugin_module(here: str) -> Any:
    return _module(here, "_parataxis_pytest")


def _module(here: str, name: str) -> Any:
    """One of ours that needs what we don't; ImportError says in its message what the environment lacks."""
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError("%s has no %s" % (sys.executable, error.name)) from None
    finally:
        sys.path.remove(here)


def _stand_in(cwd: str) -> None:
    """Be where `python -m pytest` would be; this folder's modules are found no more."""
    os.chdir(cwd)
    sys.path[:1] = [] if getattr(sys.flags, "safe_path", False) else [cwd]


def supervise(here: str, folder: str) -> None:
    with open(os.path.join(folder, "settings.json")) as stream:
        settings = json.load(stream)
    process.hear()
    _stand_in(os.getcwd())
    root = os.open(settings["private"][0], os.O_RDONLY)  # held, once locked, until the guardian too has ended
    guard(commands=0, events=1, folder=folder, store=os.path.join(folder, STORE))
    pipes = Pipes()
    orders = _Orders(here, folder, settings, pipes, root)
    try:
        plugin = _plugin_module(here)
        status = plugin.pytest.main(settings["arguments"], plugins=[plugin.Plugin(orders.serve)])
    except ImportError as error:
        pipes.send("failed", reason=str(error))
    else:
        pipes.send("failed", reason="pytest ended with status %d before it had collected" % status)


class _Orders:
    """How an order starts: in a fork of this process, which has the suite imported, or as this process was before."""

    def __init__(self, here: str, folder: str, settings: dict[str, Any], pipes: Pipes, root: int) -> None:
        self.here, self.folder, self.settings, self.pipes, self.root = here, folder, settings, pipes, root
        self.layer = os.path.join(folder, "layer")
        os.mkdir(self.layer)
        self.cwd, self.environment = os.getcwd(), dict(os.environ)  # importing the suite may change both
        self.ready: Any = None
        self.patterns = Patterns()
        self.snapshot: Any = None
        self.views = Views(settings["private"], self.layer)

    def serve(self, session: Any) -> None:
        self.session = session
        self.generators = _parataxis_random.Generators()
        found = session.ids()
        self.ids = self.settings["ids"] or found
        self.places = session.match(self.ids)
        self.isolation, refused = self._isolation()
        self.pipes.send(
            "collected",
            ids=found,
            missing=[i for i, place in enumerate(self.places) if place is None],
            declared=session.declared(),
            errors=session.errors,
            threads=process.threads(),
            fork=process.LINUX,
            isolation=self.isolation,
            refused=refused,
            fingerprints=self.generators.fingerprints(),
            parallel=session.parallel,
            root=session.root(),
            python=platform.python_version(),
            pytest=sys.modules["pytest"].__version__,
        )
        session.prepare()
        orders = os.path.join(self.folder, "o")
        Supervisor(self.pipes, orders, 1 if self.snapshot else self.settings["jobs"], self).serve()

    def _isolation(self) -> tuple[str, dict[str, str]]:
        """How the files of an order are kept from the next; and what could not be had, with the reason."""
        asked, private = self.settings["isolation"], self.settings["private"]
        refused = {}
        if asked in (None, "overlay"):
            refused["overlay"] = why_no_private_view(private, self.layer)
            if not refused["overlay"]:
                return "overlay", {}
        if asked in (None, "snapshot"):
            store = os.path.join(self.folder, STORE)
            snapshot = Snapshot(private, store, *(self.settings[name] for name in ("aside", "ignore", "ours")))
            if not snapshot.refused:
                self.snapshot = snapshot
                return "snapshot", refused
            refused["snapshot"] = snapshot.refused
        return "none", refused

    def _overlay(self, command: dict[str, Any]) -> bool:
        return bool(command["isolate"]) and self.isolation == "overlay"

    def fork(self, command: dict[str, Any], record: Record, table: Table, folder: str) -> None:
        """In the forked child: make everything that a fork shares the child's own, then run."""
        if tempfile.tempdir == os.environ["TMPDIR"]:
            tempfile.tempdir = folder
        os.environ["TMPDIR"] = folder
        if self._overlay(command):
            self.views.enter(command["id"])
        self.generators.prepare(set(command["seeded"]), "%s/%s" % (self.settings["seed"], command["name"]))
        with self.session.own_files(folder):
            redirect(1)
            redirect(2)
        places = [self.places[i] for i in command["order"]]
        if command.get("probes"):
            self._probe(command, places, record, table, folder)
        elif command.get("watch") is not None:
            self._watch(command, places, record, folder)
        elif command.get("trace"):
            self._trace(command, places, record, folder)
        else:
            self.session.run(places, record)
            self.patterns.tell(os.path.join(folder, PATTERNS))

    def before(self, command: dict[str, Any]) -> None:
        """In this process, before an order: import and copy what it takes, once. Raises OSError."""
        if command["isolate"] and self.snapshot:
            self.at = os.getcwd()
            process.lock(self.root)
            self.snapshot.take()
        if self._overlay(command) and not command["fresh"]:
            self.views.take(command["id"])
        if command.get("look") or command.get("trace"):
            self.state = _module(self.here, "_parataxis_state")
            self.trace = _module(self.here, "_parataxis_trace")
        if command.get("watch") is not None and self.ready is None:
            self.watch = _module(self.here, "_parataxis_watch")
            self.ready = self.watch.ready(self.session.root())

    def keep(self) -> set[int]:
        return self.views.keepers()

    def restore(self, command: dict[str, Any]) -> None:
        self.views.leave(command["id"])
        if command["isolate"] and self.snapshot:
            self.snapshot.restore()
            with contextlib.suppress(OSError):
                _chdir(self.at)  # it may be a new folder

    def after(self, folder: str) -> None:
        """In this process, after an order: keep what the next one needn't do again."""
        self.patterns.learn(os.path.join(folder, PATTERNS))

    def _watch(self, command: dict[str, Any], places: list[int | None], record: Record, folder: str) -> None:
        generators = self.generators.left_to_chance(set(command["seeded"]))
        config = self.session.session.config
        with self.watch.Watch(command["watch"], *self.ready, config, generators) as watch:
            self.session.run(places, record)
        with open(os.path.join(folder, ANSWER), "w") as stream:
            json.dump(watch.seen(), stream)

    def _probe(
        self, command: dict[str, Any], places: list[int | None], record: Record, table: Table, folder: str
    ) -> None:
        """Run the order, and probes from its end, or with `each` from its start and after each of its tests.

        look: from its end also a row of probes for each change that its tests left, each of which undoes that one.
        """
        sequences = [[self.places[i] for i in sequence] for sequence in command["probes"]]
        views = Views(self.settings["private"], self.layer) if self._overlay(command) else None
        prober = Prober(self.session, sequences, table, command["limits"]["probes"], views, record.beat)
        before = self._state() if command.get("look") else None

        def after(position: int) -> None:
            if command.get("each"):
                prober.probe(position + 1)
            elif position == len(places) - 1:
                prober.probe(0)
                if before is not None:
                    self._undo_each(before, prober, folder)

        if command.get("each") or not places:
            prober.probe(0)
        self.session.run(places, record, after)

    def _state(self) -> Any:
        return self.state.State(self.settings["private"], items=self.session.items)

    def _undo_each(self, before: Any, prober: Prober, folder: str) -> None:
        changes = before.changes()[:MOST_CHANGES]
        for row, change in enumerate(changes, 1):
            prober.probe(row, change.undo)
            if change.kind == "files":  # the probe may have had to share them
                change.redo()
            if change.kind == "fixture" and not prober.ends_as_before():
                break  # its teardown has reached what forks share, and what comes now would be blamed for that
        with open(os.path.join(folder, ANSWER), "w") as stream:
            json.dump([change.to_row() for change in changes], stream)

    def _trace(self, command: dict[str, Any], places: list[int | None], record: Record, folder: str) -> None:
        """Run the order with each line looked at, for the lines that leave the changes in these holders."""
        before = self._state()
        trace = self.trace.Trace(before, command["trace"])

        def after(position: int) -> None:
            if position == len(places) - 1:
                trace.end()
                rows = [
                    {**change.to_row(), "where": trace.where(change) or change.where} for change in before.changes()
                ]
                with open(os.path.join(folder, ANSWER), "w") as stream:
                    json.dump(rows, stream)

        self.session.run(places, record, after)

    def launch(self, command: dict[str, Any], record: str, folder: str) -> int:
        """Start a fresh interpreter, in the state in which this one was before it imported the suite."""
        file, own = os.path.join(folder, "command.json"), os.path.join(folder, "t")
        os.mkdir(own)
        command = {**command, "isolate": self._overlay(command)}
        fields = {"settings": self.settings, "layer": self.layer, "cwd": self.cwd, "parent": os.getpid()}
        with open(file, "w") as stream:
            json.dump({**fields, "command": command, "ids": self.ids, "record": record}, stream)
        return _spawn(
            sys.executable,
            [sys.executable, self.here, file],
            {**self.environment, "TMPDIR": own},
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsigdef=process.SIGNALS,
        )


def run_fresh(here: str, file: str) -> None:
    """One order in this interpreter, recorded in a file that the supervisor reads."""
    with open(file) as stream:
        given = json.load(stream)
    command, settings = given["command"], given["settings"]
    process.enter_group(given["parent"])
    _stand_in(given["cwd"])
    if command["isolate"]:
        private_view(settings["private"], given["layer"])
    plugin = _plugin_module(here)

    def loop(session: Any) -> None:
        places = session.match(given["ids"])
        session.run([places[i] for i in command["order"]], Record(len(command["order"]), given["record"]))
        os._exit(0)  # as a forked order ends: no report, no waiting for threads

    select = [given["ids"][i] for i in command["order"]] if command["only"] else command.get("collect") or None
    plugin.pytest.main(settings["arguments"], plugins=[plugin.Plugin(loop, select)])
