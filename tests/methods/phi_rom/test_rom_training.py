"""The loop: resumed bit by bit, told of bad gradients; the draws and the schedule; what a recipe refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import rom_cases

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.fitting import Fitted, warned
from parataxis.methods.phi_rom.recipe import Draws, Recipe, frequency_scale
from parataxis.methods.phi_rom.training import (
    BAD,
    CHUNK,
    Checkpoint,
    Phase,
    State,
    gradient_step,
    start,
    train,
)

STEPS = 2 * CHUNK + 7


def slope_to(params, data, draw):
    return data * jnp.square(params["a"] - draw["b"]).sum(), {}


def draws(step, n):
    at = np.arange(step, step + n, dtype=np.float32)
    return {"b": np.stack([np.sin(at), at % 5], 1)}


def run(checkpoint=None, phases=None, tell=None):
    advance = gradient_step(slope_to, optax.adam(0.01))
    phases = phases or [Phase(advance, STEPS)]
    state = start({"a": jnp.zeros(2)}, optax.adam(0.01))
    return train(phases, state, jnp.float32(0.5), draws, checkpoint=checkpoint, **({"tell": tell} if tell else {}))


def test_a_run_cut_off_goes_on_bit_by_bit(tmp_path):
    kept = Checkpoint(tmp_path / "state.npz", "this")
    whole = run()

    class Cut(Exception):
        pass

    def cut(done, total, word):
        assert total == STEPS
        if done == 2 * CHUNK:
            raise Cut

    import parataxis.methods.phi_rom.training as training

    every, training.SAVE = training.SAVE, -1.0
    try:
        with pytest.raises(Cut):
            run(kept, tell=cut)
    finally:
        training.SAVE = every
    step, _ = kept.load(whole.state)
    assert step == CHUNK, "the chunk that was cut is not kept"
    again = run(kept)
    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(again.state), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [row["step"] for row in again.history] == [CHUNK, 2 * CHUNK, STEPS]
    assert [row["loss"] for row in again.history] == [row["loss"] for row in whole.history]


def test_another_runs_checkpoint_is_left_alone(tmp_path):
    path = tmp_path / "state.npz"
    run(Checkpoint(path, "this"))
    assert Checkpoint(path, "this").load(run().state)[0] == STEPS
    assert Checkpoint(path, "that").load(run().state)[0] == 0


def test_gradients_that_are_not_finite_are_zeroed_counted_and_in_the_end_refused():
    def loss(params, data, draw):
        return (params["a"] * jnp.sqrt(draw["x"])).sum() / draw["x"], {}  # 0 / 0 where x is 0

    advance = gradient_step(loss, optax.sgd(0.1))
    state = start({"a": jnp.ones(2)}, optax.sgd(0.1))

    def some(step, n):
        return {"x": np.where(np.arange(step, step + n) % 4 == 0, 0.0, 1.0).astype(np.float32)}

    found = train([Phase(advance, 8)], state, None, some)
    assert found.history[-1][BAD] == pytest.approx(0.25)
    np.testing.assert_allclose(found.state.params["a"], 1 - 0.1 * 6, rtol=1e-5)
    with pytest.raises(BadInput, match="no gradient of steps 1 to 8 was finite; try a smaller lr"):
        train([Phase(advance, 8)], state, None, lambda step, n: {"x": np.zeros(n, np.float32)})


def test_phases_follow_each_other_at_their_step():
    def add(amount):
        return lambda state, data, draw: (State(state.params + amount, state.memory), {"at": state.params})

    found = train(
        [Phase(add(1.0), 3), Phase(add(100.0), 5)],
        State(jnp.float32(0), ()),
        None,
        lambda step, n: np.zeros(n),
    )
    assert float(found.state.params) == 203
    assert [row["step"] for row in found.history] == [3, 5]


def test_draws_depend_on_seed_and_step_alone_and_use_every_snapshot_alike():
    make = Draws(snapshots=10, batch=4, nodes=8, drawn=3, seed=5)
    whole = make(0, 15)
    for step in range(15):
        one = make(step, 1)
        np.testing.assert_array_equal(one.rows[0], whole.rows[step])
        np.testing.assert_array_equal(one.nodes[0], whole.nodes[step])
    assert (np.bincount(whole.rows.ravel(), minlength=10) == 6).all()
    assert all(len(set(each)) == 3 for each in whole.nodes.tolist())
    assert not np.array_equal(Draws(10, 4, 8, 3, 6)(0, 15).rows, whole.rows)
    assert Draws(10, 99, 8, 8, 5)(0, 2).rows.shape == (2, 10)
    assert Draws(10, 99, 8, 8, 5)(0, 2).nodes is None


@pytest.mark.parametrize("waves", [1, 3, 6])
def test_the_frequency_scale_is_the_datas(waves):
    """sin(pi n x) has the mean square frequency (pi n)^2; a product of 2 filters of scale w, 2 w^2 (2 / d) along x."""
    x = np.linspace(-1, 1, 400)[:, None]
    u = np.sin(np.pi * waves * x[:, 0] + np.arange(8)[:, None])[None, :, None]
    found = frequency_scale(u, x, layers=2)
    assert found == pytest.approx(np.pi * waves / 2, rel=0.06)


def test_schedules():
    cosine = Recipe(steps=100, lr=1e-2).optimiser()
    stairs = Recipe(lr=1e-2, schedule="staircase", decay=0.5, decay_every=10).optimiser()
    for optimiser, at_20 in ((cosine, 1e-2 * (1 + np.cos(0.2 * np.pi)) / 2), (stairs, 1e-2 / 4)):
        state, one = optimiser.init(jnp.float32(0)), jnp.float32(1)
        update = jax.jit(optimiser.update)
        for _ in range(21):
            updates, state = update(one, state, jnp.float32(0))
        assert float(-updates) == pytest.approx(at_20, rel=2e-3)


@pytest.mark.parametrize("schedule", ["cosine", "staircase"])
def test_a_rate_below_the_least_one_stays(schedule):
    optimiser = Recipe(steps=2, lr=1e-8, schedule=schedule, decay_every=1).optimiser()
    state, one = optimiser.init(jnp.float32(0)), jnp.float32(1)
    for _ in range(3):
        updates, state = optimiser.update(one, state, jnp.float32(0))
        assert float(-updates) <= 1.001e-8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 4}, "k: is no setting; there: latent_dim, decoder"),
        ({"decoder": "cnn"}, "decoder='cnn': expected 'mfn' or 'sine'"),
        ({"lam": 0.0}, "lam=0.0: expected above 0, at most 1"),
        ({"gamma": 1.5}, "gamma=1.5: expected above 0, at most 1"),
        ({"warmup": 1.0}, "warmup=1.0: expected a share of the steps, below 1"),
        ({"steps": 0}, "steps=0: expected 1 or more"),
        ({"dynamics": ()}, "dynamics=(): expected widths of hidden layers"),
        ({"schedule": "linear"}, "schedule='linear': expected 'cosine' or 'staircase'"),
        ({"omega": float("inf")}, "omega=inf: expected above 0, finite"),
        ({"lr": 2.0}, "lr=2.0: expected above 0, below 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(BadInput) as error:
        Recipe.of(settings)
    assert str(error.value).startswith(said)


def test_too_few_nodes_for_the_latents():
    with pytest.raises(BadInput, match=r"gamma=0.1: 1 x 3 of 24 nodes are fewer than latent_dim=4; expected gamma"):
        Recipe(latent_dim=4, gamma=0.1).drawn(24, 1)
    with pytest.raises(
        BadInput, match=r"latent_dim=64: all 1 x 32 values on the solver's nodes are fewer; expected at"
    ):
        Recipe(latent_dim=64).drawn(32, 1)
    assert Recipe(latent_dim=4, gamma=0.1).drawn(24, 2) == 3
    assert Recipe(latent_dim=4).drawn(24, 1) == 16
    assert Recipe(latent_dim=4).drawn(24, 4) == 4
    assert Recipe(latent_dim=4).drawn(15, 1) == 15
    assert Recipe(latent_dim=4).drawn(1600, 1) == 160


def row(step, **told):
    return {"step": step, "reconstruction": 0.02, "dynamics": 0.1, "condition": 5.0, BAD: 0.0, **told}


@pytest.mark.parametrize(
    ("settings", "history", "said"),
    [
        (
            {"warmup": 0.05},
            [row(5), row(100, reconstruction=0.4)],
            "came too early; raise warmup=0.05",
        ),
        ({}, [row(25), row(100, reconstruction=0.9)], "the dynamics loss came too early"),
        ({}, [row(25, reconstruction=0.8), row(100, reconstruction=0.7)], "little was learned; give more steps"),
        ({"normalize_basis": False}, [row(100, condition=1e5)], "the basis has condition 1e+05"),
        ({}, [row(50, **{BAD: 0.5}), row(100)], "gradients were not finite in 25.0% of the steps"),
        ({}, [row(25), row(100)], None),
    ],
)
def test_a_training_that_went_wrong_is_told(settings, history, said):
    model = rom_cases.model()
    recipe = Recipe.of({**rom_cases.SMALL, **settings, "steps": 100})
    found = Fitted(**{**vars(model.fitted), "history": history})
    told = warned(found, recipe, rom_cases.waves())
    assert len(told) == (said is not None)
    assert said is None or said in told[0]


def test_rollouts_that_blow_up_are_told():
    model = rom_cases.model()
    import equinox as eqx

    wild = eqx.tree_at(lambda d: d.layers[-1].bias, model.fitted.dynamics, jnp.full(4, 1e6))
    found = Fitted(**{**vars(model.fitted), "dynamics": wild, "history": [row(100)]})
    told = warned(found, model.recipe, rom_cases.waves())
    assert len(told) == 1
    assert "rollouts of training trajectories end" in told[0]
