"""The evidence as one HTML file that needs nothing else: an overview, what may be permuted, then a section a paper."""

import base64
from collections import Counter
from collections.abc import Collection, Sequence
from html import escape

from parataxis import __version__
from parataxis.claims import OUTCOMES, Claim, Figure, Paper, Standing, Symmetry, Table
from parataxis.page import page
from parataxis.studies.render import WORDS, Finding, counts, findings, interval, number, prose, published
from parataxis.studies.store import Run
from parataxis.studies.strip import strip

CLASSES = {Standing.HOLDS: "good", Standing.FAILS: "bad", Standing.UNDECIDED: "open"}
MARKS = {Standing.HOLDS: "✓", Standing.FAILS: "✗", Standing.UNDECIDED: "?"}
Papers = Sequence[tuple[Paper, Run | None]]


def html_report(papers: Papers, kept: Collection[str] = ()) -> str:
    """One page of all papers; those that have no run are in the overview only. kept: whose run is from elsewhere."""
    parts = "".join(paper_section(paper, run) for paper, run in papers if run)
    return page(
        "Parataxis: evidence",
        "<header><h1>Evidence</h1><p class=soft>Does the order matter, and what depends on what? A claim holds only if "
        "its whole interval obeys the rule, and fails only if the whole interval disobeys it. In a strip the band is "
        "the rule, the line the interval, the dot the value and the cross the null, where the rule must fail. Rendered "
        f"by parataxis {__version__}.</p></header><main>{overview(papers, kept)}{permuted(papers)}{parts}</main>",
    )


# -- all papers ------------------------------------------------------------------------------------------------------


