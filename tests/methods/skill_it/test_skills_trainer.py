"""In transformers' Trainer: the lag is measured, `exact` has none, a checkpoint goes on; and streams of datasets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SKILLS = ("a", "b", "c")
UPDATE = 4


@pytest.fixture(scope="module")
def runs():
    """All trainings, in one process: trainings.py."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("trainings.py"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "lag"), [("plain", 1), ("exact", 0), ("workers", 5)])
def test_the_lag_is_measured_and_told(runs, name, lag):
    found = runs[name]
    assert found["updates"]["step"] == [4, 8, 12]
    assert found["updates"]["lag"][0] == lag
    assert found["updates"]["applies_from"][0] == UPDATE + lag + 1
    assert len(found["batches"]) == 12
    assert (found["rounds"], found["records"]) == (3, 6)


@pytest.mark.parametrize(("name", "a_step"), [("sharp", 1), ("sharp accumulated", 2)])
def test_the_weights_apply_from_the_step_that_is_told(runs, name, a_step):
    # so large an eta that all is drawn of the skill with the highest loss
    found = runs[name]
    first = found["updates"]["applies_from"][0]
    weights = {name: found["updates"][name][0] for name in SKILLS}
    most = 1 + SKILLS.index(max(weights, key=weights.get))
    assert first == 6
    parts = [found["batches"][at : at + a_step] for at in range(0, len(found["batches"]), a_step)]
    steps = [[row for batch in part for row in batch] for part in parts]
    assert all(row == most for step in steps[first - 1 : first - 1 + UPDATE - 1] for row in step)
    assert set(steps[first - 2]) != {most}


def test_a_checkpoint_goes_on(runs):
    whole, again = runs["exact"], runs["resumed exact"]
    assert again["steps"] == 12
    assert again["batches"] == whole["batches"][6:]
    assert again["weights"] == pytest.approx(whole["weights"], abs=1e-9)
    plain = runs["resumed plain"]
    assert (plain["steps"], plain["rounds"], len(plain["batches"])) == (12, 3, 6)
    assert plain["updates"]["step"] == [4, 8, 12]


def test_texts_go_through_a_tokenizer_to_a_causal_model(runs):
    found = runs["causal"]
    assert found["skills"] == ["hop 0", "hop 1"]
    assert found["counted"] == [4], "of `Output: x = val 1` the four tokens of the answer"
    assert found["padded"]
    assert found["losses"][-1] < found["losses"][0]
    assert found["said"].startswith("skill 's': text 'no answer'... has no 'Output:'")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("records", "update_every=4: expected a multiple of record_every=3"),
        ("steps", "max_steps=-1: set how many steps"),
        ("eval_sets", "eval_sets: skill 'c' must be in the graph"),
        ("mixin", "SkillItCallback: give it to a trainer with SkillItTrainerMixin"),
        ("rows", "groups: skill 'a': row 5: the training set has 3 rows"),
    ],
)
def test_bad_calls(runs, name, said):
    assert runs["refused"][name].startswith(said)


def test_streams_are_interleaved_by_weights_that_change(runs):
    first, rest, epochs = (runs["streams"][name] for name in ("first", "rest", "epochs"))
    assert [first.count(name) for name in SKILLS] == [4, 4, 4]
    assert [name for name, _ in rest].count("a") == 12
    assert epochs == [0, 1, 2, 3]
    assert [at for _, at in rest] == [0, 1, 2, 3] * 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "datasets: skill 'b' has no training rows"),
        ("absent", "datasets: skill 'c' has none, but 3 of a round are to be of it"),
        ("unknown", "datasets: skill 'z' is unknown"),
        ("round", "round_size=0: expected at least 1"),
    ],
)
def test_streams_that_can_not_be_mixed(runs, name, said):
    assert runs["streams"][name].startswith(said)
