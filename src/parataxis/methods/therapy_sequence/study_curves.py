"""The claims on curves, measured: real patients read off pictures of their own curves, and published trials."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.therapy_sequence import plot_study
from parataxis.methods.therapy_sequence.cox import log_hazard_ratio
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.digitise import PIXELS, digitise
from parataxis.methods.therapy_sequence.events import EventTypes, infer_events
from parataxis.methods.therapy_sequence.guyot import reconstruct
from parataxis.methods.therapy_sequence.incidence import CIF
from parataxis.methods.therapy_sequence.study_curves_inputs import Group, Inputs, Trial, load, made_group, toy

Found = Measurement | Figure | Table
Draw = Callable[..., np.random.Generator]
WITHIN = np.log(1.1)  # ten per cent of a hazard ratio
MADE, DEATHS = 300, (0.0, 0.006, 0.02)  # made patients of a set, and deaths a month without progression
WHOLE = 0.1  # events counted from an incidence lie on average no farther from whole ones; by chance 1/4


def study(ctx: Any) -> Iterator[Found]:
    """All claims on curves; the data sets are whole at every scale but the toy's."""
    inputs = toy(ctx.rng("toy curves")) if ctx.scale == "toy" else load(ctx)
    for claims, part in PARTS.items():
        if not all(map(ctx.done, claims)):
            for found in part(inputs, ctx.rng):
                yield replace(found, real=found.real and inputs.real) if isinstance(found, Measurement) else found


def exact(claim: str, value: int | float, n: int, null: int | float | None = None, **more: Any) -> Measurement:
    """Nothing was drawn: the interval is the value."""
    value = float(value)
    return Measurement(claim, value, value, value, n, null=None if null is None else float(null), **more)


# -- Guyot -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rebuilt:
    """One curve of a group, read off at pixels and rebuilt: counts, and errors of survival and of its mean in %.

    between: in the middle between pixels. anywhere: at any time. shuffled: between pixels, with events dealt anew.
    alone: events without the numbers at risk after the first.
    """

    patients: int
    events: int
    rebuilt: int
    between: float
    anywhere: float
    mean: float
    shuffled: float
    alone: int


def rebuild(group: Group, which: str, rng: np.random.Generator) -> Rebuilt:
    time, event = group.curve(which)
    curve, table = digitise(time, event, group.end)
    made, alone = reconstruct(curve, table), reconstruct(curve, table[:1])
    when, died = made["time"].to_numpy(), made["event"].to_numpy()
    true, again = KMCurve.of(time, event), KMCurve.of(when, died)
    return Rebuilt(
        len(time),
        int(event[time <= group.end].sum()),
        int(died.sum()),
        _apart(true, again, group.end),
        _apart(true, again, group.end, 20),
        100 * abs(again.mean(group.end) / true.mean(group.end) - 1),
        _apart(true, KMCurve.of(when, rng.permutation(died)), group.end),
        int(alone["event"].sum()),
    )


