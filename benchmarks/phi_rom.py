"""What the affine path is worth: a training step, an inversion, a forecast, each against the usual way in one run.

    python benchmarks/phi_rom.py                     all, some minutes
    python benchmarks/phi_rom.py --only training     or inversion, forecast

Training: loss and gradient of one batch at N 1024, one channel, k 32, width 64, 3 layers, 48 snapshots, a tenth of the
nodes, a Laplacian for a solver. Generic: each sample decoded, differentiated and factorised by itself, as in the
reference. Both see the same nodes and the same raw basis; losses and gradients must agree to 1e-4, in float64, where
the difference is the code's, and the gap in float32 is printed beside it.
Inversion: a field of 1,024 values to 32 latents, in closed form against 1,000 compiled steps of Adam from zero, on
the network as it is written and on its affine form; and Gauss-Newton for the sine network of the Burgers problem, from
as many starts as `encode` gives it and from zero alone, as Adam has it. At least 50 times, over the network as written,
was promised.
Forecast: latents and decoding of a batch of trajectories against the solver's own steps, compiled and batched alike.
Weights are untrained, and ours takes one step from one time to the next; a model whose latents are stiff takes more,
as its `substeps` tell. One thread.
"""

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable
from functools import partial

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
import optax

from parataxis.methods.phi_rom.affine import sweep
from parataxis.methods.phi_rom.decoders import MFN, SineMLP
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.forecast import march
from parataxis.methods.phi_rom.invert import invert
from parataxis.methods.phi_rom.loss import Losses, Points, Sample, fast, generic
from parataxis.methods.phi_rom.rom import STARTS

SIDE, LATENT, WIDTH, LAYERS, BATCH, GAMMA = 32, 32, 64, 3, 48, 0.1
CLOSE = 1e-4
ADAM_STEPS, ADAM_RATE = 1000, 0.1


def seconds(call: Callable[[], object], least: float) -> float:
    """Median; the first call compiles, and the collector is off."""
    jax.block_until_ready(call())
    gc.collect()
    gc.disable()
    taken, until = [], time.perf_counter() + least
    while len(taken) < 5 or time.perf_counter() < until:
        begun = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - begun)
    gc.enable()
    return float(np.median(taken))


def told(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def laplacian(u, _):
    return sum(jnp.roll(u, step, axis) for axis in (1, 2) for step in (1, -1)) - 4 * u


def training(least: float) -> None:
    def case(how):
        keys = jax.random.split(jax.random.key(0), 5)
        decoder = MFN(LATENT, 2, 1, WIDTH, LAYERS, omega=4.0, key=keys[0])
        trained = (decoder, Dynamics(LATENT, (64,) * 3, key=keys[1]), jax.random.normal(keys[2], (BATCH, LATENT)))
        axis = np.linspace(-1, 1, SIDE)
        nodes = jnp.asarray(np.stack([each.ravel() for each in np.meshgrid(axis, axis, indexing="ij")], 1))
        nodes = nodes.astype(trained[2].dtype)
        sample = Sample(jax.random.normal(keys[3], (BATCH, 1, SIDE**2)), None, jnp.ones(1))
        drawn = jax.random.permutation(keys[4], SIDE**2)[: int(GAMMA * SIDE**2)]
        losses = Losses(laplacian, (SIDE, SIDE), 0.5, False, how)
        step = jax.jit(jax.value_and_grad(lambda each, points: losses(*each, sample, points, drawn)[0]))
        return lambda: step(trained, Points(nodes))

    def apart() -> float:
        (one, slopes), (other, wanted) = (case(how)() for how in (fast, generic))
        gaps = [abs(float(one - other)) / abs(float(other))]
        pairs = zip(jax.tree.leaves(slopes), jax.tree.leaves(wanted), strict=True)
        gaps += [float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b)) for a, b in pairs]
        return max(gaps)

    with jax.enable_x64(True):
        gap = apart()
    assert gap <= CLOSE, f"fast and generic differ by {gap}"
    times = {how.__name__: seconds(case(how), least) for how in (fast, generic)}
    ratio = times["generic"] / times["fast"]
    print(
        f"training, loss and gradient: generic {told(times['generic'])}, fast {told(times['fast'])}: {ratio:.3g} times "
        f"(at least 20); largest relative gap {gap:.1e} in float64, {apart():.1e} in float32 (at most {CLOSE:g})"
    )


def _latents(*given):
    return invert(*given).latents


def adam(field, values, zero):
    """The best iterate from zero; field: of a latent."""
    optimiser = optax.adam(ADAM_RATE)

    def step(carried, _):
        alpha, state, best, least = carried
        value, slope = jax.value_and_grad(lambda each: jnp.square(field(each) - values).mean())(alpha)
        best, least = jnp.where(value < least, alpha, best), jnp.minimum(value, least)
        updates, state = optimiser.update(slope, state)
        return (alpha + updates, state, best, least), None

    begin = (zero, optimiser.init(zero), zero, jnp.float32(jnp.inf))
    return jax.lax.scan(step, begin, None, ADAM_STEPS)[0][2]


def as_written(decoder, values, x, zero):
    """As the reference: the network at each point."""
    return adam(lambda alpha: jax.vmap(decoder, (None, 0))(alpha, x).T, values, zero)


def as_affine(decoder, values, x, zero):
    """With our own knowledge: the sweep is made once."""
    offset, basis = sweep(decoder, x)
    return adam(lambda alpha: offset + basis @ alpha, values, zero)


