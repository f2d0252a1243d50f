import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from test_journal import HEAD

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests import text
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Chain, Change, Dependence, Diagnosis
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.flapy import read_passed_failed, read_tests_overview
from parataxis.methods.flaky_tests.journal import Entry, Journal
from parataxis.methods.flaky_tests.markdown import markdown
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.report import Report

IDS = [
    "tests/test_a.py::TestA::test_victim",
    "tests/test_a.py::TestA::test_chance",
    "tests/test_a.py::test_steady",
    "tests/test_b.py::test_broken",
    "tests/test_b.py::test_environment",
    "tests/test_b.py::test_hash",
    "tests/test_b.py::test_skipped[a::b]",
    "tests/test_b.py::test_cold",
]
# iteration, kind, index, outcomes by test in IDS's order, of
RUNS = [
    (0, "same", 0, "...F..sF", None),
    (0, "same", 1, ".F.F..sF", None),
    (0, "random", 0, "F..F..sF", None),
    (0, "random", 1, "...F..sF", None),
    (0, "replay", 0, "F-------", "random/0"),
    (0, "replay", 1, "F-------", "random/0"),
    (1, "same", 0, "...FFFsF", None),
    (1, "same", 1, "...FFFsF", None),
    (1, "reverse", 0, "F..FFFsF", None),
    (1, "replay", 0, "F-------", "reverse/0"),
    (2, "alone", 3, "---F----", None),
    (2, "alone", 7, "-------.", None),
    (3, "hash", 0, "...F..sF", None),
    (4, "hash", 0, "...FF.sF", None),
    (5, "hash", 1, "...FFFsF", None),
    (6, "hash", 1, "...F.FsF", None),
]


def _ran(outcomes):
    return tuple(test for test, outcome in enumerate(outcomes) if outcome != "-")


@pytest.fixture
def report():
    entries = [
        Entry(
            Run(iteration, kind, index, _ran(outcomes), outcomes, 0.5, of),
            {test: f"x.py:{test}: assert {kind}" for test, outcome in enumerate(outcomes) if outcome == "F"},
        )
        for iteration, kind, index, outcomes, of in RUNS
    ]
    return Report(replace(HEAD, ids=IDS), entries)


def test_each_test_has_its_class(report):
    assert {each.nodeid.rpartition("::")[2]: each.kind for each in report.findings} == {
        "test_victim": Kind.OD,
        "test_chance": Kind.NOD,
        "test_steady": Kind.NOT_FLAKY,
        "test_broken": Kind.NOT_FLAKY,
        "test_environment": Kind.INFRA,
        "test_hash": Kind.NOD,
        "b]": Kind.NOT_FLAKY,
        "test_cold": Kind.OD,
    }
    assert report.exit_status == 1


def test_rates_count_schedules_and_no_repetitions(report):
    victim = report.explain(IDS[0])
    assert (victim.same.failures, victim.same.runs) == (0, 4)
    assert (victim.shuffled.failures, victim.shuffled.runs) == (2, 3)
    assert victim.same.low == 0.0
    assert victim.same.high == pytest.approx(1 - 0.025 ** (1 / 4))  # Clopper-Pearson without a failure
    skipped = report.explain(IDS[6])
    assert (skipped.same.runs, skipped.rate_below) == (0, None)


def test_how_sure_it_is(report):
    victim = report.explain(IDS[0])
    assert victim.sure == "fails in 3 of 3 repetitions of such an order, passes in 4 of 4 runs in file order"
    assert victim.p == pytest.approx(1 / 35)  # all three failures among three of seven: 1 / C(7, 3)
    assert victim.shown_in == "random/0"
    assert report.explain(IDS[1]).sure == "1 of 2 runs of file order fail in one environment"
    assert report.explain(IDS[2]).rate_below == pytest.approx(1 - 0.05 ** (1 / 7))
    assert report.explain(IDS[3]).sure == "it fails in every run"
    assert "fails in 1 of 2 environments" in report.explain(IDS[4]).sure
    assert "PYTHONHASHSEED" in report.explain(IDS[5]).cause
    assert "the same in all 4 new environments" in report.explain(IDS[5]).sure
    cold = report.explain(IDS[7])
    assert cold.sure == "fails in all 7 runs of the suite, passes alone in a new interpreter"