def reconstruction(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """Both curves of every group."""
    found = {
        (name, which): rebuild(group, which, rng("reconstruction", name, which))
        for name, group in inputs.groups().items()
        for which in ("pfs", "os")
    }
    every, n = list(found.values()), len(found)
    columns = ("group", "curve", "patients", "events", "rebuilt", "survival", "survival, any time", "mean, %")
    rows: list[list[str | int | float | None]] = [
        [*names, each.patients, each.events, each.rebuilt, each.between, each.anywhere, each.mean]
        for names, each in found.items()
    ]
    said = "Real curves read off at pixels and rebuilt: events, worst errors of survival, error of the restricted mean."
    yield Table("reconstruction", columns, rows, said)
    note = f"{max(each.anywhere for each in every):.3f} at any time: a drop may be half a pixel early or late"
    null = min(each.shuffled for each in every)
    yield exact("guyot-survival", max(each.between for each in every), n, null, note=note)
    null = max(abs(each.alone - each.events) for each in every)
    yield exact("guyot-events", max(abs(each.rebuilt - each.events) for each in every), n, null)
    yield exact("guyot-mean", max(each.mean for each in every), n)


def _apart(one: KMCurve, other: KMCurve, end: float, parts: int = 1) -> float:
    """The worst difference of survival in the middle between pixels, or at so many even times to a pixel."""
    places = (np.arange(PIXELS[0] * parts) + 0.5) * end / PIXELS[0] / parts
    return float(np.abs(one.at(places) - other.at(places)).max())


def golden(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """As the publication has it: a point a patient, each number at risk told at the next point, the censored even."""
    lung = inputs.lung()
    true, times = KMCurve.of(lung.time, lung.event), np.unique(np.r_[0, lung.time])
    ordered = np.sort(lung.time)
    told = np.arange(0, times[-1], lung.every)
    at_risk = np.column_stack([told, len(ordered) - np.searchsorted(ordered, told, side="left")])
    published = np.column_stack([times[np.searchsorted(times, told, side="left")], at_risk[:, 1]])
    curve = KMCurve(times, true.at(times))
    made, ours = reconstruct(curve, published, censored="even"), reconstruct(curve, at_risk)
    shuffled = KMCurve.of(made["time"].to_numpy(), rng("lung").permutation(made["event"].to_numpy()))

    def survival(each: Any) -> Float[np.ndarray, " mark"]:
        return KMCurve.of(each["time"].to_numpy(), each["event"].to_numpy()).at(lung.marks)

    off, ours_off = (np.abs(survival(each) - true.at(lung.marks)).max() for each in (made, ours))
    median = KMCurve.of(made["time"].to_numpy(), made["event"].to_numpy()).median
    note = (
        f"{made['event'].sum()} events of {lung.event.sum()}, median {median:g} of {true.median:g}, "
        f"survival within {off:.4f} of the patients' own; with the "
        f"numbers at risk at their own times and the likely censored, as the commands have them, "
        f"{ours['event'].sum()} and {ours_off:.4f}"
    )
    null = np.abs(shuffled.at(lung.marks) - lung.golden).max()
    yield exact("guyot-lung", np.abs(survival(made) - lung.golden).max(), len(lung.time), null, note=note)


def clicked(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """A published curve that somebody clicked: does it come back at its own points?"""
    curve, table = inputs.clicked()
    made = reconstruct(curve, table)
    time, event = made["time"].to_numpy(), made["event"].to_numpy()
    shuffled = KMCurve.of(time, rng("clicked").permutation(event))
    off = max(abs(int((time >= when).sum()) - number) for when, number in table)
    note = f"{len(curve.time)} points, {len(time)} patients, {event.sum()} events; numbers at risk within {off:.0f}"
    worst = np.abs(KMCurve.of(time, event).at(curve.time) - curve.at(curve.time)).max()
    null = np.abs(shuffled.at(curve.time) - curve.at(curve.time)).max()
    yield exact("clicked-survival", worst, len(curve.time), null, note=note)


# -- event types -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What was told of one group: the true share of deaths, both methods, the worst errors of death's incidence."""

    patients: int
    events: int
    truth: float
    mixture: EventTypes
    match: EventTypes
    wrong: float
    match_wrong: float
    ignoring: float


def tell(group: Group) -> Told:
    """Both methods on the rebuilt patients of a group, against its own event types."""
    pfs, os = (reconstruct(*digitise(*group.curve(name), group.end)) for name in ("pfs", "os"))
    mixture, match = (infer_events(pfs, os, pixel=group.end / PIXELS[0], method=each) for each in ("mixture", "match"))
    seen = group.kind[group.time <= group.end]
    share = float((seen == 2).sum() / (seen > 0).sum())
    errors = (_wrong(group, mixture), _wrong(group, match), _wrong(group, None))
    return Told(len(group.time), int(pfs["event"].sum()), share, mixture, match, *errors)


def _wrong(group: Group, types: EventTypes | None) -> float:
    """The worst error of the incidence of death in the middle between pixels; None: of taking no event for one."""
    true = CIF.of(group.time, group.kind > 0, group.kind == 2)
    places = (np.arange(PIXELS[0]) + 0.5) * group.end / PIXELS[0]
    if types is None:
        return float(true.at(places[places <= true.followed])[1].max())
    places = places[places <= min(true.followed, float(types.time.max()))]
    found = CIF.of(types.time, types.event, types.death)
    return float(np.abs(found.at(places)[1] - true.at(places)[1]).max())


def _not_rebuilt(group: Group) -> float:
    """The mixture's error on the patients themselves as far as the axis goes, their times at the nearest pixel."""
    pixel = group.end / PIXELS[0]
    both = []
    for name in ("pfs", "os"):
        time, event = group.curve(name)
        seen = np.round(np.minimum(time, group.end) / pixel) * pixel
        both.append(pd.DataFrame({"time": seen, "event": (event & (time <= group.end)).astype(int)}))
    own = (each.sort_values(["time", "event"], ascending=[True, False], ignore_index=True) for each in both)
    return _wrong(group, infer_events(*own, pixel=pixel))


def event_types(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    groups = inputs.groups()
    told = {name: tell(group) for name, group in groups.items()}
    n = len(told)
    columns = ("group", "patients", "events", "deaths, share", "mixture", "low", "high", "matching")
    errors = ("error, mixture", "error, matching", "error, deaths ignored")
    shares = {
        name: (each.truth, each.mixture.share, each.mixture.low, each.mixture.high, each.match.share)
        for name, each in told.items()
    }
    rows: list[list[str | int | float | None]] = [
        [name, each.patients, each.events, *shares[name], each.wrong, each.match_wrong, each.ignoring]
        for name, each in told.items()
    ]
    said = "Share of events that are deaths, and worst error of the incidence of death."
    yield Table("event-types", (*columns, *errors), rows, said)
    if inputs.real:  # the toy is resumed after every row, and a picture takes longer than all the rest
        yield plot_study.event_types(shares)
    yield exact("mixture-beats-matching", min(each.match_wrong - each.wrong for each in told.values()), n, 0.0)
    yield exact(
        "mixture-share",
        max(abs(each.mixture.share - each.truth) for each in told.values()),
        n,
        max(abs(each.match.share - each.truth) for each in told.values()),
    )
    where = max(told, key=lambda name: told[name].wrong)
    own = _not_rebuilt(groups[where])
    note = f"{where}; {own:.4f} of the patients themselves, their times at pixels and nobody rebuilt"
    null = max(each.match_wrong for each in told.values())
    yield exact("mixture-incidence", told[where].wrong, n, null, note=note)
    inside = sum(each.mixture.low <= each.truth <= each.mixture.high for each in told.values())
    low, high = clopper_pearson(inside, n)
    yield Measurement("mixture-interval", inside / n, float(low), float(high), n)


def coverage(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """Made patients, drawn anew again and again, at three rates of death without progression: none, some, many."""
    inside, touched = 0, 0
    for place in range(inputs.sets):
        told = tell(made_group(rng("coverage", place), MADE, DEATHS[place % len(DEATHS)]))
        inside += told.mixture.low <= told.truth <= told.mixture.high
        touched += told.match.low <= told.truth <= told.match.high
    low, high = clopper_pearson(inside, inputs.sets)
    share, null = inside / inputs.sets, touched / inputs.sets
    yield Measurement("mixture-coverage", share, float(low), float(high), inputs.sets, null=null, real=False)


def released_deaths(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """Events counted from the incidences: each step is a whole number of them, and the steps grow as patients leave."""
    shares, of_events, notes = [], [], []
    for arm, (increments, n) in inputs.increments().items():
        counts, off = counted(increments, n)
        shares.append(counts[1] / n)
        of_events.append(counts[1] / counts.sum())
        notes.append(f"{arm}: {counts[1]:.0f} deaths and {counts[0]:.0f} progressions of {n}, {off:.2f} from whole")
        assert not inputs.real or off < WHOLE, f"{arm}: the increments are no whole events"
    low, high = min(shares), max(shares)
    middle, null = float(np.mean(shares)), float(np.mean(of_events))
    yield Measurement("deaths-among-pfs", middle, low, high, len(shares), null=null, note="; ".join(notes))


def counted(increments: Float[np.ndarray, "cycle cause"], n: int) -> tuple[Float[np.ndarray, " cause"], float]:
    """Events of each cause, and how far from whole numbers they were on average.

    One event adds S / (at risk) to an incidence: 1 / n until somebody is censored, more and more after. Cycles at the
    end in which both causes never rest are a tail, not patients.
    """
    unit, total, off = float(n), np.zeros(increments.shape[1]), []
    last = int(np.flatnonzero((increments <= 0).any(1)).max(initial=-1))
    for each in increments[: last + 1]:
        here = np.round(each * unit)
        off.append(np.abs(each * unit - here).max())
        if here.sum():
            unit = min(float(here.sum() / each.sum()), 1.02 * unit)
            total += here
    return total, float(np.mean(off))


# -- hazard ratios -----------------------------------------------------------------------------------------------------


def hazard_ratios(inputs: Inputs, rng: Draw) -> Iterator[Found]:
    """The ratio of published reconstructions, and of theirs read off a picture and rebuilt, against the published."""
    trials = inputs.trials()
    theirs, ours, nulls = [], [], []
    for trial in trials:
        theirs.append(log_hazard_ratio(trial.time, trial.event, trial.arm)[0])
        ours.append(_read_off(trial))
        shuffled = rng("arms", trial.name).permutation(trial.arm)
        nulls.append(log_hazard_ratio(trial.time, trial.event, shuffled)[0])
    published = np.array([each.published for each in trials])
    before, after, null = (_nearest(np.array(each), published) for each in (theirs, ours, nulls))
    n, clear = len(trials), np.abs(published) > np.log(1.25)
    worst = np.argsort(-after, kind="stable")[:20]
    ratios = np.exp(
        [[_toward(value, ratio) for value in both] for *both, ratio in zip(theirs, ours, published, strict=True)]
    )
    rows = [[trials[k].name, float(np.exp(published[k])), *map(float, ratios[k])] for k in worst]
    columns = ("trial", "published", "of their patients", "of ours")
    yield Table("hazard-ratios", columns, rows, f"The 20 of {n} trials whose ratio was missed by most.")
    if inputs.real:
        yield plot_study.ratios(np.exp(published), ratios[:, 1])
    yield exact("hr-median", np.median(before), n, np.median(null))
    share = np.mean(before <= WITHIN)
    low, high = clopper_pearson(int(np.sum(before <= WITHIN)), n)
    note = f"were the trials a sample: {low:.3f} to {high:.3f}"
    if clear.any():
        note += f"; of the {clear.sum()} beyond 1.25 or below 0.8: {np.mean(before[clear] <= WITHIN):.3f}"
    yield exact("hr-share", share, n, np.mean(null <= WITHIN), note=note)
    low, high = clopper_pearson(int(np.sum(after <= WITHIN)), n)
    missed, theirs_too = after > WITHIN, (after > WITHIN) & (before > WITHIN)
    note = f"were the trials a sample: {low:.3f} to {high:.3f}; median error {np.median(after):.4f}; "
    note += f"{missed.sum()} missed, {theirs_too.sum()} of them by the published patients too"
    yield exact("hr-round-share", np.mean(after <= WITHIN), n, np.mean(null <= WITHIN), note=note)
    moved = np.abs(np.array(ours) - np.array(theirs))
    note = f"95 % of trials within {np.quantile(moved, 0.95):.3f}, the farthest {moved.max():.3f}"
    yield exact("hr-round", np.median(moved), n, np.median(np.abs(np.array(nulls) - np.array(theirs))), note=note)


def _read_off(trial: Trial) -> float:
    """The log ratio after both arms were drawn on one axis, read off at pixels, and rebuilt."""
    end = float(trial.time.max())
    arms = [reconstruct(*digitise(trial.time[each], trial.event[each], end)) for each in (~trial.arm, trial.arm)]
    time, event = (np.concatenate([arm[name].to_numpy() for arm in arms]) for name in ("time", "event"))
    return log_hazard_ratio(time, event, np.repeat([False, True], [len(each) for each in arms]))[0]


def _toward(value: float, published: float) -> float:
    """A log ratio, or that of the other arm: whichever is nearer to the published one."""
    return value if abs(value - published) <= abs(value + published) else -value


def _nearest(found: Float[np.ndarray, " trial"], published: Float[np.ndarray, " trial"]) -> Float[np.ndarray, " trial"]:
    return np.minimum(np.abs(found - published), np.abs(found + published))


PARTS: dict[tuple[str, ...], Callable[[Inputs, Draw], Iterator[Found]]] = {
    ("guyot-survival", "guyot-events", "guyot-mean"): reconstruction,
    ("guyot-lung",): golden,
    ("clicked-survival",): clicked,
    ("mixture-beats-matching", "mixture-share", "mixture-incidence", "mixture-interval"): event_types,
    ("mixture-coverage",): coverage,
    ("deaths-among-pfs",): released_deaths,
    ("hr-median", "hr-share", "hr-round-share", "hr-round"): hazard_ratios,
}
CLAIMS = tuple(claim for claims in PARTS for claim in claims)
