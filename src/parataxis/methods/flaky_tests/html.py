"""A hunt's report as one HTML page: what is flaky and why, and a matrix of the flaky tests in every order."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.diagnosis import Diagnosis
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.one_cause import by_cause, more
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.text import AGAIN, gone, headline, notes, summary
from parataxis.page import page

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Finding, Rate, Report

ROWS = 300  # tests in the matrix, at most
CULPRITS = 120  # in the tables of culprits, at most
COLUMNS = 20  # of them side by side: they fit beside a long name, so that nobody has to scroll sideways
LONGEST = 60  # characters of a name beside it
CELL, GAP = 11, 5  # pixels: a cell; between kinds of orders
WORDS = {
    ".": ("passed", "var(--pass)"),
    "F": ("failed", "var(--bad)"),
    "E": ("error in setup or teardown", "var(--open)"),
    "C": ("crashed", "var(--ink)"),
    "T": ("timed out", "#7b4ea8"),
    "s": ("skipped", "var(--skip)"),
    "-": ("not run", "none"),
}
CLASSES = {Kind.OD: "bad", Kind.NOD: "bad", Kind.INFRA: "open"}


def html(report: "Report") -> str:
    flaky = report.flaky
    groups = by_cause(report, flaky)
    body = [
        f"<h1>{escape(headline(report))}</h1><p class=soft>{escape(summary(report))}</p>",
        _classes(report),
        *(_matrix(report, flaky) if flaky else []),
        *_culprits(report, groups),
        *(_section(each, report.diagnoses.get(each.nodeid), others) for each, others in groups),
        *_repeating(report),
        *(f"<p class=soft>{escape(note)}</p>" for note in notes(report)),
    ]
    return page(headline(report), "".join(body))


def _classes(report: "Report") -> str:
    counts = report.counts()
    rows = "".join(
        f"<tr><td>{kind.value}<td>{counts[kind.value]:,}<td class=soft>{escape(kind.sentence)}</tr>"
        for kind in (Kind.OD, Kind.NOD, Kind.INFRA)
    )
    for name in ("passes every run", "non-idempotent", "fails every run", "never ran"):
        if counts[name]:
            said = f"{AGAIN[0].upper()}{AGAIN[1:]}." if name == "non-idempotent" else ""
            rows += f"<tr><td>{name}<td>{counts[name]:,}<td class=soft>{said}</tr>"
    return f"<table><tr><th>Class<th>Tests<th></tr>{rows}</table>"


def _culprits(report: "Report", groups: Sequence[tuple["Finding", list[str]]]) -> list[str]:
    """Rows are flaky tests, columns their polluters and state-setters; as many tables as these take."""
    named = [(report.diagnoses[each.nodeid], others) for each, others in groups if each.nodeid in report.diagnoses]
    rows = [(found, others) for found, others in named if found.chains]
    names = list(dict.fromkeys(test for found, _ in rows for chain in found.chains for test in chain.tests))
    if not names:
        return []
    tables = (_table(rows, names[at : at + COLUMNS]) for at in range(0, min(len(names), CULPRITS), COLUMNS))
    legend = "&#9679; a polluter of a victim, or a state-setter of a brittle; &#9675; only with others."
    legend += f" The first {CULPRITS} of {len(names)} culprits." if len(names) > CULPRITS else ""
    return [f"<h2>Who makes whom flaky</h2>{''.join(tables)}<p class=soft>{legend}</p>"]


def _table(rows: Sequence[tuple[Diagnosis, list[str]]], names: Sequence[str]) -> str:
    """Of those culprits, and the tests that they make flaky."""
    head = "".join(
        f'<th class=upright title="{escape(name, quote=True)}"><span>{escape(_short(name))}</span>' for name in names
    )
    body = ""
    for found, others in rows:
        alone = {chain.tests[0] for chain in found.chains if len(chain.tests) == 1}
        joint = {test for chain in found.chains if len(chain.tests) > 1 for test in chain.tests}
        marks = ["&#9679;" if name in alone else "&#9675;" if name in joint else "" for name in names]
        if any(marks):
            link = f'<a href="#{escape(found.nodeid, quote=True)}">{escape(_short(found.nodeid))}</a>'
            more = f" and {len(others)} more" if others else ""
            body += f"<tr><td><code>{link}</code>{more}{''.join(f'<td>{mark}' for mark in marks)}</tr>"
    return f"<div class=wide><table class=culprits><tr><th>{head}</tr>{body}</table></div>"


def _more(nodeid: str, others: Sequence[str]) -> str:
    """Folded: a link to one of them unfolds it."""
    names = "".join(f'<br><code id="{escape(name, quote=True)}">{escape(name)}</code>' for name in others)
    return f"<details><summary>{escape(more(nodeid, others))}</summary>{names}</details>" if others else ""


def _section(each: "Finding", diagnosis: Diagnosis | None, others: Sequence[str]) -> str:
    chance = f" By chance: {each.by_chance}." if each.by_chance else ""
    lines = [f"{each.sure}.{chance}"] if each.sure else []
    lines += [f"Cause: {each.cause}."] if each.cause else []
    lines += [f"First shown in {each.shown_in}."] if each.shown_in else []
    said = "".join(f"<p>{escape(line[:1].upper() + line[1:])}</p>" for line in lines)
    clean = gone(each)
    clean = f"<p>{escape(clean[:1].upper() + clean[1:])}.</p>" if clean else ""
    message = f"<p><code>{escape(each.message)}</code></p>" if each.message else ""
    head = f'<h2 id="{escape(each.nodeid, quote=True)}"><code>{escape(each.nodeid)}</code></h2>'
    return (
        f"{head}{_more(each.nodeid, others)}"
        f"<p class={CLASSES[each.kind]}>{each.kind.value}</p>{said}{message}{_explained(diagnosis)}<table>"
        f"<tr><td>fails in file order<td class=figure>{escape(str(each.same))}<td>{_strip(each.same)}</tr>"
        f"<tr><td>fails shuffled<td class=figure>{escape(str(each.shuffled))}<td>{_strip(each.shuffled)}</tr></table>"
        f"{clean}"
    )


def _repeating(report: "Report") -> list[str]:
    if not report.repeating:
        return []
    title = "<h2>Pass once, and fail when run again in the same process</h2>"
    groups = by_cause(report, report.repeating)
    return [
        title,
        *(
            f"<h3><code>{escape(each.nodeid)}</code></h3>{_more(each.nodeid, others)}{_explained(each)}"
            for each, others in groups
        ),
    ]


def _explained(diagnosis: Diagnosis | None) -> str:
    lines = ""
    for line in explanation(diagnosis) if diagnosis else ():
        head, separator, command = line.partition("): ")
        if head.startswith("proof") and separator:
            lines += f"<li>{escape(head)}):<pre>{escape(command)}</pre>"
        else:
            lines += f"<li>{escape(line)}"
    return f"<ul>{lines}</ul>" if lines else ""


def _strip(rate: "Rate") -> str:
    """The rate and its interval on a line from 0 to 1."""
    if not rate.runs:
        return ""
    width, middle = 240, 7
    value = rate.failures / rate.runs
    return (
        f'<svg width="{width + 8}" height="14" role="img" aria-label="failure rate from 0 to 1"><g '
        f'transform="translate(4 0)"><path d="M0 {middle}H{width}" stroke="var(--line)"/>'
        f'<path d="M{rate.low * width:.1f} {middle}H{rate.high * width:.1f}" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{value * width:.1f}" cy="{middle}" r="3.5" fill="currentColor"/></g></svg>'
    )


def _matrix(report: "Report", flaky: Sequence["Finding"]) -> list[str]:
    """Rows are flaky tests, columns the orders as they were run, kept apart by environment and kind."""
    place = {nodeid: i for i, nodeid in enumerate(report.head.ids)}
    runs = sorted(report.runs, key=lambda run: run.iteration)
    columns: list[tuple[Run, int]] = []
    labels: list[tuple[str, int]] = []
    x = 0
    for (iteration, kind), group in groupby(runs, key=lambda run: (run.iteration, run.kind)):
        labels.append((f"{kind} {iteration + 1}", x))
        for run in group:
            columns.append((run, x))
            x += CELL
        x += GAP
    shown = flaky[:ROWS]
    rows = "".join(_row(columns, place[each.nodeid], top * CELL) for top, each in enumerate(shown))
    names = "".join(
        f'<text x="{x + 4}" y="{top * CELL + 9}"><a href="#{escape(each.nodeid, quote=True)}">'
        f"<title>{escape(each.nodeid)}</title>{escape(_short(each.nodeid))}</a></text>"
        for top, each in enumerate(shown)
    )
    heads = "".join(
        f'<text transform="translate({at + 8} -4) rotate(-50)">{escape(label)}</text>' for label, at in labels
    )
    legend = ", ".join(
        f'<span style="color:{colour}">&#9632;</span> {word}' if colour != "none" else f"&#9633; {word}"
        for word, colour in WORDS.values()
    )
    more = f" The first {ROWS} of {len(flaky)}." if len(flaky) > ROWS else ""
    longest = max(len(_short(each.nodeid)) for each in shown)
    height = len(shown) * CELL + 62
    return [
        f'<figure><div class=wide><svg width="{x + 10 + 6.1 * longest:.0f}" height="{height}" font-size="10" '
        'fill="currentColor" '
        f'font-family="ui-monospace, monospace" role="img" aria-label="outcomes of the flaky tests in every order">'
        f'<g transform="translate(0 58)">{heads}{rows}{names}</g></svg></div>'
        f"<figcaption>Every order in which the flaky tests ran; the number is the environment. {legend}.{more}"
        "</figcaption></figure>"
    ]


def _row(columns: Sequence[tuple[Run, int]], test: int, top: int) -> str:
    cells = []
    for run, x in columns:
        word, colour = WORDS[run.outcomes[test]]
        if colour != "none":
            cells.append(
                f'<rect x="{x}" y="{top}" width="{CELL - 1}" height="{CELL - 1}" fill="{colour}">'
                f"<title>{escape(run.name)}: {word}</title></rect>"
            )
    return "".join(cells)


def _short(nodeid: str) -> str:
    bare, bracket, parameters = nodeid.partition("[")
    return (bare.rpartition("::")[2] + bracket + parameters)[:LONGEST]
