"""The commands on files, in this process; what each leaves behind."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from parataxis.cli import main

COMMON = runpy.run_path(str(Path(__file__).with_name("common.py")))
FIT, EVALUATE, FORECAST, ENCODE = (COMMON[name] for name in ("FIT", "EVALUATE", "FORECAST", "ENCODE"))
SMALL = [*FIT[:-4], "--steps", "20", "--out", "small", *COMMON["SIZES"]]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`call(argv)`: status, stdout and stderr, in a folder of the common files."""
    COMMON["prepare"](tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def of(argv):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    yield of
    sys.modules.pop("solver", None)


@pytest.mark.parametrize("argv", [FIT, EVALUATE, FORECAST, ENCODE], ids=["fit", "evaluate", "forecast", "encode"])
def test_the_help_shows_an_example(call, argv):
    status, told, _ = call([*argv[:2], "--help"])
    assert status == 0
    assert "parataxis " + " ".join(argv) in " ".join(told.replace("│", " ").split())


def test_fit_leaves_a_model_and_figures_and_goes_on_from_it(call, tmp_path):
    status, value, err = call([*SMALL, "--json"])
    assert status == 0
    report = json.loads(value)
    assert report["steps"] == 20
    assert all(f"parataxis: warning: {each}" in err for each in report["warnings"])
    for figure in ("training.png", "latents.png"):
        assert (tmp_path / "small" / figure).read_bytes().startswith(b"\x89PNG")
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["recipe"]["latent_dim"] == 4
    assert set(config["versions"]) == {"parataxis", "jax", "equinox", "optax", "numpy"}
    status, again, _ = call(SMALL)  # is done already
    assert status == 0
    assert f"reconstruction {report['reconstruction']:.4f}" in again
    assert f"{report['seconds']:.0f} s" in again


def test_evaluate_leaves_a_report_and_figures(call, tmp_path):
    status, text, _ = call([*EVALUATE, "--out", "report"])
    assert status == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert set(report["rnmse"]) == {"in", "out"}
    assert f"{report['rnmse']['out']:.4f}" in text
    assert "latent slopes" in text
    for figure in ("error.png", "fields.png", "latents.png"):
        assert (tmp_path / "report" / figure).read_bytes().startswith(b"\x89PNG")
    assert [f"{each:.4f}" in text for each in report["floor"].values()] == [True, True]


@pytest.mark.parametrize("argv", [SMALL, EVALUATE], ids=["fit", "evaluate"])
@pytest.mark.parametrize("place", ["sensors.csv", "sensors.csv/below", "/proc/x"])
def test_where_nothing_can_be_written_no_work_is_begun(call, monkeypatch, argv, place):
    from parataxis.methods.phi_rom.rom import PhiROM

    monkeypatch.setattr(PhiROM, "fit", None)
    monkeypatch.setattr(PhiROM, "evaluate", None)
    status, _, err = call([*argv, "--out", place])
    assert status == 2
    assert err.startswith(f"parataxis: {place}: can't be written (")


def test_what_blows_up_is_null_in_json(call, tmp_path):
    status, text, err = call(["phi-rom", "evaluate", "blown", "test.nc", "--out", "report", "--json"])
    assert status == 0
    assert "the forecast is not finite" in err
    for each in (text, (tmp_path / "report" / "report.json").read_text()):
        assert json.loads(each, parse_constant=pytest.fail)["rnmse"] == {"in": None, "out": None}


def test_forecast_writes_what_it_says_at_any_points(call, tmp_path):
    from parataxis.methods.phi_rom.snapshots import Snapshots

    (tmp_path / "points.csv").write_text("x\n0.11\n0.5\n")
    status, _, _ = call([*FORECAST, "--points", "points.csv", "--prior", "gaussian"])
    assert status == 0
    found = Snapshots.open(tmp_path / "forecast.nc")
    assert found.u.shape == (1, 11, 1, 2)
    np.testing.assert_allclose(found.coords[:, 0], [0.11, 0.5])
    np.testing.assert_allclose(found.t, 0.05 * np.arange(11))
    grid = np.arange(24) / 24
    (tmp_path / "back.csv").write_text("\n".join(["x", *map(str, grid[::-1])]))
    assert call([*FORECAST, "--points", "back.csv"])[0] == 0
    np.testing.assert_allclose(Snapshots.open(tmp_path / "forecast.nc").coords[:, 0], grid[::-1])
    (tmp_path / "far.csv").write_text("x\n7\n")
    status, _, err = call([*FORECAST, "--points", "far.csv"])
    assert status == 0
    assert "parataxis: warning: coords: 1 of 1 points lie outside the box" in err


def test_few_sensors_with_a_prior(call):
    assert call(["phi-rom", "encode", "rom", "few.csv", "--prior", "gaussian"])[0] == 0
