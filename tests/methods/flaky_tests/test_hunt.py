"""Whole hunts in real processes, over the planted suites of suites/cases.py: as few hunts as tell all of them."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hunts import copy_suites, gone, hunt_read_only, killed_hunt, smaller
from suites.cases import CASES

from nursery import in_child
from parataxis.errors import BadInput
from parataxis.methods.flaky_tests import hunting
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Dependence
from parataxis.methods.flaky_tests.explaining import explain, suite_of
from parataxis.methods.flaky_tests.hunting import hunt
from parataxis.methods.flaky_tests.journal import NAME
from parataxis.methods.flaky_tests.protocol import Protocol, schedule
from parataxis.methods.flaky_tests.session import Limits, hash_seed_of
from parataxis.methods.flaky_tests.text import summary

# What one of these leaves does not reach another in the same process: every file is a suite of its own.
TOGETHER = [
    *("victim_and_polluter", "fails_in_file_order", "brittle_and_setter", "joint_polluters", "freezes_clock"),
    *("teardown_errors", "not_idempotent", "leaves_files", "temporary_at_import"),
    *("hash_order", "infrastructure", "import_pollution", "collection_error", "unstable_ids", "order_markers"),
]
# These do: they end the process, or are in it elsewhere. An order that is cut is tried again without who cut it.
ENDING = [
    *("crashes_in_order", "hangs_in_order", "exits_in_order", "kills_group", "changes_folder"),
    *("leaves_daemon", "random_seeded"),
]
# They fail by chance, which so many runs in file order show: all pass or all fail in one of a million hunts.
CHANCE = ["random_by_clock", "random_own_generator", "random_global", "random_numpy", "rate_depends_on_order"]
RUNS = 24


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """One of them is about the hash seed: it passes with that of one environment, and fails with the other's."""
    with smaller(own_start=True, same=2, shuffles=3, glances=1):
        return hunt([copy_suites(tmp_path_factory.mktemp("together"), *TOGETHER)], seed=1, jobs=2)


@pytest.fixture(scope="module")
def chance(tmp_path_factory):
    with smaller(same=RUNS):
        return hunt([copy_suites(tmp_path_factory.mktemp("chance"), *CHANCE)], jobs=2)


@pytest.fixture(scope="module")
def ending(tmp_path_factory):
    """One test alone has little time: on a slow machine no other may be taken for one that hangs."""
    folder = copy_suites(tmp_path_factory.mktemp("ending"), *ENDING)

    def limits(self):
        return Limits(60.0, {self.head().ids.index("hangs_in_order/test_lock.py::test_wait"): 0.5}, 600.0)

    with smaller(shuffles=2), pytest.MonkeyPatch.context() as patch:
        patch.setattr(hunting._Hunt, "limits", limits)
        return hunt([folder])


def kinds(report, name=""):
    return {each.nodeid: each.kind.name for each in report.flaky if each.nodeid.startswith(name)}


def expected(name, prefix=""):
    case = CASES[name]
    return {prefix + test: kind for test, kind in {**case.kinds, **dict.fromkeys(case.import_time, "OD")}.items()}


@pytest.fixture
def report_of(request):
    """`report_of("hash_order")`: of the hunt that has that suite in it."""

    def report_of(name):
        hunts = {"together": TOGETHER, "ending": ENDING, "chance": CHANCE}
        return request.getfixturevalue(next(hunted for hunted, names in hunts.items() if name in names))

    return report_of


@pytest.mark.parametrize("name", [*TOGETHER, *ENDING, *CHANCE])
def test_planted_suites_side_by_side_are_told_apart(report_of, name):
    report = report_of(name)
    assert report.exit_status == 1
    case, own = CASES[name], [nodeid for nodeid in report.head.ids if nodeid.startswith(f"{name}/")]
    assert len(own) == case.tests
    assert kinds(report, f"{name}/") == expected(name, f"{name}/")
    errors = [error[0] for error in report.head.errors if error[0].startswith(f"{name}/")]
    assert errors == [f"{name}/{file}" for file in case.errors]
    declared = [report.head.ids[test] for test in report.head.declared if report.head.ids[test] in own]
    assert declared == [f"{name}/{test}" for test in case.declared]


