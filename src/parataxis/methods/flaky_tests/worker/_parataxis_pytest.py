"""The pytest plugin: collects once, steps aside for whoever runs the orders, and runs one order."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
import time
from collections import defaultdict
from typing import Any, Callable, Iterable

import pytest
from _parataxis_memory import FAILED, PASSED, SKIPPED, Record

OLDEST_PYTEST = (7, 4)
if tuple(int(part) for part in pytest.__version__.split(".")[:2]) < OLDEST_PYTEST:
    raise ImportError("pytest %s is too old: 7.4 or later is needed" % pytest.__version__)

# A test may patch the `time` module, and freezegun replaces clocks wherever a module holds one: not inside a tuple.
CLOCK = (time.perf_counter,)
REORDERING = ("randomly", "random_order", "rerunfailures", "flakefinder")  # plugins that would interfere
DECLARED = ("order", "run", "dependency")  # markers by which a suite declares an order


def options() -> list[str]:
    """What is put before the user's own options: cheap tracebacks, and no coverage."""
    installed = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions() if dist.metadata["Name"]}
    return ["--tb=native", *(["--no-cov"] if "pytest-cov" in installed else [])]


def key_parts(nodeid: str) -> str:
    """A node id without its parameters."""
    return nodeid.split("[", 1)[0]


def match(wanted: list[str], found: list[str]) -> list[int | None]:
    """For each wanted node id the place of the same test in `found`, or None.

    Ids may repeat, and parameters may print differently in each process (addresses, times, the order of a set): what
    has no equal is matched by file, class, function and its place among those of one function.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, nodeid in enumerate(found):
        places[nodeid].append(place)
    matched: list[int | None] = [places[nodeid].pop(0) if places[nodeid] else None for nodeid in wanted]
    left: dict[str, list[int]] = defaultdict(list)
    for place in sorted(place for rest in places.values() for place in rest):
        left[key_parts(found[place])].append(place)
    for i, nodeid in enumerate(wanted):
        if matched[i] is None and left[key_parts(nodeid)]:
            matched[i] = left[key_parts(nodeid)].pop(0)
    return matched


class Plugin:
    """One pytest session. `loop(plugin)` is called in the place of pytest's own loop, after collection."""

    def __init__(self, loop: Callable[[Plugin], None], select: list[str] | None = None) -> None:
        self.loop = loop
        self.select = select
        self.errors: list[list[str]] = []
        self.session: Any = None
        self.record: Record | None = None
        self.position = -1

    # -- hooks -----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        manager = early_config.pluginmanager
        for name in REORDERING:
            if manager.get_plugin(name) is not None:
                manager.unregister(name=name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> None:
        if hasattr(config.option, "numprocesses"):  # pytest-xdist: its fixtures stay, its processes don't
            config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []
        if self.select is not None:
            config.args[:] = [os.path.join(str(config.rootpath), nodeid) for nodeid in self.select]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            self.errors.append([report.nodeid, lines[-1].strip() if lines else "collection failed"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        self.session = session
        self.loop(self)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self.record is None:
            return
        code = {"passed": PASSED, "failed": FAILED}.get(report.outcome, SKIPPED)
        if code == SKIPPED and hasattr(report, "wasxfail"):
            code = PASSED
        self.record.phase(self.position, report.when, code)
        if code == FAILED:
            self.record.message(self.position, _reason(report.longrepr))

    # -- what the loop uses ----------------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        return [item.nodeid for item in self.session.items]

    def match(self, wanted: list[str]) -> list[int | None]:
        return match(wanted, self.ids())

    def root(self) -> str:
        """What node ids are relative to."""
        return str(self.session.config.rootpath)

    def declared(self) -> list[int]:
        """The places of tests whose order the suite declares by a marker."""
        return [i for i, item in enumerate(self.session.items) if any(item.get_closest_marker(m) for m in DECLARED)]

    def renew_capture(self) -> None:
        """In a forked child: the capture's temporary files and the base of `tmp_path` are the parent's; make own ones."""
        config = self.session.config
        capture = config.pluginmanager.get_plugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture(in_=False)
        factory = getattr(config, "_tmp_path_factory", None)
        if factory is not None:
            factory._basetemp = factory._given_basetemp = None
        tempfile.tempdir = None

    def run(self, places: Iterable[int | None], record: Record) -> None:
        """Run the tests at `places`, in that order (None: not there, not run), writing to `record` as it goes."""
        line = [(position, self.session.items[place]) for position, place in enumerate(places) if place is not None]
        self.session.items[:] = [item for _, item in line]
        self.record = record
        for (self.position, item), following in zip(line, [*self.session.items[1:], None]):
            record.start(self.position)
            began = CLOCK[0]()
            # The parent as next item keeps class, module and session fixtures: their teardown is then ours to call, and
            # an error in it is not blamed on the test that happened to run last.
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=item.parent)
            self._leave(following)
            record.finish(self.position, CLOCK[0]() - began)

    def _leave(self, following: Any) -> None:
        assert self.record is not None
        try:
            self.session._setupstate.teardown_exact(following)
        except Exception as error:
            self.record.phase(self.position, "leaving", FAILED)
            self.record.message(self.position, "teardown of a shared fixture: %s: %s" % (type(error).__name__, error))


def _reason(longrepr: Any) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    if crash is None:
        return str(longrepr).strip().rpartition("\n")[2]
    first = str(crash.message).strip().partition("\n")[0]
    return "%s:%s: %s" % (os.path.basename(str(crash.path)), crash.lineno, first)
