"""Files put back after each order: what `restore` gives back, what it keeps aside, and what a session makes of it."""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parataxis.methods.flaky_tests.session import PUT_BACK, Limits

pytestmark = pytest.mark.usefixtures("forks")

LIMITS = Limits(60.0, {}, 60.0)


@pytest.fixture
def snapshot(worker):
    return worker("snapshot")


class Place:
    """A project with a snapshot of it."""

    def __init__(self, module, folder):
        self.folder, self.root = Path(folder), Path(folder, "project")
        self.root.mkdir(exist_ok=True)
        self.module, self.aside = module, self.root / PUT_BACK

    def take(self, ignore=(), ours=()):
        store = str(self.folder / "store")
        self.snapshot = self.module.Snapshot([str(self.root)], store, str(self.aside), ignore, ours)
        assert self.snapshot.refused == ""
        self.snapshot.take()

    def kept(self):
        """Contents by kind and path, the hash cut off."""
        found = {}
        for path in self.aside.rglob("*"):
            if not path.is_dir() or path.is_symlink():
                kind, _, name = str(path.relative_to(self.aside)).partition("/")
                found.setdefault((kind, name.rpartition(".")[0]), set()).add(content(path))
        return found


@pytest.fixture
def place(snapshot, tmp_path):
    return Place(snapshot, tmp_path)


def content(path):
    return os.readlink(path) if path.is_symlink() else path.read_bytes()


def tree(root):
    """Kind, mode, content and time of everything but what is kept aside; of folders no time."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".parataxis"]
        for name in [*folders, *files]:
            path, status = Path(folder, name), os.lstat(Path(folder, name))
            plain = stat.S_ISREG(status.st_mode)
            held = None if path.is_dir() and not path.is_symlink() else content(path)
            found[str(path.relative_to(root))] = (status.st_mode, held, status.st_mtime_ns if plain else None)
    return found


# -- any tree, and whatever is done to it --------------------------------------------------------------------------

PATHS = st.sampled_from(["a", "b", "a/a", "a/b", "b/a/é\udcff", ".cache/a", "__pycache__/a", "a/__pycache__/a"])
TEXTS = st.sampled_from([b"", b"old", b"new", b"x" * 3_000])
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o4755])
DOINGS = st.one_of(
    st.tuples(st.just("write"), PATHS, TEXTS),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("folder"), PATHS, st.none()),
    st.tuples(st.just("link"), PATHS, st.sampled_from(["a", "../outside", "nowhere"])),
    st.tuples(st.just("hard link"), PATHS, PATHS),
    st.tuples(st.just("mode"), PATHS, MODES),
    st.tuples(st.just("rename"), PATHS, PATHS),
)


def do(root, doing, path, value):
    """What a test may do; what can't be done is not done."""
    path = root / path
    with contextlib.suppress(OSError):
        if doing == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif doing == "mode":
            path.is_symlink() or path.chmod(value | (0o700 if path.is_dir() else 0))
        elif doing in ("rename", "hard link"):
            (os.rename if doing == "rename" else os.link)(path, root / value)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            if doing == "write":
                path.write_bytes(value)
            elif doing == "folder":
                path.mkdir()
            else:
                path.symlink_to(value)


def state(root):
    return {path: value for path, value in tree(root).items() if "__pycache__" not in path}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(DOINGS, max_size=12), orders=st.lists(st.lists(DOINGS, max_size=8), min_size=1, max_size=3))
def test_a_restored_tree_is_the_old_one_and_nothing_is_lost(snapshot, before, orders):
    with tempfile.TemporaryDirectory() as folder:
        place, outside = Place(snapshot, folder), Path(folder, "outside")
        outside.mkdir()
        for doing in before:
            do(place.root, *doing)
        place.take()
        old = state(place.root)
        for order in orders:
            for doing in order:
                do(place.root, *doing)
            changed, elsewhere = state(place.root), tree(outside)
            place.snapshot.restore()
            assert state(place.root) == old
            assert tree(outside) == elsewhere
            kept = place.kept()
            for path, (_, held, _) in changed.items():
                if held is not None and held != old.get(path, ("", None))[1]:
                    assert held in kept["changed" if path in old else "added", path]


# -- a kill at any point -------------------------------------------------------------------------------------------

