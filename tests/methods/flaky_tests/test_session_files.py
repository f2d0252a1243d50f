"""Files that an order of a session writes, and who sees them."""

import subprocess

import pytest
from sessions import outcomes_of, ran

from parataxis.methods.flaky_tests.session import Order, Session

pytestmark = pytest.mark.usefixtures("forks")


def test_files_that_an_order_writes_vanish(written):
    """In the project and in HOME; where the system refuses, the reason is told."""
    text = """
        import os, pathlib
        FILES = [pathlib.Path("left"), pathlib.Path(__file__).with_name("sub") / "left", pathlib.Path.home() / "left"]
        def test_none():
            assert not any(file.exists() for file in FILES)
        def test_write():
            for file in FILES:
                file.parent.mkdir(exist_ok=True)
                file.write_text("here")
            pathlib.Path("pytest.ini").unlink()
        """
    suite = written(test_a=text)
    with Session(suite, 0, seed=1) as session:
        found = session.collected()
        assert found.isolation != "none", found.refused
        for fresh, told, expected in (
            (False, [(0, 1), (0,), (1, 0)], ["..", ".", ".F"]),
            (True, [(1, 0), (0,)], [".F", "."]),
        ):
            orders = [Order("random", i, order, fresh=fresh) for i, order in enumerate(told)]
            done = ran(session, *orders, isolate=True)
            assert [done[order.name].outcomes for order in orders] == expected
        assert {path.name for path in suite.root.iterdir()} - {"__pycache__"} == {"pytest.ini", "test_a.py"}
        assert outcomes_of(session, 1) == "."
        assert outcomes_of(session, 0) == "F"  # without isolation, a file outlives the order


@pytest.fixture
def _overlay(tmp_path):
    """Asked of the system, not of what is tested: where it mounts an overlay, a session has to have one."""
    command = "mkdir a b c d && mount -t overlay o -o lowerdir=a,upperdir=b,workdir=c d"
    (tmp_path / "mounted").mkdir()
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command]
    refused = subprocess.run(argv, cwd=tmp_path / "mounted", capture_output=True, text=True, check=False).stderr
    if refused:
        pytest.skip(f"no overlay without privileges here: {refused.strip()}")


@pytest.mark.usefixtures("_overlay")
def test_probes_see_the_files_of_their_walk_and_none_of_each_others(written):
    """Probes, from the start and after each step of a walk that writes, makes a file, changes, and puts back."""
    text = """
        import os, pathlib
        FILE = pathlib.Path(__file__).with_name("sub") / "file"
        NEW = FILE.with_name("new")
        def test_as_it_was():
            assert FILE.read_text() == "as it was" and not NEW.exists()
        def test_write():
            assert FILE.read_text() == "as it was" and not NEW.exists()
            FILE.write_text("written")
            NEW.write_text("")
        def test_written():
            assert FILE.read_text() == "written" and NEW.exists()
        def test_again():
            FILE.write_text("again")
        def test_put_back():
            FILE.write_text("as it was")
            NEW.unlink()
        def test_nothing():
            pass
        """
    suite = written(test_a=text)
    (suite.root / "sub").mkdir()
    (suite.root / "sub" / "file").write_text("as it was")
    with Session(suite, 0, seed=1) as session:
        found = session.collected()
        assert found.isolation == "overlay", found.refused
        walk = Order("walk", 0, (5, 1, 2, 3, 4, 5), probes=((0,), (1,), (0,), (2,)), each=True)
        (done,) = ran(session, walk, isolate=True).values()
        assert done.outcomes == "......"
        assert done.probed == ["...F", "...F", "FFF.", "FFF.", "FFFF", "...F", "...F"]
    assert (suite.root / "sub" / "file").read_text() == "as it was"


def test_what_a_probe_has_started_writes_into_no_other(written):
    """A process in a session of its own, which a probe of the first test leaves; the order's own goes on."""
    text = """
        import pathlib, subprocess, time
        FOLDER = pathlib.Path(__file__).parent
        def start(name):
            command = f"while sleep 0.05; do echo x >> {FOLDER / name}; done"
            subprocess.Popen(["sh", "-c", command], start_new_session=True)
        def test_leave():
            start("left")
        def test_sound():
            time.sleep(0.3)
            assert not (FOLDER / "left").exists()
        def test_serve():
            start("served")
        def test_served():
            size = (FOLDER / "served").stat().st_size
            time.sleep(0.5)
            assert (FOLDER / "served").stat().st_size > size
        """
    with Session(written(test_a=text), 0, seed=1) as session:
        session.collected()
        after = Order("after", 0, (2, 1), probes=((0,), (1,), (3,)))
        (done,) = ran(session, after, isolate=True).values()
    assert done.probed == ["..."]
