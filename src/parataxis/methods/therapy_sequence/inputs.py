"""Every input of a model: what it is called, how unsure it is, and where its number is from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.parts import Entry

Path = tuple[str | int, ...]
COSTS = ("cost", "cost_stopped", "cost_always", "cost_first")
UTILITIES = ("utility", "utility_stopped", "utility_first")
DISTRIBUTIONS = {  # by kind; the first is taken where the file names none
    "cost": ("gamma", "lognormal", "uniform", "fixed"),
    "utility": ("beta", "uniform", "fixed"),
    "probability": ("beta", "uniform", "fixed"),
}
HELD = "fixed"


@dataclass(frozen=True)
class Place:
    """Where a number, or a curve, stands. group: what places have that are one number of the world if they are equal.
    drug, line (from 1): None after all lines. value: nan of a curve. kind: cost, utility, probability, constant, curve.
    """

    name: str
    path: Path
    kind: str
    value: float
    group: tuple[Any, ...]
    what: str
    drug: str | None = None
    line: int | None = None

    def exactness(self, entry: Entry) -> int:
        """How exactly an entry names this place; -1: not at all."""
        if self.what not in entry.what or (entry.drug and entry.drug != self.drug):
            return -1
        if entry.line and entry.line != self.line:
            return -1
        return bool(entry.drug) + bool(entry.line)


@dataclass(frozen=True)
class Input:
    """A place, with what the file tells of it. sd: of its distribution; 0 holds it fixed."""

    place: Place
    entry: Entry
    distribution: str
    sd: float


def inputs(parts: Any) -> list[Input]:
    """Of a ModelFile, all of them. BadInput for an entry that names none, or a distribution that can't be."""
    found = list(_places(parts))
    for number, entry in enumerate(parts.parameters, 1):
        _check(entry, number, found)
    return [_input(place, parts) for place in found]


def _check(entry: Entry, number: int, places: Sequence[Place]) -> None:
    where = f"parameter[{number}]: "
    for what in entry.what:
        if what not in [each.what for each in places]:
            known = ", ".join(dict.fromkeys(each.what for each in places))
            raise BadInput(f"{where}what={what!r} is no input of this model; known: {known}")
    named = [each for each in places if each.exactness(entry) >= 0]
    if not named:
        drugs = ", ".join(dict.fromkeys(each.drug for each in places if each.drug))
        raise BadInput(f"{where}drug={entry.drug!r}, line={entry.line}: nothing of that there; drugs: {drugs}")
    for each in named:
        known_ones = DISTRIBUTIONS.get(each.kind, ())
        if (entry.distribution or entry.standard_error) and not known_ones:
            raise BadInput(f"{where}{each.name}: is no number that varies; leave distribution and standard_error out")
        if entry.distribution and entry.distribution not in known_ones:
            known = ", ".join(known_ones)
            raise BadInput(
                f"{where}distribution={entry.distribution!r}: {each.name} is a {each.kind}; expected {known}"
            )
        if entry.distribution == HELD and entry.standard_error:
            raise BadInput(f"{where}standard_error={entry.standard_error}: expected none of what is held fixed")
        if (entry.price_year or entry.conversion) and each.kind != "cost":
            raise BadInput(f"{where}price_year={entry.price_year}: {each.name} is no cost")


def _input(place: Place, parts: Any) -> Input:
    named = [(place.exactness(each), n, each) for n, each in enumerate(parts.parameters, 1)]
    best = max((each[0] for each in named), default=-1)
    chosen = [each for each in named if each[0] == best >= 0]
    if len(chosen) > 1:
        one, other = chosen[0][1], chosen[1][1]
        raise BadInput(f"parameter[{other}]: {place.name} stands in parameter[{one}] too; leave one out")
    entry = chosen[0][2] if chosen else Entry(what=(place.what,))
    if place.kind not in DISTRIBUTIONS:
        return Input(place, entry, HELD, 0.0)
    spread = parts.uncertainty
    usual = {
        "cost": spread.costs * place.value,
        "utility": spread.utilities,
        "probability": spread.probabilities * place.value,
    }[place.kind]
    certain = place.value <= 0 or (place.kind != "cost" and place.value >= 1)
    if entry.distribution == HELD or certain:
        return Input(place, entry, HELD, 0.0)
    sd = entry.standard_error or usual
    if entry.distribution and not sd:
        raise BadInput(f"{place.name}: distribution={entry.distribution!r}: give its standard_error")
    return Input(place, entry, (entry.distribution or DISTRIBUTIONS[place.kind][0]) if sd else HELD, sd)


