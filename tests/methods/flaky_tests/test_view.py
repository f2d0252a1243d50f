import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# One function a change that an order may make to the project; the name tells which.
CHANGES = {
    "nothing": "pass",
    "read": "open('kept').read(); os.listdir('sub'); os.stat('sub/inner')",
    "write": "open('kept', 'w').write('changed')",
    "write below": "open('sub/inner', 'a').write('changed')",
    "open to write": "os.close(os.open('kept', os.O_RDWR))",
    "new": "open('new', 'w').close()",
    "new and gone": "time.sleep(0.02); open('new', 'w').close(); os.remove('new')",
    "new and gone below": "open('sub/new', 'w').close(); os.remove('sub/new')",
    "removed": "os.remove('removed')",
    "mode": "os.chmod('.', 0o700)",
    "mode below": "os.chmod('sub', 0o700)",
    "link": "os.symlink('kept', 'new')",
    "times": "os.utime('kept', (1, 1))",
    "other folder": "open(other + '/new', 'w').close()",
    "layer": "open(layer + '/new', 'w').close()",
    "mount": "view._mount('tmpfs', folder + '/sub', 'tmpfs', 0, None)",
    "kept by a child": "process.fork() or time.sleep(60)",  # as an order's own daemons, it is killed before we look
}
UNCHANGED = ("nothing", "read", "kept by a child")
SCRIPT = """
import os, sys, time
sys.path.insert(0, WORKER)
import _parataxis_process as process
import _parataxis_view as view
if user:
    os.setgid(user)
    os.setuid(user)
    process._libc.prctl(4, 1)  # a process that has changed its user may not map users, one that was started can
os.umask(0o22)
os.chdir(folder)
print("why:" + view.why_no_private_view([folder, other], layer), flush=True)
views = view.Views([folder, other], layer)
process.adopt_orphans()
def order(change):
    views.take(1)
    pid = process.fork()
    if pid == 0:
        process.enter_group(os.getppid())
        views.enter(1)
        seen = [sorted(os.listdir(place)) for place in (folder, other, ".", "sub", layer)]
        print(seen, open("kept").read(), os.stat(".").st_mode & 0o777, flush=True)
        exec(change)
        os._exit(0)
    if "sleep(60)" in change:
        time.sleep(0.1)
        process.kill_group(pid)
    process.reap(pid)
    process.kill_descendants(views.keepers())
    (before,) = views.keepers()
    views.leave(1)
    assert (before in views.keepers()) == os.path.exists("/proc/%d" % before)
    return before in views.keepers()
"""


def _in_a_child(worker, *lines, **names):
    """Run SCRIPT and the lines in an interpreter of its own; the lines that they print."""
    names = {"WORKER": os.path.dirname(worker("view").__file__), "user": 0, **names}
    code = "\n".join([*(f"{name} = {value!r}" for name, value in names.items()), SCRIPT, *lines])
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(params=["ours", "nobody"])
def places(request):
    """Folders to be seen in a view, and who sees them."""
    if request.param == "nobody" and os.getuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as home:  # where anybody may go; pytest's own is for us alone
        os.chmod(home, 0o711)
        yield _places(Path(home), 65534 if request.param == "nobody" else 0)


def _places(home, user):
    folder, other, layer = (home / name for name in ("pro,ject: a", "other", "layer"))
    for path in (folder, other, layer, folder / "sub"):
        path.mkdir()
    for name in ("kept", "removed", "sub/inner"):
        (folder / name).write_text("as it was")
    if user:
        for path in (layer, other, folder, *folder.rglob("*")):
            os.chown(path, user, user)
    return {"folder": str(folder), "other": str(other), "layer": str(layer), "user": user}


def test_what_is_written_in_a_private_view_vanishes_and_the_next_order_sees_none_of_it(worker, places):
    """Every change in turn, and after each a look, in what view there is."""
    lines = [f"changes = {CHANGES!r}"]
    lines += ["for name, change in changes.items():", "    print(name, order(change), flush=True)", "order('')"]
    why, *out = _in_a_child(worker, *lines, **places)
    assert why == "why:"
    top, layers = ["kept", "removed", "sub"], ["upper-0", "upper-1", "work-0", "work-1"]
    assert set(out[::2]) == {f"{[top, [], top, ['inner'], layers]} as it was 493"}
    assert out[1::2] == [f"{name} {name in UNCHANGED}" for name in CHANGES]
    folder = Path(places["folder"])
    assert sorted(os.listdir(folder)) == top
    assert [(folder / name).read_text() for name in ("kept", "removed", "sub/inner")] == ["as it was"] * 3
    assert os.listdir(places["layer"]) == []


def test_without_a_keeper_each_order_has_a_view_all_the_same(worker, places):
    """The keeper is killed by a test; or the kernel lets nobody in."""
    lines = ['print(order(\'os.kill(*views.keepers(), 9); open("new", "w").close()\'))', "print(views.keepers())"]
    lines += ["view._Keeper.let_in = lambda keeper: False", 'print(order(\'open("new", "w").close()\'))', "order('')"]
    _, *out = _in_a_child(worker, *lines, **places)
    assert out[1:3] == ["False", "set()"]
    assert out[4] == "True"  # it was not used
    assert {line.rpartition(" as it was")[0] for line in (out[0], out[3], out[5])} == {
        out[0].rpartition(" as it was")[0]
    }
    assert sorted(os.listdir(places["folder"])) == ["kept", "removed", "sub"]


def test_a_view_that_would_hide_a_file_system_is_refused_with_the_reason(worker, tmp_path):
    assert worker("view").why_no_private_view(["/"], str(tmp_path)).startswith("file systems are mounted below /")


def test_a_refused_mount_says_which(worker, tmp_path):
    assert "mount of tmpfs on" in worker("view").why_no_private_view([str(tmp_path)], str(tmp_path / "absent"))
