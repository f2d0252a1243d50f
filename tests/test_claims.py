import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.claims import (
    Claim,
    DataFile,
    Figure,
    KnownFailure,
    Measurement,
    Rule,
    Standing,
    Symmetry,
    Table,
)
from parataxis.errors import BadInput
from parataxis.paper_file import read_paper
from planted import FILES

CLAIM = {
    "id": "gap",
    "version": 1,
    "says": "It is large.",
    "where": "Table 1",
    "figure": "1.0",
    "measure": "the mean",
    "unit": "",
    "expect": ">= 0.5",
    "null": "labels shuffled",
    "silent": "",
    "scale_reason": "",
}


# rule, interval, standing
JUDGED = [
    (">= 0.5", (0.5, 0.9), "HOLDS"),
    (">= 0.5", (0.4, 0.9), "UNDECIDED"),
    (">= 0.5", (0.1, 0.4), "FAILS"),
    ("> 0.5", (0.5, 0.9), "UNDECIDED"),
    ("> 0.5", (0.1, 0.5), "FAILS"),
    (">= 0.5", (0.1, 0.5), "UNDECIDED"),
    ("<= 3", (1.0, 3.0), "HOLDS"),
    ("< 3", (1.0, 3.0), "UNDECIDED"),
    ("< 3", (3.0, 3.0), "FAILS"),
    ("<= -1.5e-2", (-0.015, -0.015), "HOLDS"),
    ("== 24", (24.0, 24.0), "HOLDS"),
    ("== 24", (23.0, 25.0), "UNDECIDED"),
    ("== 24", (24.0, 25.0), "UNDECIDED"),
    ("== 24", (25.0, 26.0), "FAILS"),
    ("in [20, 24]", (20.0, 24.0), "HOLDS"),
    ("in [20, 24]", (19.0, 24.0), "UNDECIDED"),
    ("in [20, 24]", (18.0, 26.0), "UNDECIDED"),
    ("in [20, 24]", (24.5, 26.0), "FAILS"),
    ("in [20, 24]", (1.0, 19.9), "FAILS"),
    ("", (1.0, 2.0), "REPORTED"),
]


@pytest.mark.parametrize(("expect", "interval", "standing"), JUDGED)
def test_a_rule_decides_by_the_whole_interval(expect, interval, standing):
    low, high = interval
    claim = Claim(**{**CLAIM, "expect": expect})
    assert claim.judge(Measurement("gap", low, low, high, 5)) is Standing[standing]


@given(st.sampled_from([">=", ">", "<=", "<", "=="]), st.integers(-3, 3), st.integers(-4, 4), st.integers(0, 4))
def test_a_rule_agrees_with_trying_every_number_of_the_interval(sign, bound, low, width):
    obeys = {
        ">=": lambda x: x >= bound,
        ">": lambda x: x > bound,
        "<=": lambda x: x <= bound,
        "<": lambda x: x < bound,
        "==": lambda x: x == bound,
    }[sign]
    tried = [obeys(low + k / 8) for k in range(8 * width + 1)]
    expected = Standing.HOLDS if all(tried) else Standing.UNDECIDED if any(tried) else Standing.FAILS
    assert Rule.parse(f"{sign} {bound}").judge(float(low), float(low + width)) is expected


@pytest.mark.parametrize(
    "text", ["=> 1", "1", ">= x", "in [3, 2]", "in (1, 2)", ">= 1 <= 2", "!= 3", ">= nan", "in [1]"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ValueError, match="expected '>= x'"):
        Rule.parse(text)


def test_too_few_is_undecided():
    claim = Claim(**{**CLAIM, "min_n": 5})
    assert claim.judge(Measurement("gap", 0.9, 0.8, 1.0, 4)) is Standing.UNDECIDED
    assert claim.judge(Measurement("gap", 0.9, 0.8, 1.0, 5)) is Standing.HOLDS


@pytest.mark.parametrize(("null", "fails"), [(0.1, True), (0.5, False), (None, False)])
def test_a_rule_must_fail_at_its_null(null, fails):
    assert Claim(**CLAIM).null_fails(Measurement("gap", 1.0, 1.0, 1.0, 1, null=null)) is fails


def test_without_a_rule_there_is_nothing_to_fail():
    assert Claim(**{**CLAIM, "expect": "", "null": ""}).null_fails(Measurement("gap", 1.0, 1.0, 1.0, 1))


VERDICTS = {
    "invariant": {"invariant": "HOLDS", "order-dependent": "FAILS", "noisy": "UNDECIDED", "undecided": "UNDECIDED"},
    "equivariant": {"invariant": "HOLDS", "order-dependent": "FAILS", "noisy": "UNDECIDED", "": "UNDECIDED"},
    "may depend": {"invariant": "UNDECIDED", "order-dependent": "HOLDS", "noisy": "UNDECIDED", "": "UNDECIDED"},
}


@pytest.mark.parametrize("outcome", VERDICTS)
def test_a_symmetry_stands_by_the_verdict(outcome):
    symmetry = Symmetry("s", "the rows", outcome, "It stays.")
    for verdict, standing in VERDICTS[outcome].items():
        assert symmetry.judge(Measurement("s", 0.0, 0.0, 0.1, 30, verdict=verdict)) is Standing[standing]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"value": math.nan}, "value=nan must be finite"),
        ({"high": math.inf}, "high=inf must be finite"),
        ({"null": math.nan}, "null=nan must be finite"),
        ({"baseline": math.inf}, "baseline=inf must be finite"),
        ({"low": 1.5}, r"value=1.0 must lie in its interval \[1.5, 1.0\]"),
        ({"high": 0.5}, r"value=1.0 must lie in its interval \[1.0, 0.5\]"),
        ({"n": 0}, "n=0 must be at least 1"),
    ],
)
def test_an_unsound_measurement_is_refused(values, said):
    with pytest.raises(ValueError, match=f"measurement 'gap': {said}"):
        Measurement(**{"id": "gap", "value": 1.0, "low": 1.0, "high": 1.0, "n": 3, **values})


