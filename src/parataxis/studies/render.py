"""Evidence as text: what stands, in a terminal's table, in Markdown, and as the JSON that the repository keeps."""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape as escaped
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parataxis.claims import Claim, Measurement, Paper, Standing, Symmetry, Table
from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.studies.store import Row, Run

if TYPE_CHECKING:
    from rich.table import Table as RichTable

WORDS = {
    Standing.HOLDS: "holds",
    Standing.FAILS: "fails",
    Standing.UNDECIDED: "undecided",
    Standing.REPORTED: "reported",
    None: "not measured",
}
STYLES = {Standing.HOLDS: "green", Standing.FAILS: "red", Standing.UNDECIDED: "yellow"}


@dataclass(frozen=True)
class Finding:
    """A claim or symmetry with what was measured for it; nothing if that was another version of the claim.

    why: why a run left it out.
    """

    stated: Claim | Symmetry
    measured: Measurement | None
    standing: Standing | None
    why: str = ""

    @property
    def word(self) -> str:
        return WORDS[self.standing]

    @property
    def asks(self) -> str:
        """The rule, or what the audit should say."""
        return self.stated.expect if isinstance(self.stated, Claim) else self.stated.outcome


def findings(paper: Paper, run: Run | None) -> list[Finding]:
    """Every claim and symmetry of a paper, in the order of paper.toml."""
    return [_finding(each, run) for each in paper.stated]


def _finding(stated: Claim | Symmetry, run: Run | None) -> Finding:
    row = run.row(stated.id) if run else None
    version = stated.version if isinstance(stated, Claim) else 0
    if row is None or row.claim_version != version:
        return Finding(stated, None, None, _left_out(stated, run) if run and run.finished and row is None else "")
    return Finding(stated, row.measurement, stated.judge(row.measurement))


def _left_out(stated: Claim | Symmetry, run: Run) -> str:
    """Why, if that is known."""
    if isinstance(stated, Symmetry):
        return ""
    if not stated.measured_at(run.scale):
        return f"not measured at this scale: needs --scale {stated.least}"
    return f"not measured here: needs {' and '.join(stated.needs)} (no public address)" if stated.needs else ""


def counts(found: Sequence[Finding]) -> str:
    """`9 hold, 1 fails, 5 reported`."""
    many = Counter(each.standing for each in found)
    plural = {"holds": "hold", "fails": "fail"}
    return ", ".join(
        f"{many[standing]} {word if many[standing] == 1 else plural.get(word, word)}"
        for standing, word in WORDS.items()
        if many[standing]
    )


def number(value: int | float | None) -> str:
    """Four significant digits, or all before the point, without an exponent where a person would write none."""
    if value is None:
        return ""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if 1e4 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 and abs(value) < 1e6 else f"{value:.3e}"


def interval(found: Measurement) -> str:
    """`0.32 [0.30, 0.34] share`; the value alone where it is exact."""
    span = "" if found.low == found.high else f" [{number(found.low)}, {number(found.high)}]"
    return f"{number(found.value)}{span} {found.unit}".strip()


def published(paper: Paper) -> str:
    """Venue and year, the year once."""
    return paper.venue if str(paper.year) in paper.venue else f"{paper.venue}, {paper.year}"


def prose(text: str) -> str:
    """As HTML, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(text))


# -- a terminal ----------------------------------------------------------------------------------------------------


def rich_table(paper: Paper, run: Run) -> "RichTable":
    from rich.markup import escape
    from rich.table import Table as RichTable

    found = findings(paper, run)
    table = RichTable(title=f"{paper.name}, {run.scale}: {counts(found)}", title_justify="left", title_style="bold")
    for name in ("claim", "measured", "rule", "null", "n"):
        table.add_column(name, justify="right" if name in ("null", "n") else "left", no_wrap=name == "claim")
    table.add_column("standing")
    for each in found:
        measured = each.measured
        cells = [each.why, "", ""] if measured is None else [interval(measured), number(measured.null), str(measured.n)]
        style = STYLES.get(each.standing, "dim") if each.standing else "dim"
        table.add_row(
            each.stated.id, escape(cells[0]), escape(each.asks), cells[1], cells[2], f"[{style}]{each.word}[/]"
        )
    return table


# -- Markdown ------------------------------------------------------------------------------------------------------


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [list(columns), ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = number(value) if isinstance(value, int | float) else str(value or "")
    return text.replace("|", "\\|").replace("\n", " ")


def findings_markdown(found: Sequence[Finding]) -> str:
    rows = [
        [
            f"`{each.stated.id}`",
            each.stated.says,
            _measured(each.measured) or each.why,
            f"`{each.asks}`" if each.asks else "",
            each.word,
        ]
        for each in found
    ]
    return markdown_table(("Id", "What it says", "Measured", "Rule", "Standing"), rows)


def _measured(found: Measurement | None) -> str:
    if found is None:
        return ""
    return f"{interval(found)}, n = {found.n}" + ("" if found.real else ", made data")


def table_markdown(table: Table) -> str:
    return f"{markdown_table(table.columns, table.rows)}\n\n{table.caption}"


# -- JSON ----------------------------------------------------------------------------------------------------------


def run_json(paper: Paper, run: Run) -> dict[str, Any]:
    """A run as JSON: its rows with their standing, and its tables. Figures are left to the report."""
    kept = {
        each.name: getattr(run, each.name)
        for each in dataclasses.fields(Run)
        if each.name not in ("id", "doing", "rows", "figures", "tables")
    }
    found = findings(paper, run)
    standing = {each.stated.id: each.word for each in found}
    left_out = {each.stated.id: each.why for each in found if each.why}
    rows = [
        {
            **asdict(row.measurement),
            "standing": standing[row.measurement.id],
            "claim_version": row.claim_version,
            "files": row.files,
        }
        for row in run.rows
        if row.measurement.id in standing
    ]
    tables = [{**asdict(each), "rows": [list(row) for row in each.rows]} for each in run.tables]
    return {**kept, "rows": rows, "tables": tables, **({"left_out": left_out} if left_out else {})}


def write_evidence(folder: Path, paper: Paper, run: Run) -> Path:
    """`<folder>/<name>.json`: what the repository keeps of a run, and the docs are rendered from."""
    text = json.dumps(run_json(paper, run), indent=1, ensure_ascii=False, allow_nan=False)
    return write_atomic(folder / f"{paper.name}.json", text + "\n")


def read_evidence(folder: Path, paper: Paper) -> Run | None:
    """The run that `write_evidence` kept, if there is one. The standing is judged anew, not read."""
    path = folder / f"{paper.name}.json"
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text())
        rows = tuple(_row(row) for row in kept.pop("rows"))
        tables = tuple(Table(**table) for table in kept.pop("tables"))
        kept.pop("left_out", None)  # told anew, as the standing is
        return Run(**kept, id=0, rows=rows, tables=tables)
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path}: is no evidence: {error}; write it with `parataxis evidence export`") from None


def _row(values: dict[str, Any]) -> Row:
    del values["standing"]
    version, files = values.pop("claim_version"), values.pop("files")
    return Row(Measurement(**values), version, files)
