import os
import signal
import subprocess
import sys

import pytest


@pytest.fixture
def memory(worker):
    return worker("memory")


PASSED, SKIPPED, FAILED = 1, 2, 3


@pytest.mark.parametrize(
    ("setup", "call", "teardown", "outcome"),
    [
        (PASSED, PASSED, PASSED, "."),
        (PASSED, FAILED, PASSED, "F"),
        (PASSED, FAILED, FAILED, "F"),
        (FAILED, 0, PASSED, "E"),
        (PASSED, PASSED, FAILED, "E"),
        (PASSED, SKIPPED, FAILED, "E"),
        (SKIPPED, 0, PASSED, "s"),
        (PASSED, SKIPPED, PASSED, "s"),
        (0, 0, 0, "-"),
    ],
)
def test_outcome_of_the_three_phases(memory, setup, call, teardown, outcome):
    record = memory.Record(1)
    record.start(0)
    for phase, code in zip(("setup", "call", "teardown"), (setup, call, teardown), strict=True):
        record.phase(0, phase, code)
    record.finish(0, 0.25)
    assert record.outcomes("C") == outcome
    assert record.seconds() == [0.25]


def test_of_several_reports_of_a_phase_the_worst_stays(memory):
    record = memory.Record(1)
    record.start(0)
    for code in (PASSED, FAILED, PASSED):
        record.phase(0, "setup", PASSED)
        record.phase(0, "call", code)
    record.phase(0, "a plugin's own", FAILED)
    record.finish(0, 0)
    assert record.outcomes("C") == "F"


def _pass(record, position):
    record.start(position)
    record.phase(position, "setup", PASSED)
    record.phase(position, "call", PASSED)
    record.finish(position, 0.5)


@pytest.mark.parametrize(
    ("finished", "started", "outcomes"),
    [
        ([], None, "----"),
        ([0], None, ".---"),
        ([0], 1, ".C--"),
        ([0, 2], None, ".-.-"),  # 1 is not there in this session
        ([0], 2, ".-C-"),
        ([0, 1, 2, 3], None, "...."),
        ([], 3, "---C"),
    ],
)
def test_only_what_was_started_and_not_finished_crashed(memory, finished, started, outcomes):
    record = memory.Record(4)
    for position in finished:
        _pass(record, position)
    if started is not None:
        record.start(started)
        record.phase(started, "setup", PASSED)
    assert record.outcomes("C") == outcomes


def test_messages(memory):
    record = memory.Record(3)
    record.message(1, "first")
    record.message(1, "second")
    record.message(2, "ü" * 1000)
    found = record.messages()
    assert found[1] == "first"
    assert found[2].startswith("üüü")
    assert len(found[2]) <= memory.LONGEST_MESSAGE
    for _ in range(1000):
        record.message(0, "x" * 300)  # beyond the room there is, nothing happens
    assert record.messages() == {**found, 0: "x" * 300}


def test_a_failed_teardown_of_a_shared_fixture_is_no_outcome(memory):
    record = memory.Record(2)
    for position in (0, 1):
        _pass(record, position)
    record.phase(1, "leaving", FAILED)
    assert record.outcomes("C") == ".."
    assert record.leaving() == [1]


def test_what_was_written_survives_the_writer(memory, worker):
    record = memory.Record(3)
    pid = worker("process").fork()
    if pid == 0:
        _pass(record, 0)
        record.start(1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert record.outcomes("C") == ".C-"


def test_a_record_in_a_file_is_read_while_another_process_writes(memory, tmp_path):
    path = str(tmp_path / "record")
    record = memory.Record(2, path)
    code = """
import os, sys
sys.path.insert(0, sys.argv[1])
from _parataxis_memory import Record
record = Record(2, sys.argv[2])
record.start(0)
record.message(0, "here")
os._exit(1)
"""
    folder = os.path.dirname(memory.__file__)
    assert subprocess.run([sys.executable, "-S", "-c", code, folder, path], check=False).returncode == 1
    assert record.outcomes("T") == "T-"
    assert record.messages() == {0: "here"}
