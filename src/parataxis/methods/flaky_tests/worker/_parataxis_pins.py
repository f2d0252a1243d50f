"""Clocks and randomness: told where they are read, and held where the plan says so.

{"clock": ["start", ns]}    the first reading is that time, then it goes on      ["frozen", ns]   it stands still
{"clock": ["step", ns]}     each reading is a millisecond after the one before
{"random": text}            whatever is drawn from the system is the same in each run with this text
"""

from __future__ import annotations

import copyreg
import datetime
import hashlib
import os
import random
import sys
import time
import types
from typing import Any, Callable

# Code that waits by the clock, and would wait for ever by one that stands still; and the runner itself.
WAITING = ("threading", "queue", "asyncio", "selectors", "select", "subprocess", "socket", "socketserver", "concurrent")
KEEP_TIME = frozenset((*WAITING, "multiprocessing", "sched", "faulthandler", "pytest", "_pytest", "pluggy"))
WALL, STEADY = ("time", "time_ns"), ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
STEP = 1_000_000  # ns


REPLACED = {
    "time": (*WALL, *STEADY, "sleep", "localtime", "gmtime", "ctime", "strftime"),
    "datetime": ("datetime", "date"),
    "random": ("seed",),
    "asyncio": ("sleep", "wait", "wait_for", "timeout"),
    "threading": ("Lock",),
    "concurrent.futures": ("as_completed", "wait"),
    "subprocess": ("run",),
    "select": ("select",),
    "builtins": ("open",),
    "os": ("urandom", "getrandom", "listdir", "scandir", "stat", "remove", "unlink", "mkdir", "rmdir", "replace",
           "rename", "utime", "truncate", "read", "write", "fstat", "lstat"),
    "fcntl": ("flock", "lockf"),
}  # fmt: skip


class Replacements:
    """Functions and classes to be replaced wherever a module, or a default argument of the suite's, holds them.

    Looking for the places takes longer than a small test: it is done once, before the forks.
    """

    def __init__(self, own: Any) -> None:
        wanted = [getattr(sys.modules.get(m), name, None) for m, names in REPLACED.items() for name in names]
        self._held: dict[int, list[tuple[dict[str, Any], str]]] = {id(old): [] for old in wanted if old is not None}
        self._functions: list[types.FunctionType] = []
        self._new: dict[int, tuple[Any, Any]] = {}
        self.dates = False  # does the suite hold a class that knows the date?
        for name, module in list(sys.modules.items()):
            held = getattr(module, "__dict__", None)
            if type(held) is not dict or name.startswith("_parataxis_"):
                continue
            for key, value in list(held.items()):
                if id(value) in self._held:
                    self._held[id(value)].append((held, key))
            if own.path(getattr(module, "__file__", None) or os.devnull) is not None:
                self._look_at(held)

    def _look_at(self, held: dict[str, Any]) -> None:
        things = list(held.values())
        self.dates |= any(thing is known for thing in things for known in (datetime, datetime.datetime, datetime.date))
        things += [thing for kind in things if isinstance(kind, type) for thing in vars(kind).values()]
        self._functions += [f for f in things if isinstance(f, types.FunctionType) and f.__defaults__]

    def add(self, old: Any, new: Any) -> None:
        self._new[id(old)] = (old, new)

    def apply(self) -> None:
        for known, (_, new) in self._new.items():
            for held, key in self._held.get(known, ()):
                held[key] = new
        for function in self._functions:
            defaults = function.__defaults__ or ()
            if any(id(value) in self._new for value in defaults):
                function.__defaults__ = tuple(self._new.get(id(value), (value, value))[1] for value in defaults)


def _keeps_time(frame: Any) -> bool:
    name = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in KEEP_TIME or name.startswith("_parataxis_")