CALLS = ("replace", "link", "unlink", "symlink", "mkdir", "makedirs", "rmdir", "chmod", "utime", "open", "write")
OLD = {"same.txt": b"old 1", "gone.txt": b"old 2", "sub/deep.txt": b"old 3"}
NEW = {"same.txt": b"new 1", "sub/deep.txt": b"new 3", "more/added.txt": b"new 4"}


def planted(place):
    for name, text in OLD.items():
        (place.root / name).parent.mkdir(exist_ok=True)
        (place.root / name).write_bytes(text)
    (place.root / "link").symlink_to("same.txt")


def polluted(place):
    (place.root / "gone.txt").unlink()
    (place.root / "link").unlink()
    (place.root / "link").symlink_to("nowhere")
    (place.root / "sub").chmod(0o555)
    (place.root / "more").mkdir()
    for name, text in NEW.items():
        (place.root / name).write_bytes(text)


class Killed(BaseException):
    pass


def killed_at(module, monkeypatch, number):
    """Make the call of that number the last that is made."""
    count = 0

    def counted(call):
        def after(*arguments, **named):
            nonlocal count
            if count >= number:
                raise Killed
            count += 1
            return call(*arguments, **named)

        return after

    for name in CALLS:
        monkeypatch.setattr(module, f"_{name}", counted(getattr(module, f"_{name}")))


def test_a_kill_leaves_each_file_old_or_new_and_the_next_restore_does_the_rest(snapshot, tmp_path):
    killed = True
    number = 0
    while killed:
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(snapshot, folder)
        planted(place)
        place.take()
        old = tree(place.root)
        polluted(place)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(snapshot, patch, number)
            try:
                place.snapshot.restore()
                killed = False
            except Killed:
                pass
        for name in {*OLD, *NEW}:
            path = place.root / name
            found = path.read_bytes() if path.exists() else None
            assert found in (OLD.get(name), NEW.get(name)), (number, name)
        snapshot.put_back(str(folder / "store"))  # in a process that knows only what was taken
        assert tree(place.root) == old
        kept = {(kind, name): {NEW[name]} for kind, name in KINDS}
        assert place.kept() == {**kept, ("changed", "link"): {"nowhere"}}
        number += 1
    assert number > 30


KINDS = [("changed", "same.txt"), ("changed", "sub/deep.txt"), ("added", "more/added.txt")]


# -- rules ---------------------------------------------------------------------------------------------------------


def test_what_is_replaced_is_kept_once_for_each_content(place):
    file = place.root / "file"
    file.write_text("old")
    place.take()
    for text in ("one", "two", "one", "old"):
        file.write_text(text)
        (place.root / "new").write_text(text)
        place.snapshot.restore()
        assert (file.read_text(), (place.root / "new").exists()) == ("old", False)
    assert place.kept() == {("changed", "file"): {b"one", b"two"}, ("added", "new"): {b"one", b"two", b"old"}}
    assert len(list(place.aside.glob("*/*"))) == 5
    assert (place.aside.parent / ".gitignore").read_text() == "*\n"


def test_a_file_that_is_kept_is_nobodys_to_change(place):
    """Two names of one file: what is kept must not follow what is done to the other."""
    (place.root / "file").write_text("old")
    place.take()
    os.link(place.root / "file", place.root / "other")
    place.snapshot.restore()
    with open(place.root / "file", "r+") as stream:
        stream.write("new")
    assert place.kept() == {("added", "other"): {b"old"}}


def test_what_is_kept_fills_no_disk(place, snapshot, monkeypatch):
    monkeypatch.setattr(snapshot, "LARGEST", 1_000)
    place.take()
    for size in (600, 601):
        (place.root / "file").write_bytes(b"x" * size)
        if size == 600:
            place.snapshot.restore()
    with pytest.raises(OSError, match="what tests left fills it; empty it"):
        place.snapshot.restore()
    assert (place.root / "file").exists()


PASSED = [
    ".git/HEAD",
    "venv/x",
    "lib/site-packages/x",
    "env/pyvenv.cfg",
    "env/lib/x",
    "a/__pycache__/x",
    "out/hunt.jsonl",
    "out.log",
]
CARRIES = [".cache/x", ".hypothesis/x", "out/results.csv"]


