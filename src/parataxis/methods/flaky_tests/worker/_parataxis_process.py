"""What Linux offers to keep one order from touching the next: groups, death signals, private file systems."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import stat
import sys
import warnings

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 16384, 1 << 18

LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end at once if it has ended already."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take back `die_with_parent`: from here on this process notices by itself and cleans up."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, so that none gets away."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def fork() -> int:
    """Fork; a warning about forking, which a suite may turn into an error, is not heard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def threads() -> int:
    """How many threads the kernel runs in this process, those that Python does not know of included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_descendants(keep: set[int]) -> None:
    """Kill every process below this one but those in `keep` and what runs below them, and reap what has ended.

    A test may have started a server, or a daemon in a session of its own; as their adoptive parent we see them all.
    """
    for _ in range(5):
        strays = _descendants(os.getpid(), keep)
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


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


def overlay(root: str, private: str) -> None:
    """Give this process, and what it starts, a private view of `root`: the same paths, but what is written vanishes.

    A mount namespace of its own (inside a user namespace where we are not root), a tmpfs for what is written, and an
    overlay of both over `root`. The calling process must have one thread. Raises OSError where the system refuses.
    """
    if _libc is None:
        raise OSError("overlay mounts exist on Linux only")
    if _mounts_below(root):
        raise OSError("file systems are mounted below %s; an overlay would hide them" % root)
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open("/proc/self/" + name, "w") as stream:
                stream.write(text)
    _mount("none", "/", None, MS_REC | MS_PRIVATE, None)
    layer = os.path.join(private, "layer")
    os.makedirs(layer)
    _mount("tmpfs", layer, "tmpfs", 0, None)
    upper, work = os.path.join(layer, "upper"), os.path.join(layer, "work")
    os.mkdir(upper)
    os.mkdir(work)
    shutil.copystat(root, upper)
    options = "lowerdir=%s,upperdir=%s,workdir=%s" % tuple(map(_escaped, (root, upper, work)))
    _mount("overlay", root, "overlay", 0, options if uid == 0 else options + ",userxattr")
    os.chdir(os.getcwd())  # the same path, now inside the overlay


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _mounts_below(root: str) -> bool:
    prefix = os.path.join(os.path.realpath(root), "")
    points = (line.split()[4] for line in _read("/proc/self/mountinfo").splitlines())
    return any(point.replace("\\040", " ").startswith(prefix) for point in points)


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
    for folder, names, _ in os.walk(path):
        for name in names:
            below = os.path.join(folder, name)
            if not os.path.islink(below):
                with contextlib.suppress(OSError):
                    os.chmod(below, stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=True)