class _Hands:
    """Wall clock and steady clock under one plan, in nanoseconds."""

    def __init__(self, plan: list[Any] | None) -> None:
        self.mode: str | None = plan[0] if plan else None
        self.at: int = plan[1] if plan else 0
        self._steady = time.perf_counter_ns
        self._began: int | None = None
        self._reads = 0

    def read(self, real: Callable[[], int], wall: bool) -> int:
        if self.mode is None:
            return real()
        at = self.at if wall else 10**15 + self.at % 10**11
        if self.mode == "frozen":
            return at
        if self.mode == "step":
            self._reads += 1
            return at + self._reads * STEP
        now = self._steady()
        if self._began is None:
            self._began = now
        return at + now - self._began


class _Clock:
    """Stands in for time.time and the like; not a function, which would become a method in a class's body."""

    __slots__ = ("hands", "ns", "real", "real_ns", "wall", "watch")

    def __init__(self, watch: Any, hands: _Hands, name: str) -> None:
        self.watch, self.hands, self.wall = watch, hands, name in WALL
        self.real, self.ns = getattr(time, name), name.endswith("_ns")
        self.real_ns = getattr(time, name if self.ns else name + "_ns")

    def __call__(self) -> Any:
        frame = sys._getframe(1)
        if _keeps_time(frame):
            return self.real()
        self.watch.note("clock" if self.wall else "stopwatch", frame)
        if self.hands.mode is None:
            return self.real()
        ns = self.hands.read(self.real_ns, self.wall)
        return ns if self.ns else ns / 1e9


class _Calendar:
    """Stands in for time.localtime, gmtime, ctime (`last` 0), strftime (`last` 1): they read the clock by default."""

    __slots__ = ("last", "now", "real")

    def __init__(self, real: Any, now: _Clock, last: int) -> None:
        self.real, self.now, self.last = real, now, last

    def __call__(self, *args: Any) -> Any:
        if len(args) > self.last or _keeps_time(sys._getframe(1)):
            return self.real(*args)
        self.now.watch.note("clock", sys._getframe(1))
        if self.now.hands.mode is None:
            return self.real(*args)
        now = self.now.hands.read(self.now.real_ns, True) / 1e9
        return self.real(*args, time.localtime(now) if self.last else now)


def clocks(watch: Any, table: Replacements) -> None:
    hands = _Hands(watch.plan.get("clock"))
    made = {name: _Clock(watch, hands, name) for name in WALL + STEADY}
    for clock in made.values():
        table.add(clock.real, clock)
    for name, last in (("localtime", 0), ("gmtime", 0), ("ctime", 0), ("strftime", 1)):
        table.add(getattr(time, name), _Calendar(getattr(time, name), made["time"], last))
    if hands.mode is not None:
        _dates(watch, table, hands, made["time"].real_ns)
    elif table.dates:
        watch.sites.setdefault("dates", {})[""] = 1  # it may be read where nobody sees it: in C


