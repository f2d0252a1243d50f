"""The project's files as they were before the first order, put back after each: for where no overlay can be mounted.

    snapshot = Snapshot([project, home], store, aside, ignore)
    snapshot.refused       # why it can't be, if so
    snapshot.take()        # copies all contents into the folder `store`
    ...                    # an order runs
    snapshot.restore()

Somebody may be at work in the project meanwhile, and their edit looks like a test's. So what `restore` replaces or
removes there is kept in `aside`, once for each content. A file is replaced whole: a kill leaves the old or the new.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pickle
import stat
from typing import Any, Iterator, NamedTuple

# Bound before the suite is imported, which may patch them.
_scandir, _lstat, _access, _statvfs, _lexists = os.scandir, os.lstat, os.access, os.statvfs, os.path.lexists
_open, _close, _read, _pread, _write = os.open, os.close, os.read, os.pread, os.write
_replace, _link, _unlink, _readlink, _symlink = os.replace, os.link, os.unlink, os.readlink, os.symlink
_mkdir, _makedirs, _rmdir, _chmod, _chown, _utime = os.mkdir, os.makedirs, os.rmdir, os.chmod, os.chown, os.utime
_join, _split, _dirname, _sha256 = os.path.join, os.path.split, os.path.dirname, hashlib.sha256
_dump, _load, _stream = pickle.dump, pickle.load, open

# What carries no state from test to test, or is not ours to touch; not so .hypothesis and .cache.
# fmt: off
PASSED_OVER = frozenset([
    ".git", ".hg", ".svn", ".jj", ".venv", "venv", ".tox", ".nox", ".eggs", "site-packages", "node_modules",
    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".parataxis", ".idea", ".vscode",
])
# fmt: on
ENVIRONMENT = "pyvenv.cfg"  # in a virtual environment of any name
MOST_FILES, LARGEST = 20_000, 500_000_000  # bytes: of what is copied, and of what is kept aside
TEMPORARY = ".parataxis-putting-back"  # beside the file that it will replace
CONTENTS, MANIFEST = "contents", "manifest"
CHANGED, ADDED = "changed", "added"  # in `aside`
CHUNK = 1 << 20


class Known(NamedTuple):
    """What was there. seen: see `_seen`; content: a file's place and length in the store, or where a link leads."""

    seen: tuple[int, ...]
    owner: tuple[int, int]
    content: Any
    digest: str


