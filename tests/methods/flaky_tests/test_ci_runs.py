"""Old CI runs: the dialects of JUnit XML, what stands for file order, and the classes that follow."""

import json
from pathlib import Path

import pytest

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.ci_runs import from_junit, order_effects, still_needed, text
from parataxis.methods.flaky_tests.results import read_results

# pytest 9.2 with pytest-rerunfailures 16.4, --reruns 2: an attempt that is tried again keeps its failure to itself
RERUN = """<testsuites name="pytest tests"><testsuite name="pytest" time="0.074" timestamp="2026-11-24T15:53:34+00:00">
<testcase classname="test_r.TestA" name="test_flip" time="0.001" />
<testcase classname="test_r.TestA" name="test_flip" time="0.001" />
<testcase classname="test_r.TestA" name="test_flip" time="0.000" />
<testcase classname="test_r" name="test_ok[a::b]" time="0.000" />
<testcase classname="test_r" name="test_x" time="0.000"><skipped type="pytest.xfail" message="" /></testcase>
<testcase classname="test_r" name="test_s" time="0.000"><skipped type="pytest.skip" message="why" /></testcase>
<testcase classname="test_r" name="test_both" time="0.001" />
<testcase classname="test_r" name="test_both" time="0.1"><failure message="assert 1 == 2">x</failure></testcase>
<testcase classname="test_r" name="test_both"><error message="failed on teardown with &quot;x&quot;" /></testcase>
<testcase classname="" name="test_gone" time="0.000"><error message="collection failure">E   x</error></testcase>
</testsuite></testsuites>"""
# maven.apache.org/surefire, rerun-failing-tests: all attempts failed; the last one passed
SUREFIRE = """<testsuite name="com.foo.BarTest" time="1,234.5" xmlns="urn:x">
<testcase name="always" classname="com.foo.BarTest" time="1,000.0">
<error message="boom" type="java.lang.RuntimeException"/><rerunFailure message="bam" type="x"/><rerunError type="x"/>
</testcase>
<testcase name="sometimes" classname="com.foo.BarTest" time="0.1">
<flakyFailure message="one&#10;two" type="x"/><flakyError message="three" type="x"/></testcase>
<testcase name="each(int)" classname="com.foo.BarTest"/><testcase name="each(int)" classname="com.foo.BarTest"/>
</testsuite>"""
# Gradle's test-retry: a testcase an attempt, the failures with them
GRADLE = """<testsuite name="com.foo.BazTest" timestamp="2026-01-01T00:00:00" time="0.2">
<testcase name="retried" classname="com.foo.BazTest"><failure message="m" type="x">m</failure></testcase>
<testcase name="retried" classname="com.foo.BazTest"/></testsuite>"""
JEST = """<testsuites name="jest tests" time="0.9">
<testsuite name="math" timestamp="2026-01-01T00:00:00" time="0.5">
<testcase classname="math adds" name="math adds" time="0.1"/>
<testcase classname="math" name="divides" time="0.1"/></testsuite>
<testsuite name="text" timestamp="2026-01-01T00:00:01" time="0.4">
<testcase classname="math" name="divides" time="0.1"/><testcase classname="text" name="cuts" time="0.1"/></testsuite>
</testsuites>"""


def attempts(path):
    (run,), _ = read_results([path])
    return {case.nodeid: case.attempts for case in run.cases}


@pytest.fixture
def files(tmp_path):
    """`files({"a/b.xml": text})`: writes them; a text of words such as "a. bF" is a pytest run of these outcomes."""

    def files(texts):
        for name, content in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content if "<" in content else written(content))
        return tmp_path

    return files


def written(words, time=9.0):
    children = {".": "", "F": '<failure message="no"/>', "E": '<error message="no"/>', "s": "<skipped/>"}
    cases = "".join(
        f'<testcase classname="t.test_a" name="{name}" time="1">{children[outcome]}</testcase>'
        for name, outcome in words.split()
    )
    return f'<testsuites><testsuite name="pytest" time="{time}">{cases}</testsuite></testsuites>'


def kinds(report):
    return {each.nodeid.rpartition("::")[2]: each.kind.name for each in report.flaky}


def test_reruns_of_pytest_are_attempts(files):
    folder = files({"r.xml": RERUN})
    assert attempts(folder) == {
        "test_r.py::TestA::test_flip": "FF.",
        "test_r.py::test_ok[a::b]": ".",
        "test_r.py::test_x": ".",
        "test_r.py::test_s": "s",
        "test_r.py::test_both": "FF",
    }
    report = from_junit([folder])
    assert kinds(report) == {"test_flip": "NOD"}
    assert report.flaky[0].sure == "2 of 3 runs of file order fail in one environment"
    assert report.head.errors == [[str(folder / "r.xml"), "test_gone could not be collected there"]]


