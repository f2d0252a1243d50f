"""Commands that load much, in one process; the report; what is written."""

import json
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

from parataxis.cli import main
from parataxis.methods.therapy_sequence import plots
from parataxis.methods.therapy_sequence.cheers import BLANK, ITEMS

COMMON = Path(__file__).parent / "common.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from parataxis.methods.therapy_sequence.example import write_template

    folder = tmp_path_factory.mktemp("therapy")
    write_template(folder / "model.toml")
    return folder


@pytest.fixture
def call(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def run(*argv):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code in (0, 1)
        return capsys.readouterr().out

    return run


def declared(name="IN_ONE_PROCESS"):
    return runpy.run_path(str(COMMON))[name]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    declared("prepare")(folder)
    return folder


@pytest.mark.parametrize(("argv", "fragment"), declared("MORE_BAD"), ids=lambda each: str(each)[:40])
def test_bad_inputs(prepared, monkeypatch, capsys, argv, fragment):
    monkeypatch.chdir(prepared)
    with pytest.raises(SystemExit) as ended:
        main(argv)
    said = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    assert len(said) == 1
    assert fragment in said[0]


def shown(call, argv):
    return f"parataxis {' '.join(argv)}" in " ".join(re.sub("[│╭╮╰╯─]", " ", call(*argv[:2], "--help")).split())


def test_calibrate_as_its_help_has_it(call):
    ((argv, agrees), _) = declared()
    assert shown(call, argv)
    assert agrees(json.loads(call(*argv, "--json")), call(*argv))


@pytest.fixture
def first_rendered(monkeypatch):
    """All pictures are made, the first is also turned into bytes, which takes longest."""
    real, drawn = plots.svg, []

    def once(ax):
        drawn.append(ax)
        return real(ax) if len(drawn) == 1 else "<svg>"

    monkeypatch.setattr(plots, "svg", once)


def test_the_report_is_one_page_that_asks_for_nothing(call, folder, first_rendered):
    (_, (argv, agrees)) = declared()
    assert shown(call, argv)
    assert agrees(call(*argv), (folder / "therapy.html").read_text())
    text = (folder / "therapy.html").read_text()
    outside = [each for each in re.findall(r'(?:src|href)="([^"]*)"', text) if not each.startswith("#")]
    assert outside == []
    assert text.count("<svg") == 8  # plane, acceptability, EVPI, tornado, survival, two traces, a ridge
    assert text.count(f">{BLANK}<") == len(ITEMS) - filled(text)
    prices = "euros; 2024; some prices of 2020; consumer prices, 2020 to 2024"
    for words in (
        "CHEERS 2022",
        "Acceptability",
        "the diamond their mean",
        "B first buys",
        prices,
        "made-up price list",
    ):
        assert words in text


def filled(text):
    """Items of the checklist that the model answers."""
    rows = re.findall(r"<tr><td class=number>\d+<td>[^<]+<td>([^<]+|<span class=open>[^<]+</span>)</tr>", text)
    return sum(BLANK not in each for each in rows)


def test_the_checklist_has_its_28_items_in_order():
    assert len(ITEMS) == 28
    assert (ITEMS[0], ITEMS[6], ITEMS[14], ITEMS[27]) == (
        "Title",
        "Comparators",
        "Currency, price date, and conversion",
        "Conflicts of interest",
    )


def test_results_as_a_workbook_and_as_csv(call, folder):
    call("therapy", "run", "model.toml", "--patients", "20", "--corrections", "--out", "out.xlsx")
    sheets = pd.read_excel(folder / "out.xlsx", sheet_name=None)
    traces = ["trace A first", "trace B first", "patients A first", "patients B first"]
    walked = ["simulated", "simulated A first", "simulated B first", "pairs", "corrections"]
    assert list(sheets) == ["results", "years in each state", *traces, *walked, "inputs", "sources"]
    assert (sheets["simulated"][["cost_error", "qaly_error", "nmb_20000_error"]] > 0).all(axis=None)
    assert sheets["simulated A first"].loc[40, "Dead_error"] > 0
    assert sheets["corrections"]["corrected"].iloc[-1] == "all"
    inputs = sheets["inputs"].set_index("input")["value"]
    assert inputs["drugs[1].lines[1].cost"] == 2500
    assert inputs["drugs[2].id"] == "B"
    assert len(sheets["trace A first"]) == 41
    call("therapy", "psa", "model.toml", "--draws", "5", "--out", "draws")
    draws = pd.read_csv(folder / "draws" / "draws.csv")
    assert len(draws) == 10
    assert list(draws) == ["draw", "strategy", "cost", "qaly"]
    assert len(pd.read_csv(folder / "draws" / "parameters.csv")) == 5
    assert list(pd.read_csv(folder / "draws" / "pairs.csv")["strategy"]) == ["B first"]
    assert len(pd.read_csv(folder / "draws" / "CHEERS 2022.csv")) == 28
    assert {"at_low", "at_high"} <= set(pd.read_csv(folder / "draws" / "tornado.csv"))


def test_what_calibrate_finds_is_written_with_its_ridge(call, folder):
    (value,) = json.loads(call("therapy", "calibrate", "model.toml", "--out", "fit", "--json"))
    row = pd.read_csv(folder / "fit" / "calibration.csv").iloc[0]
    for each in ("hazard_ratio", "until", "error", "independent"):
        assert row[each] == pytest.approx(value[each])
    assert row["strategy"] == "A first"
    assert bool(row["at_bound"]) == value["at_bound"]
    assert (folder / "fit" / "ridge A first.csv").is_file()


def test_a_template_may_stand_beside_the_other_but_writes_over_nothing(tmp_path):
    from parataxis.errors import BadInput
    from parataxis.methods.therapy_sequence.example import write_template

    write_template(tmp_path / "model.toml")
    write_template(tmp_path / "model.xlsx")
    (tmp_path / "trial.csv").write_text("time,event\n1,1\n")
    with pytest.raises(BadInput, match=r"trial\.csv: is there already"):
        write_template(tmp_path / "other.toml")


def test_a_calibrated_run_and_single_corrections(call):
    plain, fitted = (
        json.loads(call("therapy", "run", "model.toml", *more, "--json")) for more in ((), ("--calibrated",))
    )
    assert fitted["results"][0]["qaly"] < plain["results"][0]["qaly"]
    copula = json.loads(call("therapy", "run", "model.toml", "--calibrated", "--dependence", "clayton", "--json"))
    assert len({each["results"][0]["qaly"] for each in (plain, fitted, copula)}) == 3
    released = json.loads(call("therapy", "run", "model.toml", "--compat", "released", "--json"))
    one = json.loads(
        call("therapy", "run", "model.toml", "--compat", "released", "--correct", "time_in_state", "--json")
    )
    assert one["results"][0]["cost"] == released["results"][0]["cost"]
    assert one["results"][0]["qaly"] != released["results"][0]["qaly"]


def test_released_and_corrected_stand_side_by_side(call):
    """Trap: one of them only."""
    value = json.loads(call("therapy", "run", "model.toml", "--corrections", "--json"))["corrections"]
    assert [value[0]["corrected"], value[-1]["corrected"]] == ["as released", "all"]
    assert len({row["d_qaly"] for row in value}) >= 4
    told = call("therapy", "run", "model.toml", "--corrections")
    assert all(row["corrected"] in told for row in value)


def test_from_pictures_of_curves_to_a_sensitivity_analysis(call, folder):
    """What `events` and `fit` write, a model reads: incidences by cycle, and patients to draw again."""
    runpy.run_path(str(COMMON.with_name("common_curves.py")))["prepare_curves"](folder)
    call(
        "therapy", "fit", "events.csv", "--cycles", "40", "--days-per-cycle", "28", "--tail", "aic", "--out", "inc.csv"
    )
    lines = (folder / "model.toml").read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("progression"))
    lines[place] = 'progression = { file = "inc.csv", column = "progression" }'
    lines[place + 1] = 'death = { file = "inc.csv", column = "death" }'
    lines.insert(place, 'patients = { file = "events.csv", unit_days = 30.4 }')
    (folder / "own.toml").write_text("\n".join(lines))
    value = json.loads(call("therapy", "psa", "own.toml", "--draws", "4", "--json"))
    assert value["curves"] == ["A, line 1"]
    late = (folder / "inc.csv").read_text().replace("\n1,", "\n0,", 1)
    (folder / "inc.csv").write_text(late)
    with pytest.raises(SystemExit) as ended:
        main(["therapy", "check", "own.toml"])
    assert ended.value.code == 2