def overview(papers: Papers, kept: Collection[str]) -> str:
    rows = "".join(_overview_row(paper, run, paper.name in kept) for paper, run in papers)
    said = "<p class=soft>Kept: not measured here; an exported run of another time and machine.</p>" if kept else ""
    return (
        f"<h2 id=papers>Papers</h2>{said}<div class=wide><table class=stacked><thead><tr><th scope=col>Paper"
        f"<th scope=col>Verbs<th scope=col>Scale<th scope=col>Standing</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _overview_row(paper: Paper, run: Run | None, kept: bool) -> str:
    title = escape(paper.title)
    name = f'<a href="#{paper.name}">{title}</a>' if run else title
    found = findings(paper, run)
    standing = f"{standing_bar(found)}{escape(counts(found))}" if run else "not measured"
    scale = f"{run.scale}{', kept' * kept}" if run else ""
    return (
        f'<tr><th scope=row>{name}<div class=soft>{escape(paper.summary)}</div><td data-name="Verbs">'
        f'{escape(", ".join(paper.verbs))}<td data-name="Scale">{scale}'
        f'<td data-name="Standing">{standing}</tr>'
    )


def standing_bar(found: Sequence[Finding]) -> str:
    """How much of a paper holds, as a bar; the counts stand beside it as text."""
    many, left, parts = Counter(each.standing for each in found), 0.0, ""
    for standing in WORDS:
        width = round(100 * many[standing] / len(found), 2)
        if width:
            kind = CLASSES.get(standing, "soft") if standing else "none"
            parts += f'<rect class="fill-{kind}" x="{left:g}" width="{width:g}" height="6"/>'
        left += width
    return f'<svg class=bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{parts}</svg>'


def permuted(papers: Papers) -> str:
    """What may be permuted, what is said to come out, and what the audit found: a row a symmetry, over all papers."""
    rows = ""
    for paper, run in papers:
        found = [each for each in findings(paper, run) if isinstance(each.stated, Symmetry)]
        for place, each in enumerate(found):
            name = f'<a href="#{paper.name}">{escape(paper.name)}</a>' if run else escape(paper.name)
            head = f"<th scope=rowgroup rowspan={len(found)}>{name}" if place == 0 else ""
            rows += f"<tr>{head}{_permuted_cells(each)}</tr>"
    columns = "".join(f"<th scope=col>{each}" for each in OUTCOMES)
    return (
        "<h2 id=permuted>What may be permuted, what came out</h2><p class=soft>Under what is said to come out: ✓ the "
        "audit found it so, ✗ it found the opposite, ? undecided, – not measured. Behind it, in how many orders. “May "
        "depend” is held by a witness: two orders of the same items with two outcomes.</p><div class=wide>"
        f"<table class=matrix><thead><tr><th scope=col>Method<th scope=col>Permuted{columns}</tr></thead><tbody>{rows}"
        "</tbody></table></div>"
    )


def _permuted_cells(found: Finding) -> str:
    stated, measured = found.stated, found.measured
    assert isinstance(stated, Symmetry)
    mark = MARKS.get(found.standing, "–") if found.standing else "–"
    kind = CLASSES.get(found.standing, "soft") if found.standing else "soft"
    orders = f" <span class=soft>{measured.n}</span>" if measured else ""
    cells = "".join(
        f'<td><span class={kind} role=img aria-label="{found.word}">{mark}</span>{orders}'
        if each == stated.outcome
        else "<td>"
        for each in OUTCOMES
    )
    return f"<td>{prose(stated.permutes)}{cells}"


# -- one paper -------------------------------------------------------------------------------------------------------


def paper_section(paper: Paper, run: Run) -> str:
    found = findings(paper, run)
    claims = "".join(_claim(each) for each in found if isinstance(each.stated, Claim))
    symmetries = "".join(_symmetry(each) for each in found if isinstance(each.stated, Symmetry))
    machine = run.machine
    return (
        f'<section id="{paper.name}" aria-labelledby="{paper.name}-title"><h2 id="{paper.name}-title">'
        f"{escape(paper.title)}</h2><p>{prose(paper.summary)}</p>"
        f"<p class=soft>{escape(', '.join(paper.authors))}. {escape(published(paper))}. {escape(paper.identifier)}.</p>"
        f"<p>{standing_bar(found)}{escape(counts(found))}</p>"
        "<h3>Claims</h3><div class=wide><table class=stacked><thead><tr><th scope=col>Claim<th scope=col>Measured"
        f"<th scope=col>Rule<th scope=col>Standing</tr></thead><tbody>{claims}</tbody></table></div>"
        "<h3>Symmetries</h3><div class=wide><table class=stacked><thead><tr><th scope=col>Permuted<th scope=col>Audit"
        f"<th scope=col>Said to be<th scope=col>Standing</tr></thead><tbody>{symmetries}</tbody></table></div>"
        f"{''.join(map(_table, run.tables))}{''.join(map(_figure, run.figures))}"
        "<h3>Again</h3>"
        f"<pre><code>parataxis run {paper.name} --scale {run.scale} --seed {run.seed}\n"
        f"parataxis {paper.command} --help\nparataxis cite {paper.name} --bibtex</code></pre>"
        f"<p class=soft>Scale {run.scale}, seed {run.seed}, parataxis {run.parataxis}, finished {run.finished} on "
        f"{escape(str(machine.get('cpu')))}, {machine.get('cores')} cores, Python {machine.get('python')}; "
        f"{number(round(sum(row.measurement.seconds for row in run.rows)))} s in all.</p></section>"
    )


def _claim(found: Finding) -> str:
    stated, measured = found.stated, found.measured
    assert isinstance(stated, Claim)
    shown = escape(found.why)
    if measured:
        notes = [f"n = {measured.n}"]
        notes += [measured.data or "real data"] if measured.real else ["made data"]
        notes += [f"null {number(measured.null)}"] * (measured.null is not None)
        notes += [f"baseline {number(measured.baseline)}"] * (measured.baseline is not None)
        notes += [measured.note] * bool(measured.note) + _seconds(measured.seconds)
        shown = f"{escape(interval(measured))}{strip(found)}<div class=soft>{escape(', '.join(notes))}</div>"
    facts = {
        "Where": stated.where,
        "Measure": stated.measure,
        "Null": stated.null,
        "Left open": stated.silent,
        "Scale": stated.scale_reason,
    }
    lines = "".join(f"<p>{name}: {prose(text)}.</p>" for name, text in facts.items() if text)
    said = (
        f"{prose(stated.says)}<br><code class=soft>{stated.id}</code>"
        f"<div class=soft>Published: {prose(stated.figure)}.</div>"
        f"<details><summary>source and measure</summary>{lines}</details>"
    )
    return _row(found, said, ("Measured", shown), ("Rule", stated.expect))


def _symmetry(found: Finding) -> str:
    stated, measured = found.stated, found.measured
    assert isinstance(stated, Symmetry)
    said = f"{prose(stated.permutes)}<br><code class=soft>{stated.id}</code><div class=soft>{prose(stated.says)}</div>"
    shown = "not measured"
    if measured:
        notes = [f"{measured.n} order{'s' * (measured.n != 1)}", "real data" if measured.real else "made data"]
        notes += [measured.note] * bool(measured.note) + _seconds(measured.seconds)
        shown = f"{escape(measured.verdict)}<div class=soft>{escape(', '.join(notes))}</div>"
    return _row(found, said, ("Audit", shown), ("Said to be", stated.outcome))


def _row(found: Finding, said: str, shown: tuple[str, str], asks: tuple[str, str]) -> str:
    """shown, asks: each with what heads its column, which stands before it on a phone."""
    kind = CLASSES.get(found.standing, "soft") if found.standing else "soft"
    rule = f"<code>{escape(asks[1])}</code>" if asks[1] else ""
    return (
        f'<tr><th scope=row>{said}<td class=measured data-name="{shown[0]}">{shown[1]}'
        f'<td class=rule data-name="{asks[0]}">{rule}<td class={kind} data-name="Standing">{found.word}</tr>'
    )


def _seconds(seconds: float) -> list[str]:
    """None where it was measured along with an earlier claim."""
    return [f"{number(round(seconds, 1))} s"] * (seconds >= 0.1)


def _table(table: Table) -> str:
    numeric = [any(isinstance(row[place], int | float) for row in table.rows) for place in range(len(table.columns))]
    head = "".join(
        f"<th scope=col{' class=number' if right else ''}>{escape(name)}"
        for name, right in zip(table.columns, numeric, strict=True)
    )
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return (
        f"<div class=wide><table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(cell: str | int | float | None) -> str:
    return f"<td class=number>{number(cell)}" if isinstance(cell, int | float) else f"<td>{escape(cell or '')}"


def _figure(figure: Figure) -> str:
    kind = "png" if figure.is_png else "svg+xml"
    data = base64.b64encode(figure.image).decode()
    return (
        f'<figure><img alt="{escape(figure.name)}: {escape(figure.caption)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )
