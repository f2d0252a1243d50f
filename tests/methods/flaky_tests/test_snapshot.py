"""Files put back after each order: what `restore` gives back, what it keeps aside, and what a session makes of it."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_journal import HEAD

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.hunting import hunt
from parataxis.methods.flaky_tests.journal import read_journal
from parataxis.methods.flaky_tests.protocol import PROTOCOLS, Protocol
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.session import PUT_BACK, Collected, Limits, Order, Session, SessionDied
from parataxis.methods.flaky_tests.suite import find_suite
from parataxis.methods.flaky_tests.survey import _because, head_of
from parataxis.methods.flaky_tests.text import notes

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
    with tempfile.TemporaryDirectory() as folder:
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


# -- sessions ------------------------------------------------------------------------------------------------------


def run(session, *orders, isolate=True):
    return [done.outcomes for done in session.run(orders, LIMITS, seeded=[], isolate=isolate)]


@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize(("isolation", "later"), [("snapshot", "."), ("none", "F")])
def test_with_a_snapshot_a_file_does_not_outlive_its_order(suite, isolation, later):
    planted = suite("leaves_files")
    with Session(planted, 0, seed=1, isolation=isolation) as session:
        found = session.collected()
        assert (found.isolation, found.refused) == (isolation, {})
        write, victim = (found.ids.index(f"test_report.py::{name}") for name in ("test_write_here", "test_none_here"))
        for fresh in (False, True) if isolation == "snapshot" else (False,):
            first, second = Order("a", 0, (write, victim), fresh=fresh), Order("a", 1, (victim,), fresh=fresh)
            assert run(session, first, second) == [".F", later]
    assert (planted.root / "report.txt").exists() is (isolation == "none")


@pytest.mark.usefixtures("lean")
def test_with_a_snapshot_orders_run_one_at_a_time(written, tmp_path):
    text = f"""
        import os, time
        def test_alone():
            with open({str(tmp_path / "log")!r}, "a") as log:
                log.write("("); log.flush(); time.sleep(0.1); log.write(")")
        """
    with Session(written(test_a=text), 0, seed=1, jobs=2, isolation="snapshot") as session:
        session.collected()
        assert session.jobs == 1
        session.jobs = 2  # the worker must hold to it as well
        running = session.run([Order("a", 0, (0,)), Order("a", 1, (0,))], LIMITS, seeded=[], isolate=True)
        assert [done.outcomes for done in running] == [".", "."]
    assert (tmp_path / "log").read_text() == "()()"


@pytest.mark.usefixtures("lean")
def test_two_snapshots_of_one_tree_are_not_taken_at_a_time(suite):
    """The second would take what the first one's test has just written for the user's, and put that back."""
    planted = suite("leaves_files")
    sessions = [Session(planted, number, seed=1, isolation="snapshot") for number in range(2)]
    with sessions[1] as second:
        with sessions[0] as first:
            order = Order("a", 0, (first.collected().ids.index("test_report.py::test_none_here"),))
            second.collected()
            assert run(first, order) == ["."]
            with pytest.raises(BadInput, match=r"another hunt puts its files back; wait until that has ended$"):
                run(second, order)
        assert run(second, order) == ["."]


@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("how", ["stopped early", "parent killed"])
def test_an_order_that_is_cut_short_leaves_no_file(written, how):
    text = f"""
        import os, pathlib, signal, time
        def test_brief():
            assert not os.path.exists("left")
        def test_leave():
            pathlib.Path("data").write_text("new")
            pathlib.Path("left").write_text("here")
            if {how == "parent killed"}:
                os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        """
    suite = written(test_a=text)
    data, left = suite.root / "data", suite.root / "left"
    data.write_text("old")
    with Session(suite, 0, seed=1, isolation="snapshot") as session:
        session.collected()
        running = session.run([Order("a", 0, (0,)), Order("a", 1, (1,))], LIMITS, seeded=[], isolate=True)
        assert next(running).outcomes == "."
        if how == "parent killed":
            with pytest.raises(SessionDied):
                next(running)
        else:
            session.jobs = 2  # as if it were told of two, and dropped the second
            running = session.run([Order("a", 0, (0,)), Order("a", 1, (1,))], LIMITS, seeded=[], isolate=True)
            next(running)
            until = time.monotonic() + 10
            while not left.exists() and time.monotonic() < until:
                time.sleep(0.01)
            assert left.exists()
            running.close()
            assert run(session, Order("a", 2, (0,))) == ["."]
            assert (data.read_text(), left.exists()) == ("old", False)
    assert (data.read_text(), left.exists()) == ("old", False)


@pytest.mark.usefixtures("lean")
def test_what_cant_be_put_back_ends_the_session_with_the_reason(written):
    text = """
        import pathlib
        def test_leave():
            pathlib.Path("left").write_text("here")
            pathlib.Path(".parataxis").write_text("in the way")
        """
    with Session(written(test_a=text), 0, seed=1, isolation="snapshot") as session:
        session.collected()
        with pytest.raises(BadInput, match=r"files can't be put back after an order: .*\.parataxis.*--files none"):
            run(session, Order("a", 0, (0,)))


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


NO_OVERLAY, NO_SNAPSHOT = "no overlay can be had (x)", "no snapshot can be had (y)"
LEFT = "files that a test leaves are seen by later orders"


def test_where_no_fork_is_safe_the_report_says_so():
    """As on Windows and macOS; what is then done is what is done where threads run."""
    found = Collected(["a"], [], [], [], 1, False, "overlay", {}, [], "", "", "")
    assert _because(found) == ["this system has no safe fork: each order runs in an interpreter of its own"]
    asked = {"root": "", "arguments": [], "protocol": "quick", "level": "", "seed": 0, "timeout": 1.0}
    assert not head_of(find_suite([Path(__file__)]), found, found, **asked).forks


@pytest.mark.parametrize(
    ("isolation", "refused", "said"),
    [
        ("overlay", {}, []),
        ("snapshot", {"overlay": "x"}, [f"{NO_OVERLAY}: files are put back after each order"]),
        ("none", {"overlay": "x", "snapshot": "y"}, [f"{NO_OVERLAY}; {NO_SNAPSHOT}: {LEFT}"]),
        ("none", {}, [LEFT]),
    ],
)
def test_the_report_says_how_files_are_isolated(isolation, refused, said):
    found = Collected(["a"], [], [], [], 1, True, isolation, refused, [], "", "", "")
    assert [told.partition(", edits")[0] for told in _because(found)] == said


def test_the_report_says_what_was_put_back(tmp_path):
    report = Report(replace(HEAD, root=str(tmp_path), isolation="snapshot"), [])
    assert not any("other contents" in note for note in notes(report))
    for number, said in enumerate(("1 file had other contents", "2 files had other contents")):
        file = tmp_path / PUT_BACK / "changed" / "sub" / f"{number}.py.0f"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
        assert f"note: {said} after an order, which are kept in {file.parent.parent}" in notes(report)


@pytest.mark.usefixtures("lean")
def test_a_hunt_with_a_snapshot_keeps_its_record_and_the_users_edit(suite, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol("quick", iterations=1, same=2, shuffles=1, tuscan=False))
    root = suite("leaves_files").root
    record, edited = root / "record", root / "edited.py"
    edited.write_text("old")

    def watch(progress):
        if progress.done == 2:
            edited.write_text("new")

    report = hunt([root], isolation="snapshot", out=record, watch=watch)
    assert read_journal(record) == (report.head, report.entries)
    assert report.orders >= 4
    assert {each.nodeid for each in report.flaky} <= {f"test_report.py::test_none_{name}" for name in ("here", "tmp")}
    assert edited.read_text() == "old"
    assert [path.read_text() for path in (report.put_back / "changed").glob("edited.py.*")] == ["new"]
    assert report.to_json()["changed"] == 1
    with pytest.raises(BadInput, match="was begun with isolation='snapshot', not 'none'"):
        hunt([root], isolation="none", out=record, resume=True)
