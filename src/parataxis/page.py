"""The look of every page we write: one HTML file that needs nothing else, no script, no font, no picture beside it."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1a; --soft: #66645f; --line: #dcd9d2; --page: #fdfcfa; --plate: #fff;
  --good: #1e7145; --bad: #b3261e; --open: #8a6100; --band: #1e714526; --pass: #cfe3d6; --skip: #e8e5df;
  --sheet: #f4f2ec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e5e0; --soft: #a3a09a; --line: #3a3935; --page: #191917;
  --plate: #f4f3f0; --good: #6cc793; --bad: #f28b82; --open: #e0b24c; --band: #6cc79333; --pass: #2c4636;
  --skip: #33322e; --sheet: #23221f; } }
body { font: 16px/1.5 Charter, "Bitstream Charter", "Source Serif 4", Georgia, serif; color: var(--ink);
  background: var(--page); max-width: 62rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.9rem; margin: 0; } h2 { font-size: 1.35rem; margin: 3.5rem 0 .2rem; line-height: 1.25; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0; }
p { margin: .4rem 0; } .soft, caption, figcaption, th:not([scope^=row]) { color: var(--soft); }
table { border-collapse: collapse; width: 100%; margin: 1.2rem 0; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; caption-side: bottom; padding-top: .4rem; font-size: .88rem; }
th { text-align: left; font-weight: normal; border-bottom: 1px solid var(--ink); padding: .3rem .8rem .3rem 0; }
th[scope^=row] { border-bottom-color: var(--line); padding: .5rem .8rem .5rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--line); padding: .5rem .8rem .5rem 0; vertical-align: top; }
td.measured { min-width: 16rem; } td.rule, td.figure { white-space: nowrap; } .number { text-align: right; }
td div, th div { font-size: .88rem; }
code, pre { font: .86em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--sheet); padding: .6rem .8rem; border-radius: 4px; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: bold; } .open { color: var(--open); }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; background: var(--plate); border-radius: 4px; }
.wide { overflow-x: auto; } a { color: inherit; } svg { display: block; margin-top: .3rem; max-width: 100%; }
ol, ul { margin: 0; padding-left: 1.4rem; }
th.upright { vertical-align: bottom; } th.upright span { writing-mode: vertical-rl; transform: rotate(180deg);
  font: .8em ui-monospace, "DejaVu Sans Mono", monospace; white-space: nowrap; }
table.culprits { width: auto; } table.culprits td { padding: .2rem .4rem .2rem 0; }
table.culprits th { padding: .2rem .4rem .2rem 0; } table.culprits td:first-child { white-space: nowrap; }
details { font-size: .88rem; color: var(--soft); } summary { cursor: pointer; }
:focus-visible { outline: 2px solid var(--open); outline-offset: 2px; }
table.matrix td, table.matrix th[scope^=row] { padding: .2rem .8rem .2rem 0; }
svg.bar { width: 100%; max-width: 14rem; height: 6px; margin: .35rem 0; }
.fill-good { fill: var(--good); } .fill-bad { fill: var(--bad); } .fill-open { fill: var(--open); }
.fill-soft { fill: var(--soft); } .fill-none { fill: var(--line); }
@media (max-width: 40rem) {
  body { margin: 1.5rem auto; }
  table.stacked, table.stacked tbody, table.stacked tr, table.stacked th, table.stacked td { display: block; }
  table.stacked thead { position: absolute; clip-path: inset(50%); }
  table.stacked th, table.stacked td { border: 0; padding: .15rem 0; min-width: 0; }
  table.stacked tr { border-bottom: 1px solid var(--line); padding: .6rem 0; }
  table.stacked td:empty { display: none; }
  table.stacked td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); font-weight: normal; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --sheet: #f2f2f2; --good: #145a32;
    --bad: #9c1c15; --open: #6b4c00; --band: #1e714526; --plate: #fff; }
  body { font-size: 10pt; margin: 0; max-width: none; } h2 { break-after: avoid; margin-top: 1.5rem; }
  details::details-content { content-visibility: visible; block-size: auto; } summary { list-style: none; }
  tr, figure, pre { break-inside: avoid; } section { break-before: page; } .wide { overflow: visible; }
}
"""


def page(title: str, body: str) -> str:
    """A whole document around a body that is HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