def _dates(watch: Any, table: Replacements, hands: _Hands, real_ns: Callable[[], int]) -> None:
    """Classes that know another now. They must stay what isinstance and pickle take them for."""
    moment, day = datetime.datetime, datetime.date

    class Meta(type):
        def __instancecheck__(cls, thing: Any) -> bool:
            return isinstance(thing, day if cls.__name__ == "date" else moment)

        def __subclasscheck__(cls, kind: Any) -> bool:
            return issubclass(kind, day if cls.__name__ == "date" else moment)

    def now(frame: Any, zone: Any = None) -> Any:
        watch.note("clock", frame)
        seconds, rest = divmod(hands.read(real_ns, True), 10**9)
        return moment.fromtimestamp(seconds, zone).replace(microsecond=rest // 1000)

    class Moment(moment, metaclass=Meta):  # type: ignore[valid-type, misc]
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return moment.__new__(moment if cls is Moment else cls, *args, **kwargs)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.now(tz) if _keeps_time(sys._getframe(1)) else now(sys._getframe(1), tz)

        @classmethod
        def today(cls) -> Any:
            return now(sys._getframe(1))

        @classmethod
        def utcnow(cls) -> Any:
            return now(sys._getframe(1), datetime.timezone.utc).replace(tzinfo=None)

    class Day(day, metaclass=Meta):  # type: ignore[valid-type, misc]
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return day.__new__(day if cls is Day else cls, *args, **kwargs)

        @classmethod
        def today(cls) -> Any:
            return now(sys._getframe(1)).date()

    for real, fake in ((moment, Moment), (day, Day)):
        fake.__name__ = fake.__qualname__ = real.__name__
        fake.__module__ = "datetime"
        copyreg.pickle(real, lambda thing, fake=fake: (fake, thing.__reduce__()[1]))  # type: ignore[misc]
        table.add(real, fake)


# -- randomness ----------------------------------------------------------------------------------------------------


def state(generator: Any) -> Any:
    """Something that differs once the generator has been drawn from."""
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else hash(generator.getstate())
    if hasattr(generator, "bit_generator"):
        return repr(generator.bit_generator.state)
    return repr(generator.get_state(legacy=False)["state"])


def _drawn_for(frame: Any) -> str:
    """A number, or no more than the name of a temporary file."""
    while frame is not None and frame.f_globals.get("__name__") == "random":
        frame = frame.f_back
    return "name" if frame is not None and frame.f_globals.get("__name__") == "tempfile" else "draw"


class _Stream:
    """Stands in for os.urandom."""

    __slots__ = ("count", "real", "seed", "watch")

    def __init__(self, watch: Any, real: Any, seed: str | None) -> None:
        self.watch, self.real, self.seed, self.count = watch, real, seed, 0

    def __call__(self, size: int, *flags: int) -> bytes:
        self.watch.note(_drawn_for(sys._getframe(1)), sys._getframe(1))
        return self.real(size, *flags) if self.seed is None else self.next(size)

    def next(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_128(("%s/%d" % (self.seed, self.count)).encode()).digest(size)


def randomness(watch: Any, table: Replacements) -> None:
    seed = watch.plan.get("random")
    stream = _Stream(watch, os.urandom, seed)
    table.add(os.urandom, stream)
    if hasattr(os, "getrandom"):
        table.add(os.getrandom, _Stream(watch, os.getrandom, seed))
    if seed is not None and "uuid" in sys.modules:
        sys.modules["uuid"]._generate_time_safe = None  # type: ignore[attr-defined]
    plain = random.Random.seed

    def reseed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            watch.note(_drawn_for(sys._getframe(1)), sys._getframe(1))
            a = None if stream.seed is None else int.from_bytes(stream.next(16), "big")
        plain(self, a, version)

    random.Random.seed = reseed  # type: ignore[method-assign]
    table.add(random.seed, random._inst.seed)


class DrawTracer:
    """Finds the lines that draw from a generator: its state is another when the next line is reached."""

    def __init__(self, watch: Any) -> None:
        self.watch = watch
        self.line: str | None = None
        self.states = {id(g): (g, state(g)) for g in watch.generators}
        numpy = sys.modules.get("numpy.random")
        self.kinds = (random.Random,) if numpy is None else (random.Random, numpy.Generator, numpy.RandomState)

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        path = self.watch.own.path(frame.f_code.co_filename)
        if path is None:
            return None
        for thing in frame.f_locals.values():
            if issubclass(type(thing), self.kinds) and id(thing) not in self.states:
                self.states[id(thing)] = (thing, state(thing))
        for key, (generator, before) in self.states.items():
            now = state(generator)
            if now != before:
                self.states[key] = (generator, now)
                if self.line is not None:
                    counts = self.watch.sites.setdefault("draw", {})
                    counts[self.line] = counts.get(self.line, 0) + 1
        self.line = self.watch.own.site(frame.f_back if event == "return" else frame)
        return self
