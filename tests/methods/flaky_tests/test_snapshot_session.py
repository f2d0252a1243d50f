"""Files put back after each order: what a session and its report make of it."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
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
