"""The uncertain numbers of a model, each with its distribution; a model with other numbers in their place."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.inputs import Path, Place, inputs
from parataxis.methods.therapy_sequence.model_file import ModelFile
from parataxis.methods.therapy_sequence.parts import Schedule

LEAF = ""  # in a tree of changes: the number itself, or the factor of a schedule


@dataclass(frozen=True)
class Parameter:
    """paths: where it stands; what is one number of the world may stand in several places. kind: cost, utility or
    probability. distribution: gamma, lognormal, beta or uniform, with this mean and standard deviation.
    """

    name: str
    paths: tuple[Path, ...]
    kind: str
    mean: float
    sd: float
    distribution: str

    def shapes(self) -> tuple[float, float]:
        """Gamma: shape and scale. Lognormal: mean and standard deviation of the logarithm. Beta: its two shapes.
        Uniform: its ends.
        """
        if self.distribution == "gamma":
            shape = (self.mean / self.sd) ** 2
            return shape, self.mean / shape
        if self.distribution == "lognormal":
            variance = math.log1p((self.sd / self.mean) ** 2)
            return math.log(self.mean) - variance / 2, math.sqrt(variance)
        if self.distribution == "uniform":
            half = math.sqrt(3) * self.sd
            if half > self.mean or (self.kind != "cost" and self.mean + half > 1):
                raise self._impossible()
            return self.mean - half, self.mean + half
        spread = self.mean * (1 - self.mean) / self.sd**2 - 1
        if spread <= 0:
            raise self._impossible()
        return self.mean * spread, (1 - self.mean) * spread

    def _impossible(self) -> BadInput:
        return BadInput(
            f"{self.name}: mean={self.mean:g}, standard error={self.sd:g}: no {self.distribution} distribution has "
            "these; expected a smaller standard error, in [uncertainty] or its [[parameter]]"
        )

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(getattr(rng, self.distribution)(*self.shapes()))

    def quantile(self, share: float) -> float:
        """Below which this share of values lies."""
        from scipy import stats

        one, other = self.shapes()
        known = {
            "gamma": lambda: stats.gamma.ppf(share, one, scale=other),
            "lognormal": lambda: stats.lognorm.ppf(share, other, scale=math.exp(one)),
            "beta": lambda: stats.beta.ppf(share, one, other),
            "uniform": lambda: one + share * (other - one),
        }
        return float(known[self.distribution]())


def parameters(parts: ModelFile) -> list[Parameter]:
    """Those that vary. Equal costs of a drug in several lines, and equal utilities in one line, are one parameter: they
    are one price, and one way to feel.
    """
    found: dict[tuple[Any, ...], list[Place]] = {}
    for each in inputs(parts):
        if each.sd > 0:
            place = each.place
            found.setdefault((*place.group, place.value, each.sd, each.distribution), []).append(place)
    names = [_name(places) for places in found.values()]
    return [
        Parameter(
            name if names.count(name) == 1 else f"{name} ({mean:g}, s.e. {sd:g})",
            tuple(each.path for each in places),
            places[0].kind,
            mean,
            sd,
            distribution,
        )
        for name, ((*_, mean, sd, distribution), places) in zip(names, found.items(), strict=True)
    ]


def _name(places: list[Place]) -> str:
    """Of one number that stands in several places: two of them, and how many more."""
    first = sorted({each.name for each in places})
    more = f" = {len(first) - 2} more" if len(first) > 2 else ""
    return " = ".join(first[:2]) + more


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