def inversion(least: float) -> None:
    axis = np.linspace(-1, 1, SIDE, dtype=np.float32)
    square = np.stack([each.ravel() for each in np.meshgrid(axis, axis, indexing="ij")], 1)
    line = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    filters = MFN(LATENT, 2, 1, WIDTH, LAYERS, omega=4.0, key=jax.random.key(0))
    sines = SineMLP(4, 1, 1, key=jax.random.key(1))
    for name, decoder, x, ways in (
        (f"filter network, {SIDE**2} values, k {LATENT}", filters, square, (as_written, as_affine)),
        ("sine network, 64 values, k 4", sines, line, (as_written,)),
    ):
        alpha, points = jax.random.normal(jax.random.key(2), (1, decoder.latent)), jnp.asarray(x)
        values = np.asarray(decoder.fields(alpha, points))

        def miss(found, decoder=decoder, points=points, values=values) -> str:
            gap = decoder.fields(jnp.atleast_2d(jnp.asarray(found, jnp.float32)), points) - values
            return f"{float(jnp.linalg.norm(gap) / np.linalg.norm(values)):.1e}"

        known = np.random.default_rng(0).normal(size=(STARTS, decoder.latent)).astype(np.float32)
        zero = np.zeros((1, decoder.latent), np.float32)
        starts = {"as encode": np.concatenate([known.mean(0)[None], zero, known])}
        if decoder is sines:  # where it begins is no matter to a closed form
            starts["from zero alone, as Adam"] = zero
        for way in ways:
            call = partial(jax.jit(way), decoder, jnp.asarray(values[0]), points, jnp.zeros(decoder.latent))
            other = seconds(call, least)
            what = f"Adam {way.__name__.replace('_', ' ')}, {ADAM_STEPS} steps"
            print(f"inversion, {name}: {what} {told(other)} ({miss(call())})")
            for how, begun in starts.items():
                ours = seconds(partial(_latents, decoder, values, x, begun), least)
                missed = miss(_latents(decoder, values, x, begun))
                print(f"    ours, {how}, {told(ours)} ({missed}): {other / ours:.3g} times")


def psi(k: int, hidden: tuple[int, ...], means: tuple[float, ...] = ()) -> Dynamics:
    return Dynamics(k, hidden, means, (1.0,) * len(means), key=jax.random.key(0))


def forecast(least: float) -> None:
    from parataxis.methods.phi_rom.burgers import slope as moved
    from parataxis.methods.phi_rom.diffusion import slope as diffused

    line = np.linspace(0, 100, 64, dtype=np.float32)
    beta = jnp.full((BATCH, 1), 0.02)
    cases = {
        "Burgers, 64 nodes, 50 times of 1 step": (
            SineMLP(4, 1, key=jax.random.key(1)),
            psi(4, (64,) * 4, (0.02,)),
            (64,),
            lambda u, b: u + 0.28 * moved(u, line, b[0]),
            1,
            50,
            beta,
        ),
        "diffusion, 40 x 40 nodes, 50 times of 1 step": (
            MFN(16, 2, key=jax.random.key(1)),
            psi(16, (64,) * 3),
            (40, 40),
            lambda u, b: u + 0.1 * diffused(u),
            1,
            50,
            None,
        ),
    }
    cases |= _flows()
    for name, (decoder, dynamics, shape, step, every, times, betas) in cases.items():
        axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
        x = jnp.asarray(np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], 1))
        alphas = jnp.zeros((BATCH, decoder.latent))
        start = 0.1 + 0.01 * jax.random.normal(jax.random.key(3), (BATCH, decoder.channels, *shape))

        ours = seconds(partial(jax.jit(_reduced, static_argnums=5), decoder, dynamics, alphas, betas, x, times), least)
        theirs = seconds(partial(jax.jit(_solved, static_argnums=(0, 3, 4)), step, start, betas, every, times), least)
        faster = f"ours {theirs / ours:.3g}" if theirs > ours else f"the solver {ours / theirs:.3g}"
        said = f"{faster} times as fast"
        print(f"forecast, {name}, {BATCH} at once: solver {told(theirs)}, ours {told(ours)}: {said}")


def _reduced(decoder, dynamics, alphas, betas, x, times):
    path = march(dynamics, alphas, betas, 0.1, times - 1)
    return decoder.fields(path.reshape(-1, decoder.latent), x)


def _solved(step, start, betas, every, times):
    each = jax.vmap(step, (0, None if betas is None else 0))

    def between(u, _):
        return jax.lax.fori_loop(0, every, lambda _, v: each(v, betas), u), u

    return jax.lax.scan(between, start, None, times)[1]


def _solver_step(rhs, u, _):
    return rhs.step(u, None, rhs.dt)


def _flows() -> dict:
    """Navier-Stokes at two sizes: the study's, but with 32 latents for its 24, and the paper's."""
    from parataxis.methods.phi_rom import adapters
    from parataxis.methods.phi_rom.navier_stokes import DT, EVERY, solver

    found = {}
    for nodes, k in ((32, 32), (64, 100)):
        grid, step = solver(nodes)
        rhs = adapters.jax_cfd(step, grid, DT)
        name = f"Navier-Stokes, {nodes} x {nodes} nodes, 20 times of {EVERY} steps"
        decoder = MFN(k, 2, 2, 80, 3, key=jax.random.key(1))
        advance = partial(_solver_step, rhs)
        found[name] = (decoder, psi(k, (512,) * 4), (nodes, nodes), advance, EVERY, 20, None)
    return found


PARTS = {"training": training, "inversion": inversion, "forecast": forecast}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=list(PARTS), help="some of the parts")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    given = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, Python {platform.python_version()}, jax {jax.__version__}, one thread")
    for name in given.only:
        PARTS[name](given.seconds)


if __name__ == "__main__":
    main()