def test_what_an_environment_decides_is_counted_in_environments(report):
    """Constant within each of the two: a hundred runs in one tell no more than one."""
    for nodeid, decided in ((IDS[4], True), (IDS[5], True), (IDS[0], False), (IDS[2], False)):
        assert report.explain(nodeid).by_environment is decided
    rate = report.explain(IDS[4]).environments
    assert (rate.failures, rate.runs, rate.low) == (1, 2, pytest.approx(1 - 0.975 ** (1 / 2)))
    for form in (str(report), markdown(report), report.to_html()):
        assert form.lower().count("after a fix, 237 clean runs, each in a new environment, say") == 2
        assert form.lower().count("clean shuffles in a row") == 1  # of the victim


def test_a_test_that_fails_in_an_environment_made_for_others_is_flaky():
    """One that passed in each environment of the hunt, and not in one that tries a hash seed for the other test."""
    runs = [Run(i, "same", k, (0, 1), "F." if i else "..") for i in range(2) for k in range(2)]
    runs += [Run(2, "hash", 0, (0, 1), "FF"), Run(3, "hash", 1, (0, 1), "F.")]
    report = Report(replace(HEAD, ids=["a.py::test_0", "a.py::test_1"]), [Entry(run) for run in runs])
    found = report.explain("a.py::test_1")
    assert (found.kind, found.by_environment, found.rate_below) == (Kind.INFRA, True, None)
    assert found.sure.startswith("passes in all 4 runs of the suite, fails in another environment")
    assert report.counts()["never ran"] == 0


def test_p_values_are_judged_together():
    """Two victims, one of six and one of two failures: q is 2 * p for the lesser, p for the greater."""
    runs = [Run(0, "same", k, (0, 1), "..") for k in range(6)]
    runs += [Run(0, "random", 0, (0, 1), "FF")]
    runs += [Run(0, "replay", k, (0, 1), "FF" if k < 2 else "F-", of="random/0") for k in range(6)]
    victims = Report(replace(HEAD, ids=["a.py::test_0", "a.py::test_1"]), [Entry(run) for run in runs]).findings
    assert [each.p for each in victims] == [pytest.approx(1 / 462), pytest.approx(1 / 28)]
    assert [each.q for each in victims] == [pytest.approx(2 / 924 * 2), pytest.approx(1 / 28)]


def test_a_test_that_fails_in_file_order_is_turned_round(report):
    runs = [(0, "same", k, "F", None) for k in range(3)] + [(0, "random", 0, ".", None)]
    runs += [(0, "replay", k, ".", "random/0") for k in range(3)]
    entries = [Entry(Run(i, kind, k, (0,), outcome, 0.0, of)) for i, kind, k, outcome, of in runs]
    (found,) = Report(replace(HEAD, ids=["a.py::test"]), entries).findings
    assert found.kind is Kind.OD
    assert found.sure == "passes in 3 of 3 repetitions of such an order, fails in 3 of 3 runs in file order"
    assert found.p == pytest.approx(1 / 20 * 2)  # two-sided: either corner of 3 of 6


