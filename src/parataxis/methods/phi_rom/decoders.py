"""From a few latent numbers to a field at any points: a multiplicative filter network, and a network of sines.

Both are Equinox modules whose leaves are all trained; scales of coordinates and values are static.
"""

import math
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parataxis.methods.phi_rom.waves import cos, sin

ROOM = 2**14  # numbers that a program draws at once: most weights are fewer
LEAST = 1e-12  # a channel or an axis narrower than this, relative to its size, is taken as it is


@dataclass(frozen=True)
class Scaling:
    """low, high: of the box of the coordinates, which is mapped to [-1, 1]. mean, std: of each channel's values.

    Plain numbers, so that they are no parameters: neither trained nor decayed.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def none(cls, dims: int, channels: int) -> "Scaling":
        """Coordinates in [-1, 1], values as they are."""
        return cls((-1.0,) * dims, (1.0,) * dims, (0.0,) * channels, (1.0,) * channels)

    @classmethod
    def of(cls, u: Float[np.ndarray, "trajectory time channel point"], *coords: Float[np.ndarray, "_ d"]) -> "Scaling":
        """coords: all sets of points that are decoded in training, of the data and of the solver."""
        low, high = np.min([c.min(0) for c in coords], 0), np.max([c.max(0) for c in coords], 0)
        mean, std = u.mean((0, 1, 3), dtype=np.float64), u.std((0, 1, 3), dtype=np.float64)
        std = np.where(std > LEAST * np.maximum(np.abs(mean), 1), std, 1.0)
        high = np.where(high > low, high, low + 1)
        return cls(*(tuple(map(float, each)) for each in (low, high, mean, std)))

    def inward(self, x: Float[Array, "point d"]) -> Float[Array, "point d"]:
        low, high = np.array(self.low, x.dtype), np.array(self.high, x.dtype)
        return 2 * (x - low) / (high - low) - 1

    def outward(self, values: Float[Array, "*batch channel point"]) -> Float[Array, "*batch channel point"]:
        return values * self.spread(values.dtype)[:, None] + jnp.array(self.mean, values.dtype)[:, None]

    def spread(self, dtype: Any) -> Float[Array, " channel"]:
        return jnp.array(self.std, dtype)


def uniform(key: PRNGKeyArray, bound: float, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Uniform in +-bound: the first of so many numbers that one program draws them for most shapes."""
    count = math.prod(shape)
    return _drawn(key, bound, max(ROOM, 1 << (count - 1).bit_length()), dtype)[:count].reshape(shape)


@jax.jit(static_argnames=("room", "dtype"))
def _drawn(key: PRNGKeyArray, bound: Any, room: int, dtype: Any) -> Array:
    return jax.random.uniform(key, (room,), dtype, -bound, bound)


class MFN(eqx.Module):
    """A multiplicative filter network.

    h_0 = (A_0 a + b_0) * g_0, h_l = (W_l h_{l-1} + b_l + A_l a) * g_l, D = W_o h + b_o.

    The filters g_l = [sin xF_l, cos xF_l] know the point only, so that the field is affine in the latent a (see
    `affine.sweep`): a linear reduced basis whose modes are learned. omega scales the initial frequencies; the authors'
    code fixes it at 1, where fields with several waves are learned slowly.
    """

    frequencies: Float[Array, "layer d half"]
    enter: Float[Array, "layer width k"]
    bias: Float[Array, "layer width"]
    inner: Float[Array, "layer-1 width width"]
    leave: Float[Array, "channel width"]
    leave_bias: Float[Array, " channel"]
    scaling: Scaling = eqx.field(static=True)

    def __init__(
        self,
        latent: int,
        dims: int,
        channels: int = 1,
        width: int = 64,
        layers: int = 3,
        omega: float = 1.0,
        scaling: Scaling | None = None,
        *,
        key: PRNGKeyArray,
    ) -> None:
        keys = jax.random.split(key, 7)
        half, w = width // 2, 2 * (width // 2)
        self.frequencies = uniform(keys[0], omega * (6 / dims) ** 0.5, (layers, dims, half))
        self.enter = uniform(keys[1], latent**-0.5, (layers, w, latent))
        first, others = uniform(keys[2], dims**-0.5, (1, w)), uniform(keys[3], w**-0.5, (layers - 1, w))
        self.bias = jnp.concatenate([first, others])
        self.inner = uniform(keys[4], (6 / w) ** 0.5, (layers - 1, w, w))
        self.leave = uniform(keys[5], w**-0.5, (channels, w))
        self.leave_bias = uniform(keys[6], w**-0.5, (channels,))
        self.scaling = scaling or Scaling.none(dims, channels)

    @property
    def latent(self) -> int:
        return self.enter.shape[2]

    @property
    def dims(self) -> int:
        return self.frequencies.shape[1]

    @property
    def channels(self) -> int:
        return self.leave.shape[0]

    def filters(self, x: Float[Array, "point d"]) -> Float[Array, "layer point width"]:
        waves = jnp.einsum("nd,ldh->lnh", self.scaling.inward(x), self.frequencies)
        return jnp.concatenate([sin(waves), cos(waves)], axis=-1)

    def __call__(self, alpha: Float[Array, " k"], x: Float[Array, " d"]) -> Float[Array, " channel"]:
        """The network as it is written, layer by layer: the oracle of the affine path."""
        g = self.filters(x[None])[:, 0]
        h = (self.enter[0] @ alpha + self.bias[0]) * g[0]
        for layer in range(1, len(g)):
            h = (self.inner[layer - 1] @ h + self.bias[layer] + self.enter[layer] @ alpha) * g[layer]
        return self.scaling.outward((self.leave @ h + self.leave_bias)[:, None])[:, 0]

    def fields(
        self, alphas: Float[Array, "batch k"], x: Float[Array, "point d"]
    ) -> Float[Array, "batch channel point"]:
        from parataxis.methods.phi_rom.affine import sweep

        offset, basis = sweep(self, x)
        return offset + jnp.einsum("cnk,bk->bcn", basis, alphas)


