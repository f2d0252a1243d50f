"""The model as its user holds it: it learns, it is kept, it refuses; the order of its snapshots is nothing to it."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from rom_cases import LEARNED, MANY, SMALL, fitted, model, spin, untrained, waves

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.phi_rom import keeping
from parataxis.methods.phi_rom.metrics import errors, rnmse
from parataxis.methods.phi_rom.rom import PhiROM
from parataxis.methods.phi_rom.snapshots import Snapshots


def test_it_learns_what_the_solver_does_from_single_snapshots():
    """A wave of two sines is four numbers that turn: the forecast follows it beyond the time trained on."""
    rom, test = model(), waves(trajectories=2, times=11, seed=7)
    found = rom.evaluate(test)
    assert found.mean(found.floor)["in"] < 0.02
    assert found.mean()["in"] < 0.05
    assert found.mean()["out"] < 0.1
    assert found.trained.sum() == 6
    gap = rom.consistency_report(spin, test)
    assert gap.dynamics < 0.1
    assert gap.tangent < 0.1
    assert gap.slope < 0.1


def test_a_solver_of_another_equation_gives_another_model():
    """The dynamics come from the solver, not from the snapshots' order: told the wave goes back, it goes back."""
    back = fitted(waves(MANY), lambda u, beta: -spin(u), **LEARNED)
    test = waves(trajectories=2, times=6, seed=7)
    turned = Snapshots.on_grid(np.roll(test.fields()[..., ::-1], 1, axis=-1), test.t, test.grid)
    assert back.evaluate(test).errors[:, -1].mean() > 0.5
    assert back.evaluate(turned).errors[:, -1].mean() < 0.15


