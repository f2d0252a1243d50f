"""Watches one test while it runs, and changes one thing about its surroundings if asked to.

What is seen: where the suite's own code reads a clock, draws at random, waits, opens files and connections, starts
threads and processes; what trouble these gave; how the test failed; what it left behind. A plan, a dictionary of one
entry, is an intervention: where chance goes with it, the cause is shown and not guessed. See `chance.py` for the plans.

Nothing is put back: the watch ends with the forked child that it ran in.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import threading
import weakref
from typing import Any, Callable, Iterator, Sequence

import _parataxis_counts as counts
import _parataxis_failure as failure
import _parataxis_files as files
import _parataxis_held as held
import _parataxis_left as left
import _parataxis_outer as outer
import _parataxis_pins as pins
import _parataxis_slots as slots
import _parataxis_waits as waits
import _parataxis_work as work
import pytest

# What a process may run into that is neither network nor file: not even an attempt failed.
NO_TROUBLE = (errno.EINPROGRESS, errno.EAGAIN, errno.EWOULDBLOCK, errno.EALREADY, errno.EISCONN)
MOST_SITES = 40  # of one kind
LISTINGS = ("os.listdir", "os.scandir")
PROCESSES = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system")
THREADS = ("_thread.start_new_thread", "_thread.start_joinable_thread")


MAKES = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}  # and the place of the path

HEARD = frozenset((*LISTINGS, *PROCESSES, *THREADS, *MAKES, "open", "socket.getaddrinfo"))


class Own:
    """Which code is the suite's own: below its root, and no library that happens to be installed there."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(root, "")
        self._not = tuple(os.path.join(p, "") for p in {sys.prefix, sys.base_prefix, _HERE})
        self._known: dict[str, str | None] = {}

    def path(self, file: str) -> str | None:
        """A file's path relative to the root; None if it is not the suite's."""
        if file not in self._known:
            mine = file.startswith(self._root) and not file.startswith(self._not) and "site-packages" not in file
            self._known[file] = file[len(self._root) :] if mine else None
        return self._known[file]

    def site(self, frame: Any) -> str | None:
        """The innermost line of the suite's own code, as file:line, from `frame` outwards."""
        while frame is not None:
            path = self.path(frame.f_code.co_filename)
            if path is not None:
                return "%s:%d" % (path, frame.f_lineno)
            frame = frame.f_back
        return None


class _AtWork(threading.local):
    """Whether this thread looks at a file itself."""

    on = False


_at_work = _AtWork()
_HERE = os.path.dirname(os.path.abspath(__file__))


def ready(root: str) -> tuple[Own, pins.Replacements]:
    """What takes a while and is the same for every run of a test."""
    own = Own(root)
    return own, pins.Replacements(own)


