"""Views of some folders that a process has to itself: the same paths, and what is written in them vanishes.

A mount namespace, a tmpfs for what is written, and an overlay over each of the folders. To mount them takes longer than
a small test does, and most tests write nothing there: so a view in which nothing was written serves the next order too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
from typing import Any

import _parataxis_process as process

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 16384, 1 << 18
SAME, OTHER, MAPPED = b"=", b"!", b"u"  # what a keeper answers
PATIENCE = 5000  # milliseconds that a keeper of a view may take to answer

_libc = ctypes.CDLL(None, use_errno=True) if process.LINUX else None
_open, _read, _write, _listdir, _stat, _chdir = open, os.read, os.write, os.listdir, os.stat, os.chdir
_poll = select.poll  # bound before the suite is imported


class Views:
    """The views of one session's orders; `layer` is an empty folder to mount what is written on."""

    def __init__(self, folders: list[str], layer: str) -> None:
        self.folders, self.layer = folders, layer
        self._idle: list[_Keeper] = []
        self._taken: dict[int, _Keeper] = {}
        self._kept = True  # until one can't be

    def keepers(self) -> set[int]:
        """The processes that keep them."""
        return {keeper.pid for keeper in self._keepers()}

    def _keepers(self) -> list[_Keeper]:
        return [*self._idle, *self._taken.values()]

    def take(self, order: int) -> None:
        """In the parent, before an order."""
        if not self._idle and self._kept:
            keeper = _Keeper(self.folders, self.layer)
            self._kept = keeper.ready()
            self._idle += [keeper] if self._kept else []
        if self._idle:
            self._taken[order] = self._idle.pop()

    def enter(self, order: int) -> None:
        """In the child: be in the view taken for the order. Raises OSError, and says why, where that is refused."""
        keeper = self._taken.get(order)
        if keeper is None or not keeper.let_in():
            private_view(self.folders, self.layer)
        for each in self._keepers():
            each.close()

    def leave(self, order: int) -> None:
        """In the parent, once every process of the order has ended: keep its view if it is as it was."""
        keeper = self._taken.pop(order, None)
        if keeper is not None and keeper.unchanged():
            self._idle.append(keeper)
        elif keeper is not None:
            keeper.end()

    def forget(self) -> None:
        """In the parent, once what lies below the views has changed: none of them is to be entered again."""
        while self._idle:
            self._idle.pop().end()


def look(folders: list[str], layer: str) -> Any:
    """What may be changed in the view that the calling process is in: what is written, and what is mounted.

    What is written, moved or removed below a folder leaves a copy or a mark in its upper folder. Of what came and went
    at its top, the times tell.
    """
    uppers = [os.path.join(layer, "upper-%d" % number) for number in range(len(folders))]
    told = ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_ctime_ns")
    states = [([getattr(_stat(upper), name) for name in told], _listdir(upper)) for upper in uppers]
    with _open("/proc/self/mountinfo") as stream:
        return states, sorted(_listdir(layer)), stream.read()


class _Keeper:
    """A child that is in a view and does nothing there, so that the view stays; it tells whether it is as it was."""

    def __init__(self, folders: list[str], layer: str) -> None:
        self._folders, self._layer = folders, layer
        (self._answers, answers), (asked, self._asks) = os.pipe(), os.pipe()
        parent = os.getpid()
        self.pid = process.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                process.enter_group(parent)
                process.close_all_but(asked, answers)
                self._keep(asked, answers)
            os._exit(0)
        os.close(answers)
        os.close(asked)
        self._fd = process.pidfd(self.pid)
        self._flags = CLONE_NEWNS

    def _keep(self, asked: int, answers: int) -> None:
        mapped = private_view(self._folders, self._layer)
        before = look(self._folders, self._layer)
        _write(answers, MAPPED if mapped else SAME)
        while _read(asked, 1):
            _write(answers, SAME if look(self._folders, self._layer) == before else OTHER)

    def ready(self) -> bool:
        """Wait until it is in its view; if it can't be, it has ended."""
        answer = self._answer()
        if self._fd is None or answer not in (SAME, MAPPED):
            self.end()
            return False
        self._flags |= CLONE_NEWUSER if answer == MAPPED else 0
        return True

    def let_in(self) -> bool:
        """Put the calling process into the view; False where the kernel can't (before Linux 5.8)."""
        assert _libc is not None
        here = os.getcwd()
        if _libc.setns(self._fd, self._flags) != 0:
            return False
        _chdir(here)
        return True

    def unchanged(self) -> bool:
        with contextlib.suppress(OSError):  # it was killed
            _write(self._asks, b"?")
            return self._answer() == SAME
        return False

    def _answer(self) -> bytes:
        watch = _poll()
        watch.register(self._answers, select.POLLIN)
        return _read(self._answers, 1) if watch.poll(PATIENCE) else b""

    def close(self) -> None:
        for fd in filter(None, (self._answers, self._asks, self._fd)):
            os.close(fd)

    def end(self) -> None:
        process.kill_group(self.pid)
        process.reap(self.pid)
        self.close()


def private_view(folders: list[str], layer: str) -> bool:
    """Give this process, and what it starts, a view of `folders` of its own: the same paths, what is written vanishes.

    A mount namespace (inside a user namespace where we may not have one without), a tmpfs on the empty folder `layer`
    for what is written, and an overlay over each of the folders. Tells whether it took a user namespace. The calling
    process must have one thread. Raises OSError, and says why, where the system refuses.
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
    _chdir(os.getcwd())  # the same path, now inside the overlay
    return mapped


def why_no_private_view(folders: list[str], layer: str) -> str:
    """Empty if `private_view` works here, else the reason; tried in a child, for it can't be undone."""
    if not process.LINUX:
        return "overlay mounts exist on Linux only"
    for folder in folders:
        prefix = os.path.join(os.path.realpath(folder), "")
        points = (line.split()[4] for line in process.read("/proc/self/mountinfo").splitlines())
        if any(point.replace("\\040", " ").startswith(prefix) for point in points):
            return "file systems are mounted below %s; an overlay would hide them" % folder
    reader, writer = os.pipe()
    pid = process.fork()
    if pid == 0:
        try:
            private_view(folders, layer)
        except BaseException as error:
            os.write(writer, str(error).encode() or b"refused")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        why = stream.read().decode()
    process.reap(pid)
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
