"""Workers are processes, also within a worker, and none outlives whoever started it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from joblib import Parallel, delayed

from parataxis.workers import spread
from planted import plant
from waiting import until

WAIT = 60.0  # seconds
SLEEPERS = """
import os, pathlib, sys, time
from joblib import delayed
from parataxis.workers import spread
def sleep(place):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)
list(spread((delayed(sleep)(place) for place in range(2)), 2))
"""


STUDY = (
    "    spread = float",
    "    from joblib import delayed; from parataxis import workers\n"
    "    assert sorted(workers.spread((delayed(pow)(n, 2) for n in range(4)), 2)) == [0, 1, 4, 9]\n"
    "    spread = float",
)


def numbers(place):
    return place, os.getpid()


def within(_):
    return os.getpid(), list(spread((delayed(numbers)(place) for place in range(6)), 2))


def test_all_calls_are_made_in_processes_even_within_a_worker():
    for outer, found in Parallel(n_jobs=2)(delayed(within)(place) for place in range(2)):
        assert sorted(place for place, _ in found) == list(range(6))
        assert outer not in {process for _, process in found}


def test_a_study_that_is_done_keeps_nobody_waiting(tmp_path):
    """Its method is measured by a worker, which ends when the study's own workers have ended."""
    folder = plant(tmp_path / "methods", ("study.py", *STUDY))
    run = f"from parataxis.cli import main; main(folders=[{str(folder)!r}])"
    argv = ["run", "planted-gap", "--scale", "toy", "--store", str(tmp_path / "e.sqlite")]
    done = subprocess.run([sys.executable, "-c", run, *argv], capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr
    assert "spread" in done.stdout


def test_one_job_is_done_here():
    assert list(spread((delayed(numbers)(place) for place in range(3)), 1)) == [(n, os.getpid()) for n in range(3)]


def test_who_stops_early_waits_for_nobody():
    began = time.monotonic()
    found = spread((delayed(time.sleep)(seconds) for seconds in (0.01, 600, 600)), 2)
    assert next(found) is None
    found.close()
    assert time.monotonic() - began < WAIT


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_workers_end_with_whoever_started_them(tmp_path, end):
    here = subprocess.Popen(
        [sys.executable, "-c", SLEEPERS, str(tmp_path)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: len(list(tmp_path.iterdir())) == 2, "the workers' start")
    workers = [psutil.Process(int(each.name)) for each in tmp_path.iterdir()]
    if end == signal.SIGINT:
        for each in workers:
            each.send_signal(end)  # a terminal sends it to all: it is the first one's to end them
        with pytest.raises(subprocess.TimeoutExpired):
            here.wait(1)
        os.killpg(here.pid, end)
    else:
        here.kill()
    _, told = here.communicate(timeout=WAIT)
    assert psutil.wait_procs(workers, WAIT)[1] == []
    assert told.count("Traceback") == (end == signal.SIGINT), told