def test_a_test_that_its_file_alone_does_not_satisfy_depends_on_the_order():
    """Once is not enough, and neither is a test that fails in the suite as well."""
    for alone, suite, kind in (("FF", "..", Kind.OD), ("F", "..", Kind.NOT_FLAKY), ("F.", "..", Kind.NOT_FLAKY)):
        runs = [Run(0, "same", k, (0,), end, 0.0) for k, end in enumerate(suite)]
        runs += [Run(1, "file", k, (0,), end, 0.0) for k, end in enumerate(alone)]
        (found,) = Report(replace(HEAD, ids=["a.py::test"]), [Entry(run, {0: "a.py:1: no"}) for run in runs]).findings
        assert (found.kind, found.rate_below is None) == (kind, kind is Kind.OD)
        if kind is Kind.OD:
            assert found.sure == "passes in all 2 runs of the suite, fails when only its file is collected"
            assert found.message == "a.py:1: no"


@pytest.mark.parametrize(("alone", "kind"), [("..", Kind.OD), (".", Kind.NOT_FLAKY), (".F", Kind.NOT_FLAKY)])
def test_a_test_that_passes_with_its_file_alone_depends_on_the_order(alone, kind):
    """As the many do that the import of another file breaks. Once is not enough."""
    runs = [Run(0, "same", k, (0,), "F") for k in range(2)] + [
        Run(1, "file", k, (0,), end) for k, end in enumerate(alone)
    ]
    (found,) = Report(replace(HEAD, ids=["a.py::test"]), [Entry(run) for run in runs]).findings
    assert found.kind is kind
    if kind is Kind.OD:
        assert found.sure == "fails in all 2 runs of the suite, passes when only its file is collected"


@pytest.mark.parametrize(("protocol", "said"), [("quick", 1), ("paper", 0), ("", 0)])
def test_tests_that_were_not_run_alone_are_told(protocol, said):
    """Only so many are, of those that fail always; by the paper's rules and in CI runs none is."""
    ids = [f"a.py::test_{n}" for n in range(3)]
    entries = [Entry(Run(0, "same", 0, (0, 1, 2), "FFF")), Entry(Run(1, "alone", 1, (1,), "-F-"))]
    report = Report(replace(HEAD, protocol=protocol, ids=ids), entries)
    assert str(report).count("note: 2 of these were not run alone: whether other tests or files") == said


def test_the_text_says_it_in_a_table_and_a_paragraph_a_test(report):
    assert str(report).splitlines() == TEXT.splitlines()


TEXT = """\
suite: 5 of 8 tests are flaky
16 orders in 7 environments, 8.0 s of test time; protocol quick, seed 0, Python 3.11.7, pytest 9.2.0

order-dependent            2
non-order-dependent        2
infrastructure             1
passes every run           1   7 runs or more each: a failure rate above 35% (of environments: 78%) is excluded at 95%
fails every run            1   not flaky
never ran                  1   skipped, or not reached

tests/test_a.py::TestA::test_victim
    order-dependent: fails 0/4 [0, 60]% in file order, 2/3 [9, 99]% shuffled
    fails in 3 of 3 repetitions of such an order, passes in 4 of 4 runs in file order (by chance: p = 0.029, q = 0.029)
    x.py:0: assert random
    after a fix, 31 clean shuffles in a row say with 95% that it is gone

tests/test_b.py::test_cold
    order-dependent: fails 4/4 [40, 100]% in file order, 3/3 [29, 100]% shuffled
    fails in all 7 runs of the suite, passes alone in a new interpreter
    cause: what other modules do when they are imported, or a test that always comes before
    x.py:7: assert same

tests/test_a.py::TestA::test_chance
    non-order-dependent: fails 1/4 [1, 81]% in file order, 0/3 [0, 71]% shuffled
    1 of 2 runs of file order fail in one environment
    x.py:1: assert same

tests/test_b.py::test_hash
    non-order-dependent: fails 2/4 [7, 93]% in file order, 1/3 [1, 91]% shuffled
    the same in all 4 new environments that were given the hash seed of an old one
    cause: its outcome follows the hash seed: fails with PYTHONHASHSEED=2211794769, passes with PYTHONHASHSEED=883043708
    x.py:5: assert same
    after a fix, 237 clean runs, each in a new environment, say with 95% that it is gone

tests/test_b.py::test_environment
    infrastructure: fails 2/4 [7, 93]% in file order, 1/3 [1, 91]% shuffled
    fails in 1 of 2 environments, always there and never in the others
    x.py:4: assert same
    after a fix, 237 clean runs, each in a new environment, say with 95% that it is gone

note: no overlay
note: fails every run: tests/test_b.py::test_broken
note: not collected: b.py: SyntaxError
"""


