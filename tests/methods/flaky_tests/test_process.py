import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(3600)
"""


@pytest.fixture
def process(worker):
    return worker("process")


def _in_a_child(process, *lines, **names):
    """Run the lines in an interpreter of its own, with the worker's module at hand; what they print."""
    code = [f"import os, sys; sys.path.insert(0, {os.path.dirname(process.__file__)!r})"]
    code += ["import _parataxis_process as process", *(f"{name} = {value!r}" for name, value in names.items()), *lines]
    done = subprocess.run([sys.executable, "-S", "-c", "\n".join(code)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_clock_cant_be_stopped(process, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    before = process.now()
    time.sleep(0.001)
    assert 0 < before < process.now()


def test_an_ended_child_keeps_its_id_until_it_is_reaped(process):
    reader, writer = os.pipe()
    pid = process.fork()
    if pid == 0:
        os.read(reader, 1)
        os._exit(0)
    assert not process.has_ended(pid)
    os.write(writer, b"x")
    os.close(reader)
    os.close(writer)
    while not process.has_ended(pid):
        time.sleep(0.01)
    assert process.has_ended(pid)
    assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    process.reap(pid)
    assert not psutil.pid_exists(pid)
    assert process.has_ended(pid)  # whoever reaped it
    process.reap(pid)


def test_threads_are_counted(process):
    before, stop = process.threads(), threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert process.threads() == before + 1
    stop.set()
    thread.join()


def test_descendants_are_killed_daemons_included(process):
    """Two children that each leave a daemon; one child is kept, and its daemon with it."""
    out = _in_a_child(
        process,
        "import subprocess, time",
        "def child():",
        "    reader, writer = os.pipe()",
        "    pid = process.fork()",
        "    if pid == 0:",
        "        process.enter_group(os.getppid())",
        "        out = subprocess.Popen([sys.executable, '-S', '-c', DAEMON], stdout=subprocess.PIPE)",
        "        os.write(writer, out.stdout.readline())",
        "        time.sleep(3600)",
        "    return pid, int(os.read(reader, 100))",
        "def alive(pid):",
        "    return os.path.exists('/proc/%d' % pid)",
        "process.adopt_orphans()",
        "(one, daemon), (other, other_daemon) = child(), child()",
        "os.kill(one, 9)",
        "process.reap(one)",
        "process.kill_descendants({other})",
        "print([alive(pid) for pid in (one, daemon, other, other_daemon)])",
        "process.kill_descendants(set())",
        "print([alive(pid) for pid in (one, daemon, other, other_daemon)])",
        DAEMON=DAEMON,
    )
    assert out.splitlines() == [str([False, False, True, True]), str([False] * 4)]


def test_a_child_dies_with_its_parent(process):
    out = _in_a_child(
        process,
        "import time",
        "reader, writer = os.pipe()",
        "parent = process.fork()",
        "if parent == 0:",
        "    me = os.getpid()",
        "    pid = process.fork()",
        "    if pid == 0:",
        "        process.die_with_parent(me)",
        "        os.write(writer, b'%d' % os.getpid())",
        "        time.sleep(3600)",
        "    time.sleep(3600)",
        "pid = int(os.read(reader, 100))",
        "os.kill(parent, 9)",
        "os.waitpid(parent, 0)",
        "os.close(writer)",
        "print(os.read(reader, 1))",  # the end, once the grandchild has closed it
    )
    assert out == "b''"


def test_a_tree_with_odd_permissions_is_removed(process, tmp_path):
    inner = tmp_path / "tree" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    (inner / "link").symlink_to("/")
    inner.chmod(0)
    process.remove_tree(str(tmp_path / "tree"))
    process.remove_tree(str(tmp_path / "tree"))  # nothing is left to do
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "counted"), [("jemalloc_bg_thd", 0), ("worker", 1)])
def test_a_thread_that_a_fork_may_miss_is_not_counted(process, name, counted):
    """pandas starts jemalloc's where pyarrow is installed; such suites would all be run without forks."""
    lines = [
        "import threading",
        "end = threading.Event()",
        "thread = threading.Thread(target=end.wait)",
        "thread.start()",
        "open(f'/proc/self/task/{thread.native_id}/comm', 'w').write(name)",
        "print(process.threads())",
        "end.set()",
    ]
    assert int(_in_a_child(process, *lines, name=name)) == 1 + counted
