"""Workers are processes, also within a worker, and none outlives whoever started it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from joblib import Parallel, delayed

from parataxis.workers import spread
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


def numbers(place):
    return place, os.getpid()


def within(_):
    return os.getpid(), list(spread((delayed(numbers)(place) for place in range(6)), 2))


def test_all_calls_are_made_in_processes_even_within_a_worker():
    for outer, found in Parallel(n_jobs=2)(delayed(within)(place) for place in range(2)):
        assert sorted(place for place, _ in found) == list(range(6))
        assert outer not in {process for _, process in found}


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
