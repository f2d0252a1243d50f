"""What the common tests need to know of this method."""

import shutil
from pathlib import Path

import numpy as np

from parataxis.methods.flaky_tests.flapy import read_passed_failed, tests_overview, write_passed_failed
from parataxis.methods.flaky_tests.order_tests import pearson
from parataxis.methods.flaky_tests.reruns import runs_for_rate, victim_rate
from parataxis.methods.flaky_tests.study_inputs import made_ids, made_runs

SUITE = Path(__file__).parent / "suites" / "victim_and_polluter"
HUNT = ["tests", "hunt"]
REPORT = ["tests", "report", ".parataxis"]
RUNS = ["tests", "runs-needed", "--p", "0.05", "--after-passes", "20"]

CLASSIFY = ["tests", "classify", "ci"]
STUDY = ["tests", "study", "projects.csv", "--out", "study"]
OLD_RUN = """<testsuite name="pytest"><testcase classname="test_a" name="test_steady"/>
<testcase classname="test_a" name="test_chance">{}</testcase></testsuite>"""


def prepare(folder):
    (folder / "ci").mkdir()
    for number, failure in enumerate(("", "<failure/>", "")):
        (folder / "ci" / f"{number}.xml").write_text(OLD_RUN.format(failure))
    (folder / "cut.xml").write_text("<testsuite>")
    (folder / "dist" / "small").mkdir(parents=True)  # which pytest passes over
    (folder / "dist" / "small" / "test_one.py").write_text("def test_one(): pass\n")
    (folder / "projects.csv").write_text("name,path,install\nsmall,dist/small,-\n")
    (folder / "colours.csv").write_text("name,colour\nsmall,red\n")
    for path in SUITE.glob("[!_.]*"):
        shutil.copy(path, folder)
    (folder / "empty").mkdir()
    (folder / "empty" / "pytest.ini").write_text("[pytest]\n")
    (folder / "rates.txt").write_text("0.5\nhalf\n")
    (folder / "blank.txt").write_text("\n")
    from unittest.mock import patch

    from parataxis.methods.flaky_tests import protocol
    from parataxis.methods.flaky_tests.hunting import hunt

    small = protocol.Protocol("quick", iterations=1, same=1, shuffles=1, tuscan=False, replays=1)
    with patch.dict(protocol.PROTOCOLS, quick=small):
        hunt([folder])


def _same_tests(value, text):
    flaky = [test for test in value["tests"] if test["class"] != "not flaky"]
    return [test["nodeid"] for test in flaky] == ["test_prices.py::test_price"] and all(
        f"{test['nodeid']}\n    {test['class']}: fails {test['same_failures']}/{test['same_runs']}" in text
        for test in flaky
    )


def _same_chance(value, text):
    (test,) = (test for test in value["tests"] if test["class"] != "not flaky")
    rate = f"fails {test['same_failures']}/{test['same_runs']}"
    needed = f"{value['runs_needed']['runs']} clean runs are needed at 95%"
    return f"{test['nodeid']}\n    non-order-dependent: {rate}" in text and needed in text


def _same_row(value, text):
    (row,) = value["projects"]
    return text.splitlines()[-1].split() == [row["project"], str(row["tests"]), "0", "0", "0", f"{row['seconds']:.0f}"]