def test_json_holds_every_test_and_is_json(report):
    value = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [test["nodeid"] for test in value["tests"]] == IDS
    assert value["counts"]["order-dependent"] == 2
    assert value["tests"][0]["shuffled_failures"] == 2
    assert list(report.tests.columns)[:2] == ["nodeid", "class"]
    assert len(report.tests) == len(IDS)


def test_junit_tells_failures_and_what_was_skipped(report):
    suite = ElementTree.fromstring(report.to_junit()).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("8", "5", "2")
    cases = suite.findall("testcase")
    assert cases[0].get("classname") == "tests.test_a.TestA"
    assert cases[0].find("failure").get("type") == "order-dependent"
    assert cases[6].get("name") == "test_skipped[a::b]"
    assert cases[6].find("skipped") is not None
    assert list(cases[2]) == []


def test_junit_survives_control_characters(report):
    report.entries[2].messages[0] = "bad \x1b[31m and \ud800"
    ElementTree.fromstring(report.to_junit())


def test_html_is_whole_and_escaped(report):
    report.entries[2].messages[0] = "<script>alert(1)</script>"
    page = report.to_html()
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    matrix = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    cells = matrix.findall(".//rect")
    flaky = [IDS.index(each.nodeid) for each in report.flaky]
    assert len(cells) == sum(run.outcomes[test] != "-" for run in report.runs for test in flaky)


def test_flapys_tables_are_read_back(report, tmp_path):
    passed, overview = report.to_flapy_csv(tmp_path)
    assert len(read_passed_failed(passed)) == 2 * len(IDS)
    classes = {row["Test_nodeid_inclPara"]: row["flaky?"] for row in read_tests_overview(overview)}
    assert classes[IDS[1]] == "non-order-dependent"
    assert classes[IDS[4]] == "infrastructure flaky"


def test_a_report_is_a_function_of_the_record(report, tmp_path):
    with Journal(tmp_path, resume=False) as journal:
        journal.begin(report.head)
        for entry in report.entries:
            journal.add(entry)
    assert str(Report.read(tmp_path)) == str(report)


def test_a_test_that_is_not_there_is_named(report):
    with pytest.raises(BadInput, match=r"NODEID='nothing': is not among the 8 tests of the hunt"):
        report.explain("nothing")


def test_the_arrival_of_runs_changes_nothing_but_the_first_message(report):
    backwards = Report(report.head, report.entries[::-1])
    assert [each.kind for each in backwards.findings] == [each.kind for each in report.findings]
    assert [each.sure for each in backwards.findings] == [each.sure for each in report.findings]


# -- one cause -----------------------------------------------------------------------------------------------------

REPEATS = [f"a.py::test_size[{n}]" for n in range(4)]
VICTIMS = [f"a.py::test_price[{n}]" for n in range(3)]


@pytest.fixture
def parametrised():
    """Four sets of one function fail when repeated, one for another cause; two of three victims share a polluter."""
    ids = [*REPEATS, *VICTIMS, "a.py::test_switch", "a.py::test_other"]
    entries = [
        Entry(Run(0, "same", 0, tuple(range(9)), "." * 9)),
        Entry(Run(0, "random", 0, (*range(9),), "....FFF..")),
    ]
    left = Change("container", "a.SEEN", "[]", "[1]", "", shown=True)
    repeats = [Diagnosis(i, Dependence.REPEAT, ".", "", "F", (Chain((i,), f"pytest {i}", "F"),)) for i in REPEATS]
    repeats[3] = replace(repeats[3], chains=(replace(repeats[3].chains[0], changes=(left,)),))
    polluters = ("a.py::test_switch", "a.py::test_other", "a.py::test_switch")
    victims = [
        Diagnosis(i, Dependence.VICTIM, ".", ".", chains=(Chain((by,), f"pytest {by} {i}", "F"),))
        for i, by in zip(VICTIMS, polluters, strict=True)
    ]
    return Report(replace(HEAD, ids=ids), entries, {each.nodeid: each for each in (*repeats, *victims)})


