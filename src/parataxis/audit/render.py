"""An audit as text, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from parataxis.audit.outcomes import ADDRESS, Raised, shown
from parataxis.audit.result import Audit, ItemEffect, Share, Witness

FORMAT = 1  # of the JSON; a key that is removed or means something else makes it 2
WIDTH = 88  # characters of an item or an outcome in the text
MOST_ROWS = 20  # items that the text lists


def brief(value: Any, width: int = WIDTH) -> str:
    """One line, cut in the middle where it is too long."""
    text = str(value) if isinstance(value, Raised) else ADDRESS.sub("0x...", " ".join(repr(value).split()))
    return text if len(text) <= width else f"{text[: width * 2 // 3]} ... {text[-width // 4 :]}"


def reproduce(witness: Witness) -> str:
    """Python that calls the system on both orders, where it and the given items are at hand under these names."""
    both = (witness.base_places, witness.other_places)
    return "; ".join(f"print(system([items[i] for i in {list(places)}]))" for places in both)


def text(audit: Audit, line: str | None = None) -> str:
    """What a person reads. line: a command that reproduces the witness, in place of the Python one."""
    where = " in some item" if audit.items else ""
    parts = [
        f"{audit.verdict.value}: {audit.verdict.sentence}",
        f"  {audit.reason}",
        "",
        f"  noise     repeats of the given order{where}: differ in {audit.noise}",
        f"  effect    other orders{where}: differ in {audit.effect}",
        f"  orders    {audit.design}, in {audit.calls} calls{'' if audit.complete else ', stopped early'}",
        f"  covered   {audit.coverage}",
    ]
    if audit.items:
        parts += ["", *_items(audit)]
    if audit.witness:
        parts += ["", *_witness(audit.witness, len(audit.given)), f"  reproduce {line or reproduce(audit.witness)}"]
    return "\n".join(parts)


def _items(audit: Audit) -> list[str]:
    """The items to blame, or else those that differ most."""
    found = [each for each in audit.items if each.found]
    rows = found or sorted((each for each in audit.items if each.effect.differ), key=lambda each: -each.effect.rate)
    if not rows:
        return [f"  none of the {len(audit.items)} items' own outcomes differs"]
    said = f"depend on the order (false discovery rate at most {audit.alpha:g})" if found else "differ, not confirmed"
    lines = [f"  {len(rows)} of {len(audit.items)} items' own outcomes {said}:"]
    lines += [f"    {_item(each, audit.given)}" for each in rows[:MOST_ROWS]]
    return lines + [f"    and {len(rows) - MOST_ROWS} more"] * (len(rows) > MOST_ROWS)


def _item(each: ItemEffect, given: Sequence[Any]) -> str:
    noise = f"noise {each.noise.differ} of {each.noise.orders}"
    return f"[{each.place}] {brief(given[each.place], 40)}: {each.effect}, {noise}"


def _witness(witness: Witness, n: int) -> list[str]:
    fewest = "none of which can be left out" if witness.minimal else "perhaps not minimal: the calls were spent"
    lines = [f"  witness   {len(witness.base)} of {n} items, {fewest}"]
    if witness.items:
        lines.append(f"  outcome   of item {', '.join(f'[{place}]' for place in witness.items)}")
    named = list(zip(witness.base_places, witness.base, strict=True))
    lines += [f"            [{place}] {brief(item)}" for place, item in named[:MOST_ROWS]]
    lines += [f"            and {len(named) - MOST_ROWS} more"] * (len(named) > MOST_ROWS)
    for name, places, outcome, again, differ in (
        ("given", witness.base_places, witness.outcomes[0], witness.again[0], witness.base_differ),
        ("other", witness.other_places, witness.outcomes[1], witness.again[1], witness.other_differ),
    ):
        lines += [f"  {name}     {', '.join(map(str, places))}", f"            gives {brief(outcome)}"]
        if witness.replayed == "noisy":
            lines.append(f"            replayed, gives {brief(again)}")
        else:
            lines.append(f"            replayed, differs from the given order's in {differ} of {witness.repeats}")
    if rest := n - len(witness.base):
        lines.append(f"  left out  {rest} items: they do not matter to this")
    return lines


def frame(audit: Audit) -> Any:
    """A pandas DataFrame; see `Audit.to_frame`."""
    import pandas as pd

    if not audit.items:
        rows = [(number, list(trial.order), bool(trial.differs.any())) for number, trial in enumerate(audit.trials, 1)]
        return pd.DataFrame(rows, columns=["try", "order", "differs"])
    return pd.DataFrame(
        {
            "place": each.place,
            "item": audit.given[each.place],
            "differ": each.effect.differ,
            "orders": each.effect.orders,
            "rate": each.effect.rate,
            "low": each.effect.low,
            "high": each.effect.high,
            "noise": each.noise.rate,
            "q": each.q,
            "found": each.found,
        }
        for each in audit.items
    )


def as_dict(audit: Audit) -> dict[str, Any]:
    """What JSON has, NaN tagged; items and outcomes that it can't hold are their repr."""
    coverage = audit.coverage
    return {
        "format": FORMAT,
        "verdict": audit.verdict.value,
        "sentence": audit.verdict.sentence,
        "reason": audit.reason,
        "effect": _share_dict(audit.effect),
        "noise": _share_dict(audit.noise),
        "bound": audit.bound,
        "design": audit.design,
        "complete": audit.complete,
        "coverage": {
            name: dict(zip(("covered", "of"), counts, strict=True)) if counts else None
            for name in ("pairs", "neighbours", "places", "triples")
            for counts in [getattr(coverage, name)]
        },
        "calls": audit.calls,
        "alpha": audit.alpha,
        "seed": audit.seed,
        "n": len(audit.given),
        "witness": _witness_dict(audit.witness) if audit.witness else None,
        "items": [
            {
                "place": each.place,
                "effect": _share_dict(each.effect),
                "noise": _share_dict(each.noise),
                "q": each.q,
                "found": each.found,
            }
            for each in audit.items
        ],
        "trials": [
            {"order": list(trial.order), "differs": trial.differs.tolist() if audit.items else bool(trial.differs[0])}
            for trial in audit.trials
        ],
    }


def _share_dict(share: Share) -> dict[str, Any]:
    counts = {"differ": share.differ, "orders": share.orders}
    return {**counts, "rate": share.rate, "low": share.low, "high": share.high}


def _witness_dict(witness: Witness) -> dict[str, Any]:
    def order(items: Sequence[Any], places: Sequence[int], k: int, differ: int) -> dict[str, Any]:
        outcomes = {"outcome": shown(witness.outcomes[k]), "again": shown(witness.again[k])}
        return {"items": [shown(item) for item in items], "places": list(places), **outcomes, "differ": differ}

    return {
        "base": order(witness.base, witness.base_places, 0, witness.base_differ),
        "other": order(witness.other, witness.other_places, 1, witness.other_differ),
        "items": list(witness.items),
        "repeats": witness.repeats,
        "minimal": witness.minimal,
        "calls": witness.calls,
        "replayed": witness.replayed,
    }
