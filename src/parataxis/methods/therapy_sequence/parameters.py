"""The uncertain numbers of a model, each with its distribution; a model with other numbers in their place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.model import ModelFile
from parataxis.methods.therapy_sequence.parts import Schedule

Path = tuple[str | int, ...]
COSTS = ("cost", "cost_stopped", "cost_always", "cost_first")
LEAF = ""  # in a tree of changes: the number itself, or the factor of a schedule
UTILITIES = ("utility", "utility_stopped", "utility_first")


@dataclass(frozen=True)
class Parameter:
    """paths: where it stands; what is one number of the world may stand in several places. kind: cost (gamma), utility
    or probability (beta). sd: 0 holds it fixed.
    """

    name: str
    paths: tuple[Path, ...]
    kind: str
    mean: float
    sd: float

    def shapes(self) -> tuple[float, float]:
        """Gamma: shape and scale. Beta: its two shapes."""
        if self.kind == "cost":
            shape = (self.mean / self.sd) ** 2
            return shape, self.mean / shape
        spread = self.mean * (1 - self.mean) / self.sd**2 - 1
        if spread <= 0:
            raise BadInput(
                f"{self.name}: mean={self.mean:g}, standard error={self.sd:g}: no beta distribution has these; "
                "expected a smaller standard error in [uncertainty]"
            )
        return self.mean * spread, (1 - self.mean) * spread

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(rng.gamma(*self.shapes()) if self.kind == "cost" else rng.beta(*self.shapes()))

    def quantile(self, share: float) -> float:
        """Below which this share of values lies."""
        from scipy import stats

        one, other = self.shapes()
        found = stats.gamma.ppf(share, one, scale=other) if self.kind == "cost" else stats.beta.ppf(share, one, other)
        return float(found)


def parameters(parts: ModelFile) -> list[Parameter]:
    """Those that vary. Equal costs of a drug in several lines, and equal utilities in one line, are one parameter: they
    are one price, and one way to feel.
    """
    found: dict[tuple[Any, ...], list[Any]] = {}
    for key, name, path, kind, mean, sd in _places(parts):
        if sd > 0 and mean > 0 and (kind == "cost" or mean < 1):
            group = found.setdefault((*key, mean), [[], [], kind, mean, sd])
            group[0].append(name)
            group[1].append(path)
    return [Parameter(_name(names), tuple(paths), kind, mean, sd) for names, paths, kind, mean, sd in found.values()]


def _name(names: list[str]) -> str:
    """Of one number that stands in several places: two of them, and how many more."""
    first = sorted(set(names))
    more = f" = {len(first) - 2} more" if len(first) > 2 else ""
    return " = ".join(first[:2]) + more


def _places(parts: ModelFile) -> Iterator[tuple[tuple[Any, ...], str, Path, str, float, float]]:
    spread = parts.uncertainty
    cost, utility = parts.extensive.cost, parts.extensive.utility
    yield ("extensive cost",), "cost after all lines", ("extensive", "cost"), "cost", cost, spread.costs * cost
    yield ("extensive",), "utility after all lines", ("extensive", "utility"), "utility", utility, spread.utilities
    for d, drug in enumerate(parts.drugs):
        for n, line in enumerate(drug.lines):
            at: Path = ("drugs", d, "lines", n)
            for part, place, word in (
                (line, at, ""),
                (line.adverse_event, (*at, "adverse_event"), f" {line.adverse_event.name}"),
            ):
                for field in (each for each in COSTS if getattr(part, each, None)):
                    mean = getattr(part, field)
                    whose = "any drug" if field == "cost_always" else drug.id
                    key = ("cost", whose, word, field)
                    name = f"{whose}{word}: {field}"
                    yield key, name, (*place, field), "cost", mean, spread.costs * mean
                for field in (each for each in UTILITIES if getattr(part, each, None)):
                    name = f"{drug.id}{word}, line {n + 1}: {field}"
                    yield ("utility", n), name, (*place, field), "utility", getattr(part, field), spread.utilities
            for schedule, field in ((line.stop, "stop"), (line.adverse_event, "adverse_event")):
                mean = sum(schedule.begin())
                if 0 < mean < 1:
                    name = f"{drug.id}, line {n + 1}: {field.replace('_', ' ')} probability"
                    yield (field, d, n), name, (*at, field), "probability", mean, spread.probabilities * mean


def with_values(parts: ModelFile, values: Mapping[Parameter, float]) -> ModelFile:
    """The model with these numbers. A probability's schedule is scaled to its new sum."""
    changes: dict[Any, Any] = {}
    for parameter, value in values.items():
        for path in parameter.paths:
            node = changes
            for step in path:
                node = node.setdefault(step, {})
            node[LEAF] = value / parameter.mean if parameter.kind == "probability" else value
    return _changed(parts, changes)


def _changed(part: Any, changes: dict[Any, Any]) -> Any:
    """Each part is made anew but once."""
    factor = changes.pop(LEAF, None)
    if factor is not None and not isinstance(part, Schedule):
        return factor
    if isinstance(part, tuple):
        return tuple(_changed(each, changes[n]) if n in changes else each for n, each in enumerate(part))
    if changes:
        part = replace(part, **{name: _changed(getattr(part, name), inner) for name, inner in changes.items()})
    return part if factor is None else part.scaled(factor)
