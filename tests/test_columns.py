"""Tables as text and as JSON."""

import json

import pandas as pd

from parataxis.columns import aligned, aligned_frame, records

TABLE = pd.DataFrame({"drug": ["A", "longer"], "cost": [1234567.0, 0.25], "n": [3, 12]})


def test_columns_stand_below_one_another():
    assert aligned([["name", "n"], ["a", "10"], ["longer", "2"]]) == "name    n\na       10\nlonger  2"
    assert aligned([["name", "n"], ["a", "10"], ["longer", "2"]], right=[1]) == "name     n\na       10\nlonger   2"


def test_numbers_of_a_frame_stand_to_the_right():
    told = "drug         cost   n\nA       1,234,567   3\nlonger     0.2500  12"
    assert aligned_frame(TABLE) == told


def test_what_is_no_number_is_blank_and_null():
    table = TABLE.assign(cost=[float("nan"), float("inf")], drug=[None, "B"])
    assert aligned_frame(table).splitlines()[1].split() == ["3"]
    assert json.loads(json.dumps(records(table), allow_nan=False))[0]["cost"] is None
    assert records(table)[1]["cost"] is None
