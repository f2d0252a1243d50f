"""Reduced models from the user's own snapshots and solver: train, find latents from sensors, forecast, measure."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parataxis.columns import aligned
from parataxis.errors import BadInput
from parataxis.methods.phi_rom.cli_options import (
    Adaptive,
    AsJson,
    DecoderName,
    Model,
    Observations,
    Prior,
    PriorName,
    Seed,
    Stepper,
    Steps,
    Warnings,
    json_text,
    widths,
)

if TYPE_CHECKING:
    from parataxis.methods.phi_rom.rom import PhiROM

app = typer.Typer(no_args_is_help=True, help="Learn a small model of a solver's fields, and ask that instead.")


@app.command("fit")
def fit_command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help=r"Snapshots as NetCDF: \[trajectory,] time, x, y, z or point.")
    ],
    solver: Annotated[str, typer.Option(help=r"MODULE:NAME of f(u\[channel, *grid], beta) -> du/dt, or a SolverRHS.")],
    out: Annotated[Path, typer.Option(help="A folder for the model and its figures.")] = Path("rom"),
    stepper: Stepper = None,
    latent_dim: Annotated[int, typer.Option(min=1, help="Numbers that a field is reduced to.")] = 16,
    decoder: Annotated[
        DecoderName, typer.Option(help="mfn: affine in the latent. sine: not, for fronts.")
    ] = DecoderName.mfn,
    width: Annotated[int | None, typer.Option(help="Of the decoder's hidden layers.", show_default="64 or 32")] = None,
    layers: Annotated[int | None, typer.Option(help="Hidden layers of the decoder.", show_default="3 or 4")] = None,
    omega: Annotated[float | None, typer.Option(help="Frequency scale of mfn.", show_default="from the data")] = None,
    dynamics: Annotated[str, typer.Option(help="Widths of the dynamics' hidden layers.")] = "64,64,64",
    lam: Annotated[float, typer.Option(help="Weight of the reconstruction.")] = 0.5,
    gamma: Annotated[
        float | None,
        typer.Option(help="Share of the solver's nodes drawn in a step.", show_default="0.1, or 4 values a latent"),
    ] = None,
    warmup: Annotated[float, typer.Option(help="Share of the steps before the solver teaches the decoder too.")] = 0.25,
    steps: Steps = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Snapshots in a step.")] = 128,
    lr: Annotated[float, typer.Option(help="Of AdamW.")] = 5e-3,
    raw_basis: Annotated[
        bool, typer.Option("--raw-basis", help="Leave mfn's basis as it is, as the authors do.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a model on snapshots and the solver that they are of. Killed, the same command goes on.

    Writes config.json, arrays.npz, training.npz, training.png and latents.png. The data may be a few points off the
    solver's grid: then the file holds the coordinates solver_x, solver_y, ... too.

    Example: parataxis phi-rom fit train.nc --solver solver:rhs --latent-dim 4 --steps 300 --out rom
    """
    from parataxis.methods.phi_rom.cli_inputs import read_solver
    from parataxis.methods.phi_rom.snapshots import Snapshots

    hidden = widths(dynamics)
    found = Snapshots.open(data)
    rhs = read_solver(solver, stepper)
    from parataxis.files import try_folder
    from parataxis.methods.phi_rom.keeping import TRAINING
    from parataxis.methods.phi_rom.rom import PhiROM
    from parataxis.progress import watching

    settings: dict[str, Any] = {"width": width, "layers": layers, "omega": omega, "dynamics": hidden, "lam": lam}
    settings |= {"gamma": gamma, "warmup": warmup, "steps": steps, "batch": batch, "lr": lr, "seed": seed}
    settings |= {"normalize_basis": False if raw_basis else None}
    rom = PhiROM(latent_dim, decoder.value, **settings)
    try_folder(out)
    with watching("steps") as tell, Warnings() as said:
        rom.fit(found, rhs, checkpoint=out / TRAINING, tell=tell)
    rom.save(out)
    _draw_training(rom, found, out)
    report = _fit_report(rom, str(data), out) | {"warnings": said.texts}
    print(json_text(report) if as_json else _fit_said(report))