def test_a_figure_holds_an_image_and_a_table_whole_rows():
    assert Figure("f", b"\x89PNG...", "").is_png
    assert not Figure("f", b"<?xml version='1.0'?>\n<svg/>", "").is_png
    with pytest.raises(ValueError, match="must be the bytes of an SVG or PNG"):
        Figure("f", b"plot.svg", "")
    with pytest.raises(ValueError, match="row 2 has 1 of 2 cells"):
        Table("t", ["a", "b"], [[1, 2], [3]], "")


@pytest.fixture
def write(tmp_path):
    """Writes the planted paper.toml with one text replaced; its path."""

    def write(old="", new=""):
        text = FILES["paper.toml"]
        assert old in text
        path = tmp_path / "planted_gap" / "paper.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(old, new, 1) if old else text)
        return path

    return write


def test_a_paper_is_read_whole(write):
    paper = read_paper(write())
    assert (paper.name, paper.command, paper.year, paper.verbs) == ("planted-gap", "gap", 2020, ("measure", "remove"))
    assert paper.authors == ("Ada Example", "Bo Sample")
    assert paper.ids == ("gap", "spread", "any-order", "own-score", "running-mean")
    assert [claim.version for claim in paper.claims] == [1, 2]
    assert paper.claims[0].min_n == 1
    assert paper.find("own-score") is paper.symmetries[1]
    assert paper.data[0].real
    assert paper.data[0].parts == ()
    assert paper.known_failures == ()
    assert paper.judge(Measurement("gap", 1.0, 0.9, 1.1, 3)) is Standing.HOLDS


def test_a_known_failure_and_a_part_are_read(write):
    path = write(
        "[[symmetry]]", '[[known_failure]]\ntest = "check_13_help"\nreason = "slow"\nissue = "#4"\n\n[[symmetry]]'
    )
    path.write_text(path.read_text() + f'parts = ["{"0" * 64}"]\n')
    paper = read_paper(path)
    assert paper.known_failures == (KnownFailure("check_13_help", "slow", "#4"),)
    assert paper.data[0].parts == ("0" * 64,)


REFUSED = [
    ('name = "planted-gap"', 'nmae = "planted-gap"', "nmae: unknown key; known: name, command, title"),
    ('name = "planted-gap"\n', "", "name: missing key"),
    ('name = "planted-gap"', 'name = "Planted Gap"', "name='Planted Gap': expected lower case words with hyphens"),
    ("year = 2020", 'year = "2020"', "year='2020': expected a whole number"),
    ("year = 2020", "year = true", "year=True: expected a whole number"),
    ('authors = ["Ada Example", "Bo Sample"]', 'authors = "Ada"', "authors='Ada': expected a list"),
    ('"Bo Sample"', "7", "authors[2]=7: expected text"),
    (
        'verbs = ["measure", "remove"]',
        'verbs = ["solve"]',
        "verbs='solve': expected some of measure, remove, choose, model",
    ),
    ('verbs = ["measure", "remove"]', "verbs = []", "verbs=(): must not be empty"),
    ('expect = ""', 'expct = ""', "claim[2].expct: unknown key; known: id, version, says"),
    ('expect = ">= 0.5"\n', "", "claim[1].expect: missing key"),
    ('expect = ">= 0.5"', 'expect = "large"', "claim[1].expect='large': expected '>= x'"),
    (
        'null = "the signs of the numbers drawn at random"',
        'null = ""',
        "claim[1].null='': a claim with a rule must say",
    ),
    ("version = 2", "version = 0", "claim[2].version=0, min_n=1: both must be at least 1"),
    ('where = "Section 3"', 'where = ""', "claim[2].where='': must not be empty"),
    ('id = "spread"', 'id = "gap"', "id='gap': stands twice"),
    ('id = "any-order"', 'id = "gap"', "id='gap': stands twice"),
    ('id = "spread"', 'id = "spread"\nneeds = ["x.csv"]', "claim 'spread': needs='x.csv' is no file of [[data]]"),
    ('outcome = "may depend"', 'outcome = "maybe"', "symmetry[3].outcome='maybe': expected one of 'invariant'"),
    ("real = true", "real = 1", "data[1].real=1: expected true or false"),
    ('packed = ""', 'packed = "zip"', "data[1].packed='zip': expected one of '', 'gz'"),
    ('sha256 = "13', 'sha256 = "XY', "expected 64 hexadecimal digits"),
    ("[[data]]", "[data]", "data={'file': 'numbers.txt'"),
    ("[[claim]]", "[[claim", "is not TOML:"),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED)
def test_a_mistake_in_paper_toml_is_told_in_one_line(old, new, said, write):
    with pytest.raises(BadInput) as caught:
        read_paper(write(old, new))
    assert str(caught.value).startswith("planted_gap/paper.toml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_paper_toml(tmp_path):
    with pytest.raises(BadInput, match=r"paper.toml: no such file; every method's folder holds one"):
        read_paper(tmp_path / "paper.toml")


def test_what_is_fetched_must_be_checked():
    with pytest.raises(ValueError, match="sha256='': what is fetched must be checked"):
        DataFile("a.csv", "rows", True, "https://example.org/a.csv", "", "CC0-1.0", "")
    with pytest.raises(ValueError, match="sha256='': what is fetched must be checked"):
        DataFile("a.csv", "rows", True, "", "", "CC0-1.0", "", installed=("/usr/share/rows/a.csv",))
