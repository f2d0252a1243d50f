"""`--backend ray` and `dask` on a cluster of two workers, started and stopped here, some of which are killed.

All calls of the command line for one cluster are made by one process, which has to import its library only once.
"""

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from parataxis import backends
from planted import plant

NEEDS = {"ray": "ray", "dask": "distributed"}
HOLD = {
    "ray": """
import sys, ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
""",
    "dask": """
import sys, dask
from dask.distributed import LocalCluster
# by default it gives up a worker that is away 15 s after it was, which one that is killed again and again can be
dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=sys.argv[1]) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
""",
}
SESSION = """
import contextlib, io, json, os, pathlib, sys
from parataxis.cli import main
folders, calls = json.loads(sys.argv[1])
for environment, argv in calls:
    before, out, err = dict(os.environ), io.StringIO(), io.StringIO()
    os.environ.update(environment)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(argv, [pathlib.Path(each) for each in folders])
        except SystemExit as end:
            status = end.code
    os.environ.clear(); os.environ.update(before)
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""
OWN = """
import os, pathlib, time
def hit(words):
    flag = pathlib.Path("hit-once")  # in the folder that the command was given in
    if not flag.exists() and words[0] != "a":
        flag.touch()
        os.kill(os.getpid(), 9)
    return words[0]
def doomed(words):
    os.kill(os.getpid(), 9)
def slow(words):
    time.sleep(0 if words[0] == "a" else 15)
    return sorted(words)
"""
BESIDE = """
import os, sys
from parataxis.backends import Lost, connected
with connected(sys.argv[1]) as cluster:
    beside = cluster.start(lambda: os.getpid)
    first, found = beside(), []
    for _ in range(3):
        try:
            cluster.start(lambda: lambda: os.kill(os.getpid(), 9))()
        except Lost:
            found.append(beside() == first)
print(*found)
"""
ONCE = """    import os, pathlib
    if not pathlib.Path({flag!r}).exists():
        pathlib.Path({flag!r}).touch()
        os.kill(os.getpid(), 9)
    spread = float"""
ALWAYS = "    import os; os.kill(os.getpid(), 9)\n    spread = float"
COUNTED = """if not ctx.done("gap"):
        with open({log!r}, "a") as log:
            log.write("gap of " + ctx.paper.name + chr(10))
        yield Measurement("gap\""""
DIED = "its worker died 3 times: a crash, or out of memory"


@pytest.fixture(scope="module", params=["ray", "dask"])
def backend(request):
    if importlib.util.find_spec(NEEDS[request.param]) is None:
        pytest.skip(f"{request.param} is not installed; pip install 'parataxis[{request.param}]'")
    return request.param


@pytest.fixture(scope="module")
def cluster(backend):
    """Two workers; the environment in which the command finds them. They end with this process, however it ends."""
    hidden = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory(prefix="pc", ignore_cleanup_errors=True) as folder:  # Ray's sockets: a short path
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD[backend], folder],
            env={**os.environ, **hidden},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            address = holder.stdout.readline().strip()
            assert address, "the cluster did not start"
            yield {**hidden, {"ray": "RAY_ADDRESS", "dask": "DASK_SCHEDULER_ADDRESS"}[backend]: address}
        finally:
            holder.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                holder.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()
            holder.stdout.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, backend):
    folder = tmp_path_factory.mktemp(f"on-{backend}")
    log, methods = str(folder / "log"), folder / "methods"
    counted = ("study.py", 'yield Measurement("gap"', COUNTED.format(log=log))
    kills = {"plain": "    spread = float", "hit": ONCE.format(flag=str(folder / "hit")), "doomed": ALWAYS}
    for name, kill in kills.items():
        plant(methods, counted, ("study.py", "    spread = float", kill), name=name)
    (folder / "own.py").write_text(OWN)
    (folder / "words.txt").write_text("a\nb\nc\nd\ne\nf\ng\n")
    (folder / "empty").mkdir()
    (folder / "no.tar.gz").write_text("no archive")
    (folder / "projects.csv").write_text("name,path,install\nfirst,empty,-\nsecond,no.tar.gz,-\n")
    return folder