def _places(parts: Any) -> Iterator[Place]:
    after = parts.extensive
    yield Place(
        "cost after all lines", ("extensive", "cost"), "cost", after.cost, ("extensive cost",), "extensive.cost"
    )
    place = ("extensive", "utility")
    yield Place("utility after all lines", place, "utility", after.utility, ("extensive",), "extensive.utility")
    yield from _first_cycles(after, ("extensive",), "after all lines", "extensive.", {}, ("extensive",))
    for n, own in enumerate(after.own):
        word, at = f"after all lines, {own.strategy}", ("extensive", "own", n)
        yield Place(f"cost {word}", (*at, "cost"), "cost", own.cost, ("extensive cost",), "extensive.own.cost")
        yield Place(
            f"utility {word}", (*at, "utility"), "utility", own.utility, ("extensive",), "extensive.own.utility"
        )
        yield from _first_cycles(own, at, word, "extensive.own.", {}, ("extensive",))
    yield Place("deaths after all lines", ("extensive", "death"), "curve", math.nan, (), "extensive.death")
    for d, drug in enumerate(parts.drugs):
        for n, line in enumerate(drug.lines):
            yield from _of_line(drug.id, n, line, ("drugs", d, "lines", n))


def _of_line(drug: str, n: int, line: Any, at: Path) -> Iterator[Place]:
    where = f"{drug}, line {n + 1}"
    event = line.adverse_event
    for part, path, word, prefix in (
        (line, at, "", ""),
        (event, (*at, "adverse_event"), f" {event.name}", "adverse_event."),
    ):
        for field in (each for each in COSTS if getattr(part, each, None)):
            whose = "any drug" if field == "cost_always" else drug
            group, name = ("cost", whose, word, field), f"{whose}{word}: {field}"
            yield Place(name, (*path, field), "cost", getattr(part, field), group, prefix + field, drug, n + 1)
        for field in (each for each in UTILITIES if getattr(part, each, None)):
            name = f"{drug}{word}, line {n + 1}: {field}"
            yield Place(
                name, (*path, field), "utility", getattr(part, field), ("utility", n), prefix + field, drug, n + 1
            )
    yield from _first_cycles(line, at, where, "", {"drug": drug, "line": n + 1}, ("utility", n))
    for schedule, field in ((line.stop, "stop"), (event, "adverse_event")):
        if (mean := sum(schedule.begin())) > 0:
            name = f"{where}: {field.replace('_', ' ')} probability"
            yield Place(name, (*at, field), "probability", mean, (field, drug, n), field, drug, n + 1)
    for field in (each for each in ("skip", "recovery") if getattr(line, each)):
        yield Place(f"{where}: {field}", (*at, field), "constant", float(getattr(line, field)), (), field, drug, n + 1)
    for field in ("progression", "death"):
        yield Place(f"{where}: {field}", (*at, field), "curve", math.nan, (), field, drug, n + 1)


def _first_cycles(
    part: Any, at: Path, where: str, prefix: str, own: dict[str, Any], utility: tuple[Any, ...]
) -> Iterator[Place]:
    """Payoffs that the first cycles have of their own."""
    for kind in ("cost", "utility"):
        for n, value in enumerate(getattr(part, f"{kind}_cycles")):
            name, field = f"{where}: {kind} in cycle {n + 1}", f"{kind}_cycles"
            group = utility if kind == "utility" else ("cost", where, field)
            if value:
                yield Place(name, (*at, field, n), kind, value, group, prefix + field, **own)
