"""The state that a test may leave to the next: taken before it ran, compared afterwards, put back one change at a time.

    before = State([project, home, tmp])
    ...                                    # a test runs
    for change in before.changes():        # what is other now, the likeliest cause of another's failure first
        change.undo()

Meant for a forked child that is thrown away: the copies keep alive what a test would let go of.
"""

from __future__ import annotations

import gc
import os
import sys
from functools import partial
from typing import Any, Callable

from _parataxis_differences import FILES, NOISE, PROCESS, Change, Differences
from _parataxis_facets import (
    CONFIGURATIONS,
    ITEMS,
    LOGGER,
    LOGGERS,
    MISSING,
    derives,
    same,
    token,
)
from _parataxis_names import short
from _parataxis_objects import (
    STANDARD,
    Owners,
    Record,
    Walk,
    globals_of,
    modules,
)
from _parataxis_shared import SharedFixtures
from _parataxis_system import (
    CONTEXT,
    DESCRIPTOR,
    ENVIRONMENT,
    SETTING,
    STATUS,
    THERE,
    THREADS,
    Files,
    context_variables,
    descriptors,
    settings,
    threads,
)

_gc = (gc.isenabled, gc.disable, gc.enable)  # bound before the suite is imported, which may patch them
MOST = 50


class State:
    """`roots`: folders whose files are state; the first is the project's. `ignore`: files and folders that are not.

    items: pytest's, whose shared fixtures are state as well.
    """

    def __init__(self, roots: list[str], ignore: list[str] | None = None, items: list[Any] | None = None) -> None:
        self.settings = settings()
        collector = _gc[0]()
        _gc[1]()
        try:
            self.owners = Owners(os.path.realpath(roots[0]) if roots else os.getcwd())
            self.walk = Walk(self.owners)
            self.walk.modules()
            self._well_known()
            self.files = Files(roots, ignore or [])
            self.fixtures = SharedFixtures(items or [], self.owners.root)
            self.context, self.threads, self.descriptors = context_variables(), threads(), descriptors()
        finally:
            if collector:
                _gc[2]()

    def _well_known(self) -> None:
        """The standard library's own registries, of which the walk takes no notice."""
        record = self.walk.record
        record(ITEMS, modules, "sys.modules")
        record(ENVIRONMENT, os.environ._data, "os.environ")  # type: ignore[attr-defined]
        for name in ("path", "argv", "meta_path", "path_hooks"):
            self.walk.thing(getattr(sys, name), "sys." + name, STANDARD)
        filters = globals_of(modules.get("warnings")).get("filters")
        if type(filters) is list:
            self.walk.thing(filters, "warnings.filters", STANDARD)
        if "logging" in modules:
            self._logging(globals_of(modules["logging"]))
        self.walk.descend(STANDARD)

    def _logging(self, contents: dict[str, Any]) -> None:
        root = contents["root"]
        manager = root.manager
        for name, logger in [("", root), *dict.items(manager.loggerDict)]:
            if derives(type(logger), contents["Logger"]):
                self.walk.record(LOGGER, logger, "logging.getLogger(%s)" % (repr(name) if name else ""))
        self.walk.record(LOGGERS, manager.loggerDict, "logging.getLogger")
        self.walk.thing(contents["_levelToName"], "logging._levelToName", STANDARD)

    def changes(self) -> list[Change]:
        """At most 50: the project's own objects first, what is most often harmless last."""
        found = self._settings()  # first: what follows stops the collector for a while
        collector = _gc[0]()
        _gc[1]()
        try:
            found += Differences(self.walk.records, self.owners).changes()
        finally:
            if collector:
                _gc[2]()
        found += self._context() + self._files() + self._left_running()
        shared = self.fixtures.changes()[:MOST]  # the last to be undone: what a teardown does may outlive the fork
        return sorted(found, key=lambda change: change.rank)[: MOST - len(shared)] + shared

    def record(self, held_in: str, place: Any) -> Record:
        """A holder that a change has named, read anew."""
        if held_in == "records":
            known = self.walk.records[place]
            facet = CONFIGURATIONS if known.facet is LOGGERS else known.facet
            return Record(facet, known.owner, known.place, known.level)
        if held_in == "files":  # what is new has its line where it was made, not where it was last written to
            return Record(STATUS if place in self.files.files else THERE, place, place, STANDARD)
        owner = self.settings[place] if held_in == "settings" else place
        facet = {"settings": SETTING, "context": CONTEXT, "threads": THREADS, "descriptors": DESCRIPTOR}[held_in]
        return Record(facet, owner, held_in, STANDARD)

    def _settings(self) -> list[Change]:
        found = []
        for number, setting in enumerate(self.settings):
            then, now = setting.before, setting.now()
            if not same(then, now):
                steps: list[Callable[[], Any]] = [partial(setting.put, then)] if setting.put else []
                held = [(("settings", number), token(""))]
                found.append(Change(setting.kind, setting.name, short(then), short(now), PROCESS, steps, held))
        return found

    def _context(self) -> list[Change]:
        now, found = context_variables(), []
        for var in {**self.context, **now}:
            then, current = self.context.get(var, MISSING), now.get(var, MISSING)
            if not same(then, current):
                steps: list[Callable[[], Any]] = [] if then is MISSING else [partial(var.set, then)]
                held = [(("context", 0), token(var))]
                found.append(Change("context variable", var.name, short(then), short(current), PROCESS, steps, held))
        return found

    def _files(self) -> list[Change]:
        found: list[Change] = []
        changes = self.files.changes()
        if not changes:
            return found
        left = self.files.again()
        for path, then, now in changes:
            name = path[len(self.owners.root) :] if path.startswith(self.owners.root) else path
            texts = [_file_text(entry) for entry in (then, now)]
            if texts[0] == texts[1]:
                texts[1] += ", other contents"
            steps: list[Callable[[], Any]] = [partial(self.files.put_back, path, then)]
            redo = partial(left.put_back, path, now)
            held = [(("files", path), token(""))]
            found.append(Change("files", name, texts[0], texts[1], FILES, steps, held, again=redo))
        return found

    def _left_running(self) -> list[Change]:
        found = []
        for ident, thread in threads().items():
            if self.threads.get(ident) is not thread:
                name = vars(thread).get("_name")
                held = [(("threads", 0), token(ident))]
                found.append(Change("threads", "thread %s" % short(name, 60), "(absent)", "running", NOISE, [], held))
        now = descriptors()
        for number, target in self.descriptors.items():
            if number not in now:
                held = [(("descriptors", number), token(""))]
                name = "descriptor %d" % number
                found.append(Change("descriptors", name, short(target), "closed", PROCESS, [], held))
        return found


def _file_text(entry: Any) -> str:
    if entry is MISSING:
        return "(absent)"
    what = "folder" if len(entry) == 1 else "%d bytes" % entry[1]
    return "%s, mode %o" % (what, entry[0] & 0o7777)