def test_surefire_and_gradle_write_a_file_a_class(files):
    folder = files({"one/TEST-com.foo.BarTest.xml": SUREFIRE, "one/TEST-com.foo.BazTest.xml": GRADLE})
    assert attempts(folder) == {
        "com.foo.BarTest::always": "EFE",
        "com.foo.BarTest::sometimes": "FE.",
        "com.foo.BarTest::each(int)": ".",
        "com.foo.BarTest::each(int) #2": ".",
        "com.foo.BazTest::retried": "F.",
    }
    report = from_junit([folder])
    assert kinds(report) == {"sometimes": "NOD", "retried": "NOD"}
    assert report.explain("com.foo.BarTest::sometimes").message == "one"
    assert "in the order of their names" in report.head.because[0]


def test_jest_repeats_names_between_files(files):
    assert attempts(files({"j.xml": JEST})) == {
        "math adds": ".",
        "math::divides": ".",
        "math::divides #2": ".",
        "text::cuts": ".",
    }


def test_the_usual_order_is_file_order(files):
    """Five runs in file order, the last with a new test and without an old one; three in another order, alike."""
    folder = files(
        {
            "e/1.xml": "a. b. c. d.",
            **dict.fromkeys(("e/1a.xml", "e/1b.xml", "e/2.xml"), "a. b. c. d."),
            "e/3.xml": "a. n. c. d.",
            "e/4.xml": "b. aF c. d.",
            "e/5.xml": "b. aF c. d.",
            "e/6.xml": "b. aF cF d.",
        }
    )
    report = from_junit([folder])
    assert [each.rpartition("::")[2] for each in report.head.ids] == ["a", "n", "b", "c", "d"]
    assert [run.name for run in report.runs] == [*(f"same/{i}" for i in range(5)), "random/0", "replay/0", "replay/1"]
    assert [run.of for run in report.runs[5:]] == [None, "random/0", "random/0"]
    assert report.runs[4].outcomes == "..-.."
    assert kinds(report) == {"a": "OD", "c": "NOD"}
    found = report.explain("t/test_a.py::a")
    assert found.sure == "fails in 2 of 2 repetitions of such an order, passes in 5 of 5 runs in file order"
    effects = {each.nodeid[-1]: each for each in order_effects(report)}
    assert (effects["a"].orders, effects["a"].runs, effects["a"].how) == (2, 8, "exact")
    assert effects["a"].p == pytest.approx(1 / 56)  # all three failures in the three runs of one order: 1 of C(8, 3)
    assert effects["c"].p == pytest.approx(3 / 8)  # its one failure is in one of the three runs of the other order
    assert "a: p = 0.018, q = 0.036 (2 orders, 8 runs)" in text(report)


def test_a_run_of_a_few_tests_is_not_file_order(files):
    """Failed tests that CI runs once more by themselves: a victim passes there, which is no chance."""
    report = from_junit([files({"e/1.xml": "p. q. vF", "e/2.xml": "p. q. vF", "e/3.xml": "v."})])
    assert kinds(report) == {"v": "OD"}


def test_suites_of_two_jobs_have_each_their_file_order(files):
    report = from_junit([files({"e/u1.xml": "a. b.", "e/u2.xml": "a. b.", "e/v1.xml": "x. yF", "e/v2.xml": "x. y."})])
    assert {run.kind for run in report.runs} == {"same"}
    assert kinds(report) == {"y": "NOD"}


def test_a_file_of_several_runs_is_several(files):
    whole = written("a. bF").removesuffix("</testsuites>") + written("a. b.").removeprefix("<testsuites>")
    report = from_junit([files({"e/both.xml": whole})])
    assert [run.outcomes for run in report.runs] == [".F", ".."]
    assert kinds(report) == {"b": "NOD"}


def test_a_folder_is_an_environment_unless_told_otherwise(files):
    folder = files({"e1/a.xml": "a. b.", "e1/b.xml": "a. b.", "e2/a.xml": "aF b.", "e2/b.xml": "aF b."})
    assert kinds(from_junit([folder])) == {"a": "INFRA"}
    assert kinds(from_junit([folder], one_environment=True)) == {"a": "NOD"}
    single = from_junit([folder / "e1" / "a.xml", folder / "e2" / "a.xml"])
    assert "each environment has but one run" in single.head.because[0]


