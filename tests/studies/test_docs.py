import dataclasses

import pytest

from parataxis.claims import Measurement
from parataxis.errors import BadInput
from parataxis.studies.docs import BEGIN, END, bibtex, citation, docstring, rendered, stale, write
from parataxis.studies.registry import methods
from parataxis.studies.render import write_evidence
from parataxis.studies.store import Row, Run
from planted import plant


@pytest.fixture
def root(tmp_path):
    """A repository with a README and evidence for the planted method."""
    (tmp_path / "README.md").write_text(f"# Title\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


@pytest.fixture
def known(planted):
    return [methods([planted])["planted-gap"]]


def test_the_readme_gets_its_table_and_keeps_its_text(root, known):
    write(rendered(root, known))
    assert (root / "README.md").read_text() == (
        f"# Title\n\nBefore.\n\n{BEGIN}\n"
        "| Paper | Verbs | Command | What for | Claims and symmetries |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| [A Gap That Is There](docs/methods/planted-gap.md) (2020) | measure, remove | `parataxis gap` | "
        "Say how far the mean of some numbers is from zero. | not measured |\n"
        f"{END}\n\nAfter.\n"
    )


def test_a_page_tells_claims_evidence_data_and_limits(root, known):
    row = Row(Measurement("gap", 0.995, 0.9, 1.1, 40, "points", null=0.04), 1, {})
    run = Run(1, "planted-gap", "full", 0, "code", "0.1.0", {"cpu": "C", "cores": 2}, "then", "later", rows=(row,))
    write_evidence(root / "evidence", known[0].paper, run)
    write(rendered(root, known))
    page = (root / "docs" / "methods" / "planted-gap.md").read_text()
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# A Gap That Is There", "## Commands", "## Claims and symmetries", "## What each claim is checked against",
        "### gap", "### spread", "## Data", "## Limitations", "## Cite",
    ]  # fmt: skip
    assert "How far a mean is from zero." in page  # the docstring
    assert "`parataxis run planted-gap --scale full --seed 0` with parataxis 0.1.0 on C, 2 cores" in page
    assert "| 0.995 [0.9, 1.1] points, n = 40 | `>= 0.5` | holds |" in page
    assert "- left open by the paper: which mean: ours is the arithmetic one" in page
    assert "- `numbers.txt`: forty numbers. Real. From <http://127.0.0.1:9/numbers.txt>; licence: CC0-1.0." in page
    assert "- spread: the paper has a million numbers" in page
    assert "1 holds, 4 not measured |" in (root / "README.md").read_text()
    index = (root / "docs" / "methods" / "index.md").read_text()
    assert index.startswith("# Methods\n\n| Paper | Verbs |")
    assert "| [A Gap That Is There](planted-gap.md) (2020) |" in index


def test_what_is_stale_is_named_and_written_once(root, known):
    pages = rendered(root, known)
    assert stale(pages) == list(pages)
    assert write(pages) == list(pages)
    assert stale(rendered(root, known)) == []
    assert write(rendered(root, known)) == []
    page = root / "docs" / "methods" / "planted-gap.md"
    page.write_text(page.read_text() + "by hand\n")
    assert stale(rendered(root, known)) == [page]


def test_a_known_failure_is_a_limitation(root, tmp_path):
    failure = '[[known_failure]]\ntest = "check_13_help"\nreason = "slow"\nissue = "#4"\n\n[[symmetry]]\nid = "any'
    folder = plant(tmp_path / "more", ("paper.toml", '[[symmetry]]\nid = "any', failure))
    pages = rendered(root, [methods([folder])["planted-gap"]])
    assert "- check_13_help fails: slow (#4)" in pages[root / "docs" / "methods" / "planted-gap.md"]


@pytest.mark.parametrize("text", ["no markers", f"{BEGIN}", f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_readme_without_its_markers_is_refused(root, known, text):
    (root / "README.md").write_text(text)
    with pytest.raises(BadInput, match=r"README.md: expected one line '<!-- papers:begin -->' and after it"):
        rendered(root, known)


def test_docs_are_for_the_repository_only(tmp_path, known):
    with pytest.raises(BadInput, match=r"no README.md and pyproject.toml here; run this in the repository's folder"):
        rendered(tmp_path / "methods", known)


def test_citations(known):
    paper = known[0].paper
    assert citation(paper) == "Ada Example, Bo Sample (2020). A Gap That Is There. Planted 2020. arXiv:2002.00001."
    assert bibtex(paper) == (
        "@inproceedings{example2020,\n"
        "  title = {{A Gap That Is There}},\n"
        "  author = {Ada Example and Bo Sample},\n"
        "  year = {2020},\n"
        "  booktitle = {Planted 2020},\n"
        "  eprint = {2002.00001},\n"
        "  archiveprefix = {arXiv},\n"
        "}"
    )


def test_a_citation_survives_signs_and_accents(known):
    paper = dataclasses.replace(known[0].paper, title="R&D: 5% of x_1", authors=("Zoë Müller-Ångström",))
    entry = bibtex(paper)
    assert entry.startswith("@inproceedings{mullerangstrom2020,\n  title = {{R\\&D: 5\\% of x\\_1}},\n")
    assert "  author = {Zoë Müller-Ångström},\n" in entry


def test_a_docstring_is_read_without_importing(tmp_path):
    (tmp_path / "a.py").write_text('"""What\n    for."""\nraise RuntimeError\n')
    assert docstring(tmp_path / "a.py") == "What\nfor."
    (tmp_path / "b.py").write_text("x = 1\n")
    assert docstring(tmp_path / "b.py") == ""


def test_a_page_shows_the_example_and_what_it_prints(root, known):
    path = root / "docs" / "methods" / "planted-gap.md"
    assert "## Example" not in rendered(root, known)[path]
    (root / "examples").mkdir()
    (root / "examples" / "planted_gap.py").write_text('"""What it is about."""\n\nprint("a | b")\n')
    (root / "examples" / "planted_gap.txt").write_text("a | b\n")
    code, printed = '```python\nprint("a | b")\n```', "```text\na | b\n```"
    shown = f"## Example\n\nWhat it is about.\n\n{code}\n\nprints\n\n{printed}\n\n## Commands"
    assert shown in rendered(root, known)[path]


def test_a_page_has_the_examples_of_the_commands_help(root, tmp_path):
    more = '''

@app.command("more")
def more():
    """Say more.

    Example: parataxis gap more "<|a|>"
    --twice
    In another way: parataxis gap more --once
    """
'''
    folder = plant(tmp_path / "m")
    (folder / "planted_gap" / "cli_more.py").write_text(more)
    page = rendered(root, [methods([folder])["planted-gap"]])[root / "docs" / "methods" / "planted-gap.md"]
    assert '| Say more. | <code>parataxis gap more "&lt;&#124;a&#124;&gt;" --twice</code> |' in page
    assert "--once" not in page