class SineMLP(eqx.Module):
    """Hidden layers of plain sines on [x, a]: the field is not linear in the latent.

    The half of the first layer that sees the points is computed once for a batch.
    """

    see: Float[Array, "width d"]
    enter: Float[Array, "width k"]
    inner: Float[Array, "layer-1 width width"]
    bias: Float[Array, "layer width"]
    leave: Float[Array, "channel width"]
    leave_bias: Float[Array, " channel"]
    scaling: Scaling = eqx.field(static=True)

    def __init__(
        self,
        latent: int,
        dims: int,
        channels: int = 1,
        width: int = 32,
        layers: int = 4,
        scaling: Scaling | None = None,
        *,
        key: PRNGKeyArray,
    ) -> None:
        keys = jax.random.split(key, 7)
        fan = (latent + dims) ** -0.5
        self.see, self.enter = uniform(keys[0], fan, (width, dims)), uniform(keys[1], fan, (width, latent))
        self.inner = uniform(keys[2], width**-0.5, (layers - 1, width, width))
        first, others = uniform(keys[3], fan, (1, width)), uniform(keys[4], width**-0.5, (layers - 1, width))
        self.bias = jnp.concatenate([first, others])
        self.leave = uniform(keys[5], width**-0.5, (channels, width))
        self.leave_bias = uniform(keys[6], width**-0.5, (channels,))
        self.scaling = scaling or Scaling.none(dims, channels)

    @property
    def latent(self) -> int:
        return self.enter.shape[1]

    @property
    def dims(self) -> int:
        return self.see.shape[1]

    @property
    def channels(self) -> int:
        return self.leave.shape[0]

    def __call__(self, alpha: Float[Array, " k"], x: Float[Array, " d"]) -> Float[Array, " channel"]:
        return self.fields(alpha[None], x[None])[0, :, 0]

    def fields(
        self, alphas: Float[Array, "batch k"], x: Float[Array, "point d"]
    ) -> Float[Array, "batch channel point"]:
        points = self.scaling.inward(x) @ self.see.T + self.bias[0]
        h = sin((alphas @ self.enter.T)[:, None] + points)
        for weight, bias in zip(self.inner, self.bias[1:], strict=True):
            h = sin(h @ weight.T + bias)
        values = jnp.einsum("bnw,cw->bcn", h, self.leave) + self.leave_bias[:, None]
        return self.scaling.outward(values)

    def linearised(
        self, alphas: Float[Array, "batch k"], x: Float[Array, "point d"]
    ) -> tuple[Float[Array, "batch channel point"], Float[Array, "batch channel point k"]]:
        """The fields, and dD/da = r_0 A by a sweep back for each channel: r_L = W_o * cos z_L, r_{l-1} = (r_l W_l) *
        cos z_{l-1}."""
        points = self.scaling.inward(x) @ self.see.T + self.bias[0]
        sums = [(alphas @ self.enter.T)[:, None] + points]
        for weight, bias in zip(self.inner, self.bias[1:], strict=True):
            sums.append(sin(sums[-1]) @ weight.T + bias)
        values = jnp.einsum("bnw,cw->bcn", sin(sums[-1]), self.leave) + self.leave_bias[:, None]
        r = self.leave[:, None, None] * cos(sums[-1])
        for weight, z in zip(self.inner[::-1], sums[-2::-1], strict=True):
            r = (r @ weight) * cos(z)
        slopes = jnp.moveaxis(r @ self.enter, 0, 1) * self.scaling.spread(r.dtype)[:, None, None]
        return self.scaling.outward(values), slopes


Decoder = MFN | SineMLP


def box(scaling: Scaling) -> str:
    """The box of the coordinates, as a person reads it."""
    sides = zip(scaling.low, scaling.high, strict=True)
    return " x ".join(f"[{low:g}, {high:g}]" for low, high in sides)