def _seen(status: os.stat_result) -> tuple[int, ...]:
    """What tells that something was changed: of a folder its mode, for what it holds is listed as well."""
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    return (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _inside(folder: str) -> list[tuple[str, str, os.stat_result]]:
    """Name, path and status of what lies in a folder."""
    found = []
    with _scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # whoever is at work there has just removed it
                found.append((entry.name, entry.path, entry.stat(follow_symlinks=False)))
    return found


def _chunks(path: str) -> Iterator[bytes]:
    file = _open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while data := _read(file, CHUNK):
            yield data
    finally:
        _close(file)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[_write(file, data) :]


class Snapshot:
    """roots: the folders, first the project's, in which alone anything is kept aside; ignore: paths in them that are
    left alone, and ours: (device, inode) of files that are.
    """

    def __init__(
        self, roots: list[str], store: str, aside: str, ignore: list[str] | None = None, ours: Any = ()
    ) -> None:
        self.roots, self.store, self.aside = [os.path.realpath(root) for root in roots], store, aside
        self.below = tuple(_join(root, "") for root in self.roots)
        self.ignore = {os.path.realpath(path) for path in [store, *(ignore or [])]}
        self.ours = {tuple(pair) for pair in ours}
        self.room = LARGEST
        self.known: dict[str, Known] = {}
        self.opened: set[str] = set()
        self.refused = self._why_not()

    # -- before ----------------------------------------------------------------------------------------------------

    def _why_not(self) -> str:
        try:
            found = self._list(first=True)
            room = _statvfs(_dirname(self.store))
        except OSError as error:
            return str(error)
        if len(found) > MOST_FILES:
            return "more than {:,} files and folders in {}".format(MOST_FILES, self.roots[0])
        size = sum(status.st_size for status in found.values() if stat.S_ISREG(status.st_mode))
        if size > LARGEST:
            return "%d MB in %s, more than %d" % (size // 10**6, self.roots[0], LARGEST // 10**6)
        if size > room.f_bavail * room.f_frsize:
            return "no room for %d MB in %s" % (size // 10**6, _dirname(self.store))
        for path, status in found.items():
            if not stat.S_ISLNK(status.st_mode) and not _access(path, os.R_OK):
                return "%s can't be read" % path
        return ""

    def take(self) -> None:
        """Once. Raises OSError."""
        if self.known:
            return
        _makedirs(self.store, exist_ok=True)
        contents = _open(_join(self.store, CONTENTS), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            end, known = 0, {}
            for path, status in self._list(first=True).items():
                content: Any = None
                digest = ""
                if stat.S_ISREG(status.st_mode):
                    begin, hashed = end, _sha256()
                    for data in _chunks(path):
                        _write_all(contents, data)
                        hashed.update(data)
                        end += len(data)
                    content, digest = (begin, end - begin), hashed.hexdigest()
                elif stat.S_ISLNK(status.st_mode):
                    content = _readlink(path)
                known[path] = Known(_seen(status), (status.st_uid, status.st_gid), content, digest)
        finally:
            _close(contents)
        self.known = known
        with _stream(_join(self.store, TEMPORARY), "wb") as stream:
            _dump(vars(self), stream)
        _replace(_join(self.store, TEMPORARY), _join(self.store, MANIFEST))

    def _list(self, first: bool = False) -> dict[str, os.stat_result]:
        """Everything there is, or at first so much of it that it is too much."""
        found: dict[str, os.stat_result] = {}
        for root in self.roots:
            with contextlib.suppress(FileNotFoundError):
                found[root] = _lstat(root)
        folders = [root for root, status in found.items() if stat.S_ISDIR(status.st_mode)]
        while folders and not (first and len(found) > MOST_FILES):
            folder = folders.pop()
            if not first:
                self._allow(folder, os.R_OK | os.X_OK)
            inside = _inside(folder)
            if first and folder not in self.roots and any(name == ENVIRONMENT for name, _, _ in inside):
                self.ignore.add(folder)
                del found[folder]
                continue
            new = not first and not self._was_folder(folder)  # then so is all in it, whatever its name
            for name, path, status in inside:
                if path in self.ignore or (status.st_dev, status.st_ino) in self.ours:
                    continue
                if name in PASSED_OVER and not new:
                    continue
                if first and stat.S_IFMT(status.st_mode) not in (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK):
                    self.ignore.add(path)  # a socket, say
                elif name == TEMPORARY and not stat.S_ISDIR(status.st_mode):
                    _unlink(path)  # of a restore that was killed
                else:
                    found[path] = status
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(path)
        return found

    def _was_folder(self, path: str) -> bool:
        return path in self.known and stat.S_ISDIR(self.known[path].seen[0])

    def _allow(self, folder: str, what: int) -> None:
        """Be able to do that with a folder of ours. `restore` gives it its own mode in the end."""
        if not _access(folder, what) and (folder in self.roots or folder.startswith(self.below)):
            _chmod(folder, stat.S_IMODE(_lstat(folder).st_mode) | stat.S_IRWXU)
            self.opened.add(folder)

    # -- after -----------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Raises OSError, and leaves the rest as it is, where something can't be put back."""
        self.opened.clear()
        now = self._list()
        wrong = [path for path in now if stat.S_ISDIR(now[path].st_mode) != self._was_folder(path)]
        added = [path for path in now if path not in self.known]
        for path in sorted({*wrong, *added}, reverse=True):  # what a folder holds before the folder
            self._remove(path, now.pop(path))
        for path in sorted(path for path in self.known if path not in now or _seen(now[path]) != self.known[path].seen):
            self._put_back(path, now.get(path))
        for folder in sorted(self.opened, reverse=True):
            if folder in self.known:
                _chmod(folder, stat.S_IMODE(self.known[folder].seen[0]))

    def _remove(self, path: str, status: os.stat_result) -> None:
        self._allow(_dirname(path), os.W_OK | os.X_OK)
        if not stat.S_ISDIR(status.st_mode):
            self._keep(path, status)
            _unlink(path)
            return
        try:
            _rmdir(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # it holds what is ignored
                raise

    def _put_back(self, path: str, status: os.stat_result | None) -> None:
        known = self.known[path]
        folder, mode = _dirname(path), known.seen[0]
        self._allow(folder, os.W_OK | os.X_OK)
        if stat.S_ISDIR(mode):
            if status is None:
                _mkdir(path, stat.S_IRWXU)
                self._own(path, known.owner)
            self.opened.add(path)
            return
        same = status is not None and self._same(path, status, known)
        place = path if same else _join(folder, TEMPORARY)
        if not same:
            if status is not None:
                self._keep(path, status)
            self._make(place, known)
        self._own(place, known.owner)
        if stat.S_ISREG(mode):
            _chmod(place, stat.S_IMODE(mode))
            _utime(place, ns=(_lstat(place).st_atime_ns, known.seen[2]))
        if not same:
            _replace(place, path)
        self.known[path] = known._replace(seen=_seen(_lstat(path)))

    def _same(self, path: str, status: os.stat_result, known: Known) -> bool:
        """Whether it has the content that it had, and only its mode or its times are others."""
        if stat.S_IFMT(status.st_mode) != stat.S_IFMT(known.seen[0]):
            return False
        if stat.S_ISLNK(status.st_mode):
            return bool(_readlink(path) == known.content)
        return status.st_size == known.content[1] and self._digest(path) == known.digest

    def _digest(self, path: str) -> str:
        if not _access(path, os.R_OK):
            _chmod(path, stat.S_IRUSR)
        hashed = _sha256()
        for data in _chunks(path):
            hashed.update(data)
        return hashed.hexdigest()

    def _make(self, place: str, known: Known) -> None:
        if stat.S_ISLNK(known.seen[0]):
            _symlink(known.content, place)
            return
        (begin, size), source = known.content, _open(_join(self.store, CONTENTS), os.O_RDONLY)
        try:
            target = _open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                for at in range(begin, begin + size, CHUNK):
                    _write_all(target, _pread(source, min(CHUNK, begin + size - at), at))
            finally:
                _close(target)
        finally:
            _close(source)

    def _own(self, path: str, owner: tuple[int, int]) -> None:
        status = _lstat(path)
        if (status.st_uid, status.st_gid) != owner:
            with contextlib.suppress(PermissionError):
                _chown(path, *owner, follow_symlinks=False)

    # -- aside -----------------------------------------------------------------------------------------------------

    def _keep(self, path: str, status: os.stat_result) -> None:
        """Keep what somebody may miss, under its own path with a hash of its content."""
        is_link = stat.S_ISLNK(status.st_mode)
        ours = not path.startswith(self.below[0]) or "/__pycache__/" in path
        if ours or not (is_link or stat.S_ISREG(status.st_mode)):
            return
        digest = _sha256(os.fsencode(_readlink(path))).hexdigest() if is_link else self._digest(path)
        folder, name = _split(os.path.relpath(path, self.roots[0]))
        name = os.fsdecode(os.fsencode(name)[:200]) + "." + digest[:12]  # a file's name has 255 bytes at most
        place = _join(self.aside, CHANGED if path in self.known else ADDED, folder, name)
        if _lexists(place):
            return
        self.room -= status.st_size
        if self.room < 0:
            raise OSError(errno.EDQUOT, "what tests left fills it; empty it", self.aside)
        self._make_aside(_dirname(place))
        if is_link:
            _symlink(_readlink(path), place)
            return
        if status.st_nlink == 1:
            with contextlib.suppress(OSError):  # another file system
                _link(path, place)
                return
        with _stream(place + ".part", "wb") as stream:
            stream.writelines(_chunks(path))
        _replace(place + ".part", place)

    def _make_aside(self, folder: str) -> None:
        self._allow(self.roots[0], os.W_OK | os.X_OK)
        _makedirs(folder, exist_ok=True)
        ignored = _join(_dirname(self.aside), ".gitignore")  # as a hunt makes it
        if not _lexists(ignored):
            with _stream(ignored, "w") as stream:
                stream.write("*\n")


def put_back(store: str) -> None:
    """Restore what was taken into `store`, if anything was: for the process that outlives the one that took it."""
    with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
        with _stream(_join(store, MANIFEST), "rb") as stream:
            state = _load(stream)
        snapshot = Snapshot.__new__(Snapshot)
        vars(snapshot).update(state)
        snapshot.restore()