def _fit_report(rom: "PhiROM", data: str, out: Path) -> dict[str, Any]:
    last, found = rom.fitted.history[-1], rom.fitted
    return {
        "data": data,
        "trajectories": len(found.latents),
        "times": found.latents.shape[1],
        "steps": last["step"],
        "seconds": last["seconds"],
        "reconstruction": last["reconstruction"],
        "dynamics": last["dynamics"],
        "condition": last["condition"],
        "omega": found.omega,
        "substeps": found.substeps,
        "model": str(out),
    }


def _fit_said(report: dict[str, Any]) -> str:
    steps = "1 step" if report["substeps"] == 1 else f"{report['substeps']} steps"
    return (
        f"{report['data']}: {report['trajectories']} trajectories of {report['times']} times\n"
        f"{report['steps']} steps in {report['seconds']:.0f} s: reconstruction {report['reconstruction']:.4f}, latent "
        f"slopes off by {report['dynamics']:.4f}\n"
        f"forecasts take {steps} from one snapshot's time to the next\n"
        f"model: {report['model']}"
    )


def _draw_training(rom: "PhiROM", data: Any, out: Path) -> None:
    from parataxis.files import write_atomic
    from parataxis.methods.phi_rom import plot

    write_atomic(out / "training.png", plot.png(plot.training(rom.fitted.history)))
    write_atomic(out / "latents.png", plot.png(plot.latent_paths(rom.fitted.latents, data.t - data.t[0])))


