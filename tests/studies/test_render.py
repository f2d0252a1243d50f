import dataclasses
import json

import pytest

from parataxis.claims import Figure, Measurement, Standing, Table
from parataxis.errors import BadInput
from parataxis.paper_file import read_paper
from parataxis.studies.render import (
    counts,
    findings,
    findings_markdown,
    interval,
    markdown_table,
    number,
    read_evidence,
    rich_table,
    run_json,
    write_evidence,
)
from parataxis.studies.store import Row, Run
from planted import FILES

ROWS = (
    Row(Measurement("gap", 0.995, 0.9585, 1.0315, 40, "points", null=0.04), 1, {"numbers.txt": "13"}),
    Row(Measurement("spread", 0.1, 0.1, 0.1, 40, "points"), 2, {}),
    Row(Measurement("any-order", 0.0, 0.0, 0.1157, 30, real=False, verdict="invariant"), 0, {}),
    Row(Measurement("own-score", 0.5, 0.3, 0.7, 30, real=False, verdict="order-dependent"), 0, {}),
)


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "planted_gap" / "paper.toml"
    path.parent.mkdir()
    path.write_text(FILES["paper.toml"])
    return read_paper(path)


@pytest.fixture
def run():
    return Run(
        7, "planted-gap", "full", 3, "code", "0.1.0", {"cpu": "C", "cores": 2, "python": "3.11.7"}, "then", "later",
        rows=ROWS, figures=(Figure("line", b"<svg/>", "A line."),), tables=(Table("t", ["a"], [[1.5]], "A table."),),
    )  # fmt: skip


def test_every_claim_and_symmetry_has_its_finding(paper, run):
    found = findings(paper, run)
    assert [each.stated.id for each in found] == list(paper.ids)
    assert [each.word for each in found] == ["holds", "reported", "holds", "fails", "not measured"]
    assert [each.asks for each in found] == [">= 0.5", "", "invariant", "equivariant", "may depend"]
    assert counts(found) == "2 hold, 1 fails, 1 reported, 1 not measured"
    assert counts(findings(paper, None)) == "5 not measured"


def test_a_claim_left_out_for_want_of_a_file_says_so(paper, run, tmp_path):
    needy = dataclasses.replace(paper.claims[1], needs=("numbers.txt",))
    paper = dataclasses.replace(paper, claims=(paper.claims[0], needy))
    without = dataclasses.replace(run, rows=(ROWS[0], *ROWS[2:]))
    why = "not measured here: needs numbers.txt (no public address)"
    assert [each.why for each in findings(paper, without)] == ["", why, "", "", ""]
    assert [each.why for each in findings(paper, None)] == [""] * 5
    assert f"| {why} |  | not measured |" in findings_markdown(findings(paper, without))
    assert list(rich_table(paper, without).columns[1].cells)[1] == why
    assert run_json(paper, without)["left_out"] == {"spread": why}
    write_evidence(tmp_path, paper, without)
    assert read_evidence(tmp_path, paper).rows == without.rows


def test_a_claim_that_the_scale_is_too_small_for_says_so(paper, run):
    paper = dataclasses.replace(paper, claims=(paper.claims[0], dataclasses.replace(paper.claims[1], least="full")))
    rows = (ROWS[0], *ROWS[2:])
    said = {
        scale: findings(paper, dataclasses.replace(run, scale=scale, rows=rows))[1].why
        for scale in ("quick", "full", "paper")
    }
    assert said == {"quick": "not measured at this scale: needs --scale full", "full": "", "paper": ""}
    with pytest.raises(ValueError, match="least='toy': expected one of 'quick', 'full', 'paper'"):
        dataclasses.replace(paper.claims[0], least="toy")


def test_evidence_of_another_version_of_a_claim_is_not_shown(paper, run):
    old = dataclasses.replace(run, rows=(Row(ROWS[0].measurement, 2, {}), *ROWS[1:]))
    found = findings(paper, old)[0]
    assert (found.measured, found.standing, found.word) == (None, None, "not measured")
    assert "| `gap` | The mean of the numbers is well above zero. |  | `>= 0.5` | not measured |" in findings_markdown(
        [found]
    )


def test_a_run_is_written_and_read_back(paper, run, tmp_path):
    path = write_evidence(tmp_path / "evidence", paper, run)
    assert path == tmp_path / "evidence" / "planted-gap.json"
    read = read_evidence(tmp_path / "evidence", paper)
    assert read == dataclasses.replace(run, id=0, figures=())
    kept = json.loads(path.read_text())
    assert [row["standing"] for row in kept["rows"]] == ["holds", "reported", "holds", "fails"]
    assert kept["machine"]["cores"] == 2
    assert read_evidence(tmp_path / "none", paper) is None


def test_a_written_standing_is_not_believed(paper, run, tmp_path):
    path = write_evidence(tmp_path, paper, run)
    path.write_text(path.read_text().replace('"fails"', '"holds"'))
    assert findings(paper, read_evidence(tmp_path, paper))[3].standing is Standing.FAILS


def test_rows_that_the_paper_no_longer_states_are_left_out(paper, run):
    more = dataclasses.replace(run, rows=(*ROWS, Row(Measurement("gone", 1.0, 1.0, 1.0, 1), 1, {})))
    assert [row["id"] for row in run_json(paper, more)["rows"]] == [row.measurement.id for row in ROWS]


@pytest.mark.parametrize("text", ["{", "{}", '{"rows": [{}], "tables": []}'])
def test_what_is_no_evidence_is_refused(paper, tmp_path, text):
    (tmp_path / "planted-gap.json").write_text(text)
    with pytest.raises(
        BadInput, match=r"planted-gap.json: is no evidence: .*; write it with `parataxis evidence export`"
    ):
        read_evidence(tmp_path, paper)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""), (0.0, "0"), (23.0, "23"), (1062, "1062"), (0.10678, "0.1068"), (-2.5, "-2.5"),
        (0.00001234, "1.234e-05"), (-76842.3, "-76842"), (12345678.9, "1.235e+07"), (0.99999997, "1"),
        (1e20, "1.000e+20"),
    ],
)  # fmt: skip
def test_numbers_are_shown_with_four_digits(value, shown):
    assert number(value) == shown


def test_an_exact_value_has_no_interval():
    assert interval(ROWS[0].measurement) == "0.995 [0.9585, 1.032] points"
    assert interval(ROWS[1].measurement) == "0.1 points"


def test_markdown_cells_cannot_break_the_table():
    table = markdown_table(["a", "b"], [["x | y", "two\nlines"], [None, 0.5]])
    assert table.splitlines() == ["| a | b |", "| --- | --- |", "| x \\| y | two lines |", "|  | 0.5 |"]


def test_the_terminals_table_says_all(paper, run):
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=120).print(rich_table(paper, run))
    lines = [line for line in out.getvalue().splitlines() if "│" in line]
    assert [line.split("│")[1].strip() for line in lines] == list(paper.ids)
    cells = [cell.strip() for cell in lines[0].split("│")[1:-1]]
    assert cells == ["gap", "0.995 [0.9585, 1.032] points", ">= 0.5", "0.04", "40", "holds"]
    assert "2 hold, 1 fails, 1 reported, 1 not measured" in out.getvalue()
