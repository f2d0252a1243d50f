"""What a study is given: its scale, randomness by name, data, a work folder, and the audit."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from parataxis import data
from parataxis.claims import Measurement, Paper, System

SHOWN_EVERY = 0.5  # seconds between two words about progress
SHOWN = 12  # places of a witness in its line
T = TypeVar("T")


def silent(text: str) -> None:
    """Where nobody looks on."""


@dataclass
class Context:
    """The argument of `study(ctx)`.

    scale: "toy" (the study's own `toy` input), "quick" (at most 60 s on two cores), "full" (20 min) or "paper" (the
    published scale). jobs: how many processes the study itself may use; no number may depend on it. device: for
    torch. work: a folder of its own, kept until the run is finished. kept: the ids that an earlier, cut-off part of
    this run has stored, and those that can't be measured here or at this scale. used: the data files read so far, each
    with its sha256. drawn: the names of the streams drawn. tell: takes a word about progress.
    """

    paper: Paper
    scale: str
    seed: int
    work: Path
    jobs: int = 1
    device: str = "cpu"
    kept: frozenset[str] = frozenset()
    used: dict[str, str] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)
    tell: Callable[[str], None] = silent

    def rng(self, *names: str | int) -> np.random.Generator:
        """A stream of its own for these names: it depends on the seed, the paper and the names, on nothing else."""
        self.drawn.add("/".join(map(str, names)))
        digest = hashlib.sha256(repr((self.seed, self.paper.name, names)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest))

    def data(self, file: str) -> Path:
        """The path of a file that paper.toml declares (`parataxis.data.find`)."""
        path = data.find(self.paper, file)
        packed = next(each.packed for each in self.paper.data if each.file == file)
        self.used[file] = data.digest(path, packed)
        return path

    def lacks(self, file: str) -> bool:
        """Whether a file that paper.toml declares is not here, and has no public address (`parataxis.data.lacks`)."""
        return data.lacks(self.paper, file)

    def done(self, identity: str) -> bool:
        """Whether this claim or symmetry need not be measured: an earlier part of this run has stored it, or it can't
        be here, for want of a file, or at this scale."""
        return identity in self.kept

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """The same items; how far it is shows beside the method's name while the run goes on."""
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        last = -math.inf
        for place, item in enumerate(iterable):
            if time.monotonic() - last >= SHOWN_EVERY:
                self.tell(f"{label} {place}" if total is None else f"{label} {place}/{total}")
                last = time.monotonic()
            yield item

    def audit(self, symmetry: str, system: System, items: Sequence[Any] | None = None, **options: Any) -> Measurement:
        """Audit a system for a symmetry; `options` are those of `parataxis.audit.audit`.

        Returns the share of orders in which the outcome differs with its interval, n orders, the verdict, and the
        witness's places.
        """
        from parataxis.audit import audit

        options = {"per_item": system.per_item, "compare": system.compare, "seed": self._seed(symmetry), **options}
        found = audit(system.run, system.items if items is None else items, **options)
        share = found.effect
        note = _places(found.witness.other_places) if found.witness else ""
        verdict = found.verdict.value
        return Measurement(
            symmetry, share.rate, share.low, share.high, share.orders, "share of orders", verdict=verdict, note=note
        )

    def _seed(self, symmetry: str) -> int:
        return int(self.rng("audit", symmetry).integers(2**32))


def _places(witness: Sequence[int]) -> str:
    """A witness in a line: the same items in their given order have another outcome."""
    shown = ", ".join(map(str, witness[:SHOWN])) + (f" and {len(witness) - SHOWN} more" if len(witness) > SHOWN else "")
    return f"witness: items {shown} in this order"
