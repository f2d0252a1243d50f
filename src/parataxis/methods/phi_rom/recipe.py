"""How a model is made and trained: every setting, its check, the schedule of the learning rate, and what is drawn."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from parataxis.errors import BadInput

LEAST_RATE = 1e-6  # of learning
OMEGAS = (1.0, 30.0)
LOOKS = 2_000_000  # points of all fields together at which the frequency scale is measured

SHARE = 0.1  # of the nodes, as the authors
OVER = 4  # values that are drawn a latent, if nodes there are
DECODERS = ("mfn", "sine")
SCHEDULES = ("cosine", "staircase")
WHOLE = ("latent_dim", "width", "layers", "dynamics", "steps", "batch", "decay_every", "seed")
REAL = ("omega", "lam", "gamma", "warmup", "lr", "decay", "weight_decay")
KINDS: dict[str, tuple[str, type]] = {
    **dict.fromkeys(WHOLE, ("a whole number", Integral)),
    **dict.fromkeys(REAL, ("a number", Real)),
    **dict.fromkeys(("normalize_basis", "rate"), ("True or False", bool)),
}
MAYBE = ("width", "layers", "omega", "gamma", "normalize_basis")  # may be None


@dataclass(frozen=True)
class Recipe:
    """Where None is written, or a word on the authors, the default departs from theirs.

    latent_dim: k. decoder: "mfn" (affine in the latent) or "sine"; width and layers: of its hidden layers, None for 64
    and 3, or 32 and 4. omega: scale of the filters' frequencies, None to take it from the data; the authors' code has
    1. dynamics: hidden widths of Psi. lam: weight of the reconstruction. gamma: share of the solver's nodes at which
    the Jacobian is taken, drawn anew each step and shared by the batch (the authors draw a tenth for each sample); None
    for a tenth, but 4 values a latent at least, so that a slope is no noise of the draw. warmup: share of the steps in
    which the dynamics loss teaches the dynamics only. steps: of the optimiser. batch: snapshots a step. lr: of AdamW,
    for decoder, dynamics and latents, down to 1e-6 along half a cosine, or x decay every decay_every steps
    ("staircase", as the authors'). normalize_basis: orthogonal columns for the filter network's basis, None for yes
    with "mfn"; the authors have none. rate: the dynamics network works in units of the time between two snapshots; the
    authors' does not.
    """

    latent_dim: int = 16
    decoder: str = "mfn"
    width: int | None = None
    layers: int | None = None
    omega: float | None = None
    dynamics: tuple[int, ...] = (64, 64, 64)
    lam: float = 0.5
    gamma: float | None = None
    warmup: float = 0.25
    steps: int = 2000
    batch: int = 128
    lr: float = 5e-3
    schedule: str = "cosine"
    decay: float = 0.985
    decay_every: int = 100
    weight_decay: float = 1e-4
    normalize_basis: bool | None = None
    rate: bool = True
    seed: int = 0

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Recipe":
        """Raises BadInput for a name that is none, and for a value that can't be."""
        known = [each.name for each in fields(cls)]
        if unknown := [name for name in settings if name not in known]:
            raise BadInput(f"{unknown[0]}: is no setting; there: {', '.join(known)}")
        hidden = settings.get("dynamics", cls.dynamics)
        if isinstance(hidden, str) or not isinstance(hidden, Iterable):
            raise BadInput(f"dynamics={hidden!r}: expected widths of hidden layers, as in (64, 64)")
        settings = {**settings, "dynamics": tuple(hidden)}
        for name in settings.keys() & KINDS.keys():
            _check_kind(name, settings[name])
        found = cls(**settings)
        found.check()
        return found

    def check(self) -> None:
        for name, fine, expected in (
            ("decoder", self.decoder in DECODERS, " or ".join(map(repr, DECODERS))),
            ("schedule", self.schedule in SCHEDULES, " or ".join(map(repr, SCHEDULES))),
            ("latent_dim", self.latent_dim >= 1, "1 or more"),
            ("dynamics", bool(self.dynamics) and min(self.dynamics) >= 1, "widths of hidden layers, 1 or more each"),
            ("lam", 0 < self.lam <= 1, "above 0, at most 1"),
            ("gamma", self.gamma is None or 0 < self.gamma <= 1, "above 0, at most 1"),
            ("warmup", 0 <= self.warmup < 1, "a share of the steps, below 1"),
            ("steps", self.steps >= 1, "1 or more"),
            ("batch", self.batch >= 1, "1 or more"),
            ("lr", 0 < self.lr < 1, "above 0, below 1"),
            ("decay", 0 < self.decay <= 1, "above 0, at most 1"),
            ("decay_every", self.decay_every >= 1, "1 or more"),
            ("weight_decay", 0 <= self.weight_decay < 1, "0 or more, below 1"),
            ("width", self.width is None or self.width >= 2, "2 or more"),
            ("layers", self.layers is None or self.layers >= 1, "1 or more"),
            ("omega", self.omega is None or 0 < self.omega < math.inf, "above 0, finite"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not fine:
                raise BadInput(f"{name}={getattr(self, name)!r}: expected {expected}")

    @property
    def normalized(self) -> bool:
        return self.decoder == "mfn" if self.normalize_basis is None else self.normalize_basis

    @property
    def warm_steps(self) -> int:
        return math.ceil(self.warmup * self.steps)

    def drawn(self, nodes: int, channels: int) -> int:
        """How many of the solver's nodes are drawn; BadInput if they can't fix a latent's slope."""
        if channels * nodes < self.latent_dim:
            raise BadInput(
                f"latent_dim={self.latent_dim}: all {channels} x {nodes} values on the solver's nodes are fewer; "
                f"expected at most {channels * nodes}"
            )
        share = max(SHARE, OVER * self.latent_dim / channels / nodes) if self.gamma is None else self.gamma
        count = min(nodes, math.ceil(share * nodes))
        if channels * count < self.latent_dim:
            raise BadInput(
                f"gamma={share:g}: {channels} x {count} of {nodes} nodes are fewer than latent_dim="
                f"{self.latent_dim}; expected gamma of at least {self.latent_dim / channels / nodes:.3g}"
            )
        return count

    def make_decoder(self, dims: int, channels: int, omega: float, scaling: Any, key: Any) -> Any:
        from parataxis.methods.phi_rom.decoders import MFN, SineMLP

        if self.decoder == "mfn":
            size = (self.width or 64, self.layers or 3)
            return MFN(self.latent_dim, dims, channels, *size, omega=omega, scaling=scaling, key=key)
        return SineMLP(self.latent_dim, dims, channels, self.width or 32, self.layers or 4, scaling=scaling, key=key)

    def optimiser(self) -> Any:
        import optax

        least = min(LEAST_RATE, self.lr)
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(self.lr, self.steps, least / self.lr)
        else:
            rate = optax.exponential_decay(self.lr, self.decay_every, self.decay, staircase=True, end_value=least)
        return optax.adamw(rate, weight_decay=self.weight_decay)


def _check_kind(name: str, value: Any) -> None:
    values = value if name == "dynamics" else (value,)
    of, kind = KINDS[name]
    given = (isinstance(each, kind) and (kind is bool or not isinstance(each, bool)) for each in values)
    if not (value is None and name in MAYBE) and not all(given):
        raise BadInput(f"{name}={value!r}: expected {of}{' or None' if name in MAYBE else ''}")


class Draw(NamedTuple):
    """rows: of the snapshots. nodes: of the solver's, None for all."""

    rows: Any
    nodes: Any


@dataclass(frozen=True)
class Draws:
    """What each step sees: a stream of shuffled epochs of the snapshots, cut into batches, and a subset of the nodes.

    A step's draw depends on the seed and its number alone.
    """

    snapshots: int
    batch: int
    nodes: int
    drawn: int
    seed: int

    def __call__(self, step: int, n: int) -> Draw:
        size = min(self.batch, self.snapshots)
        place = np.arange(step * size, (step + n) * size)
        epoch = place // self.snapshots
        rows = np.empty(len(place), np.int32)
        for each in np.unique(epoch):
            rows[epoch == each] = _shuffled(self.seed, int(each), self.snapshots)[place[epoch == each] % self.snapshots]
        nodes = None
        if self.drawn < self.nodes:
            ours = (np.random.default_rng([self.seed, 1, each]) for each in range(step, step + n))
            nodes = np.stack([rng.permutation(self.nodes)[: self.drawn] for rng in ours]).astype(np.int32)
        return Draw(rows.reshape(n, size), nodes)


@lru_cache(maxsize=2)
def _shuffled(seed: int, epoch: int, count: int) -> Any:
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


def frequency_scale(
    u: Float[np.ndarray, "trajectory time channel point"],
    x: Float[np.ndarray, "point d"],
    layers: int,
) -> float:
    """omega at which products of `layers` filters have the data's own mean square frequency along an axis.

    x: in [-1, 1]. The data's frequency is measured between neighbouring points. With omega 1 instead, fields of several
    waves are learned many times slower.
    """
    count, d = x.shape
    if count < 2:
        return OMEGAS[0]
    frames = u.reshape(-1, *u.shape[2:])
    seen = np.random.default_rng(0).permutation(count)[: max(2, min(count, LOOKS // len(frames)))]
    distance, near = KDTree(x).query(x[seen], k=min(2 * d, count - 1) + 1)
    distance, near = distance[:, 1:], near[:, 1:]
    squares = np.zeros(frames.shape[1])
    for each in frames:
        steps = np.square(each[:, seen, None] - each[:, near], dtype=np.float64)
        squares += (steps / np.maximum(np.square(distance), 1e-12)).mean((1, 2))
    spread = frames.var(axis=(0, 2))
    varied = spread > 0
    if not varied.any():
        return OMEGAS[0]
    frequency = math.sqrt((squares[varied] / len(frames) / spread[varied]).mean())
    return float(f"{np.clip(frequency / math.sqrt(2 * layers / d), *OMEGAS):.2g}")
