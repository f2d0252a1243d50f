"""The evidence as one HTML file that needs nothing else: no script, no font, no picture beside it."""

import base64
import math
import re
from collections.abc import Sequence
from html import escape

from parataxis import __version__
from parataxis.claims import Claim, Figure, Paper, Standing, Table
from parataxis.page import page
from parataxis.studies.render import Finding, counts, findings, interval, number, published
from parataxis.studies.store import Run

CLASSES = {Standing.HOLDS: "good", Standing.FAILS: "bad", Standing.UNDECIDED: "open"}
WIDTH, HEIGHT = 150, 14  # of the strip that shows an interval beside its rule, in pixels


def html_report(papers: Sequence[tuple[Paper, Run | None]]) -> str:
    """A page of the papers that have a run: an overview, then each one's claims, tables and figures."""
    overview = "".join(_overview_row(paper, run) for paper, run in papers)
    parts = "".join(_paper(paper, run) for paper, run in papers if run)
    return page(
        "Parataxis: evidence",
        "<h1>Evidence</h1><p class=soft>A claim holds only if its whole interval obeys the rule, and fails only if the "
        "whole interval disobeys it. In the strips the band is the rule, the line the interval, the dot the value and "
        f"the cross the null, where the rule must fail. Rendered by parataxis {__version__}.</p>"
        "<div class=wide><table><tr><th>Paper<th>Verbs<th>Scale<th>Standing</tr>"
        f"{overview}</table></div>{parts}",
    )


def _overview_row(paper: Paper, run: Run | None) -> str:
    name = f'<a href="#{paper.name}">{escape(paper.title)}</a>' if run else escape(paper.title)
    standing = escape(counts(findings(paper, run))) if run else "not measured"
    scale = run.scale if run else ""
    return f"<tr><td>{name}<td>{', '.join(paper.verbs)}<td>{scale}<td>{standing}</tr>"


def _paper(paper: Paper, run: Run) -> str:
    found = findings(paper, run)
    rows = "".join(_finding(each) for each in found)
    machine = run.machine
    return (
        f'<section id="{paper.name}"><h2>{escape(paper.title)}</h2>'
        f"<p class=soft>{escape(', '.join(paper.authors))}. {escape(published(paper))}. "
        f"{escape(paper.identifier)}. <code>parataxis {paper.command} --help</code></p>"
        "<div class=wide><table><tr><th>Claim<th>Measured<th>Rule<th>Standing</tr>"
        f"{rows}</table></div>{''.join(map(_table, run.tables))}{''.join(map(_figure, run.figures))}"
        f"<p class=soft>Scale {run.scale}, seed {run.seed}, parataxis {run.parataxis}, finished {run.finished} on "
        f"{escape(str(machine.get('cpu')))}, {machine.get('cores')} cores, Python {machine.get('python')}. "
        f"<code>parataxis run {paper.name} --scale {run.scale} --seed {run.seed}</code></p></section>"
    )


def _finding(found: Finding) -> str:
    stated, measured = found.stated, found.measured
    said = f"{_prose(stated.says)}<br><code class=soft>{stated.id}</code>{_details(stated)}"
    shown = escape(found.why)
    if measured:
        notes = [f"n = {measured.n}"] + ["made data"] * (not measured.real)
        notes += [f"null {number(measured.null)}"] * (measured.null is not None)
        notes += [f"baseline {number(measured.baseline)}"] * (measured.baseline is not None)
        notes += [escape(measured.note)] * bool(measured.note)
        shown = f"{escape(interval(measured))}{strip(found)}<div class=soft>{', '.join(notes)}</div>"
    standing = CLASSES.get(found.standing, "soft") if found.standing else "soft"
    return (
        f"<tr><td>{said}<td class=measured>{shown}<td class=rule><code>{escape(found.asks)}</code>"
        f"<td class={standing}>{found.word}</tr>"
    )


def _details(stated: object) -> str:
    if not isinstance(stated, Claim):
        return ""
    facts = {
        "Where": stated.where,
        "Measure": stated.measure,
        "Null": stated.null,
        "Left open": stated.silent,
        "Scale": stated.scale_reason,
    }
    lines = "".join(f"<p>{name}: {_prose(text)}.</p>" for name, text in facts.items() if text)
    return (
        f"<div class=soft>Published: {_prose(stated.figure)}.</div>"
        f"<details><summary>source and measure</summary>{lines}</details>"
    )


def _prose(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def strip(found: Finding) -> str:
    """A small SVG: the rule's region as a band, the interval as a line with its value, the null as a cross."""
    rule = found.stated.rule if isinstance(found.stated, Claim) else None
    measured = found.measured
    if rule is None or measured is None:
        return ""
    ends = [
        x
        for x in (rule.low, rule.high, measured.low, measured.high, measured.null)
        if x is not None and math.isfinite(x)
    ]
    left, right = min(ends), max(ends)
    margin = (right - left or abs(left) or 1.0) * 0.08
    left, right = left - margin, right + margin

    def x(value: float) -> float:
        return round((min(max(value, left), right) - left) / (right - left) * WIDTH, 1)

    middle, band = HEIGHT / 2, max(x(rule.high) - x(rule.low), 1.5)
    cross = ""
    if measured.null is not None:
        at = x(measured.null)
        cross = f'<path d="M{at - 3} {middle - 3}l6 6m0 -6l-6 6" stroke="var(--soft)" fill="none"/>'
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="interval and rule">'
        f'<rect x="{x(rule.low)}" width="{band}" height="{HEIGHT}" fill="var(--band)"/>'
        f'<path d="M{x(measured.low)} {middle}H{x(measured.high)}" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{x(measured.value)}" cy="{middle}" r="3" fill="currentColor"/>{cross}</svg>'
    )


def _table(table: Table) -> str:
    numeric = [any(isinstance(row[place], int | float) for row in table.rows) for place in range(len(table.columns))]
    head = "".join(
        f"<th{' class=number' if right else ''}>{escape(name)}"
        for name, right in zip(table.columns, numeric, strict=True)
    )
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return f"<div class=wide><table><caption>{escape(table.caption)}</caption><tr>{head}</tr>{rows}</table></div>"


def _cell(cell: str | int | float | None) -> str:
    return f"<td class=number>{number(cell)}" if isinstance(cell, int | float) else f"<td>{escape(cell or '')}"


def _figure(figure: Figure) -> str:
    kind = "png" if figure.is_png else "svg+xml"
    data = base64.b64encode(figure.image).decode()
    return (
        f'<figure><img alt="{escape(figure.name)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )
