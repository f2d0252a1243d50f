"""The one fitting loop: seeded by name, early stopping, atomic checkpoints, and a resume that changes no bit.

What epoch k draws depends on `rng("epoch", k)` alone, never on how the loop came there: so a checkpoint holds no random
state, and the process's own generators are as they were once the loop is left.
"""

import hashlib
import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from parataxis.errors import BadInput
from parataxis.files import write_atomic

if TYPE_CHECKING:
    from accelerate import Accelerator

Rng = Callable[..., np.random.Generator]  # `ctx.rng` of a study, or `named(seed)`
Row = dict[str, float]


def named(seed: int, *names: str | int) -> Rng:
    """Streams by name outside a study: `named(0)("split", 3)` depends on the seed and these names alone."""

    def rng(*more: str | int) -> np.random.Generator:
        digest = hashlib.sha256(repr((seed, *names, *more)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest))

    return rng


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """torch draws from this stream in the block; its own state is put back afterwards."""
    seed, cards = int(rng.integers(2**63)), torch.cuda.device_count()
    with torch.random.fork_rng(devices=range(cards)):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 0.3 ms where there is no card
        if cards:
            torch.cuda.manual_seed_all(seed)
        yield


@dataclass(frozen=True)
class Epoch:
    """What `batches` and `loss` may ask of the epoch: its number from 0, a stream of its own, the rows before it."""

    number: int
    rng: np.random.Generator
    history: Sequence[Row]


@dataclass(frozen=True)
class Fitted:
    """history: a row an epoch, `loss` (mean over batches) and what `evaluate` gave. best: the epoch whose weights the
    model now has, the last without `choose`. seconds: of this process, not of those before a resume.
    """

    history: pd.DataFrame
    best: int
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """path: of a file, written whole or not at all, at most every `every` seconds and at the end.

    identity: what else than model, optimizer and seed decides the outcome, as a hash of the data: a file of another fit
    is refused.
    """

    path: Path
    identity: str = ""
    every: float = 10.0


@dataclass
class _State:
    """What a resume needs, beside model, optimizer and schedule."""

    history: list[Row] = field(default_factory=list)
    best: int = -1
    value: float = -math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)


def whole(epoch: Epoch) -> Iterable[None]:
    """One batch an epoch, for a loss that looks at all there is."""
    return (None,)


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Any, Epoch], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    rng: Rng,
    batches: Callable[[Epoch], Iterable[Any]] = whole,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    choose: str = "",
    patience: int | None = None,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    clip: float | None = None,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[int, int, str], None] | None = None,
    several: "Accelerator | None" = None,
) -> Fitted:
    """Fit the model in place.

    loss: of one batch, in training mode. batches: of an epoch; they may depend on the history, as a curriculum does.
    evaluate: after every epoch, in eval mode, without gradients. choose: the metric by which the best epoch is kept,
        the first of equals; with a minus before it the least is best. patience: stop after so many epochs without a
        better one. schedule: stepped after every batch. clip: of the gradient's norm.
    checkpoint: a fit that is given one goes on from it, and ends, on one machine, with the same bits as if it had not
        been cut off.
    several: an Accelerator; each process then takes its share of the batches, gradients are averaged, and an
        incomplete last round is filled from the first batches.

    Raises BadInput for a checkpoint of another fit and for a loss that is not finite.
    """
    _check(epochs, evaluate, choose, patience)
    begun = time.perf_counter()
    run: Any = model
    if several:
        run, optimizer = several.prepare(model, optimizer)
    loop = _Loop(model, run, optimizer, schedule, loss, evaluate, clip, rng, several)
    keep = _Keeper(checkpoint, _fingerprint(model, optimizer, rng, checkpoint), several)
    state = keep.read(loop)
    while len(state.history) < epochs and not _patience_spent(state, patience):
        epoch = Epoch(len(state.history), rng("batches", len(state.history)), tuple(state.history))
        state.history.append(loop.train(epoch, batches(epoch)) | loop.measure())
        _choose(state, model, choose)
        if tell:
            told = " ".join(f"{name} {value:.4g}" for name, value in state.history[-1].items())
            tell(epoch.number + 1, epochs, told)
        keep.write(loop, state)
    keep.write(loop, state, last=True)
    if choose:
        model.load_state_dict(state.weights)
    model.eval()
    return Fitted(pd.DataFrame(state.history).rename_axis("epoch"), state.best, time.perf_counter() - begun)


def _check(epochs: int, evaluate: Any, choose: str, patience: int | None) -> None:
    if epochs < 1:
        raise BadInput(f"epochs={epochs}: expected at least 1")
    if (choose or patience is not None) and evaluate is None:
        raise BadInput(f"choose={choose!r}, patience={patience}: give evaluate as well, there is no metric without it")
    if patience is not None and not choose:
        raise BadInput(f"patience={patience}: name with choose the metric that it waits for")


def _patience_spent(state: _State, patience: int | None) -> bool:
    return patience is not None and len(state.history) - 1 - state.best >= patience


