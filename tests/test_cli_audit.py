import json
import os
import pty
import shlex
import subprocess
import sys

import pytest

CALL = "from parataxis.cli import main; main()"
OWN = """
import math
def first(items): print("called"); return items[0]
def total(items): return sum(map(float, items))
def places(items): return list(range(len(items)))
def port(rows): return [row["port"] for row in rows if row["host"] == "a"]
def broken(items): raise RuntimeError("no")
number = 3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "needs.py").write_text("import absent_library\n")
    (tmp_path / "words.txt").write_text("b\na\n\nc\nd\n")
    (tmp_path / "numbers.json").write_text("[1, 2.5, 3, 4, 5, 6, 7]")
    (tmp_path / "lines.jsonl").write_text(
        '{"host": "a", "port": 1}\n{"host": "b", "port": 2}\n\n{"host": "a", "port": 3}\n'
    )
    (tmp_path / "rows.csv").write_text("host,port\na,1\nb,2\na,3\n")
    (tmp_path / "cut.jsonl").write_text('{"a": 1}\n{"a": \n')
    (tmp_path / "cut.json").write_text("[1,\n2,\n")
    (tmp_path / "one.txt").write_text("alone\n")
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "short.csv").write_text("host,port\na,1\nb\n")
    (tmp_path / "latin.txt").write_bytes("é\n".encode("latin-1"))
    return tmp_path


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """`parataxis audit <argv>` in this process: a child each would take most of a minute."""
    from parataxis.cli import main

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*argv):
        for name in ("own", "bad", "needs"):
            sys.modules.pop(name, None)
        with pytest.raises(SystemExit) as ended:
            main(["audit", *argv])
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(argv, ended.value.code, out, err)

    yield call
    for name in ("own", "bad", "needs"):
        sys.modules.pop(name, None)


def test_the_command_reproduces_in_a_process_of_its_own(folder):
    def parataxis(*argv):
        command = [sys.executable, "-W", "error", "-c", CALL, *argv]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    done = parataxis("audit", "own:first", "--items", "words.txt")
    assert done.returncode == 1
    again = parataxis(*shlex.split(done.stdout.splitlines()[-1].removeprefix("  reproduce "))[1:])
    assert again.returncode == 1
    assert again.stdout.endswith("the outcomes differ\n")
    assert again.stderr == "called\ncalled\n"


def test_a_dependence_is_told_and_its_line_reproduces_it(call):
    done = call("own:first", "--items", "words.txt")
    assert done.returncode == 1
    assert done.stdout.startswith("order-dependent: ")
    assert "called" not in done.stdout  # what the system prints is no result
    line = done.stdout.splitlines()[-1].removeprefix("  reproduce ")
    assert line.startswith("parataxis audit own:first --items words.txt --replay ")
    again = call(*shlex.split(line)[2:])
    assert again.returncode == 1
    assert again.stdout.endswith("the outcomes differ\n")
    told = json.loads(call(*shlex.split(line)[2:], "--json").stdout)
    assert told["differ"]
    assert told["given"]["outcome"] != told["other"]["outcome"]
    assert f"gives {told['given']['outcome']!r}" in done.stdout


def test_an_invariance_ends_with_0_and_json_agrees(call):
    done = call("own:total", "--items", "numbers.json", "--json", "--tolerance", "1e-9")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["verdict"], told["n"], told["reproduce"]) == ("invariant", 7, None)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr.splitlines()[0] == "repeating the given order: after 0 calls"
    assert call("own:total", "--items", "numbers.json", "--replay", "1,0,2").returncode == 0


def test_what_was_left_open_ends_with_2(call):
    noisy = call("random:choice", "--items", "numbers.json", "--budget", "60")
    assert (noisy.returncode, noisy.stdout.split(":")[0]) == (2, "noisy")
    undecided = call("builtins:len", "--items", "numbers.json", "--budget", "20")
    assert (undecided.returncode, undecided.stdout.split(":")[0]) == (2, "undecided")


def test_per_item_and_a_page_and_a_figure(call, folder):
    done = call("own:places", "--items", "words.txt", "--per-item", "--html", "out/page.html", "--plot", "figure.png")
    assert done.returncode == 1
    assert "items' own outcomes depend on the order" in done.stdout
    line = done.stdout.splitlines()[-1].removeprefix("  reproduce ")
    assert " --per-item " in line
    assert line.split("--replay")[1] in (folder / "out" / "page.html").read_text()
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert call(*shlex.split(line)[2:]).returncode == 1


@pytest.mark.parametrize("file", ["lines.jsonl", "rows.csv"])
def test_rows_are_mappings(call, file):
    done = call("own:port", "--items", file, "--json")
    assert json.loads(done.stdout)["witness"]["other"]["places"] == [2, 0]


def test_a_journal_is_gone_on_with(call, folder):
    whole = call("own:first", "--items", "words.txt", "--journal", "j.jsonl", "--json").stdout
    lines = (folder / "j.jsonl").read_text().splitlines(keepends=True)
    (folder / "j.jsonl").write_text("".join(lines[:10]))
    again = call("own:first", "--items", "words.txt", "--resume", "j.jsonl", "--json")
    assert again.stdout == whole
    assert again.stderr.count("called") == len(lines) - 10
    assert "belongs to another audit" in call("own:first", "--items", "numbers.json", "--resume", "j.jsonl").stderr


def test_a_bar_on_a_terminal(folder):
    master, slave = pty.openpty()
    command = [sys.executable, "-c", CALL, "audit", "own:total", "--items", "numbers.json"]
    environment = {**os.environ, "TERM": "xterm"}
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    assert child.wait() == 0
    assert b"trying orders" in seen
    assert b"\x1b[" in seen


def test_help_has_an_example_that_runs(call):
    told = call("--help")
    example = "parataxis audit builtins:sum --items numbers.json"
    assert example in " ".join(told.stdout.split())
    assert "2 for bad input, or if noise or" in told.stdout
    assert call(*example.split()[2:]).returncode == 0


BAD = [
    (["own:first"], "--items"),
    (["own", "--items", "words.txt"], "own: expected MODULE:FUNCTION, as in builtins:sum"),
    (["owm:first", "--items", "words.txt"], "owm:first: no module 'owm' here or installed"),
    (["own.sub:first", "--items", "words.txt"], "own.sub:first: "),
    (["needs:x", "--items", "words.txt"], "needs:x: importing it needs the module 'absent_library'"),
    (["bad:x", "--items", "words.txt"], "bad:x: importing it raises ZeroDivisionError: division by zero"),
    (["own:frist", "--items", "words.txt"], "own:frist: own has no 'frist'; it has first"),
    (["own:number", "--items", "words.txt"], "own:number: is int, expected a function"),
    (
        ["own:broken", "--items", "words.txt"],
        "the system fails on the items as given, 3 times of 3: raised RuntimeError: no",
    ),
    (["own:first", "--items", "absent.txt"], "absent.txt: can't be read: No such file or directory"),
    (["own:first", "--items", "one.txt"], "one.txt: holds 1 items"),
    (["own:first", "--items", "object.json"], "object.json: holds dict, expected a list of items"),
    (["own:first", "--items", "cut.jsonl"], "cut.jsonl:2: is not JSON: "),
    (["own:first", "--items", "cut.json"], "cut.json:3: is not JSON: "),
    (["own:first", "--items", "short.csv"], "short.csv:3: expected 2 cells, as in line 1"),
    (["own:first", "--items", "latin.txt"], "latin.txt: is not text in UTF-8"),
    (["own:first", "--items", "words.txt", "--design", "latin"], "design='latin' is not known"),
    (["own:first", "--items", "words.txt", "--budget", "2"], "budget=2: expected more than repeats=3"),
    (["own:first", "--items", "words.txt", "--replay", "0,4"], "--replay 0,4: expected different places from 0 to 3"),
    (
        ["own:first", "--items", "words.txt", "--plot", "x.doc"],
        "--plot x.doc: expected a name that ends with one of .png",
    ),
    (["own:total", "--items", "words.txt", "--tolerance", "-1"], "compare=-1.0: expected None, a tolerance"),
]


@pytest.mark.parametrize(("argv", "said"), BAD)
def test_bad_input_is_told_in_one_line(call, argv, said):
    done = call(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    last = [line for line in done.stderr.splitlines() if " calls" not in line and line != "called"]
    assert len(last) == 1
    assert last[0].startswith("parataxis: ")
    assert said in last[0]


def test_help_loads_nothing_heavy():
    code = (
        "import sys, atexit\n"
        "heavy = ('pandas', 'scipy', 'matplotlib', 'numpy', 'joblib')\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules], file=sys.stderr))\n"
        f"sys.argv = ['parataxis', 'audit', '--help']; {CALL}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare = subprocess.run(
        [sys.executable, "-c", code.replace("'audit', ", "")], capture_output=True, text=True, check=True
    )
    assert done.stderr == bare.stderr
