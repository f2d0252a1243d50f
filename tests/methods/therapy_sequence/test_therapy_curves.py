"""Curves as digitizing programs write them: read, cleaned with a word, or refused with file and line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput

EXPORTS = {
    "WebPlotDigitizer": ("0, 1\n1.5, 0.9\n3, 0.6\n", None),
    "WebPlotDigitizer, two": ("A,,B,\nX,Y,X,Y\n0,1,0,1\n2,0.5,1.5,0.9\n,,3,0.6\n", "B"),
    "Engauge": ("x,Curve1,Curve2\n0,1,1\n1.5,0.9,\n2,,0.8\n3,0.6,0.7\n", "Curve1"),
    "Engauge, a block a curve": ("x,Curve1\n0,1\n5,0.2\n\nx,Curve2\n0,1\n1.5,0.9\n3,0.6\n", "Curve2"),
    "DigitizeIt": ("k\ttime\tsurvival\n1\t0,0\t1,0\n2\t1,5\t0,9\n3\t3,0\t0,6\n", None),
    "DigitizeIt, semicolons": ("#Curve 1\n0;1\n1,5;0,9\n3;0,6\n", None),
    "PlotDigitizer": ('Plot Digitizer\nFile: fig1.png\n"Months","Survival"\n0,1\n1.5,0.9\n3,0.6\n', None),
    "spaces": ("0 1\n1.5   0.9\n3 0.6\n", None),
    "spaces and decimal commas": ("0 1\n1,5 0,9\n3 0,6\n", None),
    "percent, any order, byte-order mark": ("\ufefft,S\n3,60%\n0,100%\n1.5,90%\n", None),
    "no beginning": ("1.5,0.9\n3,0.6\n", None),
}

ADDED = "(0, 1) was added before the first point (1.5, 0.9), which is far from it: was the beginning clicked?"
SORTED = "points were not in the order of time, and were sorted"


@pytest.fixture
def curves():
    from parataxis.methods.therapy_sequence import curves

    return curves


@pytest.mark.parametrize("program", EXPORTS)
def test_exports_of_every_program_are_read(program, tmp_path, curves):
    text, name = EXPORTS[program]
    (tmp_path / "curve.csv").write_text(text)
    found = curves.KMCurve.read(tmp_path / "curve.csv", name)
    assert found.time.tolist() == [0, 1.5, 3]
    assert found.survival == pytest.approx([1, 0.9, 0.6])
    told = {"no beginning": (ADDED,), "percent, any order, byte-order mark": (SORTED, "survival was in percent")}
    assert found.notes == told.get(program, ())


BAD = {
    "nothing": ("", "holds no points"),
    "words": ("abc\ndef\n", "holds no points"),
    "one number": ("0\n1\n", "holds no points"),
    "several": ("x,a,b\n0,1,1\n1,.5,.6\n", "holds 2 curves; choose one: --curve 'a' or 'b'"),
    "a word among numbers": ("0,1\n1,oops\n2,0.5\n", "curve.csv:2: 'oops' is not a number"),
    "a missing number": ("A,,B,\nX,Y,X,Y\n0,1,0,1\n2,,1,0.9\n3,.2,2,.8\n", "curve.csv:4: a point has two numbers"),
    "not a number": ("0,1\n1,nan\n2,0.5\n", "curve.csv:2: 'nan' is not a number"),
    "one point": ("0,1\n", "expected two points or more"),
    "rising": ("0,1\n1,0.6\n2,0.7\n3,0.5\n", "curve.csv:3: survival=0.7 at time 2 is above 0.6"),
    "incidence": ("0,0\n1,0.2\n2,0.4\n", "of a cumulative incidence give 1 minus it"),
    "swapped": ("1,0\n0.9,1.5\n0.6,3\n", "they look swapped; expected time, then survival"),
    "no beginning": (
        "10,0.4\n20,0.2\n",
        "curve.csv:1: survival=0.4 at the first time, 10: expected a curve that begins",
    ),
    "above 1": ("0,1.2\n1,0.9\n", "survival=1.2, read as a share, is above 1"),
    "above 100 %": ("0,120\n1,90\n", "survival=1.2, read as percent, is above 1"),
    "below 0": ("0,1\n1,-0.2\n", "survival=-0.2 is below 0"),
    "before 0": ("-5,1\n1,0.9\n", "curve.csv:1: time=-5 must not be below 0"),
    "no time": ("0,1\n0,0.9\n", "all times are 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_survival_curve_is_refused_in_one_line(case, tmp_path, curves):
    text, said = BAD[case]
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(BadInput) as refused:
        curves.KMCurve.read(tmp_path / "curve.csv", "b" if "missing" in case else None)
    assert said in str(refused.value).replace(str(tmp_path) + "/", "") or case == "a missing number"
    assert "\n" not in str(refused.value)


def test_a_missing_number_is_named_with_its_line(tmp_path, curves):
    (tmp_path / "curve.csv").write_text(BAD["a missing number"][0])
    with pytest.raises(BadInput, match=r"curve\.csv:4: a point has two numbers"):
        curves.KMCurve.read(tmp_path / "curve.csv", "A")


def test_a_curve_that_is_not_there_is_named(tmp_path, curves):
    (tmp_path / "curve.csv").write_text("x,a,b\n0,1,1\n1,.5,.6\n")
    with pytest.raises(BadInput, match="curve='c': no such curve; there: 'a', 'b'"):
        curves.KMCurve.read(tmp_path / "curve.csv", "c")
    with pytest.raises(BadInput, match="can't be read: No such file"):
        curves.KMCurve.read(tmp_path / "absent.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not text"):
        curves.KMCurve.read(tmp_path / "picture.csv")


def test_slips_of_the_hand_are_mended_with_a_word(curves):
    found = curves.KMCurve.clean(np.array([-0.01, 1, 2, 3]), np.array([1.01, 0.8, 0.81, 0.5]))
    assert found.time.tolist() == [0, 1, 2, 3]
    assert found.survival.tolist() == [1, 0.8, 0.8, 0.5]
    assert found.notes == (
        "survival of up to 1.01 was set to 1",
        "1 times below 0, to -0.01, were set to 0",
        "1 points that rose, by 0.010 at most, were lowered",
    )


def test_a_beginning_that_is_added_is_told_and_more_so_where_it_is_far(curves):
    """Clicks from month 20.2 of 48 on look like any other curve afterwards."""
    near = curves.KMCurve.clean(np.array([0.4, 30, 48]), np.array([0.99, 0.6, 0.4]))
    assert near.notes == ("(0, 1) was added before the first point (0.4, 0.99)",)
    for time, survival in ((20.2, 0.96), (0.4, 0.696)):
        far = curves.KMCurve.clean(np.array([time, 30, 48]), np.array([survival, 0.6, 0.4]))
        assert "far from it: was the beginning clicked?" in far.notes[0]
    assert curves.KMCurve.clean(np.array([0, 30, 48]), np.array([1, 0.6, 0.4])).notes == ()
    assert curves.KMCurve.clean(np.array([0, 30, 48]), np.array([1, 0.6, -0.02])).notes == (
        "survival down to -0.02 was set to 0",
    )


@settings(max_examples=30)
@given(st.permutations(range(9)))
def test_the_order_of_the_points_does_not_matter(order):
    from parataxis.methods.therapy_sequence.curves import KMCurve

    time = np.array([0, 1, 1, 2, 3, 3, 3, 5, 8.0])
    survival = np.array([1, 0.9, 0.8, 0.8, 0.7, 0.6, 0.55, 0.5, 0.1])
    given_, other = KMCurve.clean(time, survival), KMCurve.clean(time[list(order)], survival[list(order)])
    assert np.array_equal(given_.time, other.time)
    assert np.array_equal(given_.survival, other.survival)


# Freireich 1963, remission in weeks on 6-mercaptopurine; survival as every textbook prints it.
WEEKS = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
RELAPSED = np.arange(21) < 9


def test_kaplan_meier_gives_the_textbook_curve(curves):
    found = curves.KMCurve.of(WEEKS, RELAPSED)
    assert found.time.tolist() == [0, 6, 7, 10, 13, 16, 22, 23]
    assert found.survival == pytest.approx([1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert found.median == 23
    assert found.at(np.array([0.0, 5.9, 6, 40])) == pytest.approx([1, 1, 0.857, 0.448], abs=5e-4)
    assert found.mean(7.0) == pytest.approx(6 + 0.857, abs=5e-4)


def test_numbers_at_risk_are_found_by_name_or_as_the_only_two(tmp_path):
    from parataxis.methods.therapy_sequence.exports import read_at_risk

    for text in (
        "interval,trisk,lower,upper,nrisk,arm\n1,0,,,80,Nivo 1\n2,3,,,79,Nivo 1\n",
        "time;n\n0;80\n3;79\n",
        "0 80\n3 79\n",
        "n,months\n80,0\n79,3\n",
    ):
        (tmp_path / "table.csv").write_text(text)
        assert read_at_risk(tmp_path / "table.csv").tolist() == [[0, 80], [3, 79]]
    for text, said in (
        ("a,b,c\n0,1,2\n1,2,3\n", "expected columns 'time' and 'n'; there: 'a', 'b', 'c'"),
        ("", "holds no numbers"),
        ("interval,time,x,n\n1,0,5,80\n2,3,5,\n", "table.csv:3: expected a time and a number at risk"),
    ):
        (tmp_path / "table.csv").write_text(text)
        with pytest.raises(BadInput, match=said):
            read_at_risk(tmp_path / "table.csv")
