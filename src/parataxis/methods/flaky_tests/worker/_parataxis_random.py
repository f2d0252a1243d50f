"""Random generators across a fork: what the suite seeded stays as it is, what it left to chance is drawn anew.

A fork copies generators, so that every child would draw the same numbers and a test that fails by chance would never
show it; and CPython reseeds the global `random` in a child, so that a suite's own `random.seed(42)` would be lost. A
generator whose state after collection is the same in two fresh interpreters was seeded by the suite: it is kept (or
put back). One whose state differs was not: each child seeds it from its own order's name, which keeps chance varied
between orders and one order reproducible.
"""

from __future__ import annotations

import gc
import hashlib
import pickle
import random
import sys


def _generators() -> list[object]:
    kinds: tuple[type, ...] = (random.Random,)
    numpy = sys.modules.get("numpy.random")  # never imported for this: what the suite has not loaded needs no care
    if numpy is not None:
        kinds += (numpy.Generator, numpy.RandomState)
    return [thing for thing in gc.get_objects() if issubclass(type(thing), kinds)]


def _state(generator: object) -> object | None:
    """The generator's whole state; None for one that draws from the operating system."""
    try:
        if isinstance(generator, random.Random):
            return generator.getstate()
        if hasattr(generator, "bit_generator"):
            return generator.bit_generator.state
        return generator.get_state(legacy=False)  # type: ignore[attr-defined]
    except NotImplementedError:
        return None


def _fingerprint(state: object) -> str:
    return hashlib.sha256(pickle.dumps(state, protocol=2)).hexdigest()[:16]


class Generators:
    """Every Python and NumPy generator that is alive after collection."""

    def __init__(self) -> None:
        found = [(generator, _state(generator)) for generator in _generators()]
        self._found = [(g, state, _fingerprint(state)) for g, state in found if state is not None]

    def fingerprints(self) -> list[str]:
        return sorted({fingerprint for _, _, fingerprint in self._found})

    def left_to_chance(self, seeded: set[str]) -> list[object]:
        return [generator for generator, _, fingerprint in self._found if fingerprint not in seeded]

    def prepare(self, seeded: set[str], name: str) -> None:
        """In a child: put back the generators in `seeded`, seed every other one from `name` and its own place."""
        for place, (generator, state, fingerprint) in enumerate(self._found):
            if fingerprint in seeded:
                if isinstance(generator, random.Random):
                    generator.setstate(state)  # type: ignore[arg-type]
                continue
            seed = int.from_bytes(hashlib.sha256(("%s/%d" % (name, place)).encode()).digest()[:16], "big")
            if isinstance(generator, random.Random):
                generator.seed(seed)
            else:
                _seed_numpy(generator, seed)


def _seed_numpy(generator: object, seed: int) -> None:
    if hasattr(generator, "bit_generator"):
        bits = generator.bit_generator
        bits.state = type(bits)(seed).state
    else:
        generator.seed(seed % 2**32)  # type: ignore[attr-defined]
