"""What an audit of questions found: as text, JSON, a page and a figure, and the folder that holds them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from parataxis.files import write_atomic
from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.summary import Estimate, Summary

OVER_ORDERS = ("permute-average", "majority-vote")  # ask in all k! orders: no order is left to change, and none unread


@dataclass(frozen=True)
class Symmetry:
    """Of the set-based method laid out as given: how far the scores of n questions move, at which scale.

    tolerance: the share of the scale that rounding may come to.
    """

    n: int
    moved: float
    scale: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return self.moved <= self.tolerance * self.scale


@dataclass(frozen=True)
class Report:
    """gap: set-based accuracy less the mean of plain in two orders; twin: share of choices in which sorting the other
    way differs. Either is None if one of the two methods was not asked. asked: prompts that were read for all of it.
    threads: that torch computed on, 0 for an endpoint.
    """

    title: str
    model: str
    template: str
    scoring: str
    orders: str
    seed: int
    summaries: Sequence[Summary]
    gap: Estimate | None
    twin: Estimate | None
    symmetry: Symmetry | None
    asked: int
    seconds: float
    threads: int = 0
    repeated: int = 0
    rows: Sequence[Row] = field(default=(), repr=False)

    @property
    def n(self) -> int:
        return self.summaries[0].n

    def of(self, method: str) -> Summary | None:
        return next((each for each in self.summaries if each.method == method), None)

    @property
    def exit_status(self) -> int:
        """1 if plain prompting's answers depend on the order."""
        plain = self.of("plain")
        return int(plain is not None and plain.flips_beyond_noise)

    def verdict(self, each: Summary) -> str:
        """In a few words, what the order does to a method."""
        if each.method == "set-based" and self.symmetry:
            return "invariant and symmetric" if self.symmetry.holds else "NOT symmetric: its scores move"
        if each.method.startswith("sort"):
            return "invariant, not symmetric" if self.twin and self.twin.low > 0 else "invariant"
        if each.method in OVER_ORDERS:
            return "invariant, not symmetric"
        return "order-dependent" if each.flips_beyond_noise else "no dependence shown"

    def to_json(self) -> dict[str, Any]:
        found = {**{name: value for name, value in asdict(self).items() if name not in ("rows", "summaries")}}
        summaries = [{**each.to_json(), "verdict": self.verdict(each)} for each in self.summaries]
        return {**found, "n": self.n, "summaries": summaries, "exit_status": self.exit_status}

    def __str__(self) -> str:
        from parataxis.methods.set_prompting.text import text

        return text(self)

    def to_html(self) -> str:
        from parataxis.methods.set_prompting.html import html

        return html(self)

    def write(self, folder: Path) -> list[Path]:
        """report.html, report.json, order.png and order.svg. The rows are there already. Raises BadInput."""
        from parataxis.methods.set_prompting.html import html
        from parataxis.methods.set_prompting.plot import inline, picture

        figure = inline(self)
        contents: dict[str, str | bytes] = {
            "report.html": html(self, figure),
            "report.json": json.dumps(self.to_json(), indent=1, allow_nan=False),
            "order.png": picture(self),
            "order.svg": figure,
        }
        return [write_atomic(folder / name, content) for name, content in contents.items()]