TOLD = [VICTIMS[0], VICTIMS[1], REPEATS[0], REPEATS[3]]


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_parameter_sets_with_one_cause_are_told_as_one(parametrised, form):
    said = {"text": str, "markdown": markdown, "html": Report.to_html}[form](parametrised)
    heads = {
        "text": r"(?m)^(a\.py::test\S+)$",
        "markdown": r"(?m)^(?:### )?`(a\.py\S+)`$",
        "html": r"<h[23].*?<code>(\S+)</code></h",
    }
    assert re.findall(heads[form], said) == TOLD
    assert re.findall(r"and \d+ more parameter sets? of \w+", said.lower()) == [
        "and 1 more parameter set of test_price",
        "and 2 more parameter sets of test_size",
    ]


def test_json_and_links_keep_every_parameter_set(parametrised):
    assert len(parametrised.to_json()["diagnoses"]) == 7
    page = parametrised.to_html()
    for nodeid in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{nodeid}"' in page


@pytest.fixture
def polluted():
    """Victims of one polluter: two by what it is shown to leave, others by something else, unknown, or undone."""
    names = ["test_price", "test_sum", "test_tax", "test_due", "test_fee", "test_pay", "test_switch"]
    ids = [f"a.py::{name}" for name in names]
    entries = [
        Entry(Run(0, "same", 0, tuple(range(7)), ".......")),
        Entry(Run(0, "random", 0, (*range(7),), "FFFFFF.")),
    ]
    rate, unit = (Change("module global", f"a.{name}", "1", "2", "", shown=True) for name in ("RATE", "UNIT"))
    left = [((rate,), ()), ((rate,), ()), ((unit,), ()), ((), ()), ((), ()), ((rate,), ("a.py::test_sum",))]
    found = [
        Diagnosis(i, Dependence.VICTIM, ".", ".", chains=(Chain((ids[6],), f"pytest {i}", "F", by, 4, changes),))
        for i, (changes, by) in zip(ids, left, strict=False)
    ]
    return Report(replace(HEAD, ids=ids), entries, {each.nodeid: each for each in found})


def test_tests_with_one_shown_cause_are_told_as_one(polluted):
    said = str(polluted)
    heads = re.findall(r"(?m)^(a\.py::test\S+)$", said)
    assert heads == [f"a.py::{name}" for name in ("test_price", "test_tax", "test_due", "test_fee", "test_pay")]
    assert "\n    and 1 more test with the same culprits and the same cause\n        a.py::test_sum\n" in said
    assert "And 1 more test with the same culprits and the same cause:\n\n- `a.py::test_sum`\n" in markdown(polluted)
    assert (
        '<details><summary>and 1 more test with the same culprits and the same cause</summary><br><code id="a.py::'
        in (polluted.to_html())
    )


def test_a_test_and_parameter_sets_with_one_cause_are_told_apart_in_its_head(polluted):
    ids = [nodeid.replace("test_sum", "test_price[1]") for nodeid in polluted.head.ids]
    known = [replace(found, nodeid=ids[place]) for place, found in enumerate(polluted.diagnoses.values())]
    known[0] = replace(known[0], nodeid="a.py::test_price[0]")
    known[2] = replace(known[2], chains=known[0].chains)
    ids[0] = known[0].nodeid
    said = str(Report(replace(polluted.head, ids=ids), polluted.entries, {each.nodeid: each for each in known}))
    more = "and 1 more parameter set of test_price and 1 more test with the same culprits and the same cause"
    assert f"a.py::test_price[0]\n    {more}\n        a.py::test_tax\n    order-dependent" in said


