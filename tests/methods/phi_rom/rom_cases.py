"""Small data with a known solver, and a model of them that is trained once."""

import functools
import warnings

import numpy as np

SPEED = 0.7


def spin(u, beta=None):
    """u_t = -c u_x on a periodic grid, spectrally: a wave travels unchanged."""
    import jax.numpy as jnp

    n = u.shape[-1]
    wave = 2j * np.pi * jnp.fft.rfftfreq(n, 1 / n)
    speed = SPEED if beta is None else beta[0]
    return jnp.fft.irfft(-speed * wave * jnp.fft.rfft(u), n).astype(u.dtype)


def waves(trajectories=3, times=6, nodes=24, betas=None, channels=1, seed=0):
    """Of two sines, moved exactly."""
    from parataxis.methods.phi_rom.snapshots import Snapshots

    rng = np.random.default_rng(seed)
    x, t = np.arange(nodes) / nodes, 0.05 * np.arange(times)
    size, shift = rng.uniform(0.5, 1.5, (2, trajectories, 1, channels, 1))
    speed = SPEED if betas is None else np.array(betas)[:, None, None, None]
    place = 2 * np.pi * (x - speed * t[:, None, None] - shift)
    u = size * (np.sin(place) + 0.3 * np.cos(2 * place))
    return Snapshots.on_grid(u.astype(np.float32), t, (x,), None if betas is None else np.array(betas, float)[:, None])


SMALL = {"latent_dim": 4, "width": 16, "layers": 2, "dynamics": (16,), "steps": 60, "batch": 9, "gamma": 0.5}


LEARNED = {"steps": 250, "lr": 0.04, "batch": 24}
MANY = 10  # trajectories, for a model that has learned


def fitted(data=None, rhs=spin, **settings):
    """Trained for a moment: what it warns of is not the matter."""
    from parataxis.methods.phi_rom.rom import PhiROM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PhiROM(**{**SMALL, **settings}).fit(data or waves(), rhs)


@functools.cache
def model():
    return fitted(waves(MANY), **LEARNED)


def untrained():
    """A model as training begins with: its decoder fits the data as well as its basis can, its dynamics are any."""
    import jax

    from parataxis.methods.phi_rom.affine import normalised
    from parataxis.methods.phi_rom.fitting import Fitted, as_rhs, prepare
    from parataxis.methods.phi_rom.invert import invert
    from parataxis.methods.phi_rom.keeping import About
    from parataxis.methods.phi_rom.rom import PhiROM

    data, rom = waves(), PhiROM(**SMALL)
    job = prepare(rom.recipe, data, as_rhs(spin))
    decoder = jax.jit(normalised)(job.model.decoder, data.coords)
    each = data.u.reshape(-1, *data.u.shape[2:])
    latents = invert(decoder, each, data.coords, np.zeros((1, 4))).latents.reshape(*data.u.shape[:2], 4)
    row = {"step": 0, "seconds": 0.0, "reconstruction": 1.0, "dynamics": 1.0, "condition": 1.0, "latent norm": 1.0}
    rom._fitted = Fitted(decoder, job.model.dynamics, latents.astype(np.float32), 0.05, 1, 0.5, job.omega, [row])
    rom._about = About.of(data)
    return rom
