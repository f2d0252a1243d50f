import sqlite3
import subprocess
import sys
import threading

import pytest

from parataxis import __version__
from parataxis.claims import Figure, Measurement, Table
from parataxis.errors import BadInput
from parataxis.studies import store as store_module
from parataxis.studies.store import Row, Store, machine

GAP = Measurement(
    "gap",
    0.1 + 0.2,
    0.1,
    0.5,
    7,
    "points",
    baseline=1.0,
    null=-0.0,
    real=False,
    data="d",
    seconds=0.25,
    note="ü",
    verdict="noisy",
)
LINE = Figure("line", b"<svg/>\x00", "A line.")
SHEET = Table("sheet", ("a", "b"), ((1, None), ("x", 0.1)), "A sheet.")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "deep" / "evidence.sqlite") as store:
        yield store


def test_what_is_kept_is_read_back_exactly(store):
    run = store.begin("m", "quick", 3, "code")
    assert store.add(run.id, GAP, 2, {"a.csv": "ff"})
    assert store.add(run.id, LINE, 0, {})
    assert store.add(run.id, SHEET, 0, {})
    store.finish(run.id)
    with Store(store.path) as again:
        (read,) = again.runs("m")
    assert read.rows == (Row(GAP, 2, {"a.csv": "ff"}),)
    assert read.row("gap") == read.rows[0]
    assert read.row("other") is None
    assert read.figures == (LINE,)
    assert read.tables == (Table("sheet", ["a", "b"], [[1, None], ["x", 0.1]], "A sheet."),)
    assert (read.method, read.scale, read.seed, read.code, read.parataxis) == ("m", "quick", 3, "code", __version__)
    assert read.machine == machine()
    assert set(read.machine) == {"cpu", "cores", "python", "platform"}
    assert read.started <= read.finished


def test_an_unfinished_run_goes_on_and_a_finished_one_is_kept(store):
    run = store.begin("m", "quick", 0, "code")
    store.add(run.id, GAP, 1, {})
    again = store.begin("m", "quick", 0, "code")
    assert (again.id, again.rows) == (run.id, store.run(run.id).rows)
    store.finish(run.id)
    assert store.begin("m", "quick", 0, "code").id == run.id
    assert store.begin("m", "quick", 0, "code", fresh=True).id != run.id


@pytest.mark.parametrize(
    "key", [("n", "quick", 0, "code"), ("m", "full", 0, "code"), ("m", "quick", 1, "code"), ("m", "quick", 0, "new")]
)
def test_another_method_scale_seed_or_code_is_another_run(store, key):
    run = store.begin("m", "quick", 0, "code")
    other = store.begin(*key)
    assert other.id != run.id
    assert other.rows == ()


def test_another_release_is_another_run(store, monkeypatch):
    run = store.begin("m", "quick", 0, "code")
    monkeypatch.setattr(store_module, "__version__", "99")
    assert store.begin("m", "quick", 0, "code").id != run.id


def test_a_row_is_kept_once(store):
    run = store.begin("m", "quick", 0, "code")
    assert store.add(run.id, GAP, 1, {})
    assert not store.add(run.id, Measurement("gap", 9.0, 9.0, 9.0, 1), 1, {})
    assert [row.measurement.value for row in store.run(run.id).rows] == [GAP.value]
    assert store.add(run.id, LINE, 0, {})
    assert not store.add(run.id, LINE, 0, {})


def test_a_failure_is_recorded_and_not_cached(store):
    run = store.begin("m", "quick", 0, "code")
    store.tell(run.id, "folds 3/5")
    store.fail(run.id, "ValueError: no")
    assert (store.run(run.id).error, store.run(run.id).finished, store.run(run.id).doing) == ("ValueError: no", "", "")
    again = store.begin("m", "quick", 0, "code")
    assert (again.id, again.error) == (run.id, "")


def test_the_largest_scale_speaks_and_then_the_last(store):
    def finished(scale):
        run = store.begin("m", scale, 0, "code", fresh=True)
        store.finish(run.id)
        return run.id

    assert store.shown("m") is None
    finished("toy")
    assert store.shown("m") is None
    quick = finished("quick")
    assert store.shown("m").id == quick
    full = [finished("full"), finished("full")]
    finished("quick")
    store.begin("m", "paper", 0, "code")  # not finished
    assert store.shown("m").id == full[1]
    assert store.shown("m", ("quick",)).id == quick + 3
    assert store.shown("other") is None


def test_news_and_state_are_told_to_whoever_looks_on(store):
    old = store.begin("m", "quick", 0, "code")
    store.add(old.id, GAP, 1, {})
    last = store.last()
    new = store.begin("m", "quick", 1, "code")
    store.tell(old.id, "stale")
    store.tell(new.id, "folds 1/2")
    assert store.since(last) == []
    store.add(new.id, GAP, 1, {})
    ((place, name, found),) = store.since(last)
    assert (name, found) == ("m", GAP)
    assert store.since(place) == []
    assert store.state() == {"m": (1, "folds 1/2")}


KILLED = """
import os, sys
from parataxis.claims import Measurement
from parataxis.studies.store import Store
store = Store(sys.argv[1])
run = store.begin("m", "quick", 0, "code")
for k in range(5):
    store.add(run.id, Measurement(f"id-{k}", float(k), float(k), float(k), 1), 1, {})
os.kill(os.getpid(), 9)
"""


def test_what_was_added_survives_a_kill(tmp_path):
    path = tmp_path / "killed.sqlite"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -9
    with Store(path) as store:
        run = store.begin("m", "quick", 0, "code")
    assert [row.measurement.id for row in run.rows] == [f"id-{k}" for k in range(5)]


def test_writers_side_by_side_wait_for_each_other(tmp_path):
    def write(place):
        with Store(tmp_path / "shared.sqlite") as store:
            run = store.begin(f"m{place}", "quick", 0, "code")
            for k in range(20):
                store.add(run.id, Measurement(f"id-{k}", 1.0, 1.0, 1.0, 1), 1, {})

    threads = [threading.Thread(target=write, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store(tmp_path / "shared.sqlite") as store:
        assert [len(store.runs(f"m{place}")[0].rows) for place in range(4)] == [20] * 4


def test_one_run_is_begun_by_two_at_once(tmp_path):
    path, ids = tmp_path / "shared.sqlite", []
    Store(path).close()
    barrier = threading.Barrier(4)

    def begin():
        with Store(path) as store:
            barrier.wait()
            ids.append(store.begin("m", "quick", 0, "code").id)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(BadInput, match=r"--store=.*text: can't be used for evidence: file is not a database"):
        Store(tmp_path / "text")
    with pytest.raises(BadInput, match="can't be used for evidence"):
        Store(tmp_path)
    with pytest.raises(BadInput, match="can't be used for evidence"):
        Store(tmp_path / "text" / "below.sqlite")


def test_evidence_of_another_form_is_refused(tmp_path):
    path = tmp_path / "later.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(
        BadInput, match=r"later.sqlite: holds evidence of form 99, this parataxis reads 1; give another"
    ):
        Store(path)
