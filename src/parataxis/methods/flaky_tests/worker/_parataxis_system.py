"""What belongs to the process rather than to an object: settings that are asked for and set by a call, and files."""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found]
import _thread
import contextlib
import gc
import os
import shutil
import stat
import sys
import time
from typing import Any, Callable, Iterator

from _parataxis_facets import MISSING, Keyed, module_dict

# Bound before the suite is imported, which may patch them.
_open, _scandir, _lstat, _remove, _rmtree = open, os.scandir, os.lstat, os.remove, shutil.rmtree
_mkdir, _chmod, _chdir, _getcwd, _umask, _listdir = os.mkdir, os.chmod, os.chdir, os.getcwd, os.umask, os.listdir
_readlink, _symlink, _putenv, _unsetenv, _tzset = os.readlink, os.symlink, os.putenv, os.unsetenv, time.tzset
_getsignal, _setsignal, _modules = _signal.getsignal, _signal.signal, sys.modules
_join, _environment, _ident = os.path.join, os.environ._data, _thread.get_ident  # type: ignore[attr-defined]
_sys = {name: getattr(sys, name) for name in dir(sys) if name.startswith(("get", "set"))}
_gc = (gc.isenabled, gc.enable, gc.disable, gc.get_threshold, gc.set_threshold, gc.get_debug, gc.set_debug)

NOT_OURS = frozenset((b"PYTEST_CURRENT_TEST", b"PYTEST_VERSION"))


# -- the environment -------------------------------------------------------------------------------------------------


def _read_environment(owner: dict[bytes, bytes]) -> tuple[list[Any], list[Any]]:
    kept = [(key, value) for key, value in dict.items(owner) if key not in NOT_OURS]
    return [key for key, _ in kept], [value for _, value in kept]


def _put_variable(owner: dict[bytes, bytes], key: bytes, value: Any) -> None:
    if value is MISSING:
        dict.pop(owner, key, None)
        _unsetenv(key)
    else:
        dict.__setitem__(owner, key, value)
        _putenv(key, value)
    if key == b"TZ":
        _tzset()


ENVIRONMENT = Keyed("environment", _read_environment, _put_variable)


# -- settings --------------------------------------------------------------------------------------------------------


class Setting:
    """`get()` tells what it is now; `put(value)` sets it, where that can be done."""

    def __init__(self, kind: str, name: str, get: Callable[[], Any], put: Callable[[Any], Any] | None) -> None:
        self.kind, self.name, self._get, self.put = kind, name, get, put
        self.before = self.now()

    def now(self) -> Any:
        try:
            return self._get()
        except Exception as error:  # the current folder is gone, say
            return "(%s)" % type(error).__name__


def settings() -> list[Setting]:
    """Those of the modules that are loaded; nothing is imported for this."""
    found = [
        Setting("current folder", "current folder", _getcwd, _chdir),
        Setting("umask", "umask", _get_umask, _umask),
        Setting("locale", "locale", lambda: _locale.setlocale(_locale.LC_ALL, None), _set_locale),
        Setting("gc", "gc.isenabled()", _gc[0], lambda on: _gc[1]() if on else _gc[2]()),
        Setting("gc", "gc.get_threshold()", _gc[3], lambda three: _gc[4](*three)),
        Setting("gc", "gc.get_debug()", _gc[5], _gc[6]),
    ]
    for name, setter in _sys.items():
        getter = _sys.get("get" + name[3:])
        if name == "set_asyncgen_hooks":
            found.append(Setting("sys", "sys.get_asyncgen_hooks()", _get_hooks, _set_hooks))
        elif name.startswith("set") and getter is not None and name != "setdlopenflags":
            found.append(Setting("sys", "sys.get%s()" % name[3:], getter, setter))
    found += _signals()
    found += filter(None, (_logging(), _timeout(), _faulthandler(), _decimal(), _asyncio()))
    return found


def _get_hooks() -> Any:
    return tuple(_sys["get_asyncgen_hooks"]())


def _set_hooks(pair: Any) -> None:
    _sys["set_asyncgen_hooks"](*pair)


def _get_umask() -> int:
    mask = _umask(0o77)
    _umask(mask)
    return mask


def _set_locale(text: str) -> None:
    _locale.setlocale(_locale.LC_ALL, text)


