import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.files import JsonLines, read_json_lines
from parataxis.methods.flaky_tests.outcomes import BITS, VERDICTS, Run, outcome_bits, verdict

# Worked by hand from the rule; "-" stands for a run that the test had no part in.
VERDICT_OF = {
    "": "ZeroRuns",
    "-": "ZeroRuns",
    ".": "Passed",
    ".s": "Passed",
    "F": "Failed",
    "FE": "Failed",
    "FEs": "Failed",
    "E": "Error",
    "Es": "Error",
    "s": "Skipped",
    "s-": "Skipped",
    ".F": "Flaky",
    ".E": "Flaky",
    ".FEs": "Flaky",
    "C": "Failed",
    "T": "Failed",
    ".C": "Flaky",
    ".T": "Flaky",
    ".-": "Passed",
    "F-": "Failed",
}


@pytest.mark.parametrize(("outcomes", "expected"), VERDICT_OF.items())
def test_verdict_of_a_set(outcomes, expected):
    assert verdict(outcomes) == expected


@given(st.lists(st.sampled_from(sorted(BITS))))
def test_a_verdict_heeds_neither_order_nor_number(outcomes):
    assert verdict(outcomes) == verdict(reversed(outcomes)) == verdict(set(outcomes)) == verdict(outcomes * 2)


def test_every_set_has_a_verdict():
    assert len(VERDICTS) == 16
    assert set(VERDICTS) == {"Passed", "Failed", "Flaky", "Error", "Skipped", "ZeroRuns"}


def test_bits_of_a_run():
    np.testing.assert_array_equal(outcome_bits(".FEsCT-"), [1, 2, 4, 8, 2, 2, 0])


ROWS = st.fixed_dictionaries(
    {
        "iteration": st.integers(0, 9),
        "kind": st.sampled_from(["same", "random", "replay"]),
        "index": st.integers(0, 99),
        "order": st.permutations(range(5)).map(tuple),
        "outcomes": st.text("".join(BITS), min_size=5, max_size=5),
        "seconds": st.floats(0, 100),
        "of": st.none() | st.just("random/3"),
    }
)


@given(ROWS)
def test_a_row_reads_back(row):
    run = Run(**row)
    assert Run.from_row(json.loads(json.dumps(run.to_row()))) == run


def test_rows_survive_a_log(tmp_path):
    runs = [Run(0, "same", 0, (0, 1), ".F", 0.25), Run(1, "replay", 2, (1, 0), "C-", 1.5, of="same/0")]
    with JsonLines(tmp_path / "runs.jsonl") as log:
        for run in runs:
            log.append(run.to_row())
    assert [Run.from_row(row) for row in read_json_lines(tmp_path / "runs.jsonl")] == runs


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: verdict("x"), "outcome='x': expected one of . F"),
        (lambda: Run.from_row({"iteration": 0}), "not a row of a run"),
        (lambda: Run.from_row(Run(0, "same", 0, (0,), "?").to_row()), r"run same/0: outcomes hold \['\?'\]"),
        (lambda: Run.from_row({**Run(0, "same", 0, (0,), ".").to_row(), "color": 1}), "color"),
    ],
)
def test_what_is_no_outcome_is_named(wrong, said):
    with pytest.raises(BadInput, match=said):
        wrong()
