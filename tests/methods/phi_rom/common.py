"""What the common tests need to know of this method."""

import functools
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np

CASES = runpy.run_path(str(Path(__file__).with_name("rom_cases.py")))
SOLVER = """
import jax.numpy as jnp

STEP = 0.05


def rhs(u, beta):
    n = u.shape[-1]
    return jnp.fft.irfft(-2j * jnp.pi * 0.7 * jnp.fft.rfftfreq(n, 1 / n) * jnp.fft.rfft(u), n).astype(u.dtype)


def flat(u, beta):
    return u[0]


def still(u, beta):
    return jnp.round(u)
"""
SIZES = ["--width", "16", "--layers", "2", "--dynamics", "16", "--gamma", "0.5"]
FIT = ["phi-rom", "fit", "train.nc", "--solver", "solver:rhs", "--latent-dim", "4", "--steps", "300", "--out", "rom"]
ENCODE = ["phi-rom", "encode", "rom", "sensors.csv"]
FORECAST = ["phi-rom", "forecast", "rom", "sensors.csv", "--times", "0:0.5:0.05", "--out", "forecast.nc"]
EVALUATE = ["phi-rom", "evaluate", "rom", "test.nc", "--solver", "solver:rhs"]


@functools.cache
def model():
    return CASES["untrained"]()


def sensors(values, names="x,u"):
    return "\n".join([names, *(",".join(map(str, row)) for row in values)]) + "\n"