CAUSES = {
    "hash_order": ("test_names.py::test_first_name", "PYTHONHASHSEED"),
    "import_pollution": ("test_default.py::test_colour", "when they are imported"),
    "crashes_in_order": ("test_native.py::test_read", "it ends the process"),
    "hangs_in_order": ("test_lock.py::test_wait", "it hangs"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_named(report_of, name):
    nodeid, cause = CAUSES[name]
    assert cause in report_of(name).explain(f"{name}/{nodeid}").cause


def test_a_test_that_needs_what_another_file_imports_is_found(tmp_path):
    """Though it passes in every run; and a hunt goes on from what was run by then."""
    texts = {
        "test_a": "import os\nos.environ['SHOP'] = 'open'\ndef test_sells(): pass\n",
        "test_b": "import os\ndef test_needs(): assert 'SHOP' in os.environ\ndef test_free(): pass\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with smaller(files=2):
        report = hunt([tmp_path], out=tmp_path / "out")
        again = hunt([tmp_path], out=tmp_path / "out", resume=True)
        assert [run.name for run in report.runs] == [run.name for run in again.runs]
        last = report.runs[-1].iteration
        assert [run.name for run in report.runs if run.iteration == last] == ["file/0", "file/1", "file/3", "same/0"]
        found = explain(report, tmp_path / "out").diagnoses
    assert [each.nodeid for each in report.flaky] == list(found) == ["test_b.py::test_needs"]
    assert (found["test_b.py::test_needs"].kind, found["test_b.py::test_needs"].modules) == (
        Dependence.IMPORT,
        ("test_a.py",),
    )
    with smaller(files=1):
        assert hunt([tmp_path], out=tmp_path / "other").flaky == []


def test_all_tests_that_one_import_breaks_are_found_by_running_their_file(tmp_path, monkeypatch):
    """More than are run alone. In a suite of too many files one of them is run alone, and the report says so."""
    monkeypatch.setattr(hunting, "SINGLES", 1)
    texts = {
        "test_a": "import os\nos.environ['SHOP'] = 'open'\ndef test_sells(): pass\n",
        "test_b": "import os, pytest\n@pytest.mark.parametrize('n', range(3))\n"
        "def test_broken(n): assert 'SHOP' not in os.environ\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    broken = [f"test_b.py::test_broken[{n}]" for n in range(3)]
    with smaller(files=2):
        report = hunt([tmp_path], out=tmp_path / "out")
    assert [each.nodeid for each in report.flaky] == broken
    assert [run.name for run in report.runs if run.kind == "alone"] == []
    with smaller(files=0):
        report = hunt([tmp_path], out=tmp_path / "other")
    assert [each.nodeid for each in report.flaky] == broken[:1]
    assert "note: 2 of these were not run alone" in str(report)


def test_what_a_new_environment_decides_is_not_blamed_on_files(tmp_path):
    """Nor on the order: it fails in that environment whatever is collected."""
    file = tmp_path / "suite" / "test_a.py"
    file.parent.mkdir()
    (file.parent / "pytest.ini").write_text("[pytest]\n")
    (file.parent / "test_b.py").write_text("def test_b(): pass\n")
    seed = str(hash_seed_of(0, 1))  # of the environment behind the one of this protocol
    file.write_text(f"import os\ndef test_seed(): assert os.environ['PYTHONHASHSEED'] != {seed!r}\n")
    with smaller(own_start=True, files=2):
        (found,) = hunt([file.parent], out=tmp_path / "out").flaky
    assert found.kind in (Kind.INFRA, Kind.NOD)


def test_the_two_hash_seeds_that_are_named_show_it(together):
    nodeid = "hash_order/test_names.py::test_first_name"
    seeds = re.findall(r"(fails|passes) with PYTHONHASHSEED=(\d+)", together.explain(nodeid).cause)
    command = shlex.split(suite_of(together.head).command(nodeid))
    for said, seed in seeds:
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=together.head.root, env=env, capture_output=True, check=False)
        assert done.returncode == (said == "fails")
    assert [said for said, _ in seeds] == ["fails", "passes"]


def test_node_ids_that_name_no_one_test_are_told(together):
    changed, shared = (reason for reason in together.head.because if "node ids that" in reason)
    assert re.match(r"node ids that are others in another process \([4-7], as unstable_ids/test_\w+.py::", changed)
    assert shared == (
        "node ids that several tests share (1, as unstable_ids/twice.check::check): these are told apart by place"
    )


def test_a_tree_that_can_only_be_read_is_hunted_in(tmp_path):
    root = copy_suites(tmp_path / "suite", "victim_and_polluter")
    (root / "test_reads.py").write_text(
        "import pytest\n\ndef test_reads():\n    with pytest.raises(PermissionError):\n        open('left', 'w')\n"
    )
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    status, said, err = in_child(hunt_read_only, str(root), str(tmp_path / "record"), cwd=tmp_path)
    assert status == 0, err
    exit_status, _, outcomes = json.loads(said)
    assert exit_status == 1
    assert {ends[-1] for ends in outcomes} == {"."}
    assert sorted(path.name for path in root.iterdir()) == ["pytest.ini", "test_prices.py", "test_reads.py"]


def test_whoever_follows_a_runner_breaker_is_hit(tmp_path):
    with smaller(shuffles=2):
        report = hunt([copy_suites(tmp_path / "suite", "breaks_runner")])
    assert kinds(report) == expected("breaks_runner")


def test_where_a_fork_is_not_safe_each_order_has_its_own_interpreter(tmp_path):
    with smaller(shuffles=0):
        report = hunt([copy_suites(tmp_path / "suite", "thread_at_import")])
    assert not report.head.forks
    assert "can't be forked safely" in report.head.because[0]
    assert "note: 2 threads run" in str(report)
    assert kinds(report) == {}
    assert all(each.rate_below for each in report.findings)


def test_nothing_is_found_in_a_clean_suite_in_any_order(tmp_path):
    """Of the suite those tests that would see what another has left: fixtures, files, output, records.

    In all of their 24 orders.
    """
    some = ("-k", "write or empty or descriptor or log")
    with smaller(shuffles=200):
        report = hunt([copy_suites(tmp_path / "suite", "clean")], some, level="global", jobs=2)
    assert len(report.head.ids) == 4
    assert report.orders == 202
    assert len({run.order for run in report.runs}) == 24
    assert report.flaky == []
    assert report.exit_status == 0
    assert set("".join(run.outcomes for run in report.runs)) == {"."}


def test_many_cleaners_do_not_hide_a_polluter_from_tuscan_rows(tmp_path):
    """Some of the suite: in file order and in reverse a cleaner is always between; shuffled, in 10 of 11 orders."""
    file = copy_suites(tmp_path / "suite", "many_cleaners") / "test_many.py"
    victims = [f"test_victim[{n}]" for n in range(4)]
    before, after = ([f"test_clean_{place}[{n}]" for n in range(5)] for place in ("before", "after"))
    with smaller(shuffles=0, tuscan=True):
        report = hunt([f"{file}::{test}" for test in (*before, "test_pollute", *after, *victims)], jobs=2)
    assert kinds(report) == {f"test_many.py::{victim}": "OD" for victim in victims}


# -- the record ----------------------------------------------------------------------------------------------------

SMALL = {"iterations": 2, "same": 2, "shuffles": 2, "replays": 2}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The report of a finished hunt, and what its progress was."""
    told = []
    with smaller(**SMALL):
        report = hunt([copy_suites(tmp_path_factory.mktemp("finished"), "victim_and_polluter")], watch=told.append)
    return report, told


@pytest.fixture
def record(finished, tmp_path):
    """A copy of the record of the finished hunt."""
    shutil.copytree(Path(finished[0].head.root) / ".parataxis", tmp_path / "out")
    return tmp_path / "out" / NAME


def facts(report):
    return sorted((run.iteration, run.name, run.of or "", run.order, run.outcomes) for run in report.runs)


def test_the_seed_alone_decides_the_orders(finished):
    report, protocol = finished[0], Protocol("quick", tuscan=False, **SMALL)
    planned = [list(schedule(protocol, report.head.ids, (), n, report.head.seed, "class")) for n in range(2)]
    ran = [(run.iteration, run.name, run.order) for run in report.runs if run.kind != "replay"]
    assert ran == [(n, order.name, order.order) for n in range(2) for order in planned[n]]


def test_a_killed_hunt_goes_on_without_repeating_an_order_and_leaves_no_process(finished, tmp_path):
    """Killed between two orders; then, with two at a time, while one is under way. The seed alone decides the rest."""
    first, out = finished[0], tmp_path / "out"
    for orders, how in ((3, {}), (6, {"jobs": 2, "resume": True})):
        status, said, _ = in_child(killed_hunt, first.head.root, SMALL, orders, {"out": out, **how}, cwd=tmp_path)
        assert status == -signal.SIGKILL
        (pids,) = json.loads(said)
        assert pids
        assert gone(pids)
    before = (out / NAME).read_bytes().rpartition(b"\n")[0]
    assert before.count(b"\n") == 6
    with smaller(**SMALL):
        report = hunt([first.head.root], out=out, resume=True)
    assert (out / NAME).read_bytes().startswith(before)
    names = [(run.iteration, run.name) for run in report.runs]
    assert len(names) == len(set(names))
    assert facts(report) == facts(first)
    assert kinds(report) == expected("victim_and_polluter")


def test_a_finished_hunt_is_not_run_again(finished, record):
    first, text = finished[0], record.read_text()
    with smaller(**SMALL):
        again = hunt([first.head.root], out=record.parent, resume=True)
    assert record.read_text() == text
    assert again.findings == first.findings


def test_a_hunt_goes_on_only_as_it_was_begun(finished, record):
    with pytest.raises(BadInput, match=r"was begun with seed=0, not 1; ask the same, or start anew without --resume"):
        hunt([finished[0].head.root], out=record.parent, resume=True, seed=1)


def test_a_suite_that_changed_since_is_refused(finished, record, tmp_path):
    folder = copy_suites(tmp_path / "suite", "victim_and_polluter")
    lines = record.read_text().replace(json.dumps(finished[0].head.root), json.dumps(str(folder)))
    record.write_text("".join(lines.splitlines(keepends=True)[:4]))
    file = folder / "test_prices.py"
    file.write_text(file.read_text().replace("def test_reset", "def test_renamed"))
    with smaller(**SMALL), pytest.raises(BadInput, match=r"test_reset is no longer collected"):
        hunt([folder], out=record.parent, resume=True)


def test_progress_is_told(finished):
    report, told = finished
    assert [each.done for each in told] == list(range(report.orders + 1))
    assert told[-1].planned == told[-1].done
    assert told[-1].flaky == 1


def test_the_folder_of_the_record_is_passed_over_by_git(finished):
    folder = Path(finished[0].head.root) / ".parataxis"
    assert (folder / ".gitignore").read_text() == "*\n"
    head = json.loads((folder / NAME).read_text().splitlines()[0])
    assert head["protocol"] == "quick"


def test_shuffles_end_once_enough_is_known(tmp_path):
    """1 - 0.05^(1/5) = 0.45, 1 - 0.05^(1/4) = 0.53: file order twice, its reverse, and two shuffles of twenty."""
    folder = copy_suites(tmp_path, "brittle_and_setter")
    told = []
    with smaller(same=2, shuffles=20, glances=1, tuscan=True):
        report = hunt([folder], enough=0.5, watch=told.append)
        with pytest.raises(BadInput, match=r"was begun with enough=0.5, not None"):
            hunt([folder], resume=True)
    assert [run.name for run in report.runs if run.kind not in ("replay", "hash")] == [
        *("same/0", "same/1", "reverse/0", "random/0", "random/1", "same/0"),
    ]
    assert kinds(report) == expected("brittle_and_setter")
    assert told[-1].planned == told[-1].done
    assert "no more once a failure rate of 0.5 was excluded for each test" in summary(report)


@pytest.mark.parametrize("enough", [0.0, 1.0, -1.0, float("nan")])
def test_enough_is_a_share(tmp_path, enough):
    with pytest.raises(BadInput, match=rf"enough={enough}: expected a share of the runs, above 0 and below 1"):
        hunt([copy_suites(tmp_path, "brittle_and_setter")], enough=enough)


UNITTEST = """import os, unittest


class TestOld(unittest.TestCase):
    seen = []

    def test_a(self):
        self.seen.append(1)

    def test_b(self):
        self.assertEqual(len(self.seen), 1)


def test_c():
    assert os.environ["SHOP"]


def test_d():
    os.environ["SHOP"] = "open"
"""


def test_a_failure_is_told_by_the_suites_own_line(tmp_path):
    """Not by a line of unittest's, nor of a module that is frozen into Python."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_old.py").write_text(UNITTEST)
    with smaller():
        found = hunt([tmp_path]).flaky
    assert [each.message for each in found] == [
        "test_old.py:11: AssertionError: 0 != 1",
        "test_old.py:15: KeyError: 'SHOP'",
    ]
