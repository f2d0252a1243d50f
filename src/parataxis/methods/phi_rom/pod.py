"""The linear bases that every figure stands beside: the projection floor, Galerkin's model, DMD, operator inference."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parataxis.errors import BadInput
from parataxis.methods.phi_rom.forecast import integrate
from parataxis.methods.phi_rom.snapshots import Snapshots
from parataxis.methods.phi_rom.solvers import SolverRHS

SUBSTEPS = 20  # of an interval between snapshots, for Galerkin's model: no stability is foretold for it
REGULAR = tuple(10.0**n for n in range(-8, 3))  # of operator inference, of which the best on training is taken

Values = Float[np.ndarray, "trajectory time channel point"]


@dataclass(frozen=True)
class POD:
    """The mean of the training snapshots and their k leading modes, orthonormal."""

    mean: Float[np.ndarray, " row"]
    modes: Float[np.ndarray, "row k"]
    channels: int

    @classmethod
    def of(cls, data: Snapshots, k: int) -> "POD":
        rows = data.u.reshape(-1, data.u.shape[2] * data.u.shape[3]).astype(np.float64)
        if not 1 <= k <= min(rows.shape):
            raise BadInput(
                f"k={k}: expected 1 to {min(rows.shape)}, as there are {len(rows)} snapshots of {rows.shape[1]}"
            )
        mean = rows.mean(0)
        centred = rows - mean
        if len(rows) > rows.shape[1]:  # the small side of the two
            _, vectors = np.linalg.eigh(centred.T @ centred)
            modes = vectors[:, ::-1][:, :k]
        else:
            modes = np.linalg.svd(centred, full_matrices=False)[2][:k].T
        return cls(mean, np.ascontiguousarray(modes), data.u.shape[2])

    def encode(self, u: Float[np.ndarray, "*batch channel point"]) -> Float[np.ndarray, "*batch k"]:
        return (u.reshape(*u.shape[:-2], -1) - self.mean) @ self.modes

    def decode(self, a: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch channel point"]:
        return (a @ self.modes.T + self.mean).reshape(*a.shape[:-1], self.channels, -1)

    def projected(self, u: Values) -> Values:
        """The best that any model in this basis can do; no other affine one does better on the training snapshots."""
        return self.decode(self.encode(u))

    def galerkin(self, rhs: SolverRHS, test: Snapshots) -> Values:
        """From each first state: the solver's slope projected on the modes, integrated."""
        mean, modes = jnp.asarray(self.mean, float), jnp.asarray(self.modes, float)
        moved = Galerkin(mean, modes, modes.T, rhs, test.shape)
        return self.decode(_forecast(moved, self.encode(test.u[:, 0]), test))

    def dmd(self, train: Snapshots, test: Snapshots) -> Values:
        """One linear map from each state's coefficients, and a constant, to the next one's, by PyDMD; it knows no beta.

        The constant is there because the mean, from which coefficients are counted, need not stay where it is.
        """
        from pydmd import DMD

        a = _with_one(self.encode(train.u), one := float(np.abs(self.encode(train.u)).max()))
        before, after = (each.reshape(-1, a.shape[-1]).T for each in (a[:, :-1], a[:, 1:]))
        # all of the rank: POD has cut it to k already, and PyDMD's own threshold would drop modes that matter
        model = DMD(svd_rank=-1, exact=True).fit(before, after)
        matrix = np.real(model.modes @ np.diag(model.eigs) @ np.linalg.pinv(model.modes))
        found = [_with_one(self.encode(test.u[:, 0]), one)]
        for _ in test.t[1:]:
            found.append(found[-1] @ matrix.T)
        return self.decode(np.stack(found, axis=1)[..., :-1])

    def opinf(self, train: Snapshots, test: Snapshots) -> Values:
        """da/dt = c + A a + H (a x a), by opinf, its regularisation chosen on the training trajectories."""
        import opinf

        a = self.encode(train.u)
        scale = float(np.abs(a).max())
        states, slopes = [], []
        for each in a / scale:
            states.append(each.T)
            slopes.append(np.gradient(each.T, train.t, axis=1, edge_order=2))
        best, chosen = np.inf, None
        for weight in REGULAR:
            model = opinf.models.ContinuousModel("cAH", solver=opinf.lstsq.L2Solver(regularizer=weight))
            model.fit(np.hstack(states), np.hstack(slopes))
            missed = np.square(_rollout(model, a[:, 0] / scale, train.t) - a / scale).mean()
            if missed < best:
                best, chosen = missed, model
        if chosen is None:
            raise BadInput("opinf: no regularisation gives a model that stays finite on the training trajectories")
        return self.decode(scale * _rollout(chosen, self.encode(test.u[:, 0]) / scale, test.t))


def _with_one(a: Float[np.ndarray, "*batch k"], one: float) -> Float[np.ndarray, "*batch k+1"]:
    """one: the constant that is put last, as large as the others."""
    return np.concatenate([a, np.full((*a.shape[:-1], 1), one)], axis=-1)


class Galerkin(eqx.Module):
    """An affine basis and a solver as a velocity: d alpha/dt = left N(offset + basis alpha).

    offset, basis: of all rows, channels one after the other; left: a left inverse of the basis.
    """

    offset: Float[Array, " row"]
    basis: Float[Array, "row k"]
    left: Float[Array, "k row"]
    rhs: SolverRHS
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, alpha: Float[Array, " k"], beta: Float[Array, " p"] | None = None) -> Float[Array, " k"]:
        u = (self.offset + self.basis @ alpha).reshape(-1, *self.shape)
        return self.left @ self.rhs(u, beta).reshape(-1)


def _forecast(moved: Any, first: np.ndarray, test: Snapshots) -> Float[np.ndarray, "trajectory time k"]:
    betas = None if test.params is None else jnp.asarray(test.params, float)
    times, dt = test.t - test.t[0], float(np.median(np.diff(test.t)))
    return np.asarray(integrate(moved, jnp.asarray(first, float), times, betas, dt, SUBSTEPS), np.float64)


def _rollout(model: Any, first: np.ndarray, t: np.ndarray) -> Float[np.ndarray, "trajectory time k"]:
    """Classical Runge-Kutta steps, four an interval; what blows up is infinite."""
    a, found = first.T, [first]
    with np.errstate(all="ignore"):
        for before, after in pairwise(t):
            h = (after - before) / 4
            for _ in range(4):
                k1 = _velocity(model, a)
                k2 = _velocity(model, a + h / 2 * k1)
                k3 = _velocity(model, a + h / 2 * k2)
                a = a + h / 6 * (k1 + 2 * k2 + 2 * k3 + _velocity(model, a + h * k3))
            found.append(a.T)
    return np.nan_to_num(np.stack(found, axis=1), nan=1e6, posinf=1e6, neginf=-1e6)


def _velocity(model: Any, a: Float[np.ndarray, "k trajectory"]) -> Float[np.ndarray, "k trajectory"]:
    a = np.clip(a, -1e6, 1e6)
    return sum(each.apply(a) for each in model.operators)
