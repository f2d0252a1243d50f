"""Drawing examples of skills: exact counts, and a random stream of each skill's own, keyed by its name.

Where a skill stands in a list changes nothing: not how many of its examples are drawn, not which, not where they stand.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from parataxis.errors import BadInput

Weights = Float[np.ndarray, " skill"]
Counts = Int[np.ndarray, " skill"]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends on the seed and these names alone."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def checked_names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """The names of skills as a tuple. BadInput if there is none, one is no text, or one stands twice."""
    found = tuple(names)
    if not found:
        raise BadInput(f"{what}: holds no skill; give at least one")
    for place, name in enumerate(found):
        if not isinstance(name, str) or not name:
            raise BadInput(f"{what}[{place}]={name!r}: expected the name of a skill")
        if name in found[:place] and len(set(found)) < len(found):
            raise BadInput(f"{what}: skill {name!r} stands twice; every skill needs a name of its own")
    return found


def by_name(values: Mapping[str, float], skills: Sequence[str], what: str) -> Weights:
    """Numbers in the order of the skills. BadInput if one is missing, unknown or not finite."""
    known = set(skills)
    for name in values:
        if name not in known:
            raise BadInput(f"{what}: skill {name!r} is unknown; known: {', '.join(skills)}")
    for name in skills:
        if name not in values:
            raise BadInput(f"{what}: skill {name!r} is missing")
        if not np.isfinite(values[name]):
            raise BadInput(f"{what}: skill {name!r}: {values[name]} must be finite")
    return np.array([float(values[name]) for name in skills])


def mixture(weights: Mapping[str, float], skills: Sequence[str], what: str = "weights") -> Weights:
    """Weights in the order of the skills, scaled to the sum 1; a skill that is left out has none. BadInput."""
    found = by_name({**dict.fromkeys(skills, 0.0), **weights}, skills, what)
    for name, weight in zip(skills, found, strict=True):
        if weight < 0:
            raise BadInput(f"{what}: skill {name!r}: {weight:g} must be at least 0")
    if not found.sum() > 0:
        raise BadInput(f"{what}: all are 0; give at least one skill a weight")
    return found / found.sum()


def exact_counts(weights: Weights, total: int, skills: Sequence[str], key: tuple[int, int] = (0, 0)) -> Counts:
    """Whole numbers that sum to `total`, each less than 1 from its share, by the largest remainders.

    key: seed and round; of equal remainders, which is preferred is drawn from these and the name, so that no place in
    the list is favoured.
    """
    shares = weights * total
    counts = np.floor(shares).astype(np.int64)
    left = total - int(counts.sum())
    if left:
        # equal but for rounding: N w with w = 1 / k may be an ulp apart from skill to skill
        remainders = np.round(shares - counts, 9)
        luck = np.array([_luck(key, name) for name in skills])
        most = np.lexsort((luck, -remainders))[:left]
        counts[most] += 1
    return counts


def _luck(key: tuple[int, int], name: str) -> int:
    digest = hashlib.sha256(repr((*key, "remainder", name)).encode()).digest()
    return int.from_bytes(digest[:7])


def arrangement(counts: Counts, skills: Sequence[str], seed: int, number: int) -> Int[np.ndarray, " example"]:
    """A shuffled order of a round's places in the list of skills, `counts[i]` times each i.

    Every skill draws a key for each of its examples from its own stream, and the keys are sorted. number: of the round.
    """
    keys = [stream(seed, "place", name, number).random(count) for name, count in zip(skills, counts, strict=True)]
    # a tie of two 53-bit keys, which is as good as impossible, falls to the name
    ranks = np.argsort(np.argsort(np.array(skills, dtype=object)))
    labels = np.repeat(np.arange(len(skills)), counts)
    return labels[np.lexsort((ranks[labels], np.concatenate(keys)))]


class SkillStream:
    """The endless stream of one skill's examples: all of them shuffled, then shuffled anew, and so on.

    What stands at a position depends on seed, name and position alone: a cursor is all the state there is.
    """

    def __init__(self, name: str, rows: Int[np.ndarray, " row"], seed: int) -> None:
        self.name, self.rows, self.seed = name, rows, seed
        self._pass, self._order = -1, rows

    def take(self, start: int, count: int) -> Int[np.ndarray, " example"]:
        """The examples at positions start to start + count."""
        parts = []
        while count > 0:
            number, offset = divmod(start, len(self.rows))
            part = self._shuffled(number)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts) if parts else self.rows[:0]

    def _shuffled(self, number: int) -> Int[np.ndarray, " row"]:
        if number != self._pass:
            self._pass = number
            self._order = stream(self.seed, "examples", self.name, number).permutation(self.rows)
        return self._order