def _choose(state: _State, model: nn.Module, choose: str) -> None:
    """Keep the weights if this epoch is better than all before it."""
    if not choose:
        state.best = len(state.history) - 1
        return
    row, name = state.history[-1], choose.removeprefix("-")
    if name not in row:
        raise BadInput(f"choose={choose!r}: evaluate gives {', '.join(row)}")
    if math.isnan(row[name]):
        raise BadInput(f"choose={choose!r}: is nan in epoch {len(state.history) - 1}; no epoch can be chosen by that")
    value = -row[name] if choose.startswith("-") else row[name]
    if value > state.value:
        state.best, state.value = len(state.history) - 1, value
        state.weights = {key: each.detach().clone() for key, each in model.state_dict().items()}


@dataclass
class _Loop:
    """One epoch's work. run: the model as it is called, wrapped where several processes share the work."""

    model: nn.Module
    run: nn.Module
    optimizer: Any
    schedule: Any
    loss: Callable[[nn.Module, Any, Epoch], Tensor]
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None
    clip: float | None
    rng: Rng
    several: Any

    def train(self, epoch: Epoch, batches: Iterable[Any]) -> Row:
        rank = self.several.process_index if self.several else 0
        self.run.train()
        losses, weights = [], list(self.model.parameters())
        with seeded(self.rng("epoch", epoch.number, *([rank] if rank else []))):
            for batch in self._share(batches, rank):
                self.optimizer.zero_grad()
                value = self.loss(self.run, batch, epoch)
                self._backward(value, weights)
                self.optimizer.step()
                if self.schedule:
                    self.schedule.step()
                losses.append(value.detach())
        if not losses:
            raise BadInput(f"batches: epoch {epoch.number} has none; give at least one")
        mean = torch.stack(losses).mean()
        if self.several:
            mean = self.several.reduce(mean, "mean")
        if not math.isfinite(float(mean)):
            raise BadInput(
                f"loss={float(mean)} in epoch {epoch.number}: must be finite; lower the learning rate, or look for "
                "values in the data that are not"
            )
        return {"loss": float(mean)}

    def measure(self) -> Row:
        if self.evaluate is None:
            return {}
        self.model.eval()
        with torch.no_grad():
            return {name: float(value) for name, value in self.evaluate(self.model).items()}

    def _backward(self, value: Tensor, weights: list[nn.Parameter]) -> None:
        if self.several:
            self.several.backward(value)
        else:
            value.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(weights, self.clip)

    def _share(self, batches: Iterable[Any], rank: int) -> Iterable[Any]:
        if not self.several or self.several.num_processes == 1:
            return batches
        listed, world = list(batches), self.several.num_processes
        return [listed[place % len(listed)] for place in range(rank, math.ceil(len(listed) / world) * world, world)]


def _fingerprint(model: nn.Module, optimizer: Any, rng: Rng, checkpoint: Checkpoint | None) -> str:
    shapes = [(name, tuple(each.shape), str(each.dtype)) for name, each in model.state_dict().items()]
    optimizer = getattr(optimizer, "optimizer", optimizer)  # as accelerate wraps it
    settings = [
        {name: value for name, value in group.items() if name not in ("params", "lr", "initial_lr")}
        for group in optimizer.param_groups
    ]
    identity = checkpoint.identity if checkpoint else ""
    known = repr((shapes, type(optimizer).__name__, settings, int(rng("epoch", 0).integers(2**63)), identity))
    return hashlib.sha256(known.encode()).hexdigest()[:16]


class _Keeper:
    """The checkpoint: written now and then by the main process, read by all."""

    def __init__(self, checkpoint: Checkpoint | None, fingerprint: str, several: Any) -> None:
        self.path = checkpoint.path if checkpoint else None
        self.every, self.fingerprint = checkpoint.every if checkpoint else 0.0, fingerprint
        self.main = several is None or several.is_main_process
        self.last = time.monotonic()
        self.written = -1  # epochs

    def write(self, loop: _Loop, state: _State, last: bool = False) -> None:
        due = last or time.monotonic() - self.last >= self.every
        if self.path is None or not self.main or not due or self.written == len(state.history):
            return
        buffer = io.BytesIO()
        parts = {name: part.state_dict() for name, part in self._parts(loop)}
        torch.save({"fingerprint": self.fingerprint, **parts, **vars(state)}, buffer)
        write_atomic(self.path, buffer.getvalue())
        self.last, self.written = time.monotonic(), len(state.history)

    def _parts(self, loop: _Loop) -> list[tuple[str, Any]]:
        named = (("model", loop.model), ("optimizer", loop.optimizer), ("schedule", loop.schedule))
        return [(name, part) for name, part in named if part is not None]

    def read(self, loop: _Loop) -> _State:
        if self.path is None or not self.path.exists():
            return _State()
        device = next(loop.model.parameters()).device
        try:
            found = torch.load(self.path, map_location=device, weights_only=True)
        except Exception as error:  # pickle, zip or torch: whatever it is, the file is no checkpoint
            raise BadInput(f"{self.path}: is no checkpoint ({type(error).__name__}); take it away") from None
        if not isinstance(found, dict) or "fingerprint" not in found:
            raise BadInput(f"{self.path}: is no checkpoint of a fit; take it away")
        if found["fingerprint"] != self.fingerprint:
            raise BadInput(
                f"{self.path}: is of a fit with another model, optimizer, seed or data; take it away to begin anew"
            )
        for name, part in self._parts(loop):
            part.load_state_dict(found[name])
        state = _State(**{name: found[name] for name in vars(_State())})
        self.written = len(state.history)
        return state
