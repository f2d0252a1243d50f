"""What the repository shows of the methods, rendered: the README's table, the same in docs/, and a page a method."""

import ast
import re
import unicodedata
from collections.abc import Iterable
from html import escape
from pathlib import Path

from parataxis.claims import Claim, DataFile, Paper
from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.studies.registry import Method
from parataxis.studies.render import (
    counts,
    findings,
    findings_markdown,
    markdown_table,
    published,
    read_evidence,
    table_markdown,
)
from parataxis.studies.store import Run

BEGIN, END = "<!-- papers:begin -->", "<!-- papers:end -->"


def rendered(root: Path, methods: Iterable[Method]) -> dict[Path, str]:
    """Every file that is rendered, with what it should hold: README.md and docs/methods/*.md under `root`."""
    methods = list(methods)
    readme = root / "README.md"
    if not readme.exists() or not (root / "pyproject.toml").exists():
        raise BadInput(f"{root}: no README.md and pyproject.toml here; run this in the repository's folder")
    runs = {each.name: read_evidence(root / "evidence", each.paper) for each in methods}
    papers, folder = [(each.paper, runs[each.name]) for each in methods], root / "docs" / "methods"
    pages = {
        readme: _readme(readme, papers_markdown(papers, "docs/methods/")),
        folder / "index.md": f"# Methods\n\n{papers_markdown(papers)}\n",
    }
    return pages | {folder / f"{each.name}.md": page(each, runs[each.name], root / "examples") for each in methods}


def stale(pages: dict[Path, str]) -> list[Path]:
    """The files that do not hold what they should."""
    return [path for path, text in pages.items() if not path.exists() or path.read_text() != text]


def write(pages: dict[Path, str]) -> list[Path]:
    """Write what is stale; which that was."""
    return [write_atomic(path, pages[path]) for path in stale(pages)]


def _readme(path: Path, table: str) -> str:
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise BadInput(
            f"{path}: expected one line {BEGIN!r} and after it one line {END!r}; put them where the table goes"
        )
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def papers_markdown(papers: Iterable[tuple[Paper, Run | None]], folder: str = "") -> str:
    """A row a paper. folder: where the pages lie, seen from the table's file."""
    rows = [
        [
            f"[{paper.title}]({folder}{paper.name}.md) ({paper.year})",
            ", ".join(paper.verbs),
            f"`parataxis {paper.command}`",
            paper.summary,
            counts(findings(paper, run)) if run else "not measured",
        ]
        for paper, run in papers
    ]
    return markdown_table(("Paper", "Verbs", "Command", "What for", "Claims and symmetries"), rows)


def page(method: Method, run: Run | None, examples: Path) -> str:
    """A method's page, from its docstrings, paper.toml, evidence, and its example in a folder of examples."""
    paper = method.paper
    parts = [
        f"# {paper.title}",
        f"{', '.join(paper.authors)}. {published(paper)}. {paper.identifier}.",
        docstring(method.folder / "__init__.py"),
        f"Install: `pip install {_extra(paper)}`.",
        *_example(examples / f"{method.folder.name}.py"),
        "## Commands",
        markdown_table(("What for", "Example"), commands(method)),
        "## Claims and symmetries",
        _measured_where(paper, run),
        findings_markdown(findings(paper, run)),
        *(table_markdown(each) for each in (run.tables if run else ())),
        "## What each claim is checked against",
        *(_claim(each) for each in paper.claims),
        "## Data",
        "\n".join(f"- `{each.file}`: {each.what}. {_origin(each)}" for each in paper.data) or "None is read.",
        "## Limitations",
        "\n".join(f"- {line}" for line in _limitations(paper)) or "None is known.",
        "## Cite",
        f"```bibtex\n{bibtex(paper)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def docstring(path: Path) -> str:
    """A module's docstring, read without importing it."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def _example(path: Path) -> list[str]:
    """A program, and what it prints, kept beside it; nothing where there is none."""
    if not path.exists():
        return []
    code = path.read_text().removeprefix(f'"""{docstring(path)}"""').strip()
    printed = path.with_suffix(".txt").read_text().rstrip()
    return ["## Example", docstring(path), f"```python\n{code}\n```", f"prints\n\n```text\n{printed}\n```"]


def commands(method: Method) -> list[list[str]]:
    """For each of the method's commands the first line of its help and the example there, read without importing it."""
    rows = []
    for path in sorted(method.folder.glob("cli*.py")):
        for node in ast.parse(path.read_text()).body:
            told = (ast.get_docstring(node) or "") if isinstance(node, ast.FunctionDef) else ""
            if example := re.search(r"^Example: (.*(?:\n(?!.*: parataxis ).+)*)", told, re.MULTILINE):
                rows.append([told.splitlines()[0], _code(" ".join(example[1].split()))])
    return rows


def _code(text: str) -> str:
    """For a cell of a table, in which a backslash before a bar would be shown within backticks."""
    return f"<code>{escape(text, quote=False).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def _extra(paper: Paper) -> str:
    return f"'parataxis[{paper.extra}]'" if paper.extra else "parataxis"


def _measured_where(paper: Paper, run: Run | None) -> str:
    if run is None:
        return f"Not measured yet: `parataxis run {paper.name} --scale full`."
    machine = run.machine
    return (
        f"Measured by `parataxis run {paper.name} --scale {run.scale} --seed {run.seed}` "
        f"with parataxis {run.parataxis} on {machine.get('cpu')}, {machine.get('cores')} cores, "
        f"finished {run.finished}."
    )


def _claim(claim: Claim) -> str:
    facts = {
        "published": "figure",
        "where": "where",
        "measure": "measure",
        "null": "null",
        "left open by the paper": "silent",
        "why our scale is not the paper's": "scale_reason",
    }
    lines = [f"- {name}: {getattr(claim, key)}" for name, key in facts.items() if getattr(claim, key)]
    return f"### {claim.id}\n\n{claim.says}\n\n" + "\n".join(lines)


def _origin(data: DataFile) -> str:
    origin = f"From <{data.url}>" if data.url else "No public address"
    return f"{'Real' if data.real else 'Made'}. {origin}; licence: {data.licence}."


def _limitations(paper: Paper) -> list[str]:
    scales = [f"{claim.id}: {claim.scale_reason}" for claim in paper.claims if claim.scale_reason]
    known = [f"{each.test} fails: {each.reason} ({each.issue})" for each in paper.known_failures]
    return scales + known


def bibtex(paper: Paper) -> str:
    """A BibTeX entry; an arXiv identifier as eprint, a DOI as doi."""
    kind, _, value = paper.identifier.partition(":")
    number = {"arXiv": f"eprint = {{{value}}},\n  archiveprefix = {{arXiv}}", "doi": f"doi = {{{value}}}"}
    fields = [
        f"title = {{{{{_tex(paper.title)}}}}}",
        f"author = {{{' and '.join(paper.authors)}}}",
        f"year = {{{paper.year}}}",
        f"booktitle = {{{_tex(paper.venue)}}}",
        number.get(kind, f"note = {{{paper.identifier}}}"),
    ]
    name = unicodedata.normalize("NFKD", paper.authors[0].split()[-1].lower())
    key = re.sub("[^a-z]", "", name) + str(paper.year)
    return "@inproceedings{" + key + ",\n" + "".join(f"  {field},\n" for field in fields) + "}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)


def citation(paper: Paper) -> str:
    return f"{', '.join(paper.authors)} ({paper.year}). {paper.title}. {paper.venue}. {paper.identifier}."