def test_runs_of_parallel_workers_are_no_file_order(files):
    parallel = {f"e/{i}.xml": written("b. a. c." if i < 3 else "bF a. c.", time=1.0) for i in range(4)}
    report = from_junit([files({**parallel, "e/9.xml": "a. b. c."})])
    assert [run.kind for run in report.runs] == ["random", "replay", "replay", "replay", "same"]
    assert "4 of 5 runs had tests at the same time" in report.head.because[0]
    alike = {"e/1.xml": "a. b. c.", "f/1.xml": "a. b. c.", "f/2.xml": written("a. b. c.", time=1.0)}
    assert [run.kind for run in from_junit([files(alike) / "f"]).runs] == ["same", "random"]


def test_a_suite_that_does_not_say_how_long_it_took_is_not_parallel(files):
    untimed = {f"e/{i}.xml": written("a. b. c.").replace(' time="9.0"', "") for i in range(3)}
    report = from_junit([files(untimed | {"e/3.xml": written("a.", time=0.1)})])
    assert not any("at the same time" in each for each in report.head.because)
    assert [run.kind for run in report.runs] == ["same", "same", "same", "random"]  # one test alone tells no order


def test_of_shuffled_runs_alone_environments_are_told_apart(files):
    """Twice one order in each of two environments, in which the last test always fails in one."""
    ends = {"e": ".", "f": "F"}
    runs = {f"{name}/{i}.xml": written(f"b. a. c{ends[name]}", time=1.0) for name in ends for i in (0, 1)}
    report = from_junit([files(runs)])
    assert kinds(report) == {"c": "INFRA"}
    (flaky,) = report.flaky
    assert flaky.sure == "fails in 1 of 2 environments, always there and never in the others"
    assert not any("no order was run twice" in each or "has but one run" in each for each in report.head.because)


def test_the_order_of_the_arguments_changes_nothing(files):
    folder = files({"e/1.xml": "a. b.", "e/2.xml": "b. aF", "f/1.xml": "a. b.", "f/3.xml": "aF b."})
    paths = sorted(folder.rglob("*.xml"))
    one, other = from_junit(paths), from_junit([*paths[::-1], folder])
    assert one.entries == other.entries
    assert one.findings == other.findings


def test_how_many_runs_are_still_needed(files):
    outcomes = ["a. b."] * 9 + ["aF b."]
    report = from_junit([files({f"e/{i}.xml": words for i, words in enumerate(outcomes)})])
    needed = still_needed(report)
    assert (needed.runs, needed.further) == (29, 19)  # ln 0.05 / ln 0.9 = 28.4, ten are there
    assert "29 clean runs are needed at 95%, 19 more." in text(report)
    assert still_needed(from_junit([report.head.root + "/1.xml"])) is None


def test_files_that_cannot_be_read_are_named_and_the_rest_is_read(files):
    folder = files(
        {"good.xml": "a. b.", "cut.xml": written("a. b.")[:70], "coverage.xml": "<coverage/>", "no.xml": "<testsuite/>"}
    )
    report = from_junit([folder])
    assert [(Path(file).name, reason.split(":")[0]) for file, reason in report.head.errors] == [
        ("coverage.xml", "holds <coverage>, which is no JUnit XML"),
        ("cut.xml", "is no XML"),
        ("no.xml", "holds no testcase"),
    ]
    assert f"note: not collected: {folder / 'cut.xml'}: is no XML" in str(report)


@pytest.mark.parametrize(
    ("given", "said"),
    [("absent.xml", "RESULTS=absent.xml: there is no such file"), ("*.nothing", "RESULTS="), ("cut.xml", "is no XML")],
)
def test_nothing_to_read_is_refused(files, monkeypatch, given, said):
    monkeypatch.chdir(files({"cut.xml": "<testsuite>"}))
    with pytest.raises(BadInput, match=said.replace("*", r"\*")):
        from_junit([given])


def test_the_record_can_be_reported_again(files, monkeypatch, capsys):
    from parataxis.cli import main

    monkeypatch.chdir(files({"ci/1.xml": "a. b.", "ci/2.xml": "aF b."}))
    printed = []
    for argv in (["classify", "ci", "--out", "found", "--json"], ["report", "found", "--json"]):
        with pytest.raises(SystemExit, match="1"):
            main(["tests", *argv])
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0]["runs_needed"]["runs"] == 5
    assert {name: value for name, value in printed[0].items() if name in printed[1]} == printed[1]