def prepare(folder):
    import jax

    from parataxis.methods.phi_rom.snapshots import Snapshots

    data, test = CASES["waves"](), CASES["waves"](trajectories=2, times=9, seed=7)
    data.save(folder / "train.nc")
    test.save(folder / "test.nc")
    CASES["waves"](betas=[0.5, 0.6, 0.7]).save(folder / "betas.nc")
    flat = data.u.copy()
    Snapshots(np.concatenate([flat, flat], axis=2), data.t, data.coords, data.grid).save(folder / "two.nc")
    Snapshots(data.u, data.t, data.coords).save(folder / "gridless.nc")
    seen = np.stack([test.coords[:, 0], test.u[0, 0, 0]], 1)[::3].round(4)
    files = {
        "solver.py": SOLVER,
        "sensors.csv": sensors(seen),
        "few.csv": sensors(seen[:2]),
        "hole.csv": sensors([*seen[:5], [0.9, np.nan]]),
        "nameless.csv": sensors(seen, "x,v"),
        "words.csv": sensors([["a", "b"]]),
        "text.nc": "no NetCDF",
        "rowless.csv": "x,u\n",
        "leaves.py": "import sys\n\nsys.exit()\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    model().save(folder / "rom")
    asking = CASES["untrained"]()
    asking._about = replace(asking.about, names=("speed", "growth"), low=(0.0, 0.0), high=(1.0, 1.0))
    asking.save(folder / "asking")
    blown = CASES["untrained"]()
    blown.fitted.dynamics = jax.tree.map(lambda leaf: 1e20 * leaf, blown.fitted.dynamics)
    blown.save(folder / "blown")
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{}")


def _fitted(value, text):
    slopes = f"reconstruction {value['reconstruction']:.4f}, latent slopes off by {value['dynamics']:.4f}"
    return "train.nc: 3 trajectories of 6 times" in text and slopes in text and value["steps"] == 300


def _encoded(value, text):
    rows = [line.split(",") for line in text.splitlines()[1:-1]]
    return [float(each) for each in rows[0][1:5]] == [value["observations"][0][f"z{n}"] for n in range(4)]


def _forecast(value, text):
    counts = "forecast.nc: 1 trajectories, 11 times, 24 points"
    return counts in text and f"by {max(value['residual']):.2%} at most" in text


def _evaluated(value, text):
    return all(f"{each:.4f}" in text for name in ("rnmse", "floor") for each in value[name].values())


HELP_EXAMPLES = [(ENCODE, _encoded), (FORECAST, _forecast)]
IN_ONE_PROCESS = [(FIT, _fitted), (EVALUATE, _evaluated)]  # each compiles for seconds


def _fit(fragment, data="train.nc", solver="solver:rhs", *more):
    return (["phi-rom", "fit", data, "--solver", solver, *more], fragment)


def _cast(fragment, *argv):
    return (["phi-rom", "forecast", "rom", "sensors.csv", *argv], fragment)


def _asked(fragment, *argv):
    """A model with parameters."""
    return (["phi-rom", "forecast", "asking", "sensors.csv", "--times", "1", *argv], fragment)


BAD_INPUTS = [
    _fit("absent.nc: no such file", "absent.nc"),
    _fit("text.nc: is no NetCDF-4 file", "text.nc"),
    _fit("--solver solver: expected MODULE:NAME, as in solver:rhs", "train.nc", "solver"),
    _fit("--solver nowhere:rhs: no module 'nowhere' here or installed", "train.nc", "nowhere:rhs"),
    _fit("--solver solver:lhs: solver has no 'lhs'; it has STEP", "train.nc", "solver:lhs"),
    _fit("--solver solver:STEP: is of float; expected a SolverRHS or a function", "train.nc", "solver:STEP"),
    _fit("solver: returns shape (24,) for a field of shape (1, 24)", "train.nc", "solver:flat"),
    _fit("solver: its gradient is zero everywhere", "train.nc", "solver:still"),
    _fit("dt=-1.0: expected the time of one step", "train.nc", "solver:rhs", "--stepper", "-1"),
    _fit("grid=None: expected the axes of the solver's grid", "gridless.nc"),
    _fit("gamma=0.1: 1 x 3 of 24 nodes are fewer than latent_dim=16", "train.nc", "solver:rhs", "--gamma", "0.1"),
    _fit("gamma=2.0: expected above 0, at most 1", "train.nc", "solver:rhs", "--gamma", "2"),
    _fit("--dynamics 64;64: expected widths of hidden layers", "train.nc", "solver:rhs", "--dynamics", "64;64"),
    _fit("rom: is a folder; name a NetCDF file", "rom"),
    _fit("--solver leaves:rhs: importing it raises SystemExit", "train.nc", "leaves:rhs"),
    (["phi-rom", "encode", "rom", "sensors.csv", "--out", "broken"], "broken: can't be written (Is a directory); name"),
    (["phi-rom", "encode", "rom", "rowless.csv"], "rowless.csv: holds no rows; give one a sensor or point"),
    (["phi-rom", "encode", "absent", "sensors.csv"], "absent: is no folder of a model: config.json is missing"),
    (["phi-rom", "encode", "broken", "sensors.csv"], "broken: is no folder of a model: arrays.npz is missing"),
    (["phi-rom", "encode", "rom", "absent.csv"], "absent.csv: no such file"),
    (["phi-rom", "encode", "rom", "few.csv"], "1 x 2 values can't fix latent_dim=4 numbers; give more points, or"),
    (["phi-rom", "encode", "rom", "hole.csv"], "hole.csv:7: u=nan must be finite; drop that row"),
    (["phi-rom", "encode", "rom", "nameless.csv"], "nameless.csv: no column 'u'; there: 'x', 'v'"),
    (["phi-rom", "encode", "rom", "words.csv"], "words.csv: column 'u' is not of numbers"),
    (["phi-rom", "encode", "rom", "two.nc"], "two.nc: holds 2 channels; the model 1: u"),
    _cast("--times 5:1:1: expected increasing times", "--times", "5:1:1"),
    _cast("--times soon: expected FIRST:LAST:STEP or numbers with commas", "--times", "soon"),
    _cast("--times 0:1:1e-12: are 1e+12 times; expected at most 100000", "--times", "0:1:1e-12"),
    _asked("--params speed=1,speed=2: gives speed twice; give one value", "--params", "speed=1,speed=2"),
    _asked("--params speed=1,growth=nan: growth=nan must be finite", "--params", "speed=1,growth=nan"),
    _asked("sensors.csv: holds no parameters, as the model has; give --params speed=...,growth=..."),
    _cast("--params beta: expected name=value with commas", "--times", "1", "--params", "beta"),
    _cast("--params beta=1: expected none", "--times", "1", "--params", "beta=1"),
    (
        ["phi-rom", "forecast", "blown", "sensors.csv", "--times", "1"],
        "--times 1: the forecast is not finite from t=1 on",
    ),
    (["phi-rom", "evaluate", "rom", "two.nc"], "test: 2 channels in 1 dimensions; the model was trained on 1 in 1"),
    (["phi-rom", "evaluate", "rom", "betas.nc"], "test: parameters ('beta',); the model was trained with ()"),
    (["phi-rom", "evaluate", "rom", "test.nc", "--first", "9"], "first=9: expected the number of one of the test's 9"),
    (["phi-rom", "evaluate", "rom", "test.nc", "--stepper", "0.1"], "--stepper 0.1: is of a solver; give --solver"),
]


def _swish():
    """Of one hidden unit whose weights are all 1/2, at 3: x = 2."""
    import jax
    import jax.numpy as jnp

    from parataxis.methods.phi_rom.dynamics import Dynamics

    psi = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.5, jnp.float32), Dynamics(1, (1,), key=jax.random.key(0)))
    return float(psi(jnp.array([3.0], jnp.float32))[0])


GOLDEN = [("by hand: x sigmoid(softplus(1/2) x) / 1.1 at x = 2, halved, plus 1/2", _swish, 1.295678, 1e-5)]


@functools.cache
def _data():
    return CASES["waves"]()


def _predict(fields):
    """The latent of each field."""
    return [row.round(5) for row in model().encode(np.array(fields)[:, None]).latents]


PREDICT = (_predict, list(CASES["waves"]().u[:, 0, 0]))


def save(folder):
    model().save(folder / "rom")
    return load(folder)


def load(folder):
    from parataxis.methods.phi_rom.rom import PhiROM

    rom, data = PhiROM.load(folder / "rom"), _data()
    z = rom.encode(data.u[:, 0])
    return rom.forecast(z, [0.0, 0.02, 0.1]).tolist()


SAVE = (save, load)
