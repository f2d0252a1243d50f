"""What Linux offers to keep one order from touching the next: groups, death signals, and an end to all that is left."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import stat
import sys
import time
import warnings

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

# Bound before the suite is imported, which may patch `os` and `time`; freezegun replaces clocks wherever a module holds
# one: not inside a tuple.
_fork, _waitpid, _CLOCK = os.fork, os.waitpid, (time.monotonic,)
_waitid = getattr(os, "waitid", None)  # macOS has had it only since Python 3.13

SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def now() -> float:
    """Seconds on a clock that no test can stop, the same in every process."""
    return _CLOCK[0]()


def hear() -> None:
    """Ignore no signal that a suite started in the foreground would hear: a shell's `&` and nohup hand such on."""
    for each in SIGNALS:
        if signal.getsignal(each) is signal.SIG_IGN and each not in PYTHON_IGNORES:
            signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end at once if it has ended already."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def enter_group(parent: int) -> None:
    """As an order of its own: a process group that can be killed whole, and nobody below that gets away from us."""
    os.setpgid(0, 0)
    die_with_parent(parent)
    adopt_orphans()


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, so that none gets away."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def lock(folder: int) -> None:
    """Let no other hunt put files back in this folder until all that have this descriptor have ended. Raises OSError.

    What can't be locked, as on some networks, is not.
    """
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError("another hunt puts its files back; wait until that has ended") from error
    except OSError:
        pass


def fork() -> int:
    """Fork; a warning about forking, which a suite may turn into an error, is not heard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _fork()


def pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system or this Python has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def close_all_but(*kept: int) -> None:
    """Close every descriptor of this process that is not one of these."""
    for fd in map(int, _listdir("/proc/self/fd")):
        if fd not in kept:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(fd)


def has_ended(pid: int) -> bool:
    """Whether a child has ended. It stays unreaped, so that its id, and its group's, can't be another's yet."""
    try:
        if _waitid is None:
            return _waitpid(pid, os.WNOHANG)[0] != 0
        return _waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # the suite has had the kernel, or a handler of its own, reap children
        return True


def reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        _waitpid(pid, 0)


# jemalloc's own: it takes its locks before a fork, so that the child finds them free, and the child goes without it.
# pyarrow starts it when it is imported, as pandas does where pyarrow is installed.
SAFE_THREADS = ("jemalloc_bg_thd",)


def threads() -> int:
    """How many threads the kernel runs in this process that a fork would miss, unknown to Python or not."""
    try:
        names = [read("/proc/self/task/%s/comm" % each).strip() for each in os.listdir("/proc/self/task")]
    except OSError:
        import threading

        return threading.active_count()
    return sum(name not in SAFE_THREADS for name in names)


def kill_group(pid: int) -> None:
    """Kill a child that is not reaped yet, and its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_descendants(keep: set[int]) -> None:
    """Kill and reap every process below this one, but for the children in `keep` and what runs below them.

    A test may have started a server, or a daemon in a session of its own; as their adoptive parent we see them all.
    """
    while strays := _descendants(os.getpid(), keep):
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:
                keep = keep | {pid}
        for pid in set(strays) - keep:
            reap(pid)  # only our own children; the others are ours at the next look


def children(pid: int) -> list[int]:
    """Of all its threads."""
    tasks = _listdir("/proc/%d/task" % pid)
    return [int(each) for task in tasks for each in read("/proc/%d/task/%s/children" % (pid, task)).split()]


def _descendants(root: int, keep: set[int]) -> list[int]:
    return [found for pid in children(root) if pid not in keep for found in (*_descendants(pid, keep), pid)]


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""


def remove_tree(path: str) -> None:
    """Remove a folder in which a test may have left odd permissions; what can't be removed stays."""
    try:
        os.rmdir(path)  # most are empty
        return
    except OSError:
        pass
    shutil.rmtree(path, ignore_errors=True)
    if not os.path.isdir(path):
        return
    for folder, names, _ in os.walk(path):
        for name in names:
            below = os.path.join(folder, name)
            if not os.path.islink(below):
                with contextlib.suppress(OSError):
                    os.chmod(below, stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=True)