class Watch:
    """Use around the run of one test, in a process that ends with it: `with Watch(...) as watch: ...; watch.seen()`.

    plan: the intervention, or {} to look only; own, table: made once, before the fork (see `ready`); config: pytest's,
    to be told how the test failed; generators: those that the suite did not seed.
    """

    def __init__(
        self, plan: dict[str, Any], own: Own, table: pins.Replacements, config: Any, generators: Sequence[Any] = ()
    ) -> None:
        self.plan, self.own, self.table, self.config, self.generators = plan, own, table, config, generators
        self.main = threading.get_ident()
        self.sites: dict[str, dict[str, int]] = {}
        self.troubles: list[list[Any]] = []
        self.failure: dict[str, Any] | None = None
        self.left: dict[str, int] = {}
        self.drawn: list[str] = []
        self.unjoined: set[Any] = set()
        self.aside: Any = weakref.WeakSet()  # tasks that the suite's code has made
        self.followed: set[str] = set()  # waits after which work was started
        self.enclosing: set[str | None] = set()  # waits that start it themselves
        self.kept = left.Kept()
        self.counts: counts.Counts | None = None
        self.held: held.Held | None = None
        self.work = work.Work(self)
        self.created: dict[str, int] = {}  # names of files, in which order
        self.writers, self.at_work = files.Writers(), _at_work
        self.budget = 1.5  # seconds that interventions may add
        self._on = False

    # -- what the patches tell -------------------------------------------------------------------------------------

    def note(self, kind: str, frame: Any) -> str | None:
        """Count an event; returns its place in the suite's own code, None if that has no part in it."""
        site = self.own.site(frame) if self._on else None
        if site is not None:
            if kind == "wait" and self.is_aside():
                kind = "wait aside"
            counts = self.sites.setdefault(kind, {})
            if site in counts or len(counts) < MOST_SITES:
                counts[site] = counts.get(site, 0) + 1
        return site

    def is_aside(self) -> bool:
        """In another thread, or in a task that was made of a coroutine to go on meanwhile."""
        if threading.get_ident() != self.main:
            return True
        asyncio: Any = sys.modules.get("asyncio") if self.aside else None
        return bool(asyncio and asyncio._get_running_loop() and asyncio.current_task() in self.aside)

    def trouble(self, kind: str, error: BaseException | str, frame: Any) -> None:
        number = getattr(error, "errno", None)
        site = self.own.site(frame) if self._on else None
        if site is None or number in NO_TROUBLE or len(self.troubles) >= MOST_SITES:
            return
        name = error if isinstance(error, str) else errno.errorcode.get(number or 0) or type(error).__name__
        self.troubles.append(["leak" if number in failure.EXHAUSTED else kind, name, site])

    def spend(self, seconds: float) -> float:
        """As much of that as may still be added to the run."""
        granted = max(0.0, min(seconds, self.budget))
        self.budget -= granted
        return granted

    # -- the course ------------------------------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        self.config.pluginmanager.register(self, "parataxis-watch")
        pins.clocks(self, self.table)
        pins.randomness(self, self.table)
        waits.install(self, self.table)
        self.work.install()
        slots.install(self, self.table)
        files.install(self, self.table)
        outer.install(self)
        self.table.apply()
        self._states = [pins.state(generator) for generator in self.generators]
        sys.addaudithook(self._audit)
        gc.collect(0)  # what the watch has made brings the collector's next turn no nearer
        self._intervene()
        self._on = True
        return self

    def _intervene(self) -> None:
        if "switch" in self.plan:
            sys.setswitchinterval(self.plan["switch"])
        if "limits" in self.plan:
            _raise_limits()
        if "garbage" in self.plan:
            gc.freeze()
            gc.collect()  # of nothing: a full turn waits until a quarter of what the last one left has been added
            gc.disable() if self.plan["garbage"] == "never" else gc.set_threshold(1, 1, 1)
        if "trace" in self.plan:
            tracer = pins.DrawTracer(self)
            threading.settrace(tracer)
            sys.settrace(tracer)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        self._on = False
        changed = [g for g, state in zip(self.generators, self._states) if pins.state(g) != state]  # noqa: B905
        self.drawn += sorted({type(generator).__module__.partition(".")[0] for generator in changed})

    def seen(self) -> dict[str, Any]:
        return {
            "sites": self.sites,
            "troubles": self.troubles,
            "failure": self.failure,
            "left": self.left,
            "drawn": self.drawn,
            "unjoined": len(self.unjoined),
            "followed": sorted(self.followed),
            "started": self.work.count,
            "counts": self.counts.found if self.counts is not None else {},
            "held": self.held.told() if self.held is not None else {},
        }

    # -- hooks -----------------------------------------------------------------------------------------------------

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on or event not in HEARD:  # sys._getframe is an event too
            return
        frame = sys._getframe().f_back  # a thread that begins has none
        if frame is None or frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        if event == "open":
            self._opened(args, frame)
        elif event in MAKES:
            self._made(args[MAKES[event]], frame)
        elif event in LISTINGS and not _at_work.on:
            self._listed(args[0], frame)
        elif event in THREADS:
            self.note("thread", frame)
        elif event in PROCESSES:
            self.note("process", frame)
        elif event == "socket.getaddrinfo":
            self.note("network", frame)

    def _opened(self, args: tuple[Any, ...], frame: Any) -> None:
        path, _, flags = args
        if not isinstance(path, (str, bytes, os.PathLike)) or _at_work.on:
            return
        writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        if not _counts(os.fsdecode(path), bool(writing)):
            return
        if isinstance(flags, int) and flags & os.O_CREAT:
            self._made(path, frame)
        if self.note("write" if writing else "read", frame) is not None and not writing:
            _at_work.on = True
            files.look_at(self, os.fsdecode(path), frame)
            _at_work.on = False

    def _listed(self, path: Any, frame: Any) -> None:
        if self.note("listing", frame) is not None:
            _at_work.on = True
            files.look_into(self, path, frame)
            _at_work.on = False

    def _made(self, path: Any, frame: Any) -> None:
        name = os.fsdecode(path)
        self.created.setdefault(os.path.basename(name), len(self.created) + 1)
        if self.kept.calling and self.own.site(frame) is not None:
            self.kept.made(name)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        self.kept.begin()
        code = getattr(getattr(item, "function", None), "__code__", None)
        if "held" in self.plan:
            self.counts = self.held = held.Held(self.own, code, self.plan["held"], self.kept, "counts" in self.plan)
        elif "counts" in self.plan:
            self.counts = counts.Counts(self.own, code)
        if self.counts is not None:
            self.counts.start()
        outcome: Any = yield
        self.left = self.kept.end(outcome.excinfo[1] if outcome.excinfo else None)
        if self.counts is not None:
            self.counts.settle()

    def pytest_exception_interact(self, call: Any) -> None:
        if self.failure is None:
            self.failure = failure.told(call.excinfo.value, self.own, self.sites)


def _counts(path: str, writing: bool) -> bool:
    """Code is read to be run or shown; who writes some means it as a file."""
    return not path.startswith(("/dev/", "/proc/", "/sys/")) and (writing or not path.endswith((".py", ".pyc")))


def _raise_limits() -> None:
    """Let a test have as many descriptors as the system allows, whatever limit it sets itself."""
    import resource

    set_limit: Callable[..., Any] = resource.setrlimit
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    set_limit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit = lambda *_: None
