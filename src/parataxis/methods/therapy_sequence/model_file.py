"""The file of a model, as data: what it must hold, and what of it must agree."""

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.inputs import inputs
from parataxis.methods.therapy_sequence.parts import Discount, Drug, Entry, Extensive, Strategy, Target, Uncertainty
from parataxis.methods.therapy_sequence.reading import build

KEYS = {"drug": "drugs", "line": "lines", "strategy": "strategies", "target": "targets", "parameter": "parameters"}


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model as its file has it. thresholds: willingness to pay for a QALY. cycle_years 0: cycle_days / 365.

    settings: by name, and in it by strategy (or "every"), the dependence: {hazard_ratio, until} or {clayton}.
    setting: the one that is meant if none is asked for.
    """

    name: str
    title: str = ""
    source: str = ""
    population: str = ""
    currency: str = ""
    price_year: int = 0
    perspective: str = ""
    cycles: int
    cycle_days: float
    cycle_years: float = 0.0
    thresholds: tuple[float, ...] = (50_000.0, 100_000.0)
    setting: str = ""
    discount: Discount = field(default_factory=Discount)
    extensive: Extensive
    drugs: tuple[Drug, ...]
    strategies: tuple[Strategy, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    parameters: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        if self.cycles < 1:
            raise ValueError(f"cycles={self.cycles}: expected at least 1")
        if not self.cycle_days > 0:
            raise ValueError(f"cycle_days={self.cycle_days}: expected days, above 0")
        self._check_names()
        for each in self.strategies:
            if unknown := [drug for drug in each.drugs if drug not in [known.id for known in self.drugs]]:
                known = ", ".join(drug.id for drug in self.drugs)
                raise ValueError(f"strategy {each.name!r}: drug {unknown[0]!r} is unknown; known: {known}")
        for drug in self.drugs:
            for place, line in enumerate(drug.lines):
                self._check_deaths(f"drug {drug.id!r}, line {place + 1}", line.deaths_of, place)
        if not self.thresholds or min(self.thresholds) < 0:
            raise ValueError(f"thresholds={list(self.thresholds)}: expected at least one, and none below 0")
        for target in self.targets:
            if target.strategy not in [each.name for each in self.strategies]:
                raise ValueError(f"target: strategy={target.strategy!r} is unknown")
        self._check_own()

    def _check_own(self) -> None:
        orders = permutations([drug.id for drug in self.drugs])
        known = [each.name for each in self.strategies] or [" then ".join(order) for order in orders]
        for own in self.extensive.own:
            if own.strategy not in known:
                raise ValueError(f"extensive.own: strategy={own.strategy!r} is unknown; known: {', '.join(known)}")

    def _check_names(self) -> None:
        for kind, names in (
            ("drug", [each.id for each in self.drugs]),
            ("strategy", [each.name for each in self.strategies]),
            ("strategy's drugs", [" then ".join(each.drugs) for each in self.strategies]),
        ):
            for place, name in enumerate(names):
                if name in names[:place]:
                    raise ValueError(f"{kind} {name!r} stands twice; leave one out, or rename it")

    def _check_deaths(self, where: str, other: str, place: int) -> None:
        """deaths_of must name another drug's own deaths in the same line."""
        if not other:
            return
        lines = next((each.lines for each in self.drugs if each.id == other), ())
        if place >= len(lines) or lines[place].deaths_of:
            raise ValueError(f"{where}: deaths_of={other!r}: expected a drug with deaths of its own in that line")


def of_table(table: Any, where: str) -> ModelFile:
    """Of a table of TOML; where: what stands before a key in a message. What is told of inputs is checked here, once:
    with every draw of a sensitivity analysis the model is made anew.
    """
    parts = build(ModelFile, table, where, KEYS)
    try:
        inputs(parts)
    except BadInput as error:
        raise BadInput(f"{where}{error}") from None
    return parts