def test_what_is_not_ours_is_left_alone(place):
    for name in (*PASSED, *CARRIES):
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).write_text("old")
    log = (place.root / "out.log").stat()
    place.take([place.root / "out" / "hunt.jsonl"], [(log.st_dev, log.st_ino)])
    for name in (*PASSED, *CARRIES, ".git/new", "env/new"):
        (place.root / name).write_text("new")
    place.snapshot.restore()
    assert {(place.root / name).read_text() for name in (*PASSED, ".git/new", "env/new")} == {"new"}
    assert {(place.root / name).read_text() for name in CARRIES} == {"old"}


def test_a_repository_that_a_test_made_goes_as_a_whole(place):
    place.take()
    (place.root / "made" / ".git").mkdir(parents=True)
    (place.root / "made" / ".git" / "HEAD").write_text("ref")
    os.mkfifo(place.root / "pipe")
    place.snapshot.restore()
    assert sorted(os.listdir(place.root)) == [".parataxis"]


def test_too_much_is_refused(place, snapshot, monkeypatch):
    def refused():
        return snapshot.Snapshot([str(place.root)], str(place.folder / "store"), str(place.aside)).refused

    for name in "abc":
        (place.root / name).write_bytes(b"x" * 1_000_000)
    assert refused() == ""
    monkeypatch.setattr(snapshot, "MOST_FILES", 3)
    assert refused() == f"more than 3 files and folders in {place.root}"
    monkeypatch.setattr(snapshot, "MOST_FILES", 4)
    monkeypatch.setattr(snapshot, "LARGEST", 2_000_000)
    assert refused() == f"3 MB in {place.root}, more than 2"


@pytest.fixture
def nobody(snapshot):
    """A place in which permissions count: of a user who is not root."""
    root = os.getuid() == 0
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # where anybody may go; a hunt's TMPDIR is for us alone
        place = Place(snapshot, folder)
        for path in (folder, place.root):
            os.chown(path, 65534 if root else -1, -1)
        if root:
            os.setresuid(65534, 65534, 0)
        try:
            yield place
        finally:
            if root:
                os.setresuid(0, 0, 0)
            os.chmod(place.root, 0o700)
            for path in place.root.rglob("*"):
                if path.is_dir():
                    path.chmod(0o700)


def test_permissions_are_no_obstacle_and_come_back(nobody):
    root = nobody.root
    for name in ("shut/file", "open/file"):
        (root / name).parent.mkdir()
        (root / name).write_text("old")
    (root / "shut").chmod(0o555)
    nobody.take()
    old = tree(root)
    (root / "shut").chmod(0o700)
    (root / "shut" / "file").unlink()
    (root / "open" / "file").write_text("new")
    (root / "open" / "file").chmod(0)
    (root / "made").mkdir()
    (root / "made" / "file").write_text("made")
    for name in ("shut", "open", "made"):
        (root / name).chmod(0)
    root.chmod(0o500)
    nobody.snapshot.restore()
    assert tree(root) == old
    root.chmod(0o700)
    (root / "shut" / "file").chmod(0)
    assert "file can't be read" in nobody.module.Snapshot([str(root)], str(nobody.folder / "s"), "").refused


# -- what isolates orders ---------------------------------------------------------------------------------------------


@pytest.fixture
def orders(worker, monkeypatch, tmp_path):
    """What isolates the orders of a session with these settings, where an overlay is refused."""
    module = worker("worker")
    monkeypatch.setattr(module, "why_no_private_view", lambda folders, layer: "no user namespaces")
    (tmp_path / "project").mkdir()

    def isolation(asked):
        settings = {"isolation": asked, "private": [str(tmp_path / "project")], "aside": "", "ignore": [], "ours": []}
        folder = tmp_path / str(asked)
        folder.mkdir()
        return module._Orders("", str(folder), settings, None, -1)._isolation()

    return isolation


def test_the_best_that_can_be_had_is_taken_and_why_not_a_better_is_told(orders, snapshot, monkeypatch):
    refused = {"overlay": "no user namespaces"}
    assert orders(None) == ("snapshot", refused)
    assert orders("overlay") == ("none", refused)
    assert orders("none") == ("none", {})
    monkeypatch.setattr(snapshot, "MOST_FILES", 0)
    isolation, why = orders("snapshot")
    assert (isolation, list(why)) == ("none", ["snapshot"])
