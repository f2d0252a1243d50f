import dataclasses
import re
from html.parser import HTMLParser

import pytest

from parataxis.claims import Claim, Figure, Measurement, Table
from parataxis.paper_file import read_paper
from parataxis.studies.render import findings
from parataxis.studies.report import html_report
from parataxis.studies.store import Row, Run
from parataxis.studies.strip import WIDTH, strip
from planted import FILES

PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """What a page links to, and its text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.text, self.tags, self.texts_of_pictures, self.ids = [], "", [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "img":
            self.texts_of_pictures.append(dict(attrs)["alt"])

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "planted_gap" / "paper.toml"
    path.parent.mkdir()
    path.write_text(FILES["paper.toml"].replace("A Gap That Is There", "A <Gap> & More"))
    return read_paper(path)


def run_with(value=1.0, low=0.9, high=1.2, **more):
    row = Row(Measurement("gap", value, low, high, 40, "points", **more), 1, {})
    return Run(1, "planted-gap", "quick", 0, "code", "0.1.0", {"cpu": "C", "cores": 2}, "then", "later", rows=(row,))


def test_the_report_needs_nothing_else(paper):
    run = dataclasses.replace(
        run_with(),
        figures=(Figure("line", b"<svg/>", "A line."), Figure("dots", PNG, "Dots.")),
        tables=(Table("t", ["a"], [["x < y"], [0.25], [None]], "A table."),),
    )
    page = Page(html_report([(paper, run)]))
    assert [link.split(",")[0] for link in page.links] == [
        "#planted-gap", "#planted-gap", "data:image/svg+xml;base64", "data:image/png;base64",
    ]  # fmt: skip
    assert page.texts_of_pictures == ["line: A line.", "dots: Dots."]
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "A <Gap> & More" in page.text  # escaped, so read back as text
    assert "1 [0.9, 1.2] points" in page.text
    assert "1 holds, 4 not measured" in page.text
    assert "x < y" in page.text
    assert "Left open: which mean: ours is the arithmetic one." in page.text


def test_a_paper_without_a_run_is_named_and_no_more(paper):
    page = Page(html_report([(paper, None)]))
    assert page.links == []
    assert "not measured" in page.text
    assert "section" not in page.tags


def cells(page):
    """The rows of the matrix of symmetries, as lists of the texts of their cells."""
    matrix = page.split("class=matrix>")[1].split("</table>")[0].split("<tbody>")[1]
    rows = [re.split("<t[dh][^>]*>", row)[1:] for row in matrix.split("<tr>")[1:]]
    return [[re.sub("<[^>]*>", "", cell).strip() for cell in row] for row in rows]


@pytest.mark.parametrize(("verdict", "mark"), [("invariant", "✓"), ("order-dependent", "✗"), ("undecided", "?")])
def test_the_matrix_shows_what_came_out_under_what_is_said(paper, verdict, mark):
    row = Row(Measurement("any-order", 0.0, 0.0, 0.1, 23, verdict=verdict), 0, {})
    page = html_report([(paper, dataclasses.replace(run_with(), rows=(row,)))])
    found = cells(page)
    assert len(found) == len(paper.symmetries)
    assert found[0] == ["planted-gap", paper.symmetries[0].permutes, f"{mark} 23", "", ""]
    assert found[1][1:] == ["", "–", ""]  # equivariant, not measured
    assert found[1][0] == paper.symmetries[1].permutes
    assert len(Page(page).ids) == len(set(Page(page).ids))


def test_a_strip_is_told_in_words(paper):
    told = re.search('aria-label="([^"]*)"', strip(finding(paper, ">= 0.5", null=0.1)))[1]
    assert told == "1 [0.9, 1.2] points, rule &gt;= 0.5, null 0.1"


def places(found):
    """The band's left and right end, the interval's, the value, the null: in pixels."""
    svg = strip(found)
    left, width = map(float, re.search(r'rect x="([\d.]+)" width="([\d.]+)"', svg).groups())
    low, high = map(float, re.search(r'd="M([\d.]+) [\d.]+H([\d.]+)"', svg).groups())
    value = float(re.search(r'cx="([\d.]+)"', svg)[1])
    cross = re.search(r'd="M([\d.]+) [\d.]+l', svg)
    return left, left + width, low, high, value, float(cross[1]) + 3 if cross else None


def finding(paper, expect, **more):
    claim = dataclasses.replace(paper.claims[0], expect=expect)
    return findings(dataclasses.replace(paper, claims=(claim, *paper.claims[1:])), run_with(**more))[0]


def test_the_strip_shows_interval_and_rule_in_their_places(paper):
    left, right, low, high, value, null = places(finding(paper, ">= 0.5", null=0.1))
    assert 0 < null < left < low < value < high < right == pytest.approx(WIDTH)
    left, right, low, high, value, null = places(finding(paper, "<= 0.95"))
    assert left == 0 < low < right < value < high < WIDTH
    assert null is None
    left, right, low, high, *_ = places(finding(paper, "in [0.8, 1.3]"))
    assert 0 < left < low < high < right < WIDTH


def test_a_rule_of_one_number_is_still_seen(paper):
    left, right, low, high, value, _ = places(finding(paper, "== 1", value=1.0, low=1.0, high=1.0))
    assert right - left == pytest.approx(1.5)
    assert low == high == value == left


def test_without_a_rule_or_a_measurement_there_is_no_strip(paper):
    assert strip(findings(paper, None)[0]) == ""
    assert strip(finding(paper, "")) == ""
    assert isinstance(paper.claims[0], Claim)