def _signals() -> Iterator[Setting]:
    names = {value: name for name, value in module_dict(_signal).items() if name.startswith("SIG") and "_" not in name}
    for number in range(1, _signal.NSIG):
        if number in names:
            yield Setting("signal handler", "signal.%s" % names[number], *_handler(number))
    if hasattr(_signal, "getitimer"):
        timer, get, put = _signal.ITIMER_REAL, _signal.getitimer, _signal.setitimer
        # only whether it is set: the time left goes by
        yield Setting("signal handler", "signal.alarm", lambda: get(timer)[0] > 0, lambda _: put(timer, 0))


def _handler(number: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return lambda: _getsignal(number), lambda handler: _setsignal(number, handler)


def _of(module: str, *names: str) -> list[Any]:
    """What a module holds under these names, if it is loaded."""
    contents = vars(_modules[module]) if module in _modules else {}
    return [contents.get(name) for name in names]


def _logging() -> Setting | None:
    (root,) = _of("logging", "root")
    manager: Any = getattr(root, "manager", None)

    def put(level: int) -> None:
        manager.disable = level
        manager._clear_cache()

    return Setting("logging", "logging.disable()", lambda: manager.disable, put) if manager is not None else None


def _timeout() -> Setting | None:
    get, put = _of("_socket", "getdefaulttimeout", "setdefaulttimeout")
    return Setting("default timeout", "socket.getdefaulttimeout()", get, put) if get else None


def _faulthandler() -> Setting | None:
    get, on, off = _of("faulthandler", "is_enabled", "enable", "disable")
    return Setting("faulthandler", "faulthandler.is_enabled()", get, lambda b: on() if b else off()) if get else None


def _decimal() -> Setting | None:
    (get,) = _of("decimal", "getcontext")
    names = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")

    def read() -> Any:
        context = get()
        # flags are left out: every inexact division raises one
        return (*(getattr(context, n) for n in names), *(s.__name__ for s, trapped in context.traps.items() if trapped))

    def put(values: Any) -> None:
        context = get()
        for name, value in zip(names, values):  # noqa: B905 (Python 3.8)
            setattr(context, name, value)
        for trap in list(context.traps):
            context.traps[trap] = trap.__name__ in values[len(names) :]

    return Setting("decimal context", "decimal.getcontext()", read, put) if get else None


def _asyncio() -> Setting | None:
    """The policy, the loop that is current in this thread, and whether one was ever set: afterwards none is made."""
    if "asyncio.events" not in _modules:
        return None
    contents = module_dict(_modules["asyncio.events"])

    def read() -> Any:
        policy = contents.get("_event_loop_policy")
        state: dict[str, Any] = {}
        with contextlib.suppress(AttributeError):
            state = _thread._local.__getattribute__(policy._local, "__dict__")
        usual = policy is None or type(policy).__module__.startswith("asyncio.")
        return (None if usual else policy, state.get("_loop"), bool(state.get("_set_called")))

    now = contents.get("_event_loop_policy")

    def put(_: Any) -> None:
        contents["_event_loop_policy"] = now  # None before most tests: the next use makes a new one

    return Setting("asyncio", "asyncio.get_event_loop()", read, put)


def context_variables() -> dict[Any, Any]:
    """Of this thread's context; decimal's own is a setting."""
    if "contextvars" not in _modules:
        return {}
    import _contextvars

    return {var: value for var, value in _contextvars.copy_context().items() if var.name != "decimal_context"}


def threads() -> dict[int, Any]:
    return dict(_of("threading", "_active")[0] or {})


def descriptors() -> dict[int, str]:
    found = {}
    with contextlib.suppress(OSError):
        for name in _listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                found[int(name)] = _readlink("/proc/self/fd/" + name)
    return found


# -- all these again, read one by one as the records of a walk are ---------------------------------------------------


def _several(get: Callable[[], dict[Any, Any]]) -> Keyed:
    def read(_: Any) -> tuple[list[Any], list[Any]]:
        now = get()
        return list(now), list(now.values())

    return Keyed("", read, _never)


def _one(get: Callable[[Any], Any]) -> Keyed:
    return Keyed("", lambda owner: ([""], [get(owner)]), _never)


def _never(owner: Any, key: Any, value: Any) -> None:
    raise TypeError("only read")


def _target(number: int) -> str:
    try:
        return _readlink("/proc/self/fd/%d" % number)
    except OSError:
        return ""


def _status(path: str) -> Any:
    try:
        status = _lstat(path)
    except OSError:
        return MISSING
    return (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)


CONTEXT, THREADS = _several(context_variables), _several(threads)
SETTING, DESCRIPTOR = _one(Setting.now), _one(_target)
STATUS, THERE = _one(_status), _one(lambda path: _status(path) is not MISSING)


# -- files -----------------------------------------------------------------------------------------------------------

# fmt: off
PASSED_OVER = frozenset([
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", ".eggs", ".pytest_cache", ".mypy_cache", ".ruff_cache",
    ".hypothesis", ".parataxis", ".cache", "__pycache__", "node_modules", "site-packages", ".coverage",
])
# fmt: on
MOST_FILES = 10_000
LARGEST_COPY, LARGEST_COPIES = 1 << 16, 1 << 22
File = Any  # (mode, size, mtime, inode), and for a folder its mode alone


class Files:
    """What lies below some folders, with a copy of what is small."""

    def __init__(self, roots: list[str], ignore: list[str]) -> None:
        tops = list(dict.fromkeys(os.path.realpath(root) for root in roots))
        self.roots = [r for r in tops if not any(r.startswith(_join(top, "")) for top in tops)]
        self._ignore = {os.path.realpath(path) for path in ignore}
        self._room = LARGEST_COPIES
        self.files = self._list()
        self._copies = {path: self._copy(path, entry) for path, entry in self.files.items()}

    def _list(self) -> dict[str, File]:
        found: dict[str, File] = {}
        folders = list(self.roots)
        while folders and len(found) < MOST_FILES:
            with contextlib.suppress(OSError), _scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name in PASSED_OVER or entry.name.startswith("pytest-of-") or entry.path in self._ignore:
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        found[entry.path] = (status.st_mode,)
                        folders.append(entry.path)
                    else:
                        found[entry.path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def _copy(self, path: str, entry: File) -> Any:
        """The contents, None for what is too large or is no plain file."""
        if stat.S_ISLNK(entry[0]):
            return _readlink(path)
        if not stat.S_ISREG(entry[0]) or entry[1] > min(LARGEST_COPY, self._room):
            return None
        self._room -= entry[1]
        with contextlib.suppress(OSError), _open(path, "rb") as stream:
            return stream.read()
        return None

    def changes(self) -> list[tuple[str, Any, Any]]:
        """(path, then, now), the outermost only: not what lies in a folder that is new or gone."""
        now = self._list()
        found: list[tuple[str, Any, Any]] = []
        outer: list[str] = []
        self._room = LARGEST_COPIES
        for path in sorted({*self.files, *now}):
            then, current = self.files.get(path, MISSING), now.get(path, MISSING)
            if then == current or any(path.startswith(_join(other, "")) for other in outer):
                continue
            if then is not MISSING and current is not MISSING and then[:2] == current[:2]:
                copy = self._copies[path]
                if copy is not None and copy == self._copy(path, current):
                    continue
            found.append((path, then, current))
            if MISSING in (then, current):
                outer.append(path)
        return found

    def again(self) -> Files:
        """The same folders as they are now."""
        return Files(self.roots, list(self._ignore))

    def put_back(self, path: str, then: Any) -> bool:
        """Whether it could be."""
        below = [p for p in self.files if p.startswith(_join(path, ""))]
        if any(self._copies[p] is None and len(self.files[p]) > 1 for p in [path, *below] if p in self.files):
            return False
        with contextlib.suppress(OSError):
            _remove(path)
        if then is MISSING or len(then) > 1:
            _rmtree(path, ignore_errors=True)
        for place in [path, *sorted(below)] if then is not MISSING else ():
            self._write(place, self.files[place])
        return True

    def _write(self, path: str, entry: File) -> None:
        if stat.S_ISLNK(entry[0]):
            _symlink(self._copies[path], path)
            return
        if stat.S_ISDIR(entry[0]):
            with contextlib.suppress(FileExistsError):
                _mkdir(path)
        else:
            with _open(path, "wb") as stream:
                stream.write(self._copies[path])
        _chmod(path, stat.S_IMODE(entry[0]))
