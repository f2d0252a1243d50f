"""The pytest plugin: collects once, steps aside for whoever runs the orders, and runs one order."""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Generator, Iterable, Iterator

import pytest
from _parataxis_memory import FAILED, PASSED, SKIPPED, Record
from _parataxis_process import now

OLDEST_PYTEST = (7, 4)
if tuple(int(part) for part in pytest.__version__.split(".")[:2]) < OLDEST_PYTEST:
    raise ImportError("pytest %s is too old: 7.4 or later is needed" % pytest.__version__)

INTERFERING = ("randomly", "random_order", "rerunfailures", "flakefinder")  # plugins that reorder or repeat
DECLARED = ("order", "run", "dependency")  # markers by which a suite declares an order


def function_of(nodeid: str) -> str:
    """A node id without its parameters."""
    file, separator, rest = nodeid.partition("::")
    return file + separator + rest.split("[", 1)[0]


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
        left[function_of(found[place])].append(place)
    for i, nodeid in enumerate(wanted):
        if matched[i] is None and left[function_of(nodeid)]:
            matched[i] = left[function_of(nodeid)].pop(0)
    return matched


class _Quiet:
    """Stands in for the terminal reporter, whose report of each test nobody reads: all of it, but for its hooks."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)


class Plugin:
    """One pytest session. `loop(plugin)` is called in the place of pytest's own loop, after collection."""

    def __init__(self, loop: Callable[[Plugin], None], select: list[str] | None = None) -> None:
        self.loop = loop
        self.select = select
        self.errors: list[list[str]] = []
        self.session: Any = None
        self.items: list[Any] = []
        self.record: Record | None = None
        self.position = -1
        self.parallel = False  # whether pytest would have run the tests in several processes

    # -- hooks -----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any, parser: Any) -> Iterator[None]:
        manager = early_config.pluginmanager
        for name in INTERFERING:  # not by an option: their own options in `addopts` must still be known
            if manager.get_plugin(name) is not None:
                manager.unregister(name=name)
        if hasattr(early_config.known_args_namespace, "cov_source"):  # pytest-cov begins to measure in this hook
            early_config.known_args_namespace.cov_source = []
        if not early_config.pluginmanager.has_plugin("cacheprovider"):  # we set its folder: an unknown key is a warning
            parser.addini("cache_dir", "set by parataxis, read by nobody")
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> None:
        if hasattr(config.option, "numprocesses"):  # pytest-xdist: its fixtures stay, its processes don't
            self.parallel = bool(config.option.numprocesses)
            config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []
        if getattr(config.option, "tbstyle", None) == "auto":  # not by an option: `-p no:terminal` would not know it
            config.option.tbstyle = "native"  # by far the cheapest
        if self.select is not None:
            functions = dict.fromkeys(map(function_of, self.select))  # the text of a parameter may be another here
            config.args[:] = [os.path.join(str(config.rootpath), function) for function in functions]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            reason = re.sub(r"^E\s+", "", lines[-1]).strip() if lines else "collection failed"
            self.errors.append([report.nodeid, reason])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        self.session, self.items = session, list(session.items)
        self.loop(self)
        return True

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: Any) -> Generator[None, Any, None]:
        outcome = yield
        if self.record is not None and call.excinfo is not None:
            outcome.get_result()._parataxis_place = _own_place(call.excinfo.traceback)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self.record is None:
            return
        code = {"passed": PASSED, "failed": FAILED}.get(report.outcome, SKIPPED)
        if code == SKIPPED and hasattr(report, "wasxfail"):
            code = PASSED
        self.record.phase(self.position, report.when, code)
        if code == FAILED:
            self.record.message(self.position, _reason(report.longrepr, getattr(report, "_parataxis_place", None)))

    # -- what the loop uses ----------------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        return [item.nodeid for item in self.items]

    def match(self, wanted: list[str]) -> list[int | None]:
        return match(wanted, self.ids())

    def prepare(self) -> None:
        """Once for all orders: what pytest would do again in each of them, and costs a third of a small test's time."""
        manager = self.session.config.pluginmanager
        reporter = manager.get_plugin("terminalreporter")
        if reporter is not None:
            manager.unregister(reporter)
            manager.register(_Quiet(reporter), "terminalreporter")
        for item in self.items:
            with contextlib.suppress(Exception):  # a plugin's own item may have none
                item.location  # noqa: B018 (it is kept)

    def root(self) -> str:
        """What node ids are relative to."""
        return str(self.session.config.rootpath)

    def declared(self) -> list[int]:
        """The places of tests whose order the suite declares by a marker."""
        return [i for i, item in enumerate(self.items) if any(item.get_closest_marker(m) for m in DECLARED)]

    @contextlib.contextmanager
    def own_files(self, folder: str) -> Iterator[None]:
        """In a forked child: the capture's temporary files and the base of `tmp_path` are the parent's; make own ones.

        What is done inside the context finds the standard descriptors uncaptured.
        """
        config = self.session.config
        capture = config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.stop_global_capturing()
        yield
        if capture is not None:
            capture.start_global_capturing()
            capture.suspend_global_capture(in_=False)
        factory = getattr(config, "_tmp_path_factory", None)
        if factory is not None:
            factory._basetemp = Path(folder, "pytest")
            factory._basetemp.mkdir(mode=0o700)

    def run(self, places: Iterable[int | None], record: Record, after: Callable[[int], None] | None = None) -> None:
        """Run the tests at `places`, in that order (None: not there, not run), writing to `record` as it goes.

        after: called with each position once its test has run, while shared fixtures are still set up.
        """
        line = [(position, self.items[place]) for position, place in enumerate(places) if place is not None]
        self.session.items[:] = [item for _, item in line]
        self.record = record
        for (position, item), following in zip(line, [*self.session.items[1:], None]):  # noqa: B905 (Python 3.8)
            self.position = position
            record.start(position)
            began = now()
            try:
                # The parent as next item keeps class, module and session fixtures: their teardown is then ours to
                # call, and an error in it is not blamed on the test that happened to run last.
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=item.parent)
            except BaseException as error:
                record.message(
                    position, ": ".join(filter(None, ("pytest itself ended", type(error).__name__, str(error))))
                )
                raise
            if after is not None:
                after(position)
            self._leave(following)
            record.finish(position, now() - began)

    def _leave(self, following: Any) -> None:
        assert self.record is not None
        try:
            self.session._setupstate.teardown_exact(following)
        except BaseException as error:  # pytest.fail is not an Exception
            self.record.phase(self.position, "leaving", FAILED)
            errors = getattr(error, "exceptions", [error])  # several come as a group
            said = "; ".join("%s: %s" % (type(e).__name__, e) for e in errors)
            self.record.message(self.position, "teardown of a shared fixture: " + said)


def _own_place(traceback: Any) -> tuple[str, int] | None:
    """File and line that called what failed, where for pytest that is a line of unittest's, or of frozen code."""
    entries = list(traceback)
    if not entries or not _is_foreign(entries[-1]):
        return None
    for entry in reversed(entries):
        if not _is_foreign(entry):
            return str(entry.path), entry.lineno + 1
    return None


def _is_foreign(entry: Any) -> bool:
    return "__unittest" in entry.frame.f_globals or str(entry.path).startswith("<")


def _reason(longrepr: Any, place: tuple[str, int] | None) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    if crash is None:
        return str(longrepr).strip().rpartition("\n")[2]
    path, line = place or (crash.path, crash.lineno)
    first = str(crash.message).strip().partition("\n")[0]
    return "%s:%s: %s" % (os.path.basename(str(path)), line, first)
