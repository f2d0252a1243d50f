"""Whole hunts in real processes, over the planted suites of suites/cases.py."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from suites.cases import CASES

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests import protocol as protocols
from parataxis.methods.flaky_tests.hunt import hunt
from parataxis.methods.flaky_tests.journal import NAME
from parataxis.methods.flaky_tests.protocol import Protocol
from parataxis.methods.flaky_tests.report import Report

SUITES = Path(__file__).parent / "suites"
# Every file of these is a suite of its own in the same process: what one leaves does not reach another.
TOGETHER = [
    *("clean", "victim_and_polluter", "fails_in_file_order", "brittle_and_setter", "joint_polluters", "freezes_clock"),
    *("random_by_clock", "random_own_generator", "rate_depends_on_order"),
    *("teardown_errors", "not_idempotent", "leaves_files"),
]
APART = [
    *("crashes_in_order", "hangs_in_order", "exits_in_order", "changes_folder", "breaks_runner", "kills_group"),
    *("random_global", "random_numpy", "random_seeded"),
    *("hash_order", "infrastructure", "import_pollution", "collection_error", "unstable_ids", "order_markers"),
]


@pytest.fixture
def copy(tmp_path):
    """Copies planted suites into one folder each, or one folder for all."""

    def copy(*names):
        folder = tmp_path / "_".join(names)[:40]
        for name in names:
            to = folder if len(names) == 1 else folder / name
            shutil.copytree(SUITES / name, to, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            if len(names) > 1:
                (to / "pytest.ini").unlink(missing_ok=True)
        if len(names) > 1:
            (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
        return folder

    return copy


def kinds(report):
    return {each.nodeid: each.kind.name for each in report.flaky}


def expected(name, prefix=""):
    case = CASES[name]
    return {prefix + test: kind for test, kind in {**case.kinds, **dict.fromkeys(case.import_time, "OD")}.items()}


def test_planted_suites_side_by_side_are_told_apart(copy):
    report = hunt([copy(*TOGETHER)], timeout=2.0)
    assert kinds(report) == {test: kind for name in TOGETHER for test, kind in expected(name, f"{name}/").items()}
    assert report.exit_status == 1


@pytest.mark.parametrize("name", APART)
def test_a_planted_suite_is_classed_right(copy, name):
    case = CASES[name]
    report = hunt([copy(name)], timeout=0.6)
    assert kinds(report) == expected(name)
    assert len(report.head.ids) == case.tests
    assert [error[0] for error in report.head.errors] == list(case.errors)
    assert [report.head.ids[test] for test in report.head.declared] == list(case.declared)


CAUSES = {
    "hash_order": ("test_names.py::test_first_name", "PYTHONHASHSEED"),
    "import_pollution": ("test_default.py::test_colour", "when they are imported"),
    "crashes_in_order": ("test_native.py::test_read", "it ends the process"),
    "hangs_in_order": ("test_lock.py::test_wait", "it hangs"),
}


@pytest.fixture
def small(monkeypatch):
    """A protocol with only as many orders as a test needs."""

    def small(**settings):
        base = Protocol("quick", iterations=2, same=2, shuffles=2, tuscan=False, replays=2)
        monkeypatch.setitem(protocols.PROTOCOLS, "quick", replace(base, **settings))

    return small


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_named(copy, name, small):
    small(glances=6 if name == "hash_order" else 0)
    nodeid, cause = CAUSES[name]
    assert cause in hunt([copy(name)], timeout=0.6).explain(nodeid).cause


def test_where_a_fork_is_not_safe_each_order_has_its_own_interpreter(copy, small):
    small(same=1, shuffles=1)
    report = hunt([copy("thread_at_import")])
    assert not report.head.forks
    assert "can't be forked safely" in report.head.because[0]
    assert "note: 2 threads run" in str(report)
    assert kinds(report) == {}
    assert all(each.rate_below for each in report.findings)


def test_nothing_is_found_in_a_clean_suite_over_200_schedules(copy, small):
    small(iterations=1, same=1, shuffles=200)
    report = hunt([copy("clean")], level="global")
    assert report.orders == 202
    assert report.flaky == []
    assert report.exit_status == 0
    assert set("".join(run.outcomes for run in report.runs)) <= {".", "s"}


def test_many_cleaners_do_not_hide_a_polluter_from_tuscan_rows(copy, small):
    """Shuffled, one polluter and 27 cleaners fail a victim in 1 of 29 orders; a Tuscan square shows all twelve."""
    small(iterations=1, same=1, shuffles=0, backwards=False, tuscan=True)
    assert kinds(hunt([copy("many_cleaners")])) == expected("many_cleaners")


def test_the_papers_protocol_keeps_its_blind_spot(copy):
    """A victim that fails in every shuffle and passes in file order is flaky by our rules, not by the paper's."""
    folder = copy("leaves_files")
    quick = hunt([folder])
    always = [run for run in quick.runs if run.kind == "same" or run.outcomes[1] in "FE"]
    for rules, kind in (("quick", "OD"), ("paper", "NOT_FLAKY")):
        report = Report(replace(quick.head, protocol=rules), [e for e in quick.entries if e.run in always])
        assert report.findings[1].kind.name == kind