@app.command("encode")
def encode_command(
    model: Model,
    observations: Observations,
    prior: Prior = PriorName.none,
    out: Annotated[Path | None, typer.Option(help="A .csv; else it is printed.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Find the latents of observed fields, and how well they explain them.

    Example: parataxis phi-rom encode rom sensors.csv
    """
    import pandas as pd

    from parataxis.files import write_atomic

    rom, values, coords, _ = _observed(model, observations)
    with Warnings() as said:
        found = rom.encode(values, coords, None if prior is PriorName.none else prior.value)
    names = [f"z{n}" for n in range(found.latents.shape[1])]
    table = pd.DataFrame(found.latents, columns=names).assign(residual=found.residual)
    if out:
        write_atomic(out, table.to_csv(index_label="observation"))
    report = {"condition": found.condition, "observations": table.to_dict("records"), "warnings": said.texts}
    text = f"{table.to_csv(index_label='observation')}condition {found.condition:.3g}"
    print(json_text(report) if as_json else text)


@app.command("forecast")
def forecast_command(
    model: Model,
    observations: Observations,
    times: Annotated[str, typer.Option(help="FIRST:LAST:STEP or numbers with commas, since the observation.")],
    out: Annotated[Path, typer.Option(help="The .nc file.")] = Path("forecast.nc"),
    params: Annotated[str, typer.Option(help="name=value with commas; else those of a NetCDF file.")] = "",
    points: Annotated[Path | None, typer.Option(help="A .csv with columns x, y, z; else the solver's grid.")] = None,
    prior: Prior = PriorName.none,
    adaptive: Adaptive = False,
    as_json: AsJson = False,
) -> None:
    """Forecast fields from the first observation of each trajectory, at any times and points.

    Example: parataxis phi-rom forecast rom sensors.csv --times 0:0.5:0.05 --out forecast.nc
    """
    import numpy as np

    from parataxis.methods.phi_rom.cli_inputs import read_params, read_points, read_times
    from parataxis.methods.phi_rom.snapshots import Snapshots

    at = read_times(times)
    rom, values, coords, known = _observed(model, observations)
    beta = read_params(params, rom.about.names) if params else known
    if beta is None and rom.about.names:
        given = ",".join(f"{name}=..." for name in rom.about.names)
        raise BadInput(f"{observations}: holds no parameters, as the model has; give --params {given}, as in training")
    place = read_points(points, coords.shape[1]) if points else rom.about.nodes
    with Warnings() as said:
        z = rom.encode(values, coords, None if prior is PriorName.none else prior.value)
        found = rom.forecast(z, at, beta, place, adaptive)
        if not (fine := np.isfinite(found).all((0, 2, 3))).all():
            first = at[~fine].min()
            raise BadInput(
                f"--times {times}: the forecast is not finite from t={first:g} on; try --adaptive, or end before"
            )
    betas = None if beta is None else np.broadcast_to(beta, (len(found), len(rom.about.names)))
    grid = None if points else rom.about.grid  # of which the points may be those, in another order
    kept = Snapshots(found, at, place, grid, betas, rom.about.channels, rom.about.names)
    kept.save(out)
    report = {"forecast": str(out), "trajectories": len(found), "times": len(at), "points": len(place)}
    report |= {"residual": [float(each) for each in z.residual], "condition": z.condition, "warnings": said.texts}
    print(json_text(report) if as_json else _forecast_said(report))


def _forecast_said(report: dict[str, Any]) -> str:
    return (
        f"{report['forecast']}: {report['trajectories']} trajectories, {report['times']} times, "
        f"{report['points']} points\n"
        f"the latents miss the observations by {max(report['residual']):.2%} at most; "
        f"condition {report['condition']:.3g}"
    )


def _observed(model: Path, observations: Path) -> Any:
    from parataxis.methods.phi_rom.cli_inputs import read_observations
    from parataxis.methods.phi_rom.rom import PhiROM

    rom = PhiROM.load(model)
    return rom, *read_observations(observations, rom.about.channels, rom.about.names, rom.about.coords.shape[1])


@app.command("evaluate")
def evaluate_command(
    model: Model,
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Snapshots as NetCDF that training never saw.")],
    solver: Annotated[str, typer.Option(help="MODULE:NAME, for the gap between the latents' dynamics and it.")] = "",
    stepper: Stepper = None,
    first: Annotated[int, typer.Option(min=0, help="The number of the snapshot that is observed.")] = 0,
    adaptive: Adaptive = False,
    out: Annotated[Path | None, typer.Option(help="A folder for report.json and figures.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Measure forecasts of unseen trajectories from one snapshot, inside the time trained on and beyond it.

    Beside them: the best that the decoder can do, given each snapshot; and with --solver, how far the latents' dynamics
    are from the solver's. Writes report.json, error.png, fields.png and latents.png.

    Example: parataxis phi-rom evaluate rom test.nc --solver solver:rhs
    """
    from parataxis.files import try_folder, write_atomic
    from parataxis.methods.phi_rom.cli_inputs import read_solver
    from parataxis.methods.phi_rom.rom import PhiROM
    from parataxis.methods.phi_rom.snapshots import Snapshots

    if stepper is not None and not solver:
        raise BadInput(f"--stepper {stepper:g}: is of a solver; give --solver MODULE:NAME too, or leave it out")
    data = Snapshots.open(test)
    rhs = read_solver(solver, stepper) if solver else None
    rom = PhiROM.load(model)
    if out:
        try_folder(out)
    with Warnings() as said:
        found = rom.evaluate(data, first, adaptive)
        report = {"data": str(test), **found.to_json()}
        report["consistency"] = rom.consistency_report(rhs, data).to_json() if rhs else None
    report["warnings"] = said.texts
    if out:
        write_atomic(out / "report.json", json_text(report))
        _draw_evaluation(rom, data.window(first), found, out)
    print(json_text(report) if as_json else _evaluated(report))


def _draw_evaluation(rom: "PhiROM", data: Any, found: Any, out: Path) -> None:
    import numpy as np

    from parataxis.files import write_atomic
    from parataxis.methods.phi_rom import plot

    forecast = rom.decode(found.latents[:1], data.coords)[0]
    times = np.unique(np.linspace(0, len(data.t) - 1, 5).round().astype(int))
    figures = {"error": plot.error_over_time(found), "fields": plot.fields(data, forecast, times)}
    figures["latents"] = plot.latent_paths(found.latents, found.t, found.span)
    for name, ax in figures.items():
        write_atomic(out / f"{name}.png", plot.png(ax))


def _evaluated(report: dict[str, Any]) -> str:
    rows = [
        ["relative error", *(f"in [0, {report['span']:.3g}]" if name == "in" else "beyond" for name in report["rnmse"])]
    ]
    for title, name in (("forecast", "rnmse"), ("decoder's best fit", "floor")):
        rows.append([title, *(f"{value:.4f}" for value in report[name].values())])
    lines = [
        f"{report['data']}: {report['trajectories']} trajectories, {report['times']} times",
        "",
        aligned(rows, range(1, len(rows[0]))),
    ]
    if gaps := report["consistency"]:
        data = "" if gaps["slope"] is None else f"; the solver is {gaps['slope']:.2%} off the data's own slope"
        lines += [
            "",
            f"latent slopes {gaps['dynamics']:.2%} off the solver's; no latent can follow {gaps['tangent']:.2%}{data}",
        ]
    return "\n".join(lines)