HELP_EXAMPLES = [
    (HUNT, _same_tests),
    (REPORT, _same_tests),
    (CLASSIFY, _same_chance),
    (STUDY, _same_row),
    (RUNS, lambda value, text: f"{value['runs']} clean runs are needed at 95%, {value['further']} more." in text),
]
BAD_INPUTS = [
    (["tests", "hunt", "absent"], "PATH=absent: there is no such file or folder"),
    (["tests", "hunt", "empty"], "pytest collected no tests"),
    (["tests", "hunt", ".", "--python", "rates.txt"], "--python rates.txt: not an interpreter"),
    (["tests", "hunt", ".", "--python", "/bin/false"], "/bin/false"),
    (["tests", "hunt", ".", "--out", "rates.txt"], "--out rates.txt: can't be written"),
    (["tests", "hunt", ".", "--resume", "--seed", "7"], "was begun with seed=0, not 7"),
    (["tests", "hunt", ".", "--out", "other", "--", "--no-such-option"], "unrecognized arguments: --no-such-option"),
    (["tests", "hunt", ".", "--protocol", "slow"], "'slow' is not one of 'quick', 'thorough', 'paper'"),
    (["tests", "hunt", ".", "--jobs", "0"], "--jobs"),
    (["tests", "hunt", "--out", "other", "--", "--no-such-option"], "unrecognized arguments: --no-such-option"),
    (["tests", "explain", "test_a"], "NODEID='test_a': is not among the 6 tests of the hunt"),
    (["tests", "explain", "--hunt", "empty"], "empty: holds no hunt.jsonl"),
    (["tests", "polluters", "test_a", "absent"], "PATH=absent: there is no such file or folder"),
    (["tests", "replay", "absent.txt"], "absent.txt: can't be read"),
    (["tests", "bisect", "test_a", "--failing-order", "blank.txt"], "blank.txt: holds no node id; give one a line"),
    (["tests", "bisect", "test_a", "--failing-order", "rates.txt"], "rates.txt:1: '0.5' is not among the 6 tests"),
    (["tests", "report", "empty"], "holds no hunt.jsonl; `parataxis tests hunt` writes one"),
    (["tests", "report", "rates.txt"], "rates.txt"),
    (["tests", "classify", "absent"], "RESULTS=absent: there is no such file"),
    (["tests", "classify", "cut.xml"], "cut.xml: is no XML: no element found: line 1, column 11; none of 1 files"),
    (["tests", "classify", "ci", "--out", "rates.txt"], "--out rates.txt: can't be written"),
    (["tests", "study", "absent.csv", "--out", "study"], "absent.csv: can't be read"),
    (["tests", "study", "colours.csv", "--out", "study"], "colours.csv:1: no column 'colour' is known; there are"),
    (["tests", "study", "projects.csv", "--out", "rates.txt"], "--out rates.txt: can't be written"),
    (["tests", "study", "projects.csv", "--out", "study", "--limit", "0"], "--limit"),
    (["tests", "study", "projects.csv"], "--out"),
    (["tests", "runs-needed"], "--p, --data, --after-passes: give at least one of them"),
    (["tests", "runs-needed", "--p", "1e-300"], "--p 1e-300: expected a failure rate of 1e-15 to 1"),
    (["tests", "runs-needed", "--p", "0.1", "--prior", "2"], "--prior 2: expected a number above 0 and below 1"),
    (["tests", "runs-needed", "--p", "1.5"], "1.5"),
    (["tests", "runs-needed", "--p", "0.1", "--after-passes", "-1"], "after_passes=-1: expected 0 or more"),
    (["tests", "runs-needed", "--data", "rates.txt"], "rates.txt:2: 'half' must be a number; drop the line"),
    (["tests", "runs-needed", "--data", "absent.txt"], "--data absent.txt: can't be read"),
]
GOLDEN = [
    ("by hand: ln 0.05 / ln 0.995 = 597.6", lambda: runs_for_rate(1 / 200), 598, 0),
    ("by hand: 2 polluters, 3 cleaners, the start: 2/6", lambda: victim_rate(2, 3), 1 / 3, 1e-15),
    (
        "Fisher's tea-like table 10/20 against 4/20, Pearson chi2 = 3.956, p = 0.0467",
        lambda: float(pearson(np.array([[10, 4]]), np.array([[20, 20]]))[0]),
        0.0467,
        0.0001,
    ),
]
PREDICT = "a hunt needs the suite as a whole: what one test does depends on which others run"


def _overview(rows):
    return [[row["Test_nodeid"], row["flaky?"]] for row in tests_overview(rows)]


def save(folder):
    from parataxis.methods.flaky_tests.flapy import passed_failed

    write_passed_failed(passed_failed(made_runs(), made_ids()), folder / "passed_failed.csv")
    return load(folder)


def load(folder):
    return _overview(read_passed_failed(folder / "passed_failed.csv"))


SAVE = (save, load)
