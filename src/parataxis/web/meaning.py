"""Search by meaning: whose title and summary mean about what a query asks, in other words. Needs the extra `meaning`.

The encoder is WordLlama's: a text's vector is the mean of its tokens'. Its weights lie in its package (16 MB), and
nothing is fetched.
"""

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float

from parataxis.studies.registry import Method

MOST = 3
LEAST = 0.1  # cosine; most of what benchmarks/search.py asks of other matters is below, of the papers above


def installed() -> bool:
    return find_spec("wordllama") is not None


class Meaning:
    """Encodes the papers once (0.5 s), then a query in about a millisecond; for many threads."""

    def __init__(self, known: Mapping[str, Method]) -> None:
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        import wordllama

        root.level, root.handlers[:] = level, handlers  # its import makes every library's log be shown
        # Its tokenizer is looked for in the cache folder only, so that is its own package.
        self._encoder = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
        self._names = list(known)
        self._papers = self._encode([f"{each.paper.title}. {each.paper.summary}" for each in known.values()])

    def near(self, query: str) -> list[str]:
        """The names of the papers that are nearest in meaning, the nearest first; none that is about something else."""
        if not query.strip():
            return []
        cosine = self._papers @ self._encode([query])[0]
        nearest = np.argsort(-cosine, kind="stable")[:MOST]
        return [self._names[place] for place in nearest if cosine[place] >= LEAST]

    def _encode(self, texts: list[str]) -> Float[np.ndarray, "text 256"]:
        vectors = self._encoder.embed(texts)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
