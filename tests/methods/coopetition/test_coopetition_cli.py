"""The commands on files, in this process; what each leaves behind."""

import json
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
from coopetition_cases import FOLDER, needs_data

from parataxis.cli import main
from parataxis.methods.coopetition import plots

COMMON = runpy.run_path(str(Path(__file__).with_name("common.py")))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`call(argv)`: status, stdout and stderr, in a folder of the common files."""
    COMMON["prepare"](tmp_path)
    monkeypatch.chdir(tmp_path)

    def of(argv):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return of


@pytest.fixture
def unrendered(monkeypatch):
    """Pictures are made, but not turned into bytes."""
    monkeypatch.setattr(plots, "svg", lambda ax: "<svg>")


@pytest.mark.parametrize("place", range(len(COMMON["IN_ONE_PROCESS"])), ids=["sweep", "case", "order", "report"])
def test_the_helps_example_runs(call, unrendered, place):
    argv, agrees = COMMON["IN_ONE_PROCESS"][place]
    status, told, _ = call([*argv[:2], "--help"])
    assert status == 0
    assert "parataxis " + " ".join(argv) in " ".join(re.sub("[│╭╮╰╯─]", " ", told).split())
    (status, text, err), (again, value, _) = call(argv), call([*argv, "--json"])
    assert (status, again, "\x1b" in text + err) == (0, 0, False)
    assert agrees(json.loads(value), text)


def test_every_bad_input_is_named_in_one_line(call):
    for argv, fragment in COMMON["ALL_BAD_INPUTS"]:
        status, _, said = call(argv)
        assert status == 2, f"{argv}: {said}"
        assert len(said.strip().splitlines()) == 1, said
        assert fragment in said, f"{argv}: {fragment!r} is not in {said!r}"


@pytest.mark.parametrize("out", ["matrix.csv", "matrix.parquet", "graph.graphml", "graph.dot"])
def test_a_matrix_is_written(call, tmp_path, out):
    status, told, _ = call(["coopetition", "matrix", "table.csv", "--out", out])
    assert status == 0
    assert f"written: {out}" in told
    assert (tmp_path / out).stat().st_size > 0


def test_per_partner_is_named_for_what_it_is(call):
    _, told, _ = call([*COMMON["MATRIX"], "--normalise", "per-partner"])
    assert "as the authors' package does" in told
    assert told.count("1.0000") >= 6


def test_a_sweep_is_written(call, tmp_path):
    status, told, _ = call([*COMMON["SWEEP"], "--param", "D:A:B=0,.5", "--out", "sweep.parquet"])
    assert status == 0
    found = pd.read_parquet(tmp_path / "sweep.parquet")
    assert len(found) == 10
    assert found["certificate"].max() <= 1
    assert "10 equilibria; the largest gain from moving alone is" in told


def test_solve_in_turn_at_a_bound_with_slopes(call):
    status, told, _ = call(["coopetition", "solve", "model.json", "--first", "A", "--box", "0.01,20", "--slopes"])
    assert status == 0
    assert "moves: A, then B and C" in told
    assert "at a bound of the box: A, B, C" in told
    assert "slopes, where all move at once" in told
    assert "D:A:B" in told


def test_what_is_passed_over_in_a_model_is_told_with_the_outcome(call, tmp_path):
    model = json.loads((tmp_path / "model.json").read_text())
    one, other, _ = (each["id"] for each in model["actors"])
    model["links"].append({"id": "x", "type": "istar.IsALink", "source": one, "target": other})
    (tmp_path / "kinds.json").write_text(json.dumps(model))
    assert "note: 1 is-a link: no dependency, passed over" in call(["coopetition", "solve", "kinds.json"])[1]


def test_shares_power_and_exponents(call):
    argv = ["coopetition", "solve", "model.json", "--value", "power", "--alpha", "A=0.5", "--synergy", ".5,.25,.25"]
    status, value, _ = call([*argv, "--json"])
    assert status == 0
    rows = json.loads(value)["actors"]
    assert [row["share"] for row in rows] == [0.5, 0.25, 0.25]
    assert rows[0]["alone"] == pytest.approx(0.31640625)


def test_an_outcome_that_is_no_equilibrium_ends_with_status_1(call, monkeypatch):
    from parataxis.methods.coopetition import game

    right = game.solve

    def wrong(*arguments):
        found = right(*arguments)
        return type(found)(found.actions * 1.01, found.iterations, found.converged)

    monkeypatch.setattr(game, "solve", wrong)
    status, told, _ = call(COMMON["SOLVE"])
    assert status == 1
    assert "no equilibrium" in told


@pytest.mark.parametrize("command", ["CASE", "ORDER"])
def test_outcomes_of_cases_and_orders_that_are_none_end_with_status_1(call, monkeypatch, unrendered, command):
    from parataxis.methods.coopetition import game

    right = game.solve

    def wrong(*arguments):
        found = right(*arguments)
        return type(found)(found.actions * 1.01, found.iterations, found.converged)

    monkeypatch.setattr(game, "solve", wrong)
    status, told, _ = call(COMMON[command])
    assert status == 1
    assert call(COMMON["REPORT"])[0] == 1
    assert "certificate" in told
    assert ("no advice" in told) == (command == "ORDER")


def test_nine_actors_are_told_of_drawn_orders(call, tmp_path, monkeypatch):
    from parataxis.methods.coopetition import shares

    right = shares.join_orders
    monkeypatch.setattr(shares, "join_orders", lambda game, a: right(game, a, orders=500))
    rows = "".join(f"a{at},a{(at + 1) % 9},x,1,\n" for at in range(9))
    (tmp_path / "nine.csv").write_text(COMMON["HEAD"] + rows)
    status, told, _ = call(["coopetition", "order", "nine.csv"])
    assert status == 0
    assert "drawn orders: about Shapley's value" in told
    assert re.search(r"actor +drawn orders +low +high +1 ", told)


def test_a_case_is_reported(call, tmp_path, unrendered):
    status, told, _ = call([*COMMON["CASE"], "--report", "case.html"])
    assert status == 0
    assert re.search(r"log +transposed +27\.4797 +26\.2697 +58 +41\.4458", told)
    assert "58/60" in (tmp_path / "case.html").read_text()


@needs_data
@pytest.mark.parametrize("name", ["buyer_driven_ecommerce", "smart_home", "travel_reimbursement"])
def test_the_real_models_from_end_to_end(call, tmp_path, unrendered, name):
    path = str(FOLDER / f"istar_{name}.json")
    for command in ("matrix", "solve", "order"):
        assert call(["coopetition", command, path])[0] == 0
    status, told, _ = call(["coopetition", "report", path, "--out", "page.html"])
    assert status == 0
    assert "nobody gains more than" in told
    assert "Who should move first" in (tmp_path / "page.html").read_text()
