import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from nursery import command, in_child
from parataxis.cli.house import installed
from parataxis.studies import registry
from parataxis.studies.docs import BEGIN, END
from parataxis.studies.registry import methods
from planted import NUMBERS, plant
from waiting import alive, until

CALL = "import sys; from parataxis.cli import main; main(folders=[sys.argv.pop(1)])"
HERE = ("--backend", "threading")  # the study runs in the command's process: nothing is started and imported


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def cwd(tmp_path, monkeypatch):
    """The current folder, with the planted method's data in place."""
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("COLUMNS", raising=False)  # as in a pipe
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    (tmp_path / "data" / "planted-gap").mkdir(parents=True)
    (tmp_path / "data" / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "cwd"


@pytest.fixture
def call(cwd, planted):
    """`parataxis <argv>` in a process of its own, with the planted method; warnings are errors."""
    return lambda *argv, folder=planted: Done(*in_child(command, argv, [folder], cwd=cwd))


@pytest.fixture
def process(cwd, planted):
    """The same in an interpreter of its own."""

    def process(*argv, folder=planted):
        command = [sys.executable, "-W", "error", "-c", CALL, str(folder), *argv]
        environment = dict(os.environ)  # said, as readline puts COLUMNS into what is inherited unsaid
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    return process


def test_help_lists_the_house_and_the_methods(process):
    done = process("--help")
    assert done.returncode == 0
    house = ("papers", "run", "report", "serve", "cite", "docs", "evidence", "audit")
    for word in (*house, "gap", "Say how far the mean of some"):
        assert word in done.stdout
    assert process("-h").stdout == done.stdout
    assert process("--version").stdout == "parataxis 0.1.0\n"
    bare = process()
    assert (bare.returncode, bare.stderr) == (2, "")
    assert "Usage" in bare.stdout


def test_no_help_loses_what_stands_in_brackets():
    """Rich takes [word] for a tag: in a help text it is written \\[word]."""
    from rich.text import Text

    import parataxis.cli

    def texts(group, path):
        yield path, group.help or ""
        for each in group.params:
            yield f"{path} {each.name}", getattr(each, "help", None) or ""
        for name, each in getattr(group, "commands", {}).items():
            yield from texts(each, f"{path} {name}")

    apps = {name: typer.main.get_command(each.load("cli").app) for name, each in methods().items()}
    for path, text in (
        found for name, app in {"parataxis": parataxis.cli.command(), **apps}.items() for found in texts(app, name)
    ):
        assert Text.from_markup(text).plain == text.replace(r"\[", "["), path


HEAVY = ("pandas", "torch", "jax", "scipy.stats", "matplotlib", "joblib")


@pytest.mark.parametrize("argv", [["--help"], ["papers"], ["--version"], ["cite", "planted-gap"], ["gap", "--help"]])
def test_light_commands_load_nothing_heavy(planted, argv):
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr))\n"
        f"{CALL}"
    )
    done = subprocess.run([sys.executable, "-c", code, str(planted), *argv], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_a_method_that_cannot_be_imported_hurts_no_other_command(call, process, tmp_path):
    folder = plant(tmp_path / "broken", ("cli.py", "import json\n", "raise RuntimeError('imported')\n"))
    assert call("--help", folder=folder).returncode == 0
    assert call("papers", folder=folder).returncode == 0
    assert "RuntimeError: imported" in process("gap", "--help", folder=folder).stderr


def test_a_methods_command_runs(call, cwd):
    (cwd / "numbers.txt").write_text("1\n2\n6\n")
    assert call("gap", "mean", "numbers.txt").stdout == "mean 3.0\n"
    assert json.loads(call("gap", "mean", "numbers.txt", "--json").stdout) == {"mean": 3.0}


BAD = [
    (["nonsense"], "no command is named 'nonsense'; there: papers, run, report, serve, cite, docs, evidence, audit, "),
    (["run", "nonsense"], "no method is named 'nonsense'; there: "),
    (["run", "--scale", "huge"], "'huge' is not one of 'toy', 'quick', 'full', 'paper'; see `parataxis run --help`"),
    (["run", "--jobs", "0"], "--jobs"),
    (["run", "--seed", "x"], "--seed"),
    (["run", "--what"], "No such option: --what"),
    (["run", "planted-gap", "--store", "."], "--store="),
    (["run", "planted-gap", "--backend", "threads"], "'loky', 'threading', 'ray', 'dask'"),
    (["cite"], "see `parataxis cite --help`"),
    (["cite", "nonsense"], "no method is named 'nonsense'"),
    (["docs"], "expected one of --write and --check"),
    (["docs", "--write", "--check"], "expected one of --write and --check"),
    (["docs", "--check"], "no README.md and pyproject.toml here"),
    (["report"], "nothing has been measured yet; `parataxis run` does"),
    (
        ["report", "--evidence", "none"],
        "--evidence=none: is no folder; give one that `parataxis evidence export` wrote",
    ),
    (
        ["evidence", "export", "planted-gap"],
        "planted-gap: has no finished full run; `parataxis run planted-gap --scale full`",
    ),
    (["gap", "mean", "absent.txt"], "absent.txt: can't be read: No such file or directory"),
    (["gap", "nonsense"], "nonsense"),
]


@pytest.mark.parametrize(("argv", "said"), BAD)
def test_bad_input_is_told_in_one_line(call, argv, said):
    done = call(*argv)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("parataxis: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_mistake_in_a_paper_toml_is_told_in_one_line(call, tmp_path):
    folder = plant(tmp_path / "broken", ("paper.toml", 'expect = ""', 'expct = ""'))
    done = call("papers", folder=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("parataxis: planted_gap/paper.toml: claim[2].expct: unknown key; known: id, version")


def test_a_run_ends_in_a_table_and_can_be_reported_and_exported(call, cwd):
    done = call("run", "planted-gap", "--scale", "full", "--jobs", "2")
    assert done.returncode == 0
    assert "planted-gap, full: 4 hold, 1 reported" in done.stdout
    assert "│ gap          │ 0.995 [0.9585, 1.032] points" in done.stdout
    assert [line.split("  ")[1] for line in done.stderr.splitlines()] == [
        "gap", "spread", "any-order", "own-score", "running-mean",
    ]  # fmt: skip
    assert "\x1b" not in done.stdout + done.stderr
    again = call("run", "planted-gap", "--scale", "full")
    assert (again.stdout, again.stderr) == (done.stdout, "")  # kept, not measured again

    assert call("report").stdout == f"{cwd / 'parataxis-report.html'}\n"
    assert "A Gap That Is There" in (cwd / "parataxis-report.html").read_text()
    assert call("evidence", "export", "planted-gap").stdout == "evidence/planted-gap.json\n"
    call("report", "--evidence", "evidence")
    assert ", kept" not in (cwd / "parataxis-report.html").read_text()  # what was measured here speaks
    assert call("report", "--evidence", "evidence", "--store", "none.sqlite").returncode == 0
    assert "full, kept" in (cwd / "parataxis-report.html").read_text()
    (found,) = [each for each in json.loads(call("papers", "--json").stdout) if each["name"] == "planted-gap"]
    assert found["standing"] == "4 hold, 1 reported"
    assert "4 hold, 1" in call("papers").stdout

    (cwd / "README.md").write_text(f"{BEGIN}\n{END}\n")
    (cwd / "pyproject.toml").write_text("")
    checked = call("docs", "--check")
    assert checked.returncode == 1
    assert "not as rendered: docs/methods/planted-gap.md" in checked.stdout
    assert "written: README.md" in call("docs", "--write").stdout
    assert call("docs", "--check").returncode == 0
    assert "4 hold, 1 reported" in (cwd / "README.md").read_text()


@pytest.mark.parametrize("argv", [["report"], ["evidence", "export"]])
def test_a_place_that_cannot_be_written_is_told_in_one_line(call, cwd, argv):
    assert call("run", "planted-gap", "--scale", "full", *HERE).returncode == 0
    (cwd / "plain").write_text("")
    done = call(*argv, "--out", "plain/below")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"parataxis: plain/below(/\S+)?: can't be written \((Not a directory|File exists)\); name another place\n",
        done.stderr,
    )


def test_without_a_name_a_method_that_lacks_its_extra_is_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_installed", lambda library: library != "ray")
    folder = plant(tmp_path / "more", ("paper.toml", 'extra = ""', 'extra = "ray"'), name="needs-ray")
    known = methods([plant(folder)])
    assert [each.name for each in installed(known)] == [name for name in known if name != "needs-ray"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("parataxis: left out: needs-ray: needs ray, which is not installed; pip install 'parataxis[ray]'\n")


def test_run_as_json_agrees_with_the_table(call):
    done = call("run", "planted-gap", "--scale", "toy", "--seed", "3", "--json", *HERE)
    (run,) = json.loads(done.stdout)
    assert (run["scale"], run["seed"], run["error"]) == ("toy", 3, "")
    table = call("run", "planted-gap", "--scale", "toy", "--seed", "3").stdout
    for row in run["rows"]:
        assert row["low"] <= row["value"] <= row["high"]
        assert f"{row['value']:.4g}" in table
        assert row["standing"] in table


def test_a_failed_method_is_told_in_one_line_and_the_others_are_measured(call, tmp_path):
    folder = plant(
        tmp_path / "two", ("study.py", "    spread = float", "    raise ValueError('no luck')\n    spread = float")
    )
    plant(folder, name="other-gap")
    done = call("run", "planted-gap", "other-gap", "--scale", "toy", "--json", *HERE, folder=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "parataxis: planted-gap: ValueError: no luck"
    assert [bool(run["finished"]) for run in json.loads(done.stdout)] == [False, True]


def test_a_claim_that_fails_is_a_result(call, tmp_path):
    folder = plant(tmp_path / "failing", ("paper.toml", 'expect = ">= 0.5"', 'expect = ">= 5"'))
    done = call("run", "planted-gap", "--scale", "toy", *HERE, folder=folder)
    assert done.returncode == 0
    assert "1 fails" in done.stdout


def test_citations_are_printed(call):
    assert call("cite", "planted-gap").stdout.startswith("Ada Example, Bo Sample (2020). A Gap That Is There.")
    assert call("cite", "planted-gap", "--bibtex").stdout.startswith("@inproceedings{example2020,")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_stops_reading_ends_it_quietly(cwd, planted, unbuffered):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", CALL, str(planted), "papers", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


WAITING = (
    "study.py",
    "    spread = float",
    "    import os, time; (ctx.work / 'here').write_text(str(os.getpid())); time.sleep(60)\n    spread = float",
)


def heed_ctrl_c():
    """What a shell starts in the background ignores it, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def waiting_run(cwd, folder, name, jobs):
    """A run whose second measurement takes a minute, once that has begun."""
    plant(folder, WAITING, name=name)
    arguments = ["run", name, "--scale", "toy", "--jobs", jobs, "--store", "w.sqlite"]
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, str(folder), *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    deadline = time.monotonic() + 30
    while not list(cwd.glob("w.sqlite.work/1-*/here")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_in_one_line_and_the_run_goes_on_later(cwd, tmp_path, jobs):
    folder, name = tmp_path / "waiting", f"waiting-{jobs}"
    process = waiting_run(cwd, folder, name, jobs)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "parataxis: stopped"
    assert "Traceback" not in err
    with sqlite3.connect(cwd / "w.sqlite") as file:
        assert file.execute("SELECT id FROM measurement").fetchall() == [("gap",)]
    file.close()
    study = folder / name.replace("-", "_") / "study.py"
    assert "time.sleep(60)" in study.read_text()


def test_a_killed_run_leaves_nobody_at_work(cwd, tmp_path):
    process = waiting_run(cwd, tmp_path / "waiting", "waiting-killed", "1")
    (told,) = cwd.glob("w.sqlite.work/1-*/here")
    worker = int(told.read_text())
    process.kill()
    process.communicate(timeout=30)
    until(lambda: not alive(worker), "the end of its worker")


def test_a_terminal_gets_bars(cwd, planted):
    master, slave = pty.openpty()
    command = [sys.executable, "-c", CALL, str(planted), "run", "planted-gap", "--scale", "toy", "--store", "t.sqlite"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment) as process:
        process.communicate(timeout=60)
    os.close(slave)
    shown = b""
    while chunk := _read(master):
        shown += chunk
    os.close(master)
    assert b"planted-gap" in shown
    assert b"5/5" in shown
    assert b"\x1b[" in shown


def _read(master):
    try:
        return os.read(master, 65536)
    except OSError:  # the other end is closed: Linux's way to say so
        return b""


# name of the file in snapshots/, and what is called, one after the other
SNAPSHOTS = {
    "papers-help": [["papers", "--help"]],
    "run-help": [["run", "--help"]],
    "report-help": [["report", "--help"]],
    "serve-help": [["serve", "--help"]],
    "cite-help": [["cite", "--help"]],
    "docs-help": [["docs", "--help"]],
    "evidence-help": [["evidence", "--help"], ["evidence", "export", "--help"]],
    "run": [["run", "planted-gap", "--scale", "quick", "--store", "s.sqlite", *HERE]],
    "bad-input": [argv for argv, _ in BAD if "nonsense" not in argv],
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_what_users_read_is_as_it_was(call, cwd, name, pytestconfig):
    shown = ""
    for argv in SNAPSHOTS[name]:
        done = call(*argv)
        shown += f"$ parataxis {' '.join(argv)}\n{done.stdout}{done.stderr}[{done.returncode}]\n\n"
    shown = re.sub(r"\d+\.\d s$", "0.0 s", shown, flags=re.MULTILINE).replace(str(cwd), "HERE")
    path = Path(__file__).parent / "snapshots" / f"{name}.txt"
    if pytestconfig.getoption("--write-snapshots"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
    assert shown == path.read_text(), "if this is meant: pytest tests/test_cli.py --write-snapshots"
