"""The training loop: chunks of steps on the device, what each is told, and a checkpoint to go on from.

It knows nothing of the method: a step is `advance(state, data, draw) -> (state, told)`, and what is drawn for it is
made on the host, from seed and number of the step alone. So a run that was cut off goes on bit by bit as if it had
not been.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
import optax

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.progress import Tell, untold

CHUNK = 50  # steps between two looks from outside
SAVE = 10.0  # seconds between two checkpoints
BAD = "bad gradients"  # what a step tells if it replaced gradients that were not finite by zero

Advance = Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]]
Told = dict[str, float | int]


class State(NamedTuple):
    """What is trained, and what the optimiser remembers."""

    params: Any
    memory: Any


class Phase(NamedTuple):
    """advance: one step. until: the step (of all) before which the phase ends."""

    advance: Advance
    until: int


@dataclass
class Trained:
    """history: a row a chunk: the last step, seconds since the start, the mean of what the steps told."""

    state: Any
    history: list[Told] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """A file with state and history. known: what they are of; another's file is not gone on from."""

    path: Path
    known: str

    def save(self, step: int, found: Trained) -> None:
        leaves = jax.tree.leaves(found.state)
        stream = io.BytesIO()
        meta = json.dumps({"known": self.known, "step": step, "history": found.history})
        arrays: dict[str, Any] = {f"leaf{n}": np.asarray(leaf) for n, leaf in enumerate(leaves)}
        np.savez(stream, meta=np.array(meta), **arrays)
        write_atomic(self.path, stream.getvalue())

    def load(self, state: Any) -> tuple[int, Trained]:
        """Of the same structure as `state`; (0, state itself) where there is no file of this run."""
        if not self.path.exists():
            return 0, Trained(state)
        try:
            with open(self.path, "rb") as stream, np.load(stream) as kept:
                meta = json.loads(str(kept["meta"]))
                if meta["known"] != self.known:
                    return 0, Trained(state)
                leaves, form = jax.tree.flatten(state)
                found = [jnp.asarray(kept[f"leaf{n}"]) for n in range(len(leaves))]
        except (KeyError, ValueError, OSError, BadZipFile):
            raise BadInput(f"{self.path}: is no checkpoint of a training; remove it, or name another file") from None
        return meta["step"], Trained(jax.tree.unflatten(form, found), meta["history"])


def fingerprint(settings: Any, *arrays: np.ndarray | None) -> str:
    """Of a run: of its settings and of its data."""
    digest = hashlib.sha256(repr(settings).encode())
    for each in arrays:
        digest.update(b"-" if each is None else np.ascontiguousarray(each).tobytes())
    return digest.hexdigest()


def gradient_step(
    loss: Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]], optimiser: optax.GradientTransformation
) -> Advance:
    """A step of an optimiser on loss(params, data, draw) -> (value, told).

    Gradients that are not finite are replaced by zero, as in the authors' code; here the step says so.
    """

    def advance(state: State, data: Any, draw: Any) -> tuple[State, dict[str, Any]]:
        (value, told), gradients = jax.value_and_grad(loss, has_aux=True)(state.params, data, draw)
        finite = jnp.array([jnp.isfinite(each).all() for each in jax.tree.leaves(gradients)]).all()
        gradients = jax.tree.map(lambda each: jnp.where(jnp.isfinite(each), each, 0), gradients)
        updates, memory = optimiser.update(gradients, state.memory, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(params, memory), {"loss": value, **told, BAD: 1.0 - finite}

    return advance


def start(params: Any, optimiser: optax.GradientTransformation) -> State:
    """Before the first step, with strong types, so that no chunk is compiled twice."""
    strong = jax.tree.map(lambda each: jnp.asarray(each, jnp.asarray(each).dtype), params)
    return State(strong, jax.jit(optimiser.init)(strong))


def train(
    phases: Sequence[Phase],
    state: Any,
    data: Any,
    draws: Callable[[int, int], Any],
    *,
    checkpoint: Checkpoint | None = None,
    tell: Tell = untold,
    watch: Callable[[Any], Told] = lambda state: {},
) -> Trained:
    """Run the phases. draws(step, n): arrays with a leading axis n, for n steps from this one.

    watch: what else a row of the history holds, of the state after it. Raises BadInput where the gradients of a whole
    chunk are not finite.
    """
    step, found = checkpoint.load(state) if checkpoint else (0, Trained(state))
    before = found.history[-1]["seconds"] if found.history else 0.0
    begun, saved, last = time.monotonic() - before, time.monotonic(), phases[-1].until
    for phase in phases:
        chunk = _chunk(phase.advance)
        while step < phase.until:
            n = min(CHUNK, phase.until - step)
            drawn = jax.tree.map(_padded, draws(step, n))
            state, told = chunk(found.state, data, drawn, n)
            step += n
            row = {name: float(np.mean(np.asarray(each)[:n])) for name, each in told.items()}
            found.state = state
            found.history.append({"step": step, "seconds": time.monotonic() - begun, **row, **watch(state)})
            _stop_if_bad(row, step, n)
            tell(step, last, said(found.history[-1]))
            if checkpoint and (time.monotonic() - saved > SAVE or step == last):
                checkpoint.save(step, found)
                saved = time.monotonic()
    return found


def _chunk(advance: Advance) -> Callable[[Any, Any, Any, int], tuple[Any, Any]]:
    """Up to CHUNK steps in one call; their number is no constant, so that all chunks share one program."""

    @jax.jit
    def run(state: Any, data: Any, drawn: Any, n: Any) -> tuple[Any, Any]:
        def at(i: Any) -> Any:
            return jax.tree.map(lambda each: each[i], drawn)

        _, shapes = jax.eval_shape(lambda: advance(state, data, at(0)))
        empty = {name: jnp.zeros(CHUNK, each.dtype) for name, each in shapes.items()}

        def body(i: Any, carried: Any) -> Any:
            state, kept = carried
            state, told = advance(state, data, at(i))
            return state, {name: kept[name].at[i].set(told[name]) for name in kept}

        return jax.lax.fori_loop(0, n, body, (state, empty))

    return run


def _padded(drawn: np.ndarray) -> np.ndarray:
    """To CHUNK steps, of which the last are not run."""
    return np.concatenate([drawn, np.repeat(drawn[:1], CHUNK - len(drawn), axis=0)])


def _stop_if_bad(row: Told, step: int, n: int) -> None:
    if row.get(BAD, 0.0) == 1.0:
        raise BadInput(
            f"training: no gradient of steps {step - n + 1} to {step} was finite; try a smaller lr, a longer warmup, "
            "or a solver that stands rough fields"
        )


def said(row: Told) -> str:
    """A row of the history in a few words."""
    told = {name: value for name, value in row.items() if name not in ("step", "seconds", BAD)}
    text = ", ".join(f"{name} {value:.3g}" for name, value in told.items())
    return f"{text}, {BAD} in {row[BAD]:.0%} of the steps" if row.get(BAD) else text
