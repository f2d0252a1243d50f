"""An audit of questions as text: a headline, two tables, and what a reader must know to trust them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parataxis.columns import aligned
from parataxis.methods.set_prompting.report import OVER_ORDERS
from parataxis.methods.set_prompting.summary import Accuracy, Estimate, Summary

if TYPE_CHECKING:
    from parataxis.methods.set_prompting.report import Report

Cells = list[list[str]]  # the head first


def text(report: "Report") -> str:
    parts = [f"{headline(report)}\n{summary(report)}"]
    parts += [aligned(each) for each in tables(report)]
    parts.append("\n".join(remarks(report)))
    return "\n\n".join(part for part in parts if part)


def headline(report: "Report") -> str:
    plain = report.of("plain")
    if plain is None:
        return f"{report.title}: {report.n} questions"
    changed = f"reversing the options changes {percent(plain.flips)} of the answers"
    if plain.noise:
        changed += f", asking again {percent(plain.noise)}"
    return f"{report.title}: {changed}"


def summary(report: "Report") -> str:
    """How it was measured."""
    said = f"{report.n} questions, model {report.model}, template {report.template}, scoring {report.scoring}, "
    said += f"orders {report.orders}, seed {report.seed}"
    if not report.asked:
        return f"{said}; no prompt read, as all answers were kept"
    said += f"; {report.asked:,} prompts read, {report.seconds / report.n:.2f} s a question"
    return f"{said} on {report.threads} thread{'s' * (report.threads != 1)}" if report.threads else said


def tables(report: "Report") -> list[Cells]:
    """What the order decides, and the accuracy. In brackets 95% intervals, from resampling questions."""
    return [_decides(report), _accuracy(report)]


def _decides(report: "Report") -> Cells:
    many = any(each.moved != each.flips for each in report.summaries)
    head = ["method", "calls", "reversal changes"] + ["some order changes"] * many
    rows = [[*head, "spread over slots, points", "verdict"]]
    for each in report.summaries:
        cells = [each.method, f"{each.calls:.3g}", percent(each.flips)] + [percent(each.moved)] * many
        rows.append([*cells, f"{points(each.recall)} (chance {100 * each.by_chance:.0f})", report.verdict(each)])
    return rows


def _accuracy(report: "Report") -> Cells:
    many = any(each.steady != each.worst for each in report.summaries)
    rows = [["accuracy", "given order", "reversed", "right in both", "right in either"] + ["right in all"] * many]
    for each in report.summaries:
        found = [each.normal, each.backwards, each.worst, each.best, *[each.steady] * many]
        rows.append([each.method, *map(percent, found)])
    return rows


def remarks(report: "Report") -> list[str]:
    told = [_over_orders(each) for each in report.summaries if each.spread and each.method == "plain"]
    if report.gap:
        told.append(
            f"set-based less the mean of plain in two orders: {points(report.gap, signed=True)} points of accuracy"
        )
    if report.twin:
        told.append(f"sort: sorted the other way, {percent(report.twin)} of its answers are others")
    told += [
        f"{each.method}: invariant because it asks in all k! orders, {each.calls:.3g} prompts an answer; each is read "
        "in its order, none as a set"
        for each in report.summaries
        if each.method in OVER_ORDERS
    ]
    if report.symmetry:
        share = report.symmetry.moved / report.symmetry.scale
        told.append(
            f"set-based: without any sorting, reversing the options moves its scores by {share:.1g} of their scale "
            f"(the first {report.symmetry.n} questions)"
        )
    told += [
        f"note: {percent_of(each.unanswered)} of the answers to {each.method} name no option"
        for each in report.summaries
        if each.unanswered
    ]
    if report.repeated:
        told.append(f"note: {report.repeated} questions have an option twice; it counts twice in a set")
    alike = report.summaries[0].alike
    if alike < report.n:
        told.append(f"note: spreads are of the {alike} questions with the commonest number of options")
    return told


def _over_orders(each: Summary) -> str:
    spread = each.spread
    assert spread is not None
    return (
        f"{each.method} over {spread.orders} orders: accuracy from {percent(spread.least)} to {percent(spread.most)}, "
        f"mean {percent(spread.mean)}"
    )


def accuracy_table(found: Sequence[Accuracy]) -> str:
    rows = [["method", "scoring", "calls", "right"]]
    rows += [[each.method, each.scoring, f"{each.calls:.3g}", percent(each.right)] for each in found]
    return aligned(rows)


def percent(found: Estimate) -> str:
    """47% [34, 60]; without an interval where there is none."""
    value = percent_of(found.value)
    return value if found.low == found.high else f"{value} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def percent_of(value: float) -> str:
    return f"{100 * value:.0f}%"


def points(found: Estimate, signed: bool = False) -> str:
    form = "+.1f" if signed else ".0f"
    return f"{100 * found.value:{form}} [{100 * found.low:{form}}, {100 * found.high:{form}}]"
