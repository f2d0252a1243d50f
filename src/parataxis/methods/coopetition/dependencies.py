"""Dependencies between actors, and the matrix that is made of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parataxis.errors import BadInput
from parataxis.methods.coopetition.interdependence import Interdependence, check_names

NORMALISE = ("all", "per-partner")


@dataclass(frozen=True)
class Dependency:
    """The depender needs the dependum, and the dependee provides it.

    importance: how much of the depender's need it is, at least 0. criticality: in [0, 1], 1 where the dependee is its
    sole provider; None: by the rule of `Dependencies.criticality`. kind: Goal, Task, Resource, Quality, or any word.
    """

    depender: str
    dependee: str
    dependum: str
    importance: float = 1.0
    criticality: float | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        what = f"dependum {self.dependum!r}"
        for name in ("depender", "dependee", "dependum"):
            if not isinstance(given := getattr(self, name), str) or not given.strip():
                raise BadInput(f"{what}: {name}={given!r}: expected a name")
        if self.depender == self.dependee:
            raise BadInput(f"{what}: depender={self.depender!r} is its dependee too; nobody depends on itself")
        for name in ("importance", "criticality"):
            given = getattr(self, name)
            if not isinstance(given, Real) and not (given is None and name == "criticality"):
                raise BadInput(f"{what}: {name}={given!r}: expected a number")
        if not (isfinite(self.importance) and self.importance >= 0):
            raise BadInput(f"{what}: importance={self.importance:g}: expected a number of at least 0")
        if self.criticality is not None and not 0 <= self.criticality <= 1:
            raise BadInput(f"{what}: criticality={self.criticality:g}: expected a number from 0 to 1")


@dataclass(frozen=True)
class Dependencies:
    """names: of the actors, those who neither depend nor are depended on included. notes: what was passed over.

    Raises BadInput.
    """

    names: tuple[str, ...]
    rows: tuple[Dependency, ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        check_names(self.names)
        seen: dict[tuple[str, str], float] = {}
        pairs = set()
        for row in self.rows:
            for role in ("depender", "dependee"):
                if getattr(row, role) not in self.names:
                    raise BadInput(f"dependum {row.dependum!r}: {role}={getattr(row, role)!r} is no actor of the model")
            key, pair = (row.depender, row.dependum), (row.depender, row.dependum, row.dependee)
            if pair in pairs:
                raise BadInput(
                    f"{row.depender!r} depends on {row.dependee!r} for {row.dependum!r} twice; leave one of them out, "
                    "or give one another text"
                )
            if seen.setdefault(key, row.importance) != row.importance:
                raise BadInput(
                    f"dependum {row.dependum!r} of {row.depender!r}: importance={row.importance:g} here and "
                    f"{seen[key]:g} elsewhere; it is one need, give it one importance"
                )
            pairs.add(pair)

    @classmethod
    def of(cls, rows: Iterable[Dependency], notes: tuple[str, ...] = ()) -> "Dependencies":
        """The actors are those of the rows, by name: no order of the rows matters."""
        rows = tuple(rows)
        return cls(tuple(sorted({name for row in rows for name in (row.depender, row.dependee)})), rows, notes)

    @classmethod
    def read(cls, path: Path | str) -> "Dependencies":
        """From piStar's JSON, or a table (.csv, .parquet) of dependencies. Raises BadInput."""
        from parataxis.methods.coopetition.reading import read_dependencies

        return read_dependencies(Path(path))

    def write(self, path: Path | str) -> Path:
        """As piStar's JSON, or as a table (.csv, .parquet)."""
        from parataxis.methods.coopetition.writing import write_dependencies

        return write_dependencies(self, Path(path))

    def criticality(self, row: Dependency) -> float:
        """What the row says; else 1 / the number of dependees that this depender has for the same dependum."""
        if row.criticality is not None:
            return row.criticality
        return 1 / sum(each.depender == row.depender and each.dependum == row.dependum for each in self.rows)

    def matrix(self, normalise: str = "all") -> Interdependence:
        """D[i, j] = sum of importance x criticality of what j provides to i / sum of the importance of all i needs.

        A dependum with several dependees is one need. "per-partner" divides by the importance of what j provides, as
        the authors' package does: other numbers as soon as i has two partners. Raises BadInput.
        """
        if normalise not in NORMALISE:
            raise BadInput(f"normalise={normalise!r}: expected {' or '.join(map(repr, NORMALISE))}")
        place = {name: at for at, name in enumerate(self.names)}
        n = len(self.names)
        provided, needed = np.zeros((n, n)), np.zeros((n, n))
        needs: dict[int, dict[str, float]] = defaultdict(dict)
        for row in sorted(self.rows, key=lambda each: (each.depender, each.dependee, each.dependum)):
            i, j = place[row.depender], place[row.dependee]
            provided[i, j] += row.importance * self.criticality(row)
            needed[i, j] += row.importance
            needs[i][row.dependum] = row.importance
        if normalise == "all":
            for i, its in needs.items():
                needed[i] = sum(its[name] for name in sorted(its))
        for i in needs:
            if not needed[i].any():
                raise BadInput(
                    f"actor {self.names[i]!r}: importance sums to 0; give what it needs an importance above 0"
                )
        return Interdependence(self.names, np.divide(provided, needed, out=np.zeros((n, n)), where=needed > 0))

    def frame(self) -> pd.DataFrame:
        """A row a dependency; criticality as it counts."""
        columns: dict[str, list[Any]] = {
            "depender": [row.depender for row in self.rows],
            "dependee": [row.dependee for row in self.rows],
            "dependum": [row.dependum for row in self.rows],
            "importance": [row.importance for row in self.rows],
            "criticality": [self.criticality(row) for row in self.rows],
            "type": [row.kind for row in self.rows],
        }
        return pd.DataFrame(columns)
