"""An audit as one HTML page that needs nothing else."""

from html import escape

from parataxis.audit.plot import draw, draw_where, svg
from parataxis.audit.render import brief, reproduce
from parataxis.audit.result import Audit, ItemEffect, Verdict, Witness, percent
from parataxis.page import page

CLASSES = {Verdict.INVARIANT: "good", Verdict.ORDER_DEPENDENT: "bad", Verdict.NOISY: "open", Verdict.UNDECIDED: "open"}


def html(audit: Audit, line: str | None = None) -> str:
    """The page. line: a command that reproduces the witness, in place of the Python one."""
    verdict = audit.verdict.value
    where = svg(draw_where(audit)) if audit.effect.differ and len(audit.given) > 2 else ""
    return page(
        f"Audit: {verdict}",
        f"<h1 class={CLASSES[audit.verdict]}>{verdict}</h1><p>{escape(audit.verdict.sentence)}</p>"
        f"<p class=soft>{escape(audit.reason[:1].upper() + audit.reason[1:])}.</p>"
        f"{_witness(audit, audit.witness, line) if audit.witness else ''}"
        f"<h2>Measured</h2>{_measured(audit)}<figure>{svg(draw(audit))}</figure>"
        f"{f'<figure>{where}</figure>' if where else ''}{_items(audit)}"
        f"<p class=soft>{audit.calls} calls, seed {audit.seed}, alpha {audit.alpha:g}.</p>",
    )


def _witness(audit: Audit, witness: Witness, line: str | None) -> str:
    rest = len(audit.given) - len(witness.base)
    left = f" The {rest} left out do not matter to this." if rest else ""
    fewest = "none of which can be left out" if witness.minimal else "perhaps not minimal: the calls were spent"
    own = f" Outcome of item {', '.join(f'[{place}]' for place in witness.items)}." if witness.items else ""
    orders = ""
    for name, items, outcome, again, differ in (
        ("given order", witness.base, witness.outcomes[0], witness.again[0], witness.base_differ),
        ("other order", witness.other, witness.outcomes[1], witness.again[1], witness.other_differ),
    ):
        replay = f"another outcome in {differ} of {witness.repeats}"
        if witness.replayed == "noisy":
            replay = f"<code>{escape(brief(again, 400))}</code>"
        listed = "".join(f"<li><code>{escape(brief(item, 200))}</code>" for item in items)
        orders += f"<tr><td>{name}<td><ol>{listed}</ol><td><code>{escape(brief(outcome, 400))}</code><td>{replay}</tr>"
    title = "Witness" if audit.verdict is Verdict.ORDER_DEPENDENT else "Witness that did not replay"
    return (
        f"<h2>{title}</h2><p>{len(witness.base)} of {len(audit.given)} items, {fewest}.{left}{own}</p>"
        "<div class=wide><table><tr><th>Order<th>Items<th>Outcome<th>Replayed</tr>"
        f"{orders}</table></div><p class=soft>This reproduces it:</p>"
        f"<pre>{escape(line or reproduce(witness))}</pre>"
    )


def _measured(audit: Audit) -> str:
    rows = [("Noise: repeats of the given order", audit.noise), ("Effect: other orders", audit.effect)]
    cells = "".join(
        f"<tr><td>{name}<td>{share.differ} of {share.orders}<td>{percent(share.rate)}"
        f"<td>{percent(share.low)} to {percent(share.high)}</tr>"
        for name, share in rows
    )
    return (
        f"<div class=wide><table><tr><th><th>Differ<th>Share<th>{100 * (1 - audit.alpha):g} % interval</tr>{cells}"
        f"</table></div><p class=soft>Orders: {escape(audit.design)}. They cover {escape(str(audit.coverage))}.</p>"
    )


def _items(audit: Audit) -> str:
    def row(each: ItemEffect) -> str:
        mark = ' class="bad"' if each.found else ""
        item = escape(brief(audit.given[each.place], 60))
        return (
            f"<tr><td{mark}>{each.place}<td><code>{item}</code><td>{each.effect.differ} of {each.effect.orders}"
            f"<td>{percent(each.effect.low)} to {percent(each.effect.high)}<td>{percent(each.noise.rate)}"
            f"<td>{each.q:.2g}</tr>"
        )

    if not audit.items:
        return ""
    rows = "".join(map(row, sorted(audit.items, key=lambda each: (-each.found, each.q, -each.effect.rate))))
    head = "<tr><th>Place<th>Item<th>Differ<th>Interval<th>Noise<th>q</tr>"
    return f"<h2>Items</h2><div class=wide><table>{head}{rows}</table></div>"
