import json

import numpy as np
import pytest

from parataxis.audit import Raised
from parataxis.audit.outcomes import comparison, from_json, to_json

SAME = [
    (float("nan"), float("nan"), None, True),
    (np.array([1.0, np.nan]), np.array([1.0, np.nan]), None, True),
    (np.array([1.0, 2.0]), np.array([1.0]), None, False),
    ([1, (2.0, [np.nan])], [1, [2.0, (np.nan,)]], None, True),
    ({"a": np.zeros(2), "b": 1}, {"b": 1, "a": np.zeros(2)}, None, True),
    ({"a": 1}, {"b": 1}, None, False),
    ("ab", ["a", "b"], None, False),
    (np.array(["a", "b"]), np.array(["a", "b"]), None, True),
    (np.array([{"x": np.nan}], object), np.array([{"x": np.nan}], object), None, True),
    (1.0, 1.0 + 1e-9, None, False),
    (1.0, 1.0 + 1e-9, 1e-6, True),
    (1e9, 1e9 + 1, 1e-6, True),
    (np.array([0.0, 1e9]), np.array([1e-7, 1e9 + 1]), 1e-6, True),
    ([1.0, {"x": 2.0}], [1.0, {"x": 2.1}], 0.01, False),
    (float("inf"), 1.0, 1e6, False),
    (np.array([np.inf]), np.array([1.0]), 1e6, False),
    (np.bool_(True), np.bool_(False), 0.5, False),
    ({1, 2}, {2, 1}, None, True),
    ("a", "A", lambda a, b: a.lower() == b.lower(), True),
    (Raised("ValueError", "x"), "x", lambda a, b: True, False),
]


@pytest.mark.parametrize(("a", "b", "compare", "expected"), SAME)
def test_when_outcomes_are_the_same(a, b, compare, expected):
    same = comparison(compare)
    assert same(a, b) is same(b, a) is expected
    assert same(a, a)


def test_outcomes_survive_json():
    outcome = {"x": [1, 2.5, float("nan"), -float("inf"), None, "é"], "y": Raised("E", "m")}
    back = from_json(json.loads(json.dumps(to_json(outcome), allow_nan=False)))
    assert comparison(None)(back, outcome)
    assert to_json((np.arange(3), np.float32(0.5))) == [[0, 1, 2], 0.5]
