"""An audit of questions as one HTML page: the figure, the tables, and questions whose answer the order decided."""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from parataxis.methods.set_prompting.evaluate import Row
from parataxis.methods.set_prompting.plot import inline
from parataxis.methods.set_prompting.text import Cells, headline, remarks, summary, tables
from parataxis.page import page

if TYPE_CHECKING:
    from parataxis.methods.set_prompting.report import Report

EXAMPLES = 12
INTERVALS = "In brackets: 95% intervals, from resampling questions."
MIRRORS = (
    "A slot and its mirror, the first and the last, hold the same questions, each once: a method that does not see the "
    "order is its own mirror, while what lies between the outer slots and the inner ones may be the questions."
)

# Light on a dark page too, for its ink is dark. A narrow page scrolls over it: shrunk, its words could not be read.
LOOK = (
    "<style>figure { background: var(--plate); border-radius: 4px; padding: .6rem }"
    "figure svg { min-width: 44rem; height: auto } td { white-space: nowrap }</style>"
)


def html(report: "Report", figure: str | None = None) -> str:
    """figure: as SVG, if it has been drawn already."""
    shown = "".join(_table(each) for each in tables(report))
    body = [
        f"<h1>{escape(headline(report))}</h1><p class=soft>{escape(summary(report))}.</p>",
        f"{LOOK}<figure class=wide>{figure or inline(report)}</figure>",
        f"<p class=soft>{MIRRORS}</p>" if report.orders == "two" else "",
        f"{shown}<p class=soft>{INTERVALS}</p>",
        *(f"<p>{escape(line[:1].upper() + line[1:])}.</p>" for line in remarks(report)),
        _examples(report),
    ]
    return page(headline(report), "".join(body))


def _table(rows: Cells) -> str:
    head, *others = [[escape(cell) for cell in row] for row in rows]
    body = "".join(f"<tr><td>{'<td>'.join(row)}</tr>" for row in others)
    return f"<div class=wide><table><tr><th>{'<th>'.join(head)}</tr>{body}</table></div>"


def _examples(report: "Report") -> str:
    rows: dict[str, dict[str, Row]] = {}
    for row in report.rows:
        rows.setdefault(row.id, {})[row.method] = row
    flipped = [each for each in rows.values() if "plain" in each and len(set(each["plain"].chosen)) > 1]
    if not flipped:
        return ""
    more = f" The first {EXAMPLES} of {len(flipped)}." if len(flipped) > EXAMPLES else ""
    return (
        "<h2>Questions whose answer the order decided</h2>"
        f"<p class=soft>&#10003; is the right option.{more}</p>{''.join(map(_example, flipped[:EXAMPLES]))}"
    )


def _example(rows: dict[str, Row]) -> str:
    plain = rows["plain"]
    options = "".join(
        f"<li>{escape(choice)}{' &#10003;' if place == plain.answer else ''}"
        f"<span class=soft>{escape(_chosen_by(rows.values(), place))}</span>"
        for place, choice in enumerate(plain.choices)
    )
    return f"<p style='margin-top:1.6rem'><b>{escape(plain.question)}</b></p><ul>{options}</ul>"


def _chosen_by(rows: Iterable[Row], place: int) -> str:
    """Which methods chose this option, and plain in which orders."""
    said = []
    for row in rows:
        times = row.chosen.count(place)
        if not times:
            continue
        if times == len(row.chosen):
            said.append(row.method)
        elif len(row.chosen) == 2:
            said.append(f"{row.method}, {'given order' if row.chosen[0] == place else 'reversed'}")
        else:
            said.append(f"{row.method}, {times} of {len(row.chosen)} orders")
    return f" — {'; '.join(said)}" if said else ""
