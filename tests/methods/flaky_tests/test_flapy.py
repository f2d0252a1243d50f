import csv
import random
from ast import literal_eval

import pytest
from official import official

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.classes import Kind, classify
from parataxis.methods.flaky_tests.flapy import (
    OVERVIEW,
    passed_failed,
    read_passed_failed,
    tests_overview,
    write_passed_failed,
    write_tests_overview,
)
from parataxis.methods.flaky_tests.outcomes import Run

tests_overview.__test__ = False  # its name is FlaPy's; it is no test


@pytest.fixture(scope="module")
def rows():
    return read_passed_failed(official("flapy-passed-failed-reference.csv"))


def cells(path):
    """The table with sets as sets and counts as numbers, as the README of the data asks for."""
    with open(path, newline="") as stream:
        table = list(csv.DictReader(stream))
    for row in table:
        for name in row:
            if name.startswith("Verdicts"):
                row[name] = literal_eval(row[name])
            elif row[name].replace(".", "").isdigit():
                row[name] = float(row[name])
    return table


def test_the_published_overview_is_reproduced_cell_by_cell(rows, tmp_path):
    ours = write_tests_overview(rows, tmp_path / "tests_overview.csv")
    theirs = official("flapy-tests-overview-reference.csv")
    assert cells(ours) == cells(theirs)
    assert len(cells(theirs)) == 4
    assert ours.read_text().splitlines()[0] == theirs.read_text().splitlines()[0]


def test_the_order_of_the_rows_changes_nothing(rows):
    shuffled = rows.copy()
    random.Random(3).shuffle(shuffled)
    assert tests_overview(shuffled) == tests_overview(rows)


def test_iterations_without_tests_are_left_out(rows, tmp_path):
    text = (official("flapy-passed-failed-reference.csv")).read_text()
    (tmp_path / "some.csv").write_text(text + "results/empty,EMPTY" + "," * 21 + "\n")
    assert read_passed_failed(tmp_path / "some.csv") == rows


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Failed_randomOrder", "Fallen", "no column 'Failed_randomOrder'"),
        ('"{2, 3}"', "two", r"some.csv:2: Passed_sameOrder='two': expected a set of run numbers"),
        ('"{2, 3}"', '"[2, 3]"', r"Passed_sameOrder='\[2, 3\]'"),
    ],
)
def test_what_is_not_flapys_is_named(tmp_path, old, new, said):
    text = (official("flapy-passed-failed-reference.csv")).read_text().replace(old, new, 1)
    (tmp_path / "some.csv").write_text(text)
    with pytest.raises(BadInput, match=said):
        read_passed_failed(tmp_path / "some.csv")


IDS = [
    "tests/test_a.py::test_1",
    "tests/test_a.py::TestB::Inner::test_2[x::y-[1]]",
    "test_c.py::lower::test_3",
    "d.py::t",
]
RUNS = [
    Run(0, "same", 0, (), "..FE"),
    Run(0, "random", 0, (), ".FT-"),
    Run(0, "reverse", 0, (), "..F-"),
    Run(0, "replay", 0, (), "FFFF", of="same/0"),
    Run(0, "alone", 0, (), "FFFF"),
    Run(1, "same", 0, (), "...E"),
    Run(1, "same", 1, (), ".F.E"),
    Run(1, "random", 0, (), "C..-"),
    Run(1, "random", 1, (), "...-"),
]


def test_our_runs_read_back_with_the_same_classes(tmp_path):
    path = write_passed_failed(passed_failed(RUNS, IDS, name="ours", url="u", commit="c"), tmp_path / "pf.csv")
    overview = {row["Test_nodeid_inclPara"]: row for row in tests_overview(read_passed_failed(path))}
    kinds = classify(RUNS, len(IDS), "paper")
    assert kinds == [Kind.OD, Kind.NOD, Kind.INFRA, Kind.NOT_FLAKY]
    words = ["order-dependent", "non-order-dependent", "infrastructure flaky", "not flaky"]
    assert [overview[nodeid]["flaky?"] for nodeid in IDS] == words


def test_our_runs_in_flapys_columns():
    first, second = passed_failed(RUNS, IDS, name="ours")[1], passed_failed(RUNS, IDS, name="ours")[4]
    assert (first["Test_filename"], first["Test_classname"]) == ("tests/test_a.py", "tests.test_a.TestB.Inner")
    assert (first["Test_name"], first["Test_parametrization"]) == ("test_2", "[x::y-[1]]")
    assert (first["Passed_sameOrder"], first["Failed_randomOrder"], first["Passed_randomOrder"]) == ({0}, {0}, {1})
    assert (first["Verdict_randomOrder"], first["numRuns_randomOrder"]) == ("Flaky", 2)
    assert (second["Iteration"], second["Failed_randomOrder"]) == ("ours/1", {0})  # the crash


def test_a_test_that_was_not_reached_has_no_run():
    last = [row for row in passed_failed(RUNS, IDS) if row["Test_name"] == "t"]
    assert [row["numRuns_randomOrder"] for row in last] == [0, 0]
    assert [row["numRuns_sameOrder"] for row in last] == [1, 2]
    assert passed_failed([Run(0, "same", 0, (), "-")], ["a.py::t"]) == []


def test_the_order_in_which_runs_arrive_changes_nothing():
    assert passed_failed(RUNS[::-1], IDS) == passed_failed(RUNS, IDS)


@pytest.mark.parametrize(
    ("classname", "nodeid"),
    [
        ("tests.test_camera.TestCamera", "tests/test_camera.py::TestCamera::f"),
        ("tests.test_camera", "tests/test_camera.py::f"),
        ("test_me", "test_me.py::f"),
        ("", "::f"),
    ],
)
def test_without_the_file_a_capital_tells_a_class(rows, classname, nodeid):
    row = {**rows[0], "Test_classname": classname, "Test_name": "f"}
    assert tests_overview([row])[0]["Test_nodeid"] == nodeid


def test_columns_of_the_overview(rows):
    assert list(tests_overview(rows)[0]) == OVERVIEW