def test_kept_and_loaded_it_answers_the_same(tmp_path):
    rom, data = model(), waves()
    folder = rom.save(tmp_path / "rom")
    other = PhiROM.load(folder)
    z = rom.encode(data.u[:, 0])
    at = [0.0, 0.07, 0.4]
    np.testing.assert_array_equal(z.latents, other.encode(data.u[:, 0]).latents)
    np.testing.assert_array_equal(rom.forecast(z, at), other.forecast(z, at))
    assert other.recipe == rom.recipe
    assert other.fitted.history == rom.fitted.history
    np.testing.assert_array_equal(
        rom.encode(data.u[:, 0], prior="gaussian").latents, other.encode(data.u[:, 0], prior="gaussian").latents
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", None, "is no folder of a model: config.json is missing"),
        ("config.json", "{}", "is no folder of a model that this version reads ('format')"),
        ("config.json", '{"format": 0}', "format=0: this version reads 1; fit it anew"),
        ("config.json", "interval", "is no folder of a model that this version reads (interval='x')"),
        ("arrays.npz", None, "is no folder of a model: arrays.npz is missing"),
        ("arrays.npz", "half", "is no folder of a model that this version reads"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(tmp_path, name, text, said):
    folder = model().save(tmp_path / "rom")
    if text == "interval":
        kept = json.loads((folder / name).read_text())
        kept["fitted"]["interval"] = "x"
        text = json.dumps(kept)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(BadInput) as error:
        PhiROM.load(folder)
    assert said in str(error.value)


def test_a_save_cut_off_leaves_no_mix_of_two_models(tmp_path, monkeypatch):
    folder = model().save(tmp_path / "rom")

    def cut(path, content):
        write_atomic(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "write_atomic", cut)
    with pytest.raises(KeyboardInterrupt):
        untrained().save(folder)
    with pytest.raises(BadInput, match=r"is no folder of a model: config.json is missing"):
        PhiROM.load(folder)


def test_a_file_is_no_folder_of_a_model(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file: can't be written"):
        model().save(tmp_path / "file")
    with pytest.raises(BadInput, match="file: is no folder of a model"):
        PhiROM.load(tmp_path / "file")
    with pytest.raises(BadInput, match=r"can't be written \(Is a directory\)"):
        waves().save(tmp_path)


KILLED = """
import os, sys, warnings
warnings.simplefilter("ignore")
import rom_cases, parataxis.methods.phi_rom.training as training
from parataxis.methods.phi_rom.rom import PhiROM
training.SAVE, end = -1.0, int(sys.argv[2])
def tell(done, total, word):
    if done >= end:
        os._exit(9)
rom = PhiROM(**{**rom_cases.SMALL, "steps": 120}).fit(rom_cases.waves(), rom_cases.spin, sys.argv[1], tell)
import jax, numpy as np
print(np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(rom.fitted.state)]).tobytes().hex()[-4000:])
"""


def test_killed_it_goes_on_bit_by_bit(tmp_path):
    def run(path, end):
        command = [sys.executable, "-c", KILLED, str(tmp_path / path), str(end)]
        quick = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        quick |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **quick})

    whole = run("whole", 999)
    assert whole.returncode == 0, whole.stderr
    assert run("cut", 80).returncode == 9
    assert run("cut", 999).stdout == whole.stdout


def test_shuffled_snapshots_train_the_same_model():
    """Over trajectories and times, in full batches: what differs is the order in which floats are added."""
    data = waves()
    rng = np.random.default_rng(0)
    flat = data.u.reshape(-1, *data.u.shape[2:])
    order = rng.permutation(len(flat))
    shuffled = Snapshots(flat[order].reshape(data.u.shape), data.t, data.coords, data.grid)
    options = {"steps": 20, "batch": len(flat), "gamma": 1.0}
    one, other = fitted(**options), fitted(shuffled, **options)
    losses = [[row["loss"] for row in each.fitted.history] for each in (one, other)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    latents = [each.fitted.latents.reshape(len(flat), -1) for each in (one, other)]
    np.testing.assert_allclose(latents[0][order], latents[1], atol=2e-3 * np.abs(latents[0]).max())


def test_sparse_points_off_the_grid():
    """The solver's grid holds none of the points that are seen."""
    data = waves(MANY)
    rng = np.random.default_rng(1)
    place = np.sort(rng.uniform(0, 1 - 1 / 24, 12))
    nodes = np.append(data.coords[:, 0], 1.0)
    values = np.concatenate([data.u, data.u[..., :1]], axis=-1)
    seen = np.apply_along_axis(lambda u: np.interp(place, nodes, u), -1, values).astype(np.float32)
    sparse = Snapshots(seen, data.t, place[:, None], data.grid)
    rom = fitted(sparse, **LEARNED)
    z = rom.encode(sparse.u[:, 0])
    assert rnmse(rom.forecast(z, sparse.t), data.u) < 0.3
    assert rom.forecast(z, [0.1], coords=place[:, None]).shape == (MANY, 1, 1, 12)


def test_one_trajectory_of_two_times_and_a_batch_of_one():
    data = waves(trajectories=1, times=2, betas=[0.5])
    rom = fitted(data, steps=3, batch=1)
    found = rom.forecast(rom.encode(data.u[:, 0]), [0.0, 1.0], params=[0.5])
    assert found.shape == (1, 2, 1, 24)
    assert np.isfinite(found).all()
    with pytest.warns(UserWarning, match="beta=0.9 is outside the range of training, 0.5 to 0.5"):
        rom.forecast(rom.encode(data.u[:, 0]), [0.0], params=[0.9])
    with pytest.raises(BadInput, match="params=None: expected beta, as in training"):
        rom.forecast(rom.encode(data.u[:, 0]), [0.0])
    with pytest.raises(BadInput, match=r"params: is of str; expected real numbers \[trajectory, 1\]"):
        rom.forecast(rom.encode(data.u[:, 0]), [0.0], params="x")
    with pytest.raises(BadInput, match=r"params: shape=\(1, 2\): expected \[1, 1\]"):
        rom.forecast(rom.encode(data.u[:, 0]), [0.0], params=[0.5, 0.6])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rom: PhiROM().fitted, "PhiROM: is not fitted; call fit"),
        (lambda rom: rom.encode(np.zeros((1, 24)), prior="flat"), "prior='flat': expected None or 'gaussian'"),
        (lambda rom: rom.encode(np.zeros((1, 3)), np.zeros((3, 1))), "1 x 3 values can't fix latent_dim=4 numbers"),
        (lambda rom: rom.forecast(np.zeros(3), [0.0]), "z: shape=(1, 3): expected latents [trajectory, 4]"),
        (lambda rom: rom.forecast(np.zeros(4), [-1.0]), "expected numbers of at least 0, counted from the observation"),
        (
            lambda rom: rom.forecast(np.zeros(4), [0.0], params=[1.0]),
            "params: the model was trained without",
        ),
        (lambda rom: rom.forecast(np.zeros(4), [0.0], coords=np.zeros((2, 3))), "coords: shape=(2, 3): expected"),
        (lambda rom: rom.evaluate(waves(), first=9), "first=9: expected the number of one of the test's 6 times"),
        (lambda rom: rom.evaluate(waves(betas=[1, 2, 3])), "test: parameters ('beta',); the model was trained with ()"),
        (
            lambda rom: rom.forecast(np.zeros(4), [0.0], coords=[[np.nan]]),
            "coords[0, 0]=nan: 1 of 1 values are not finite",
        ),
        (lambda rom: rom.forecast(np.zeros(4), "soon"), "times: is of"),
        (lambda rom: rom.forecast(["a"] * 4, [0.0]), "z: is of list; expected real numbers [trajectory, 4]"),
        (lambda rom: rom.decode(np.zeros((2, 4)), [[0.5]]), "latents: shape=(2, 4): expected [trajectory, time, 4]"),
        (lambda rom: rom.decode(np.zeros((1, 2, 4)), np.zeros((3, 2))), "coords: shape=(3, 2): expected [point, 1]"),
        (lambda rom: rom.encode([["a", None]]), "values: is of list; expected real numbers"),
        (lambda rom: rom.encode(np.zeros((0, 1, 24))), "values: shape=(0, 1, 24): is empty"),
        (lambda rom: rom.evaluate(renamed(waves(), "v")), "test: channels ('v',); the model was trained with ('u',)"),
        (lambda rom: PhiROM(4, steps=4.5), "steps=4.5: expected a whole number"),
        (lambda rom: PhiROM(True), "latent_dim=True: expected a whole number"),
        (lambda rom: PhiROM(4, lam="a"), "lam='a': expected a number"),
        (lambda rom: PhiROM(4, gamma="a"), "gamma='a': expected a number or None"),
        (lambda rom: PhiROM(4, dynamics=64), "dynamics=64: expected widths of hidden layers"),
        (lambda rom: PhiROM(4, dynamics=(16.5,)), "dynamics=(16.5,): expected a whole number"),
        (lambda rom: PhiROM(4, seed=-1), "seed=-1: expected 0 or more"),
        (lambda rom: PhiROM(4, normalize_basis="yes"), "normalize_basis='yes': expected True or False or None"),
        (
            lambda rom: PhiROM(4).fit(moved(waves(), 5e6), spin),
            "coords: x is up to 5e+06 from the origin and only 0.958333 wide, which float32 can't resolve",
        ),
        (lambda rom: PhiROM(4).fit(waves(), 5), "rhs: is of int; expected a SolverRHS, or a function"),
        (lambda rom: PhiROM(4).fit(waves(betas=[1, 1, 1]), spin), "params: beta=1 is the same in all 3 trajectories"),
        (
            lambda rom: PhiROM(9, gamma=0.1).fit(waves(), spin),
            "gamma=0.1: 1 x 3 of 24 nodes are fewer than latent_dim",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(BadInput) as error:
        call(model())
    assert said in str(error.value)


def renamed(data, *channels):
    return replace(data, channels=channels)


def moved(data, by):
    return replace(data, coords=data.coords + by, grid=tuple(each + by for each in data.grid))


def test_channels_and_parameters_go_by_name():
    """Two of each that are not alike: in another order they are the same data."""
    data = waves(betas=[0.5, 0.6, 0.7], channels=2)
    params = np.stack([data.params[:, 0], 3 + data.params[:, 0] ** 2], 1)
    u, names = data.u * np.array([1.0, 5.0])[:, None], {"channels": ("w", "a"), "names": ("speed", "growth")}
    data = replace(data, u=u, params=params, **names)
    other = replace(
        data, u=data.u[:, :, ::-1], params=data.params[:, ::-1], channels=("a", "w"), names=("growth", "speed")
    )
    rom = fitted(data, steps=10)
    assert rom.evaluate(other).mean() == rom.evaluate(data).mean()
    assert rom.consistency_report(spin, other) == rom.consistency_report(spin, data)
    with pytest.raises(BadInput, match=r"test: parameters \('speed', 'decay'\); the model was trained with"):
        rom.evaluate(replace(data, names=("speed", "decay")))


BRIEF = {**SMALL, "steps": 2}


def test_a_solver_that_is_not_that_of_the_data_is_told(recwarn):
    PhiROM(**BRIEF).fit(waves(), lambda u, beta: -spin(u))
    assert any(
        "the solver's slope is off by 2 of the data's own: look whether" in str(each.message) for each in recwarn
    )


def test_a_flow_that_begins_at_rest_can_be_trained(recwarn):
    """u_t = -u u_x + sin x, whose gradient at u = 0 is zero."""
    x = 2 * np.pi * np.arange(24) / 24

    def slope(u, beta=None):
        xp = u.__array_namespace__()
        return -u * (xp.roll(u, -1, -1) - xp.roll(u, 1, -1)) / (2 * x[1]) + np.sin(x).astype(u.dtype)

    u = [np.zeros((1, 24))]
    for _ in range(6):
        u.append(u[-1] + 0.05 * slope(u[-1]))
    PhiROM(**BRIEF).fit(Snapshots.on_grid(np.array(u, np.float32)[None], 0.05 * np.arange(7), (x,)), slope)
    assert not [each for each in recwarn if "slope is off" in str(each.message)]
    assert [each for each in recwarn if "little was learned" in str(each.message)]


def test_a_forecast_that_blows_up_is_told():
    rom = untrained()
    rom.fitted.dynamics = jax.tree.map(lambda leaf: 1e20 * leaf, rom.fitted.dynamics)
    with pytest.warns(UserWarning, match=r"the forecast is not finite from t=0 on: try adaptive=True"):
        rom.forecast(np.ones(4), [0.0, 0.05])


@pytest.mark.parametrize("content", [b"xx", b"PK\x03\x04 cut off"])
def test_a_broken_file_is_told(content, tmp_path):
    untrained().save(tmp_path / "rom")
    (tmp_path / "rom" / "arrays.npz").write_bytes(content)
    with pytest.raises(BadInput, match="is no folder of a model that this version reads"):
        PhiROM.load(tmp_path / "rom")
    (tmp_path / "training.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"training.npz: is no checkpoint of a training; remove it"):
        PhiROM(**SMALL).fit(waves(), spin, checkpoint=tmp_path / "training.npz")


def test_points_outside_the_box_are_warned_of():
    with pytest.warns(UserWarning, match=r"coords: 1 of 2 points lie outside the box of training, \[0, 0.958333\]"):
        model().forecast(np.zeros(4), [0.0], coords=np.array([[0.5], [1.5]]))


def test_the_error_by_hand():
    """||found - u|| / ||u|| of each channel: 5 / 10 and 0; a field of zeros is divided by a floor."""
    u = np.array([[[[6.0, 8.0], [1.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]]])
    found = u + np.array([[[[3.0, 4.0], [0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]]])
    assert errors(found, u)[0, :, 0] == pytest.approx([0.5, 5 / (1e-3 * 10 / np.sqrt(2))])
    assert errors(found, u)[0, :, 1] == pytest.approx([0.0, 0.0])
    assert rnmse(found[:, :1], u[:, :1]) == pytest.approx(0.25)
