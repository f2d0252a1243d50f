"""The commands from curves to incidences, called in this process; common.py calls them as a user does."""

import json

import pandas as pd
import pytest
import typer
from common_curves import CURVES_BAD, CURVES_HELP, EVENTS, FIT, MADE, MORE_BAD, RECONSTRUCT, prepare_curves
from typer.testing import CliRunner

from parataxis.errors import BadInput


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    prepare_curves(folder)
    return folder


@pytest.fixture
def call(prepared, monkeypatch):
    """The output of a command, or the line with which it was refused."""
    from parataxis.methods.therapy_sequence.cli_curves import register

    app = typer.Typer()
    register(app)
    monkeypatch.chdir(prepared)

    def run(*words):
        done = CliRunner().invoke(app, list(words))
        if isinstance(done.exception, BadInput):
            return str(done.exception)
        return done.stdout if done.exit_code == 0 else done.output

    return run


@pytest.mark.parametrize(("argv", "agrees"), CURVES_HELP)
def test_examples_stand_in_the_help_and_agree_with_their_json(argv, agrees, call):
    command = " ".join(["parataxis", *argv])
    assert command in " ".join(call(argv[1], "--help").replace("│", " ").split())
    text = call(*argv[1:])
    assert agrees(json.loads(call(*argv[1:], "--json")), text)


@pytest.mark.parametrize(("argv", "fragment"), [*CURVES_BAD, *MORE_BAD])
def test_bad_inputs_are_named_in_one_line(argv, fragment, call):
    said = call(*argv[1:])
    assert fragment in " ".join(said.replace("│", " ").split())


def test_the_whole_way_from_a_picture_to_cycles(call, prepared):
    """Of these 300 made patients 26 of 227 events are deaths."""
    call(*MADE[1:])
    for name in ("pfs", "os"):
        words = [each.replace("pfs", name) for each in RECONSTRUCT[1:]]
        call(*words, "--plot", f"{name}.svg")
    told = json.loads(call(*EVENTS[1:], "--plot", "events.svg", "--json"))
    truth = pd.read_csv(prepared / "truth.csv")
    share = (truth.pfs_event == 2).sum() / (truth.pfs_event > 0).sum()
    assert told["low"] <= share <= told["high"]
    assert abs(told["share"] - share) < 0.05
    fitted = json.loads(call(*FIT[1:], "--plot", "fit.svg", "--json"))
    table = pd.read_csv(prepared / "incidence.csv")
    assert list(table) == ["cycle", "progression", "death", "from"]
    assert table.cycle.tolist() == list(range(1, 88))
    assert (table["from"] == "data").sum() == fitted["of_data"]
    assert (table.progression + table.death).max() <= 1
    for name in ("pfs", "os", "events", "fit"):
        assert "<svg" in (prepared / f"{name}.svg").read_text()[:2000]


def test_a_reported_total_that_is_not_met_is_told(call):
    told = json.loads(call(*RECONSTRUCT[1:], "--events", "226", "--json"))
    assert told["notes"] == ["225 events were reached, 226 were reported"]
    assert told["at_risk"][0] == {"time": 0.0, "told": 300, "rebuilt": 300}
    assert "note: 225 events were reached" in call(*RECONSTRUCT[1:], "--events", "226")
