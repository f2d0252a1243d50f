"""Regular expressions that one order compiled are compiled for all later ones, as far as no test can tell.

A suite that writes many patterns (arrow: 1,400 of them, 16,700 compilations an order) overflows the 512 places of the
cache of `re`, and spends a third of its time there. The cache has no place in what a test sees: so the process that
forks makes it large, learns from its children which patterns there are, and hands their compiled form on.
"""

from __future__ import annotations

import contextlib
import pickle
import re
import warnings
from typing import Any

MOST = 20_000  # patterns that are kept; a test that makes new ones without end must not fill the memory
WORTH = 20  # so many new ones are worth a message

_compile, _dump, _load, _open = re.compile, pickle.dump, pickle.load, open  # bound before the suite may patch them


class Patterns:
    """What the cache of `re` holds here, and what a child adds to it."""

    def __init__(self) -> None:
        self.cache: dict[Any, Any] = getattr(re, "_cache", {})
        self.known: set[tuple[str | bytes, int]] = set()
        self.size = len(self.cache)
        if hasattr(re, "_MAXCACHE"):
            re._MAXCACHE = MOST

    def tell(self, path: str) -> None:
        """In a child, at its end: what it compiled that its parent had not."""
        if len(self.cache) < self.size + WORTH:
            return
        keys = [key[1:] for key in list(self.cache) if type(key) is tuple and len(key) == 3 and key[0] in (str, bytes)]
        new = [(pattern, int(flags)) for pattern, flags in keys if (pattern, int(flags)) not in self.known]
        if len(new) >= WORTH:
            with contextlib.suppress(OSError), _open(path, "wb") as stream:
                _dump(new, stream)

    def learn(self, path: str) -> None:
        """In the parent: compile what a child told. A pattern of which `re` warns is left for each test to hear."""
        try:
            with _open(path, "rb") as stream:
                told = _load(stream)
        except (OSError, EOFError, pickle.UnpicklingError):  # nothing was new, or the child was killed
            return
        for pattern, flags in told[: MOST - len(self.known)]:
            self.known.add((pattern, flags))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    _compile(pattern, flags)
                except Exception:
                    continue
        self.size = len(self.cache)