def test_polluters_that_leave_one_thing_are_told_together_with_a_proof_each():
    def left(name, after):
        return Change("environment", name, "(absent)", after, f"a.py:{after}", shown=True)

    chains = [
        Chain((f"a.py::test_{n}",), f"pytest a.py::test_{n} v", "F", (), 9, (left("os.environ['X']", n), left(*more)))
        for n, more in (("4", ("os.environ", "1")), ("5", ("os.environ", "2")), ("6", ("os.environ['Y']", "3")))
    ]
    lines = explanation(Diagnosis("v", Dependence.VICTIM, ".", ".", chains=tuple(chains)))
    assert lines[1:3] == [
        "polluters: a.py::test_4; a.py::test_5",
        "  leaves os.environ['X']: (absent) -> 4 after the first (a.py:4, a.py:5); with this undone, it passes again",
    ]
    assert lines[3] == "polluter: a.py::test_6"
    assert [line.startswith("fix: In a.py::test_4, a.py::test_5: set it") for line in lines].count(True) == 1
    proof = "proof (run in a fresh interpreter: it fails): pytest a.py::test_{} v"
    assert lines[-3:] == [proof.format(n) for n in "456"]


def test_a_declared_order_that_was_kept_is_said(parametrised):
    said = "note: 2 tests keep the order that the suite declares by markers"
    report = Report(replace(parametrised.head, declared=[0, 1]), parametrised.entries)
    assert all(said in form for form in (str(report), report.to_html(), markdown(report)))
    assert "declares by markers" not in str(Report(replace(report.head, declared=[0]), report.entries))


@pytest.mark.parametrize(
    ("protocol", "files", "said"), [("quick", 41, 1), ("quick", 40, 0), ("paper", 41, 0), ("", 41, 0)]
)
def test_too_many_files_to_run_each_by_itself_are_said(protocol, files, said):
    head = replace(HEAD, protocol=protocol, ids=[f"test_{n}.py::test" for n in range(files)])
    entry = Entry(Run(0, "same", 0, tuple(range(files)), "." * files))
    assert str(Report(head, [entry])).count("note: 41 files are too many to run each by itself") == said


def test_without_a_known_cause_each_is_told(parametrised):
    bare = Report(parametrised.head, parametrised.entries)
    assert str(bare).count("order-dependent: fails") == 3


def test_the_first_fifty_are_told(parametrised, monkeypatch):
    monkeypatch.setattr(text, "SHOWN", 1)
    said = str(parametrised)
    assert "\n\nand 1 more: see the HTML report or --json\n\n" in said
    assert "\n\nand 1 more that fail when repeated: see the HTML report or --json" in said


def test_many_culprits_are_told_in_tables_that_fit_a_page():
    """As one table, sixty names made it wider than any page, and left no place for the names of its rows."""
    ids = ["a.py::test_victim", *(f"a.py::test_polluter_{n}" for n in range(125))]
    n = len(ids)
    entries = [
        Entry(Run(0, kind, 0, tuple(range(n)), first + "." * (n - 1)))
        for kind, first in (("same", "."), ("random", "F"))
    ]
    chains = tuple(Chain((nodeid,)) for nodeid in ids[1:])
    victim = Diagnosis(ids[0], Dependence.VICTIM, ".", ".", chains=chains)
    page = Report(replace(HEAD, ids=ids), entries, {ids[0]: victim}).to_html()
    tables = re.findall(r"<table class=culprits>.*?</table>", page)
    assert [table.count("<th class=upright") for table in tables] == [20] * 6
    assert [table.count("&#9679;") for table in tables] == [20] * 6
    assert "The first 120 of 125 culprits." in page
