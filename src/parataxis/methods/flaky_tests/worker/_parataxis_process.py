"""What Linux offers to keep one order from touching the next: groups, death signals, private file systems."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import stat
import sys
import time
import warnings

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 16384, 1 << 18

# Bound before the suite is imported, which may patch `os` and `time`; freezegun replaces clocks wherever a module holds
# one: not inside a tuple.
_fork, _waitpid, _CLOCK = os.fork, os.waitpid, (time.monotonic,)
_waitid = getattr(os, "waitid", None)  # macOS has had it only since Python 3.13

SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def now() -> float:
    """Seconds on a clock that no test can stop, the same in every process."""
    return _CLOCK[0]()


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


def threads() -> int:
    """How many threads the kernel runs in this process, those that Python does not know of included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


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


def _descendants(root: int, keep: set[int]) -> list[int]:
    found = []
    for task in _listdir("/proc/%d/task" % root):
        for pid in map(int, _read("/proc/%d/task/%s/children" % (root, task)).split()):
            if pid not in keep:
                found += [*_descendants(pid, keep), pid]
    return found


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""


def private_view(folders: list[str], layer: str) -> None:
    """Give this process, and what it starts, a view of `folders` of its own: the same paths, what is written vanishes.

    A mount namespace (inside a user namespace where we may not have one without), a tmpfs on the empty folder `layer`
    for what is written, and an overlay over each of the folders. The calling process must have one thread. Raises
    OSError, and says why, where the system refuses.
    """
    mapped = _unshare()
    _mount("none", "/", None, MS_REC | MS_PRIVATE, None)
    _mount("tmpfs", layer, "tmpfs", 0, None)
    for number, folder in enumerate(folders):
        upper, work = (os.path.join(layer, "%s-%d" % (name, number)) for name in ("upper", "work"))
        os.mkdir(upper)
        os.mkdir(work)
        shutil.copystat(folder, upper)
        options = "lowerdir=%s,upperdir=%s,workdir=%s" % tuple(map(_escaped, (folder, upper, work)))
        _mount("overlay", folder, "overlay", 0, options + ",userxattr" if mapped else options)
    os.chdir(os.getcwd())  # the same path, now inside the overlay


def why_no_private_view(folders: list[str], layer: str) -> str:
    """Empty if `private_view` works here, else the reason; tried in a child, for it can't be undone."""
    if not LINUX:
        return "overlay mounts exist on Linux only"
    for folder in folders:
        prefix = os.path.join(os.path.realpath(folder), "")
        points = (line.split()[4] for line in _read("/proc/self/mountinfo").splitlines())
        if any(point.replace("\\040", " ").startswith(prefix) for point in points):
            return "file systems are mounted below %s; an overlay would hide them" % folder
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            private_view(folders, layer)
        except BaseException as error:
            os.write(writer, str(error).encode() or b"refused")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        why = stream.read().decode()
    reap(pid)
    return why


def _unshare() -> bool:
    """Enter a new mount namespace; tells whether that took a user namespace, in which everyone keeps their ids."""
    assert _libc is not None
    if _libc.unshare(CLONE_NEWNS) == 0:
        return False
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open("/proc/self/" + name, "w") as stream:
            stream.write(text)
    return True


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    assert _libc is not None
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    result = _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    _check(result, "mount of %s on %s" % (kind or source, target))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


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