def facts(report):
    return [(run.iteration, run.name, run.of, run.order, run.outcomes) for run in report.runs]


def test_the_seed_alone_decides_the_orders(copy, small):
    small()
    folder = copy("victim_and_polluter")
    first = facts(hunt([folder], out=folder / "one"))
    assert facts(hunt([folder], out=folder / "two")) == first
    assert sorted(facts(hunt([folder], out=folder / "jobs", jobs=2))) == sorted(first)
    assert facts(hunt([folder], out=folder / "other", seed=1)) != first


KILLED = "import sys; from parataxis.methods.flaky_tests.hunt import hunt; hunt([sys.argv[1]])"


def test_a_killed_hunt_goes_on_without_repeating_an_order_and_leaves_no_process(copy):
    folder = copy("forty_one")
    record = folder / ".parataxis" / NAME
    environment = {**os.environ, "TMPDIR": str(folder.parent)}
    for lines in (6, 25):
        code = KILLED if lines == 6 else KILLED.replace("])", "], resume=True)")
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment)
        children: list[psutil.Process] = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not record.exists() or record.read_bytes().count(b"\n") < lines):
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert children
        assert alive == []
    before = record.read_bytes().rpartition(b"\n")[0]
    report = hunt([folder], resume=True)
    assert record.read_bytes().startswith(before)
    names = [(run.iteration, run.name) for run in report.runs]
    assert len(names) == len(set(names))
    assert facts(report) == facts(hunt([folder], out=folder.parent / "whole"))
    assert kinds(report) == {}


def test_a_finished_hunt_is_not_run_again(copy, small):
    small()
    folder = copy("victim_and_polluter")
    first = hunt([folder])
    text = (folder / ".parataxis" / NAME).read_text()
    again = hunt([folder], resume=True)
    assert (folder / ".parataxis" / NAME).read_text() == text
    assert again.findings == first.findings


def test_a_hunt_goes_on_only_as_it_was_begun(copy, small):
    small()
    folder = copy("victim_and_polluter")
    hunt([folder])
    with pytest.raises(BadInput, match=r"was begun with seed=0, not 1; ask the same, or start anew without --resume"):
        hunt([folder], resume=True, seed=1)


def test_a_suite_that_changed_since_is_refused(copy, small):
    small(iterations=3)
    folder = copy("victim_and_polluter")
    hunt([folder])
    record = folder / ".parataxis" / NAME
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:4]))
    file = folder / "test_prices.py"
    file.write_text(file.read_text().replace("def test_reset", "def test_renamed"))
    with pytest.raises(BadInput, match=r"test_reset is no longer collected"):
        hunt([folder], resume=True)


def test_progress_is_told(copy, small):
    small()
    told = []
    report = hunt([copy("victim_and_polluter")], watch=told.append)
    assert [each.done for each in told] == list(range(1, report.orders + 1))
    assert told[-1].planned == told[-1].done
    assert told[-1].flaky == 1


def test_no_tests_is_said(copy):
    with pytest.raises(BadInput, match="pytest collected no tests; name the folder"):
        hunt([copy("no_tests")])


def test_the_folder_of_the_record_is_passed_over_by_git(copy, small):
    small()
    folder = copy("victim_and_polluter")
    hunt([folder])
    assert (folder / ".parataxis" / ".gitignore").read_text() == "*\n"
    head = json.loads((folder / ".parataxis" / NAME).read_text().splitlines()[0])
    assert head["protocol"] == "quick"
