"""How the latents move: a small network of swishes, d alpha/dt = Psi(alpha, beta)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parataxis.methods.phi_rom.decoders import uniform

SLOPE = 0.5  # of each swish, at the start
OVER = 1.1  # x sigmoid(x) / 1.1 has no slope above 1


class Linear(eqx.Module):
    """W x + b, both uniform in +-1/sqrt(fan-in) at the start."""

    weight: Float[Array, "out in_"]
    bias: Float[Array, " out"]

    def __init__(self, fan_in: int, out: int, *, key: PRNGKeyArray) -> None:
        first, second = jax.random.split(key)
        self.weight = uniform(first, fan_in**-0.5, (out, fan_in))
        self.bias = uniform(second, fan_in**-0.5, (out,))

    def __call__(self, x: Float[Array, " in_"]) -> Float[Array, " out"]:
        return self.weight @ x + self.bias


class Dynamics(eqx.Module):
    """Psi(alpha, beta): hidden layers of x sigmoid(softplus(s) x) / 1.1, with one trained s a layer.

    With parameters, what enters is [alpha, B beta + q] of standardised beta. beta_mean, beta_std are plain numbers.
    rate: what the network's output is multiplied by: one over the time between two snapshots makes its work that of
    order 1. The authors have 1.
    """

    layers: tuple[Linear, ...]
    slopes: Float[Array, " hidden"]
    embed: Linear | None
    beta_mean: tuple[float, ...] = eqx.field(static=True)
    beta_std: tuple[float, ...] = eqx.field(static=True)
    rate: float = eqx.field(static=True)

    def __init__(
        self,
        latent: int,
        hidden: tuple[int, ...] = (64, 64, 64),
        beta_mean: tuple[float, ...] = (),
        beta_std: tuple[float, ...] = (),
        rate: float = 1.0,
        *,
        key: PRNGKeyArray,
    ) -> None:
        keys = jax.random.split(key, len(hidden) + 2)
        params = len(beta_mean)
        sizes = (2 * latent if params else latent, *hidden, latent)
        pairs = zip(sizes[:-1], sizes[1:], keys[1:], strict=True)
        self.layers = tuple(Linear(below, above, key=each) for below, above, each in pairs)
        self.slopes = jnp.full((len(hidden),), SLOPE)
        self.embed = Linear(params, latent, key=keys[0]) if params else None
        self.beta_mean, self.beta_std, self.rate = tuple(beta_mean), tuple(beta_std), rate

    def __call__(self, alpha: Float[Array, " k"], beta: Float[Array, " p"] | None = None) -> Float[Array, " k"]:
        """d alpha/dt at one latent, of one trajectory's beta."""
        h = alpha
        if self.embed is not None:
            assert beta is not None
            centre, width = jnp.array(self.beta_mean, alpha.dtype), jnp.array(self.beta_std, alpha.dtype)
            h = jnp.concatenate([alpha, self.embed((beta - centre) / width)])
        for layer, slope in zip(self.layers, self.slopes, strict=False):
            x = layer(h)
            h = x * jax.nn.sigmoid(x * jax.nn.softplus(slope)) / OVER
        return self.rate * self.layers[-1](h)