@pytest.fixture(scope="module")
def done(backend, cluster, folder):
    """What became of each call: (status, stdout, stderr)."""
    there = ["--backend", backend, "--jobs", "2"]
    with socket.socket() as held:  # bound and not listened at: nobody answers, and nobody else takes it
        held.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{held.getsockname()[1]}"
        toy = ["--scale", "toy", "--json", "--store"]
        run = ["run", "plain", "hit", *toy]
        audit = ["audit", "own:hit", "--items", "words.txt", "--json"]
        calls = {
            "run": (
                {},
                ["run", "plain", "hit", "doomed", *toy, "there.sqlite", *there],
            ),
            "again": ({}, [*run, "there.sqlite", *there]),
            "run here": ({}, [*run, "here.sqlite", "--backend", "threading"]),
            "audit": ({}, [*audit, *there]),
            "audit here": ({}, audit),
            "nobody": (dict.fromkeys(["RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"], nobody), [*audit, *there]),
            "no address": (dict.fromkeys(["RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"], ""), [*audit, *there]),
        }
        if backend == "dask":  # for either, it is the same code
            calls["doomed"] = ({}, ["audit", "own:doomed", "--items", "words.txt", *there[:2]])
            calls["study"] = ({}, ["tests", "study", "projects.csv", "--out", "out", "--json", *there])
        asked = json.dumps([[str(folder / "methods")], list(calls.values())])
        over = threading.Event()
        hunter = threading.Thread(target=_kill_holder, args=(folder / "out", over))
        hunter.start()
        ended = subprocess.run(
            [sys.executable, "-c", SESSION, asked],
            cwd=folder,
            env={**os.environ, **cluster, "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        over.set()
        hunter.join()
    lines = ended.stdout.splitlines()
    assert len(lines) == len(calls), ended.stderr
    return dict(zip(calls, map(json.loads, lines), strict=True))


def _kill_holder(out: Path, over: threading.Event) -> None:
    """Kill the first process that works on a project: it holds the lock of the project's folder."""
    while not over.wait(0.02):
        for process in map(str, filter(str.isdecimal, os.listdir("/proc"))) if out.exists() else ():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                held = [os.readlink(each) for each in Path("/proc", process, "fd").iterdir()]
                if any(each.startswith(str(out)) and each.endswith("/lock") for each in held):
                    os.kill(int(process), signal.SIGKILL)
                    return


def rows(text):
    keys = ("id", "value", "low", "high", "n", "null", "verdict", "note", "claim_version")
    return {run["method"]: [{key: row[key] for key in keys} for row in run["rows"]] for run in json.loads(text)}


def test_a_killed_worker_loses_its_method_only_which_goes_on(done, folder):
    status, out, err = done["run"]
    assert (folder / "hit").exists(), "the worker was not killed"
    assert status == 2, "one method kills each of its workers"
    assert [line for line in err.splitlines() if line.startswith("parataxis:")] == [f"parataxis: doomed: {DIED}"]
    found = {run["method"]: run for run in json.loads(out)}
    assert {name: bool(run["finished"]) for name, run in found.items()} == {"plain": True, "hit": True, "doomed": False}
    here = rows(done["run here"][1])
    assert {name: each for name, each in rows(out).items() if name != "doomed"} == here
    assert len(rows(out)["doomed"]) == 1, "what it gave before it died is kept"


def test_nothing_is_measured_again_that_is_stored(done, folder):
    """Not when a killed method goes on, nor when the command is given again. The last lines are the one process's."""
    log = (folder / "log").read_text().splitlines()
    assert sorted(log[:3]) == ["gap of doomed", "gap of hit", "gap of plain"]
    assert sorted(log[3:]) == ["gap of hit", "gap of plain"]
    assert done["again"][0] == 0
    assert rows(done["again"][1]) == rows(done["run here"][1])


def test_an_audit_loses_a_call_with_its_worker_and_no_number(done, folder):
    assert (folder / "hit-once").exists(), "the worker was not killed"
    assert done["audit"][0] == 1
    assert done["audit"][1] == done["audit here"][1]


def test_what_dies_with_its_worker_takes_no_other_along(backend, cluster):
    ended = subprocess.run(
        [sys.executable, "-c", BESIDE, backend],
        env={**os.environ, **cluster},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.stdout.split() == ["True"] * 3, ended.stderr


@pytest.fixture
def one_died(monkeypatch):
    """Of two workers of Dask one has died and is not back; the threads that the scheduler tells of, and its looks."""
    threads, looks = {"one": 1, "two": 1}, []
    dask = backends._Dask(SimpleNamespace(nthreads=lambda: looks.append(1) or dict(threads)))
    monkeypatch.setattr(dask, "_told", lambda answer: answer())
    assert sorted([dask._place(), dask._place()]) == ["one", "two"]
    dask._leave("two")
    del threads["two"]
    looks.clear()
    return dask, threads, looks


def test_a_worker_that_takes_its_time_is_waited_for(one_died, monkeypatch):
    """Where the machine is busy, it is back after more time than a cluster that is there may take to answer."""
    dask, threads, _ = one_died
    monkeypatch.setattr(backends, "REACH", 0.05)
    back = threading.Timer(0.3, threads.update, [{"two": 1}])
    back.start()
    assert dask._place() == "two"
    back.join()


def test_a_worker_that_died_is_not_asked_as_long_as_the_scheduler_takes_it_for_alive(one_died):
    """On a busy machine who waits for an answer hears of the death first. The next one there is another."""
    dask, threads, _ = one_died
    threads["two"] = 1
    dask._died["two"] = time.monotonic()
    changes = [
        threading.Timer(3 * backends.POLL, threads.pop, ["two"]),
        threading.Timer(4 * backends.POLL, threads.update, [{"two": 1}]),
    ]
    begun = time.monotonic()
    for each in changes:
        each.start()
    assert dask._place() == "two"
    assert time.monotonic() - begun > 3 * backends.POLL
    assert dask._died == {}
    for each in changes:
        each.join()


def test_a_worker_that_never_comes_back_is_waited_for_once(one_died, monkeypatch):
    dask, _, looks = one_died
    monkeypatch.setattr(backends, "BACK", 0.2)
    assert dask._place() == "one"
    waited = len(looks)
    assert dask._place() == "one"
    assert waited > 2
    assert len(looks) == waited + 1


@pytest.mark.parametrize("backend", ["dask"], indirect=True)
def test_a_call_that_kills_every_worker_is_told_in_one_line(done):
    status, out, err = done["doomed"]
    assert (status, out) == (2, "")
    assert [line for line in err.splitlines() if "parataxis:" in line] == [f"parataxis: own:doomed: {DIED}"]
    assert "Traceback" not in err


@pytest.mark.parametrize("backend", ["dask"], indirect=True)
def test_a_study_of_projects_outlives_a_worker(done):
    status, out, err = done["study"]
    assert status == 2, "there is nothing to be measured in either"
    found = json.loads(out)["projects"]
    assert [each["project"] for each in found] == ["first", "second"]
    assert "collected no tests" in found[0]["reason"]
    assert found[1]["reason"].startswith("fetch: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("call", "said"), [("nobody", "no {} cluster answers there: "), ("no address", "is not set; ")]
)
def test_a_cluster_that_is_not_there_is_told_in_one_line(done, backend, call, said):
    status, out, err = done[call]
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said.format(backend.title()) in err


def test_ctrl_c_ends_at_once_and_leaves_the_workers_free(backend, cluster, folder):
    call = "from parataxis.cli import main; main()"
    argv = ["audit", "own:slow", "--items", "words.txt", "--backend", backend, "--jobs", "2"]
    asked = subprocess.Popen(
        [sys.executable, "-c", call, *argv],
        cwd=folder,
        env={**os.environ, **cluster},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = iter(asked.stderr.readline, "")
    assert any("after 3 calls" in line for line in said)
    asked.send_signal(signal.SIGINT)
    asked.send_signal(signal.SIGINT)  # as who presses twice
    began = time.monotonic()
    out, err = asked.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert (asked.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "parataxis: stopped"
    assert "Traceback" not in err
